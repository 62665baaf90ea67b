"""Joints and limbs put together, and the parts of a figure that walkers and riders share."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mapt_bench.synthetic.looks import PersonLook
from mapt_bench.synthetic.shapes import Body, Limb, Paint, Panel

__all__ = [
    "ARM_WEAR",
    "TORSO_WEAR",
    "Figure",
    "Points",
    "add_arm",
    "add_head",
    "bent",
    "moved",
    "swung",
    "worn",
]

Points = NDArray[np.float64]
"""``(frames, 3)``: a joint on its way, metres in the body."""

TORSO_WEAR = (2.2, 1.0)
"""Widths of a torso that one tile of a coat's texture covers, along and across."""

ARM_WEAR = (4.0, 1.0)
"""The same for an arm."""


@dataclass
class Figure:
    """A body that is being put together.

    Attributes:
        frames: Length of its motion.
        joints: One ``(frames, 3)`` array each.
        limbs: Between them.
    """

    frames: int
    joints: list[Points] = field(default_factory=list)
    limbs: list[Limb] = field(default_factory=list)

    def joint(self, place: ArrayLike) -> int:
        """Add a joint, moving ``(frames, 3)`` or fixed ``(3,)``, and return its index."""
        points = np.broadcast_to(np.asarray(place, dtype=np.float64), (self.frames, 3))
        self.joints.append(points)
        return len(self.joints) - 1

    def limb(
        self,
        start: ArrayLike,
        end: ArrayLike,
        radii: tuple[float, float],
        paint: Paint,
        layer: int = 0,
        class_name: str | None = None,
    ) -> None:
        """Add a limb between two places; see :meth:`joint`."""
        joints = self.joint(start), self.joint(end)
        self.limbs.append(Limb(*joints, *radii, paint, layer, class_name))

    def body(
        self, shadow: tuple[float, float] | None = None, panels: tuple[Panel, ...] = ()
    ) -> Body:
        """Return the finished body."""
        return Body(panels, tuple(self.limbs), np.stack(self.joints, axis=1), shadow)


def moved(place: Points, right: float, up: float, ahead: float) -> Points:
    """Return a place shifted by metres of the body."""
    return np.asarray(place + np.array([right, up, ahead]))


def swung(start: Points, angle: NDArray[np.float64], length: float, aside: float = 0.0) -> Points:
    """Return where a rod ends that hangs from ``start``, swung forward by an angle.

    Args:
        start: ``(frames, 3)``.
        angle: ``(frames,)`` radians; 0 hangs straight down, positive is ahead.
        length: Metres.
        aside: Metres to the right on the way.

    Returns:
        ``(frames, 3)``.
    """
    reach = np.sqrt(length * length - aside * aside)
    away = [np.full_like(angle, aside), -reach * np.cos(angle), reach * np.sin(angle)]
    return np.asarray(start + np.stack(away, axis=-1))


def bent(start: Points, end: Points, lengths: tuple[float, float], ahead: bool) -> Points:
    """Return where the joint lies between two rods that lead from ``start`` to ``end``.

    Rods too short to reach are stretched: the joint then lies between the ends.

    Args:
        start: ``(frames, 3)``.
        end: ``(frames, 3)``.
        lengths: Of the rods, metres.
        ahead: Whether they bend forward, as knees do, or backward, as elbows do.

    Returns:
        ``(frames, 3)``.
    """
    way = end - start
    distance = np.linalg.norm(way, axis=-1, keepdims=True)
    first, second = lengths
    along = (distance**2 + first**2 - second**2) / (2 * distance)
    off = np.sqrt(np.maximum(first**2 - along**2, 0))
    share = np.clip(along / distance, 0, 1)
    straight = way / distance
    # The way turned by a quarter about the x axis: forward for a way that leads down.
    turned = np.stack([0 * way[..., 0], straight[..., 2], -straight[..., 1]], axis=-1)
    return np.asarray(start + share * way + (off if ahead else -off) * turned)


def worn(paint: Paint, size: tuple[float, float]) -> Paint:
    """Return a paint as it lies on a part of the body of which a tile covers ``size`` widths.

    The tile's middle lies on the middle of a limb, whose rounded ends reach beyond its joints.
    """
    return replace(paint, size=size, shift=(0.16, 0.5))


def add_arm(figure: Figure, look: PersonLook, places: tuple[Points, Points, Points]) -> None:
    """Add an arm through shoulder, elbow and hand."""
    shoulder, elbow, hand = places
    thick = look.height * look.build
    sleeve = worn(look.coat, ARM_WEAR)
    figure.limb(shoulder, elbow, (0.033 * thick, 0.028 * thick), sleeve, layer=3)
    figure.limb(elbow, hand, (0.027 * thick, 0.021 * thick), sleeve, layer=3)
    tip = hand + 0.12 * (hand - elbow)
    figure.limb(hand, tip, (0.02 * thick, 0.02 * thick), look.skin, layer=3)


def add_head(figure: Figure, look: PersonLook, neck: Points, hat: Paint | None) -> None:
    """Add head and hair above the neck.

    The hair is a little further back than the face: whichever is nearer to the camera is drawn
    over the other, so that a head shows which way it looks.
    """
    height, size = look.height, look.head * look.height
    radius = 0.37 * size
    chin = moved(neck, 0, 0.42 * size, 0.08 * size)
    brow = moved(chin, 0, size - 2 * radius, 0)
    crown = moved(brow, 0, 0.07 * size, -0.14 * size)
    nape, thin = moved(chin, 0, 0, -0.16 * size), 0.8
    if look.long_hair:
        nape, thin = moved(neck, 0, -0.25 * size, -0.22 * size), 0.95
    figure.limb(crown, nape, (1.04 * radius, thin * radius), look.hair, 3)
    figure.limb(
        moved(neck, 0, -0.02 * height, 0), chin, (0.028 * height, 0.025 * height), look.skin, 3
    )
    figure.limb(chin, brow, (0.88 * radius, radius), look.skin, layer=3)
    if hat is not None:
        top = moved(brow, 0, 0.3 * size, -0.06 * size)
        figure.limb(top, moved(top, 0, 0.05 * size, 0), (radius * 1.1, radius), hat, layer=4)
