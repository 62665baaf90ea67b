"""How trackers are drawn: the same colour, marker and dashes in every picture."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mapt_bench.reports.figures import FAINT, INK, MARKERS, PALETTE
from mapt_bench.results.rows import is_reference, row_label

__all__ = ["COPY", "ORACLE", "Mark", "line_marks", "numbered_mark", "reference_mark"]

Row = Mapping[str, Any]

_MEMORY = re.compile(r"\+memory(=\d+)?$")

_ORDER = (
    *("iou", "sort", "bytetrack", "motion", "appearance", "both"),
    *("both:appearance-first", "both:simultaneous"),
)
"""Trackers with a colour of their own wherever they are drawn; memory changes the dashes."""


@dataclass(frozen=True)
class Mark:
    """How a row is drawn, and what the legend calls its kind."""

    name: str
    colour: str
    marker: str
    dashes: str = "-"


ORACLE = Mark("oracle, knows the ground truth", INK, "*", "--")
COPY = Mark("copies the last masks", FAINT, "X", ":")
_OTHER_REFERENCE = Mark("", FAINT, "P", "-.")


def reference_mark(row: Row) -> Mark | None:
    """Return how a row of reference is marked, ``None`` for one that competes."""
    variant = str(row["variant"]).lower()
    if variant == "oracle":
        return ORACLE
    if variant == "copy" or variant.startswith("copy+"):
        return COPY
    return replace(_OTHER_REFERENCE, name=row_label(row)) if is_reference(row) else None


def numbered_mark(name: str, at: int) -> Mark:
    """Return the mark of a number; colours come again, with other dashes."""
    dashes = "-" if at < len(PALETTE) else "-."
    return Mark(name, PALETTE[at % len(PALETTE)], MARKERS[at % len(MARKERS)], dashes)


def line_marks(rows: Sequence[Row]) -> dict[str, Mark]:
    """Return how each label's line is drawn; a tracker with memory looks like itself, dashed."""
    marks: dict[str, Mark] = {}
    others = len(_ORDER)
    for row in rows:
        label = row_label(row)
        if label in marks:
            continue
        reference = reference_mark(row)
        variant = str(row["variant"])
        plain = _MEMORY.sub("", variant)
        if reference is not None:
            marks[label] = reference
        elif plain in _ORDER:
            mark = numbered_mark(label, _ORDER.index(plain))
            marks[label] = mark if plain == variant else replace(mark, dashes="--")
        else:
            marks[label] = numbered_mark(label, others)
            others += 1
    return marks
