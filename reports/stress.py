"""Tables of a stress test: scores by level, orders of fusion, and what became of links."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mapt_bench.reports.evaluation import score_column
from mapt_bench.reports.links import break_table, recovery_tables, visibility_table
from mapt_bench.reports.run import skipped_table
from mapt_bench.reports.tables import Cell, Column, Table
from mapt_bench.results.parts import OWN_SEGMENTS, run_parts
from mapt_bench.results.rows import conditions_note, is_reference, row_name, row_score

__all__ = ["fusion_table", "level_tables", "stress_tables"]

_LEVEL_SCORES = (("PAT", "TQ", "STQ"), ("IDSW", "Frag"))
"""Scores that stand together in a table by level."""

_FUSIONS = ("both", "both:appearance-first", "both:simultaneous")

_VOID = "void"

_FRAG_NOTE = (
    "Frag counts breaks of true tracks by frames without a matching segment: it depends on the "
    "segments, not on the linking, and is the same for every tracker that keeps them all."
)

Run = Mapping[str, Any]
Row = Mapping[str, Any]
Stressor = Mapping[str, Any]


def stress_tables(run: Run) -> list[Table]:
    """Return every table of a stress test (``mapt-bench/run/1`` with ``stressors``)."""
    parts = run_parts(run)
    tables = []
    for part in parts:
        ending = f": {part.heading}" if part.segments == OWN_SEGMENTS else ""
        note = conditions_note(part.run["summary"])
        tables += [
            replace(
                table,
                title=f"{table.title}{ending}",
                footnotes=(*table.footnotes, *([note] if note else [])),
            )
            for table in _part_tables(part.run)
        ]
    if run.get("skipped"):
        tables.append(skipped_table(run))
    return tables


def _part_tables(run: Run) -> list[Table]:
    """Return the tables of rows that may be compared."""
    stressors = [each for each in run["stressors"] if _rows_of(run, each["name"])]
    tables = [table for stressor in stressors for table in level_tables(run, stressor)]
    if _of_fusion(run):
        tables += [fusion_table(run, "PAT"), fusion_table(run, "IDSW")]
    if run["visibility"]:
        tables += [visibility_table(run), *recovery_tables(run)]
    if run.get("break_points"):
        tables.append(break_table(run))
    return tables


def level_tables(run: Run, stressor: Stressor) -> list[Table]:
    """Return one row a variant and, for each score, one column a level."""
    rows = _rows_of(run, stressor["name"])
    levels = sorted({row["stress"]["level"] for row in rows})
    variants = {row["variant"]: row for row in rows}
    at = {(row["variant"], row["stress"]["level"]): row for row in rows}
    tables = []
    for scores in _LEVEL_SCORES:
        columns = [Column("variant")]
        for name in scores:
            shown = score_column(name)
            columns += [
                Column(f"{name} {level}", shown.kind, shown.higher_is_better) for level in levels
            ]
        cells = tuple(
            (
                row_name(row),
                *(
                    row_score(at[variant, level], name) if (variant, level) in at else None
                    for name in scores
                    for level in levels
                ),
            )
            for variant, row in variants.items()
        )
        title = f"{stressor['name']}: {_listed(scores)} by level"
        first = scores == _LEVEL_SCORES[0]
        notes = _level_notes(run, stressor, rows) if first else [_FRAG_NOTE]
        tables.append(Table(title, tuple(columns), cells, tuple(notes), _references(variants)))
    return tables


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + f" and {words[-1]}"


def _references(variants: Mapping[str, Row]) -> frozenset[int]:
    return frozenset(at for at, row in enumerate(variants.values()) if is_reference(row))


def _rows_of(run: Run, stressor: str) -> list[Row]:
    return [row for row in run["summary"] if row["stress"]["stressor"] == stressor]


def _level_notes(run: Run, stressor: Stressor, rows: Sequence[Row]) -> list[str]:
    levels = ", ".join(f"{level}: {value:g}" for level, value in stressor["levels"].items())
    notes = [
        f"Level 0: the videos as they are; {levels} {stressor['unit']} ({stressor['meaning']})."
    ]
    occluder = stressor.get("occluder")
    if occluder == _VOID:
        notes.append(
            "What hides has no class here and is void, on which no class is right: STQ keeps void "
            "in predicted tubes and punishes it, PAT does not."
        )
    elif occluder:
        notes.append(f"What hides is part of the truth, as {occluder}.")
    elif "occluder" in stressor:
        notes.append("Nothing was hidden: in none of the sequences was there room for it.")
    protocol = run.get("protocol") or {}
    counts = sorted({row["n_sequences"] for row in rows})
    numbers = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
    notes.append(
        f"{numbers} sequences; PAT protocol: {protocol.get('pat')}; "
        f"segments: {protocol.get('segments')}."
    )
    notes += ["Copying and the oracle are references of each level and not marked as best."]
    return notes


def _of_fusion(run: Run) -> list[Row]:
    rows = [row for row in run["summary"] if row["variant"] in _FUSIONS]
    return rows if {row["variant"] for row in rows} >= set(_FUSIONS) else []


def fusion_table(run: Run, score: str) -> Table:
    """Return one row an order of fusion and one column a stressor and level."""
    columns: dict[str, None] = {}
    values: dict[str, dict[str, Cell]] = {}
    for row in _of_fusion(run):
        level = row["stress"]["level"]
        name = f"{row['stress']['stressor']} {level}" if level else "none"
        columns[name] = None
        values.setdefault(row_name(row), {})[name] = row_score(row, score)
    shown = score_column(score)
    return Table(
        f"Order of fusion: {score} by stressor and level",
        (
            Column("order"),
            *(Column(name, shown.kind, shown.higher_is_better) for name in columns),
        ),
        tuple((label, *(found.get(name) for name in columns)) for label, found in values.items()),
    )
