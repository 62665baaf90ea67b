"""Scores of the same rows on several data sets, and the drop from the first."""

from collections.abc import Mapping, Sequence
from typing import Any

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


def transfer_tables(
    results: Mapping[str, Run],
    scores: Sequence[str] = (),
    rows: Sequence[str] = (),
    limit: int | None = None,
    *,
    with_drops: bool = True,
) -> list[Table]:
    """Return one table for each source of segments: each score by run, and its drop.

    Args:
        results: Runs by the name of their data, at least two. Drops are from the first.
        scores: Scores to show. Empty for PAT and STQ.
        rows: Rows to show. Empty for all rows that every run has.
        limit: Largest number of rows. The rows that are best on the first data are kept.
        with_drops: Whether the runs differ in their data, so that drops have a meaning.
    """
    names = list(results)
    tables = []
    for at, part in enumerate(run_parts(results[names[0]])):
        found = _common_rows(part, results, None if with_drops else at)
        if rows:
            found = {name: found[name] for name in rows if name in found}
        elif limit is not None:
            best = sorted(found, key=lambda name: -(row_score(found[name][0], "PAT") or 0))
            found = {name: found[name] for name in best[:limit]}
        if found:
            tables.append(_table(part, names, found, scores or _SCORES, with_drops))
    return tables


def _common_rows(
    part: Part, results: Mapping[str, Run], at: int | None = None
) -> dict[str, list[Row]]:
    """Return the summary rows of each run by row name, for rows that all of them have.

    Args:
        part: Part of the first run. The other runs have the same segments in their part.
        results: Runs by name.
        at: Place of the part in a run. A run without these segments has its own there. ``None``
            for no such part.
    """
    of_data = []
    for result in results.values():
        parts = run_parts(result)
        same = [
            each.run["summary"]
            for each in parts
            if (each.segments, each.trained) == (part.segments, part.trained)
        ]
        if not same and at is not None and at < len(parts):
            same = [parts[at].run["summary"]]
        of_data.append({row_name(row): row for row in (same[0] if same else [])})
    return {
        name: [by_name[name] for by_name in of_data]
        for name in of_data[0]
        if all(name in by_name for by_name in of_data)
    }


def _table(
    part: Part,
    names: Sequence[str],
    found: Mapping[str, Sequence[Row]],
    scores: Sequence[str],
    with_drops: bool,
) -> Table:
    columns = [Column("variant")]
    for score in scores:
        columns += _columns(score, names, with_drops)
    cells: list[tuple[Cell, ...]] = []
    for name, rows in found.items():
        line: list[Cell] = [name]
        for score in scores:
            values = [row_score(row, score) for row in rows]
            line.append(values[0])
            for value in values[1:]:
                line += [value, _difference(values[0], value)] if with_drops else [value]
        cells.append(tuple(line))
    return Table(
        f"Drop from {names[0]}{part.ending}" if with_drops else "Scores by run",
        tuple(columns),
        tuple(cells),
        (_DROP,) if with_drops else (),
        frozenset(at for at, rows in enumerate(found.values()) if is_reference(rows[0])),
        name="transfer" if with_drops else "runs",
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
        for part in run_parts(results[names[0]])
        for variant, rows in _common_rows(part, results).items()
        for name, row in zip(names[1:], rows[1:], strict=True)
    ]
