"""Tables of a run (``mapt-bench/run/1``): ablations, interval sweeps and stress tests.

:func:`run_tables` and :func:`stress_tables` are the entry points.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mapt_bench.errors import counted, listed
from mapt_bench.reports._stress_tables import (
    FAILURES,
    failure_table,
    fusion_tables,
    level_tables,
)
from mapt_bench.reports.difference_tables import differences_tables, memory_table
from mapt_bench.reports.group_tables import (
    VIDEOS,
    of_group,
    score_group_tables,
    splits,
    splits_table,
)
from mapt_bench.reports.link_tables import (
    break_table,
    full_occlusions_table,
    gaps_table,
    group_table,
    recovery_tables,
    visibility_table,
)
from mapt_bench.reports.loss_tables import losses_of_rows
from mapt_bench.reports.paired_verdicts import compared_with
from mapt_bench.reports.score_tables import (
    estimate,
    interval_cell,
    interval_column,
    interval_notes,
    score_column,
)
from mapt_bench.reports.step_tables import step_tables
from mapt_bench.reports.tables import (
    UNDEFINED,
    Cell,
    Column,
    Table,
    format_cell,
    with_content,
)
from mapt_bench.results.result_views import (
    Part,
    conditions_note,
    entry_of_row,
    is_reference,
    protocol_in_words,
    row_interval,
    row_milliseconds,
    row_name,
    row_score,
    run_parts,
    segments_in_words,
)

__all__ = [
    "CLAIMED",
    "claims_table",
    "part_tables",
    "run_tables",
    "skipped_table",
    "stress_tables",
    "summary_table",
    "sweep_table",
    "tables_of_all_parts",
]

CLAIMED = "claimed (paper, KITTI-STEP val)"
"""Heading of the numbers of the paper, which are not measured here."""

_BANDED = ("PAT", "TQ", "STQ")
"""Scores whose confidence intervals are shown, if a run has them."""

_SHOWN = ("PAT", "PQ", "TQ", "STQ", "AQ", "SQ", "PTQ", "HOTA", "AssA", "IDF1", "IDSW", "Frag")

Run = Mapping[str, Any]
Row = Mapping[str, Any]


def run_tables(run: Run) -> list[Table]:
    """Return all tables of a run.

    Each source of segments has a summary and, if the run has them, sweeps, groups of videos and
    paired differences. Skipped variants and the claims of the paper follow.
    """
    return _tables_of_parts(run) + tables_of_all_parts(run)


def tables_of_all_parts(run: Run) -> list[Table]:
    """Return the tables of a run that concern all its parts: what was skipped, and claims."""
    tables = [skipped_table(run)] if run.get("skipped") else []
    if not run.get("stressors") and _concerns_the_paper(run):
        tables.append(_under_conditions(claims_table(run), run))
    return tables


def part_tables(part: Part) -> list[Table]:
    """Return the tables of one part of a run. Their titles do not name the segments."""
    is_stress = bool(part.run.get("stressors"))
    tables = with_content(_stress_part_tables(part.run)) if is_stress else _part_tables(part.run)
    keys = [("segments", part.name)]
    keys += [("networks", "trained without a component")] if part.trained else []
    return [
        replace(_under_conditions(table, part.run), keys=(*keys, *table.keys)) for table in tables
    ]


def _tables_of_parts(run: Run) -> list[Table]:
    """Return the tables of all parts. If there are several, titles name the segments."""
    parts = run_parts(run)
    return [
        replace(table, title=f"{table.title}{part.ending if len(parts) > 1 else ''}")
        for part in parts
        for table in part_tables(part)
    ]


def _concerns_the_paper(run: Run) -> bool:
    """Return whether claims on KITTI-STEP val can be beside a run: real data of its label space."""
    data = (run.get("provenance") or {}).get("data") or {}
    is_claimed = any(claim.get("measured") is not None for claim in run.get("claims") or [])
    label_space = (run.get("protocol") or {}).get("label_space")
    return is_claimed and not data.get("suite") and label_space == "kitti-step"


def _under_conditions(table: Table, run: Run) -> Table:
    """Add a footnote with thresholds, memory and pairing interval to a table, if known."""
    note = conditions_note(run["summary"])
    return replace(table, footnotes=(*table.footnotes, *([note] if note else [])))


def _part_tables(run: Run) -> list[Table]:
    tables: list[Table] = []
    if any(row_interval(row) for row in run["summary"]):
        tables += [sweep_table(run, "PAT"), sweep_table(run, "STQ")]
        tables += _sweeps_of_splits(run)
    else:
        tables += score_group_tables(run)
        tables += [splits_table(run)] if splits(run) else []
    tables += differences_tables(run)
    if (memory := memory_table(run)) is not None:
        tables.append(memory)
    if run.get("links_by_group"):
        tables.append(group_table(run))
    if run.get("recoveries"):
        tables += [full_occlusions_table(run), gaps_table(run)]
    tables += losses_of_rows(run["summary"])
    tables += step_tables(run.get("steps") or [])
    return [summary_table(run), *with_content(tables)]


def _sweeps_of_splits(run: Run) -> list[Table]:
    tables = ((group, sweep_table(of_group(run, group), "PAT")) for group in splits(run))
    return [
        replace(
            table,
            title=f"{table.title}, {group.heading}",
            keys=(("score", "PAT"), (VIDEOS, group.label)),
        )
        for group, table in tables
    ]


def summary_table(run: Run) -> Table:
    """Return one row per variant (and temporal interval), with best values marked.

    Reference rows (see :func:`is_reference`) are never the best. A sweep has no best values,
    because only rows with the same tau are comparable.
    """
    rows: Sequence[Row] = run["summary"]
    sweeps = any(row_interval(row) for row in rows)
    shown = [name for name in _SHOWN if any(row_score(row, name) is not None for row in rows)]
    banded = [name for name in _BANDED if any(interval_cell(row, name) for row in rows)]
    timed = any(row_milliseconds(row) is not None for row in rows)
    columns = [Column("variant")]
    columns += [Column("interval"), Column("tau", "integer")] if sweeps else []
    for name in shown:
        column = score_column(name)
        columns.append(Column(name, column.kind, None if sweeps else column.higher_is_better))
        columns += [interval_column(name)] if name in banded else []
    columns += [Column("ms/frame", "decimal")] if timed else []
    cells, reference = [], compared_with(rows)
    for row in rows:
        line: list[Cell] = [row_name(row)]
        line += (row_interval(row) or ("", None)) if sweeps else ()
        for name in shown:
            line.append(estimate(row, name, reference))
            line += [interval_cell(row, name)] if name in banded else []
        line += [row_milliseconds(row)] if timed else []
        cells.append(tuple(line))
    references = frozenset(index for index, row in enumerate(rows) if is_reference(row))
    notes = _summary_notes(run, sweeps=sweeps, references=references)
    return Table(_title(run), tuple(columns), tuple(cells), tuple(notes), references, name="scores")


def sweep_table(run: Run, score: str) -> Table:
    """Return one row per variant and one column per temporal interval, for one score.

    The rows of a column are comparable, so its best value is marked.
    """
    rows: Sequence[Row] = run["summary"]
    intervals = sorted({found for row in rows if (found := row_interval(row))})
    variants: dict[str, dict[tuple[str, int], Cell]] = {}
    references, reference = set(), compared_with(rows)
    for row in rows:
        if found := row_interval(row):
            variants.setdefault(row_name(row), {})[found] = estimate(row, score, reference)
            references |= {row_name(row)} if is_reference(row) else set()
    shown = score_column(score)
    columns = [Column("variant")]
    columns += [
        Column(f"{kind} {tau}".strip(), shown.kind, shown.higher_is_better)
        for kind, tau in intervals
    ]
    cells = [
        (label, *(found.get(interval) for interval in intervals))
        for label, found in variants.items()
    ]
    return Table(
        f"{score} over the temporal interval",
        tuple(columns),
        tuple(cells),
        references=frozenset(i for i, label in enumerate(variants) if label in references),
        name="by_interval",
        keys=(("score", score), (VIDEOS, "all")),
    )


def skipped_table(run: Run) -> Table:
    """Return the skipped rows and sequences with their reasons. Equal reasons share a row."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for skip in run["skipped"]:
        place = str(skip.get("tracker", "")), str(skip.get("reason", ""))
        reasons.setdefault(place, []).extend([skip["sequence"]] if skip.get("sequence") else [])
    rows: list[tuple[Cell, ...]] = [(*place, listed(names)) for place, names in reasons.items()]
    columns = [Column("tracker"), Column("reason"), Column("sequences")]
    if not any(reasons.values()):
        columns, rows = columns[:2], [row[:2] for row in rows]
    return Table("Not run", tuple(columns), tuple(rows), name="skipped")


def claims_table(run: Run) -> Table:
    """Return the claims of the paper beside the measurements of this run, in percent.

    Claims that are not comparable with this run are listed in footnotes, one per reason.
    """
    columns = (
        Column("claim"),
        Column(CLAIMED, "percent"),
        Column("measured", "percent"),
        Column("difference", "points"),
    )
    held = [claim for claim in run["claims"] if claim.get("measured") is not None]
    rows = tuple(
        (str(claim["name"]), *(claim.get(key) for key in ("claimed", "measured", "difference")))
        for claim in held
    )
    notes = ["Claimed numbers are from the paper and not measured here."]
    notes += [f"{note[:1].upper()}{note[1:]}." for note in _notes_of(held)]
    apart: dict[str, list[str]] = {}
    for claim in run["claims"]:
        if claim.get("measured") is None:
            claimed = format_cell(claim.get("claimed"), "percent")
            reason = str(claim.get("note") or "not measured")
            apart.setdefault(reason, []).append(f"{claim['name']} {claimed}")
    notes += [f"{'; '.join(claims)}: {reason}." for reason, claims in apart.items()]
    return Table("Claims of the paper", columns, rows, tuple(notes), name="claims")


def _notes_of(claims: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return each note once."""
    return list(dict.fromkeys(str(claim["note"]) for claim in claims if claim.get("note")))


def _title(run: Run) -> str:
    counts = {row.get("n_sequences") for row in run["summary"]} - {None, 0}
    title = "Scores in percent"
    if len(counts) == 1:
        count = counts.pop()
        title += f", {counted(count, 'sequence')}"
    return title


def _summary_notes(run: Run, *, sweeps: bool, references: frozenset[int]) -> list[str]:
    rows: Sequence[Row] = run["summary"]
    notes = [
        *_protocol_notes(run),
        "IDSW and Frag are counts; lower is better. Frag depends on the segments, not on linking.",
    ]
    if sweeps:
        notes.append(
            "Compare only rows with the same tau. Copying and the oracle are the references of "
            "each tau."
        )
    if references:
        names = dict.fromkeys(row_name(rows[index]) for index in sorted(references))
        notes.append(f"References, never marked as best: {', '.join(names)}.")
    notes += interval_notes(rows)
    return notes + list(dict.fromkeys(_undefined_notes(run)))


def _protocol_notes(run: Run) -> list[str]:
    protocol = run.get("protocol") or {}
    words = {"pat": "PAT protocol", "label_space": "label space", "segments": "segments"}
    if len(protocol.get("segments_by_name") or {}) > 1:
        del words["segments"]  # each table names its own
    shown = {"pat": protocol_in_words, "segments": segments_in_words}
    stated = [
        f"{words[key]}: {shown.get(key, str)(str(protocol[key]))}"
        for key in words
        if protocol.get(key)
    ]
    return [f"{'; '.join(stated)}."] if stated else []


def _undefined_notes(run: Run) -> Iterator[str]:
    """Yield the reasons of failed rows, and of undefined scores of other rows."""
    for row in run["summary"]:
        cell = entry_of_row(run.get("cells") or (), row)
        if row.get("status") == "failed":
            yield f"{UNDEFINED} {row_name(row)} failed: {cell.get('reason', 'no reason given')}."
            continue
        reasons: dict[str, list[str]] = {}
        for name in (name for name in _SHOWN if name in (row.get("scores") or {})):
            if row_score(row, name) is None:
                why = (cell.get("undefined") or {}).get(name, "no reason given")
                reasons.setdefault(str(why), []).append(name)
        for why, names in reasons.items():
            yield f"{UNDEFINED} {row_name(row)}, {', '.join(names)}: {why}."


def stress_tables(run: Run) -> list[Table]:
    """Return all tables of a stress test (``mapt-bench/run/1`` with ``stressors``)."""
    return _tables_of_parts(run) + tables_of_all_parts(run)


def _stress_part_tables(run: Run) -> list[Table]:
    """Return the tables of rows that may be compared."""
    if run.get("experiment") == FAILURES:
        return [failure_table(run)]
    tables = [table for stressor in run["stressors"] for table in level_tables(run, stressor)]
    tables += fusion_tables(run)
    if run["visibility"]:
        tables += [visibility_table(run), *recovery_tables(run)]
    if run.get("break_points"):
        tables.append(break_table(run))
    return tables
