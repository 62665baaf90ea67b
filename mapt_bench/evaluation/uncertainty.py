"""Intervals and paired differences of the headline scores, from the sums of sequences."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import LabelSpace
from mapt_bench.metrics import SCORE_NAMES, empty_sums, flat_scores
from mapt_bench.metrics.intervals import bootstrap_intervals, holm, paired_differences

__all__ = ["ScoredSequence", "paired_with_first", "pooled_scores", "score_intervals"]

Vector = NDArray[np.float64]


class ScoredSequence(NamedTuple):
    """The unit of resampling.

    Attributes:
        sums: ``SequenceSums.to_vector()`` of one sequence.
        classes: ``(classes,)`` which classes a selection with this sequence averages over; the
            same for every prediction compared.
    """

    sums: Vector
    classes: NDArray[np.bool_]


def pooled_scores(
    labels: LabelSpace, pat_protocol: str
) -> Callable[[Sequence[ScoredSequence]], Vector]:
    """Return the statistic that resampling needs.

    Returns:
        A function that pools sequences and gives the headline scores in the order of
        ``SCORE_NAMES``, NaN where undefined.
    """
    shape = empty_sums(labels)

    def statistic(sequences: Sequence[ScoredSequence]) -> Vector:
        pooled = shape.from_vector(np.sum([one.sums for one in sequences], axis=0))
        classes = np.logical_or.reduce([one.classes for one in sequences])
        scores = flat_scores(pooled, labels, pat_protocol=pat_protocol, classes=classes)
        return np.array([_number(scores[name]) for name in SCORE_NAMES])

    return statistic


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def score_intervals(
    sequences: Sequence[ScoredSequence], labels: LabelSpace, pat_protocol: str, seed: int = 0
) -> dict[str, dict[str, float | int | str]]:
    """Return an interval, or the reason why there is none, for each headline score.

    Args:
        sequences: The units.
        labels: Label space.
        pat_protocol: Variant of PAT.
        seed: Of the resampling.
    """
    found = bootstrap_intervals(sequences, pooled_scores(labels, pat_protocol), seed=seed)
    return {name: one.to_dict() for name, one in zip(SCORE_NAMES, found, strict=True)}


def paired_with_first(
    names: Sequence[str],
    predictions: Sequence[Sequence[ScoredSequence]],
    labels: LabelSpace,
    pat_protocol: str,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Compare every prediction with the first, on the same sequences.

    Args:
        names: Of the predictions.
        predictions: The units of each, the same sequences in the same order.
        labels: Label space.
        pat_protocol: Variant of PAT.
        seed: Of resampling and permutations.

    Returns:
        For each prediction but the first its ``name``, ``reference``, and by score the difference
        (itself minus the first), its interval, ``p_value`` and ``p_value_holm``, corrected for
        all comparisons: every score of every prediction.
    """
    statistic = pooled_scores(labels, pat_protocol)
    comparisons = [
        paired_differences(other, predictions[0], statistic, seed=seed) for other in predictions[1:]
    ]
    corrected = iter(holm([one.p_value for differences in comparisons for one in differences]))
    return [
        {
            "name": name,
            "reference": names[0],
            "scores": {
                score: {**difference.to_dict(), "p_value_holm": next(corrected)}
                for score, difference in zip(SCORE_NAMES, differences, strict=True)
            },
        }
        for name, differences in zip(names[1:], comparisons, strict=True)
    ]
