"""Textures sampled for each video, and the texture set for rendering.

A texture is a tile of values 0..1 that mixes the two colours of a paint, as in
:mod:`~mapt_bench.synthetic.textures`: rows run across a surface, columns along it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["LEVELS", "TextureSet", "pack_textures", "sampled_textures"]

LEVELS: Final = 6
"""Levels of detail of a texture."""

Tile = NDArray[np.floating[Any]]

_BITS: Final = 7
_SIDE: Final = 1 << _BITS  # texels
_BANK: Final = 6  # noise tiles of each grain, shifted and turned at each use

_CENTRES = (np.arange(_SIDE, dtype=np.float32) + 0.5) / _SIDE
_ALONG = _CENTRES[None]  # one row and one column: most patterns vary along one axis only
_ACROSS = _CENTRES[:, None]


@dataclass(frozen=True, slots=True, eq=False)
class TextureSet:
    """Textures at several levels of detail. Each level is half as wide as the one before.

    Attributes:
        bits: Base-2 logarithm of the side of a tile at level 0.
        index: Index of each texture by name.
        texels: All tiles in sequence, ``uint8``: level by level, texture by texture.
        starts: Start of each level, ``int32``.
    """

    bits: int
    index: Mapping[str, int]
    texels: NDArray[np.uint8]
    starts: NDArray[np.int32]


def pack_textures(tiles: Mapping[str, Tile]) -> TextureSet:
    """Compute the levels of detail of tiles.

    Args:
        tiles: Values 0..1 by name, with the same side, a power of two; or one row or column.
    """
    side = max(max(tile.shape) for tile in tiles.values())
    bits = side.bit_length() - 1
    stack = [
        np.broadcast_to(np.clip(tile * 255, 0, 255).astype(np.uint8), (side, side))
        for tile in tiles.values()
    ]
    parts, starts, size = [], [], 0
    for level in range(LEVELS):
        starts.append(size)
        parts += [tile.ravel() for tile in stack]
        size += len(stack) << 2 * (bits - level)
        half = (len(stack[0]) // 2,) * 2
        stack = [np.asarray(cv2.resize(tile, half, interpolation=cv2.INTER_AREA)) for tile in stack]
    index = {name: place for place, name in enumerate(tiles)}
    return TextureSet(bits, index, np.concatenate(parts), np.array(starts, dtype=np.int32))


# -- building blocks ----------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _grain_bank(along: int, across: int) -> Tile:
    """Return tiles of smooth noise of one grain: ``(n, side, side)``, mean 0."""
    rng = np.random.default_rng([along, across])
    tiles = []
    for _ in range(_BANK):
        values = rng.standard_normal((across, along)).astype(np.float32)
        padded = np.pad(values, 2, mode="wrap")
        steps = (_SIDE // along, _SIDE // across)
        size = (padded.shape[1] * steps[0], padded.shape[0] * steps[1])
        fine = cv2.resize(padded, size, interpolation=cv2.INTER_CUBIC)
        top, left = 2 * steps[1], 2 * steps[0]
        tiles.append(fine[top : top + _SIDE, left : left + _SIDE])
    return np.stack(tiles)


def _noise(rng: np.random.Generator, *grains: tuple[int, int]) -> Tile:
    """Sample smooth noise with mean 0.5: a sum of grains with random strengths."""
    total = np.full((_SIDE, _SIDE), 0.5, dtype=np.float32)
    weights = rng.uniform(0.5, 1.0, len(grains)) / 1.5 ** np.arange(len(grains))
    weights *= 0.22 / np.hypot.reduce(weights)
    for weight, (along, across) in zip(weights, grains, strict=True):
        tile = _grain_bank(along, across)[rng.integers(_BANK)]
        tile = tile[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))]
        total += np.float32(weight) * np.roll(tile, rng.integers(_SIDE, size=2), (0, 1))
    return total


def _bars(axis: Tile, times: int, low: float, high: float) -> Tile:
    share = (axis * times) % 1
    return ((share >= low) & (share < high)).astype(np.float32)


def _cells(times: tuple[int, int], values: NDArray[np.float64]) -> Tile:
    """Repeat the value of each cell of a grid along and across."""
    columns = np.minimum((_CENTRES * times[0]).astype(int), times[0] - 1)
    rows = np.minimum((_CENTRES * times[1]).astype(int), times[1] - 1)
    return np.asarray(values.astype(np.float32)[rows[:, None], columns])


def _bond(rng: np.random.Generator, times: tuple[int, int], joint: float, shift: float) -> Tile:
    """Return rows of stones of different lightness, each row shifted; 0 in the joints."""
    row = np.floor(_ACROSS * times[1])
    along = (_ALONG * times[0] + shift * (row % 2)) % 1
    across = (_ACROSS * times[1]) % 1
    lightness = rng.uniform(0.55, 1.0, (times[1], times[0]))
    column = ((_ALONG * times[0] + shift * (row % 2)).astype(int)) % times[0]
    stones = lightness.astype(np.float32)[row.astype(int), column]
    wide = joint * times[0] / times[1]
    return np.asarray(stones * ((along >= wide) & (across >= joint)))


# -- grounds and walls --------------------------------------------------------------------------


def _road(rng: np.random.Generator) -> Tile:
    tile = _noise(rng, (4, 2), (16, 16), (64, 64), (128, 128))
    for _ in range(int(rng.integers(0, 3))):  # repairs
        left, top, wide, high = rng.uniform(0.05, 0.5, 4)
        inside = (left < _ALONG) & (left + wide > _ALONG) & (top < _ACROSS) & (top + high > _ACROSS)
        tile[inside] += np.float32(rng.uniform(-0.3, 0.3))
    return tile


def _pavement(rng: np.random.Generator) -> Tile:
    rough = _noise(rng, (4, 4), (32, 32), (128, 128))
    kind = rng.random()
    if kind < 0.2:  # poured concrete or asphalt
        return rough
    joint = rng.uniform(0.05, 0.12)
    if kind < 0.5:
        times = int(rng.integers(5, 9))
        stones = _bond(rng, (times, times), joint, 0.0)
    else:
        along = int(rng.integers(2, 6))
        stones = _bond(rng, (along, along * int(rng.choice((1, 2)))), joint, 0.5)
    return stones * (0.6 + 0.6 * rough)


def _grass(rng: np.random.Generator) -> Tile:
    return _noise(rng, (4, 4), (16, 16), (64, 64), (128, 128)) * np.float32(1.2)


def _bare(rng: np.random.Generator) -> Tile:
    kind = rng.random()
    if kind < 0.4:
        along = int(rng.integers(5, 9))
        brick = _bond(rng, (along, int(rng.integers(12, 22))), rng.uniform(0.12, 0.25), 0.5)
        return brick * (0.7 + 0.5 * _noise(rng, (16, 16), (64, 64)))
    rough = _noise(rng, (2, 2), (16, 16), (128, 128))
    if kind < 0.75:
        return rough
    seams = np.maximum(_bars(_ACROSS, 1, 0, 0.03), _bars(_ALONG, int(rng.integers(1, 3)), 0, 0.02))
    return np.asarray(np.maximum(0.6 * rough, 0.9 * seams))


def _windows(rng: np.random.Generator, times: tuple[int, int]) -> Tile:
    """Return windows in a light wall, with frames, and shutters or balconies."""
    wide, high = rng.uniform(0.3, 0.68), rng.uniform(0.42, 0.72)
    left, foot = (1 - wide) / 2, rng.uniform(0.14, 0.9 - high)
    inside = _bars(_ALONG, times[0], left, left + wide)
    inside = inside * _bars(_ACROSS, times[1], foot, foot + high)
    glow = rng.uniform(0.65, 1.0, (times[1], times[0]))
    glow[rng.random(glow.shape) < 0.15] = rng.uniform(0.2, 0.5)  # curtains
    tile = rng.uniform(0.1, 0.3) * _noise(rng, (8, 8), (64, 64))
    extra = rng.random()
    if extra < 0.25:  # shutters
        beside = _bars(_ALONG, times[0], max(left - 0.17, 0), min(left + wide + 0.17, 1))
        tile = np.maximum(tile, 0.5 * beside * _bars(_ACROSS, times[1], foot, foot + high))
    elif extra < 0.45:  # balconies, or bands between the floors
        band = _bars(_ACROSS, times[1], 0, max(foot - 0.04, 0.08))
        tile = np.maximum(tile, rng.uniform(0.25, 0.6) * band)
    tile = np.where(inside > 0, _cells(times, glow), tile)
    bars = int(rng.integers(0, 3))
    if bars:  # mullions, of the colour of the wall
        for number in range(bars):
            at = left + wide * (number + 1) / (bars + 1)
            tile = tile * (1 - inside * _bars(_ALONG, times[0], at - 0.02, at + 0.02))
    return tile.astype(np.float32)


def _shops(rng: np.random.Generator) -> Tile:
    times = int(rng.integers(1, 4))
    top = rng.uniform(0.6, 0.8)
    glass = _bars(_ALONG, times, 0.06, rng.uniform(0.55, 0.72)) * _bars(_ACROSS, 1, 0.12, top)
    door = _bars(_ALONG, times, 0.77, 0.94) * _bars(_ACROSS, 1, 0, top)
    sign = _bars(_ACROSS, 1, top + 0.05, 0.95) * rng.uniform(0.0, 0.7)
    shade = _cells((times, 1), rng.uniform(0.6, 1.0, (1, times)))
    return np.asarray(np.maximum(np.maximum(glass * shade, 0.75 * door), sign).astype(np.float32))


def _roof(rng: np.random.Generator) -> Tile:
    rows = _bars(_ACROSS, int(rng.integers(8, 17)), 0, 0.3)
    return rng.uniform(0.3, 0.7) * rows + 0.4 * _noise(rng, (32, 16), (64, 64))


def _fence(rng: np.random.Generator) -> Tile:
    axis, times = (
        (_ALONG, rng.integers(7, 15)) if rng.random() < 0.7 else (_ACROSS, rng.integers(3, 6))
    )
    return np.asarray(
        np.maximum(
            _bars(axis, int(times), 0, rng.uniform(0.1, 0.25)), 0.5 * _noise(rng, (32, 4), (64, 8))
        )
    )


def _posters(rng: np.random.Generator) -> Tile:
    times = (int(rng.integers(1, 4)), int(rng.integers(1, 3)))
    sheet = _bars(_ALONG, times[0], 0.08, 0.92) * _bars(_ACROSS, times[1], 0.1, 0.9)
    printed = _bars(_ALONG, times[0], 0.2, 0.8) * _bars(_ACROSS, times[1], 0.6, 0.8)
    return np.maximum(sheet * _noise(rng, (8, 8), (16, 16)), printed)


# -- things -------------------------------------------------------------------------------------

_ROUND: Final = (2 * np.minimum(_ACROSS, 1 - _ACROSS)) ** 2  # dark at the sides of a limb


def _coat(rng: np.random.Generator) -> Tile:
    """Return a coat: mostly plain; or knitted, striped, checked, halved, printed or graded."""
    edge = np.abs(2 * _ACROSS - 1) ** 2  # of a torso; its middle is the middle of the tile
    plain = rng.uniform(0.4, 0.9) * edge
    kind = rng.random()
    if kind < 0.5:
        return plain
    if kind < 0.62:
        return _noise(rng, (16, 8), (32, 16)) + 0.3 * edge
    if kind < 0.72:
        return _bars(_ALONG, int(rng.integers(3, 7)), 0, rng.uniform(0.3, 0.7))
    if kind < 0.8:
        times = int(rng.integers(2, 5))
        return 0.5 * (_bars(_ALONG, times, 0.5, 1) + _bars(_ACROSS, times, 0.5, 1))
    if kind < 0.88:
        return _bars(_ALONG, 1, rng.uniform(0.35, 0.6), 1)
    if kind < 0.95:
        radius = rng.uniform(0.15, 0.3)
        inside = np.hypot(_ALONG - 0.5, _ACROSS - 0.5) < radius
        return np.where(inside, np.float32(1), 0.3 * edge).astype(np.float32)
    return np.abs(2 * _ALONG - 1)


def _car(rng: np.random.Generator) -> Tile:
    """Return doors with a dark sill, or a body that reflects sky and road."""
    first, second = rng.uniform(0.28, 0.4), rng.uniform(0.55, 0.68)
    seams = _bars(_ALONG, 1, first, first + 0.012) + _bars(_ALONG, 1, second, second + 0.012)
    sill = rng.uniform(0.3, 0.6) * _bars(_ACROSS, 1, 0, rng.uniform(0.18, 0.32))
    sheen = rng.uniform(0.2, 0.8) * np.abs(2 * _ACROSS - 1) ** rng.uniform(1.2, 2.5)
    return np.asarray(np.maximum(np.maximum(0.8 * seams, sill), sheen).astype(np.float32))


def _livery(rng: np.random.Generator) -> Tile:
    """Return rows of lettering, a band, or ribs only."""
    kind = rng.random()
    if kind < 0.45:
        rows = int(rng.integers(4, 10))
        strokes = _cells((24, rows), (rng.random((rows, 24)) < 0.6).astype(np.float64))
        middle = _bars(_ALONG, 1, 0.12, 0.88) * _bars(_ACROSS, 1, rng.uniform(0.25, 0.5), 0.85)
        return strokes * middle * _bars(_ACROSS, rows, 0.2, 0.8)
    if kind < 0.7:
        low = rng.uniform(0.15, 0.6)
        return _bars(_ACROSS, 1, low, low + rng.uniform(0.1, 0.3))
    return 0.25 * _bars(_ALONG, int(rng.integers(6, 14)), 0, 0.15)


def _leaves(rng: np.random.Generator) -> Tile:
    return _noise(rng, (8, 8), (16, 16), (32, 32), (64, 64)) * np.float32(1.3) - np.float32(0.15)


def _common(rng: np.random.Generator) -> dict[str, Tile]:
    radius = np.hypot(_ALONG - 0.5, _ACROSS - 0.5)
    spokes = 0.65 + 0.35 * (radius >= 0.1) * (radius < rng.uniform(0.22, 0.29))
    return {
        "plain": np.zeros((_SIDE, _SIDE), dtype=np.float32),
        "round": _ROUND,
        "glass": np.clip(1.5 * np.abs((_ALONG + 0.6 * _ACROSS) % 1 - 0.5), 0, 1),
        "rim": (radius < rng.uniform(0.28, 0.36)) * spokes,
        "lane": 0.5 + 0.6 * _noise(rng, (16, 16), (64, 64)),
        "clouds": 2.2 * _noise(rng, (2, 4), (4, 8), (16, 32)) - rng.uniform(0.4, 0.9),
    }


def sampled_textures(
    rng: np.random.Generator,
    coats: int,
    cars: int,
    liveries: int,
    upper: tuple[tuple[int, int], ...],
) -> TextureSet:
    """Sample the textures of a video.

    Args:
        rng: Random generator.
        coats: Number of clothing textures: ``coat-0`` and so on.
        cars: Number of car textures: ``car-0`` and so on.
        liveries: Number of truck textures: ``livery-0`` and so on.
        upper: Windows along and across for each upper floor: ``upper-0`` and so on.
    """
    tiles = {
        **_common(rng),
        "road": _road(rng),
        "sidewalk": _pavement(rng),
        "grass": _grass(rng),
        "roof": _roof(rng),
        "shops": _shops(rng),
        "fence": _fence(rng),
        "posters": _posters(rng),
        "leaves": _leaves(rng),
        "bark": _noise(rng, (4, 32), (16, 64)),
        **{f"bare-{number}": _bare(rng) for number in range(2)},
        **{f"upper-{number}": _windows(rng, times) for number, times in enumerate(upper)},
        **{f"coat-{number}": _coat(rng) for number in range(coats)},
        **{f"car-{number}": _car(rng) for number in range(cars)},
        **{f"livery-{number}": _livery(rng) for number in range(liveries)},
    }
    return pack_textures(tiles)
