"""Tables of paired differences between the rows of a run."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mapt_bench.errors import counted
from mapt_bench.reports.evaluation import interval_cell, interval_column
from mapt_bench.reports.groups import halves, of_group
from mapt_bench.reports.rows import row_interval, row_name
from mapt_bench.reports.tables import Cell, Column, Table

__all__ = ["differences_table", "differences_tables"]

_SHOWN = ("PAT", "TQ", "AssA", "STQ")

Run = Mapping[str, Any]
Row = Mapping[str, Any]


def differences_tables(run: Run) -> list[Table]:
    """Return the differences over all videos and, of an ablation, over each half by itself.

    Where no difference has an interval there is no table.
    """
    tables = [differences_table(run)] if _compared(run) else []
    if any(row_interval(row) for row in run["summary"]):
        return tables  # those of the halves of a sweep stand in results.json
    for half in halves(run):
        of_half = of_group(run, half)
        if _compared(of_half):
            table = differences_table(of_half)
            tables.append(replace(table, title=f"{table.title}, {half.heading}"))
    return tables


def differences_table(run: Run) -> Table:
    """Return the paired differences to the run's reference row, with intervals and p values.

    Every difference is taken over the same sequences, within one temporal interval; p is that of
    the sign-flip permutation test, corrected by Holm for all comparisons of the run, or of the
    group of videos.
    """
    compared = _compared(run)
    shown = [
        name for name in _SHOWN if any(name in row["differences"]["scores"] for row in compared)
    ]
    columns = [Column("variant")]
    for name in shown:
        columns += [Column(name, "points"), interval_column(name)]
        columns.append(Column(f"{name} p", "number"))
    cells = []
    for row in compared:
        interval = row_interval(row)
        label = row_name(row) + (f", {interval[0]} {interval[1]}" if interval else "")
        line: list[Cell] = [label]
        for name in shown:
            found = row["differences"]["scores"].get(name) or {}
            line.append(found.get("difference"))
            line.append(interval_cell({"intervals": {name: found.get("interval")}}, name))
            line.append(found.get("p_adjusted", found.get("p_value")))
        cells.append(tuple(line))
    against = {str(row["differences"]["reference"]): None for row in compared}
    families = {_family(row["differences"]): None for row in compared}
    notes = [
        f"Percentage points on the same sequences; p: sign flips, corrected by Holm{family}."
        for family in families
    ]
    counts = {
        int(entry["n"])
        for row in compared
        for entry in row["differences"]["scores"].values()
        if entry.get("p_method") == "exact"
    }
    notes += [
        f"With {counted(n, 'sequence')} no p is below {2 / 2**n:.2g} even before the correction."
        for n in sorted(counts)
    ]
    return Table(f"Differences to {', '.join(against)}", tuple(columns), tuple(cells), tuple(notes))


def _family(differences: Mapping[str, Any]) -> str:
    """Return which comparisons p is corrected for, where these are not those of the run."""
    family = differences.get("family")
    return f" for the {family['comparisons']} comparisons of {family['of']}" if family else ""


def _compared(run: Run) -> list[Row]:
    """Return the rows with at least one paired difference that has an interval."""
    return [
        row
        for row in run["summary"]
        if any(
            (entry.get("interval") or {}).get("low") is not None
            for entry in (row.get("differences") or {}).get("scores", {}).values()
        )
    ]
