"""Scores of a cell, with confidence intervals: sums are pooled, sequences are resampled."""

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from mapt_bench.experiments.engine.runner import CellOutcome, CellWork
from mapt_bench.labels import LabelSpace
from mapt_bench.metrics import SequenceSums, averaged_classes, flat_scores, pat_variant, pool
from mapt_bench.metrics.mot import class_measures
from mapt_bench.metrics.uncertainty import ComparisonFamily, Sample, ScoreStatistics

__all__ = ["INTERVAL_SCORES", "Comparisons", "averaged_class_names", "cell_scores", "class_scores"]

INTERVAL_SCORES = ("PAT", "TQ", "STQ", "AQ", "AssA")
"""Scores of a run with confidence intervals and paired differences: association changes these most.
"""

_Row = dict[str, Any]


def averaged_class_names(
    phases: Sequence[Sequence[SequenceSums]], labels: LabelSpace, pat_protocol: str
) -> list[str] | None:
    """Return the classes of the means PAT, PQ and LSTQ of a cell.

    Args:
        phases: Sums of the sequences, for each phase of the dropped frames.
        labels: Label space of the sums.
        pat_protocol: Variant of PAT.

    Returns:
        Names of the classes. ``None`` with several phases, because each phase has its own classes.
    """
    if len(phases) > 1:
        return None
    averaged = averaged_classes(pool(phases[0]).pat, pat_variant(pat_protocol))
    return [labels.by_id(labels.class_ids[row]).name for row in np.flatnonzero(averaged)]


def class_scores(
    sequences: Sequence[SequenceSums], labels: LabelSpace, pat_protocol: str
) -> dict[str, dict[str, Any]]:
    """Return the scores of each class over pooled sequences.

    Args:
        sequences: Sums of each sequence.
        labels: Label space of the sums.
        pat_protocol: Variant of PAT.

    Returns:
        ``PQ`` by class name, for the classes of the mean PQ (a class that is only predicted counts
        0). ``AssA`` by class name, for thing classes with ground truth. TQ has no classes, because
        it is a mean over all tracks.
    """
    sums, variant = pool(sequences), pat_variant(pat_protocol)
    quality = np.nan_to_num(sums.pat.segments(variant).panoptic.quality)
    averaged = averaged_classes(sums.pat, variant)
    things = zip(labels.thing_ids, sums.tracking.classes, strict=True)
    return {
        "PQ": {
            labels.by_id(class_id).name: float(quality[row])
            for row, class_id in enumerate(labels.class_ids)
            if averaged[row]
        },
        "AssA": {
            labels.by_id(class_id).name: class_measures(of_class)["AssA"]
            for class_id, of_class in things
            if of_class.clear.tp + of_class.clear.fn > 0
        },
    }


def cell_scores(
    phases: Sequence[Sequence[SequenceSums]], labels: LabelSpace, pat_protocol: str
) -> dict[str, float | None]:
    """Return the scores of a cell.

    Args:
        phases: Sums of the sequences, for each phase of the dropped frames. Without dropped
            frames, there is one phase.
        labels: Label space of the sums.
        pat_protocol: Variant of PAT.

    Returns:
        Mean over phases of the scores of the pooled sequences. A score is ``None`` if it is
        undefined in any phase, because a mean over fewer phases would cover other frames.
    """
    found = [flat_scores(pool(sums), labels, pat_protocol=pat_protocol) for sums in phases]
    return {name: _mean([scores[name] for scores in found]) for name in found[0]}


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    if len(defined) < len(values):
        return None
    return defined[0] if len(defined) == 1 else math.fsum(defined) / len(defined)


class Comparisons:
    """A family of comparisons on the same videos.

    Rows with the same work share one comparison, which counts once. A row with the same work as
    the reference has none.

    Args:
        statistics: Computes confidence intervals and differences.
        of: Name of the family in tables, for example ``"the run"``.
        sequences: Positions of the videos to use. ``None`` for all.
    """

    def __init__(
        self, statistics: ScoreStatistics, of: str, sequences: Collection[int] | None = None
    ) -> None:
        self._statistics = statistics
        self._family = ComparisonFamily(statistics, of)
        self._sequences = sequences
        self._samples: dict[CellWork, Sequence[Sample]] = {}
        self._intervals: dict[CellWork, _Row] = {}
        self._compared: dict[tuple[CellWork, CellWork], _Row] = {}

    def intervals(self, cell: CellOutcome) -> _Row:
        """Return the confidence interval of every score for JSON. Empty without sequences."""
        work = cell.work
        if work not in self._intervals:
            samples = self._sample(cell)
            found = self._statistics.intervals(samples) if samples else {}
            self._intervals[work] = {name: each.to_dict() for name, each in found.items()}
        return self._intervals[work]

    def differences(self, cell: CellOutcome, reference: CellOutcome | None) -> _Row | None:
        """Return the differences to a reference, ``None`` if there is nothing to compare.

        Returns:
            ``reference`` (name of its variant) and the fields of
            :meth:`~mapt_bench.metrics.uncertainty.ComparisonFamily.compare`. :meth:`correct`
            completes them.
        """
        if reference is None or reference.failures or cell.work == reference.work:
            return None
        samples = self._sample(cell)
        if not samples:
            return None
        pair = cell.work, reference.work
        if pair not in self._compared:
            self._compared[pair] = self._family.compare(samples, self._sample(reference))
        return {"reference": reference.cell.variant.name, **self._compared[pair]}

    def correct(self) -> None:
        """Correct the p values of all comparisons in the family."""
        self._family.correct()

    def _sample(self, cell: CellOutcome) -> Sequence[Sample]:
        work = cell.work
        if work not in self._samples:
            chosen = [
                sums
                for sequence, sums in cell.sums().items()
                if self._sequences is None or sequence in self._sequences
            ]
            self._samples[work] = self._statistics.samples(chosen)
        return self._samples[work]
