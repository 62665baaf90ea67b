"""Tables and sentences that only the report has: losses, worst sequences and cost."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mapt_bench.report.terms import reference_notes
from mapt_bench.reports.group_tables import of_group, splits
from mapt_bench.reports.headline import SELECTION
from mapt_bench.reports.loss_sentences import lost_points
from mapt_bench.reports.score_tables import interval_cell
from mapt_bench.reports.sentences import part_findings
from mapt_bench.reports.tables import RANGES, Cell, Column, Table
from mapt_bench.results.result_views import (
    Part,
    entry_of_row,
    is_reference,
    row_interval,
    row_milliseconds,
    row_name,
    row_score,
)

__all__ = [
    "WorstSequences",
    "cost_table",
    "explained",
    "failed_table",
    "interval_sentences",
    "losses_in_words",
    "part_losses",
    "plain_rows",
    "split_sentences",
    "worst_sequences",
    "worst_table",
]

Run = Mapping[str, Any]
Row = Mapping[str, Any]


def part_losses(part: Part) -> dict[str, Row]:
    """Return the error decompositions of a part of a run, by name of the row."""
    found: dict[str, Row] = {}
    for row in part.run["summary"]:
        losses = row.get("losses") or entry_of_row(part.run.get("cells") or (), row).get("losses")
        if losses:
            found.setdefault(row_name(row), losses)
    return found


def losses_in_words(found: Mapping[str, Row], noun: str) -> list[str]:
    """Return, for each row but the oracle, which mistakes cost most PAT.

    Args:
        found: Losses by name.
        noun: What has the names, ``"Row"`` or ``"Prediction"``.
    """
    return [
        sentence
        for name, losses in found.items()
        if not name.startswith("oracle")
        for sentence in lost_points(f"{noun} {name}", losses)
    ]


def explained(tables: Iterable[Table]) -> Iterator[Table]:
    """Yield headline tables with notes on rows that they do not show, on marks and references.

    Each note is below its first table only.
    """
    seen: set[str] = set()
    for table in tables:
        notes = [
            f"{note} All rows are in the folded tables below, and on the terminal with --full."
            if note.startswith(SELECTION)
            else note
            for note in table.footnotes
        ]
        notes += _on_marks(table)
        notes += reference_notes(str(table.rows[at][0]) for at in sorted(table.references))
        yield replace(table, footnotes=tuple(note for note in notes if note not in seen))
        seen.update(notes)


def _on_marks(table: Table) -> list[str]:
    """Return what a mark of the best means in a table, and which columns have none."""
    names = [column.name for column in table.columns if column.higher_is_better is not None]
    marked = {table.columns[at].name for _, at in table.best_cells()}
    competing = len(table.rows) - len(table.references)
    if not names or competing < 2:
        return []
    unjudged = table.unjudged_columns()
    if table.has_tests:
        rule = "if paired tests establish its lead over every other row"
        lacking = "Without a test"
    elif unjudged or any(column.kind in RANGES for column in table.columns):
        rule = "if every other row lies outside its confidence interval"
        lacking = "Without a confidence interval"
    elif marked:
        return ["Bold: the best number of a column. No difference was tested."]
    else:
        return ["Nothing is bold: rows tie in each column. No difference was tested."]
    notes = [f"Bold: the best of a column, {rule}."]
    unmarked = [name for name in names if name not in marked and name not in unjudged]
    if unmarked:
        notes.append(f"No lead over every other row: {', '.join(unmarked)}.")
    if unjudged:
        notes.append(f"{lacking}, so never bold: {', '.join(unjudged)}.")
    return [" ".join(notes)]


_FIRST = 3
"""Sentences on a split: the best row, the next, and whether the difference is established."""


def split_sentences(part: Part) -> list[str]:
    """Return, for each split of a suite, which row is best and whether its lead is established."""
    if part.run.get("stressors"):
        return []
    found = []
    for split in splits(part.run):
        of_split = replace(part, run=of_group(part.run, split))
        if not any(row["differences"] for row in of_split.run["summary"]):
            continue
        first = part_findings(of_split).first(_FIRST).sentences
        if first:
            found.append(f"On the {split.label} split: {' '.join(first)}")
    return found


def interval_sentences(run: Run) -> list[str]:
    """Return what the confidence intervals of a run on a suite cover, if it has some."""
    provenance = run.get("provenance") or {}
    is_of_suite = ((provenance.get("data") or {}).get("suite") or {}).get("name")
    if not is_of_suite or not any(interval_cell(row, "PAT") for row in run["summary"]):
        return []
    networks = "They do not cover another training of the networks."
    return [
        f"Confidence intervals are over videos. {networks if provenance.get('weights') else ''}"
    ]


_WORST = 20
"""Sequences of the table of the worst, for each part of a run."""


def failed_table(run: Run) -> Table | None:
    """Return the failed cells of a run and their reasons, ``None`` if there are none."""
    failed = [cell for cell in run.get("cells") or [] if cell.get("status") == "failed"]
    names = [str(cell.get("segments") or "") for cell in failed]
    rows = dict.fromkeys(
        (str(cell.get("variant")), name, str(cell.get("reason") or "unknown"))
        for cell, name in zip(failed, names, strict=True)
    )
    columns = (Column("variant"), Column("segments"), Column("reason"))
    return Table("Failed", columns, tuple(rows), name="failed") if rows else None


@dataclass(frozen=True)
class WorstSequences:
    """The sequences on which a row lost most, under one condition.

    Attributes:
        row: Row of the summary: the reference of the comparisons, or the best row.
        rows_shown: This row, and the best row if it is another.
        condition: Stressor and level, empty without stress.
        sentence: The sequence to look at first.
        table: One row per sequence, the largest loss first.
        bound: What the losses are measured against.
        sequence_count: Number of sequences with a PAT, in the table or not.
    """

    row: Row
    rows_shown: tuple[Row, ...]
    condition: str
    sentence: str
    table: Table
    bound: str
    sequence_count: int

    @property
    def subject(self) -> str:
        """Name of the row with its condition."""
        return f"{row_name(self.row)}{f' under {self.condition}' if self.condition else ''}"


def worst_sequences(part: Part) -> list[WorstSequences]:
    """Return the sequences that cost most in a part: in a stress test, for each stressor.

    A stressor is at its highest level.
    """
    found = [_worst_of(part, rows, condition) for condition, rows in _conditions(part)]
    return [each for each in found if each is not None]


def _conditions(part: Part) -> Iterable[tuple[str, list[Row]]]:
    """Yield each condition in words, with the rows that can be compared under it."""
    stressors = part.run.get("stressors") or []
    if not stressors:
        yield "", plain_rows(part)
    for stressor in stressors:
        name = str(stressor["name"])
        rows = [row for row in part.run["summary"] if row["stress"]["stressor"] == name]
        level = max((int(row["stress"]["level"]) for row in rows), default=0)
        if level:
            at_level = [row for row in rows if int(row["stress"]["level"]) == level]
            yield f"{name} at level {level}", at_level


def _worst_of(part: Part, rows: Sequence[Row], condition: str) -> WorstSequences | None:
    subject = _subject(rows, str((part.run.get("protocol") or {}).get("reference")))
    if subject is None:
        return None
    name = row_name(subject)
    oracle = next((row for row in rows if row_name(row) == "oracle"), None)
    bounds = _sequences(part.run, oracle) if oracle else {}
    own = _sequences(part.run, subject)
    table = worst_table(name, own, bounds, condition)
    if table is None:
        return None
    first = table.rows[0]
    lost = first[-1] if isinstance(first[-1], float) else 0.0
    bound = "the oracle" if bounds else "a perfect result"
    place = f"Under {condition}, " if condition else ""
    sentence = (
        f"{place}{name} loses most on sequence {first[0]}: {100 * lost:.2f} PAT less than {bound}."
        if lost > 0
        else f"{place}{name} loses nothing to {bound} on any sequence."
    )
    best = _subject(rows, "") or subject
    shown = (subject,) if best is subject else (subject, best)
    scored = [each for each in own.values() if each.get("PAT") is not None]
    return WorstSequences(subject, shown, condition, sentence, table, bound, len(scored))


def _subject(rows: Sequence[Row], wanted: str) -> Row | None:
    """Return the reference of the comparisons, or the best row if it is not there."""
    own = [row for row in rows if not is_reference(row) and row_score(row, "PAT") is not None]
    if not own:
        return None
    named = [row for row in own if row_name(row) == wanted]
    return named[0] if named else max(own, key=lambda row: row_score(row, "PAT") or 0.0)


def _sequences(run: Run, row: Row) -> Mapping[str, Row]:
    return entry_of_row(run.get("cells") or (), row).get("per_sequence") or {}


def worst_table(
    name: str, own: Mapping[str, Row], oracle: Mapping[str, Row], condition: str = ""
) -> Table | None:
    """Return one row per sequence, the largest loss first.

    Args:
        name: Name of the row.
        own: Its scores on each sequence.
        oracle: Those of the oracle. Without these, the bound is a perfect result.
        condition: Stressor and level, empty without stress.
    """
    rows = []
    for sequence, entry in own.items():
        pat = entry.get("PAT")
        if pat is None:
            continue
        bound = (oracle.get(sequence) or {}).get("PAT") if oracle else 1.0
        scores = [entry.get(key) for key in ("PQ", "TQ", "STQ", "IDSW")]
        lost = None if bound is None else bound - pat
        bounds = [bound] if oracle else []
        rows.append((sequence, entry.get("frames"), *scores, pat, *bounds, lost))
    if not rows:
        return None
    rows.sort(key=lambda row: -(row[-1] if row[-1] is not None else -1.0))
    columns = [Column("sequence"), Column("frames", "integer")]
    columns += [Column(key, "percent") for key in ("PQ", "TQ", "STQ")]
    columns += [Column("IDSW", "count"), Column(f"PAT of {name}", "percent")]
    columns += [Column("PAT of the oracle", "percent")] if oracle else []
    columns += [Column("lost", "percent")]
    more = len(rows) - _WORST
    notes = [f"{more} more sequences are not listed."] if more > 0 else []
    of = "the oracle" if oracle else "a perfect result, 100,"
    notes.append(f"Lost: PAT of {of} minus PAT of the row, on the same sequence.")
    words = f" under {condition}" if condition else ""
    return Table(
        f"Sequences that cost {name} most{words}",
        tuple(columns),
        tuple(rows[:_WORST]),
        tuple(notes),
        name="worst_sequences",
    )


def cost_table(part: Part) -> Table | None:
    """Return time against score of a part of a run, ``None`` if no time was measured."""
    rows = {
        row_name(row): row
        for row in plain_rows(part)
        if row_milliseconds(row) is not None and row_score(row, "PAT") is not None
    }
    if len(rows) < 2:
        return None
    cells: list[tuple[Cell, ...]] = [
        (
            name,
            row_score(row, "PAT"),
            row_milliseconds(row),
            *((row.get("cost") or {}).get(key) for key in ("delay_frames", "frames_timed")),
        )
        for name, row in rows.items()
    ]
    columns = (
        Column("variant"),
        Column("PAT", "percent"),
        Column("ms/frame", "decimal"),
        Column("delay (frames)", "integer"),
        Column("frames timed", "integer"),
    )
    return Table("Time and score", columns, tuple(cells), name="cost")


def plain_rows(part: Part) -> list[Row]:
    """Return the rows without stress and with a temporal interval of one frame."""
    return [
        row
        for row in part.run["summary"]
        if (row_interval(row) or ("", 1))[1] == 1 and not (row.get("stress") or {}).get("level")
    ]
