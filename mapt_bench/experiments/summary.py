"""The summary of a run: one row a variant and interval, with intervals and paired differences."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mapt_bench.experiments.plan import OWN_SEGMENTS
from mapt_bench.experiments.runner import CellOutcome, RunOutcome
from mapt_bench.experiments.statistics import INTERVAL_SCORES, PooledStatistic, Sample
from mapt_bench.metrics.intervals import holm

__all__ = ["summary_rows"]

_RESAMPLES = 2000
_RESAMPLES_UNDER_STRESS = 500
"""Fewer, since a stress test has hundreds of cells."""

_Row = dict[str, Any]
_Entry = Mapping[str, Any]
_Work = tuple[str, tuple[tuple[int, int], ...]]


def summary_rows(outcome: RunOutcome, entries: Sequence[_Entry], pat_protocol: str) -> list[_Row]:
    """Return the rows of the summary, table by table.

    An ablation is one table with a row a variant for each kind of segments, and one more for
    networks that were trained without a part. A sweep is one table an interval, with a row a
    variant that takes part; the cells of interval 1 stand in both sweeps. A stress test is one
    table a stressor and level, level 0 being the videos as they are; it has no differences.
    Intervals and paired
    differences to the reference row of the same table are bootstrapped over sequences; p values
    are corrected (Holm) for all comparisons of the run. Rows that amount to the same work share
    one comparison, which is counted once; a row of the reference's own work has none.

    Args:
        outcome: What was run.
        entries: The cells of the result, in the order of ``outcome.cells``.
        pat_protocol: Which PAT is the headline.
    """
    statistics = _Statistics(
        PooledStatistic(
            outcome.source.labels,
            pat_protocol=pat_protocol,
            seed=outcome.seed,
            resamples=_RESAMPLES_UNDER_STRESS if outcome.plan.series else _RESAMPLES,
        )
    )
    rows = []
    for condition, positions in _tables(outcome):
        names = {outcome.cells[at].cell.variant.name: outcome.cells[at] for at in positions}
        reference = _reference(names, outcome.plan.reference)
        for at in positions:
            cell = outcome.cells[at]
            row = _row(cell, entries[at], condition)
            if not cell.failures:
                row["intervals"] = statistics.intervals(cell)
                scores = statistics.differences(cell, reference)
                if scores is not None:
                    name = reference.cell.variant.name if reference is not None else None
                    row["differences"] = {"reference": name, "scores": scores}
            rows.append(row)
    _correct(statistics.compared.values())
    return rows


def _reference(names: Mapping[str, CellOutcome], wanted: str | None) -> CellOutcome | None:
    """Return the row that the others of a table are compared with."""
    if wanted is not None and wanted in names:
        return names[wanted]
    trained = [cell for cell in names.values() if cell.cell.variant.group == "trained"]
    return trained[0] if trained else None


class _Statistics:
    """Statistics of cells, found once for equal work.

    Attributes:
        compared: Each comparison that was made.
    """

    def __init__(self, pooled: PooledStatistic) -> None:
        self._pooled = pooled
        self._samples: dict[_Work, Sequence[Sample]] = {}
        self._intervals: dict[_Work, _Row] = {}
        self.compared: dict[tuple[_Work, _Work], _Row] = {}

    def intervals(self, cell: CellOutcome) -> _Row:
        """Return the interval of every score, ready for JSON."""
        work = _work(cell)
        if work not in self._intervals:
            found = self._pooled.intervals(self._sample(cell))
            self._intervals[work] = {name: each.to_dict() for name, each in found.items()}
        return self._intervals[work]

    def differences(self, cell: CellOutcome, reference: CellOutcome | None) -> _Row | None:
        """Return the difference of every score, ``None`` where there is nothing to compare."""
        if reference is None or reference.failures or _work(cell) == _work(reference):
            return None
        pair = _work(cell), _work(reference)
        if pair not in self.compared:
            found = self._pooled.differences(self._sample(cell), self._sample(reference))
            self.compared[pair] = {name: each.to_dict() for name, each in found.items()}
        return self.compared[pair]

    def _sample(self, cell: CellOutcome) -> Sequence[Sample]:
        work = _work(cell)
        if work not in self._samples:
            self._samples[work] = self._pooled.samples(list(cell.sums().values()))
        return self._samples[work]


def _work(cell: CellOutcome) -> _Work:
    """Return what a cell amounts to; of one key, long intervals may leave out short sequences."""
    return cell.key, tuple(cell.units)


def _tables(outcome: RunOutcome) -> list[tuple[_Row, list[int]]]:
    """Return each table: its condition, and the positions of its cells."""
    plan = outcome.plan
    if not plan.sweeps and not plan.series:
        return _ablation_tables(outcome)
    tables: list[tuple[_Row, list[int]]] = []
    for sweep in plan.sweeps:
        for tau in sweep.taus:
            positions = [
                at for at, cell in enumerate(outcome.cells) if sweep.tau_of(cell.cell) == tau
            ]
            tables.append(({"interval": {"kind": sweep.kind, "tau": tau}}, positions))
    for series in outcome.series:
        levels = [series.level_of(cell.cell) for cell in outcome.cells]
        for stress in (None, *series.stresses):
            level = 0 if stress is None else stress.level
            stressed = {
                "stressor": series.stressor,
                "level": level,
                "value": None if stress is None else stress.value,
            }
            positions = [at for at, found in enumerate(levels) if found == level]
            tables.append(({"interval": None, "stress": stressed}, positions))
    return [table for table in tables if table[1]]


def _ablation_tables(outcome: RunOutcome) -> list[tuple[_Row, list[int]]]:
    """Return a table for each kind of segments: parts switched off, then parts left out."""
    tables: dict[tuple[bool, str], list[int]] = {}
    for at, each in enumerate(outcome.cells):
        cell = each.cell
        is_trained = cell.variant.group == "trained"
        name = outcome.source.segments_named(cell.segments).name
        is_own = is_trained and cell.variant.mapt is not None and name == cell.variant.mapt.name
        tables.setdefault((is_trained, OWN_SEGMENTS if is_own else name), []).append(at)
    return [
        ({"interval": None, "segments": name, "trained": is_trained}, positions)
        for (is_trained, name), positions in tables.items()
    ]


def _row(cell: CellOutcome, entry: _Entry, condition: _Row) -> _Row:
    variant = cell.cell.variant
    return {
        "variant": variant.name,
        "label": variant.label,
        "group": variant.group,
        "memory": variant.memory,
        **condition,
        "cell": cell.key,
        "n_sequences": len(entry["per_sequence"]),
        **{name: entry[name] for name in ("status", "scores", "matches", "links", "cost")},
        "intervals": {},
        "differences": None,
    }


def _correct(compared: Iterable[_Row]) -> None:
    """Add ``p_adjusted`` to every comparison."""
    comparisons = [scores[name] for scores in compared for name in INTERVAL_SCORES]
    adjusted = holm([comparison["p_value"] for comparison in comparisons])
    for comparison, p_value in zip(comparisons, adjusted, strict=True):
        comparison["p_adjusted"] = p_value
