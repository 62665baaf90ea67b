"""Tables of scores: evaluations by class and sequence, and runs by group of videos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mapt_bench.errors import listed
from mapt_bench.reports.paired_verdicts import compared_with, standing_of
from mapt_bench.reports.tables import UNDEFINED, Cell, Column, Estimate, Kind, Table
from mapt_bench.results.result_views import (
    HEADLINE,
    OF_DEPTH,
    entry_of_row,
    is_reference,
    protocol_in_words,
    row_name,
    row_score,
    score_kind,
)

__all__ = [
    "SPLITS",
    "VIDEOS",
    "estimate",
    "evaluation_notes",
    "evaluation_tables",
    "interval_cell",
    "interval_column",
    "interval_notes",
    "of_group",
    "overall_table",
    "per_class_table",
    "per_sequence_table",
    "score_column",
    "score_group_tables",
    "score_groups",
    "splits",
    "splits_table",
]

_CLASS_COLUMNS = (
    *(Column(name, "percent") for name in ("PQ", "SQ", "RQ", "IoU")),
    *(Column(name, "integer") for name in ("tp", "fp", "fn")),
)

_CLASS_NOTE = (
    "SQ here is that of PQ: the mean IoU of matched segments. The headline SQ is STQ's: the mean "
    "of the IoU column (and of void, as a 0, where it was predicted)."
)

VIDEOS = "videos"
"""Key column of table files: all videos, or those of a split."""

Result = Mapping[str, Any]
"""One result, read from JSON."""


def evaluation_tables(evaluations: Sequence[Result], *, details: bool = True) -> list[Table]:
    """Return the overall table and, with ``details``, those of classes and sequences.

    Args:
        evaluations: Results of schema ``mapt-bench/evaluation/2``, one per prediction.
        details: Whether to add tables of classes and sequences for each prediction.
    """
    tables = [overall_table(evaluations)]
    if details:
        for evaluation in evaluations:
            tables += [per_class_table(evaluation), per_sequence_table(evaluation)]
    return tables


def overall_table(evaluations: Sequence[Result]) -> Table:
    """Return one row per prediction and one column per score, with confidence intervals if any.

    With several predictions, the best value of a column is marked. Footnotes have the protocol, the
    reasons of undefined scores, and the method of the intervals or why there are none.
    """
    with_intervals = _scores_with_intervals(evaluations)
    columns = [Column("prediction")]
    scores = _scores_of_tables(evaluations)
    for score in scores:
        columns.append(score_column(score))
        if score in with_intervals:
            columns.append(interval_column(score))
    rows = []
    reference = compared_with(evaluations)
    for evaluation in evaluations:
        cells: list[Cell] = [str(evaluation["name"])]
        for score in scores:
            cells.append(estimate(evaluation, score, reference))
            if score in with_intervals:
                cells.append(interval_cell(evaluation, score))
        rows.append(tuple(cells))
    notes = evaluation_notes(evaluations)
    title = _overall_title(evaluations)
    return Table(title, tuple(columns), tuple(rows), tuple(notes), name="scores")


def _scores_of_tables(evaluations: Sequence[Result]) -> list[str]:
    """Return the headline scores, without those of depth where no prediction has depth maps."""
    return [
        name
        for name in HEADLINE
        if name not in OF_DEPTH or any(each["scores"].get(name) is not None for each in evaluations)
    ]


def evaluation_notes(evaluations: Sequence[Result]) -> list[str]:
    """Return the protocol, the methods of the intervals and the reasons of undefined scores."""
    return [
        *_protocol_notes(evaluations),
        *interval_notes(evaluations),
        *_undefined(evaluations),
    ]


def per_class_table(evaluation: Result) -> Table:
    """Return one row per class of one prediction, with the counts of PQ.

    ``SQ`` is that of PQ, ``IoU`` is averaged by STQ, and ``tp fp fn`` count segments.
    """
    rows: list[tuple[Cell, ...]] = []
    for class_id, entry in evaluation["per_class"].items():
        kind = "thing" if entry.get("is_thing") else "stuff"
        scores = tuple(entry.get(column.name) for column in _CLASS_COLUMNS)
        rows.append((str(entry.get("name", class_id)), kind, *scores))
    absent = any(cell is None for row in rows for cell in row)
    notes = (_CLASS_NOTE, *((_absent_note(evaluation),) if absent else ()))
    columns = (Column("class"), Column("kind"), *_CLASS_COLUMNS)
    return Table(
        f"Classes of {evaluation['name']}",
        columns,
        tuple(rows),
        notes,
        name="classes",
        keys=(("prediction", str(evaluation["name"])),),
    )


def _absent_note(evaluation: Result) -> str:
    """Return why a class of the table has no score."""
    lacking = evaluation.get("protocol", {}).get("prediction_lacks") or ()
    reasons = ["the class occurs on neither side"]
    if "stuff" in lacking:
        reasons.append("it is stuff, and the prediction labels objects only")
    if "classes" in lacking:
        reasons.append("the objects of the prediction have no class")
    return f"{UNDEFINED}: {', or '.join(reasons)}"


def per_sequence_table(evaluation: Result) -> Table:
    """Return one row per sequence of one prediction: frames, then all its headline scores."""
    per_sequence: Mapping[str, Mapping[str, Any]] = evaluation["per_sequence"]
    shown = [name for name in HEADLINE if any(name in entry for entry in per_sequence.values())]
    columns = [Column("sequence"), Column("frames", "integer")]
    columns += [Column(name, score_column(name).kind) for name in shown]
    rows = tuple(
        (sequence, entry.get("frames"), *(entry.get(name) for name in shown))
        for sequence, entry in per_sequence.items()
    )
    undefined = any(cell is None for row in rows for cell in row)
    notes = (f"{UNDEFINED}: undefined in this sequence",) if undefined else ()
    return Table(
        f"Sequences of {evaluation['name']}",
        tuple(columns),
        rows,
        notes,
        name="sequences",
        keys=(("prediction", str(evaluation["name"])),),
    )


def score_column(name: str) -> Column:
    """Return the column of a score.

    Example:
        >>> score_column("PAT")
        Column(name='PAT', kind='percent', higher_is_better=True, priority=9)
    """
    kind = score_kind(name)
    printed: Kind = kind.unit if kind.unit in ("percent", "count") else "number"
    return Column(name, printed, kind.higher_is_better, _PRIORITIES.get(name, 0))


_PRIORITIES = {"PAT": 9, "PQ": 1, "TQ": 2, "STQ": 7, "AssA": 4, "IDSW": 5}
"""Scores whose columns are dropped last where a table is too wide."""


def interval_column(score: str) -> Column:
    """Return the column of the confidence intervals of a score, in its unit.

    Example:
        >>> interval_column("IDSW").kind
        'count range'
    """
    is_count = score_kind(score).unit == "count"
    return Column(f"{score} interval", "count range" if is_count else "range")


def interval_cell(result: Result, score: str) -> Cell:
    """Return the confidence interval of a score as a pair, or ``None``."""
    interval = (result.get("intervals") or {}).get(score) or {}
    low, high = interval.get("low"), interval.get("high")
    return None if low is None or high is None else (float(low), float(high))


def estimate(row: Result, name: str, reference: str = "") -> Cell:
    """Return a score of a row, with its confidence interval and its paired test if any."""
    value, interval = row_score(row, name), interval_cell(row, name)
    standing = standing_of(row, name, reference)
    if value is None or (interval is None and standing is None):
        return value
    return Estimate(value, interval if isinstance(interval, tuple) else None, standing)


def interval_notes(results: Sequence[Result]) -> list[str]:
    """Return the methods of the intervals in a table, and the reasons of missing intervals."""
    methods: dict[str, None] = {}
    reasons: dict[str, dict[str, None]] = {}
    for result in results:
        for score, interval in (result.get("intervals") or {}).items():
            if interval_cell(result, score) is None:
                reasons.setdefault(str(interval.get("reason", "not given")), {})[score] = None
            else:
                level = f"{100 * interval['level']:g} %"
                methods[f"Intervals: {level}, {interval['method']}, n = {interval['n']}."] = None
    return [*methods, *(_no_interval(list(s), why, some=methods) for why, s in reasons.items())]


def _no_interval(scores: Sequence[str], why: str, *, some: Mapping[str, None]) -> str:
    """Return one sentence on missing intervals. It names scores only if others have intervals."""
    return f"No confidence interval{f' of {listed(scores)}' if some else 's'}: {why}."


def _scores_with_intervals(evaluations: Sequence[Result]) -> set[str]:
    return {
        score
        for evaluation in evaluations
        for score in (evaluation.get("intervals") or {})
        if interval_cell(evaluation, score) is not None
    }


def _overall_title(evaluations: Sequence[Result]) -> str:
    datasets = {str(e.get("protocol", {}).get("dataset", "")) for e in evaluations} - {""}
    counts = {len(e.get("per_sequence", {})) for e in evaluations}
    title = "Scores in percent"
    if datasets:
        title += f" on {', '.join(sorted(datasets))}"
    if len(counts) == 1:
        count = counts.pop()
        title += f", {count} sequence{'' if count == 1 else 's'}"
    return title


def _protocol_notes(evaluations: Sequence[Result]) -> list[str]:
    variants = {str(e.get("protocol", {}).get("pat", "")): None for e in evaluations}
    return [
        *(f"PAT protocol: {protocol_in_words(variant)}." for variant in variants if variant),
        *_class_notes(evaluations),
        "IDSW and Frag are counts; lower is better.",
        *(_void_note(evaluation) for evaluation in evaluations if _void_frames(evaluation)),
    ]


def _class_notes(evaluations: Sequence[Result]) -> list[str]:
    """Return a note on the averaged classes, if predictions differ in them."""
    protocols = [evaluation.get("protocol", {}) for evaluation in evaluations]
    if len(evaluations) > 1 and any(each.get("class_set") == "common" for each in protocols):
        count = len(protocols[0].get("classes", ()))
        return [f"PAT, PQ and LSTQ average over the {count} classes of any prediction."]
    sets = [frozenset(each.get("classes", ())) for each in protocols]
    if len(set(sets)) < 2:
        return []
    counts = ", ".join(
        f"{evaluation['name']} {len(each)}"
        for evaluation, each in zip(evaluations, sets, strict=True)
    )
    return [
        f"PAT, PQ and LSTQ average over each prediction's own classes ({counts}); "
        "--common-classes averages all over the same."
    ]


def _void_frames(evaluation: Result) -> int:
    return int(evaluation.get("protocol", {}).get("frames_counted_as_void", 0))


def _void_note(evaluation: Result) -> str:
    count = _void_frames(evaluation)
    plural = "" if count == 1 else "s"
    return f"{evaluation['name']} lacks {count} frame{plural}, counted as all void."


def _undefined(evaluations: Sequence[Result]) -> list[str]:
    """Return the reasons of undefined scores, with the prediction if there are several."""
    notes = []
    for evaluation in evaluations:
        reasons: dict[str, list[str]] = {}
        known = evaluation.get("undefined") or {}
        for score in _scores_of_tables(evaluations):
            if evaluation["scores"].get(score) is None:
                reasons.setdefault(str(known.get(score, "not in the result")), []).append(score)
        prefix = f"{evaluation['name']}: " if len(evaluations) > 1 else ""
        notes += [f"{UNDEFINED} {prefix}{', '.join(s)}: {why}" for why, s in reasons.items()]
    return notes


Run = Mapping[str, Any]
Row = Mapping[str, Any]

_SHOWN = ("PAT", "STQ")
_FACTORS = ("half", "kind")
"""Factors whose groups have a column. results.json also has the groups of both crossed."""

_OF_SPLITS = ("PAT", "TQ", "AssA", "STQ")


SPLITS = {"real-like": "realistic", "hard": "hard"}
"""Names of the splits in tables, by the values of the factor ``half`` in results."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group of videos.

    Attributes:
        factor: Factor of the group, for example ``"half"``, the split of a suite.
        value: Level of the factor, for example ``"hard"``.
        size: Number of sequences.
    """

    factor: str
    value: str
    size: int

    @property
    def heading(self) -> str:
        """Name and size, for a column."""
        return f"{self.label} ({self.size})"

    @property
    def label(self) -> str:
        """Name of the group in tables."""
        return SPLITS.get(self.value, self.value) if self.factor == "half" else self.value


def score_groups(run: Run) -> list[Group]:
    """Return the splits and kinds of videos with scores in a run, in order."""
    sizes: dict[tuple[str, str], int] = {}
    for entry in run.get("scores_by_group") or []:
        group = (str(entry["factor"]), str(entry["value"]))
        sizes[group] = max(sizes.get(group, 0), int(entry["n_sequences"]))
    return [Group(*group, size) for group, size in sizes.items() if group[0] in _FACTORS]


def splits(run: Run) -> list[Group]:
    """Return the splits with scores in a run, in order."""
    return [group for group in score_groups(run) if group.factor == "half"]


def of_group(run: Run, group: Group) -> dict[str, Any]:
    """Return the run with the scores of one group of videos. Its losses and steps are unknown."""
    entries = _entries(run, group)
    rows = []
    for row in run["summary"]:
        entry = entry_of_row(entries, row)
        scores = {name: entry.get(name, {}) for name in ("scores", "intervals")}
        rows.append({**row, **scores, "differences": entry.get("differences"), "losses": None})
    return {**run, "summary": rows, "steps": []}


def score_group_tables(run: Run) -> list[Table]:
    """Return a table for PAT and for STQ: one row per variant, one column per group of videos.

    The rows of a column are comparable, so the best value is marked. Confidence intervals follow
    their column, if the group has any.
    """
    groups = score_groups(run)
    return [_table(run, score, groups) for score in _SHOWN] if groups else []


def splits_table(run: Run) -> Table:
    """Return one row per variant and, for each split, one column per score.

    The rows of a column are comparable, so the best value is marked.
    """
    rows: Sequence[Row] = run["summary"]
    columns = [Column("variant")]
    cells: list[list[Cell]] = [[row_name(row)] for row in rows]
    for split in splits(run):
        found = of_group(run, split)["summary"]
        reference = compared_with(found)
        for name in _OF_SPLITS:
            if any(row_score(row, name) is not None for row in found):
                shown = score_column(name)
                columns.append(Column(f"{split.label} {name}", shown.kind, shown.higher_is_better))
                for line, row in zip(cells, found, strict=True):
                    line.append(estimate(row, name, reference))
    sizes = ", ".join(split.heading for split in splits(run))
    return Table(
        "Scores of each split",
        tuple(columns),
        tuple(map(tuple, cells)),
        (f"Sequences: {sizes}.",),
        frozenset(at for at, row in enumerate(rows) if is_reference(row)),
        name="by_half",
    )


def _entries(run: Run, group: Group) -> list[Row]:
    return [
        entry
        for entry in run.get("scores_by_group") or []
        if (entry["factor"], entry["value"]) == (group.factor, group.value)
    ]


def _table(run: Run, score: str, groups: Sequence[Group]) -> Table:
    rows: Sequence[Row] = run["summary"]
    shown = score_column(score)
    columns = [Column("variant"), Column("all", shown.kind, shown.higher_is_better)]
    cells: list[list[Cell]] = [
        [row_name(row), estimate(row, score, compared_with(rows))] for row in rows
    ]
    banded: list[Row] = []
    for group in groups:
        found = of_group(run, group)["summary"]
        intervals = [interval_cell(row, score) for row in found]
        columns.append(Column(group.heading, shown.kind, shown.higher_is_better))
        columns += [Column(f"{group.label} interval", "range")] if any(intervals) else []
        for line, row, interval in zip(cells, found, intervals, strict=True):
            line.append(estimate(row, score, compared_with(found)))
            line += [interval] if any(intervals) else []
        banded += [row for row in found if any(intervals)]
    notes = ["Compare rows of one group only. The number after a group is its number of sequences."]
    notes += interval_notes([_only(row, score) for row in banded])
    return Table(
        f"{score} by group of sequences",
        tuple(columns),
        tuple(map(tuple, cells)),
        tuple(notes),
        frozenset(at for at, row in enumerate(rows) if is_reference(row)),
        name="by_group",
        keys=(("score", score),),
    )


def _only(row: Row, score: str) -> Row:
    found = row.get("intervals") or {}
    return {"intervals": {score: found[score]} if score in found else {}}
