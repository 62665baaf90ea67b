"""People: walking, standing and cycling, made of joints and limbs."""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mapt_bench.synthetic.appearances import PersonAppearance, RiderAppearance
from mapt_bench.synthetic.shapes import Body, Limb, Paint, Panel, disc

__all__ = [
    "ARM_WEAR",
    "TORSO_WEAR",
    "Figure",
    "Points",
    "add_arm",
    "add_head",
    "bent",
    "bicycle_body",
    "moved",
    "person_body",
    "rider_body",
    "stride",
    "swung",
    "worn",
]

Points = NDArray[np.float64]
"""``(frames, 3)``: position of a joint in each frame, in metres relative to the body."""

TORSO_WEAR = (2.2, 1.0)
"""Size of one tile of a coat's texture in torso widths, along and across."""

ARM_WEAR = (4.0, 1.0)
"""The same for an arm."""


@dataclass
class Figure:
    """A body under construction.

    Attributes:
        frames: Length of its motion.
        joints: Positions of each joint, ``(frames, 3)``.
        limbs: Limbs between joints.
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
    """Return a place shifted by metres, in directions of the body."""
    return np.asarray(place + np.array([right, up, ahead]))


def swung(start: Points, angle: NDArray[np.float64], length: float, aside: float = 0.0) -> Points:
    """Return the end of a rod that hangs from ``start``, swung forward by an angle.

    Args:
        start: ``(frames, 3)``.
        angle: ``(frames,)`` radians; 0 hangs straight down, positive is ahead.
        length: Metres.
        aside: Metres that the end lies to the right.

    Returns:
        ``(frames, 3)``.
    """
    reach = np.sqrt(length * length - aside * aside)
    away = [np.full_like(angle, aside), -reach * np.cos(angle), reach * np.sin(angle)]
    return np.asarray(start + np.stack(away, axis=-1))


def bent(start: Points, end: Points, lengths: tuple[float, float], ahead: bool) -> Points:
    """Return the joint between two rods from ``start`` to ``end``.

    Rods too short to reach are stretched: the joint then lies between the ends.

    Args:
        start: ``(frames, 3)``.
        end: ``(frames, 3)``.
        lengths: Lengths of the rods in metres.
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
    # The line from start to end, turned by 90 degrees about the x axis.
    turned = np.stack([0 * way[..., 0], straight[..., 2], -straight[..., 1]], axis=-1)
    return np.asarray(start + share * way + (off if ahead else -off) * turned)


def worn(paint: Paint, size: tuple[float, float]) -> Paint:
    """Return a paint for a part of the body; one tile covers ``size`` widths.

    The middle of the tile lies on the middle of the limb. Its rounded ends reach beyond the joints.
    """
    return replace(paint, size=size, shift=(0.16, 0.5))


def add_arm(figure: Figure, look: PersonAppearance, places: tuple[Points, Points, Points]) -> None:
    """Add an arm through shoulder, elbow and hand."""
    shoulder, elbow, hand = places
    thick = look.height * look.build
    sleeve = worn(look.coat, ARM_WEAR)
    figure.limb(shoulder, elbow, (0.033 * thick, 0.028 * thick), sleeve, layer=3)
    figure.limb(elbow, hand, (0.027 * thick, 0.021 * thick), sleeve, layer=3)
    tip = hand + 0.12 * (hand - elbow)
    figure.limb(hand, tip, (0.02 * thick, 0.02 * thick), look.skin, layer=3)


def add_head(figure: Figure, look: PersonAppearance, neck: Points, hat: Paint | None) -> None:
    """Add head and hair above the neck.

    The hair is a little behind the face. The nearer of the two is drawn last, so that the head
    shows its direction.
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


_HIP_SWING: Final = 0.46
"""Amplitude of the thigh at full swing, in radians."""

_THIGH, _SHIN, _FOOT = 0.245, 0.24, 0.115
_SOLE, _TOE = 0.026, 0.018
_UPPER_ARM, _FOREARM = 0.172, 0.155
"""Lengths, and radii of ankle and toe, as shares of the height."""


def stride(look: PersonAppearance, swing: float = 1.0) -> float:
    """Return the length of one walking cycle of two steps in metres, without sliding feet.

    Args:
        look: Appearance of the person.
        swing: As in :func:`person_body`.
    """
    leg = (_THIGH + _SHIN) * look.height
    return float(4 * leg * np.sin(_HIP_SWING * swing))


def person_body(
    look: PersonAppearance, phase: NDArray[np.float64], swing: NDArray[np.float64]
) -> Body:
    """Return a person that walks or stands. The lower foot is on the ground in every frame.

    Args:
        look: Size and clothes.
        phase: ``(frames,)`` radians of the walking cycle; :func:`stride` is the length of a cycle.
        swing: ``(frames,)`` swing of the legs: 0 stands, 1 walks fast.
    """
    phase, swing = np.broadcast_arrays(np.atleast_1d(phase), np.atleast_1d(swing))
    figure, height = Figure(len(phase)), look.height
    beat = np.stack([phase, phase + np.pi])  # left leg, right leg
    hip_angle = _HIP_SWING * swing * np.sin(beat)
    knee_angle = hip_angle - swing * (0.1 + 0.85 * np.maximum(np.cos(beat), 0))
    hips = _raised(hip_angle, knee_angle, height)
    for side, leg in ((-1, 0), (1, 1)):
        hip = moved(hips, side * 0.05 * height * look.build, 0, 0)
        _add_leg(figure, look, _leg(hip, hip_angle[leg], knee_angle[leg], height))
    lean = 0.03 + 0.05 * swing
    chest = hips + _upright(lean, 0.215 * height)
    neck = hips + _upright(lean, 0.315 * height)
    _add_torso(figure, look, hips, chest)
    hands = []
    for side, opposite in ((-1, 1), (1, 0)):
        shoulder = moved(chest, side * 0.1 * height * look.build, 0.048 * height, 0)
        angle = 0.05 + 0.8 * hip_angle[opposite]
        elbow = swung(shoulder, angle, _UPPER_ARM * height, side * 0.018 * height)
        hands.append(swung(elbow, angle + 0.12 + 0.35 * swing, _FOREARM * height))
        add_arm(figure, look, (shoulder, elbow, hands[-1]))
    _add_hem(figure, look, hips)
    _add_bag(figure, look, hips, chest, hands[1])
    add_head(figure, look, neck, look.hat)
    return figure.body(shadow=(0.15 * height * look.build, 0.15 * height))


def _upright(lean: NDArray[np.float64], length: float) -> Points:
    return np.stack([0 * lean, length * np.cos(lean), length * np.sin(lean)], axis=-1)


def _leg(
    hip: Points, hip_angle: NDArray[np.float64], knee_angle: NDArray[np.float64], height: float
) -> tuple[Points, Points, Points, Points]:
    """Return hip, knee, ankle and toe. The toe is raised in front and lowered behind."""
    knee = swung(hip, hip_angle, _THIGH * height)
    ankle = swung(knee, knee_angle, _SHIN * height)
    toe = swung(ankle, np.pi / 2 - 0.05 + 0.6 * knee_angle, _FOOT * height)
    return hip, knee, ankle, toe


def _raised(
    hip_angle: NDArray[np.float64], knee_angle: NDArray[np.float64], height: float
) -> Points:
    """Return the hips, ``(frames, 3)``, at a height where the lowest sole touches the ground."""
    _, _, ankle, toe = _leg(np.zeros(3), hip_angle, knee_angle, height)
    lowest = np.minimum(ankle[..., 1] - _SOLE * height, toe[..., 1] - _TOE * height).min(axis=0)
    return np.stack([0 * lowest, -lowest, 0 * lowest], axis=-1)


def _add_leg(
    figure: Figure, look: PersonAppearance, places: tuple[Points, Points, Points, Points]
) -> None:
    hip, knee, ankle, toe = places
    thick = look.height * look.build
    bare = look.skin if look.skirt else look.leg_wear
    figure.limb(hip, knee, (0.052 * thick, 0.038 * thick), bare, layer=2)
    figure.limb(knee, ankle, (0.037 * thick, 0.025 * look.height), bare, layer=2)
    figure.limb(ankle, toe, (_SOLE * look.height, _TOE * look.height), look.shoes, layer=2)


def _add_torso(figure: Figure, look: PersonAppearance, hips: Points, chest: Points) -> None:
    thick = look.height * look.build
    coat = worn(look.coat, TORSO_WEAR)
    figure.limb(
        moved(hips, 0, -0.005 * look.height, 0),
        moved(chest, 0, 0.01 * look.height, 0),
        (0.071 * thick, 0.08 * thick),
        coat,
        layer=3,
    )
    yoke = (0.07 * thick, 0.038 * look.height, 0)
    left, right = chest + np.multiply(yoke, (-1, 1, 1)), chest + yoke
    upper = worn(Paint(coat.base, coat.base), ARM_WEAR)
    figure.limb(left, right, (0.045 * thick, 0.045 * thick), upper, layer=3)


def _add_hem(figure: Figure, look: PersonAppearance, hips: Points) -> None:
    """Add the part of a coat or skirt below the hips."""
    if not look.hem:
        return
    thick = look.height * look.build
    paint = look.leg_wear if look.skirt else worn(look.coat, TORSO_WEAR)
    # The rounded end reaches below its joint by its radius.
    low = moved(hips, 0, 0.06 * thick - look.hem * (_THIGH + _SHIN) * look.height, 0)
    figure.limb(low, hips, (0.088 * thick, 0.073 * thick), paint, layer=2)


def _add_bag(
    figure: Figure, look: PersonAppearance, hips: Points, chest: Points, hand: Points
) -> None:
    height = look.height
    if look.bag == "backpack":
        low = moved(chest, 0, -0.12 * height, -0.1 * height)
        high = moved(chest, 0, 0.03 * height, -0.1 * height)
        figure.limb(low, high, (0.06 * height, 0.05 * height), look.bag_paint, layer=3)
    elif look.bag == "shoulder":
        top = moved(hips, 0.115 * height * look.build, 0.06 * height, -0.01 * height)
        low = moved(top, 0, -0.07 * height, 0)
        figure.limb(top, low, (0.035 * height, 0.045 * height), look.bag_paint, layer=3)
    elif look.bag == "hand":
        top = moved(hand, 0, -0.06 * height, 0)
        low = moved(hand, 0, -0.14 * height, 0)
        figure.limb(top, low, (0.035 * height, 0.05 * height), look.bag_paint, layer=2)


def rider_body(look: RiderAppearance, phase: NDArray[np.float64]) -> Body:
    """Return a cyclist on a bicycle. Pixels of the bicycle have its class.

    Args:
        look: Appearance of cyclist and bicycle.
        phase: ``(frames,)`` angle of the pedals in radians.
    """
    phase = np.atleast_1d(np.asarray(phase, dtype=np.float64))
    person = look.person
    figure, height = Figure(len(phase)), person.height
    scale = height / 1.75
    saddle, pedals, bar = places = _bicycle_places(scale)
    hips = np.broadcast_to(moved(saddle, 0, 0.06 * scale, 0), (len(phase), 3))
    chest = hips + _upright(np.full(len(phase), look.lean), 0.215 * height)
    neck = hips + _upright(np.full(len(phase), look.lean), 0.315 * height)
    for side, turn in ((-1, phase), (1, phase + np.pi)):
        aside = side * 0.055 * height
        circle = np.stack([0 * turn, -np.sin(turn), np.cos(turn)], axis=-1)
        ankle = moved(pedals + 0.165 * scale * circle, aside, 0.08 * scale, -0.06 * scale)
        hip = moved(hips, aside, 0, 0)
        knee = bent(hip, ankle, (_THIGH * height, _SHIN * height), ahead=True)
        toe = moved(ankle, 0, -0.035 * scale, 0.15 * scale)
        _add_leg(figure, person, (hip, knee, ankle, toe))
        shoulder = moved(chest, side * 0.1 * height * person.build, 0.04 * height, 0)
        grip = np.broadcast_to(moved(bar, side * 0.24 * scale, 0.03, 0), hips.shape)
        elbow = bent(shoulder, grip, (_UPPER_ARM * height, 1.1 * _FOREARM * height), ahead=False)
        add_arm(figure, person, (shoulder, elbow, grip))
    _add_torso(figure, person, hips, chest)
    if person.bag == "backpack":
        _add_bag(figure, person, hips, chest, hips)
    add_head(figure, person, neck, look.helmet)
    panels = _add_bicycle(figure, look, scale, places)
    return figure.body(shadow=(0.25 * scale, 0.85 * scale), panels=panels)


def bicycle_body(look: RiderAppearance) -> Body:
    """Return a parked bicycle in the size of its rider."""
    scale = look.person.height / 1.75
    figure = Figure(1)
    panels = _add_bicycle(figure, look, scale, _bicycle_places(scale))
    return figure.body(shadow=(0.12 * scale, 0.85 * scale), panels=panels)


def _bicycle_places(scale: float) -> tuple[Points, Points, Points]:
    """Return the places of saddle, pedals and handlebar, ``(3,)`` each."""
    places = np.array([[0.0, 0.95, -0.22], [0.0, 0.29, -0.02], [0.0, 1.0, 0.36]]) * scale
    return places[0], places[1], places[2]


def _add_bicycle(
    figure: Figure, look: RiderAppearance, scale: float, places: tuple[Points, Points, Points]
) -> tuple[Panel, ...]:
    """Add frame and handlebar, and return the wheels, filled as in manual annotations."""
    saddle, pedals, bar = places
    radius = look.wheel * scale
    rear, front = np.array([0, radius, -0.52 * scale]), np.array([0, radius, 0.56 * scale])
    stem = bar + np.array([0, -0.14, -0.05]) * scale
    seat = saddle - np.array([0, 0.1, 0]) * scale
    tubes = ((pedals, seat), (pedals, stem), (seat, stem), (rear, pedals), (rear, seat))
    for start, end in (*tubes, (front, stem), (stem, bar)):
        figure.limb(start, end, (0.028, 0.028), look.frame, 2, "bicycle")
    across = np.array([0.26 * scale, 0, 0])
    figure.limb(bar - across, bar + across, (0.022, 0.022), look.tyre, 2, "bicycle")
    figure.limb(
        moved(saddle, 0, 0, -0.1), moved(saddle, 0, 0, 0.1), (0.06, 0.035), look.tyre, 2, "bicycle"
    )
    panels = []
    for _, height, ahead in (rear, front):
        edge = (0, height - radius + 0.03, ahead), (0, height + radius - 0.03, ahead)
        figure.limb(*edge, (0.03, 0.03), look.tyre, 0, "bicycle")
        for share, layer, paint in ((1.0, 0, look.tyre), (0.82, 1, look.spokes)):
            corners = disc((0, height, ahead), share * radius, 1)
            panels.append(Panel(corners, paint, True, layer, "bicycle"))
    return tuple(panels)
