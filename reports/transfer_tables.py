"""Scores of the same rows on several data sets, and the drop from the first."""

from collections.abc import Mapping, Sequence
from typing import Any

from mapt_bench.errors import counted
from mapt_bench.reports.score_tables import score_column
from mapt_bench.reports.tables import Cell, Column, Kind, Table
from mapt_bench.results.result_views import Part, is_reference, row_name, row_score, run_parts

__all__ = ["TRANSFER_SCHEMA", "drops", "transfer_tables"]

TRANSFER_SCHEMA = "mapt-bench/data-sets/1"
"""Schema of the JSON of several runs, such as one ablation on several data sets."""

_SCORES = ("PAT", "STQ")
_ALL = ("PAT", "PQ", "TQ", "STQ", "AQ", "SQ", "HOTA", "AssA")

Run = Mapping[str, Any]
Row = Mapping[str, Any]
Names = Mapping[str, str]


def transfer_tables(
    results: Mapping[str, Run],
    scores: Sequence[str] = (),
    rows: Sequence[str] = (),
    limit: int | None = None,
    *,
    with_drops: bool = True,
    planned: Mapping[str, Names] | None = None,
) -> list[Table]:
    """Return one table for each source of segments: each score by run, and its drop.

    A row that a run lacks has undefined scores there.

    Args:
        results: Runs by the name of their data, at least two. Drops are from the first.
        scores: Scores to show. Empty for PAT and STQ.
        rows: Rows to show. Empty for all rows.
        limit: Largest number of rows. The rows that are best on the first data are kept.
        with_drops: Whether the runs differ in their data, so that drops have a meaning.
        planned: For each run, the names of its rows by the names that the plan of all runs has
            for them. ``None`` if each row has one name in all runs.
    """
    names = list(results)
    tables = []
    for part, of_run in _parts(results, by_place=not with_drops):
        found = _rows_by_name(of_run, names, planned or {})
        hidden = 0
        if rows:
            found = {name: found[name] for name in rows if name in found}
        elif limit is not None:
            best = sorted(found, key=lambda name: -(row_score(_first(found[name]), "PAT") or 0))
            hidden = max(0, len(best) - limit)
            found = {name: found[name] for name in best[:limit]}
        if found:
            tables.append(_table(part, names, found, scores or _SCORES, with_drops, hidden))
    return tables


def _parts(results: Mapping[str, Run], *, by_place: bool) -> list[tuple[Part, list[Part | None]]]:
    """Return the parts of all runs: the first with its segments, and that of each run.

    Args:
        results: Runs by name.
        by_place: Whether parts with different segments at the same place of their runs are one,
            because the runs differ in their segments.
    """
    groups: list[tuple[Part, list[Part | None]]] = []
    for at, result in enumerate(results.values()):
        parts = run_parts(result)
        keys = [(first.segments, first.trained) for first, _ in groups]
        other: list[tuple[int, Part]] = []
        for place, part in enumerate(parts):
            key = (part.segments, part.trained)
            if key in keys:
                groups[keys.index(key)][1][at] = part
            else:
                other.append((place, part))
        for place, part in other:
            if by_place and place < len(keys) and groups[place][1][at] is None:
                groups[place][1][at] = part
            else:
                alone: list[Part | None] = [None] * len(results)
                alone[at] = part
                groups.append((part, alone))
    return groups


def _rows_by_name(
    parts: Sequence[Part | None], names: Sequence[str], planned: Mapping[str, Names]
) -> dict[str, list[Row | None]]:
    """Return the summary rows of each run by the name of the row, ``None`` where a run has none.

    The names are those of the plan if a row has different names in the runs.
    """
    found: dict[str, list[Row | None]] = {}
    for at, (run, part) in enumerate(zip(names, parts, strict=True)):
        by_name = {row_name(row): row for row in (part.run["summary"] if part else ())}
        of_plan = planned.get(run) or dict.fromkeys(by_name)
        for name, own in of_plan.items():
            row = by_name.get(own or name)
            if row is not None:
                found.setdefault(name, [None] * len(parts))[at] = row
    own_names = {name: {row_name(row) for row in rows if row} for name, rows in found.items()}
    if all(len(each) == 1 for each in own_names.values()):
        single = {name: own for name, (own,) in own_names.items()}
        if len(set(single.values())) == len(single):
            return {single[name]: rows for name, rows in found.items()}
    return found


def _first(rows: Sequence[Row | None]) -> Row:
    """Return the row of the first run that has it."""
    return next(row for row in rows if row is not None)


def _table(
    part: Part,
    names: Sequence[str],
    found: Mapping[str, Sequence[Row | None]],
    scores: Sequence[str],
    with_drops: bool,
    hidden: int,
) -> Table:
    columns = [Column("variant")]
    for score in scores:
        columns += _columns(score, names, with_drops)
    cells: list[tuple[Cell, ...]] = []
    for name, rows in found.items():
        line: list[Cell] = [name]
        for score in scores:
            values = [None if row is None else row_score(row, score) for row in rows]
            line.append(values[0])
            for value in values[1:]:
                line += [value, _difference(values[0], value)] if with_drops else [value]
        cells.append(tuple(line))
    name = "transfer" if with_drops else "runs"
    notes = [_DROP] if with_drops else []
    if any(row is None for rows in found.values() for row in rows):
        notes.append("A row that a run lacks has no score there.")
    if hidden:
        notes.append(f"{counted(hidden, 'more row')} in tables/{name}.csv.")
    return Table(
        f"Drop from {names[0]}{part.ending}" if with_drops else "Scores by run",
        tuple(columns),
        tuple(cells),
        tuple(notes),
        frozenset(at for at, rows in enumerate(found.values()) if is_reference(_first(rows))),
        name=name,
        keys=(("segments", part.name),),
    )


_DROP = (
    "Drop: the score on the first data minus the score here, in points. The data have different "
    "sequences, so it is not paired and has no confidence interval."
)


def _columns(score: str, names: Sequence[str], with_drops: bool) -> list[Column]:
    kind = score_column(score)
    columns = [Column(f"{score} {names[0]}", kind.kind, kind.higher_is_better, 2)]
    points: Kind = "points" if kind.kind == "percent" else "number"
    for name in names[1:]:
        columns.append(Column(f"{score} {name}", kind.kind, kind.higher_is_better, 1))
        columns += [Column(f"{score} drop {name}", points, priority=1)] if with_drops else []
    return columns


def _difference(home: float | None, value: float | None) -> float | None:
    return None if home is None or value is None else home - value


def drops(results: Mapping[str, Run]) -> list[dict[str, Any]]:
    """Return the drop of every row on every data set but the first, for JSON.

    A row that one of the two data sets lacks has no drop.

    Args:
        results: Runs by the name of their data.
    """
    names = list(results)
    return [
        {
            "variant": variant,
            "segments": part.name,
            "home": names[0],
            "data": name,
            "scores": {
                score: _difference(row_score(rows[0], score), row_score(row, score))
                for score in _ALL
            },
        }
        for part, of_run in _parts(results, by_place=False)
        for variant, rows in _rows_by_name(of_run, names, {}).items()
        for name, row in zip(names[1:], rows[1:], strict=True)
        if rows[0] is not None and row is not None
    ]
