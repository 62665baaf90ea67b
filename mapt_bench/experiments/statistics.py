"""Scores of a cell, and how sure they are: sequences are the units, sums are pooled."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.experiments.interval_scores import (
    INTERVAL_SCORES,
    interval_scores,
    interval_sums,
)
from mapt_bench.labels import LabelSpace
from mapt_bench.metrics import SequenceSums, flat_scores, pat_variant, pool
from mapt_bench.metrics.intervals import (
    Interval,
    PairedDifference,
    bootstrap_intervals,
    paired_differences,
)

__all__ = ["INTERVAL_SCORES", "PooledStatistic", "Sample", "cell_scores"]


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
        sums: What :data:`INTERVAL_SCORES` are computed from: ``(phases, n)``, additive.
    """

    sums: NDArray[np.float64]


class PooledStatistic:
    """Intervals of cells and differences between them, for :data:`INTERVAL_SCORES`.

    Thousands of selections of sequences are scored together: how often a selection has each
    sequence, times the sums of the sequences, are the sums of the selections.

    Args:
        labels: Label space of the sums.
        pat_protocol: Which PAT is meant.
        seed: Of the resampling.
        resamples: Bootstrap resamples.
    """

    def __init__(
        self, labels: LabelSpace, *, pat_protocol: str, seed: int, resamples: int = 2000
    ) -> None:
        self.labels = labels
        self.pat_protocol = pat_protocol
        self.variant = pat_variant(pat_protocol)
        self.seed = seed
        self.resamples = resamples

    def samples(self, sequences: Sequence[Sequence[SequenceSums]]) -> tuple[Sample, ...]:
        """Return the units of a cell; for each of its sequences the sums of each phase."""
        return tuple(
            Sample(np.stack([interval_sums(sums, self.variant) for sums in phases]))
            for phases in sequences
        )

    def intervals(self, samples: Sequence[Sample]) -> dict[str, Interval]:
        """Return the interval of every score."""
        found = bootstrap_intervals(
            samples,
            self.scores,
            of_counts=self.scores_of_counts,
            seed=self.seed,
            resamples=self.resamples,
        )
        return dict(zip(INTERVAL_SCORES, found, strict=True))

    def differences(
        self, samples: Sequence[Sample], reference: Sequence[Sample]
    ) -> dict[str, PairedDifference]:
        """Return by how much each score differs from a reference on the same sequences."""
        found = paired_differences(
            samples,
            reference,
            self.scores,
            of_counts=self.scores_of_counts,
            seed=self.seed,
            resamples=self.resamples,
        )
        return dict(zip(INTERVAL_SCORES, found, strict=True))

    def scores(self, chosen: Sequence[Sample]) -> list[float]:
        """Return the scores of a selection of sequences, NaN where undefined.

        They equal those of :func:`cell_scores`.
        """
        every = np.ones((1, len(chosen)), dtype=np.int64)
        found: list[float] = self.scores_of_counts(chosen, every)[0].tolist()
        return found

    def scores_of_counts(
        self, samples: Sequence[Sample], counts: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the scores of many selections.

        Args:
            samples: The sequences.
            counts: ``(selections, sequences)``: how often a selection has each sequence.

        Returns:
            ``(selections, scores)``, NaN where undefined.
        """
        phases = np.stack([sample.sums for sample in samples], axis=1)
        found = [interval_scores(counts @ sums, self.labels, self.variant) for sums in phases]
        mean: NDArray[np.float64] = np.mean(found, axis=0)
        return mean
