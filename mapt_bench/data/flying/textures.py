"""Procedural textures: random patterns in random colours.

A texture is one or two grey patterns, coloured by palettes. Two families of patterns are held out:
training clips never show them, and choices are made on clips that show little else.
"""

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["HELD_OUT_PATTERNS", "PATTERNS", "random_texture"]

_Dice = np.random.Generator
_Grey = NDArray[np.float32]


def random_texture(
    dice: _Dice, size: tuple[int, int], patterns: Sequence[str]
) -> NDArray[np.uint8]:
    """Generate a texture.

    Args:
        dice: Source of randomness.
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
    if dice.random() < 0.2:  # a plain surface: its border is the only thing to follow
        colour = colour.mean((0, 1)) + (colour - colour.mean((0, 1))) * dice.uniform(0.05, 0.3)
    return np.clip(colour, 0, 255).astype(np.uint8)


def _pattern(dice: _Dice, size: tuple[int, int], names: Sequence[str]) -> _Grey:
    name = names[int(dice.integers(len(names)))]
    return {**PATTERNS, **HELD_OUT_PATTERNS}[name](dice, size)


def _palette(dice: _Dice) -> NDArray[np.float32]:
    """Return the colour of each of 256 grey levels: natural or wild, soft or with hard steps."""
    count = int(dice.integers(2, 6))
    if dice.random() < 0.6:  # one hue, little saturation: as walls, roads and leaves have
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
    """Smooth noise at several scales, as clouds, dirt and foliage have."""
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
    """Rectangles of all sizes, as fronts of houses and vehicles show."""
    canvas = np.full(size, dice.random(), np.float32)
    height, width = size
    for _ in range(int(dice.integers(4, 40))):
        left, top = int(dice.integers(width)), int(dice.integers(height))
        right = left + int(dice.integers(1, max(2, width // 3)))
        bottom = top + int(dice.integers(1, max(2, height // 3)))
        cv2.rectangle(canvas, (left, top), (right, bottom), dice.random(), -1)
    return canvas


def _cells(dice: _Dice, size: tuple[int, int]) -> _Grey:
    """Each pixel has the grey of its nearest point: stones, leaves."""
    points = np.full(size, 255, np.uint8)
    count = int(dice.integers(6, max(8, size[0] * size[1] // 150)))
    points[dice.integers(size[0], size=count), dice.integers(size[1], size=count)] = 0
    _, nearest = cv2.distanceTransformWithLabels(
        points, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    greys = dice.random(int(nearest.max()) + 1, dtype=np.float32)
    return np.asarray(greys[nearest], dtype=np.float32)


def _strokes(dice: _Dice, size: tuple[int, int]) -> _Grey:
    """Lines that cross, as branches, wires and writing do."""
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
