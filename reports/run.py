"""Tables of a run of experiments (``mapt-bench/run/1``): summary, skipped trackers, claims."""

from collections.abc import Mapping, Sequence
from typing import Any

from mapt_bench.reports.evaluation import interval_cell, interval_notes, score_column
from mapt_bench.reports.tables import UNDEFINED, Cell, Column, Table

__all__ = [
    "CLAIMED",
    "claims_table",
    "is_reference",
    "row_interval",
    "row_label",
    "row_score",
    "run_tables",
    "skipped_table",
    "summary_table",
    "sweep_table",
]

CLAIMED = "claimed (paper, KITTI-STEP val)"
"""Heading of numbers that nobody here has measured."""

_SHOWN = ("PAT", "PQ", "TQ", "STQ", "AQ", "SQ", "PTQ", "HOTA", "IDF1", "IDSW", "Frag")

Run = Mapping[str, Any]
Row = Mapping[str, Any]


def run_tables(run: Run) -> list[Table]:
    """Return the summary and, where there is anything to tell, sweeps, skipped trackers, claims."""
    tables = [summary_table(run)]
    if any(row_interval(row) for row in run["summary"]):
        tables += [sweep_table(run, "PAT"), sweep_table(run, "STQ")]
    if run.get("skipped"):
        tables.append(skipped_table(run))
    if run.get("claims"):
        tables.append(claims_table(run))
    return tables


def is_reference(row: Row) -> bool:
    """Return whether a summary row is there for orientation only and competes for nothing.

    True for rows of the group ``"reference"`` and for the oracle, which knows the ground truth.
    """
    return row.get("group") == "reference" or str(row["variant"]).startswith("oracle")


def row_interval(row: Row) -> tuple[str, int] | None:
    """Return kind (``"drop"`` or ``"pair"``) and tau of a summary row, ``None`` outside sweeps."""
    interval = row.get("interval")
    if not interval or interval.get("tau") is None:
        return None
    return str(interval.get("kind", "")), int(interval["tau"])


def row_label(row: Row) -> str:
    """Return how people call a summary row: its label or, without one, the variant's name."""
    return str(row.get("label") or row["variant"])


def summary_table(run: Run) -> Table:
    """Return one row a variant (and temporal interval), best values marked.

    Rows of reference (see :func:`is_reference`) do not compete. In a sweep only the
    numbers of one tau may be compared with each other, so no best values are marked in it.
    """
    rows: Sequence[Row] = run["summary"]
    sweeps = any(row_interval(row) for row in rows)
    with_interval = any(interval_cell(row, "PAT") for row in rows)
    shown = [name for name in _SHOWN if any(row_score(row, name) is not None for row in rows)]
    columns = [Column("variant")]
    columns += [Column("interval"), Column("tau", "integer")] if sweeps else []
    for name in shown:
        column = score_column(name)
        columns.append(Column(name, column.kind, None if sweeps else column.higher_is_better))
        columns += [Column("PAT interval", "range")] if name == "PAT" and with_interval else []
    timed = any(_seconds(row) is not None for row in rows)
    columns += [Column("s/frame", "number")] if timed else []
    cells = []
    for row in rows:
        line: list[Cell] = [row_label(row)]
        line += (row_interval(row) or ("", None)) if sweeps else ()
        for name in shown:
            line.append(row_score(row, name))
            line += [interval_cell(row, "PAT")] if name == "PAT" and with_interval else []
        line += [_seconds(row)] if timed else []
        cells.append(tuple(line))
    references = frozenset(index for index, row in enumerate(rows) if is_reference(row))
    notes = _summary_notes(rows, sweeps=sweeps, references=references)
    return Table(_title(run), tuple(columns), tuple(cells), tuple(notes), references)


def sweep_table(run: Run, score: str) -> Table:
    """Return one row a variant and one column a temporal interval, all of one score.

    A column's numbers come from one and the same test, so its best value is marked.
    """
    rows: Sequence[Row] = run["summary"]
    intervals = sorted({found for row in rows if (found := row_interval(row))})
    variants: dict[str, dict[tuple[str, int], Cell]] = {}
    references = set()
    for row in rows:
        if found := row_interval(row):
            variants.setdefault(row_label(row), {})[found] = row_score(row, score)
            references |= {row_label(row)} if is_reference(row) else set()
    shown = score_column(score)
    columns = [Column("variant")]
    columns += [
        Column(f"{kind} {tau}".strip(), shown.kind, shown.higher_is_better)
        for kind, tau in intervals
    ]
    cells = [
        (label, *(found.get(interval) for interval in intervals))
        for label, found in variants.items()
    ]
    return Table(
        f"{score} over the temporal interval",
        tuple(columns),
        tuple(cells),
        references=frozenset(i for i, label in enumerate(variants) if label in references),
    )


def skipped_table(run: Run) -> Table:
    """Return the trackers that could not run, each with its reason."""
    rows = tuple((str(s.get("tracker", "")), str(s.get("reason", ""))) for s in run["skipped"])
    return Table("Not run", (Column("tracker"), Column("reason")), rows)


def claims_table(run: Run) -> Table:
    """Return what the paper claims beside what this run measured: fractions, shown in percent."""
    columns = (
        Column("claim"),
        Column(CLAIMED, "percent"),
        Column("measured", "percent"),
        Column("difference", "points"),
        Column("note"),
    )
    rows = tuple(
        (
            str(claim["name"]),
            *(claim.get(key) for key in ("claimed", "measured", "difference")),
            str(claim.get("note") or ""),
        )
        for claim in run["claims"]
    )
    notes = ("Claimed numbers are the paper's; none of them was measured here.",)
    return Table("Claims of the paper", columns, rows, notes)


def row_score(row: Row, name: str) -> float | None:
    """Return a score of a summary row; switches and fragments also stand beside the scores."""
    value: float | None = (row.get("scores") or {}).get(name)
    if value is None:
        value = row.get({"IDSW": "switches", "Frag": "fragments"}.get(name, ""))
    return value


def _seconds(row: Row) -> Cell:
    seconds: Cell = (row.get("cost") or {}).get("seconds_per_frame")
    return seconds


def _title(run: Run) -> str:
    counts = {row.get("n_sequences") for row in run["summary"]} - {None}
    title = f"Run {run.get('experiment', '')}".rstrip() + ", scores in percent"
    if len(counts) == 1:
        count = counts.pop()
        title += f", {count} sequence{'' if count == 1 else 's'}"
    return title


def _summary_notes(rows: Sequence[Row], *, sweeps: bool, references: frozenset[int]) -> list[str]:
    notes = ["IDSW and Frag are counts; lower is better."]
    if sweeps:
        notes.append(
            "Compare rows of one tau only, with copying and the oracle beside them: "
            "another tau is another test."
        )
    if references:
        names = dict.fromkeys(row_label(rows[index]) for index in sorted(references))
        notes.append(f"For reference, not marked as best: {', '.join(names)}.")
    notes += interval_notes([row for row in rows if (row.get("intervals") or {}).get("PAT")])
    if any(row_score(row, name) is None for row in rows for name in ("PAT", "STQ")):
        notes.append(f"{UNDEFINED}: undefined; the reasons stand with the cells of results.json.")
    return notes
