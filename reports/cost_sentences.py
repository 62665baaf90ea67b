"""Sentences on what a high score costs, computed from measured times and paired differences."""

from collections.abc import Mapping, Sequence
from typing import Any

from mapt_bench.reports.paired_verdicts import compared_with, standing_of
from mapt_bench.results.result_views import Part, is_reference, row_interval, row_name, row_score

__all__ = ["cost_sentences"]

_SCORE = "PAT"
_SHARE = 0.5
"""Largest share of the time of the best row at which a worse row counts as much faster."""

Row = Mapping[str, Any]


def cost_sentences(part: Part) -> list[str]:
    """Return what the best row costs, beside the fastest row that is not established to be worse.

    If every faster row is established to be worse, the second sentence is on the best of those that
    take at most half the time. There are no sentences without times, without paired tests of the
    best row, and on stress tests and sweeps.

    Args:
        part: Rows of a run that link the same segments.
    """
    summary: Sequence[Row] = part.run["summary"]
    if part.run.get("stressors") or any(map(row_interval, summary)):
        return []
    rows = [row for row in summary if not is_reference(row) and row_score(row, _SCORE) is not None]
    best = max(rows, key=_score, default=None)
    if best is None or not _seconds(best):
        return []
    reference = compared_with(summary)
    compared = [row for row in rows if _are_compared(best, row, reference) and _seconds(row)]
    faster = [row for row in compared if _seconds(row) < _seconds(best)]
    if not compared:
        return []
    took = f"{row_name(best)} takes {_time(best)}"
    if not faster:
        return [
            f"{row_name(best)} takes {_time(best)}. No row that it was tested against is faster."
        ]
    open_rows = [row for row in faster if not _is_worse(row, best, reference)]
    if open_rows:
        fastest = min(open_rows, key=_seconds)
        return [
            f"{row_name(fastest)} takes {_time(fastest)}, {_factor(fastest, best)} times less than "
            f"{row_name(best)} with {_time(best)}. It is not established to be worse: it is "
            f"{_behind(fastest, best)} behind."
        ]
    found = [
        f"{took}. Each of the {len(faster)} faster rows is established to be worse."
        if len(faster) > 1
        else f"{took}. The only faster row is established to be worse."
    ]
    much_faster = [row for row in faster if _seconds(row) <= _SHARE * _seconds(best)]
    if much_faster:
        row = max(much_faster, key=_score)
        found.append(
            f"Of those in at most half its time, {row_name(row)} loses least: it takes "
            f"{_time(row)}, {_factor(row, best)} times less, and is {_behind(row, best)} behind."
        )
    return found


def _are_compared(best: Row, row: Row, reference: str) -> bool:
    """Return whether tests compare a row with the best: if one of them is the reference."""
    standings = {standing_of(each, _SCORE, reference) for each in (best, row)}
    return row is not best and "reference" in standings and None not in standings


def _is_worse(row: Row, best: Row, reference: str) -> bool:
    is_reference = standing_of(row, _SCORE, reference) == "reference"
    if is_reference:
        return standing_of(best, _SCORE, reference) == "above"
    return standing_of(row, _SCORE, reference) == "below"


def _score(row: Row) -> float:
    return row_score(row, _SCORE) or 0.0


def _seconds(row: Row) -> float:
    return float((row.get("cost") or {}).get("seconds_per_frame") or 0.0)


def _time(row: Row) -> str:
    return f"{1000 * _seconds(row):.2f} ms/frame"


def _factor(fast: Row, slow: Row) -> str:
    factor = _seconds(slow) / _seconds(fast)
    return f"{factor:.0f}" if factor >= 10 else f"{factor:.1f}"


def _behind(row: Row, best: Row) -> str:
    """Return the paired difference of a row and the best. One is the reference of the tests."""
    low, high = 0.0, 0.0
    for each, sign in ((row, -1), (best, 1)):
        scores = (each.get("differences") or {}).get("scores") or {}
        ends = (scores.get(_SCORE) or {}).get("interval") or {}
        if ends.get("low") is not None:
            low, high = sorted((sign * 100 * ends["low"], sign * 100 * ends["high"]))
    return f"{100 * (_score(best) - _score(row)):.2f} PAT [{low:z.2f}, {high:z.2f}]"
