"""The headline scores: one flat table, and the reason for each that is undefined."""

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError, nearest
from mapt_bench.labels import LabelSpace
from mapt_bench.metrics.pat import HEADLINE, VARIANTS, PatVariant, pat_scores
from mapt_bench.metrics.ratios import mean, mean_of_all
from mapt_bench.metrics.scorer import SequenceSums
from mapt_bench.metrics.stq import stq_scores
from mapt_bench.metrics.tracking import TrackingSums, class_measures

__all__ = ["SCORE_NAMES", "flat_scores", "pat_variant", "undefined_reasons"]

SCORE_NAMES = (
    "PAT", "PQ", "TQ", "STQ", "AQ", "SQ", "PTQ", "sPTQ", "VPQ", "LSTQ", "HOTA", "DetA", "AssA",
    "IDF1", "MOTSA", "sMOTSA", "MOTSP", "IDSW", "Frag",
)  # fmt: skip
"""Names of the headline scores in the order of tables. ``SQ`` and ``AQ`` are STQ's."""


def pat_variant(name: str) -> PatVariant:
    """Return a variant of PAT by name; ``"present"`` is the headline one.

    Raises:
        ConfigError: If there is no such variant; the message suggests the nearest.
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
        sums: What :class:`mapt_bench.metrics.scorer.SequenceScorer` gives.
        labels: Label space of ``sums``.
        pat_protocol: Variant of PAT, PQ, TQ, PTQ, sPTQ and LSTQ; see :func:`pat_variant`.
        classes: Classes that PAT, PQ and LSTQ average over, in place of the variant's own; see
            :func:`mapt_bench.metrics.pat.pat_scores`.

    Returns:
        One entry for each of :data:`SCORE_NAMES`: fractions (MOTSA, sMOTSA and PTQ may be
        negative), counts for ``IDSW`` and ``Frag``, ``None`` where undefined.
    """
    pat = pat_scores(sums.pat, labels, pat_variant(pat_protocol), classes)
    window_quality = [mean(counts.quality[counts.occurs]) for counts in sums.windows]
    scores = {
        **stq_scores(sums.stq),
        **{name: pat[name] for name in ("PAT", "PQ", "TQ", "PTQ", "sPTQ", "LSTQ")},
        "VPQ": mean_of_all(window_quality),
        **_tracking_scores(sums.tracking),
    }
    return {name: scores[name] for name in SCORE_NAMES}


def _tracking_scores(tracking: TrackingSums) -> dict[str, float | None]:
    """Average the tracking measures over the thing classes with ground truth."""
    measured = [
        class_measures(sums) for sums in tracking.classes if sums.clear.tp + sums.clear.fn > 0
    ]
    names = ("HOTA", "DetA", "AssA", "IDF1", "MOTSA", "sMOTSA", "MOTSP")
    return {
        **{name: mean(np.array([measures[name] for measures in measured])) for name in names},
        "IDSW": int(sum(sums.clear.switches for sums in tracking.classes)),
        "Frag": int(sum(sums.clear.fragments for sums in tracking.classes)),
    }


def undefined_reasons(scores: dict[str, float | None]) -> dict[str, str]:
    """Say of each score that is ``None`` why it is undefined."""
    no_track = "no ground-truth track of any thing class"
    reasons = {
        "STQ": "no valid ground-truth pixel",
        "SQ": "no valid ground-truth pixel",
        "PQ": "no class is present",
        "VPQ": "every sequence is shorter than a window of 4 frames, or no class is present",
        "TQ": no_track,
        "PAT": no_track if scores["TQ"] is None else "PQ and TQ are both 0",
        "PTQ": "no class has ground truth",
        "sPTQ": "no class has ground truth",
        "LSTQ": no_track,
    }
    return {name: reasons.get(name, no_track) for name, value in scores.items() if value is None}
