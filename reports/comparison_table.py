"""The table of a comparison: every score of one row, or the differences of many rows."""

from mapt_bench.reports.comparison import Change, Comparison
from mapt_bench.reports.evaluation import score_column
from mapt_bench.reports.scores import score_kind
from mapt_bench.reports.tables import UNDEFINED, Cell, Column, Table, format_cell

__all__ = ["comparison_table"]


def comparison_table(comparison: Comparison) -> Table:
    """Return differences in percentage points (counts for id switches and fragments).

    One row in common gives a line a score with both values; several give a line a row.
    """
    rows = dict.fromkeys(change.row for change in comparison.changes)
    notes = ["Current minus baseline; shares in percentage points, IDSW and Frag in counts."]
    if any(change.difference is None for change in comparison.changes):
        notes.append(f"{UNDEFINED}: undefined on at least one side.")
    if comparison.added:
        notes.append(f"Only in the current result: {', '.join(comparison.added)}.")
    if len(rows) == 1:
        return _one_row(comparison, next(iter(rows)), tuple(notes))
    return _many_rows(comparison, list(rows), tuple(notes))


def _one_row(comparison: Comparison, name: str, notes: tuple[str, ...]) -> Table:
    counted = any(change.better is not None for change in comparison.changes)
    columns = [Column("score")]
    columns += [Column(side, "number") for side in ("baseline", "current", "difference")]
    columns += [Column("sequences better / worse")] if counted else []
    rows = []
    for change in comparison.changes:
        kind = score_column(change.score).kind
        cells: list[Cell] = [change.score]
        cells += [format_cell(change.baseline, kind), format_cell(change.current, kind)]
        cells.append(_signed(change))
        if counted:
            has_count = change.better is not None
            cells.append(f"{change.better} / {change.worse}" if has_count else UNDEFINED)
        rows.append(tuple(cells))
    return Table(f"Changes of {name}", tuple(columns), tuple(rows), notes)


def _many_rows(comparison: Comparison, names: list[str], notes: tuple[str, ...]) -> Table:
    by_place = {(change.row, change.score): change for change in comparison.changes}
    scores = list(dict.fromkeys(change.score for change in comparison.changes))
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
    difference = change.difference
    if difference is None:
        return UNDEFINED
    if score_kind(change.score).unit == "percent":
        return format_cell(difference, "points")
    return f"{difference:+.4g}" if difference else "0"
