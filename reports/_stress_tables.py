"""Tables of stress tests: scores by level, fusion orders, and failure signatures.

Failure signatures are rapid motion, occlusion, look-alikes and blur.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mapt_bench.reports.score_tables import score_column
from mapt_bench.reports.tables import Cell, Column, Table
from mapt_bench.results.result_views import is_reference, protocol_in_words, row_name, row_score

__all__ = [
    "FAILURES",
    "failure_table",
    "fusion_table",
    "fusion_tables",
    "level_tables",
    "score_tables_of_failures",
]

FAILURES = "stress-failures"
"""Name of the experiment with the failure signatures of the paper."""

_SIGNATURES = {"speed": "rapid motion", "passing": "occlusion"}
"""Headings of stressors that stand for a failure signature. Others have their own name."""

_SCORES = ("PAT", "IDSW", "Frag")
_RECOVERED = "recovered"
_IN_WORDS = {_RECOVERED: "Identities recovered"}
_UNCHANGED = "none"

Run = Mapping[str, Any]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class _Condition:
    """Videos of one column.

    Attributes:
        heading: End of the headings.
        meaning: Meaning of the heading, for a footnote. Empty for unchanged videos.
        rows: Rows of the summary, by variant.
    """

    heading: str
    meaning: str
    rows: Mapping[str, Row]


def failure_table(run: Run) -> Table:
    """Return one row per variant and, for each score, one column per stressor.

    The scores are PAT, identity switches, fragments, and the share of identities that are recovered
    after an occlusion gap. The first column of each score is that of the unchanged videos.

    Args:
        run: A stress test. Each row of its summary has ``recovered``.
    """
    conditions = _conditions(run)
    variants = list(dict.fromkeys(row["variant"] for row in run["summary"]))
    columns = [Column("variant")]
    cells: list[list[Cell]] = [[name] for name in variants]
    for score in (*_SCORES, _RECOVERED):
        for condition in conditions:
            columns.append(_column(score, condition.heading))
            for line, variant in zip(cells, variants, strict=True):
                line.append(_value(condition.rows.get(variant), score))
    first = {row_name(row): row for row in reversed(run["summary"])}
    return Table(
        "Failure signatures",
        tuple(columns),
        tuple(map(tuple, cells)),
        tuple(_notes(run, conditions)),
        frozenset(at for at, name in enumerate(variants) if is_reference(first[name])),
    )


def score_tables_of_failures(run: Run, ending: str) -> list[Table]:
    """Return the columns of :func:`failure_table` as one narrow table for each score.

    Args:
        run: As in :func:`failure_table`.
        ending: End of the titles, such as the segments.
    """
    whole = failure_table(run)
    tables = []
    for score in (*_SCORES, _RECOVERED):
        places = [
            at
            for at, column in enumerate(whole.columns)
            if column.name.startswith(f"{score} ")
            and any(row[at] is not None for row in whole.rows)
        ]
        columns = [
            replace(each, name=each.name.removeprefix(f"{score} "))
            for each in (whole.columns[at] for at in places)
        ]
        rows = tuple((row[0], *(row[at] for at in places)) for row in whole.rows)
        tables.append(
            Table(
                f"{_IN_WORDS.get(score, score)} by failure signature{ending}",
                (whole.columns[0], *columns),
                rows,
                references=whole.references,
                name=f"headline-{score}",
            )
        )
    return tables


def _conditions(run: Run) -> list[_Condition]:
    """Return the unchanged videos, then each stressor at each of its levels."""
    stressors: Sequence[Mapping[str, Any]] = run["stressors"]
    found: list[_Condition] = []
    for stressor in stressors:
        name, levels = stressor["name"], stressor["levels"]
        if not found:
            found.append(_Condition(_UNCHANGED, "", _rows(run, name, 0)))
        signature = _SIGNATURES.get(name, name)
        for level, value in levels.items():
            heading = f"{signature} {level}" if len(levels) > 1 else signature
            meaning = f"{heading}: {name} at level {level}, {value:g} {stressor['unit']}"
            found.append(_Condition(heading, meaning, _rows(run, name, int(level))))
    return found


def _rows(run: Run, stressor: str, level: int) -> dict[str, Row]:
    return {
        row["variant"]: row
        for row in run["summary"]
        if (row["stress"]["stressor"], row["stress"]["level"]) == (stressor, level)
    }


def _column(score: str, heading: str) -> Column:
    if score == _RECOVERED:
        return Column(f"{score} {heading}", "percent", higher_is_better=True)
    shown = score_column(score)
    return Column(f"{score} {heading}", shown.kind, shown.higher_is_better)


def _value(row: Row | None, score: str) -> Cell:
    if row is None:
        return None
    if score == _RECOVERED:
        share: float | None = (row.get(_RECOVERED) or {}).get("share")
        return share
    return row_score(row, score)


def _notes(run: Run, conditions: Sequence[_Condition]) -> list[str]:
    protocol = run.get("protocol") or {}
    counts = sorted({row["n_sequences"] for row in run["summary"]})
    sequences = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
    meanings = [condition.meaning for condition in conditions if condition.meaning]
    return [
        f"{_UNCHANGED}: unchanged videos; {'; '.join(meanings)}.",
        "Recovered: share of the objects with a segment both before and after an occlusion gap "
        "(reappearances) whose first identity after the gap is their last before it. "
        f"Reappearances: {'; '.join(map(_reappearances, conditions))}. results.json has "
        "confidence intervals.",
        "IDSW and Frag are counts; lower is better. Frag depends on the segments, not on linking. "
        "Stressors change which objects can be tracked, so compare rows within a column.",
        f"{sequences} sequences; PAT protocol: {protocol_in_words(str(protocol.get('pat')))}.",
    ]


def _reappearances(condition: _Condition) -> str:
    found = [int(row[_RECOVERED]["n"]) for row in condition.rows.values() if row.get(_RECOVERED)]
    ends = sorted({min(found), max(found)}) if found else ["not run"]
    return f"{condition.heading} {' to '.join(map(str, ends))}"


_LEVEL_SCORES = (("PAT", "TQ", "STQ"), ("IDSW", "Frag"))
"""Groups of scores that share a table by level."""

_FUSIONS = (
    ("both", "both:appearance-first", "both:simultaneous"),
    ("mapt:paper", "mapt:appearance-first", "mapt:simultaneous", "mapt"),
)
"""Trackers that differ only in their fusion of both cues, without a network and of MAPT."""

_VOID = "void"

_FRAG_NOTE = (
    "Frag counts interruptions of ground-truth tracks by frames without a matching segment. It "
    "depends on the segments, not on linking. It is equal for all trackers that keep all segments."
)

Stressor = Mapping[str, Any]


def level_tables(run: Run, stressor: Stressor) -> list[Table]:
    """Return one row per variant and, for each score, one column per level. None without rows."""
    rows = _rows_of(run, stressor["name"])
    if not rows:
        return []
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
        name = "by_level" if first else "errors_by_level"
        keys = (("stressor", str(stressor["name"])),)
        references = _references(variants)
        tables.append(Table(title, tuple(columns), cells, tuple(notes), references, name, keys))
    return tables


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + f" and {words[-1]}"


def _references(variants: Mapping[str, Row]) -> frozenset[int]:
    return frozenset(at for at, row in enumerate(variants.values()) if is_reference(row))


def _rows_of(run: Run, stressor: str) -> list[Row]:
    return [row for row in run["summary"] if row["stress"]["stressor"] == stressor]


def _level_notes(run: Run, stressor: Stressor, rows: Sequence[Row]) -> list[str]:
    levels = ", ".join(f"{level}: {value:g}" for level, value in stressor["levels"].items())
    notes = [f"Level 0: unchanged videos; {levels} {stressor['unit']} ({stressor['meaning']})."]
    occluder = stressor.get("occluder")
    if occluder == _VOID:
        notes.append(
            "Occluders have no class in this label space and are void. STQ penalises void pixels "
            "in predicted tubes; PAT does not."
        )
    elif occluder:
        notes.append(f"Occluders are part of the ground truth, as {occluder}.")
    elif "occluder" in stressor:
        notes.append("No occlusion: no sequence has room for an occluder.")
    protocol = run.get("protocol") or {}
    counts = sorted({row["n_sequences"] for row in rows})
    numbers = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
    notes.append(
        f"{numbers} sequences; PAT protocol: {protocol_in_words(str(protocol.get('pat')))}; "
        f"segments: {protocol.get('segments')}."
    )
    notes += ["Copying and the oracle are references of each level and never marked as best."]
    return notes


def _of_fusion(run: Run) -> list[Row]:
    """Return the rows of each set of fusion orders that is complete."""
    rows: list[Row] = []
    for trackers in _FUSIONS:
        found = [row for row in run["summary"] if _without_memory(row) in trackers]
        rows += found if {_without_memory(row) for row in found} == set(trackers) else []
    return rows


def _without_memory(row: Row) -> str:
    """Return the name of a row without its memory. Rows with settings keep their name."""
    return re.sub(r"\+memory(=\d+)?$", "", str(row["variant"]))


def fusion_tables(run: Run) -> list[Table]:
    """Return the tables of fusion orders. None if a set of orders is incomplete."""
    return [fusion_table(run, score) for score in ("PAT", "IDSW")] if _of_fusion(run) else []


def fusion_table(run: Run, score: str) -> Table:
    """Return one row per fusion order and one column per stressor and level."""
    columns: dict[str, None] = {}
    values: dict[str, dict[str, Cell]] = {}
    for row in _of_fusion(run):
        level = row["stress"]["level"]
        name = f"{row['stress']['stressor']} {level}" if level else "none"
        columns[name] = None
        values.setdefault(row_name(row), {})[name] = row_score(row, score)
    shown = score_column(score)
    return Table(
        f"Fusion order: {score} by stressor and level",
        (
            Column("order"),
            *(Column(name, shown.kind, shown.higher_is_better) for name in columns),
        ),
        tuple((label, *(found.get(name) for name in columns)) for label, found in values.items()),
        name=f"fusion_{score}",  # not one file for both: counts beside percent have no unit
    )
