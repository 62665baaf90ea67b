"""The tables of a run: cells under one condition, whose scores may be compared."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mapt_bench.experiments.engine.runner import CellOutcome, RunOutcome
from mapt_bench.experiments.plans.segment_sources import OWN_SEGMENTS

__all__ = ["ResultTable", "result_tables"]

_Row = dict[str, Any]


@dataclass(frozen=True)
class ResultTable:
    """Cells under one condition.

    Attributes:
        condition: What they have in common, as rows of the summary say it.
        positions: Of the cells in the outcome.
        reference: What the others are compared with; ``None`` for nothing.
    """

    condition: _Row
    positions: tuple[int, ...]
    reference: CellOutcome | None


def result_tables(outcome: RunOutcome) -> list[ResultTable]:
    """Return each table of a run.

    An ablation is one table with a row a variant for each kind of segments, and one more for
    networks that were trained without a part. A sweep is one table an interval, with a row a
    variant that takes part; the cells of interval 1 stand in both sweeps. A stress test is one
    table a stressor and level, level 0 being the videos as they are; it has no reference. Whole
    trackers have tables of their own everywhere.
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
    """Return the part of a table that links the same segments, and that of whole trackers."""
    whole = [at for at in positions if outcome.cells[at].cell.variant.is_whole]
    shared = [at for at in positions if at not in whole]
    if not whole:
        return [(condition, shared)]
    return [(condition, shared), ({**condition, "segments": OWN_SEGMENTS}, whole)]


def _ablation_tables(outcome: RunOutcome) -> list[ResultTable]:
    """Return a table for each kind of segments: parts switched off, then parts left out."""
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
    """Return the row that the others of a table are compared with."""
    names = {cell.cell.variant.name: cell for cell in cells}
    if wanted is not None and wanted in names:
        return names[wanted]
    trained = [cell for cell in names.values() if cell.cell.variant.group == "trained"]
    return trained[0] if trained else None
