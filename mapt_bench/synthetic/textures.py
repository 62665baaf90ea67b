"""The fixed textures of videos with domain shift. Those of other videos are sampled for each.

A texture is a 64x64 tile of values 0..1 that mixes the two colours of a paint. Rows run across a
surface (away from the first edge of a panel; from the middle of a limb to its side), columns along
it (along the first edge of a panel; from the start of a limb to its end). The first row of a wall
is at its foot.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.patterns import TextureSet, pack_textures

__all__ = ["fixed_textures"]

_SIDE: Final = 64  # texels

Tile = NDArray[np.float64]

# Texel centres, 0..1: across varies over rows, along over columns.
_CENTRES = (np.arange(_SIDE) + 0.5) / _SIDE
_ACROSS, _ALONG = np.meshgrid(_CENTRES, _CENTRES, indexing="ij")


def _noise(seed: int, *cells: tuple[int, int]) -> Tile:
    """Return smooth noise that tiles: grids of random values, finer and weaker, scaled to 0..1.

    Args:
        seed: Seed of the values.
        cells: Values along and across of each grid, coarse to fine; powers of two up to 64.
    """
    rng = np.random.default_rng(seed)
    total = np.zeros((_SIDE, _SIDE))
    for octave, (along, across) in enumerate(cells):
        values = rng.random((across, along))
        for axis, count in ((0, across), (1, along)):
            values = _stretch(values, _SIDE // count, axis)
        total += values / 1.6**octave
    return np.asarray((total - total.min()) / (total.max() - total.min()))


def _stretch(values: Tile, factor: int, axis: int) -> Tile:
    """Repeat each value ``factor`` times along an axis, and smooth the steps."""
    values = np.repeat(values, factor, axis)
    for shift in (factor // 2, factor // 4):
        values = (np.roll(values, shift, axis) + values + np.roll(values, -shift, axis)) / 3
    return values


def _inside(value: Tile, low: float, high: float) -> Tile:
    return ((value >= low) & (value < high)).astype(np.float64)


def _repeated(times: float, value: Tile, shift: float = 0.0) -> Tile:
    return (value * times + shift) % 1.0


def _frame(along: tuple[float, float], across: tuple[float, float], times: tuple[int, int]) -> Tile:
    """Return rectangles in a grid: 1 inside the given shares of each cell."""
    columns = _inside(_repeated(times[0], _ALONG), *along)
    return columns * _inside(_repeated(times[1], _ACROSS), *across)


def _disc(radius: float, along: float = 0.5, across: float = 0.5, times: int = 1) -> Tile:
    x, y = _repeated(times, _ALONG) - along, _repeated(times, _ACROSS) - across
    return (x * x + y * y < radius * radius).astype(np.float64)


def _running_bond(times: tuple[int, int], joint: float) -> Tile:
    """Return bricks, each row shifted by half a brick; 0 in the joints."""
    row = np.floor(_ACROSS * times[1])
    along = _repeated(times[0], _ALONG, 0.5) * (row % 2) + _repeated(times[0], _ALONG) * (
        1 - row % 2
    )
    across = _repeated(times[1], _ACROSS)
    return _inside(along, joint * times[0] / times[1], 1) * _inside(across, joint, 1)


def _windows(panes: Tile, seed: int, times: tuple[int, int]) -> Tile:
    """Return window panes in a light wall."""
    rng = np.random.default_rng(seed)
    shape = (_SIDE // times[1], _SIDE // times[0])
    glow = np.kron(rng.uniform(0.7, 1.0, (times[1], times[0])), np.ones(shape))
    wall = 0.12 * _noise(seed, (32, 32), (64, 64))
    return np.where(panes > 0, glow, wall)


def _common() -> dict[str, Callable[[], Tile]]:
    radius = np.hypot(_ALONG - 0.5, _ACROSS - 0.5)
    return {
        "plain": lambda: np.zeros((_SIDE, _SIDE)),
        "glass": lambda: np.clip(1.5 * np.abs(_repeated(1, _ALONG + 0.6 * _ACROSS) - 0.5), 0, 1),
        "clouds": lambda: np.clip(1.8 * _noise(3, (2, 16), (4, 32), (16, 64)) - 0.6, 0, 1),
        "rim": lambda: _inside(radius, 0.0, 0.32) * (0.65 + 0.35 * _inside(radius, 0.1, 0.27)),
    }


def _patterned() -> dict[str, Callable[[], Tile]]:
    diagonal = _ALONG + _ACROSS
    return {
        # clothing
        "bands": lambda: np.maximum(_inside(_ALONG, 0.1, 0.3), _inside(_ALONG, 0.55, 0.95)),
        "dots": lambda: _disc(0.3, times=3),
        "diagonals": lambda: _inside(_repeated(2, diagonal), 0.5, 1),
        "yoke": lambda: _inside(_ALONG, 0.66, 1),
        "mottled": lambda: np.round(2 * _noise(71, (8, 8), (16, 16))) / 2,
        "vest": lambda: _inside(_ACROSS, 0.34, 0.66),
        # vehicles
        "reflection": lambda: _inside(_ACROSS, 0.45, 0.72) * (0.6 + 0.4 * _noise(73, (8, 4))),
        "mouldings": lambda: np.maximum(
            np.maximum(_inside(_ACROSS, 0.3, 0.38), _inside(_ALONG, 0.46, 0.475)),
            0.6 * _inside(_ACROSS, 0.0, 0.16),
        ),
        "livery": lambda: np.maximum(
            _inside(_ALONG - 0.4 * _ACROSS, 0.1, 0.4), _disc(0.16, 0.75, 0.6)
        ),
        # ground
        "tarmac": lambda: np.clip(
            _noise(79, (16, 4), (64, 64)) + 0.5 * _inside(_noise(83, (4, 4)), 0.7, 1), 0, 1
        ),
        "slabs": lambda: (
            _frame((0.06, 1), (0.06, 1), (3, 3)) * (0.55 + 0.45 * _noise(89, (4, 4), (32, 32)))
        ),
        "meadow": lambda: np.clip(
            _noise(97, (4, 8), (16, 16), (64, 64)) + 0.3 * _disc(0.12, times=8), 0, 1
        ),
        # walls
        "stone": lambda: _running_bond((3, 6), 0.09) * (0.5 + 0.5 * _noise(101, (8, 8), (32, 32))),
        "render": lambda: np.maximum(
            0.7 * _noise(103, (2, 16), (8, 32)), _inside(_repeated(2, _ACROSS), 0, 0.04)
        ),
        "wide-windows": lambda: _windows(
            _frame((0.1, 0.9), (0.35, 0.85), (1, 2)) * (1 - _frame((0.3, 0.4), (0, 1), (3, 1))),
            107,
            (1, 2),
        ),
        "arched-windows": lambda: _windows(
            np.maximum(
                _frame((0.3, 0.7), (0.2, 0.65), (3, 2)),
                (
                    np.hypot(_repeated(3, _ALONG) - 0.5, 0.8 * (_repeated(2, _ACROSS) - 0.65)) < 0.2
                ).astype(np.float64),
            ),
            109,
            (1, 2),
        ),
        "arcade": lambda: np.maximum(
            _frame((0.16, 0.84), (0, 0.6), (3, 1)),
            (np.hypot(_repeated(3, _ALONG) - 0.5, _ACROSS - 0.6) < 0.34).astype(np.float64),
        ),
        "slates": lambda: 0.7 * (1 - _running_bond((8, 8), 0.14)) + 0.3 * _noise(113, (16, 16)),
        "railings": lambda: np.maximum(
            _inside(_repeated(8, _ALONG), 0, 0.35), _inside(_ACROSS, 0.85, 0.95)
        ),
        # plants and street furniture
        "foliage": lambda: np.clip(1.3 * _noise(127, (16, 8), (32, 32), (64, 64)) - 0.15, 0, 1),
        "rind": lambda: np.maximum(
            _inside(_noise(131, (16, 4)), 0.7, 1), 0.4 * _noise(137, (32, 16))
        ),
        "placards": lambda: np.maximum(
            _frame((0.05, 0.95), (0.3, 0.95), (1, 1)) * _noise(139, (4, 4), (8, 8)),
            _frame((0.2, 0.8), (0.1, 0.22), (1, 1)),
        ),
    }


@lru_cache(maxsize=1)
def fixed_textures() -> TextureSet:
    """Return the textures of all paints of a video with domain shift."""
    makers = {**_common(), **_patterned()}
    # Multiples of 1/256 are equal on every machine.
    tiles = {name: np.round(np.clip(make(), 0, 1) * 256) / 256 for name, make in makers.items()}
    return pack_textures(tiles)
