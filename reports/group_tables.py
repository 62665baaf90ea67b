"""Tables of the scores of a run by group of videos, such as the splits of a suite."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mapt_bench.reports.paired_verdicts import compared_with
from mapt_bench.reports.score_tables import (
    estimate,
    interval_cell,
    interval_notes,
    score_column,
)
from mapt_bench.reports.tables import Cell, Column, Table
from mapt_bench.results.result_views import (
    entry_of_row,
    is_reference,
    row_name,
    row_score,
)

__all__ = [
    "SPLITS",
    "VIDEOS",
    "of_group",
    "score_group_tables",
    "score_groups",
    "splits",
    "splits_table",
]

VIDEOS = "videos"
"""Key column of table files: all videos, or those of a split."""

Run = Mapping[str, Any]
Row = Mapping[str, Any]

_SHOWN = ("PAT", "STQ")
_FACTORS = ("half", "kind")
"""Factors whose groups have a column. results.json also has the groups of both crossed."""

_OF_SPLITS = ("PAT", "TQ", "AssA", "STQ")


SPLITS = {"real-like": "realistic", "hard": "hard"}
"""Names of the splits in tables, by the values of the factor ``half`` in results."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group of videos.

    Attributes:
        factor: Factor of the group, for example ``"half"``, the split of a suite.
        value: Level of the factor, for example ``"hard"``.
        size: Number of sequences.
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
        """Name of the group in tables."""
        return SPLITS.get(self.value, self.value) if self.factor == "half" else self.value


def score_groups(run: Run) -> list[Group]:
    """Return the splits and kinds of videos with scores in a run, in order."""
    sizes: dict[tuple[str, str], int] = {}
    for entry in run.get("scores_by_group") or []:
        group = (str(entry["factor"]), str(entry["value"]))
        sizes[group] = max(sizes.get(group, 0), int(entry["n_sequences"]))
    return [Group(*group, size) for group, size in sizes.items() if group[0] in _FACTORS]


def splits(run: Run) -> list[Group]:
    """Return the splits with scores in a run, in order."""
    return [group for group in score_groups(run) if group.factor == "half"]


def of_group(run: Run, group: Group) -> dict[str, Any]:
    """Return the run with the scores of one group of videos. Its losses and steps are unknown."""
    entries = _entries(run, group)
    rows = []
    for row in run["summary"]:
        entry = entry_of_row(entries, row)
        scores = {name: entry.get(name, {}) for name in ("scores", "intervals")}
        rows.append({**row, **scores, "differences": entry.get("differences"), "losses": None})
    return {**run, "summary": rows, "steps": []}


def score_group_tables(run: Run) -> list[Table]:
    """Return a table for PAT and for STQ: one row per variant, one column per group of videos.

    The rows of a column are comparable, so the best value is marked. Confidence intervals follow
    their column, if the group has any.
    """
    groups = score_groups(run)
    return [_table(run, score, groups) for score in _SHOWN] if groups else []


def splits_table(run: Run) -> Table:
    """Return one row per variant and, for each split, one column per score.

    The rows of a column are comparable, so the best value is marked.
    """
    rows: Sequence[Row] = run["summary"]
    columns = [Column("variant")]
    cells: list[list[Cell]] = [[row_name(row)] for row in rows]
    for split in splits(run):
        found = of_group(run, split)["summary"]
        reference = compared_with(found)
        for name in _OF_SPLITS:
            if any(row_score(row, name) is not None for row in found):
                shown = score_column(name)
                columns.append(Column(f"{split.label} {name}", shown.kind, shown.higher_is_better))
                for line, row in zip(cells, found, strict=True):
                    line.append(estimate(row, name, reference))
    sizes = ", ".join(split.heading for split in splits(run))
    return Table(
        "Scores of each split",
        tuple(columns),
        tuple(map(tuple, cells)),
        (f"Sequences: {sizes}.",),
        frozenset(at for at, row in enumerate(rows) if is_reference(row)),
        name="by_half",
    )


def _entries(run: Run, group: Group) -> list[Row]:
    return [
        entry
        for entry in run.get("scores_by_group") or []
        if (entry["factor"], entry["value"]) == (group.factor, group.value)
    ]


def _table(run: Run, score: str, groups: Sequence[Group]) -> Table:
    rows: Sequence[Row] = run["summary"]
    shown = score_column(score)
    columns = [Column("variant"), Column("all", shown.kind, shown.higher_is_better)]
    cells: list[list[Cell]] = [
        [row_name(row), estimate(row, score, compared_with(rows))] for row in rows
    ]
    banded: list[Row] = []
    for group in groups:
        found = of_group(run, group)["summary"]
        intervals = [interval_cell(row, score) for row in found]
        columns.append(Column(group.heading, shown.kind, shown.higher_is_better))
        columns += [Column(f"{group.label} interval", "range")] if any(intervals) else []
        for line, row, interval in zip(cells, found, intervals, strict=True):
            line.append(estimate(row, score, compared_with(found)))
            line += [interval] if any(intervals) else []
        banded += [row for row in found if any(intervals)]
    notes = ["Compare rows of one group only. The number after a group is its number of sequences."]
    notes += interval_notes([_only(row, score) for row in banded])
    return Table(
        f"{score} by group of sequences",
        tuple(columns),
        tuple(map(tuple, cells)),
        tuple(notes),
        frozenset(at for at, row in enumerate(rows) if is_reference(row)),
        name="by_group",
        keys=(("score", score),),
    )


def _only(row: Row, score: str) -> Row:
    found = row.get("intervals") or {}
    return {"intervals": {score: found[score]} if score in found else {}}
