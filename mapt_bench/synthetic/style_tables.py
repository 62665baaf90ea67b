"""Colours, and tables that styles are sampled from."""

import math
from dataclasses import dataclass, replace
from typing import Final

from mapt_bench.synthetic.shapes import Color, Paint

__all__ = ["CAR_SHAPES", "GREY", "SKIN", "CarShape", "mixed", "oklch", "washed"]

GREY: Final[Color] = (124, 124, 124)
"""Colour to which washed paints fade."""


def mixed(color: Color, other: Color, share: float) -> Color:
    """Mix a colour with a share (0..1) of another.

    >>> mixed((0, 100, 200), (100, 100, 100), 0.5)
    (50, 100, 150)
    """
    red, green, blue = (
        round(own + share * (theirs - own)) for own, theirs in zip(color, other, strict=True)
    )
    return red, green, blue


def oklch(lightness: float, chroma: float, hue: float) -> Color:
    """Convert OKLCh to sRGB. Chroma is reduced until the colour exists in sRGB.

    OKLCh is a perceptual space (Ottosson 2020, "A perceptual color space for image processing").

    Args:
        lightness: 0..1.
        chroma: 0 is grey, 0.1 moderate, 0.2 vivid.
        hue: Degrees: 30 red, 70 brown and beige, 110 yellow, 140 green, 250 blue.

    >>> oklch(0.5, 0.0, 0.0)
    (99, 99, 99)
    """
    angle = math.radians(hue)
    for _ in range(20):
        a, b = chroma * math.cos(angle), chroma * math.sin(angle)
        long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
        middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
        short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
        linear = (
            4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
        )
        if all(-1e-3 <= value <= 1.001 for value in linear):
            break
        chroma *= 0.85
    red, green, blue = (round(255 * _encoded(min(max(value, 0.0), 1.0))) for value in linear)
    return red, green, blue


def _encoded(value: float) -> float:
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


def washed(paint: Paint, wash: float) -> Paint:
    """Fade a paint to a common grey; at 1 it is that grey.

    Args:
        paint: Paint.
        wash: Share, 0..1. Both colours approach the grey, so the texture fades too.
    """
    return replace(
        paint, base=mixed(paint.base, GREY, wash), accent=mixed(paint.accent, GREY, wash)
    )


SKIN: Final[tuple[Color, ...]] = (
    (236, 200, 176),
    (222, 178, 146),
    (196, 148, 114),
    (150, 104, 76),
    (98, 66, 48),
)
"""Skin colours of people."""


@dataclass(frozen=True, slots=True)
class CarShape:
    """Outline of a type of car; lengths in metres, the rest in shares of the length.

    Attributes:
        name: Name of the type.
        length: Length with bumpers.
        width: Width without mirrors.
        height: Height of the roof.
        belt: Height of the lower edge of the windows.
        bonnet: Start of the windscreen, from the front.
        roof: Start and end of the roof.
        tail: End of the rear window.
        deck: Height of the upper edge of the tail, relative to the belt.
        windows: Positions of the pillars between side windows, as shares of the side of the cabin.
        wheel: Radius of the wheels.
    """

    name: str
    length: float
    width: float
    height: float
    belt: float
    bonnet: float
    roof: tuple[float, float]
    tail: float
    deck: float
    windows: tuple[float, ...]
    wheel: float


CAR_SHAPES: Final[tuple[CarShape, ...]] = (
    CarShape("hatchback", 4.0, 1.74, 1.47, 0.93, 0.25, (0.42, 0.87), 0.97, 1.0, (0.5,), 0.31),
    CarShape("saloon", 4.6, 1.79, 1.45, 0.93, 0.27, (0.42, 0.72), 0.86, 0.97, (0.5,), 0.32),
    CarShape("estate", 4.65, 1.79, 1.5, 0.94, 0.26, (0.4, 0.91), 0.97, 1.0, (0.38, 0.7), 0.32),
    CarShape("minivan", 4.5, 1.83, 1.76, 1.03, 0.15, (0.33, 0.94), 0.98, 1.0, (0.4, 0.7), 0.33),
)
"""Types of cars that the family ``varied`` mixes."""
