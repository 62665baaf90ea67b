"""The table of a comparison: every score of one row, or the differences of many rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from mapt_bench.reports.evaluation import score_column
from mapt_bench.reports.tables import UNDEFINED, Cell, Column, Table, format_cell
from mapt_bench.results.scores import score_kind

__all__ = ["comparison_table"]

Change = Mapping[str, Any]


def comparison_table(comparison: Mapping[str, Any]) -> Table:
    """Return differences in percentage points (counts for id switches and fragments).

    One row in common gives a line a score with both values; several give a line a row.

    Args:
        comparison: A result of schema ``mapt-bench/comparison/2``.
    """
    changes: Sequence[Change] = comparison["changes"]
    rows = dict.fromkeys(str(change["row"]) for change in changes)
    notes = ["Current minus baseline; shares in percentage points, IDSW and Frag in counts."]
    if any(change["difference"] is None for change in changes):
        notes.append(f"{UNDEFINED}: undefined on at least one side.")
    if comparison["added"]:
        notes.append(f"Only in the current result: {', '.join(comparison['added'])}.")
    if len(rows) == 1:
        return _one_row(changes, next(iter(rows)), tuple(notes))
    return _many_rows(changes, list(rows), tuple(notes))


def _one_row(changes: Sequence[Change], name: str, notes: tuple[str, ...]) -> Table:
    counted = any(change["sequences_better"] is not None for change in changes)
    columns = [Column("score")]
    columns += [Column(side, "number") for side in ("baseline", "current", "difference")]
    columns += [Column("sequences better / worse")] if counted else []
    rows = []
    for change in changes:
        kind = score_column(change["score"]).kind
        cells: list[Cell] = [str(change["score"])]
        cells += [format_cell(change[side], kind) for side in ("baseline", "current")]
        cells.append(_signed(change))
        if counted:
            better, worse = change["sequences_better"], change["sequences_worse"]
            cells.append(UNDEFINED if better is None else f"{better} / {worse}")
        rows.append(tuple(cells))
    return Table(f"Changes of {name}", tuple(columns), tuple(rows), notes)


def _many_rows(changes: Sequence[Change], names: list[str], notes: tuple[str, ...]) -> Table:
    by_place = {(change["row"], change["score"]): change for change in changes}
    scores = list(dict.fromkeys(str(change["score"]) for change in changes))
    columns = (Column("row"), *(Column(score, "number") for score in scores))
    rows = tuple(
        (
            name,
            *(
                _signed(by_place[name, score]) if (name, score) in by_place else UNDEFINED
                for score in scores
            ),
        )
        for name in names
    )
    return Table("Changes", columns, rows, notes)


def _signed(change: Change) -> str:
    """Return a difference with its sign, as people read it."""
    difference: float | None = change["difference"]
    if difference is None:
        return UNDEFINED
    if score_kind(change["score"]).unit == "percent":
        return format_cell(difference, "points")
    return f"{difference:+.4g}" if difference else "0"
