"""Tables of a run: cells under one condition, and the scores of groups of videos."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mapt_bench.experiments.engine.runner import Advance, CellOutcome, CellWork, RunOutcome, spread
from mapt_bench.experiments.plans.segment_sources import OWN_SEGMENTS
from mapt_bench.experiments.summaries.cell_scores import (
    INTERVAL_SCORES,
    Comparisons,
    cell_scores,
    class_scores,
)
from mapt_bench.metrics.uncertainty import ScoreStatistics

__all__ = [
    "HALF_AND_KIND",
    "ResultTable",
    "group_members",
    "result_tables",
    "scores_by_group",
    "segments_of",
    "with_half_and_kind",
]

_Row = dict[str, Any]


@dataclass(frozen=True)
class ResultTable:
    """Cells under one condition.

    Attributes:
        condition: Fields that all rows of the table have in the summary.
        positions: Positions of the cells in the outcome.
        reference: Reference of the paired differences, or ``None``.
    """

    condition: _Row
    positions: tuple[int, ...]
    reference: CellOutcome | None


def result_tables(outcome: RunOutcome) -> list[ResultTable]:
    """Return the tables of a run.

    - An ablation has one table for each source of segments, and separate tables for networks that
      were trained without a component.
    - A sweep has one table for each interval. The cells of interval 1 are in both sweeps.
    - A stress test has one table for each stressor and level, without a reference. Level 0 is the
      unchanged videos. With several sources of segments, each has its own tables.
    - Whole trackers always have separate tables.
    """
    plan = outcome.plan
    if plan.is_ablation:
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
    parts = [part for table in tables for part in _by_segments(outcome, *table)]
    return [_table(outcome, *part) for part in parts if part[1]]


def _by_segments(
    outcome: RunOutcome, condition: _Row, positions: list[int]
) -> list[tuple[_Row, list[int]]]:
    """Split a table into rows that link the same segments. Whole trackers have their own."""
    by_name: dict[str, list[int]] = {}
    for at in positions:
        by_name.setdefault(segments_of(outcome, outcome.cells[at]), []).append(at)
    return [
        ({**condition, "segments": name} if name else condition, members)
        for name, members in by_name.items()
    ]


def segments_of(outcome: RunOutcome, cell: CellOutcome) -> str:
    """Return the name of the segments that tell the rows of a table apart.

    Empty for the rows of a run that link its only shared segments.
    """
    if cell.cell.variant.is_whole:
        return OWN_SEGMENTS
    if len(outcome.source.segments) == 1:
        return ""
    return outcome.source.segments_named(cell.cell.segments).name


def _ablation_tables(outcome: RunOutcome) -> list[ResultTable]:
    """Return a table for each source of segments, then the tables of trained variants."""
    tables: dict[tuple[bool, str], list[int]] = {}
    for at, each in enumerate(outcome.cells):
        cell = each.cell
        is_trained = cell.variant.group == "trained"
        name = outcome.source.segments_named(cell.segments).name
        is_own = is_trained and cell.variant.mapt is not None and name == cell.variant.mapt.name
        tables.setdefault((is_trained, OWN_SEGMENTS if is_own else name), []).append(at)
    return [
        _table(outcome, {"interval": None, "segments": name, "trained": is_trained}, positions)
        for (is_trained, name), positions in tables.items()
    ]


def _table(outcome: RunOutcome, condition: _Row, positions: Iterable[int]) -> ResultTable:
    chosen = tuple(positions)
    cells = [outcome.cells[at] for at in chosen]
    return ResultTable(condition, chosen, _reference(cells, outcome.plan.reference))


def _reference(cells: Iterable[CellOutcome], wanted: str | None) -> CellOutcome | None:
    """Return the reference of a table, or ``None``."""
    names = {cell.cell.variant.name: cell for cell in cells}
    if wanted is not None and wanted in names:
        return names[wanted]
    trained = [cell for cell in names.values() if cell.cell.variant.group == "trained"]
    return trained[0] if trained else None


HALF_AND_KIND = " and ".join(("half", "kind"))
"""The factor that crosses these two, as results name it."""


_HALVES, _KINDS = ("real-like", "hard"), ("street", "crowd")

_BY_ITSELF = {
    "half": _HALVES,
    "kind": _KINDS,
    HALF_AND_KIND: tuple(f"{half} {kind}" for half in _HALVES for kind in _KINDS),
}
"""Factors whose groups have scores of their own, in the order of tables."""

_WITH_INTERVALS = "half"
_WITH_CLASSES = HALF_AND_KIND

_Group = tuple[str, str]


def group_members(
    names: Sequence[str], groups: Mapping[str, Mapping[str, str]]
) -> dict[tuple[str, str], tuple[int, ...]]:
    """Return the positions of the videos in each group, by factor and level.

    Args:
        names: Names of the videos.
        groups: Level of each factor, by video name.

    Example:
        >>> group_members(["a", "b"], {"a": {"half": "hard"}, "b": {"half": "real-like"}})
        {('half', 'hard'): (0,), ('half', 'real-like'): (1,)}
    """
    members: dict[tuple[str, str], list[int]] = {}
    for position, name in enumerate(names):
        for factor, level in groups.get(name, {}).items():
            members.setdefault((factor, level), []).append(position)
    return {group: tuple(positions) for group, positions in members.items()}


def with_half_and_kind(levels: Mapping[str, str]) -> dict[str, str]:
    """Return the levels of a video. Add the crossed factor if it has both ``half`` and ``kind``.

    Example:
        >>> with_half_and_kind({"half": "hard", "kind": "crowd"})["half and kind"]
        'hard crowd'
    """
    if "half" not in levels or "kind" not in levels:
        return dict(levels)
    return {**levels, HALF_AND_KIND: f"{levels['half']} {levels['kind']}"}


def scores_by_group(
    outcome: RunOutcome, pat_protocol: str, *, advance: Advance = lambda _steps: None
) -> list[_Row]:
    """Return the scores of each finished cell in each group of videos.

    Args:
        outcome: Results of the plan.
        pat_protocol: Variant of PAT of the headline scores.
        advance: Takes done steps, one for each cell in total.

    Returns:
        One entry per cell and group, with ``variant``, ``label``, ``cell`` (key), ``factor``
        (``"half"``, ``"kind"``, or :data:`HALF_AND_KIND`), ``value``, ``n_sequences``, ``scores``,
        ``intervals`` and ``differences``. Only splits (``"half"``) have the last two. Their
        differences are to the reference of the first table with the cell, and their p values are
        corrected within the split. In an ablation, groups of the crossed factor also have
        ``per_class``. Empty if the videos have no groups.
    """
    source = outcome.source
    chosen = _test_sets(outcome)
    statistics = ScoreStatistics(
        source.labels, pat_protocol=pat_protocol, names=INTERVAL_SCORES, seed=outcome.seed
    )
    compared: dict[_Group, Comparisons] = {}
    if not outcome.plan.series:
        compared = {
            group: Comparisons(statistics, " ".join(group), positions)
            for group, positions in chosen.items()
            if group[0] == _WITH_INTERVALS
        }
    references = _references(outcome)
    found: dict[tuple[CellWork, _Group], _Row] = {}
    rows = []
    cells, count = enumerate(outcome.cells), len(outcome.cells)
    for at, cell in spread(cells, count, count, advance):
        if cell.failures:
            continue
        for group, positions in chosen.items():
            place = cell.work, group
            if place not in found:
                found[place] = _scores(outcome, cell, group, positions, pat_protocol)
            row = {**_named(cell), "factor": group[0], "value": group[1], **found[place]}
            row |= {"intervals": {}, "differences": None}
            if group in compared:
                row["intervals"] = compared[group].intervals(cell)
                row["differences"] = compared[group].differences(cell, references.get(at))
            rows.append(row)
    for comparisons in compared.values():
        comparisons.correct()
    return rows


def _test_sets(outcome: RunOutcome) -> dict[_Group, tuple[int, ...]]:
    """Return the groups with scores of their own, and the positions of their videos."""
    names = [video.info.name for video in outcome.source.videos]
    groups = {name: with_half_and_kind(found) for name, found in outcome.source.groups.items()}
    members = group_members(names, groups)
    in_order = [(factor, level) for factor, levels in _BY_ITSELF.items() for level in levels]
    return {group: members[group] for group in in_order if group in members}


def _references(outcome: RunOutcome) -> dict[int, CellOutcome | None]:
    """Return the reference of the first table with each cell, by position of the cell."""
    found: dict[int, CellOutcome | None] = {}
    for table in result_tables(outcome):
        for at in table.positions:
            found.setdefault(at, table.reference)
    return found


def _named(cell: CellOutcome) -> _Row:
    variant = cell.cell.variant
    return {
        "variant": variant.name,
        "label": variant.label,
        "cell": cell.key,
        "interval": cell.cell.pair,
    }


def _scores(
    outcome: RunOutcome,
    cell: CellOutcome,
    group: _Group,
    positions: Sequence[int],
    protocol: str,
) -> _Row:
    sums = cell.sums()
    sequences = [sums[position] for position in positions if position in sums]
    if not sequences:
        return {"n_sequences": 0, "scores": {}}
    labels = outcome.source.labels
    phases = list(zip(*sequences, strict=True))
    row: _Row = {
        "n_sequences": len(sequences),
        "scores": cell_scores(phases, labels, protocol),
    }
    if group[0] == _WITH_CLASSES and outcome.plan.is_ablation:
        row["per_class"] = class_scores(phases[0], labels, protocol)
    return row
