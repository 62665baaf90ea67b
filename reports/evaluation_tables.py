"""Tables of evaluation results (``mapt-bench/evaluation/2``): overall, per class, per sequence."""

from collections.abc import Mapping, Sequence
from typing import Any

from mapt_bench.reports.tables import UNDEFINED, Cell, Column, Table
from mapt_bench.results.result_views import HEADLINE, score_kind

__all__ = [
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
"""One result as read from its JSON."""


def evaluation_tables(evaluations: Sequence[Result], *, details: bool = True) -> list[Table]:
    """Return the overall table and, with ``details``, those of classes and sequences.

    Args:
        evaluations: Results of schema ``mapt-bench/evaluation/2``, one a prediction.
        details: Whether each prediction's classes and sequences follow.
    """
    tables = [overall_table(evaluations)]
    if details:
        for evaluation in evaluations:
            tables += [per_class_table(evaluation), per_sequence_table(evaluation)]
    return tables


def overall_table(evaluations: Sequence[Result]) -> Table:
    """Return one row a prediction and one column a score, with intervals where there are any.

    The best value of a column is marked when there are several predictions. Footnotes state the
    protocol, why scores are undefined, and how intervals were made or why there are none.
    """
    with_intervals = _scores_with_intervals(evaluations)
    columns = [Column("prediction")]
    for score in HEADLINE:
        columns.append(score_column(score))
        if score in with_intervals:
            columns.append(interval_column(score))
    rows = []
    for evaluation in evaluations:
        cells: list[Cell] = [str(evaluation["name"])]
        for score in HEADLINE:
            cells.append(evaluation["scores"].get(score))
            if score in with_intervals:
                cells.append(interval_cell(evaluation, score))
        rows.append(tuple(cells))
    notes = [*_protocol_notes(evaluations), *interval_notes(evaluations), *_undefined(evaluations)]
    return Table(_overall_title(evaluations), tuple(columns), tuple(rows), tuple(notes))


def per_class_table(evaluation: Result) -> Table:
    """Return one row a class of one prediction, things marked, with the counts behind PQ.

    ``SQ`` is that of PQ here, ``IoU`` the term that STQ averages; ``tp fp fn`` are segments.
    """
    rows: list[tuple[Cell, ...]] = []
    for class_id, entry in evaluation["per_class"].items():
        kind = "thing" if entry.get("is_thing") else "stuff"
        scores = tuple(entry.get(column.name) for column in _CLASS_COLUMNS)
        rows.append((str(entry.get("name", class_id)), kind, *scores))
    absent = any(cell is None for row in rows for cell in row)
    notes = (_CLASS_NOTE, *((f"{UNDEFINED}: the class occurs on neither side",) if absent else ()))
    columns = (Column("class"), Column("kind"), *_CLASS_COLUMNS)
    return Table(f"Classes of {evaluation['name']}", columns, tuple(rows), notes)


def per_sequence_table(evaluation: Result) -> Table:
    """Return one row a sequence of one prediction: frames, then every headline score it has."""
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
    return Table(f"Sequences of {evaluation['name']}", tuple(columns), rows, notes)


def score_column(name: str) -> Column:
    """Return the column in which a score of this name is shown.

    Example:
        >>> score_column("PAT")
        Column(name='PAT', kind='percent', higher_is_better=True)
    """
    kind = score_kind(name)
    printed = {"percent": "percent", "count": "count", "seconds": "number"}
    return Column(name, printed[kind.unit], kind.higher_is_better)  # type: ignore[arg-type]


def interval_column(score: str) -> Column:
    """Return the column of a score's intervals, which are of its unit.

    Example:
        >>> interval_column("IDSW").kind
        'count range'
    """
    is_count = score_kind(score).unit == "count"
    return Column(f"{score} interval", "count range" if is_count else "range")


def interval_cell(result: Result, score: str) -> Cell:
    """Return the interval of a score as a pair, or ``None`` where there is none."""
    interval = (result.get("intervals") or {}).get(score) or {}
    low, high = interval.get("low"), interval.get("high")
    return None if low is None or high is None else (float(low), float(high))


def interval_notes(results: Sequence[Result]) -> list[str]:
    """Return how the intervals of a table were made, and why some are missing, each once."""
    methods: dict[str, None] = {}
    reasons: dict[str, dict[str, None]] = {}
    for result in results:
        for score, interval in (result.get("intervals") or {}).items():
            if interval_cell(result, score) is None:
                reasons.setdefault(str(interval.get("reason", "not given")), {})[score] = None
            else:
                level = f"{100 * interval['level']:g} %"
                methods[f"Intervals: {level}, {interval['method']}, n = {interval['n']}."] = None
    return [*methods, *(f"No interval of {', '.join(s)}: {why}." for why, s in reasons.items())]


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
        *(f"PAT protocol: {variant}." for variant in variants if variant),
        *_class_notes(evaluations),
        "IDSW and Frag are counts; lower is better.",
        *(_void_note(evaluation) for evaluation in evaluations if _void_frames(evaluation)),
    ]


def _class_notes(evaluations: Sequence[Result]) -> list[str]:
    """Say which classes are averaged where predictions differ in them."""
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
    """Return the reasons of undefined scores; named by prediction where there are several."""
    notes = []
    for evaluation in evaluations:
        reasons: dict[str, list[str]] = {}
        known = evaluation.get("undefined") or {}
        for score in HEADLINE:
            if evaluation["scores"].get(score) is None:
                reasons.setdefault(str(known.get(score, "not in the result")), []).append(score)
        prefix = f"{evaluation['name']}: " if len(evaluations) > 1 else ""
        notes += [f"{UNDEFINED} {prefix}{', '.join(s)}: {why}" for why, s in reasons.items()]
    return notes
