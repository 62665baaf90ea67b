"""Objects that stand still: houses, poles, signs, trees, hedges and fences; ground and sky."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.people import Figure
from mapt_bench.synthetic.scene import Sky
from mapt_bench.synthetic.shapes import Body, Color, Paint, Panel, box, outward, patch
from mapt_bench.synthetic.style_tables import mixed
from mapt_bench.synthetic.styles import Style

__all__ = [
    "facade_body",
    "fence_body",
    "ground_paint",
    "hedge_body",
    "light_body",
    "pillar_body",
    "pole_body",
    "sign_body",
    "sky_appearance",
    "tree_body",
    "wall_body",
]

_DEPTH: Final = 8.0


def facade_body(rng: np.random.Generator, style: Style, length: float, height: float) -> Body:
    """Return a house of a row, 8 m deep.

    It runs along z, from ``-length / 2`` to ``length / 2``. Its front is the plane x = 0 and faces
    right (x), as on the left side of a street along z. A heading of ``pi`` turns it to the other
    side.

    Args:
        rng: Random generator.
        style: Style of the video.
        length: Length of the front in metres.
        height: Height of the eaves in metres; a pitched roof adds up to 3.
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


def _varied(rng: np.random.Generator, paint: Paint) -> Paint:
    """Return a paint a little lighter or darker, with a shifted texture."""
    light, along, across = rng.random(3)
    other = (255, 255, 255) if light > 0.5 else (0, 0, 0)
    share = 0.24 * abs(light - 0.5)
    return replace(
        paint,
        base=mixed(paint.base, other, share),
        accent=mixed(paint.accent, other, share),
        shift=(float(along), float(across)),
    )


def ground_paint(name: str, rng: np.random.Generator, style: Style) -> Paint:
    """Sample the paint of the ground.

    Args:
        name: ``"road"``, ``"sidewalk"``, ``"terrain"`` or ``"vegetation"``.
        rng: Random generator.
        style: Style of the video.
    """
    choices = style.ground[name]
    return _varied(rng, choices[rng.integers(len(choices))])


def sky_appearance(rng: np.random.Generator, style: Style) -> Sky:
    """Sample a sky: blue, overcast or low sun."""
    choices = style.skies
    return choices[rng.integers(len(choices))]


def _metal(rng: np.random.Generator, style: Style) -> Paint:
    choices = style.metal
    color = choices[rng.integers(len(choices))]
    return Paint(color, color)


def pole_body(rng: np.random.Generator, style: Style, height: float) -> Body:
    """Return a pole that is thicker at its foot, such as a lamp post."""
    thick = 0.06 + 0.05 * float(rng.random())
    figure = Figure(1)
    figure.limb((0, thick, 0), (0, height, 0), (thick, 0.7 * thick), _metal(rng, style))
    return figure.body(shadow=(0.15, 0.15))


def sign_body(rng: np.random.Generator, style: Style) -> Body:
    """Return a pole with one or two signs, of class "traffic sign", that face ahead (z)."""
    draw = rng.random(4)
    metal = _metal(rng, style)
    figure = Figure(1)
    top = 2.5 + 0.5 * float(draw[0])
    figure.limb((0, 0.045, 0), (0, top, 0), (0.045, 0.04), metal)
    size = 0.34 + 0.12 * float(draw[1])
    edge, middle = style.signs[int(draw[2] * len(style.signs))]
    turns = (12, 4, 3)[int(draw[3] * 3)]
    panels = [
        Panel(
            _upright_face(top, share * size, turns, 0.05 + lift),
            Paint(c, c),
            layer=layer,
            class_name="traffic sign",
        )
        for share, lift, layer, c in ((1.0, 0, 1, edge), (0.72, 0.005, 2, middle))
    ]
    back = _upright_face(top, size, turns, 0.05)[::-1]
    panels.append(Panel(back, metal, layer=1, class_name="traffic sign"))
    return figure.body(shadow=(0.12, 0.12), panels=tuple(panels))


def _upright_face(height: float, radius: float, turns: int, ahead: float) -> NDArray[np.float64]:
    """Return a regular polygon ``(turns, 3)`` that faces ahead, with a level lower edge."""
    angle = (2 * np.arange(turns) - 1) * np.pi / turns - np.pi / 2
    # From the front, x points to the left.
    return np.stack(
        [-radius * np.cos(angle), height + radius * np.sin(angle), np.full(turns, ahead)], axis=1
    )


def light_body(rng: np.random.Generator, style: Style) -> Body:
    """Return a pole with a traffic light, of class "traffic light", that faces ahead (z)."""
    draw = rng.random(2)
    figure = Figure(1)
    top = 2.9 + 0.5 * float(draw[0])
    figure.limb((0, 0.06, 0), (0, top, 0), (0.06, 0.05), _metal(rng, style))
    case = Paint(style.light_case, style.light_case)
    faces = box((-0.2, 0.2), (top - 0.15, top + 0.85), (0.05, 0.3))
    panels = [Panel(face, case, layer=1, class_name="traffic light") for face in faces.values()]
    lit = int(draw[1] * 3)
    colors: tuple[Color, ...] = ((46, 190, 96), (240, 180, 40), (230, 40, 36))
    for row, color in enumerate(colors):
        shown = color if row == lit else mixed(color, (20, 20, 20), 0.75)
        lamp = patch(faces["front"], (0.22, 0.78), (0.08 + 0.3 * row, 0.32 + 0.3 * row))
        panels.append(Panel(lamp, Paint(shown, shown), layer=2, class_name="traffic light"))
    return figure.body(shadow=(0.12, 0.12), panels=tuple(panels))


def tree_body(rng: np.random.Generator, style: Style, height: float) -> Body:
    """Return a tree: a trunk and a crown of round tufts."""
    dark, light = style.leaves[rng.integers(len(style.leaves))]
    figure = Figure(1)
    thick = (0.1 + 0.02 * height) * (0.8 + 0.4 * float(rng.random()))
    fork, wide, tall = style.crown
    fork *= height
    figure.limb((0, thick, 0), (0, 0.6 * height, 0), (thick, 0.6 * thick), style.bark)
    for turn, out, up, size in rng.random((8, 4)):
        angle, away = 2 * np.pi * turn, wide * height * np.sqrt(out)
        radius = (0.13 + 0.07 * size) * height
        middle = min(fork + 0.1 * height + 1.5 * tall * height * up, height - radius)
        place = np.array([away * np.cos(angle), middle, away * np.sin(angle)])
        base, accent = (mixed(color, (236, 236, 160), 0.16 * up) for color in (dark, light))
        leaves = Paint(base, accent, style.leaf_texture, (0.6, 0.6), (turn, out))
        across = np.array([0.3 * radius, 0, 0])
        figure.limb(place - across, place + across, (radius, radius), leaves, layer=1)
    return figure.body(shadow=(wide * height, wide * height))


def hedge_body(rng: np.random.Generator, style: Style, length: float) -> Body:
    """Return a hedge along z, with a straight or an irregular top."""
    dark, light = style.leaves[rng.integers(len(style.leaves))]
    paint = _varied(rng, Paint(dark, light, style.leaf_texture, (1.5, 1.5)))
    height = style.hedge + 0.8 * float(rng.random())
    faces = box((-0.45, 0.45), (0, height), (-length / 2, length / 2))
    figure = Figure(1)
    tufts = rng.random((4, 2))
    for place, (size, _) in enumerate(tufts):
        middle = ((place + 0.5) / len(tufts) - 0.5) * length * 0.8
        radius = 0.3 + 0.25 * float(size)
        reach = np.array([0, 0, length / 2 / len(tufts)])
        top = np.array([0, height - 0.6 * radius, middle])
        figure.limb(top - reach, top + reach, (radius, radius), replace(paint, size=(0.8, 0.8)))
    panels = tuple(Panel(face, paint) for face in faces.values())
    return figure.body(shadow=(0.6, length / 2), panels=panels)


def pillar_body(rng: np.random.Generator, style: Style) -> Body:
    """Return an occluder on a square: an advertising column, a pier or a kiosk."""
    kind, size, _ = rng.random(3)
    poster, stone = style.poster, style.stone
    if kind < 0.4:
        radius = 0.45 + 0.2 * float(size)
        figure = Figure(1)
        figure.limb((0, radius, 0), (0, 2.9, 0), (radius, radius), _varied(rng, poster))
        figure.limb((0, 2.9, 0), (0, 3.3, 0), (1.2 * radius, 0.5 * radius), _varied(rng, stone), 1)
        return figure.body(shadow=(radius, radius))
    half = 0.35 + 0.2 * float(size) if kind < 0.75 else 0.9 + 0.4 * float(size)
    height = 3.6 if kind < 0.75 else 2.7
    walls = box((-half, half), (0, height), (-half, half))
    roof = box((-half - 0.15, half + 0.15), (height, height + 0.25), (-half - 0.15, half + 0.15))
    look, edge = _varied(rng, stone), _varied(rng, stone)
    panels = [Panel(face, look) for face in walls.values()]
    panels += [Panel(face, replace(edge, texture="plain"), layer=2) for face in roof.values()]
    if kind >= 0.75:
        sheets = replace(poster, size=(1.0, 1.1))
        panels += [
            Panel(patch(walls[side], (0.12, 0.88), (0.3, 0.85)), sheets, layer=1)
            for side in ("left", "right", "back", "front")
        ]
    return Body(panels=tuple(panels), shadow=(half + 0.15, half + 0.15))


def fence_body(rng: np.random.Generator, style: Style, length: float) -> Body:
    """Return a fence along z, visible from both sides."""
    height = 1.0 + 0.6 * float(rng.random())
    return _upright_sheet(_varied(rng, style.fence), height, length)


def wall_body(rng: np.random.Generator, style: Style, length: float) -> Body:
    """Return a garden wall along z."""
    height = 1.2 + 0.9 * float(rng.random())
    faces = box((-0.15, 0.15), (0, height), (-length / 2, length / 2))
    look = _varied(rng, style.garden_wall)
    coping = replace(look, base=look.accent, texture="plain")
    panels = [Panel(face, coping if name == "top" else look) for name, face in faces.items()]
    return Body(panels=tuple(panels), shadow=(0.3, length / 2))


def _upright_sheet(paint: Paint, height: float, length: float) -> Body:
    face = box((0, 1), (0, height), (-length / 2, length / 2))["left"]
    return Body(
        panels=(Panel(face, replace(paint, size=(paint.size[0], height)), two_sided=True),),
        shadow=(0.1, length / 2),
    )
