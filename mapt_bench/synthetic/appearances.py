"""Appearances of people and vehicles: sizes and paints, sampled from the style of a video.

Look-alikes are several actors with one appearance. Every appearance uses the same number of random
values, so that a change of one thing does not change the rest of a scene.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeVar

import numpy as np

from mapt_bench.synthetic.shapes import Color, Paint
from mapt_bench.synthetic.style_tables import CarShape, washed
from mapt_bench.synthetic.styles import Style

__all__ = [
    "Bag",
    "CarAppearance",
    "PersonAppearance",
    "RiderAppearance",
    "TruckAppearance",
    "car_appearance",
    "person_appearance",
    "rider_appearance",
    "truck_appearance",
]

Bag = Literal["none", "backpack", "shoulder", "hand"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PersonAppearance:
    """A pedestrian.

    Attributes:
        height: Metres from sole to crown, without a hat.
        build: Width relative to an average body of that height.
        head: Height of the head as a share of the body; larger for children.
        coat: Paint from neck to hip, and of the arms.
        leg_wear: Paint of the legs.
        shoes: Paint of the feet.
        skin: Paint of face and hands.
        hair: Paint.
        long_hair: Whether the hair falls to the shoulders.
        hat: Paint of the hat; ``None`` for none.
        hem: How far coat or skirt cover the leg, as a share of its length; 0 for a jacket.
        skirt: Whether the hem has the paint of the legs. The legs are then bare.
        bag: Type of bag.
        bag_paint: Its paint.
    """

    height: float
    build: float
    head: float
    coat: Paint
    leg_wear: Paint
    shoes: Paint
    skin: Paint
    hair: Paint
    long_hair: bool
    hat: Paint | None
    hem: float
    skirt: bool
    bag: Bag
    bag_paint: Paint


@dataclass(frozen=True, slots=True)
class RiderAppearance:
    """A cyclist and the bicycle.

    Attributes:
        person: The cyclist.
        frame: Paint of the bicycle.
        tyre: Paint of the tyres.
        spokes: Paint of the wheels inside the tyres.
        wheel: Radius in metres.
        lean: How far the back leans forward, radians from upright.
        helmet: Paint of the helmet; ``None`` for none.
    """

    person: PersonAppearance
    frame: Paint
    tyre: Paint
    spokes: Paint
    wheel: float
    lean: float
    helmet: Paint | None


@dataclass(frozen=True, slots=True)
class CarAppearance:
    """A car.

    Attributes:
        shape: Its type, stretched by a few per cent.
        paint: Paint of the body.
        glass: Paint of the windows.
        trim: Paint of bumpers and sills.
        tyre: Paint of the wheels; its accent is the colour of the rims.
        head_light: Paint.
        tail_light: Paint.
        plate: Paint of the number plates.
    """

    shape: CarShape
    paint: Paint
    glass: Paint
    trim: Paint
    tyre: Paint
    head_light: Paint
    tail_light: Paint
    plate: Paint


@dataclass(frozen=True, slots=True)
class TruckAppearance:
    """A delivery van or a lorry.

    Attributes:
        box: True for a lorry, with a box behind the cab; false for a van, in one piece.
        length: Metres.
        width: Metres.
        height: Metres.
        cab: Length of the cab, metres.
        paint: Paint of the box, or of the body of a van.
        cab_paint: Paint of the cab.
        glass: Paint of the windows.
        trim: Paint of bumpers and chassis.
        tyre: Paint of the wheels; its accent is the colour of the rims.
        tail_light: Paint.
    """

    box: bool
    length: float
    width: float
    height: float
    cab: float
    paint: Paint
    cab_paint: Paint
    glass: Paint
    trim: Paint
    tyre: Paint
    tail_light: Paint


_DARK_GLASS: Final[Color] = (38, 44, 50)
_GLASS_GLEAM: Final[Color] = (104, 120, 132)
_WHEEL: Final = Paint((24, 24, 26), (150, 152, 156), "rim")


def _pick(choices: tuple[T, ...], draw: float) -> T:
    """Return the choice for a number in 0..1."""
    return choices[int(draw * len(choices))]


def _solid(color: Color) -> Paint:
    return Paint(color, color)


def _glass(draw: float) -> Paint:
    return Paint(_DARK_GLASS, _GLASS_GLEAM, "glass", (1.8, 1.0), (draw, 0.0))


def person_appearance(
    rng: np.random.Generator, style: Style, wash: float = 0.0
) -> PersonAppearance:
    """Sample the appearance of a pedestrian. One in eight is a child.

    Args:
        rng: Random generator.
        style: Style of the video.
        wash: How far all paints fade into one grey, 0..1.
    """
    draw = rng.random(14)
    child, woman = draw[0] < 0.12, draw[1] < 0.5
    height = 1.02 + 0.4 * draw[2] if child else (1.66 if woman else 1.77) + 0.2 * (draw[2] - 0.5)
    leg_wear = _pick(style.leg_wear, draw[5])
    skirt = bool(woman and draw[6] < 0.3)
    bags: tuple[Bag, ...] = ("none", "none", "backpack", "shoulder", "hand")
    hats = (None, None, None, None, _pick(style.leg_wear, draw[10]))
    return PersonAppearance(
        height=float(height),
        build=_pick(style.builds, draw[3]) * (0.94 if woman else 1.04),
        head=0.165 if child else 0.135,
        coat=washed(_pick(style.coats, draw[4]), wash),
        leg_wear=washed(leg_wear, wash),
        shoes=washed(_solid((34, 30, 30) if draw[11] < 0.7 else (206, 204, 200)), wash),
        skin=washed(_solid(_pick(style.skin, draw[7])), wash),
        hair=washed(_solid(_pick(style.hair, draw[8])), wash),
        long_hair=bool(woman and draw[12] < 0.65),
        hat=None if (hat := _pick(hats, draw[9])) is None else washed(hat, wash),
        hem=0.5 if skirt else (style.long_coat if draw[6] > 0.72 and not child else 0.0),
        skirt=skirt,
        bag=_pick(bags, draw[13]),
        bag_paint=washed(_pick(style.leg_wear, 1 - draw[10] - 1e-9), wash),
    )


def rider_appearance(rng: np.random.Generator, style: Style, wash: float = 0.0) -> RiderAppearance:
    """Sample the appearance of a cyclist; arguments as in :func:`person_appearance`."""
    person = person_appearance(rng, style, wash)
    draw = rng.random(4)
    return RiderAppearance(
        person=person,
        frame=washed(_pick(style.frames, draw[0]), wash),
        tyre=washed(_solid((30, 30, 32)), wash),
        spokes=washed(_solid((104, 106, 110)), wash),
        wheel=style.wheel,
        lean=0.25 + 0.35 * float(draw[1]),
        helmet=washed(_solid(_pick(style.helmets, draw[3])), wash) if draw[2] < 0.45 else None,
    )


def car_appearance(rng: np.random.Generator, style: Style, wash: float = 0.0) -> CarAppearance:
    """Sample the appearance of a car; arguments as in :func:`person_appearance`."""
    draw = rng.random(6)
    kind = _pick(style.car_shapes, draw[0])
    shape = replace(
        kind,
        length=kind.length * (0.96 + 0.08 * float(draw[1])),
        height=kind.height * (0.98 + 0.04 * float(draw[2])),
    )
    return CarAppearance(
        shape=shape,
        paint=washed(_pick(style.car_paints, draw[3]), wash),
        glass=washed(_glass(draw[4]), wash),
        trim=washed(_solid((36, 37, 40)), wash),
        tyre=washed(_WHEEL, wash),
        head_light=washed(_solid((232, 232, 220)), wash),
        tail_light=washed(_solid((176, 26, 24)), wash),
        plate=washed(_solid((226, 226, 222) if draw[5] < 0.7 else (216, 190, 70)), wash),
    )


def truck_appearance(rng: np.random.Generator, style: Style) -> TruckAppearance:
    """Sample the appearance of a van or a lorry, with equal probability.

    Args:
        rng: Random generator.
        style: Style of the video.
    """
    draw = rng.random(6)
    box = bool(draw[0] < 0.5)
    small, great = style.lorry if box else style.van
    paint = _pick(style.truck_paints, draw[1])
    return TruckAppearance(
        box=box,
        length=small + (great - small) * float(draw[2]),
        width=2.25 if box else 1.98,
        height=(2.95 if box else 2.25) + 0.4 * float(draw[3]),
        cab=1.75 if box else 1.9,
        paint=paint,
        cab_paint=_solid(paint.base if draw[4] < 0.6 else paint.accent),
        glass=_glass(draw[5]),
        trim=_solid((42, 43, 46)),
        tyre=_WHEEL,
        tail_light=_solid((176, 26, 24)),
    )
