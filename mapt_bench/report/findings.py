"""Tables and sentences that only the report has: losses, worst sequences, cost, provenance."""

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mapt_bench.reports.sentences import largest_loss
from mapt_bench.reports.tables import Cell, Column, Table
from mapt_bench.results.result_views import (
    Part,
    is_reference,
    row_interval,
    row_name,
    row_score,
    run_parts,
)

__all__ = [
    "WorstSequences",
    "cost_tables",
    "evaluate_command",
    "failed_table",
    "largest_losses",
    "provenance_tables",
    "run_command",
    "run_losses",
    "worst_sequences",
    "worst_table",
]

Run = Mapping[str, Any]
Row = Mapping[str, Any]


def run_losses(run: Run) -> dict[str, Row]:
    """Return the error decompositions of a run by name of the row, those of its parts apart."""
    cells = {cell.get("key"): cell for cell in run.get("cells") or []}
    parts = run_parts(run)
    found: dict[str, Row] = {}
    for part in parts:
        for row in part.run["summary"]:
            losses = row.get("losses") or (cells.get(row.get("cell")) or {}).get("losses")
            if losses:
                ending = f" ({part.name})" if len(parts) > 1 and part.name else ""
                found.setdefault(f"{row_name(row)}{ending}", losses)
    return found


def largest_losses(found: Mapping[str, Row]) -> list[str]:
    """Return, for each row but the oracle, the kind of mistake that costs most PAT."""
    clauses = [
        largest_loss(name, losses)
        for name, losses in found.items()
        if not name.startswith("oracle")
    ]
    return [f"{clause}." for clause in clauses if clause]


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
    """The sequences on which a row lost most.

    Attributes:
        row: Row of the summary: the reference of the comparisons, or the best row.
        rows_shown: This row, and the best row if it is another.
        words: Description of its segments, empty if unknown.
        sentence: The sequence to look at first.
        table: One row per sequence, the largest loss first.
    """

    row: Row
    rows_shown: tuple[Row, ...]
    words: str
    sentence: str
    table: Table

    @property
    def subject(self) -> str:
        """Name of the row with its segments, for sentences."""
        return f"{f'On {self.words}, ' if self.words else ''}{row_name(self.row)}"


def worst_sequences(run: Run) -> list[WorstSequences]:
    """Return, for each part of a run, the sequences that cost most. None for stress tests."""
    found = []
    cells = {cell.get("key"): cell for cell in run.get("cells") or []}
    for part in run_parts(run) if not run.get("stressors") else ():
        rows = _plain_rows(part)
        subject = _subject(rows, str((run.get("protocol") or {}).get("reference")))
        if subject is None:
            continue
        oracle = next((row for row in rows if row_name(row) == "oracle"), None)
        bounds = _sequences(cells, oracle) if oracle else {}
        table = worst_table(row_name(subject), _sequences(cells, subject), bounds, part)
        if table is None:
            continue
        first = table.rows[0]
        lost = first[-1] if isinstance(first[-1], float) else 0.0
        bound = "the oracle" if bounds else "a perfect result"
        place = f"On {part.words}, look" if part.words else "Look"
        sentence = (
            f"{place} at sequence {first[0]} first: there {row_name(subject)} has {100 * lost:.2f} "
            f"PAT less than {bound}, more than on any other sequence."
            if lost > 0
            else f"{row_name(subject)} loses nothing to {bound} on any sequence."
        )
        best = _subject(rows, "") or subject
        shown = (subject,) if best is subject else (subject, best)
        found.append(WorstSequences(subject, shown, part.words, sentence, table))
    return found


def _subject(rows: Sequence[Row], wanted: str) -> Row | None:
    """Return the reference of the comparisons, or the best row if it is not there."""
    own = [row for row in rows if not is_reference(row) and row_score(row, "PAT") is not None]
    if not own:
        return None
    named = [row for row in own if row_name(row) == wanted]
    return named[0] if named else max(own, key=lambda row: row_score(row, "PAT") or 0.0)


def _sequences(cells: Mapping[Any, Row], row: Row) -> Mapping[str, Row]:
    return (cells.get(row.get("cell")) or {}).get("per_sequence") or {}


def worst_table(
    name: str, own: Mapping[str, Row], oracle: Mapping[str, Row], part: Part | None
) -> Table | None:
    """Return one row per sequence, the largest loss first."""
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
    of = "the oracle less the row" if oracle else "100 less the row"
    notes.append(f"Lost: PAT of {of}, on the same sequence.")
    words = f", {part.words}" if part is not None and part.words else ""
    return Table(
        f"Sequences that cost {name} most{words}",
        tuple(columns),
        tuple(rows[:_WORST]),
        tuple(notes),
        name="worst_sequences",
    )


def cost_tables(run: Run) -> list[Table]:
    """Return time against score, for the parts of a run that measured time."""
    tables = []
    for part in run_parts(run):
        rows = {
            row_name(row): row
            for row in _plain_rows(part)
            if _seconds(row) is not None and row_score(row, "PAT") is not None
        }
        if len(rows) < 2:
            continue
        cells: list[tuple[Cell, ...]] = [
            (
                name,
                row_score(row, "PAT"),
                1000 * (_seconds(row) or 0.0),
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
        title = f"Time and score: {part.words}" if part.words else "Time and score"
        tables.append(Table(title, columns, tuple(cells), name="cost"))
    return tables


def _plain_rows(part: Part) -> list[Row]:
    """Return the rows without stress and with a temporal interval of one frame."""
    return [
        row
        for row in part.run["summary"]
        if (row_interval(row) or ("", 1))[1] == 1 and not (row.get("stress") or {}).get("level")
    ]


def _seconds(row: Row) -> float | None:
    value: float | None = (row.get("cost") or {}).get("seconds_per_frame")
    return value


def run_command(run: Run) -> str:
    """Return the command of a run. Older results do not store it: then what is known of it."""
    provenance = run.get("provenance") or {}
    if provenance.get("command"):
        return str(provenance["command"])
    experiment = str(run.get("experiment") or "")
    if not experiment:
        return ""
    words = ["mapt-bench", *experiment.split("-", 1)] if experiment.startswith("stress-") else []
    words = words or ["mapt-bench", experiment]
    data = provenance.get("data") or {}
    suite = (data.get("suite") or {}).get("name")
    words += ["--suite", str(suite)] if suite else ["--data", str(data.get("name", "DATA"))]
    words += ["--seed", str(provenance["seed"])] if provenance.get("seed") else []
    return shlex.join(words)


def provenance_tables(result: Row) -> list[Table]:
    """Return protocol, data, code and machine of a result, one row per setting."""
    provenance = dict(result.get("provenance") or {})
    data = dict(provenance.pop("data", None) or {})
    sequences = data.pop("sequences", None) or {}
    if sequences:
        data["sequences"] = f"{len(sequences)}, {sum(map(_whole, sequences.values()))} frames"
    provenance.pop("command", None)
    tables = []
    for title, entries in (
        ("Protocol", result.get("protocol") or {}),
        ("Data", data),
        ("Code and machine", provenance),
    ):
        rows = [(key, value) for key, value in _flat(entries) if value]
        more = len(rows) - _SETTINGS
        notes = (f"{more} more entries are in the result file.",) if more > 0 else ()
        if rows:
            columns = (Column("setting"), Column("value"))
            tables.append(Table(title, columns, tuple(rows[:_SETTINGS]), notes, name="setting"))
    return tables


_SETTINGS = 60
"""Largest number of rows of a table of settings, for example of fingerprints of sequences."""


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _flat(entries: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, str]]:
    """Yield the entries of nested data as text, with the path of their keys."""
    for key, value in entries.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}: ")
        elif isinstance(value, list) and all(isinstance(each, str | int) for each in value):
            yield name, ", ".join(map(str, value))
        elif value is not None:
            yield name, value if isinstance(value, str) else json.dumps(value)


def evaluate_command(evaluation: Row) -> str:
    """Return the command of an evaluation. Paths that its result lacks are placeholders."""
    inputs = (evaluation.get("provenance") or {}).get("inputs") or {}
    paths = [(inputs.get(side) or {}).get("path") for side in ("ground_truth", "predictions")]
    given = [str(path or word) for path, word in zip(paths, ("GT", "PRED"), strict=True)]
    words = ["mapt-bench", "evaluate", *given]
    dataset = (evaluation.get("protocol") or {}).get("dataset")
    words += ["--dataset", str(dataset)] if dataset else []
    words += ["--intervals"] if evaluation.get("intervals") else []
    words += ["--losses"] if evaluation.get("losses") else []
    return shlex.join(words)
