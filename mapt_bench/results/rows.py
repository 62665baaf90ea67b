"""What a row of a run's summary is: its name, its score, its condition."""

from collections.abc import Mapping
from typing import Any

__all__ = ["FLOOR", "Row", "is_reference", "row_interval", "row_label", "row_score"]

Row = Mapping[str, Any]

FLOOR = "unlinked"
"""Segments that nobody links: so far below all others that it presses them together in pictures."""


def is_reference(row: Row) -> bool:
    """Return whether a summary row is there for orientation only and competes for nothing.

    True for rows of the group ``"reference"`` and for the oracle, which knows the ground truth.
    """
    return row.get("group") == "reference" or str(row["variant"]).startswith("oracle")


def row_interval(row: Row) -> tuple[str, int] | None:
    """Return kind (``"drop"`` or ``"pair"``) and tau of a summary row, ``None`` outside sweeps."""
    interval = row.get("interval")
    if not interval or interval.get("tau") is None:
        return None
    return str(interval.get("kind", "")), int(interval["tau"])


def row_label(row: Row) -> str:
    """Return how people call a summary row: its label or, without one, the variant's name."""
    return str(row.get("label") or row["variant"])


def row_score(row: Row, name: str) -> float | None:
    """Return a score of a summary row; switches and fragments also stand beside the scores."""
    value: float | None = (row.get("scores") or {}).get(name)
    if value is None:
        value = row.get({"IDSW": "switches", "Frag": "fragments"}.get(name, ""))
    return value
