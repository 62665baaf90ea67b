"""Tables of differences: between rows of a run, between predictions, and between two results."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from mapt_bench.errors import counted
from mapt_bench.reports.group_tables import SPLITS, VIDEOS, of_group, splits
from mapt_bench.reports.score_tables import (
    interval_cell,
    interval_column,
    interval_notes,
    score_column,
)
from mapt_bench.reports.tables import UNDEFINED, Cell, Column, Table, format_cell
from mapt_bench.results.result_views import HEADLINE, ROUNDING, row_interval, row_name, score_kind

__all__ = [
    "ALONE",
    "CORRECTED",
    "comparison_table",
    "differences_table",
    "differences_tables",
    "is_changed",
    "memory_table",
    "paired_tables",
]

_SHOWN = ("PAT", "TQ", "AssA", "STQ")

ALONE, CORRECTED = "p alone", "p (Holm)"
"""Headings of p values: of one comparison by itself, and corrected for all comparisons."""

_ALONE_PRIORITY = -1

Run = Mapping[str, Any]
Row = Mapping[str, Any]


def differences_tables(run: Run) -> list[Table]:
    """Return the differences over all videos and, for an ablation, over each split.

    There is no table if no difference has a confidence interval.
    """
    tables = [differences_table(run)] if _compared(run) else []
    if any(row_interval(row) for row in run["summary"]):
        return tables  # results.json has those of the splits of a sweep
    for split in splits(run):
        of_split = of_group(run, split)
        if _compared(of_split):
            table = differences_table(of_split)
            title = f"{table.title}, {split.heading}"
            tables.append(replace(table, title=title, keys=((VIDEOS, split.label),)))
    return tables


def differences_table(run: Run) -> Table:
    """Return the paired differences to the run's reference row, with intervals and p values.

    Each difference is over the same sequences and classes, at the same temporal interval. A
    footnote names scores that are averaged over other classes. p is from the sign-flip permutation
    test: for each comparison by itself, and corrected by Holm for all comparisons of a score in
    the run, or in the group of videos.
    """
    compared = _compared(run)
    against = {str(row["differences"]["reference"]): None for row in compared}
    title = f"Differences to {', '.join(against)}"
    keys = ((VIDEOS, "all"),)
    return replace(_table_of(compared, "differences", title), name="differences", keys=keys)


def memory_table(run: Run) -> Table | None:
    """Return what memory changes: each row with memory minus the same row without.

    ``None`` if no such difference has a confidence interval.
    """
    compared = _compared(run, "memory_effect")
    if not compared:
        return None
    title = "With memory minus without memory"
    return replace(_table_of(compared, "memory_effect", title), name="memory")


def _table_of(compared: Sequence[Row], field: str, title: str) -> Table:
    """Return the table of the paired differences in a field of summary rows."""
    shown = [name for name in _SHOWN if any(name in row[field]["scores"] for row in compared)]
    columns = [Column("variant")]
    for name in shown:
        columns += [Column(name, "points"), interval_column(name)]
        columns.append(Column(f"{name} {ALONE}", "number", priority=_ALONE_PRIORITY))
        columns.append(Column(f"{name} {CORRECTED}", "number"))
    cells = []
    for row in compared:
        interval = row_interval(row)
        label = row_name(row) + (f", {interval[0]} {interval[1]}" if interval else "")
        line: list[Cell] = [label]
        for name in shown:
            found = row[field]["scores"].get(name) or {}
            line.append(found.get("difference"))
            line.append(interval_cell({"intervals": {name: found.get("interval")}}, name))
            line += [found.get("p_value"), found.get("p_adjusted")]
        cells.append(tuple(line))
    return Table(title, tuple(columns), tuple(cells), tuple(_notes(compared, field)))


_MINUS = {"differences": "Row minus reference", "memory_effect": "With memory minus without"}


def _notes(compared: Sequence[Row], field: str) -> list[str]:
    """Return the footnotes of paired differences."""
    found = [row[field] for row in compared]
    notes = [
        f"{_MINUS[field]}, in percentage points on the same sequences. {ALONE}: sign flips, for "
        f"one comparison by itself. {CORRECTED}: corrected{family}."
        for family in dict.fromkeys(map(_family, found))
    ]
    counts = {
        int(entry["n"])
        for each in found
        for entry in each["scores"].values()
        if entry.get("p_method") == "exact"
    }
    notes += [
        f"With {counted(n, 'sequence')} no {ALONE} is below {2 / 2**n:.2g}." for n in sorted(counts)
    ]
    named = ((row_name(row), row[field].get("note")) for row in compared)
    return notes + [f"{name}: {note}." for name, note in named if note]


def _family(differences: Mapping[str, Any]) -> str:
    """Return the comparisons that p is corrected for, if known."""
    family = differences.get("family")
    if not family:
        return ""
    factor, _, value = str(family["of"]).partition(" ")
    of = f"the {SPLITS.get(value, value)} split" if factor == "half" else family["of"]
    counted_with = "each score of " if family.get("per_score") else ""
    return f" for the {counted(family['comparisons'], 'comparison')} of {counted_with}{of}"


def _compared(run: Run, field: str = "differences") -> list[Row]:
    """Return the rows with at least one paired difference that has an interval."""
    return [
        row
        for row in run["summary"]
        if any(
            (entry.get("interval") or {}).get("low") is not None
            for entry in (row.get(field) or {}).get("scores", {}).values()
        )
    ]


def paired_tables(evaluations: Sequence[Row]) -> list[Table]:
    """Return the differences in points and in counts, one row per prediction and score.

    Each row has the score of the prediction, that of the reference, their difference over the
    classes of both, its confidence interval and p values. A footnote names differences that are
    not the difference of the two scores in the row.

    Args:
        evaluations: Entries of ``mapt-bench/evaluations/2``. Those without ``differences`` are
            ignored.
    """
    scores = {str(entry["name"]): entry["scores"] for entry in evaluations}
    compared = [entry for entry in evaluations if entry.get("differences")]
    found = [_paired_table(compared, scores, "percent"), _paired_table(compared, scores, "count")]
    return [table for table in found if table.rows]


def _paired_table(
    compared: Sequence[Row], scores: Mapping[str, Row], unit: Literal["percent", "count"]
) -> Table:
    rows: list[tuple[Cell, ...]] = []
    notes: dict[str, None] = {}
    intervals: list[Row] = []
    for entry in compared:
        block = entry["differences"]
        shown = [name for name in HEADLINE if name in block["scores"]]
        for score in (name for name in shown if score_kind(name).unit == unit):
            found = block["scores"][score]
            interval = found["interval"]
            span = (interval["low"], interval["high"]) if "low" in interval else None
            own = entry["scores"].get(score), scores.get(block["reference"], {}).get(score)
            p_values = (found["p_value"], found["p_adjusted"])
            rows.append((entry["name"], score, *own, found["difference"], span, *p_values))
            intervals.append({"intervals": {score: interval}})
            notes[f"{ALONE}: sign-flip permutation of sequences, {found['p_method']}."] = None
        if block["note"] is not None and unit == "percent":
            notes[f"{entry['name']}: {block['note']}."] = None
        family = block["family"]
        together = " of each score" if family.get("per_score") else ", of differences and of counts"
        comparisons = counted(family["comparisons"], "comparison")
        notes[f"{CORRECTED}: corrected for {comparisons}{together}."] = None
    reference = str(compared[0]["differences"]["reference"]) if compared else ""
    words = {"percent": "points", "count": "counts"}
    columns = (
        Column("prediction"),
        Column("score"),
        Column("own", unit),
        Column("reference", unit),
        Column("difference", "points" if unit == "percent" else "count"),
        Column("interval", "range" if unit == "percent" else "count range"),
        Column(ALONE, "number"),
        Column(CORRECTED, "number"),
    )
    return Table(
        f"Difference to {reference} in {words[unit]}",
        columns,
        tuple(rows),
        (*interval_notes(intervals), *notes),
        name="differences" if unit == "percent" else "differences_of_counts",
    )


Change = Mapping[str, Any]


def comparison_table(comparison: Mapping[str, Any]) -> Table:
    """Return differences in percentage points, in counts for identity switches and fragments.

    With one common row, the table has one line per score with both values. With several rows, it
    has one line per row with a changed score, and one column per changed score. A change of a time
    alone is no change.

    Args:
        comparison: A result of schema ``mapt-bench/comparison/3``.
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
    has_counts = any(change["sequences_better"] is not None for change in changes)
    columns = [Column("score")]
    columns += [Column(side, "number") for side in ("baseline", "current", "difference")]
    columns += [Column("sequences better / worse")] if has_counts else []
    rows = []
    for change in changes:
        kind = score_column(change["score"]).kind
        cells: list[Cell] = [str(change["score"])]
        cells += [format_cell(change[side], kind) for side in ("baseline", "current")]
        cells.append(_signed(change))
        if has_counts:
            better, worse = change["sequences_better"], change["sequences_worse"]
            cells.append(UNDEFINED if better is None else f"{better} / {worse}")
        rows.append(tuple(cells))
    return Table(f"Changes of {name}", tuple(columns), tuple(rows), notes)


def _many_rows(changes: Sequence[Change], names: list[str], notes: tuple[str, ...]) -> Table:
    by_place = {(change["row"], change["score"]): change for change in changes}
    changed = {str(change["row"]) for change in changes if is_changed(change)}
    shown = [name for name in names if name in changed]
    omitted = len(names) - len(shown)
    if omitted:
        notes = (*notes, f"Omitted: {counted(omitted, 'row')} without a changed score.")
    moved = {str(change["score"]) for change in changes if is_changed(change)}
    scores = [
        name for name in dict.fromkeys(str(each["score"]) for each in changes) if name in moved
    ]
    columns = (Column("row"), *(Column(score, "number") for score in scores))
    rows = tuple(
        (
            name,
            *(
                _signed(by_place[name, score]) if (name, score) in by_place else UNDEFINED
                for score in scores
            ),
        )
        for name in shown
    )
    return Table("Changes", columns, rows, notes)


def is_changed(change: Change) -> bool:
    """Return whether a score changed or is undefined on one side. Times always change."""
    if score_kind(change["score"]).is_measured:
        return False
    if change["difference"] is None:
        return (change["baseline"] is None) != (change["current"] is None)
    return bool(abs(change["difference"]) > ROUNDING)


def _signed(change: Change) -> str:
    """Return a difference as text with its sign."""
    difference: float | None = change["difference"]
    if difference is None:
        return UNDEFINED
    if score_kind(change["score"]).unit == "percent":
        return format_cell(difference, "points")
    return f"{difference:+.4g}" if abs(difference) > ROUNDING else "0"
