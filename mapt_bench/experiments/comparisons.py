"""Intervals of cells and differences to their references, found once for equal work."""

from collections.abc import Collection, Sequence
from typing import Any

from mapt_bench.experiments.runner import CellOutcome
from mapt_bench.experiments.statistics import INTERVAL_SCORES, PooledStatistic, Sample
from mapt_bench.metrics.intervals import holm

__all__ = ["Comparisons"]

_Row = dict[str, Any]
_Work = tuple[str, tuple[tuple[int, int], ...]]


class Comparisons:
    """A family of comparisons on the same videos.

    Rows that amount to the same work share one comparison, which is counted once; a row of the
    reference's own work has none.

    Args:
        pooled: The statistic.
        sequences: Positions of the videos that count; ``None`` for all.
    """

    def __init__(self, pooled: PooledStatistic, sequences: Collection[int] | None = None) -> None:
        self._pooled = pooled
        self._sequences = sequences
        self._samples: dict[_Work, Sequence[Sample]] = {}
        self._intervals: dict[_Work, _Row] = {}
        self._compared: dict[tuple[_Work, _Work], _Row] = {}

    def intervals(self, cell: CellOutcome) -> _Row:
        """Return the interval of every score, ready for JSON; nothing without sequences."""
        work = _work(cell)
        if work not in self._intervals:
            samples = self._sample(cell)
            found = self._pooled.intervals(samples) if samples else {}
            self._intervals[work] = {name: each.to_dict() for name, each in found.items()}
        return self._intervals[work]

    def differences(self, cell: CellOutcome, reference: CellOutcome | None) -> _Row | None:
        """Return the differences to a reference, ``None`` where there is nothing to compare.

        Returns:
            ``reference`` (name of its variant) and ``scores``: for each score ``difference``,
            ``interval``, ``p_value``, ``p_method`` and ``n``, to which :meth:`correct` adds.
        """
        if reference is None or reference.failures or _work(cell) == _work(reference):
            return None
        if not self._sample(cell):
            return None
        pair = _work(cell), _work(reference)
        if pair not in self._compared:
            found = self._pooled.differences(self._sample(cell), self._sample(reference))
            self._compared[pair] = {name: each.to_dict() for name, each in found.items()}
        return {"reference": reference.cell.variant.name, "scores": self._compared[pair]}

    @property
    def count(self) -> int:
        """How many comparisons were made, each score counted."""
        return len(INTERVAL_SCORES) * len(self._compared)

    def correct(self) -> None:
        """Add ``p_adjusted`` (Holm) to every comparison that was made, corrected for all."""
        comparisons = [
            scores[name] for scores in self._compared.values() for name in INTERVAL_SCORES
        ]
        adjusted = holm([comparison["p_value"] for comparison in comparisons])
        for comparison, p_value in zip(comparisons, adjusted, strict=True):
            comparison["p_adjusted"] = p_value

    def _sample(self, cell: CellOutcome) -> Sequence[Sample]:
        work = _work(cell)
        if work not in self._samples:
            chosen = [
                sums
                for sequence, sums in cell.sums().items()
                if self._sequences is None or sequence in self._sequences
            ]
            self._samples[work] = self._pooled.samples(chosen)
        return self._samples[work]


def _work(cell: CellOutcome) -> _Work:
    """Return what a cell amounts to; of one key, long intervals may leave out short sequences."""
    return cell.key, tuple(cell.units)
