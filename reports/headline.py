"""The short answer of a result: headline tables, sentences, and what was not run.

The terminal and pages show the same :class:`Headline`. :func:`run_headline` makes it from a run,
:func:`evaluation_headline` from evaluations. :mod:`~mapt_bench.reports.sentences` has the
sentences.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mapt_bench.errors import ConfigError, counted, listed, nearest, printable
from mapt_bench.reports._stress_tables import FAILURES, score_tables_of_failures
from mapt_bench.reports.finding import Finding
from mapt_bench.reports.paired_verdicts import compared_with
from mapt_bench.reports.score_tables import (
    estimate,
    evaluation_notes,
    interval_cell,
    interval_column,
    score_column,
)
from mapt_bench.reports.sentences import (
    NAMED,
    SWEEP_WORDS,
    evaluation_findings,
    run_findings,
)
from mapt_bench.reports.tables import Cell, Column, Table
from mapt_bench.results.result_views import (
    HEADLINE,
    Part,
    is_reference,
    row_interval,
    row_milliseconds,
    row_name,
    run_parts,
)

__all__ = [
    "MILLISECONDS",
    "ROWS_SHOWN",
    "SCORE_NAMES",
    "SELECTION",
    "Headline",
    "Selection",
    "evaluation_headline",
    "headline_tables",
    "rows_shown",
    "run_headline",
    "selection_note",
    "skipped_sentences",
]

ROWS_SHOWN = 12
"""Most rows of a headline table, references included."""

_ROWS_OF_ALL, _FEWEST_ROWS = 20, 3
"""Rows of all headline tables if there are several, and fewest rows of one of them."""

SELECTION = "A selection: "
"""Start of the note on rows that are not shown."""

MILLISECONDS = "ms/frame"

SCORE_NAMES = (*HEADLINE, MILLISECONDS)
"""Names of all scores that headline tables may show."""

_CORE = ("PAT", "PQ", "TQ", "STQ", "AssA", "IDSW")
"""Scores of the headline tables."""

_INTERVAL_PRIORITY, _TIME_PRIORITY = 6, 3

_NAMED_REFERENCES = ("oracle", "unlinked", "copy")

Run = Mapping[str, Any]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Selection:
    """Scores and rows that the user selects for headline tables, in the order given.

    Attributes:
        scores: Names of scores, or ``"ms/frame"``. Empty for the default scores.
        rows: Names of rows. Empty for the default rows.
    """

    scores: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.scores or self.rows)

    def check_scores(self) -> None:
        """Check that all scores exist.

        Raises:
            ConfigError: If a score is unknown.
        """
        for name in self.scores:
            if name not in SCORE_NAMES:
                known = nearest(name, SCORE_NAMES)
                raise ConfigError(f"--scores names the unknown score {name!r}; {known}")

    def check_rows(self, known: Iterable[str]) -> None:
        """Check that all rows are rows of the result.

        Raises:
            ConfigError: If a row is unknown.
        """
        names = tuple(known)
        for name in self.rows:
            if name not in names:
                raise ConfigError(f"--rows names the unknown row {name!r}; {nearest(name, names)}")


_EVERYTHING = Selection()


@dataclass(frozen=True)
class Headline:
    """The short answer of a result.

    Attributes:
        title: What was run on which data, one line.
        tables: One table for each source of segments, best rows first and references last. Its
            title names the segments.
        findings: What the result shows, for each source of segments.
        notes: Lines on the protocol, and on undefined scores.
        skipped: Lines on what was not run, with reasons.
        row_count: Number of rows of all tables, shown or not.
    """

    title: str
    tables: tuple[Table, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    row_count: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", printable(self.title))
        for name in ("notes", "skipped"):
            object.__setattr__(self, name, tuple(map(printable, getattr(self, name))))

    @property
    def hidden_rows(self) -> int:
        """Number of rows that the tables do not show."""
        return self.row_count - sum(len(table.rows) for table in self.tables)


def run_headline(
    run: Run, *, rows: int = ROWS_SHOWN, selection: Selection = _EVERYTHING
) -> Headline:
    """Return the short answer of a run: an ablation, a sweep or a stress test.

    Args:
        run: A result of schema ``mapt-bench/run/1``.
        rows: Most rows of a table. Several tables have fewer: see :func:`rows_shown`.
        selection: Scores and rows to show instead of the default ones.
    """
    every = headline_tables(run, rows=len(run["summary"]))
    most = min(rows, rows_shown(len(every)))
    return Headline(
        title=_run_title(run),
        tables=tuple(headline_tables(run, rows=most, selection=selection)),
        findings=tuple(run_findings(run)),
        skipped=tuple(skipped_sentences(run)),
        row_count=sum(len(table.rows) for table in every),
    )


def rows_shown(tables: int) -> int:
    """Return the largest number of rows of each of several headline tables.

    The terminal and pages show the same rows, and the terminal has few lines.
    """
    return max(_FEWEST_ROWS, min(ROWS_SHOWN, _ROWS_OF_ALL // max(tables, 1)))


def headline_tables(
    run: Run, *, rows: int = ROWS_SHOWN, selection: Selection = _EVERYTHING
) -> list[Table]:
    """Return the headline tables of a run: see :class:`Headline`."""
    tables, failures = [], []
    for part in run_parts(run):
        summary: Sequence[Row] = part.run["summary"]
        kinds = list(dict.fromkeys(found[0] for row in summary if (found := row_interval(row))))
        if kinds:
            tables += [_sweep_headline(part, kind) for kind in kinds]
        elif run.get("experiment") == FAILURES:
            failures += score_tables_of_failures(part.run, part.ending)
        elif run.get("stressors"):
            tables.append(_stress_headline(part))
        else:
            tables.append(_score_headline(part, selection))
    shown = [_with_rows(table, run, rows, selection) for table in tables]
    return shown + [_selected(table, selection) for table in failures]


def _selected(table: Table, selection: Selection) -> Table:
    """Return a table with the selected rows in their order, or with all of its rows."""
    names = [str(row[0]) for row in table.rows]
    places = [names.index(each) for each in selection.rows if each in names]
    return _in_order(table, places) if selection.rows else table


def _score_headline(part: Part, selection: Selection) -> Table:
    summary: Sequence[Row] = part.run["summary"]
    names = selection.scores or (*_CORE, MILLISECONDS)
    columns, cells = [Column("variant")], [[row_name(row)] for row in summary]
    return _filled(columns, cells, summary, names, title=part.words)


def _filled(
    columns: list[Column],
    cells: Sequence[list[Any]],
    rows: Sequence[Row],
    names: Sequence[str],
    *,
    title: str,
) -> Table:
    """Return a table with the columns of some scores, as far as the rows have them."""
    for name in names:
        if name == MILLISECONDS:
            values: list[Cell] = [row_milliseconds(row) for row in rows]
            column = Column(name, "decimal", False, _TIME_PRIORITY)
        else:
            values = [estimate(row, name, compared_with(rows)) for row in rows]
            column = score_column(name)
        if any(value is not None for value in values):
            columns.append(column)
            for line, value in zip(cells, values, strict=True):
                line.append(value)
        intervals = [interval_cell(row, name) for row in rows]
        if name == "PAT" and any(intervals):
            level = _level(rows)
            columns.append(
                replace(
                    interval_column(name),
                    name=f"{100 * level:g} % CI",
                    priority=_INTERVAL_PRIORITY,
                )
            )
            for line, interval in zip(cells, intervals, strict=True):
                line.append(interval)
    references = frozenset(at for at, row in enumerate(rows) if _is_reference(row))
    return Table(
        title,
        tuple(columns),
        tuple(map(tuple, cells)),
        references=references,
        name="headline",
    )


def _is_reference(row: Row) -> bool:
    return "variant" in row and is_reference(row)


def _level(rows: Sequence[Row]) -> float:
    levels = [
        float(interval["level"])
        for row in rows
        if "level" in (interval := (row.get("intervals") or {}).get("PAT") or {})
    ]
    return levels[0] if levels else 0.95


def _sweep_headline(part: Part, kind: str) -> Table:
    """Return the PAT of each variant (rows) at each temporal interval of a kind (columns)."""
    summary = [row for row in part.run["summary"] if (row_interval(row) or ("",))[0] == kind]
    taus = sorted({found[1] for row in summary if (found := row_interval(row))})
    values = {(row_name(row), (row_interval(row) or ("", 0))[1]): row for row in summary}
    headings = {tau: f"{kind} {tau}" for tau in taus}
    words = SWEEP_WORDS.get(kind, kind)
    return _by_condition(
        summary,
        {
            heading: {name: row for (name, at), row in values.items() if at == tau}
            for tau, heading in headings.items()
        },
        title=f"PAT by {words}{part.ending}",
    )


def _stress_headline(part: Part) -> Table:
    """Return the PAT of each variant without stress and at the levels of each stressor."""
    conditions: dict[str, dict[str, Row]] = {}
    priorities: dict[str, int] = {}
    for row in part.run["summary"]:
        level = int(row["stress"]["level"])
        heading = f"{row['stress']['stressor']} {level}" if level else "none"
        conditions.setdefault(heading, {}).setdefault(row_name(row), row)
        priorities[heading] = level or 99
    table = _by_condition(
        part.run["summary"], conditions, title=f"PAT by stressor and level{part.ending}"
    )
    columns = [replace(column, priority=priorities.get(column.name, 0)) for column in table.columns]
    return replace(table, columns=tuple(columns))


def _by_condition(
    summary: Sequence[Row], conditions: Mapping[str, Mapping[str, Row]], *, title: str
) -> Table:
    variants = {row_name(row): row for row in summary}
    reference = compared_with(summary)
    columns = [Column("variant"), *(Column(name, "percent", True) for name in conditions)]
    cells = tuple(
        (
            name,
            *(
                estimate(found[name], "PAT", reference) if name in found else None
                for found in conditions.values()
            ),
        )
        for name in variants
    )
    references = frozenset(at for at, row in enumerate(variants.values()) if is_reference(row))
    return Table(title, tuple(columns), cells, references=references, name="headline")


def _with_rows(table: Table, run: Run, limit: int, selection: Selection) -> Table:
    """Return a headline table with the selected rows, best rows first and references last."""
    names = [str(row[0]) for row in table.rows]
    if selection.rows:
        return _selected(table, selection)
    own = [at for at in range(len(names)) if at not in table.references]
    references = [at for at in range(len(names)) if at in table.references]
    kept = _chosen(table, references, _ranks(_NAMED_REFERENCES), max(1, min(2, limit // 4)))
    own = _chosen(table, own, _importance(table, run, own), limit - len(kept))
    if limit >= len(names):
        kept = references
    shown = _in_order(table, [*sorted(own, key=lambda at: _falling(table.rows[at])), *kept])
    if len(shown.rows) == len(names):
        return shown
    note = selection_note(len(shown.rows), len(names))
    return replace(shown, footnotes=(*shown.footnotes, note))


def selection_note(shown: int, count: int) -> str:
    """Return a note on rows that are not shown: rows are chosen by importance, not by PAT."""
    return f"{SELECTION}{shown} of {counted(count, 'row')}. Others may have a higher PAT."


def _in_order(table: Table, places: Sequence[int]) -> Table:
    references = frozenset(i for i, at in enumerate(places) if at in table.references)
    return replace(table, rows=tuple(table.rows[at] for at in places), references=references)


def _falling(row: Sequence[Cell]) -> float:
    """Return a key that sorts rows by their last PAT, the highest first."""
    values = [cell for cell in row[1:2] if isinstance(cell, int | float)]
    return -float(values[0]) if values else 1.0


def _chosen(
    table: Table, places: Sequence[int], ranks: Mapping[str, float], limit: int
) -> list[int]:
    """Return the most important rows, in the order of the table."""
    found = sorted(places, key=lambda at: (ranks.get(str(table.rows[at][0]), 1000), at))
    return sorted(found[: max(limit, 0)])


def _ranks(bases: Sequence[str]) -> dict[str, float]:
    return {base: at for at, base in enumerate(bases)}


_LEADING = 2
"""Rows with the highest PAT that a table always has: the best and the next."""

_REFERENCE_RANK, _BEST_RANK, _ADDED_RANK, _NAMED_RANK = -3, -2, -1, 0


def _importance(table: Table, run: Run, places: Sequence[int]) -> dict[str, float]:
    """Return a rank for each row name: the reference, the best, the user's rows, named trackers."""
    groups = {row_name(row): row.get("group") for row in run["summary"]}
    names = {str(table.rows[at][0]) for at in places}
    ranks: dict[str, float] = {}
    for at, base in enumerate(NAMED):
        with_memory = [
            name for name in names if re.fullmatch(rf"{re.escape(base)}\+memory(=\d+)?", name)
        ]
        ranks |= dict.fromkeys(with_memory, _NAMED_RANK + at)
        ranks.setdefault(base, _NAMED_RANK + at + (0.5 + len(NAMED) if with_memory else 0))
    ranks |= {name: _ADDED_RANK for name in names if groups.get(name) in ("added", "switch")}
    leading = sorted(places, key=lambda at: _falling(table.rows[at]))[:_LEADING]
    ranks |= {str(table.rows[at][0]): _BEST_RANK + i / 2 for i, at in enumerate(leading)}
    ranks[str((run.get("protocol") or {}).get("reference"))] = _REFERENCE_RANK
    return ranks


def _run_title(run: Run) -> str:
    data = ((run.get("provenance") or {}).get("data") or {}).get("name")
    counts = {row.get("n_sequences") for row in run["summary"]} - {None, 0}
    labels = (run.get("protocol") or {}).get("label_space")
    parts = [f"{run.get('experiment', 'run')}{f' on {data}' if data else ''}"]
    parts[0] += f" ({labels})" if labels else ""
    parts += [counted(max(counts), "sequence")] if counts else []
    return f"{', '.join(parts)}: scores in percent"


def skipped_sentences(run: Run) -> list[str]:
    """Return one sentence on what was not run, with the reasons that several names share."""
    reasons: dict[str, list[str]] = {}
    for skip in run.get("skipped") or []:
        name = str(skip.get("sequence") or skip.get("tracker", ""))
        reasons.setdefault(str(skip.get("reason", "no reason given")), []).append(name)
    if not reasons:
        return []
    shared = {why: names for why, names in reasons.items() if len(names) > 1 or len(reasons) == 1}
    single = [name for why, names in reasons.items() if why not in shared for name in names]
    groups = [f"{listed(names)} ({why})" for why, names in shared.items()]
    groups += [f"{listed(single)} (reasons: tables/skipped.csv)"] if single else []
    return [f"Not run: {'; '.join(groups)}."]


_WIDE = ("AQ", "SQ", "HOTA", "IDF1", "VPQ", "Frag", "PTQ")
"""Scores of evaluations that follow where the terminal is wide enough."""


def evaluation_headline(
    evaluations: Sequence[Row], *, rows: int = ROWS_SHOWN, selection: Selection = _EVERYTHING
) -> Headline:
    """Return the short answer of evaluations, one row per prediction.

    Args:
        evaluations: Results of schema ``mapt-bench/evaluation/2``, one per prediction.
        rows: Largest number of rows.
        selection: Scores and predictions to show instead of the default ones.
    """
    names = selection.scores or (*_CORE, *_WIDE)
    cells: list[list[Cell]] = [[str(each["name"])] for each in evaluations]
    table = _filled([Column("prediction")], cells, evaluations, names, title="")
    shown = [str(each["name"]) for each in evaluations]
    places = [shown.index(name) for name in selection.rows] if selection.rows else range(len(shown))
    counts = {len(each.get("per_sequence", {})) for each in evaluations}
    datasets = {str(each.get("protocol", {}).get("dataset", "")): None for each in evaluations}
    title = f"evaluate on {', '.join(datasets)}, {counted(max(counts), 'sequence')}"
    findings = evaluation_findings(evaluations)
    told = {sentence for each in findings for sentence in each.sentences}
    return Headline(
        title=f"{title}: scores in percent",
        tables=(_in_order(table, list(places)[:rows]),),
        findings=tuple(findings),
        notes=tuple(note for note in evaluation_notes(evaluations) if note not in told),
        row_count=len(shown),
    )
