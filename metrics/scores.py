"""Scores from the sums of a sequence or a data set: headline scores and reference blocks.

:func:`flat_scores` returns the headline scores. :func:`reference_blocks` returns all numbers of
the reference implementations, in the shape of the golden cases' ``results``.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError, nearest
from mapt_bench.labels import LabelSpace
from mapt_bench.metrics.arithmetic import (
    Additive,
    Array,
    Block,
    BlockValue,
    defined,
    harmonic_mean,
    mean_of_all,
    mean_where,
)
from mapt_bench.metrics.mot import (
    TrackingSums,
    class_values,
    sequence_tracking_block,
    tracking_block,
)
from mapt_bench.metrics.pat import HEADLINE, VARIANTS, PatTerms, PatVariant, pat_block, pat_values
from mapt_bench.metrics.pq import PanopticCounts, mopt_block, panoptic_block
from mapt_bench.metrics.scorer import WINDOWS, SequenceSums, pool
from mapt_bench.metrics.stq import StqTerms, stq_block, stq_values

__all__ = [
    "CLASS_AVERAGES",
    "METRICS_SCHEMA",
    "SCORE_NAMES",
    "ScoreTerms",
    "averaged_over_more",
    "flat_scores",
    "pat_variant",
    "reference_blocks",
    "score_terms",
    "score_values",
    "undefined_reasons",
]

SCORE_NAMES = (
    "PAT", "PQ", "TQ", "STQ", "AQ", "SQ", "PTQ", "sPTQ", "VPQ", "LSTQ", "HOTA", "DetA", "AssA",
    "IDF1", "MOTSA", "sMOTSA", "MOTSP", "IDSW", "Frag",
)  # fmt: skip
"""Names of the headline scores in the order of tables. ``SQ`` and ``AQ`` are those of STQ."""

METRICS_SCHEMA = "mapt-bench/metrics/1"
"""Version of the definitions of all scores. Raise the number if a score of equal maps changes."""

CLASS_AVERAGES = ("PAT", "PQ", "LSTQ")
"""Headline scores that depend on the classes of the mean."""

_PAT_NAMES = ("PAT", "PQ", "TQ", "PTQ", "sPTQ", "LSTQ")
_MEANS = ("HOTA", "DetA", "AssA", "IDF1", "MOTSA", "sMOTSA", "MOTSP")
_COUNTS = ("IDSW", "Frag")


def pat_variant(name: str) -> PatVariant:
    """Return a variant of PAT by name. ``"present"`` is the variant of the headline scores.

    Raises:
        ConfigError: If the variant is unknown. The message suggests the nearest.
    """
    variant = VARIANTS.get(HEADLINE if name == "present" else name)
    if variant is None:
        raise ConfigError(f"unknown PAT protocol {name!r}; {nearest(name, ['present', *VARIANTS])}")
    return variant


def flat_scores(
    sums: SequenceSums,
    labels: LabelSpace,
    *,
    pat_protocol: str = "present",
    classes: NDArray[np.bool_] | None = None,
) -> dict[str, float | None]:
    """Return the headline scores of a sequence or of a pooled data set.

    Args:
        sums: Sums from :class:`mapt_bench.metrics.scorer.SequenceScorer`.
        labels: Label space of ``sums``.
        pat_protocol: Variant of PAT, PQ, TQ, PTQ, sPTQ and LSTQ; see :func:`pat_variant`.
        classes: Classes of the means PAT, PQ and LSTQ, instead of the variant's own; see
            :func:`mapt_bench.metrics.pat.pat_scores`.

    Returns:
        One entry for each of :data:`SCORE_NAMES`: fractions (MOTSA, sMOTSA and PTQ may be
        negative), counts for ``IDSW`` and ``Frag``, ``None`` where undefined.
    """
    variant = pat_variant(pat_protocol)
    values = score_values(score_terms(sums, variant), labels, variant, classes)
    return {
        name: int(value) if name in _COUNTS else defined(value) for name, value in values.items()
    }


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoreTerms(Additive):
    """Sums from which the headline scores are computed, for one variant of PAT.

    Attributes:
        stq: Terms of STQ.
        pat: Terms of PAT.
        windows: Panoptic counts of each window size of VPQ. Empty without VPQ.
        tracking: Sums of each thing class.
    """

    stq: StqTerms
    pat: PatTerms
    windows: tuple[PanopticCounts, ...]
    tracking: TrackingSums


def score_terms(
    sums: SequenceSums, variant: PatVariant, names: Collection[str] = SCORE_NAMES
) -> ScoreTerms:
    """Return the terms of the scores. Terms of sequences can be added.

    Args:
        sums: Sums of a sequence or a pooled data set.
        variant: Variant of PAT.
        names: Requested scores. Without VPQ, its windows are omitted.
    """
    return ScoreTerms(
        stq=sums.stq.terms(),
        pat=sums.pat.terms(variant),
        windows=sums.windows if "VPQ" in names else (),
        tracking=sums.tracking,
    )


def score_values(
    terms: ScoreTerms,
    labels: LabelSpace,
    variant: PatVariant,
    classes: NDArray[np.bool_] | None = None,
    names: Sequence[str] = SCORE_NAMES,
) -> dict[str, Array]:
    """Return headline scores of each selection, NaN where undefined.

    Args:
        terms: Terms of one selection of sequences, or of many with leading axes in every field.
        labels: Label space.
        variant: Variant of PAT of the terms.
        classes: Classes of the means, see :func:`flat_scores`.
        names: Requested scores. Only these are computed.

    Returns:
        One array for each requested score, with the shape of the leading axes.
    """
    scores = {
        **stq_values(terms.stq),
        **pat_values(terms.pat, labels, variant, classes, [n for n in _PAT_NAMES if n in names]),
        **_tracking_values(terms, names),
    }
    if "VPQ" in names:
        scores["VPQ"] = _vpq(terms)
    return {name: scores[name] for name in names}


def _vpq(terms: ScoreTerms) -> Array:
    """Return the mean of PQ over the window sizes. NaN without windows in the terms."""
    if not terms.windows:
        return np.full_like(terms.pat.track_quality, np.nan, dtype=np.float64)
    windows = [mean_where(counts.quality, counts.occurs) for counts in terms.windows]
    return mean_of_all(np.stack(windows, axis=-1))


def _tracking_values(terms: ScoreTerms, names: Sequence[str]) -> dict[str, Array]:
    """Average the tracking measures over the thing classes with ground truth."""
    means = [name for name in _MEANS if name in names]
    tracking = terms.tracking
    if not tracking.classes:
        shape = terms.pat.track_quality.shape  # of the selections of sequences
        undefined, none = np.full(shape, np.nan), np.zeros(shape)
        return {**dict.fromkeys(means, undefined), **dict.fromkeys(_COUNTS, none)}
    measured = [class_values(sums, means) for sums in tracking.classes]
    truth = [sums.clear.tp + sums.clear.fn > 0 for sums in tracking.classes]
    chosen = np.stack(truth, axis=-1)
    return {
        **{
            name: mean_where(np.stack([each[name] for each in measured], axis=-1), chosen)
            for name in means
        },
        "IDSW": np.asarray(sum(sums.clear.switches for sums in tracking.classes), dtype=float),
        "Frag": np.asarray(sum(sums.clear.fragments for sums in tracking.classes), dtype=float),
    }


def averaged_over_more(scores: Mapping[str, float | None], share: float) -> dict[str, float | None]:
    """Return scores whose means also include absent classes as 0.

    Args:
        scores: Headline scores of one selection of sequences.
        share: Number of classes in the present means over the new number, in (0, 1].

    Example:
        >>> averaged_over_more({"PQ": 0.5, "TQ": 0.25, "PAT": 1 / 3, "LSTQ": 0.5}, 0.25)
        {'PQ': 0.125, 'TQ': 0.25, 'PAT': 0.16666666666666666, 'LSTQ': 0.25}
    """
    found = dict(scores)
    for name, factor in (("PQ", share), ("LSTQ", math.sqrt(share))):
        value = found.get(name)
        if value is not None:
            found[name] = value * factor
    quality, tracking = found.get("PQ"), found.get("TQ")
    if found.get("PAT") is not None and quality is not None and tracking is not None:
        found["PAT"] = defined(harmonic_mean(quality, tracking))
    return found


def undefined_reasons(scores: dict[str, float | None]) -> dict[str, str]:
    """Return the reason for each undefined score."""
    no_track = "no ground-truth track of any thing class"
    reasons = {
        "STQ": "no valid ground-truth pixel",
        "SQ": "no valid ground-truth pixel",
        "PQ": "no class is present",
        "VPQ": "every sequence is shorter than the longest window, or no class is present",
        "TQ": no_track,
        "PAT": no_track if scores["TQ"] is None else "PQ and TQ are both 0",
        "PTQ": "no class has ground truth",
        "sPTQ": "no class has ground truth",
        "LSTQ": no_track,
    }
    return {name: reasons.get(name, no_track) for name, value in scores.items() if value is None}


_VARIANTS_PER_SEQUENCE = ("official", HEADLINE)


def reference_blocks(
    sequences: Mapping[str, SequenceSums], labels: LabelSpace, windows: Sequence[int] = WINDOWS
) -> Block:
    """Return every block and variant.

    Args:
        sequences: Sums by sequence name.
        labels: Label space.
        windows: Window sizes of VPQ in the sums.

    Returns:
        ``stq``, ``pq``, ``vpq``, ``panoptic_tracking``, ``tracking`` and ``mopt``, each with the
        scores of the data set and, if the references have them, of each sequence. Undefined scores
        are ``None``.
    """
    total = pool(sequences.values())
    tracking = tracking_block(total.tracking, labels)
    tracking["per_sequence"] = {
        name: sequence_tracking_block(sums.tracking, labels) for name, sums in sequences.items()
    }
    return {
        "stq": {
            "dataset": stq_block(total.stq, labels),
            "per_sequence": {
                name: stq_block(sums.stq, labels, with_length=True)
                for name, sums in sequences.items()
            },
        },
        "pq": {
            "dataset": panoptic_block(total.frames, labels),
            "per_sequence": {
                name: panoptic_block(sums.frames, labels) for name, sums in sequences.items()
            },
        },
        "vpq": {"dataset": vpq_block(total.windows, labels, windows)},
        "panoptic_tracking": _panoptic_tracking(total, sequences, labels),
        "tracking": tracking,
        "mopt": {
            "dataset": mopt_block(total.mopt, labels),
            "per_sequence": {
                name: mopt_block(sums.mopt, labels) for name, sums in sequences.items()
            },
        },
    }


def vpq_block(
    counts: Sequence[PanopticCounts], labels: LabelSpace, windows: Sequence[int] = WINDOWS
) -> Block:
    """Return the panoptic block of each window size, and the mean PQ over them."""
    blocks = [panoptic_block(of_window, labels) for of_window in counts]
    result: Block = {
        f"window_{window}": block for window, block in zip(windows, blocks, strict=True)
    }
    result["mean_over_windows"] = {
        kind: defined(mean_of_all([_quality(block[kind]) for block in blocks]))
        for kind in ("All", "Things", "Stuff")
    }
    return result


def _quality(entry: BlockValue) -> float:
    quality = entry["PQ"] if isinstance(entry, dict) else None
    return quality if isinstance(quality, float) else math.nan


def _panoptic_tracking(
    total: SequenceSums, sequences: Mapping[str, SequenceSums], labels: LabelSpace
) -> Block:
    block: Block = {}
    for name, variant in VARIANTS.items():
        entry: Block = {"dataset": pat_block(total.pat, labels, variant)}
        if name in _VARIANTS_PER_SEQUENCE:
            entry["per_sequence"] = {
                sequence: pat_block(sums.pat, labels, variant)
                for sequence, sums in sequences.items()
            }
        block[name] = entry
    return block
