"""Placement of the labels of a plot: each at the nearest free position around its point."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "PlacedLabel", "place_labels"]

Point = tuple[float, float]
Array = NDArray[np.float64]

_RADII = (10.0, 18.0, 30.0, 45.0, 65.0, 90.0, 120.0, 160.0, 210.0, 270.0)
_ANGLES = (0, 180, 90, 270, 45, 135, 315, 225, 22, 158, 338, 202, 67, 113, 293, 247)

_CROSSING = 20_000
"""Cost, in square pixels, of a line that touches a label or marker. It doubles at full length."""

_LINE = 3.0
"""Half the width of the boxes that stand for a line, in pixels."""

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
    lines: Sequence[Sequence[tuple[float, float]]] = (),
) -> list[PlacedLabel]:
    """Place one label per point, each at the nearest free position around it.

    Args:
        points: Pixel coordinates (x, y).
        sizes: Width and height of each label's text in pixels.
        frame: Area for labels.
        marker: Half the width of a point's marker in pixels.
        lines: Corners of lines that labels must not cover, in pixels.

    Returns:
        One position per point, in order. If none is free, the one with the least overlap.

    Example:
        >>> [label] = place_labels([(50, 50)], [(20, 10)], Box(0, 0, 100, 100))
        >>> label.box.left, label.leader
        (60.0, None)
    """
    centres = np.array(points, dtype=np.float64).reshape(-1, 2)
    markers = _Boxes(*(centres - marker).T, *(centres + marker).T)
    on_lines = np.array([each for corners in lines for each in _dots(corners)]).reshape(-1, 2)
    obstacles = _Boxes(*(on_lines - _LINE).T, *(on_lines + _LINE).T)
    candidates = [_Candidates.of(*pair) for pair in zip(points, sizes, strict=True)]
    chosen: dict[int, int] = {}
    for _ in range(_ROUNDS):
        for index, own in enumerate(candidates):
            rivals = markers.rows(np.arange(len(points)) != index)
            others = {at: candidates[at] for at in chosen if at != index}
            boxes = [others[at].boxes.rows(chosen[at]) for at in others]
            lines = [
                (points[at], label.ends[chosen[at]])
                for at, label in others.items()
                if label.has_line[chosen[at]]
            ]
            cost = own.cost(_joined([rivals, obstacles, *boxes]), frame) + own.ambiguity(rivals)
            for start, end in lines:
                cost += _crossing(own.boxes.crossed_share(start, end))
            chosen[index] = int(np.argmin(cost))  # the first of equals is the nearest
    return [candidates[at].label(chosen[at]) for at in range(len(points))]


def _dots(corners: Sequence[Point]) -> list[Point]:
    """Return points on a line at distances of a few pixels."""
    found = list(corners)
    for (x, y), (to_x, to_y) in itertools.pairwise(corners):
        count = math.ceil(math.hypot(to_x - x, to_y - y) / (2 * _LINE))
        shares = [at / count for at in range(1, count)]
        found += [(x + share * (to_x - x), y + share * (to_y - y)) for share in shares]
    return found


@dataclass(frozen=True, eq=False)
class _Boxes:
    """Many rectangles in pixels, as arrays of one shape."""

    left: Array
    bottom: Array
    right: Array
    top: Array

    def rows(self, chosen: NDArray[np.bool_] | int) -> "_Boxes":
        """Return some of the rectangles."""
        return _Boxes(*(np.atleast_1d(side[chosen]) for side in self._sides))

    @property
    def _sides(self) -> tuple[Array, Array, Array, Array]:
        return self.left, self.bottom, self.right, self.top

    def across(self) -> "_Boxes":
        """Return the rectangles as a column, to compare each of them with each of a row."""
        return _Boxes(*(side[:, None] for side in self._sides))

    def overlap(self, other: "_Boxes | Box") -> Array:
        """Return the area shared with another rectangle, in square pixels."""
        width = np.minimum(self.right, other.right) - np.maximum(self.left, other.left)
        height = np.minimum(self.top, other.top) - np.maximum(self.bottom, other.bottom)
        return np.asarray(np.maximum(width, 0) * np.maximum(height, 0))

    def distance(self, other: "_Boxes") -> Array:
        """Return the gap to another rectangle in pixels, 0 if they touch."""
        across = np.maximum(self.left - other.right, other.left - self.right)
        up = np.maximum(self.bottom - other.top, other.bottom - self.top)
        return np.asarray(np.hypot(np.maximum(across, 0), np.maximum(up, 0)))

    def nearest_point(self, point: Point) -> Array:
        """Return the point of each rectangle that is nearest to another point, ``(n, 2)``."""
        x = np.clip(point[0], self.left, self.right)
        return np.stack([x, np.clip(point[1], self.bottom, self.top)], axis=-1)

    def nearest_distance(self, point: Point) -> Array:
        """Return the distance of a point from each rectangle in pixels, 0 inside."""
        return np.asarray(np.hypot(*(self.nearest_point(point) - point).T))

    def crossed_share(self, start: Point, end: Point | Array) -> Array:
        """Return the share of a straight line in each rectangle, in [0, 1].

        The line is clipped by one pair of sides after the other (Liang and Barsky 1984).

        Args:
            start: Start of all lines.
            end: End of all lines, or of each as ``(n, 2)``.

        Example:
            >>> box = _Boxes(*np.array([[0.0], [0.0], [1.0], [1.0]]))
            >>> box.crossed_share((-1, 0.5), (3, 0.5))
            array([0.25])
        """
        enters: Array | float = 0.0
        leaves: Array | float = 1.0
        ends = np.asarray(end, dtype=np.float64)
        for at, to, low, high in (
            (start[0], ends[..., 0], self.left, self.right),
            (start[1], ends[..., 1], self.bottom, self.top),
        ):
            step = to - at
            # A line along the sides meets them at no point: it is between them, or outside.
            with np.errstate(divide="ignore", invalid="ignore"):
                first, last = (low - at) / step, (high - at) / step
            inside = (low <= at) & (at <= high)
            first = np.where(step == 0, np.where(inside, 0.0, 2.0), first)
            last = np.where(step == 0, np.where(inside, 1.0, 2.0), last)
            enters = np.maximum(enters, np.minimum(first, last))
            leaves = np.minimum(leaves, np.maximum(first, last))
        return np.asarray(np.maximum(0.0, leaves - enters))


def _joined(parts: Sequence[_Boxes]) -> _Boxes:
    return _Boxes(
        *(np.concatenate(sides) for sides in zip(*(p._sides for p in parts), strict=True))
    )


def _crossing(share: Array) -> Array:
    return np.where(share > 0, _CROSSING * (1 + share), 0.0)


@dataclass(frozen=True, eq=False)
class _Candidates:
    """All positions of one label, the nearest first.

    Attributes:
        point: The labelled point.
        boxes: Box of the text at each of ``n`` positions.
        ends: ``(n, 2)`` point of each box where a line to the point ends.
        has_line: ``(n,)`` whether there is a line. The nearest positions need none.
    """

    point: Point
    boxes: _Boxes
    ends: Array
    has_line: NDArray[np.bool_]

    @classmethod
    def of(cls, point: Point, size: tuple[float, float]) -> "_Candidates":
        x, y = point
        width, height = size
        angles = [math.radians(angle) for angle in _ANGLES]
        radius = np.repeat(_RADII, len(angles))
        across = np.tile([math.cos(angle) for angle in angles], len(_RADII))
        up = np.tile([math.sin(angle) for angle in angles], len(_RADII))
        # The side of the box that faces the point is the one at this radius.
        left = x + radius * across - width * (1 - _share(across))
        bottom = y + radius * up - height * (1 - _share(up))
        boxes = _Boxes(left, bottom, left + width, bottom + height)
        return cls(point, boxes, boxes.nearest_point(point), radius > _RADII[0])

    def cost(self, taken: _Boxes, frame: Box) -> Array:
        """Return the covered area in square pixels, with penalties for lines and the frame."""
        boxes = self.boxes
        area = (boxes.right - boxes.left) * (boxes.top - boxes.bottom)
        covered = boxes.across().overlap(taken).sum(axis=1)
        # A marker that touches the own one is in the way of every line, so it decides nothing.
        apart = taken.rows(taken.nearest_distance(self.point) > _RADII[0])
        crossed = _crossing(apart.crossed_share(self.point, self.ends[:, None])).sum(axis=1)
        outside = area - boxes.overlap(frame)
        return np.asarray(50 * (outside + covered) + np.where(self.has_line, crossed, 0))

    def ambiguity(self, rivals: _Boxes) -> Array:
        """Penalise positions closer to another point than to their own, most without a line."""
        own = self.boxes.nearest_distance(self.point)
        closer = (self.boxes.across().distance(rivals) < own[:, None]).sum(axis=1)
        return np.asarray(np.where(self.has_line, 150.0, 300.0) * closer)

    def label(self, at: int) -> PlacedLabel:
        """Return the label at a position."""
        left, bottom, right, top = (float(side[at]) for side in self.boxes._sides)
        end = (float(self.ends[at, 0]), float(self.ends[at, 1]))
        return PlacedLabel(Box(left, bottom, right, top), end if self.has_line[at] else None)


def _share(direction: Array) -> Array:
    """Return the share of a label on the positive side of its anchor: all, half or none."""
    return np.where(np.abs(direction) < 0.3, 0.5, direction > 0)
