"""What a row of a run's summary is: its name, its score, its condition."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "FLOOR",
    "Row",
    "conditions_note",
    "is_reference",
    "row_interval",
    "row_label",
    "row_name",
    "row_score",
]

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


def row_name(row: Row) -> str:
    """Return what tables call a row: the name that ``--tracker`` and ``--add`` take."""
    return str(row["variant"])


def row_label(row: Row) -> str:
    """Return what plots call a row: its label or, without one, the variant's name."""
    return str(row.get("label") or row["variant"])


def row_score(row: Row, name: str) -> float | None:
    """Return a score of a summary row; switches and fragments also stand beside the scores."""
    value: float | None = (row.get("scores") or {}).get(name)
    if value is None:
        value = row.get({"IDSW": "switches", "Frag": "fragments"}.get(name, ""))
    return value


def conditions_note(rows: Sequence[Row]) -> str:
    """Return one line with thresholds, memory and pairing interval of a table's rows.

    Args:
        rows: Of a run's summary.

    Returns:
        Nothing for results that do not say which thresholds they ran with.
    """
    origins: dict[str, list[str]] = {}
    for row in rows:
        if row.get("thresholds") not in (None, "none"):
            names = origins.setdefault(str(row["thresholds"]), [])
            tracker = str(row.get("associator") or row_name(row))
            names += [] if tracker in names else [tracker]
    if not any("thresholds" in row for row in rows):
        return ""
    most = max(origins, key=lambda origin: len(origins[origin]), default="none")
    apart = [
        f"{origin} for {', '.join(names)}" for origin, names in origins.items() if origin != most
    ]
    memory = sorted({int(row["memory"]) for row in rows if row.get("memory")})
    frames = f", {' or '.join(map(str, memory))} in rows named +memory" if memory else ""
    pairs = any((row_interval(row) or ("", 0))[0] == "pair" for row in rows)
    return (
        f"Thresholds: {'; '.join([most, *apart])}. Memory in frames: 0{frames}. "
        f"Pairing interval: {'1, or tau where it says pair' if pairs else '1'}."
    )
