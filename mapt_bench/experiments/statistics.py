"""Scores of a cell, and how sure they are: sequences are the units, sums are pooled."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import LabelSpace
from mapt_bench.metrics import SequenceSums, empty_sums, flat_scores, pat_variant, pool
from mapt_bench.metrics.intervals import (
    Interval,
    PairedDifference,
    bootstrap_intervals,
    paired_differences,
)
from mapt_bench.metrics.pat import pat_scores
from mapt_bench.metrics.stq import stq_scores

__all__ = ["INTERVAL_SCORES", "PooledStatistic", "Sample", "cell_scores"]

INTERVAL_SCORES = ("PAT", "TQ", "STQ", "AQ")
"""Scores that get intervals and paired differences: those that linking changes most."""


def cell_scores(
    phases: Sequence[Sequence[SequenceSums]], labels: LabelSpace, pat_protocol: str
) -> dict[str, float | None]:
    """Return the scores of a cell.

    Args:
        phases: For each phase of the dropped frames the sums of its sequences. Without dropped
            frames there is one phase.
        labels: Label space of the sums.
        pat_protocol: Which PAT is meant.

    Returns:
        The mean over phases of the scores of the pooled sequences; ``None`` where a score is
        undefined in any phase, because a mean over fewer phases would be of other frames.
    """
    found = [flat_scores(pool(sums), labels, pat_protocol=pat_protocol) for sums in phases]
    return {name: _mean([scores[name] for scores in found]) for name in found[0]}


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    if len(defined) < len(values):
        return None
    return defined[0] if len(defined) == 1 else math.fsum(defined) / len(defined)


@dataclass(frozen=True, eq=False, slots=True)
class Sample:
    """One sequence of a cell, the unit of resampling.

    Attributes:
        number: Different for every sample of a :class:`PooledStatistic`.
        pat: Vector of the sums behind PAT and TQ, one row a phase.
        stq: Vector of the sums behind STQ and AQ, one row a phase.
    """

    number: int
    pat: NDArray[np.float64]
    stq: NDArray[np.float64]


class PooledStatistic:
    """Intervals of cells and differences between them, for :data:`INTERVAL_SCORES`.

    A bootstrap of few sequences draws the same selections again and again, and every comparison
    with a reference row draws those of the reference, so scores of selections are remembered.

    Args:
        labels: Label space of the sums.
        pat_protocol: Which PAT is meant.
        seed: Of the resampling.
        resamples: Bootstrap resamples, and permutations where not all are tried.
    """

    def __init__(
        self, labels: LabelSpace, *, pat_protocol: str, seed: int, resamples: int = 2000
    ) -> None:
        self.labels = labels
        self.variant = pat_variant(pat_protocol)
        self.seed = seed
        self.resamples = resamples
        self._shape = empty_sums(labels)
        self._scores: dict[tuple[int, ...], list[float]] = {}
        self._numbered = 0

    def samples(self, sequences: Sequence[Sequence[SequenceSums]]) -> tuple[Sample, ...]:
        """Return the units of a cell; for each of its sequences the sums of each phase."""
        first = self._numbered
        self._numbered += len(sequences)
        return tuple(
            Sample(
                first + place,
                np.stack([sums.pat.to_vector() for sums in phases]),
                np.stack([sums.stq.to_vector() for sums in phases]),
            )
            for place, phases in enumerate(sequences)
        )

    def intervals(self, samples: Sequence[Sample]) -> dict[str, Interval]:
        """Return the interval of every score."""
        found = bootstrap_intervals(samples, self.scores, seed=self.seed, resamples=self.resamples)
        return dict(zip(INTERVAL_SCORES, found, strict=True))

    def differences(
        self, samples: Sequence[Sample], reference: Sequence[Sample]
    ) -> dict[str, PairedDifference]:
        """Return by how much each score differs from a reference on the same sequences."""
        found = paired_differences(
            samples, reference, self.scores, seed=self.seed, resamples=self.resamples
        )
        return dict(zip(INTERVAL_SCORES, found, strict=True))

    def scores(self, chosen: Sequence[Sample]) -> list[float]:
        """Return the scores of a selection of sequences, NaN where undefined.

        They equal those of :func:`cell_scores`.
        """
        selection = tuple(sorted(sample.number for sample in chosen))
        if selection not in self._scores:
            pat = np.sum([sample.pat for sample in chosen], axis=0)
            stq = np.sum([sample.stq for sample in chosen], axis=0)
            phases = [self._of_phase(*vectors) for vectors in zip(pat, stq, strict=True)]
            self._scores[selection] = [
                math.fsum(values) / len(values) for values in zip(*phases, strict=True)
            ]
        return self._scores[selection]

    def _of_phase(self, pat: NDArray[np.float64], stq: NDArray[np.float64]) -> list[float]:
        scores = {
            **pat_scores(self._shape.pat.from_vector(pat), self.labels, self.variant),
            **stq_scores(self._shape.stq.from_vector(stq)),
        }
        values = (scores[name] for name in INTERVAL_SCORES)
        return [math.nan if value is None else value for value in values]
