"""Paints and car shapes of the style families."""

import math
from dataclasses import dataclass, replace
from typing import Final, Literal

from mapt_bench.synthetic.scene import Sky
from mapt_bench.synthetic.shapes import Color, Paint

__all__ = [
    "BARE",
    "CAR_PAINTS",
    "CAR_SHAPES",
    "COATS",
    "FRAME_PAINTS",
    "GREY",
    "GROUND",
    "HAIR",
    "LEAVES",
    "LEG_WEAR",
    "METAL",
    "SKIES",
    "SKIN",
    "TRUCK_PAINTS",
    "UPPER",
    "WALLS",
    "CarShape",
    "TableFamily",
    "mixed",
    "oklch",
    "washed",
]

TableFamily = Literal["seen", "held-out"]
"""Families with fixed tables."""

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


def _plain(color: Color) -> Paint:
    return Paint(color, color)


COATS: Final[dict[TableFamily, tuple[Paint, ...]]] = {
    "seen": (
        _plain((34, 42, 74)),
        _plain((28, 28, 31)),
        Paint((82, 84, 90), (116, 118, 124), "knit"),
        _plain((168, 32, 36)),
        Paint((226, 224, 218), (188, 190, 196), "fade"),
        Paint((222, 226, 232), (56, 84, 148), "stripes"),
        Paint((84, 90, 52), (62, 68, 38), "knit"),
        Paint((192, 168, 128), (168, 142, 104), "fade"),
        Paint((110, 34, 44), (196, 174, 156), "checks"),
        Paint((48, 58, 88), (226, 204, 60), "halves"),
        Paint((58, 120, 176), (232, 232, 232), "print"),
    ),
    "held-out": (
        _plain((20, 112, 116)),
        Paint((70, 50, 38), (92, 68, 52), "mottled"),
        Paint((92, 108, 136), (120, 136, 160), "mottled"),
        _plain((216, 106, 36)),
        Paint((228, 216, 184), (132, 62, 48), "bands"),
        _plain((36, 82, 50)),
        _plain((102, 58, 122)),
        Paint((176, 178, 182), (72, 76, 92), "dots"),
        Paint((212, 132, 150), (230, 170, 180), "diagonals"),
        Paint((74, 96, 140), (212, 208, 196), "yoke"),
        Paint((48, 46, 50), (150, 44, 60), "vest"),
    ),
}
"""Paints of coats, shirts and jackets."""

LEG_WEAR: Final[dict[TableFamily, tuple[Paint, ...]]] = {
    "seen": (
        _plain((40, 52, 88)),
        _plain((30, 30, 34)),
        _plain((98, 98, 102)),
        _plain((170, 152, 120)),
        _plain((64, 88, 128)),
        _plain((72, 60, 50)),
    ),
    "held-out": (
        _plain((52, 60, 66)),
        _plain((104, 126, 160)),
        _plain((88, 72, 84)),
        _plain((200, 194, 180)),
        _plain((58, 68, 48)),
        _plain((44, 36, 34)),
    ),
}
"""Paints of trousers and skirts."""

SKIN: Final[tuple[Color, ...]] = (
    (236, 200, 176),
    (222, 178, 146),
    (196, 148, 114),
    (150, 104, 76),
    (98, 66, 48),
)
"""Skin colours, common to both families."""

HAIR: Final[dict[TableFamily, tuple[Color, ...]]] = {
    "seen": ((34, 27, 24), (82, 56, 38), (186, 152, 98), (150, 148, 146)),
    "held-out": ((46, 38, 40), (118, 74, 46), (140, 66, 38), (214, 210, 204)),
}

CAR_PAINTS: Final[dict[TableFamily, tuple[Paint, ...]]] = {
    "seen": (
        Paint((208, 210, 213), (158, 162, 168), "doors"),
        Paint((160, 164, 170), (116, 120, 128), "doors"),
        Paint((72, 76, 82), (42, 44, 50), "doors"),
        Paint((30, 31, 34), (66, 70, 76), "sheen"),
        Paint((32, 46, 92), (70, 86, 136), "sheen"),
        Paint((160, 28, 30), (104, 16, 20), "doors"),
        Paint((176, 162, 132), (132, 120, 96), "doors"),
        Paint((38, 76, 60), (74, 112, 94), "sheen"),
    ),
    "held-out": (
        Paint((212, 204, 186), (162, 154, 138), "mouldings"),
        Paint((122, 158, 190), (166, 194, 216), "reflection"),
        Paint((92, 82, 74), (60, 52, 46), "mouldings"),
        Paint((98, 24, 46), (146, 66, 88), "reflection"),
        Paint((206, 104, 36), (150, 70, 22), "mouldings"),
        Paint((24, 88, 104), (72, 134, 148), "reflection"),
        Paint((66, 62, 84), (106, 102, 126), "reflection"),
        Paint((196, 188, 66), (148, 140, 42), "mouldings"),
    ),
}

TRUCK_PAINTS: Final[dict[TableFamily, tuple[Paint, ...]]] = {
    "seen": (
        Paint((208, 208, 206), (56, 90, 150), "lettering"),
        Paint((212, 174, 46), (150, 34, 34), "lettering"),
        Paint((64, 84, 116), (206, 208, 210), "lettering"),
        Paint((150, 152, 154), (96, 98, 102), "lettering"),
    ),
    "held-out": (
        Paint((210, 206, 198), (48, 122, 78), "livery"),
        Paint((114, 74, 46), (226, 178, 74), "livery"),
        Paint((176, 52, 60), (226, 220, 214), "livery"),
        Paint((120, 132, 144), (80, 90, 104), "livery"),
    ),
}

FRAME_PAINTS: Final[dict[TableFamily, tuple[Paint, ...]]] = {
    "seen": (_plain((30, 32, 36)), _plain((150, 30, 34)), _plain((52, 84, 140))),
    "held-out": (_plain((196, 194, 188)), _plain((34, 104, 92)), _plain((188, 118, 40))),
}
"""Paints of bicycles."""

GROUND: Final[dict[TableFamily, dict[str, tuple[Paint, ...]]]] = {
    "seen": {
        "road": (
            Paint((74, 74, 78), (96, 96, 98), "asphalt", (5, 5)),
            Paint((92, 90, 88), (112, 110, 106), "asphalt", (5, 5)),
        ),
        "sidewalk": (
            Paint((118, 114, 108), (158, 152, 144), "paving", (2.4, 2.4)),
            Paint((136, 128, 122), (170, 160, 152), "paving", (2.0, 2.0)),
        ),
        "terrain": (
            Paint((74, 92, 44), (116, 128, 66), "grass", (4, 4)),
            Paint((102, 100, 62), (134, 124, 82), "grass", (4, 4)),
        ),
        "vegetation": (Paint((46, 74, 34), (88, 112, 54), "grass", (3, 3)),),
    },
    "held-out": {
        "road": (
            Paint((84, 80, 80), (62, 60, 64), "tarmac", (6, 6)),
            Paint((104, 102, 104), (82, 80, 82), "tarmac", (6, 6)),
        ),
        "sidewalk": (
            Paint((124, 104, 94), (164, 142, 128), "slabs", (2.7, 2.7)),
            Paint((104, 108, 112), (148, 152, 154), "slabs", (3.3, 3.3)),
        ),
        "terrain": (
            Paint((92, 104, 58), (142, 140, 78), "meadow", (5, 5)),
            Paint((116, 98, 72), (146, 128, 96), "meadow", (5, 5)),
        ),
        "vegetation": (Paint((62, 78, 40), (112, 120, 62), "meadow", (3, 3)),),
    },
}

SKIES: Final[dict[TableFamily, tuple[Sky, ...]]] = {
    "seen": (
        Sky((96, 146, 204), (204, 218, 228), 0.45),
        Sky((168, 176, 186), (214, 216, 218), 0.25),
        Sky((76, 128, 196), (190, 212, 230), 0.1),
    ),
    "held-out": (
        Sky((128, 152, 186), (228, 216, 196), 0.55),
        Sky((186, 188, 190), (222, 220, 216), 0.15),
        Sky((104, 130, 176), (224, 200, 178), 0.3),
    ),
}

LEAVES: Final[dict[TableFamily, tuple[tuple[Color, Color], ...]]] = {
    "seen": (((30, 54, 24), (92, 122, 52)), ((40, 60, 34), (112, 132, 72))),
    "held-out": (((46, 62, 28), (132, 140, 58)), ((26, 52, 40), (78, 116, 84))),
}

METAL: Final[dict[TableFamily, tuple[Color, ...]]] = {
    "seen": ((116, 120, 122), (64, 68, 72)),
    "held-out": ((92, 100, 94), (142, 138, 130)),
}

WALLS: Final[dict[TableFamily, tuple[Color, ...]]] = {
    "seen": ((190, 176, 152), (168, 120, 96), (206, 200, 190), (150, 148, 142), (196, 170, 120)),
    "held-out": ((158, 96, 78), (214, 196, 160), (132, 142, 150), (182, 186, 170), (176, 150, 138)),
}
UPPER: Final[dict[TableFamily, tuple[str, ...]]] = {
    "seen": ("sash-windows", "tall-windows"),
    "held-out": ("wide-windows", "arched-windows"),
}
BARE: Final[dict[TableFamily, tuple[str, ...]]] = {
    "seen": ("brick", "plaster"),
    "held-out": ("stone", "render"),
}


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


CAR_SHAPES: Final[dict[TableFamily, tuple[CarShape, ...]]] = {
    "seen": (
        CarShape("hatchback", 4.0, 1.74, 1.47, 0.93, 0.25, (0.42, 0.87), 0.97, 1.0, (0.5,), 0.31),
        CarShape("saloon", 4.6, 1.79, 1.45, 0.93, 0.27, (0.42, 0.72), 0.86, 0.97, (0.5,), 0.32),
        CarShape("estate", 4.65, 1.79, 1.5, 0.94, 0.26, (0.4, 0.91), 0.97, 1.0, (0.38, 0.7), 0.32),
        CarShape("minivan", 4.5, 1.83, 1.76, 1.03, 0.15, (0.33, 0.94), 0.98, 1.0, (0.4, 0.7), 0.33),
    ),
    "held-out": (
        CarShape("city car", 3.5, 1.63, 1.54, 0.96, 0.19, (0.36, 0.9), 0.97, 1.0, (0.55,), 0.28),
        CarShape("off-roader", 4.6, 1.9, 1.8, 1.1, 0.27, (0.37, 0.92), 0.97, 1.0, (0.4, 0.7), 0.38),
        CarShape("coupe", 4.4, 1.83, 1.33, 0.86, 0.33, (0.5, 0.67), 0.91, 1.0, (), 0.33),
        CarShape("pick-up", 5.1, 1.86, 1.76, 1.06, 0.24, (0.35, 0.56), 0.6, 0.98, (0.5,), 0.37),
    ),
}
