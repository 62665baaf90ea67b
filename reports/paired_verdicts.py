"""Verdicts of paired tests: which differences are established, and how rows stand to another.

Tests compare rows with one reference row. Two rows that are established on different sides of it
differ from each other, too. Other pairs of rows are not tested.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from mapt_bench.reports.tables import Standing

__all__ = ["compared_with", "is_established", "standing_of"]

Row = Mapping[str, Any]


def is_established(entry: Row, *, p: str = "p_adjusted") -> bool:
    """Return whether a difference is established.

    Its confidence interval excludes 0, and its p value is not above 1 minus the level of the
    interval.

    Args:
        entry: Paired difference of one score, as results hold it.
        p: ``"p_adjusted"``, corrected for all comparisons, or ``"p_value"``, of this one alone.
    """
    ends, p_value = entry.get("interval") or {}, entry.get(p)
    if ends.get("low") is None or p_value is None:
        return False
    excludes_zero = ends["low"] > 0 or ends["high"] < 0
    return bool(excludes_zero and p_value <= 1 - float(ends.get("level", 0.95)) + 1e-9)


def compared_with(rows: Iterable[Row]) -> str:
    """Return the name of the row that tests compare some rows with, empty without tests."""
    names = (str(row["differences"]["reference"]) for row in rows if row.get("differences"))
    return next(names, "")


def standing_of(row: Row, score: str, reference: str) -> Standing | None:
    """Return how a row stands to the reference of the tests, ``None`` without a test.

    Args:
        row: Row of a summary, or an evaluation.
        score: Name of the score.
        reference: Name of the reference, see :func:`compared_with`.
    """
    differences = row.get("differences")
    if not differences:
        is_it = reference and str(row.get("variant", row.get("name"))) == reference
        return "reference" if is_it else None
    entry = (differences.get("scores") or {}).get(score) or {}
    if (entry.get("interval") or {}).get("low") is None:
        return None
    if not is_established(entry):
        return "open"
    return "above" if entry["difference"] > 0 else "below"
