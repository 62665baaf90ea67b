"""Bodies of cars, vans and lorries.

All face ahead (z). The body below the windows is drawn first (layer 0), then the cabin (1), then
windows, lights and wheels (2). A camera above the lower edge of the windows sees them in this
order.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.appearances import CarAppearance, TruckAppearance
from mapt_bench.synthetic.shapes import Body, Paint, Panel, box, disc, patch, prism
from mapt_bench.synthetic.style_tables import CarShape, mixed

__all__ = ["car_body", "truck_body"]

Corners = NDArray[np.float64]

_SKY_GLEAM = (208, 216, 226)

_SILL = 0.16
"""Height of the lowest part of a body above the ground, in metres."""

_TUMBLE = 0.34
"""Inward slope of a cabin on each side, in metres per metre of height."""


def car_body(look: CarAppearance) -> Body:
    """Return a car of about 25 panels. About half of them face a camera."""
    shape = look.shape
    front, half = shape.length / 2, shape.width / 2
    panels = _lower(look)
    cabin = _cabin_outline(shape)
    reach = half - 0.04 - _TUMBLE * (cabin[:, 1] - shape.belt)
    sides, (_, rear_window, roof, windscreen) = prism(cabin, reach)
    panels += [Panel(face, _upright(look.paint), layer=1) for face in (*sides, rear_window)]
    panels.append(Panel(roof, _skyward(look.paint), layer=1))
    panels.append(Panel(windscreen, look.glass, layer=1))
    panels.append(Panel(patch(rear_window, (0.08, 0.92), (0.1, 0.88)), look.glass, layer=2))
    for side in sides:
        panels += [Panel(pane, look.glass, layer=2) for pane in _side_windows(side, shape)]
    for ahead in (front - 0.19 * shape.length, -front + 0.19 * shape.length):
        panels += _wheels(shape.wheel, half, ahead, look.tyre)
    return Body(panels=tuple(panels), shadow=(half + 0.05, front + 0.05))


def _upright(paint: Paint) -> Paint:
    return Paint(paint.base, paint.base)


def _skyward(paint: Paint) -> Paint:
    """Return a paint that reflects the sky."""
    lit = mixed(paint.base, _SKY_GLEAM, 0.16)
    return Paint(lit, lit)


def _spread(paint: Paint, corners: Corners) -> Paint:
    """Return a paint whose tile covers a whole panel, from its first edge."""
    along = corners[1] - corners[0]
    length = float(np.linalg.norm(along))
    offset = corners - corners[0]
    run = offset @ (along / length)
    across = np.linalg.norm(offset - run[:, None] * (along / length), axis=1)
    return replace(paint, size=(length, max(float(across.max()), 0.05)))


def _lower(look: CarAppearance) -> list[Panel]:
    """Return the body below the windows, with its lights, grille and plates."""
    shape = look.shape
    front, half = shape.length / 2, shape.width / 2
    bumper = 0.44 * shape.belt
    windscreen = front - shape.bonnet * shape.length
    rear_window = front - shape.tail * shape.length
    outline = np.array(
        [
            (-front + 0.05, _SILL),
            (front - 0.06, _SILL),
            (front, bumper),
            (front - 0.12, 0.8 * shape.belt),
            (windscreen, shape.belt),
            (rear_window, shape.belt),
            (-front + 0.04, shape.belt * shape.deck - 0.02),
            (-front, bumper),
        ]
    )
    sides, (_, low_front, nose, bonnet, _, deck, tail, low_rear) = prism(outline, half)
    panels = [Panel(side, _spread(look.paint, side)) for side in sides]
    panels += [Panel(corners, look.trim) for corners in (low_front, low_rear)]
    panels += [Panel(corners, _upright(look.paint)) for corners in (nose, tail)]
    panels += [Panel(corners, _skyward(look.paint)) for corners in (bonnet, deck)]
    for face, light, rows in (
        (nose, look.head_light, (0.45, 0.95)),
        (tail, look.tail_light, (0.4, 0.85)),
    ):
        panels += [
            Panel(patch(face, along, rows), light, layer=2)
            for along in ((0.03, 0.25), (0.75, 0.97))
        ]
    panels.append(Panel(patch(nose, (0.3, 0.7), (0.5, 0.9)), look.trim, layer=2))
    panels.append(Panel(patch(nose, (0.38, 0.62), (0.06, 0.36)), look.plate, layer=2))
    panels.append(Panel(patch(tail, (0.37, 0.63), (0.35, 0.6)), look.plate, layer=2))
    return panels


def _cabin_outline(shape: CarShape) -> Corners:
    """Return z and y of the corners of the cabin: lower edge from front to rear, then roof."""
    front, (roof_front, roof_rear) = shape.length / 2, shape.roof
    shares = (shape.bonnet, shape.tail, roof_rear, roof_front)
    heights = (shape.belt, shape.belt, shape.height, shape.height)
    return np.array([(front - s * shape.length, y) for s, y in zip(shares, heights, strict=True)])


def _side_windows(side: Corners, shape: CarShape) -> list[Corners]:
    edges = (0.04, *shape.windows, 0.95)
    return [
        patch(side, (start + 0.012, end - 0.012), (0.06, 0.86)) for start, end in pairwise(edges)
    ]


def _wheels(radius: float, half: float, ahead: float, tyre: Paint) -> list[Panel]:
    panels = []
    for side in (-1, 1):
        corners = disc((side * (half + 0.012), radius, ahead), radius, side)
        panels.append(Panel(corners, _centred(tyre, corners, radius), layer=2))
    return panels


def _centred(paint: Paint, corners: Corners, radius: float) -> Paint:
    """Return a paint whose tile covers a round face, centred."""
    edge = float(np.linalg.norm(corners[1] - corners[0]))
    lowest = radius - float(np.ptp(corners[:, 1])) / 2
    size = 2 * radius
    return replace(paint, size=(size, size), shift=(0.5 - edge / 2 / size, lowest / size))


def truck_body(look: TruckAppearance) -> Body:
    """Return a van, or a lorry with a box behind its cab."""
    front, half = look.length / 2, look.width / 2
    panels = _lorry(look, front, half) if look.box else _van(look, front, half)
    wheel = 0.46 if look.box else 0.36
    for ahead in (front - 0.95, -front + 1.2):
        panels += _wheels(wheel, half, ahead, look.tyre)
    return Body(panels=tuple(panels), shadow=(half + 0.1, front + 0.1))


def _van(look: TruckAppearance, front: float, half: float) -> list[Panel]:
    belt = 1.15
    outline = np.array(
        [
            (-front, _SILL + 0.06),
            (front - 0.05, _SILL + 0.06),
            (front, 0.75),
            (front - 0.18, belt - 0.05),
            (front - 0.95, look.height - 0.25),
            (front - 1.5, look.height),
            (-front + 0.06, look.height),
        ]
    )
    sides, (_, bumper, nose, screen, brow, roof, rear) = prism(outline, half)
    panels = [Panel(side, _spread(look.paint, side)) for side in sides]
    panels += [Panel(corners, look.cab_paint) for corners in (nose, screen, brow, roof, rear)]
    panels.append(Panel(bumper, look.trim))
    panels.append(Panel(patch(screen, (0.05, 0.95), (0.04, 0.9)), look.glass, layer=2))
    panels += _rear_door(rear, look)
    for x in (-half, half):
        face = box((-half, half), (belt, look.height - 0.35), (front - look.cab, front - 1.0))
        side = face["left" if x < 0 else "right"]
        panels.append(Panel(patch(side, (0.0, 1.0), (0.0, 0.9)), look.glass, layer=2))
    return panels


def _rear_door(rear: Corners, look: TruckAppearance) -> list[Panel]:
    windows = [(0.08, 0.47), (0.53, 0.92)]
    panels = [Panel(patch(rear, pane, (0.56, 0.86)), look.glass, layer=2) for pane in windows]
    lights = [(0.02, 0.1), (0.9, 0.98)]
    panels += [Panel(patch(rear, at, (0.22, 0.4)), look.tail_light, layer=2) for at in lights]
    return panels


def _lorry(look: TruckAppearance, front: float, half: float) -> list[Panel]:
    """Return cab and box. The nearer of the two is drawn last."""
    floor, roof = 0.85, min(look.height - 0.3, 2.6)
    chassis = box((-half + 0.1, half - 0.1), (0.4, floor), (-front + 0.1, front - 0.1))
    load = box((-half, half), (floor, look.height), (-front, front - look.cab - 0.12))
    cab = box((-half + 0.06, half - 0.06), (0.35, roof), (front - look.cab, front))
    panels = [Panel(corners, look.trim) for corners in chassis.values()]
    panels += [Panel(corners, _spread(look.paint, corners), layer=1) for corners in load.values()]
    del cab["back"]  # close to the box, never visible
    panels += [Panel(corners, look.cab_paint, layer=1) for corners in cab.values()]
    panels.append(Panel(patch(cab["front"], (0.06, 0.94), (0.5, 0.88)), look.glass, layer=2))
    panels.append(Panel(patch(cab["front"], (0.0, 1.0), (0.0, 0.16)), look.trim, layer=2))
    for side in ("left", "right"):
        panels.append(Panel(patch(cab[side], (0.34, 0.9), (0.5, 0.86)), look.glass, layer=2))
    lights = [(0.03, 0.15), (0.85, 0.97)]
    panels += [
        Panel(patch(chassis["back"], at, (0.3, 0.8)), look.tail_light, layer=2) for at in lights
    ]
    return panels
