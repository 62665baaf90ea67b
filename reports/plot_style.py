"""What all plots share: colours, markers, fonts, reproducible files, and placement of labels."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mapt_bench.errors import ConfigError
from mapt_bench.files import replace_when_complete
from mapt_bench.results.result_views import is_reference, row_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

__all__ = [
    "COPY",
    "FAINT",
    "INK",
    "MARKERS",
    "ORACLE",
    "PALETTE",
    "STYLE",
    "SUFFIXES",
    "Box",
    "Mark",
    "PlacedLabel",
    "line_marks",
    "numbered_mark",
    "place_labels",
    "reference_mark",
    "save_figure",
]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#8C6D31")
"""Okabe and Ito's colours, distinguishable with any colour vision, and two more."""

MARKERS = "osD^v<>h"

INK = "#222222"
FAINT = "#777777"

SUFFIXES = (".png", ".svg")
"""Formats of every plot."""

STYLE: "dict[RcKeyType, Any]" = {
    "font.size": 9,
    "text.parse_math": False,  # names are text
    "text.color": INK,
    "font.family": "DejaVu Sans",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "svg.hashsalt": "mapt-bench",
}


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG or SVG.

    Raises:
        ConfigError: If the suffix is neither ``.png`` nor ``.svg``.
        DataError: If the file cannot be written.
    """
    # Dates and versions in the metadata would make equal pictures differ.
    metadata = {".png": {"Software": None}, ".svg": {"Date": None, "Creator": None}}
    kind = path.suffix.lower()
    if kind not in metadata:
        raise ConfigError(f"a picture cannot be {path.suffix!r}; use .png or .svg", where=path)
    with replace_when_complete(path) as beside:
        figure.savefig(beside, format=kind[1:], metadata=metadata[kind])


Row = Mapping[str, Any]

_MEMORY = re.compile(r"\+memory(=\d+)?$")

_ORDER = (
    *("iou", "sort", "bytetrack", "motion", "appearance", "both"),
    *("both:appearance-first", "both:simultaneous"),
)
"""Trackers with a fixed colour in all plots. Memory changes the dashes."""


@dataclass(frozen=True)
class Mark:
    """Colour, marker and dashes of a row, and its name in the legend."""

    name: str
    colour: str
    marker: str
    dashes: str = "-"


ORACLE = Mark("oracle: upper bound", INK, "*", "--")
COPY = Mark("copies the last masks", FAINT, "X", ":")
_OTHER_REFERENCE = Mark("", FAINT, "P", "-.")


def reference_mark(row: Row) -> Mark | None:
    """Return the mark of a reference row, ``None`` for other rows."""
    variant = str(row["variant"]).lower()
    if variant == "oracle":
        return ORACLE
    if variant == "copy" or variant.startswith("copy+"):
        return COPY
    return replace(_OTHER_REFERENCE, name=row_label(row)) if is_reference(row) else None


def numbered_mark(name: str, at: int) -> Mark:
    """Return the mark of a number. Colours repeat with other dashes."""
    dashes = "-" if at < len(PALETTE) else "-."
    return Mark(name, PALETTE[at % len(PALETTE)], MARKERS[at % len(MARKERS)], dashes)


def line_marks(rows: Sequence[Row]) -> dict[str, Mark]:
    """Return the mark of each label's line. A tracker with memory has its own colour, dashed."""
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


_RADII = (10.0, 18.0, 30.0, 45.0, 65.0, 90.0, 120.0, 160.0, 210.0, 270.0)
_ANGLES = (0, 180, 90, 270, 45, 135, 315, 225, 22, 158, 338, 202, 67, 113, 293, 247)

_CROSSING = 20_000
"""Cost, in square pixels, of a line that touches a label or marker. It doubles at full length."""

_ROUNDS = 3
"""Number of rounds in which every label is placed again, given the other labels."""


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels; y grows upwards."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def middle(self) -> tuple[float, float]:
        """The centre."""
        return (self.left + self.right) / 2, (self.bottom + self.top) / 2

    def overlap(self, other: "Box") -> float:
        """Return the area shared with another rectangle, in square pixels."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return width * height if width > 0 and height > 0 else 0.0

    def distance(self, other: "Box") -> float:
        """Return the gap between two rectangles in pixels, 0 if they touch."""
        across = max(self.left - other.right, other.left - self.right, 0.0)
        up = max(self.bottom - other.top, other.bottom - self.top, 0.0)
        return math.hypot(across, up)

    def nearest_point(self, x: float, y: float) -> tuple[float, float]:
        """Return the point of this rectangle that is nearest to another point."""
        return min(max(x, self.left), self.right), min(max(y, self.bottom), self.top)

    def nearest_distance(self, point: tuple[float, float]) -> float:
        """Return the distance of a point from this rectangle in pixels, 0 inside."""
        return math.dist(point, self.nearest_point(*point))

    def crossed_share(self, start: tuple[float, float], end: tuple[float, float]) -> float:
        """Return the share of a straight line in this rectangle, in [0, 1].

        The line is clipped by one pair of sides after the other (Liang and Barsky 1984).

        Example:
            >>> Box(0, 0, 1, 1).crossed_share((-1, 0.5), (3, 0.5))
            0.25
        """
        enters, leaves = 0.0, 1.0
        for at, to, low, high in (
            (start[0], end[0], self.left, self.right),
            (start[1], end[1], self.bottom, self.top),
        ):
            step = to - at
            if step == 0:
                if not low <= at <= high:
                    return 0.0
                continue
            first, last = sorted(((low - at) / step, (high - at) / step))
            enters, leaves = max(enters, first), min(leaves, last)
        return max(0.0, leaves - enters)

    def area_outside(self, frame: "Box") -> float:
        """Return the area of this rectangle outside a frame, in square pixels."""
        return (self.right - self.left) * (self.top - self.bottom) - self.overlap(frame)


@dataclass(frozen=True)
class PlacedLabel:
    """Position of a label.

    Attributes:
        box: Box of its text.
        leader: Point of the box where a line to the point ends. ``None`` if the label is so close
            that it needs no line.
    """

    box: Box
    leader: tuple[float, float] | None


def place_labels(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    frame: Box,
    *,
    marker: float = 6.0,
) -> list[PlacedLabel]:
    """Place one label per point, each at the nearest free position around it.

    Args:
        points: Pixel coordinates (x, y).
        sizes: Width and height of each label's text in pixels.
        frame: Area for labels.
        marker: Half the width of a point's marker in pixels.

    Returns:
        One position per point, in order. If none is free, the one with the least overlap.

    Example:
        >>> [label] = place_labels([(50, 50)], [(20, 10)], Box(0, 0, 100, 100))
        >>> label.box.left, label.leader
        (60.0, None)
    """
    markers = [Box(x - marker, y - marker, x + marker, y + marker) for x, y in points]
    placed: dict[int, PlacedLabel] = {}
    for _ in range(_ROUNDS):
        for index, (point, size) in enumerate(zip(points, sizes, strict=True)):
            rivals = markers[:index] + markers[index + 1 :]
            others = {at: label for at, label in placed.items() if at != index}
            taken = [*rivals, *(label.box for label in others.values())]
            lines = [
                (points[at], label.leader)
                for at, label in others.items()
                if label.leader is not None
            ]
            costs = [
                (
                    _cost(label, point, taken, frame)
                    + _ambiguity(label, point, rivals)
                    + sum(_crossing(label.box, *line) for line in lines),
                    label,
                )
                for label in _candidates(point, size)
            ]
            # min keeps the first of equals, which is the nearest.
            placed[index] = min(costs, key=lambda entry: entry[0])[1]
    return [placed[index] for index in range(len(points))]


def _crossing(box: Box, start: tuple[float, float], end: tuple[float, float]) -> float:
    share = box.crossed_share(start, end)
    return _CROSSING * (1 + share) if share else 0.0


def _cost(
    label: PlacedLabel, point: tuple[float, float], taken: Sequence[Box], frame: Box
) -> float:
    """Return the covered area in square pixels, with penalties for crossing lines and the frame."""
    covered = sum(label.box.overlap(box) for box in taken)
    cost = 50 * (label.box.area_outside(frame) + covered)
    if label.leader is not None:
        # A marker that touches the own one is in the way of every line, so it decides nothing.
        apart = (box for box in taken if box.nearest_distance(point) > _RADII[0])
        cost += sum(_crossing(box, point, label.leader) for box in apart)
    return cost


def _ambiguity(label: PlacedLabel, point: tuple[float, float], rivals: Sequence[Box]) -> float:
    """Penalise label positions closer to another point than to their own, without a leader."""
    own = label.box.nearest_distance(point)
    weight = 300 if label.leader is None else 150
    return weight * sum(label.box.distance(rival) < own for rival in rivals)


def _candidates(point: tuple[float, float], size: tuple[float, float]) -> Iterator[PlacedLabel]:
    x, y = point
    width, height = size
    for radius in _RADII:
        for angle in _ANGLES:
            across, up = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            # The side of the box that faces the point is the one at this radius.
            left = x + radius * across - width * (1 - _share(across))
            bottom = y + radius * up - height * (1 - _share(up))
            box = Box(left, bottom, left + width, bottom + height)
            yield PlacedLabel(box, None if radius == _RADII[0] else box.nearest_point(x, y))


def _share(direction: float) -> float:
    """Return the share of a label on the positive side of its anchor: all, half or none."""
    return 0.5 if abs(direction) < 0.3 else float(direction > 0)
