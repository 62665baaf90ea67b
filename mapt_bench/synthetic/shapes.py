"""Flat panels and round limbs, joined to bodies and placed as actors; panels of solid shapes."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Actor",
    "Body",
    "Limb",
    "Paint",
    "Panel",
    "box",
    "disc",
    "normal",
    "outward",
    "patch",
    "prism",
]

Color = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Paint:
    """Appearance of a surface: two colours, mixed by a texture.

    Attributes:
        base: RGB where the texture is 0.
        accent: RGB where the texture is 1.
        texture: Name of a texture in the :class:`~mapt_bench.synthetic.patterns.TextureSet`.
        size: Size of one tile of the texture in metres (on a limb: widths), along and across.
        shift: Start of the texture in tiles, 0..1 each, so that walls differ.
    """

    base: Color
    accent: Color
    texture: str = "plain"
    size: tuple[float, float] = (1.0, 1.0)
    shift: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """A flat convex polygon, rigid with its body.

    Attributes:
        corners: ``(n, 3)`` metres in the body, in one plane, counter-clockwise as seen from
            outside, so that panels that face away can be skipped. The texture runs along the first
            edge and across it.
        paint: Its paint.
        two_sided: Whether it is visible from behind too.
        layer: Panels and limbs of a body are drawn by layer, and within a layer far to near.
        class_name: Class of its pixels if it differs from the class of the actor, for example the
            bicycle below a rider. Such pixels have no identity.
    """

    corners: NDArray[np.float64]
    paint: Paint
    two_sided: bool = False
    layer: int = 0
    class_name: str | None = None


@dataclass(frozen=True, slots=True)
class Limb:
    """A rounded rod between two joints. It has the same appearance from all sides.

    Attributes:
        start: Index of its first joint.
        end: Index of its second joint.
        start_radius: Radius at the first joint in metres.
        end_radius: Radius at the second joint in metres.
        paint: Its paint; the texture runs from start to end and across.
        layer: See :class:`Panel`.
        class_name: See :class:`Panel`.
    """

    start: int
    end: int
    start_radius: float
    end_radius: float
    paint: Paint
    layer: int = 0
    class_name: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A shape with panels and moving limbs.

    Attributes:
        panels: Flat parts.
        limbs: Round parts.
        joints: ``(frames, joints, 3)`` metres in the body; one frame for a rigid body.
        shadow: Half width and half length of its shadow on the ground in metres; ``None`` for none.
    """

    panels: tuple[Panel, ...] = ()
    limbs: tuple[Limb, ...] = ()
    joints: NDArray[np.float64] = field(default_factory=lambda: np.zeros((1, 0, 3)))
    shadow: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """A body and its path through the scene.

    Attributes:
        class_name: Class of its pixels, for example ``"car"``.
        track_id: Identity, from 1; 0 for stuff, and for things too far to be distinguished (crowd).
        body: Its shape.
        position: ``(frames, 2)`` metres: x and z on the ground. One row for an actor at rest.
        heading: ``(frames,)`` radians. One value for a constant heading.
        look_alike: Group of actors that share one appearance; 0 for none.
    """

    class_name: str
    track_id: int
    body: Body
    position: NDArray[np.float64]
    heading: NDArray[np.float64]
    look_alike: int = 0


Corners = NDArray[np.float64]


def normal(corners: Corners) -> NDArray[np.float64]:
    """Return the unit normal of a polygon. Seen against it, the polygon is counter-clockwise.

    With x to the right, y up and z ahead, it is opposite to the cross product of the edges.

    Args:
        corners: ``(n, 3)``, in one plane, convex.

    Returns:
        ``(3,)``.

    >>> normal(np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0]])).tolist()  # seen from before it
    [0.0, 0.0, -1.0]
    """
    points = corners.tolist()  # a few numbers are faster without arrays
    x = y = z = 0.0
    for (x0, y0, z0), (x1, y1, z1) in zip(points, points[1:] + points[:1], strict=True):
        x += z0 * y1 - y0 * z1
        y += x0 * z1 - z0 * x1
        z += y0 * x1 - x0 * y1
    return np.array([x, y, z]) / math.sqrt(x * x + y * y + z * z)


def outward(corners: ArrayLike, inside: ArrayLike) -> Corners:
    """Order the corners of a polygon counter-clockwise, as seen from outside the solid.

    Its first edge stays first, because textures run along it.

    Args:
        corners: ``(n, 3)``, in one plane, convex.
        inside: ``(3,)``: a point inside the solid.

    Returns:
        ``(n, 3)``.
    """
    polygon = np.asarray(corners, dtype=np.float64)
    if normal(polygon) @ (polygon[0] - np.asarray(inside)) < 0:
        return np.concatenate([polygon[1::-1], polygon[:1:-1]])
    return polygon


def prism(profile: ArrayLike, half_widths: ArrayLike) -> tuple[list[Corners], list[Corners]]:
    """Return the faces of a solid that runs from side to side, such as the body of a car.

    Args:
        profile: ``(n, 2)``: z and y of a convex outline as seen from the side.
        half_widths: ``(n,)``: half width at each corner; a linear function of z and y, otherwise
            the sides are not flat.

    Returns:
        The two sides (left, then right); their first edge is the first of the profile. And one
        quadrilateral for every edge of the profile; its first edge runs from side to side at the
        lower end.
    """
    outline = np.asarray(profile, dtype=np.float64)
    reach = np.broadcast_to(np.asarray(half_widths, dtype=np.float64), len(outline))
    right = np.stack([reach, outline[:, 1], outline[:, 0]], axis=1)
    left = right * (-1, 1, 1)
    inside = np.array([0.0, *outline.mean(axis=0)[::-1]])
    ends = [outward(left, inside), outward(right, inside)]
    around = []
    for edge in range(len(outline)):
        start, end = sorted((edge, (edge + 1) % len(outline)), key=lambda at: outline[at, 1])
        around.append(outward([left[start], right[start], right[end], left[end]], inside))
    return ends, around


def box(
    width: tuple[float, float], height: tuple[float, float], length: tuple[float, float]
) -> dict[str, Corners]:
    """Return the faces of an upright box without its bottom.

    Args:
        width: Its smallest and largest x.
        height: Its smallest and largest y.
        length: Its smallest and largest z.

    Returns:
        ``left``, ``right`` (x), ``back``, ``front`` (z), and ``top``; their first edge is the
        lower one.
    """
    (x0, x1), (y0, y1), (z0, z1) = width, height, length
    inside = ((x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2)
    faces = {
        "left": [(x0, y0, z0), (x0, y0, z1), (x0, y1, z1), (x0, y1, z0)],
        "right": [(x1, y0, z0), (x1, y0, z1), (x1, y1, z1), (x1, y1, z0)],
        "back": [(x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0)],
        "front": [(x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)],
        "top": [(x0, y1, z0), (x1, y1, z0), (x1, y1, z1), (x0, y1, z1)],
    }
    return {name: outward(corners, inside) for name, corners in faces.items()}


def disc(
    centre: tuple[float, float, float], radius: float, side: int, corners: int = 12
) -> Corners:
    """Return an upright disc that faces left (``side`` -1) or right (1).

    Its first edge is the lowest and level.

    Returns:
        ``(corners, 3)``.
    """
    angle = (2 * np.arange(corners) - 1) * np.pi / corners - np.pi / 2
    x, y, z = centre
    polygon = np.stack(
        [np.full(corners, x), y + radius * np.sin(angle), z + radius * np.cos(angle)], axis=1
    )
    return outward(polygon, (x - side, y, z))


def patch(
    quad: Corners,
    along: tuple[float, float] = (0.0, 1.0),
    across: tuple[float, float] = (0.0, 1.0),
    lift: float = 0.01,
) -> Corners:
    """Return a part of a quadrilateral, such as a window in a wall, slightly lifted off it.

    Args:
        quad: ``(4, 3)``.
        along: Start and end as shares of its first edge.
        across: Start and end as shares of the distance to the opposite edge.
        lift: Metres outwards.

    Returns:
        ``(4, 3)``, in the same order of corners.
    """
    u = np.array([along[0], along[1], along[1], along[0]])[:, None]
    v = np.array([across[0], across[0], across[1], across[1]])[:, None]
    lower = quad[0] * (1 - u) + quad[1] * u
    upper = quad[3] * (1 - u) + quad[2] * u
    return np.asarray(lower * (1 - v) + upper * v + lift * normal(quad))
