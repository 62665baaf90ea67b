"""The summary of a run: one row a variant and interval, with intervals and paired differences."""

from collections.abc import Mapping, Sequence
from typing import Any

from mapt_bench.experiments.runner import CellOutcome, RunOutcome
from mapt_bench.experiments.statistics import INTERVAL_SCORES, PooledStatistic, Sample
from mapt_bench.metrics.intervals import holm

__all__ = ["summary_rows"]

_Row = dict[str, Any]
_Entry = Mapping[str, Any]


def summary_rows(outcome: RunOutcome, entries: Sequence[_Entry], pat_protocol: str) -> list[_Row]:
    """Return the rows of the summary, table by table.

    An ablation is one table with a row a variant. A sweep is one table an interval, with a row a
    variant that takes part; the cells of interval 1 stand in both sweeps. Intervals and paired
    differences to the reference row of the same table are bootstrapped over sequences; p values
    are corrected (Holm) for all comparisons of the run.

    Args:
        outcome: What was run.
        entries: The cells of the result, in the order of ``outcome.cells``.
        pat_protocol: Which PAT is the headline.
    """
    statistic = PooledStatistic(outcome.source.labels, pat_protocol=pat_protocol, seed=outcome.seed)
    samples = {
        position: statistic.samples(list(cell.sums().values()))
        for position, cell in enumerate(outcome.cells)
        if not cell.failures
    }
    rows = []
    for interval, positions in _tables(outcome):
        names = {outcome.cells[position].cell.variant.name: position for position in positions}
        reference = samples.get(names.get(outcome.plan.reference, -1))
        for position in positions:
            row = _row(outcome.cells[position], entries[position], interval)
            if position in samples:
                row |= _statistics(samples[position], reference, statistic, outcome)
            rows.append(row)
    _correct(rows)
    return rows


def _tables(outcome: RunOutcome) -> list[tuple[_Row | None, list[int]]]:
    """Return each table: its interval, and the positions of its cells."""
    if not outcome.plan.sweeps:
        return [(None, list(range(len(outcome.cells))))]
    tables: list[tuple[_Row | None, list[int]]] = []
    for sweep in outcome.plan.sweeps:
        for tau in sweep.taus:
            positions = [
                position
                for position, cell in enumerate(outcome.cells)
                if sweep.tau_of(cell.cell) == tau
            ]
            tables.append(({"kind": sweep.kind, "tau": tau}, positions))
    return tables


def _row(cell: CellOutcome, entry: _Entry, interval: _Row | None) -> _Row:
    variant = cell.cell.variant
    return {
        "variant": variant.name,
        "label": variant.label,
        "group": variant.group,
        "memory": variant.memory,
        "interval": interval,
        "cell": cell.key,
        "n_sequences": len(entry["per_sequence"]),
        **{name: entry[name] for name in ("status", "scores", "matches", "cost")},
        "intervals": {},
        "differences": None,
    }


def _statistics(
    samples: Sequence[Sample],
    reference: Sequence[Sample] | None,
    statistic: PooledStatistic,
    outcome: RunOutcome,
) -> _Row:
    intervals = statistic.intervals(samples)
    found: _Row = {"intervals": {name: each.to_dict() for name, each in intervals.items()}}
    if reference is not None and reference is not samples:
        differences = statistic.differences(samples, reference)
        found["differences"] = {
            "reference": outcome.plan.reference,
            "scores": {name: each.to_dict() for name, each in differences.items()},
        }
    return found


def _correct(rows: Sequence[_Row]) -> None:
    """Add ``p_adjusted`` to every comparison."""
    comparisons = [
        row["differences"]["scores"][name]
        for row in rows
        if row["differences"] is not None
        for name in INTERVAL_SCORES
    ]
    adjusted = holm([comparison["p_value"] for comparison in comparisons])
    for comparison, p_value in zip(comparisons, adjusted, strict=True):
        comparison["p_adjusted"] = p_value
