"""Scores by group of videos: each half of a suite, and each kind of scene, by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mapt_bench.reports.evaluation_tables import interval_cell, interval_notes, score_column
from mapt_bench.reports.tables import Cell, Column, Table
from mapt_bench.results.result_views import is_reference, row_name, row_score

__all__ = [
    "SPLITS",
    "of_group",
    "score_group_tables",
    "score_groups",
    "splits",
    "splits_table",
]

Run = Mapping[str, Any]
Row = Mapping[str, Any]

_SHOWN = ("PAT", "STQ")
_FACTORS = ("half", "kind")
"""Factors whose groups have a column; those of both crossed stand in results.json."""

_OF_SPLITS = ("PAT", "TQ", "AssA", "STQ")


SPLITS = {"real-like": "realistic", "hard": "hard"}
"""What tables call the values of the factor ``half`` of results."""


@dataclass(frozen=True, slots=True)
class Group:
    """Videos that have something in common.

    Attributes:
        factor: Factor that separates groups, for example ``"half"``, the split of a suite.
        value: For example ``"hard"``.
        size: Sequences.
    """

    factor: str
    value: str
    size: int

    @property
    def heading(self) -> str:
        """Name and size, for a column."""
        return f"{self.label} ({self.size})"

    @property
    def label(self) -> str:
        """The value as tables call it: results call the splits of a suite halves."""
        return SPLITS.get(self.value, self.value) if self.factor == "half" else self.value


def score_groups(run: Run) -> list[Group]:
    """Return the splits and kinds of videos that a run has scores of, in its order."""
    sizes: dict[tuple[str, str], int] = {}
    for entry in run.get("scores_by_group") or []:
        group = (str(entry["factor"]), str(entry["value"]))
        sizes[group] = max(sizes.get(group, 0), int(entry["n_sequences"]))
    return [Group(*group, size) for group, size in sizes.items() if group[0] in _FACTORS]


def splits(run: Run) -> list[Group]:
    """Return the splits of the videos that a run has scores of, in its order."""
    return [group for group in score_groups(run) if group.factor == "half"]


def of_group(run: Run, group: Group) -> dict[str, Any]:
    """Return the run as it would be with the videos of one group alone, its summary at least."""
    entries = _entries(run, group)
    rows = []
    for row in run["summary"]:
        entry = entries.get(str(row["cell"]), {})
        scores = {name: entry.get(name, {}) for name in ("scores", "intervals")}
        rows.append({**row, **scores, "differences": entry.get("differences")})
    return {**run, "summary": rows}


def score_group_tables(run: Run) -> list[Table]:
    """Return, for PAT and STQ, one row a variant and one column a group of videos.

    Each group is a test set of its own, so the best value of its column is marked; where a group
    has confidence intervals, they follow it.
    """
    groups = score_groups(run)
    return [_table(run, score, groups) for score in _SHOWN] if groups else []


def splits_table(run: Run) -> Table:
    """Return one row a variant and, for each split, one column a score.

    Each split is a test set of its own, so the best value of each column is marked.
    """
    rows: Sequence[Row] = run["summary"]
    columns = [Column("variant")]
    cells: list[list[Cell]] = [[row_name(row)] for row in rows]
    for split in splits(run):
        found = of_group(run, split)["summary"]
        for name in _OF_SPLITS:
            if any(row_score(row, name) is not None for row in found):
                shown = score_column(name)
                columns.append(Column(f"{split.label} {name}", shown.kind, shown.higher_is_better))
                for line, row in zip(cells, found, strict=True):
                    line.append(row_score(row, name))
    sizes = ", ".join(split.heading for split in splits(run))
    return Table(
        "Scores of each split",
        tuple(columns),
        tuple(map(tuple, cells)),
        (f"Sequences: {sizes}.",),
        frozenset(at for at, row in enumerate(rows) if is_reference(row)),
    )


def _entries(run: Run, group: Group) -> dict[str, Row]:
    return {
        str(entry["cell"]): entry
        for entry in run.get("scores_by_group") or []
        if (entry["factor"], entry["value"]) == (group.factor, group.value)
    }


def _table(run: Run, score: str, groups: Sequence[Group]) -> Table:
    rows: Sequence[Row] = run["summary"]
    shown = score_column(score)
    columns = [Column("variant"), Column("all", shown.kind, shown.higher_is_better)]
    cells: list[list[Cell]] = [[row_name(row), row_score(row, score)] for row in rows]
    banded: list[Row] = []
    for group in groups:
        found = of_group(run, group)["summary"]
        intervals = [interval_cell(row, score) for row in found]
        columns.append(Column(group.heading, shown.kind, shown.higher_is_better))
        columns += [Column(f"{group.label} interval", "range")] if any(intervals) else []
        for line, row, interval in zip(cells, found, intervals, strict=True):
            line.append(row_score(row, score))
            line += [interval] if any(intervals) else []
        banded += [row for row in found if any(intervals)]
    notes = ["Each group is a test set of its own; behind its name, how many sequences it has."]
    notes += interval_notes([_only(row, score) for row in banded])
    return Table(
        f"{score} by group of sequences",
        tuple(columns),
        tuple(map(tuple, cells)),
        tuple(notes),
        frozenset(at for at, row in enumerate(rows) if is_reference(row)),
    )


def _only(row: Row, score: str) -> Row:
    found = row.get("intervals") or {}
    return {"intervals": {score: found[score]} if score in found else {}}
