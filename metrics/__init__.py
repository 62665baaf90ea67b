"""Scores of panoptic tracking. All are computed from one overlap table per frame.

:class:`SequenceScorer` takes the frames of a sequence, and :func:`pool` adds the sums of several
sequences. :func:`flat_scores` and :func:`reference_blocks` compute the scores from sums.
"""

from mapt_bench.metrics._link_rates import (
    FULL_OCCLUSIONS,
    GAP_BINS,
    Bin,
    Rate,
    break_point,
    kept_by_displacement,
    kept_by_gap,
    kept_by_visibility,
    kept_links,
    recovered_by_gap,
    recovery_counts,
    right_returns,
)
from mapt_bench.metrics.link_events import LinkEvents, LinkOutcome, LinkRecorder, Sightings
from mapt_bench.metrics.losses import (
    LOSS_SCORES,
    KindLoss,
    Losses,
    LossSums,
    count_losses,
    decompose,
    pool_losses,
)
from mapt_bench.metrics.overlap import FrameOverlap, count_overlap
from mapt_bench.metrics.pat import HEADLINE, VARIANTS, PatVariant, averaged_classes
from mapt_bench.metrics.scorer import SequenceScorer, SequenceSums, empty_sums, pool
from mapt_bench.metrics.scores import (
    METRICS_SCHEMA,
    SCORE_NAMES,
    flat_scores,
    pat_variant,
    reference_blocks,
    undefined_reasons,
)

__all__ = [
    "FULL_OCCLUSIONS",
    "GAP_BINS",
    "HEADLINE",
    "LOSS_SCORES",
    "METRICS_SCHEMA",
    "SCORE_NAMES",
    "VARIANTS",
    "Bin",
    "FrameOverlap",
    "KindLoss",
    "LinkEvents",
    "LinkOutcome",
    "LinkRecorder",
    "LossSums",
    "Losses",
    "PatVariant",
    "Rate",
    "SequenceScorer",
    "SequenceSums",
    "Sightings",
    "averaged_classes",
    "break_point",
    "count_losses",
    "count_overlap",
    "decompose",
    "empty_sums",
    "flat_scores",
    "kept_by_displacement",
    "kept_by_gap",
    "kept_by_visibility",
    "kept_links",
    "pat_variant",
    "pool",
    "pool_losses",
    "recovered_by_gap",
    "recovery_counts",
    "reference_blocks",
    "right_returns",
    "undefined_reasons",
]
