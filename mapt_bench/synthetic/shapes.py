"""What the world is made of: flat panels and round limbs, joined to bodies, placed as actors.

Coordinates of a body are metres: x to its right, y up from the ground, z ahead. A body stands on
the ground at the position of its actor and faces along the actor's heading: heading 0 looks along
the world's z axis, heading ``pi / 2`` along its x axis.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Actor", "Body", "Limb", "Paint", "Panel"]

Color = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Paint:
    """What a surface looks like: two colours, mixed by a texture.

    Attributes:
        base: RGB where the texture is 0.
        accent: RGB where the texture is 1.
        texture: Name of a texture in :mod:`~mapt_bench.synthetic.textures`.
        size: Metres (a limb: widths) that one tile of the texture covers, along and across.
        shift: Where the texture starts, in tiles, 0..1 each: no two walls begin alike.
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
        corners: ``(n, 3)`` metres in the body, counter-clockwise as seen from outside (so that
            panels that face away can be left out), in one plane. The texture runs along the first
            edge and across it.
        paint: Its look.
        two_sided: Whether it is seen from behind too.
        layer: Panels and limbs of a body are drawn by layer, and within a layer far to near.
        class_name: Class of its pixels where that is not the class of the actor, for example the
            bicycle below a rider; such pixels carry no identity.
    """

    corners: NDArray[np.float64]
    paint: Paint
    two_sided: bool = False
    layer: int = 0
    class_name: str | None = None


@dataclass(frozen=True, slots=True)
class Limb:
    """A rounded rod between two joints that looks alike from all sides.

    Attributes:
        start: Index of the joint where it starts.
        end: Index of the joint where it ends.
        start_radius: Metres.
        end_radius: Metres.
        paint: Its look; the texture runs from start to end and across.
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
    """A shape that may move its limbs.

    Attributes:
        panels: Its flat faces.
        limbs: Its round ones.
        joints: ``(frames, joints, 3)`` metres in the body; one frame stands for a stiff body.
        shadow: Half width and half length of its shadow on the ground in metres; ``None`` for none.
    """

    panels: tuple[Panel, ...] = ()
    limbs: tuple[Limb, ...] = ()
    joints: NDArray[np.float64] = field(default_factory=lambda: np.zeros((1, 0, 3)))
    shadow: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """A body on its way through the scene.

    Attributes:
        class_name: Class of its pixels, for example ``"car"``.
        track_id: Identity, from 1; 0 for stuff, and for things too far to tell apart (crowd).
        body: Its shape.
        position: ``(frames, 2)`` metres: x and z on the ground. One frame stands for all.
        heading: ``(frames,)`` radians. One frame stands for all.
        look_alike: Group of actors that look alike on purpose; 0 for none.
    """

    class_name: str
    track_id: int
    body: Body
    position: NDArray[np.float64]
    heading: NDArray[np.float64]
    look_alike: int = 0
