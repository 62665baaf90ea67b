"""Random silhouettes: polygons, smooth blobs, bars, figures, vehicles, rings and their unions."""

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["SHAPES", "random_silhouette"]

_Dice = np.random.Generator
_Canvas = NDArray[np.uint8]

_FINE = 2
"""Shapes are filled at this many times their size and averaged down, which smooths borders."""


def random_silhouette(dice: _Dice, size: tuple[int, int], name: str) -> NDArray[np.uint8]:
    """Generate how much of each pixel a shape covers.

    Args:
        dice: Source of randomness.
        size: Height and width in pixels; the shape touches or nearly touches all four sides.
        name: A key of :data:`SHAPES`.

    Returns:
        ``uint8`` of shape ``(height, width)``, 255 where the shape covers the whole pixel.

    Example:
        >>> shape = random_silhouette(np.random.default_rng(0), (20, 30), "ellipse")
        >>> shape.shape, int(shape[10, 15]), int(shape[0, 0])
        ((20, 30), 255, 0)
    """
    height, width = (side * _FINE for side in size)
    canvas = np.zeros((height, width), np.uint8)
    SHAPES[name](dice, canvas)
    if name not in ("bar", "figure") and dice.random() < 0.15:
        _cut_holes(dice, canvas)
    return np.asarray(cv2.resize(canvas, size[::-1], interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _fill(canvas: _Canvas, points: NDArray[np.floating], value: int = 255) -> None:
    """Fill a polygon of ``(x, y)`` in ``[0, 1]``, as shares of the canvas."""
    height, width = canvas.shape
    corners = np.rint(points * (width - 1, height - 1)).astype(np.int32)
    cv2.fillPoly(canvas, [corners[:, None]], value)


def _round(dice: _Dice, canvas: _Canvas, radius: NDArray[np.floating], corners: int) -> None:
    angles = np.linspace(0, 2 * math.pi, corners, endpoint=False) + dice.uniform(0, 2 * math.pi)
    points = np.stack((np.cos(angles) * radius, np.sin(angles) * radius), axis=1)
    low, high = points.min(0), points.max(0)
    _fill(canvas, (points - low) / np.maximum(high - low, 1e-6))


def _polygon(dice: _Dice, canvas: _Canvas) -> None:
    corners = int(dice.integers(3, 12))
    _round(dice, canvas, dice.uniform(0.35, 1, corners), corners)


def _blob(dice: _Dice, canvas: _Canvas) -> None:
    angles = np.linspace(0, 2 * math.pi, 64, endpoint=False)
    radius = np.ones(64)
    for waves in range(2, 6):
        strength = dice.uniform(0, 0.5 / waves)
        radius += strength * np.cos(waves * angles + dice.uniform(0, 2 * math.pi))
    _round(dice, canvas, radius, 64)


def _ellipse(dice: _Dice, canvas: _Canvas) -> None:
    _round(dice, canvas, np.ones(64), 64)


def _box(dice: _Dice, canvas: _Canvas) -> None:
    cut = dice.uniform(0, 0.25, 4)
    points = [(cut[0], 0), (1 - cut[1], 0), (1, cut[1]), (1, 1 - cut[2])]
    points += [(1 - cut[2], 1), (cut[3], 1), (0, 1 - cut[3]), (0, cut[0])]
    _fill(canvas, np.array(points))


def _bar(dice: _Dice, canvas: _Canvas) -> None:
    half = dice.uniform(0.04, 0.2)
    ends = dice.uniform(half, 1 - half, 2)
    points = [(ends[0] - half, 0), (ends[0] + half, 0), (ends[1] + half, 1), (ends[1] - half, 1)]
    turned = np.array(points)
    _fill(canvas, turned[:, ::-1] if dice.random() < 0.5 else turned)


def _ring(dice: _Dice, canvas: _Canvas) -> None:
    (_ellipse if dice.random() < 0.5 else _box)(dice, canvas)
    inner = dice.uniform(0.3, 0.7)
    angles = np.linspace(0, 2 * math.pi, 48, endpoint=False)
    _fill(canvas, 0.5 + 0.5 * inner * np.stack((np.cos(angles), np.sin(angles)), axis=1), 0)


def _figure(dice: _Dice, canvas: _Canvas) -> None:
    """A head, a trunk, two legs and two arms."""
    height, width = canvas.shape

    def limb(x: float, y: float, to_x: float, to_y: float, thickness: float) -> None:
        start = (round(x * width), round(y * height))
        end = (round(to_x * width), round(to_y * height))
        cv2.line(canvas, start, end, 255, max(2, round(thickness * height)))

    head = dice.uniform(0.06, 0.1)
    centre = (width // 2, round(head * height))
    cv2.circle(canvas, centre, max(1, round(head * height)), 255, -1)
    hip = dice.uniform(0.45, 0.55)
    limb(0.5, 0.25, 0.5, hip, dice.uniform(0.12, 0.22))
    for side in (-1, 1):
        foot = 0.5 + side * dice.uniform(0.02, 0.45)
        limb(0.5, hip, foot, 0.97, dice.uniform(0.05, 0.09))
        limb(0.5, 0.22, 0.5 + side * dice.uniform(0.1, 0.48), dice.uniform(0.3, 0.55), 0.05)


def _vehicle(dice: _Dice, canvas: _Canvas) -> None:
    """A body, a cabin and two wheels."""
    height, width = canvas.shape
    waist, floor = dice.uniform(0.3, 0.55), dice.uniform(0.8, 0.9)
    _fill(canvas, np.array([(0, waist), (1, waist), (1, floor), (0, floor)]))
    left, right = dice.uniform(0.02, 0.3), dice.uniform(0.7, 0.98)
    slant = dice.uniform(0, 0.15)
    _fill(canvas, np.array([(left + slant, 0), (right - slant, 0), (right, waist), (left, waist)]))
    for x in (dice.uniform(0.12, 0.3), dice.uniform(0.7, 0.88)):
        radius = max(1, round((1 - floor) * height * 1.2))
        cv2.circle(canvas, (round(x * width), height - 1 - radius), radius, 255, -1)


def _union(dice: _Dice, canvas: _Canvas) -> None:
    """Two to four shapes that meet in the middle, as things that are made of parts do."""
    height, width = canvas.shape
    for _ in range(int(dice.integers(2, 5))):
        part = (int(height * dice.uniform(0.4, 1)), int(width * dice.uniform(0.4, 1)))
        piece = np.zeros((max(4, part[0]), max(4, part[1])), np.uint8)
        (_polygon, _blob, _ellipse, _box, _bar)[int(dice.integers(5))](dice, piece)
        piece = piece[:height, :width]
        top = int(dice.integers(height - piece.shape[0] + 1))
        left = int(dice.integers(width - piece.shape[1] + 1))
        place = canvas[top : top + piece.shape[0], left : left + piece.shape[1]]
        np.maximum(place, piece, out=place)


def _cut_holes(dice: _Dice, canvas: _Canvas) -> None:
    height, width = canvas.shape
    for _ in range(int(dice.integers(1, 4))):
        centre = (int(dice.uniform(0.25, 0.75) * width), int(dice.uniform(0.25, 0.75) * height))
        across, down = dice.uniform(0.04, 0.18, 2)
        axes = (max(1, int(width * across)), max(1, int(height * down)))
        cv2.ellipse(canvas, centre, axes, 0, 0, 360, 0, -1)


SHAPES: dict[str, Callable[[_Dice, _Canvas], None]] = {
    "polygon": _polygon,
    "blob": _blob,
    "ellipse": _ellipse,
    "box": _box,
    "bar": _bar,
    "ring": _ring,
    "figure": _figure,
    "vehicle": _vehicle,
    "union": _union,
}
"""How each kind of shape is filled into a canvas."""
