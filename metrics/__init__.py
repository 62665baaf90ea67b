"""Scores of panoptic tracking, all from one overlap table a frame.

Feed :class:`SequenceScorer` the frames of a sequence, :func:`pool` the sums of several sequences,
and read them with :func:`flat_scores` or :func:`reference_blocks`.
"""

from mapt_bench.metrics.link_events import LinkEvents, LinkOutcome, LinkRecorder, Sightings
from mapt_bench.metrics.overlap import FrameOverlap, count_overlap
from mapt_bench.metrics.pat import HEADLINE, VARIANTS, PatVariant, averaged_classes
from mapt_bench.metrics.scorer import SequenceScorer, SequenceSums, empty_sums, pool
from mapt_bench.metrics.scores import (
    SCORE_NAMES,
    flat_scores,
    pat_variant,
    reference_blocks,
    undefined_reasons,
)

__all__ = [
    "HEADLINE",
    "SCORE_NAMES",
    "VARIANTS",
    "FrameOverlap",
    "LinkEvents",
    "LinkOutcome",
    "LinkRecorder",
    "PatVariant",
    "SequenceScorer",
    "SequenceSums",
    "Sightings",
    "averaged_classes",
    "count_overlap",
    "empty_sums",
    "flat_scores",
    "pat_variant",
    "pool",
    "reference_blocks",
    "undefined_reasons",
]
