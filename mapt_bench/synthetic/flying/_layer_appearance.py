"""Random silhouettes and random textures of the layers of a flying clip.

A silhouette is a polygon, a smooth blob, a bar, a figure, a vehicle, a ring or a union of these.
A texture is one or two grey patterns, coloured by palettes. Two pattern families are held out:
training clips never show them. Validation clips, on which hyperparameters are chosen, show little
else.
"""

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["HELD_OUT_PATTERNS", "PATTERNS", "SHAPES", "random_silhouette", "random_texture"]

_Dice = np.random.Generator
_Canvas = NDArray[np.uint8]
_Grey = NDArray[np.float32]

_FINE = 2
"""Shapes are filled at this multiple of their size and averaged down, for smooth borders."""


def random_silhouette(dice: _Dice, size: tuple[int, int], name: str) -> NDArray[np.uint8]:
    """Generate the coverage of each pixel by a random shape.

    Args:
        dice: Random generator.
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
    """A union of two to four shapes that overlap in the middle, like things made of parts."""
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
"""Functions that fill each kind of shape into a canvas."""


def random_texture(
    dice: _Dice, size: tuple[int, int], patterns: Sequence[str]
) -> NDArray[np.uint8]:
    """Generate a texture.

    Args:
        dice: Random generator.
        size: Height and width in pixels.
        patterns: Names of the pattern families to choose from.

    Returns:
        RGB, ``uint8`` of shape ``(height, width, 3)``.

    Example:
        >>> random_texture(np.random.default_rng(0), (32, 48), ["octaves"]).shape
        (32, 48, 3)
    """
    colour = _coloured(_pattern(dice, size, patterns), _palette(dice))
    if dice.random() < 0.5:
        other = _coloured(_pattern(dice, size, patterns), _palette(dice))
        share = _pattern(dice, size, patterns)
        if dice.random() < 0.5:
            share = (share > dice.uniform(0.3, 0.7)).astype(np.float32)
        colour += (other - colour) * share[..., None]
    if dice.random() < 0.6:
        colour += (_octaves(dice, size)[..., None] - 0.5) * dice.uniform(5, 70)
    if dice.random() < 0.2:  # a plain surface: only its border can be followed
        colour = colour.mean((0, 1)) + (colour - colour.mean((0, 1))) * dice.uniform(0.05, 0.3)
    return np.clip(colour, 0, 255).astype(np.uint8)


def _pattern(dice: _Dice, size: tuple[int, int], names: Sequence[str]) -> _Grey:
    name = names[int(dice.integers(len(names)))]
    return {**PATTERNS, **HELD_OUT_PATTERNS}[name](dice, size)


def _palette(dice: _Dice) -> NDArray[np.float32]:
    """Return the colour of each of 256 grey levels: muted or vivid, smooth or in steps."""
    count = int(dice.integers(2, 6))
    if dice.random() < 0.6:  # one hue, little saturation, like walls, roads and leaves
        grey = dice.uniform(10, 245, (count, 1))
        colours = grey + dice.normal(0, 1, 3) * dice.uniform(0, 45)
        colours = colours + dice.normal(0, 12, (count, 3))
    else:
        colours = dice.uniform(0, 255, (count, 3))
    places = np.sort(dice.random(count)) * 255
    levels = np.arange(256)
    if dice.random() < 0.25:
        return colours[np.searchsorted(places[1:], levels)].astype(np.float32)
    channels = [np.interp(levels, places, colours[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=1).astype(np.float32)


def _coloured(grey: _Grey, palette: NDArray[np.float32]) -> NDArray[np.float32]:
    return palette[np.clip(grey * 255, 0, 255).astype(np.uint8)]


def _stretched(values: NDArray[np.floating]) -> _Grey:
    low, high = float(values.min()), float(values.max())
    return ((values - low) / max(high - low, 1e-6)).astype(np.float32)


def _octaves(dice: _Dice, size: tuple[int, int]) -> _Grey:
    """Smooth noise at several scales, like clouds, dirt and foliage."""
    height, width = size
    total = np.zeros(size, np.float32)
    cells, weight = dice.uniform(1.5, 6), 1.0
    persistence = dice.uniform(0.4, 0.9)
    while cells < max(size):
        grid = (max(2, round(cells * height / max(size))), max(2, round(cells * width / max(size))))
        noise = dice.random(grid, dtype=np.float32)
        total += np.float32(weight) * cv2.resize(
            noise, (width, height), interpolation=cv2.INTER_CUBIC
        )
        cells, weight = cells * 2, weight * persistence
    return _stretched(total)


def _spectrum(dice: _Dice, size: tuple[int, int]) -> _Grey:
    """Noise with the power spectrum of photographs: amplitude ``1 / f ** a``, ``a`` about 1."""
    side = 128
    noise = np.fft.rfft2(dice.standard_normal((side, side)))
    down, right = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    frequency = np.hypot(down * dice.uniform(0.6, 1.6), right)
    frequency[0, 0] = 1
    amplitude = frequency ** -dice.uniform(0.8, 1.5)
    amplitude[0, 0] = 0
    tile = np.fft.irfft2(noise * amplitude, (side, side)).astype(np.float32)
    low, high = np.percentile(tile, (1, 99))
    tile = np.clip((tile - low) / (high - low), 0, 1)
    times = (-(-size[0] // side), -(-size[1] // side))
    return np.tile(tile, times)[: size[0], : size[1]]


def _turned(dice: _Dice, size: tuple[int, int]) -> tuple[_Grey, _Grey]:
    """Return two coordinates in pixels along axes at a random angle."""
    angle = 0.0 if dice.random() < 0.4 else dice.uniform(0, math.pi)
    y = np.arange(size[0], dtype=np.float32)[:, None]
    x = np.arange(size[1], dtype=np.float32)
    cosine, sine = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    return x * cosine + y * sine, y * cosine - x * sine


def _period(dice: _Dice) -> np.float32:
    return np.float32(math.exp(dice.uniform(math.log(3), math.log(60))))


def _stripes(dice: _Dice, size: tuple[int, int]) -> _Grey:
    along, across = _turned(dice, size)
    bend = np.sin(across / _period(dice)) * np.float32(dice.uniform(0, 3))
    wave = np.sin((along + bend) * (2 * np.pi / _period(dice)))
    return np.asarray(0.5 + 0.5 * np.tanh(wave * dice.uniform(0.5, 8)), dtype=np.float32)


def _checkers(dice: _Dice, size: tuple[int, int]) -> _Grey:
    along, across = _turned(dice, size)
    waves = np.sin(along * (np.pi / _period(dice))) * np.sin(across * (np.pi / _period(dice)))
    return np.asarray(0.5 + 0.5 * np.tanh(waves * dice.uniform(1, 10)), dtype=np.float32)


def _gradient(dice: _Dice, size: tuple[int, int]) -> _Grey:
    along, across = _turned(dice, size)
    if dice.random() < 0.5:
        return _stretched(along)
    return _stretched(np.hypot(along - along.mean(), across - across.mean()))


def _blobs(dice: _Dice, size: tuple[int, int]) -> _Grey:
    canvas = np.full(size, dice.random(), np.float32)
    height, width = size
    for _ in range(int(dice.integers(4, 40))):
        centre = (int(dice.integers(width)), int(dice.integers(height)))
        axes = tuple(int(side) for side in dice.integers(1, max(2, min(size) // 4), 2))
        cv2.ellipse(
            canvas, centre, axes, dice.uniform(0, 180), 0, 360, dice.random(), -1, cv2.LINE_AA
        )
    return canvas


def _windows(dice: _Dice, size: tuple[int, int]) -> _Grey:
    """Rectangles of all sizes, like the fronts of houses and vehicles."""
    canvas = np.full(size, dice.random(), np.float32)
    height, width = size
    for _ in range(int(dice.integers(4, 40))):
        left, top = int(dice.integers(width)), int(dice.integers(height))
        right = left + int(dice.integers(1, max(2, width // 3)))
        bottom = top + int(dice.integers(1, max(2, height // 3)))
        cv2.rectangle(canvas, (left, top), (right, bottom), dice.random(), -1)
    return canvas


def _cells(dice: _Dice, size: tuple[int, int]) -> _Grey:
    """Cells of the nearest random point in one grey each, like stones and leaves."""
    points = np.full(size, 255, np.uint8)
    count = int(dice.integers(6, max(8, size[0] * size[1] // 150)))
    points[dice.integers(size[0], size=count), dice.integers(size[1], size=count)] = 0
    _, nearest = cv2.distanceTransformWithLabels(
        points, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    greys = dice.random(int(nearest.max()) + 1, dtype=np.float32)
    return np.asarray(greys[nearest], dtype=np.float32)


def _strokes(dice: _Dice, size: tuple[int, int]) -> _Grey:
    """Crossing lines, like branches, wires and writing."""
    canvas = np.full(size, dice.random(), np.float32)
    for _ in range(int(dice.integers(5, 50))):
        start = dice.uniform((0, 0), size[::-1])
        steps = dice.normal(0, max(size) / 10, (int(dice.integers(2, 6)), 2)).cumsum(0)
        line = np.rint(np.vstack((start, start + steps))).astype(np.int32)
        thickness = int(dice.integers(1, 5))
        cv2.polylines(canvas, [line[:, None]], False, dice.random(), thickness, cv2.LINE_AA)
    return canvas


PATTERNS: dict[str, Callable[[_Dice, tuple[int, int]], _Grey]] = {
    "octaves": _octaves,
    "spectrum": _spectrum,
    "stripes": _stripes,
    "checkers": _checkers,
    "gradient": _gradient,
    "blobs": _blobs,
    "windows": _windows,
}
"""Families of patterns that training clips show."""

HELD_OUT_PATTERNS: dict[str, Callable[[_Dice, tuple[int, int]], _Grey]] = {
    "cells": _cells,
    "strokes": _strokes,
}
"""Families of patterns that only held-out clips show."""
