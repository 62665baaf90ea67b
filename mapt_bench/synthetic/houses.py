"""Rows of houses, one house at a time."""

from typing import Final

import numpy as np

from mapt_bench.synthetic.palettes import mixed
from mapt_bench.synthetic.shapes import Body, Paint, Panel
from mapt_bench.synthetic.solids import outward
from mapt_bench.synthetic.styles import Style

__all__ = ["facade_body"]

_DEPTH: Final = 8.0


def facade_body(rng: np.random.Generator, style: Style, length: float, height: float) -> Body:
    """Return a house of a row, 8 m deep.

    It runs along z, from ``-length / 2`` to ``length / 2``. Its front is the plane x = 0 and looks
    to the right (x): for the houses on the left of a street that runs along z. A heading of
    ``pi`` turns it to the other side.

    Args:
        rng: Source of everything random.
        style: Of the video.
        length: Metres.
        height: Metres up to the eaves; the roof, if pitched, adds up to three.
    """
    draw = rng.random(8)
    color = style.walls[int(draw[0] * len(style.walls))]
    color = mixed(color, (255, 255, 255) if draw[1] > 0.5 else (0, 0, 0), 0.3 * abs(draw[1] - 0.5))
    windows, size = style.upper[int(draw[2] * len(style.upper))]
    upper = Paint(color, style.panes, windows, size, (float(draw[3]), 0))
    bare = style.bare[int(draw[4] * len(style.bare))]
    wall = Paint(color, mixed(color, (0, 0, 0), 0.22), bare, (3.0, 3.0))
    shops, size = style.shops
    ground = Paint(mixed(color, (0, 0, 0), 0.18), style.panes, shops, size, (float(draw[5]), 0))
    tiles = style.roofs[int(draw[6] * len(style.roofs))]
    roof = Paint(tiles, mixed(tiles, (0, 0, 0), 0.4), style.roof_texture, (3.0, 3.0))
    rise = 3.0 * float(draw[7]) if draw[7] > 0.35 else 0.0
    return Body(panels=tuple(_faces(length, height, rise, (ground, upper, wall, roof))))


def _faces(
    length: float, height: float, rise: float, paints: tuple[Paint, Paint, Paint, Paint]
) -> list[Panel]:
    """Return ground floor, upper floors with a cornice, gable ends and roof."""
    ground, upper, wall, roof = paints
    low, high, floor = -length / 2, length / 2, min(3.2, height)
    inside = (-_DEPTH / 2, height / 2, 0.0)

    def front(bottom: float, top: float, paint: Paint, layer: int = 0) -> Panel:
        corners = [(0, bottom, low), (0, bottom, high), (0, top, high), (0, top, low)]
        return Panel(outward(corners, inside), paint, layer=layer)

    stone = Paint(mixed(wall.base, (255, 255, 255), 0.25), wall.base)
    panels = [front(0, floor, ground)]
    if height > floor + 0.5:
        panels += [front(floor, height, upper), front(floor - 0.12, floor + 0.12, stone, 1)]
    panels.append(front(height - 0.3, height, stone, 1))
    for end in (low, high):
        gable = [(0, 0, end), (-_DEPTH, 0, end), (-_DEPTH, height, end)]
        gable += [(-_DEPTH / 2, height + rise, end)] * (rise > 0) + [(0, height, end)]
        panels.append(Panel(outward(gable, inside), wall))
    if rise:
        ridge = [(0.2, height, low), (0.2, height, high)]
        ridge += [(-_DEPTH / 2, height + rise, high), (-_DEPTH / 2, height + rise, low)]
        panels.append(Panel(outward(ridge, inside), roof, layer=1))
    return panels
