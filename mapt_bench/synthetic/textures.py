"""Grey textures that tile, at several levels of detail, for all surfaces of the world.

A texture is a 64x64 tile of values 0..1 that mixes the two colours of a paint. Rows run across a
surface (away from the first edge of a panel; from the middle of a limb to its side), columns along
it (along the first edge of a panel; from the start of a limb to its end). The first row of a wall
is at its foot.

The two families share no texture with a pattern. So a model cannot recognise patterns from training
in the reported suites. Textures without a pattern are common to both: see :data:`COMMON`.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.style_tables import TableFamily

__all__ = [
    "COMMON",
    "LEVELS",
    "TEXTURE_SIDE",
    "atlas",
    "texture_index",
    "texture_indices",
    "texture_names",
]

TEXTURE_SIDE: Final = 64
"""Texels along each side of every tile, at every level."""

LEVELS: Final = 6
"""Levels of detail; at level ``l`` a tile has the detail of ``64 / 2**l`` texels."""

Tile = NDArray[np.float64]

# Texel centres, 0..1: across varies over rows, along over columns.
_CENTRES = (np.arange(TEXTURE_SIDE) + 0.5) / TEXTURE_SIDE
_ACROSS, _ALONG = np.meshgrid(_CENTRES, _CENTRES, indexing="ij")


def _noise(seed: int, *cells: tuple[int, int]) -> Tile:
    """Return smooth noise that tiles: grids of random values, finer and weaker, scaled to 0..1.

    Args:
        seed: Seed of the values.
        cells: Values along and across of each grid, coarse to fine; powers of two up to 64.
    """
    rng = np.random.default_rng(seed)
    total = np.zeros((TEXTURE_SIDE, TEXTURE_SIDE))
    for octave, (along, across) in enumerate(cells):
        values = rng.random((across, along))
        for axis, count in ((0, across), (1, along)):
            values = _stretch(values, TEXTURE_SIDE // count, axis)
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


def _letters(seed: int, rows: int) -> Tile:
    """Return rows of blotches, like distant lettering, in the middle of the tile."""
    rng = np.random.default_rng(seed)
    strokes = np.repeat(rng.random((rows, 16)) < 0.62, TEXTURE_SIDE // 16, axis=1)
    lines = np.repeat(strokes, TEXTURE_SIDE // rows, axis=0).astype(np.float64)
    written = _inside(_repeated(rows, _ACROSS), 0.2, 0.8) * _inside(_ALONG, 0.12, 0.88)
    return lines * written * _inside(_ACROSS, 0.3, 0.8)


def _windows(panes: Tile, seed: int, times: tuple[int, int], lintel: Tile | None = None) -> Tile:
    """Return window panes in a light wall; a lintel is lighter than the wall."""
    rng = np.random.default_rng(seed)
    shape = (TEXTURE_SIDE // times[1], TEXTURE_SIDE // times[0])
    glow = np.kron(rng.uniform(0.7, 1.0, (times[1], times[0])), np.ones(shape))
    wall = 0.12 * _noise(seed, (32, 32), (64, 64))
    if lintel is not None:
        wall = wall * (1 - lintel)
    return np.where(panes > 0, glow, wall)


def _common() -> dict[str, Callable[[], Tile]]:
    radius = np.hypot(_ALONG - 0.5, _ACROSS - 0.5)
    return {
        "plain": lambda: np.zeros((TEXTURE_SIDE, TEXTURE_SIDE)),
        "glass": lambda: np.clip(1.5 * np.abs(_repeated(1, _ALONG + 0.6 * _ACROSS) - 0.5), 0, 1),
        "clouds": lambda: np.clip(1.8 * _noise(3, (2, 16), (4, 32), (16, 64)) - 0.6, 0, 1),
        "rim": lambda: _inside(radius, 0.0, 0.32) * (0.65 + 0.35 * _inside(radius, 0.1, 0.27)),
        "lane": lambda: 0.8 + 0.2 * _noise(5, (32, 32), (64, 64)),
    }


def _seen() -> dict[str, Callable[[], Tile]]:
    return {
        # clothing
        "stripes": lambda: _inside(_repeated(4, _ALONG), 0.5, 1),
        "checks": lambda: (
            0.5 * (_inside(_repeated(2, _ALONG), 0.5, 1) + _inside(_repeated(2, _ACROSS), 0.5, 1))
        ),
        "halves": lambda: _inside(_ALONG, 0.5, 1),
        "knit": lambda: _noise(11, (16, 8), (32, 16)),
        "fade": lambda: np.abs(2 * _ALONG - 1),
        "print": lambda: _disc(0.3),
        # vehicles
        "sheen": lambda: np.abs(2 * _ACROSS - 1) ** 1.5,
        "doors": lambda: np.maximum(
            np.maximum(_inside(_ALONG, 0.33, 0.345), _inside(_ALONG, 0.6, 0.615)),
            0.5 * _inside(_ACROSS, 0.0, 0.3),
        ),
        "lettering": lambda: _letters(13, 8),
        # ground
        "asphalt": lambda: _noise(17, (8, 2), (32, 32), (64, 64)),
        "paving": lambda: _running_bond((4, 4), 0.1) * (0.6 + 0.4 * _noise(19, (8, 8), (64, 64))),
        "grass": lambda: _noise(23, (8, 8), (32, 64), (64, 64)),
        # walls
        "brick": lambda: (
            _running_bond((6, 16), 0.18) * (0.7 + 0.3 * _noise(29, (16, 16), (64, 64)))
        ),
        "plaster": lambda: _noise(31, (4, 4), (16, 16), (64, 64)),
        "sash-windows": lambda: _windows(_frame((0.3, 0.7), (0.28, 0.8), (2, 2)), 37, (2, 2)),
        "tall-windows": lambda: _windows(
            _frame((0.28, 0.72), (0.12, 0.86), (4, 2)) * (1 - _frame((0.47, 0.53), (0, 1), (4, 1))),
            41,
            (4, 2),
        ),
        "shops": lambda: np.maximum(
            _frame((0.06, 0.7), (0.12, 0.72), (2, 1)), 0.75 * _frame((0.76, 0.94), (0, 0.7), (2, 1))
        ),
        "roof-tiles": lambda: (
            0.6 * _inside(_repeated(12, _ACROSS), 0, 0.3) + 0.4 * _noise(43, (32, 16), (64, 32))
        ),
        "planks": lambda: np.maximum(
            _inside(_repeated(10, _ALONG), 0, 0.2), 0.4 * _noise(47, (32, 4), (64, 8))
        ),
        # plants and street furniture
        "leaves": lambda: _noise(53, (8, 8), (16, 16), (32, 32), (64, 64)),
        "bark": lambda: _noise(59, (4, 32), (16, 64)),
        "posters": lambda: np.maximum(
            _frame((0.08, 0.92), (0.1, 0.9), (2, 2)) * _noise(61, (8, 8), (16, 16)),
            _frame((0.2, 0.8), (0.6, 0.8), (2, 2)),
        ),
    }


def _held_out() -> dict[str, Callable[[], Tile]]:
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


COMMON: Final = tuple(_common())
"""Textures of both families. Plain colour, glass, wheels, lane paint and clouds have no pattern
that could identify a thing."""


def texture_names(family: TableFamily) -> tuple[str, ...]:
    """Return the textures of one family of fixed tables only."""
    return tuple(_seen() if family == "seen" else _held_out())


@lru_cache(maxsize=1)
def texture_indices() -> dict[str, int]:
    """Return the index in :func:`atlas` of every texture, by name."""
    names = (*COMMON, *texture_names("seen"), *texture_names("held-out"))
    return {name: index for index, name in enumerate(names)}


def texture_index(name: str) -> int:
    """Return the index of a texture in :func:`atlas`.

    Raises:
        KeyError: If there is no such texture.
    """
    return texture_indices()[name]


@lru_cache(maxsize=1)
def atlas() -> NDArray[np.float32]:
    """Return all textures at all levels: ``(levels, textures, 64, 64)``, values 0..1.

    Each level is the previous one, smoothed to half of its detail, with wrap-around. The side stays
    64, so that one index serves all levels.
    """
    makers = {**_common(), **_seen(), **_held_out()}
    tiles = np.stack([make() for make in makers.values()])
    # Multiples of 1/256 and sums of powers of two are equal on every machine.
    tiles = np.round(np.clip(tiles, 0, 1) * 256) / 256
    levels = [tiles]
    for level in range(1, LEVELS):
        levels.append(_smoothed(levels[-1], 2**level // 4))
    packed = np.stack(levels).astype(np.float32)
    packed.flags.writeable = False
    return packed


def _smoothed(tiles: Tile, reach: int) -> Tile:
    """Average the pixels ``reach`` before and after; for 0, both neighbours and the middle."""
    for axis in (1, 2):
        if reach:
            tiles = (np.roll(tiles, reach, axis) + np.roll(tiles, -reach, axis)) / 2
        else:
            tiles = (np.roll(tiles, 1, axis) + 2 * tiles + np.roll(tiles, -1, axis)) / 4
    return tiles
