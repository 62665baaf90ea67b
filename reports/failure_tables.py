"""The table of failure signatures: rows under rapid motion, occlusion, look-alikes and blur."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mapt_bench.reports.score_tables import score_column
from mapt_bench.reports.tables import Cell, Column, Table
from mapt_bench.results.result_views import is_reference, row_name, row_score

__all__ = ["FAILURES", "failure_table", "score_tables_of_failures"]

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


def score_tables_of_failures(run: Run, title: str) -> list[Table]:
    """Return the columns of :func:`failure_table` as one narrow table for each score.

    Args:
        run: As in :func:`failure_table`.
        title: End of the titles, such as the segments.
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
                f"{_IN_WORDS.get(score, score)} by failure signature: {title}",
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
        f"{sequences} sequences; PAT protocol: {protocol.get('pat')}.",
    ]


def _reappearances(condition: _Condition) -> str:
    found = [int(row[_RECOVERED]["n"]) for row in condition.rows.values() if row.get(_RECOVERED)]
    ends = sorted({min(found), max(found)}) if found else ["not run"]
    return f"{condition.heading} {' to '.join(map(str, ends))}"
