"""Tables and sentences of an interval matrix (``mapt-bench/interval-matrix/1``)."""

from collections.abc import Mapping, Sequence
from typing import Any

from mapt_bench.errors import counted
from mapt_bench.reports.difference_tables import ALONE, CORRECTED
from mapt_bench.reports.paired_verdicts import is_established
from mapt_bench.reports.tables import Cell, Column, Estimate, Table, format_cell

__all__ = [
    "INTERVAL_MATRIX",
    "REFERENCES",
    "headings",
    "matrix_findings",
    "matrix_scores",
    "matrix_tables",
]

INTERVAL_MATRIX = "mapt-bench/interval-matrix/1"

REFERENCES = ("copy", "oracle")
"""Rows that bound the scores. They have one inference interval."""

_GIVEN = "as given"
_ADAPTIVE = "adaptive"
_FEWEST = 5

Result = Mapping[str, Any]
Row = Mapping[str, Any]


def headings(result: Result, drop: int) -> tuple[list[str], list[str]]:
    """Return the training and the inference intervals of a frame skip, in the order of tables."""
    rows = [row for row in result["matrix"] if row["drop"] == drop]
    own = [row for row in rows if row["train"] not in REFERENCES]
    return (
        list(dict.fromkeys(row["train"] for row in own)),
        list(dict.fromkeys(row["infer"] for row in own)),
    )


def matrix_tables(result: Result, *, short: bool = False) -> list[Table]:
    """Return the tables of an interval matrix.

    Args:
        result: The result.
        short: Whether to return the tables of PAT alone.

    Returns:
        For each frame skip: PAT of each training interval (rows) at each inference interval
        (columns), and the same for STQ, association accuracy by speed, and the comparisons.
    """
    tables = []
    for drop in result["inference"]["drop"]:
        tables.append(_score_table(result, "PAT", drop))
        if short:
            continue
        tables += [_score_table(result, score, drop) for score in ("STQ", "AssA", "IDSW")]
        tables.append(_speed_table(result, drop))
    if not short:
        tables.append(_comparison_table(result))
    return tables


def matrix_scores(result: Result) -> dict[str, float]:
    """Return the defined scores of an interval matrix by name, as fractions.

    Names are ``<training>/<inference>/<score>``; with several frame skips,
    ``<training>/<inference>/skip <n>/<score>``.
    """
    drops = list(result["inference"]["drop"])
    return {
        "/".join((row["train"], row["infer"], *skip, score)): float(value)
        for row in result["matrix"]
        for skip in [(f"skip {row['drop']}",) if len(drops) > 1 else ()]
        for score, value in row["scores"].items()
        if value is not None
    }


def _ending(result: Result, drop: int) -> str:
    return "" if list(result["inference"]["drop"]) == [1] else f", frame skip {drop}"


def _score_table(result: Result, score: str, drop: int) -> Table:
    trains, infers = headings(result, drop)
    found = {(row["train"], row["infer"]): row for row in result["matrix"] if row["drop"] == drop}
    kind, higher = ("count", False) if score == "IDSW" else ("percent", True)
    columns = [Column("trained at"), *(Column(_infer(each), kind, higher) for each in infers)]  # type: ignore[arg-type]
    lines: list[tuple[Cell, ...]] = [
        (train, *(_estimate(found.get((train, infer)), score) for infer in infers))
        for train in trains
    ]
    references = [name for name in REFERENCES if (name, "1") in found]
    for name in references:
        only = _estimate(found[name, "1"], score)
        lines.append((name, *(only if infer == "1" else None for infer in infers)))
    seeds = ", ".join(map(str, result["training"]["seeds"]))
    notes = [
        f"Means over the training seeds {seeds}; '{_GIVEN}' is not fine-tuned.",
        f"Columns: inference interval. Adaptive ones aim at {result['target']:g} object sizes.",
        f"Row {result['tracker']}, memory {result['memory']} frames.",
    ]
    if all(row["n_sequences"] < _FEWEST for row in found.values()):
        notes.append(f"No confidence intervals: there are fewer than {_FEWEST} sequences.")
    return Table(
        f"{score} by training and inference interval{_ending(result, drop)}",
        tuple(columns),
        tuple(lines),
        tuple(notes),
        frozenset(range(len(trains), len(trains) + len(references))),
        name=f"matrix_{score}",
        keys=(("drop", str(drop)),),
    )


def _infer(interval: str) -> str:
    return _ADAPTIVE if interval == _ADAPTIVE else f"pair {interval}"


def _estimate(row: Row | None, score: str) -> Cell:
    value = None if row is None else row["scores"].get(score)
    if row is None or value is None:
        return None
    interval = (row.get("intervals") or {}).get(score) or {}
    if "low" not in interval:
        return float(value)
    return Estimate(float(value), (float(interval["low"]), float(interval["high"])))


def _speed_table(result: Result, drop: int) -> Table:
    """Return the association accuracy by speed of the objects, at each inference interval."""
    rows = [row for row in result["matrix"] if row["drop"] == drop]
    names = list(dict.fromkeys(name for row in rows for name in row["speeds"]))
    lines = tuple(
        (
            row["train"],
            _infer(row["infer"]) if row["train"] not in REFERENCES else "",
            *((row["speeds"].get(name) or {}).get("share") for name in names),
        )
        for row in rows
    )
    ends = " and ".join(f"{value:.3f}" for value in result["speeds"].values())
    note = f"Thirds of all links by displacement over size: limits {ends or 'unknown'}."
    references = frozenset(at for at, row in enumerate(rows) if row["train"] in REFERENCES)
    return Table(
        f"Association accuracy by speed of the objects{_ending(result, drop)}",
        (
            Column("trained at"),
            Column("inference"),
            *(Column(name, "percent", True) for name in names),
        ),
        lines,
        (note,),
        references,
        name="matrix_speeds",
        keys=(("drop", str(drop)),),
    )


def _comparison_table(result: Result) -> Table:
    lines = []
    for each in result["comparisons"]:
        difference = each["scores"]["PAT"]
        lines.append(
            (
                each["question"],
                f"{each['train']} / {each['infer']}",
                f"{each['other_train']} / {each['other_infer']}",
                each["drop"],
                difference.get("difference"),
                _range(difference["interval"]),
                difference["p_value"],
                difference["p_adjusted"],
            )
        )
    return Table(
        "Adaptive intervals against fixed ones: paired differences of PAT",
        (
            Column("adaptive"),
            Column("training / inference"),
            Column("against"),
            Column("drop", "integer"),
            Column("PAT", "points"),
            Column("PAT CI", "range"),
            Column(ALONE, "number"),
            Column(CORRECTED, "number"),
        ),
        tuple(lines),
        (f"Differences are paired by sequence. {CORRECTED}: corrected for all rows.",),
        name="matrix_differences",
    )


def _range(interval: Row) -> tuple[float, float] | None:
    return (float(interval["low"]), float(interval["high"])) if "low" in interval else None


def matrix_findings(result: Result) -> list[str]:
    """Return what an interval matrix shows, in sentences.

    The best place of each frame skip, and for each question how the adaptive interval compares with
    every fixed one, over all trainings. A difference is *established* if its confidence interval
    excludes 0 and its corrected p value is at most 0.05.
    """
    found = []
    for drop in result["inference"]["drop"]:
        own = [
            row
            for row in result["matrix"]
            if row["drop"] == drop
            and row["train"] not in REFERENCES
            and row["scores"].get("PAT") is not None
        ]
        if not own:
            continue
        skip = "" if drop == 1 else f"With frame skip {drop}: "
        best = max(own, key=lambda row: float(row["scores"]["PAT"]))
        worst = min(own, key=lambda row: float(row["scores"]["PAT"]))
        if _points(best) == _points(worst):
            found.append(f"{skip}PAT is {_points(best)} at all intervals.")
            continue
        found.append(
            f"{skip}The highest PAT is {_points(best)} ({_places(best, own)}), the lowest "
            f"{_points(worst)} ({_places(worst, own)})."
        )
        of_drop = [each for each in result["comparisons"] if each["drop"] == drop]
        for question in _QUESTIONS:
            found += _verdict(question, [e for e in of_drop if e["question"] == question])
    return found


_QUESTIONS = {
    "inference": "The adaptive inference interval",
    "training": "Adaptive training, at the adaptive inference interval,",
    "both": "Adaptive training with adaptive inference",
}


def _points(row: Row) -> str:
    return f"{100 * row['scores']['PAT']:.2f}"


def _places(row: Row, rows: Sequence[Row]) -> str:
    """Return the place of a row in the matrix, and how many others have the same PAT."""
    same = sum(_points(each) == _points(row) for each in rows) - 1
    more = f"; also {counted(same, 'other place')}" if same else ""
    return f"trained {row['train']}, inference {_infer(row['infer'])}{more}"


def _verdict(question: str, compared: Sequence[Row]) -> list[str]:
    """Return how the adaptive interval compares with others, and what is established."""
    known = [each for each in compared if each["scores"]["PAT"]["difference"] is not None]
    if not known:
        return []
    subject, others = _QUESTIONS[question], counted(len(known), "other training")
    groups: dict[str, list[Row]] = {}
    for each in known:
        name = others if question == "training" else f"interval {each['other_infer']}"
        groups.setdefault(name, []).append(each["scores"]["PAT"])
    has_intervals = any("low" in each["scores"]["PAT"]["interval"] for each in known)
    parts = [
        f"from {name} by {_range_of(group)} PAT"
        + (f" ({_established_in_words(group)})" if has_intervals else "")
        for name, group in groups.items()
    ]
    why = f" Nothing is established, because there are fewer than {_FEWEST} sequences."
    return [f"{subject} differs {'; '.join(parts)}.{'' if has_intervals else why}"]


def _range_of(differences: Sequence[Row]) -> str:
    values = [float(each["difference"]) for each in differences]
    ends = dict.fromkeys(format_cell(end(values), "points") for end in (min, max))
    return " to ".join(ends)


def _established_in_words(differences: Sequence[Row]) -> str:
    count = sum(map(is_established, differences))
    if not count:
        return "not established"
    return "established" if len(differences) == 1 else f"{count} of {len(differences)} established"
