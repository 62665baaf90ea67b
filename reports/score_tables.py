"""Tables of the scores of evaluations, by class and sequence."""

from collections.abc import Mapping, Sequence
from typing import Any

from mapt_bench.errors import listed
from mapt_bench.reports.paired_verdicts import compared_with, standing_of
from mapt_bench.reports.tables import UNDEFINED, Cell, Column, Estimate, Kind, Table
from mapt_bench.results.result_views import (
    HEADLINE,
    OF_DEPTH,
    protocol_in_words,
    row_score,
    score_kind,
)

__all__ = [
    "estimate",
    "evaluation_notes",
    "evaluation_tables",
    "interval_cell",
    "interval_column",
    "interval_notes",
    "overall_table",
    "per_class_table",
    "per_sequence_table",
    "score_column",
]

_CLASS_COLUMNS = (
    *(Column(name, "percent") for name in ("PQ", "SQ", "RQ", "IoU")),
    *(Column(name, "integer") for name in ("tp", "fp", "fn")),
)

_CLASS_NOTE = (
    "SQ here is that of PQ: the mean IoU of matched segments. The headline SQ is STQ's: the mean "
    "of the IoU column (and of void, as a 0, where it was predicted)."
)

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
