"""Sample a style for each video: colours, shapes, gaits, light and camera.

Colours are sampled in a perceptual space, OKLCh: see
:func:`~mapt_bench.synthetic.style_tables.oklch`. Their ranges are those of real streets. Related
properties are sampled together: sky and light, the stone of a town, the green of a season.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np

from mapt_bench.synthetic.paths import Paces
from mapt_bench.synthetic.patterns import sampled_textures
from mapt_bench.synthetic.scene import Light, Sky
from mapt_bench.synthetic.shapes import Color, Paint
from mapt_bench.synthetic.shifted_style import shifted_style
from mapt_bench.synthetic.style_tables import CAR_SHAPES, SKIN, CarShape, mixed, oklch
from mapt_bench.synthetic.styles import Style, white_balance
from mapt_bench.synthetic.world_settings import WorldSettings

__all__ = ["sampled_style", "style_of"]

_Range = tuple[float, float]
_Lch = tuple[_Range, _Range, _Range]
"""Ranges of lightness, chroma and hue."""

_Fields = dict[str, Any]
"""Fields of a :class:`Style` by name."""

_SEED: Final = 2  # of styles, so that scenes have other random numbers


class _Dice:
    """Samples colours and paints."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def within(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def color(self, ranges: _Lch) -> Color:
        return oklch(*(self.within(*each) for each in ranges))

    def pair(self, ranges: _Lch, contrast: _Range) -> tuple[Color, Color]:
        """Return two colours of one hue, the second lighter by a contrast (negative: darker)."""
        lightness, chroma, hue = (self.within(*each) for each in ranges)
        other = min(max(lightness + self.within(*contrast), 0.05), 0.97)
        return oklch(lightness, chroma, hue), oklch(other, chroma, hue)

    def paint(
        self, ranges: _Lch, contrast: _Range, texture: str, size: tuple[_Range, _Range]
    ) -> Paint:
        tile = (self.within(*size[0]), self.within(*size[1]))
        return Paint(*self.pair(ranges, contrast), texture, tile)

    def one_of(self, choices: Sequence[tuple[float, _Lch]]) -> _Lch:
        weights = np.array([weight for weight, _ in choices])
        return choices[int(self.rng.choice(len(choices), p=weights / weights.sum()))][1]


_DIM: Final = (0.0, 0.02)
_ANY: Final = (0.0, 360.0)
_COAT_COLORS: Final[tuple[tuple[float, _Lch], ...]] = (
    (0.34, ((0.14, 0.42), _DIM, _ANY)),
    (0.12, ((0.5, 0.92), (0.0, 0.025), _ANY)),
    (0.2, ((0.2, 0.5), (0.03, 0.11), (240.0, 280.0))),
    (0.08, ((0.5, 0.8), (0.03, 0.07), (60.0, 95.0))),
    (0.26, ((0.32, 0.82), (0.06, 0.18), _ANY)),
)
_LEG_COLORS: Final[tuple[tuple[float, _Lch], ...]] = (
    (0.38, ((0.22, 0.55), (0.03, 0.09), (245.0, 275.0))),
    (0.34, ((0.13, 0.45), _DIM, _ANY)),
    (0.18, ((0.45, 0.8), (0.02, 0.06), (60.0, 100.0))),
    (0.1, ((0.3, 0.75), (0.04, 0.12), _ANY)),
)
_CAR_COLORS: Final[tuple[tuple[float, _Lch], ...]] = (
    (0.22, ((0.82, 0.95), (0.0, 0.012), _ANY)),
    (0.26, ((0.42, 0.8), (0.0, 0.015), _ANY)),
    (0.2, ((0.14, 0.34), (0.0, 0.015), _ANY)),
    (0.12, ((0.25, 0.6), (0.05, 0.14), (235.0, 270.0))),
    (0.1, ((0.32, 0.55), (0.1, 0.2), (18.0, 38.0))),
    (0.06, ((0.4, 0.75), (0.02, 0.06), (60.0, 95.0))),
    (0.04, ((0.65, 0.85), (0.12, 0.17), (60.0, 110.0))),
)
_TRUCK_COLORS: Final[tuple[tuple[float, _Lch], ...]] = (
    (0.45, ((0.82, 0.95), (0.0, 0.015), _ANY)),
    (0.25, ((0.3, 0.75), (0.0, 0.02), _ANY)),
    (0.3, ((0.35, 0.8), (0.06, 0.18), _ANY)),
)
_HAIR_COLORS: Final[tuple[tuple[float, _Lch], ...]] = (
    (0.6, ((0.16, 0.36), (0.01, 0.045), (40.0, 75.0))),
    (0.18, ((0.55, 0.8), (0.04, 0.09), (70.0, 90.0))),
    (0.14, ((0.55, 0.85), (0.0, 0.015), _ANY)),
    (0.08, ((0.35, 0.5), (0.07, 0.12), (35.0, 55.0))),
)
_SIGN_COLORS: Final[tuple[tuple[_Lch, _Lch | None], ...]] = (
    (((0.48, 0.58), (0.16, 0.22), (22.0, 32.0)), ((0.9, 0.97), (0.0, 0.01), _ANY)),
    (((0.38, 0.52), (0.1, 0.17), (250.0, 268.0)), None),
    (((0.74, 0.86), (0.13, 0.18), (80.0, 100.0)), None),
    (((0.38, 0.52), (0.1, 0.17), (250.0, 268.0)), ((0.9, 0.97), (0.0, 0.01), _ANY)),
    (((0.85, 0.96), (0.0, 0.01), _ANY), ((0.3, 0.6), (0.0, 0.2), (20.0, 40.0))),
)


@lru_cache(maxsize=8)
def style_of(settings: WorldSettings) -> Style:
    """Return the style of a video."""
    match settings.family:
        case "varied":
            return sampled_style(settings.seed)
        case "shifted":
            return shifted_style(settings.seed)


def sampled_style(seed: int) -> Style:
    """Sample the style of an in-domain video.

    Args:
        seed: Seed of the video.
    """
    rng = np.random.default_rng([_SEED, seed])
    dice = _Dice(rng)
    sky, light = _weather(dice)
    coats = int(rng.integers(9, 13))
    windows = tuple((int(rng.integers(2, 5)), int(rng.integers(1, 4))) for _ in range(3))
    nature, ground = _nature(dice)
    street, roads = _street(dice)
    return Style(
        textures=sampled_textures(rng, coats, 3, 3, windows),
        light=light,
        skies=(sky,),
        **_people(dice, coats),
        **_traffic(dice),
        **_town(dice, windows, sky),
        **nature,
        **street,
        ground={**ground, **roads},
        walking=dice.within(0.96, 1.2),
        focal=(0.92, 1.08),
        elevation=(0.86, 1.14),
        pitch=(-0.015, 0.025),
    )


# -- sky and light ------------------------------------------------------------------------------


def _weather(dice: _Dice) -> tuple[Sky, Light]:
    """Sample a clear, partly cloudy or overcast day, and a camera."""
    kind = dice.rng.choice(("clear", "mixed", "overcast"), p=(0.35, 0.35, 0.3))
    is_low = kind != "overcast" and dice.within(0, 1) < 0.3
    if kind == "overcast":
        zenith = dice.color(((0.68, 0.88), (0.0, 0.025), (220.0, 270.0)))
        horizon = dice.color(((0.8, 0.95), (0.0, 0.015), (60.0, 260.0)))
        clouds = dice.within(0.1, 0.5)
        contrast, shadow = dice.within(0.04, 0.14), dice.within(0.74, 0.9)
    else:
        zenith = dice.color(((0.52, 0.75), (0.05, 0.13), (238.0, 262.0)))
        hue = (60.0, 95.0) if is_low else (225.0, 265.0)
        horizon = dice.color(((0.82, 0.94), (0.01, 0.05), hue))
        clouds = dice.within(0.0, 0.25) if kind == "clear" else dice.within(0.35, 0.95)
        contrast, shadow = dice.within(0.15, 0.42), dice.within(0.45, 0.7)
    warm = dice.within(0.01, 0.07) if is_low else dice.within(-0.05, 0.035)
    height = dice.within(0.25, 0.5) if is_low else dice.within(0.5, 1.15)
    sky = Sky(zenith, horizon, clouds, glow=0.0 if kind == "overcast" else dice.within(0.1, 0.5))
    light = Light(
        exposure=np.array([dice.within(0.86, 1.14)]),
        sun=dice.within(-np.pi, np.pi),
        sun_height=None if kind == "overcast" else height,
        contrast=contrast,
        shadow=shadow,
        haze=math.exp(dice.within(math.log(150.0), math.log(900.0))),
        noise=dice.within(1.0, 5.0),
        shutter=dice.within(0.08, 0.5),
        softness=dice.within(0.25, 0.7),
        balance=white_balance(warm, dice.within(-0.02, 0.02)),
        gamma=dice.within(0.8, 1.08),
        saturation=dice.within(0.75, 1.12),
        vignette=max(dice.within(-0.15, 0.2), 0.0),
    )
    return sky, light


# -- people and vehicles ------------------------------------------------------------------------


def _people(dice: _Dice, coats: int) -> _Fields:
    def dressed(choices: Sequence[tuple[float, _Lch]], texture: str) -> Paint:
        ranges = dice.one_of(choices)
        base = dice.color(ranges)
        # The accent shades the edges of a plain coat, and is the colour of a pattern.
        if dice.within(0, 1) < 0.75 or texture == "round":
            return Paint(base, mixed(base, (0, 0, 0), dice.within(0.3, 0.5)), texture)
        return Paint(base, dice.color(dice.one_of(choices)), texture)

    return {
        "coats": tuple(dressed(_COAT_COLORS, f"coat-{number}") for number in range(coats)),
        "leg_wear": tuple(dressed(_LEG_COLORS, "round") for _ in range(7)),
        "skin": tuple(
            mixed(skin, dice.color(((0.3, 0.8), (0.03, 0.07), (45.0, 70.0))), 0.15) for skin in SKIN
        ),
        "hair": tuple(dice.color(dice.one_of(_HAIR_COLORS)) for _ in range(4)),
        "helmets": tuple(dice.color(dice.one_of(_COAT_COLORS)) for _ in range(2)),
        "builds": (dice.within(0.84, 0.95), dice.within(0.97, 1.04), dice.within(1.08, 1.2)),
        "long_coat": dice.within(0.5, 0.75),
        "frames": tuple(
            Paint(color, color)
            for color in (dice.color(dice.one_of(_CAR_COLORS)) for _ in range(3))
        ),
        "wheel": dice.within(0.32, 0.36),
        "swing": ((low := dice.within(0.82, 0.98)), low + dice.within(0.1, 0.25)),
        "paces": Paces(True, (dice.within(1.2, 2.2), dice.within(3.0, 6.0)), (0.05, 0.45)),
    }


def _traffic(dice: _Dice) -> _Fields:
    def painted(choices: Sequence[tuple[float, _Lch]], texture: str) -> Paint:
        base = dice.color(dice.one_of(choices))
        return Paint(base, mixed(base, (0, 0, 0), dice.within(0.25, 0.45)), texture)

    liveries = []
    for number in range(4):
        base = dice.color(dice.one_of(_TRUCK_COLORS))
        accent = dice.color(((0.3, 0.8), (0.02, 0.17), _ANY))
        liveries.append(Paint(base, accent, f"livery-{number % 3}"))
    lorry, van = dice.within(5.0, 5.8), dice.within(4.7, 5.1)
    return {
        "car_shapes": tuple(_car_shape(dice) for _ in range(int(dice.rng.integers(4, 7)))),
        "car_paints": tuple(painted(_CAR_COLORS, f"car-{number % 3}") for number in range(9)),
        "truck_paints": tuple(liveries),
        "lorry": (lorry, lorry + dice.within(1.2, 2.4)),
        "van": (van, van + dice.within(0.5, 1.2)),
    }


def _car_shape(dice: _Dice) -> CarShape:
    """Return a mixture of two car types, with each length changed by a few per cent."""
    first, second = (CAR_SHAPES[place] for place in dice.rng.choice(len(CAR_SHAPES), 2))
    share = dice.within(0.0, 0.5)

    def between(one: float, other: float, spread: float) -> float:
        return (one + share * (other - one)) * dice.within(1 - spread, 1 + spread)

    start, end = (between(*each, 0.03) for each in zip(first.roof, second.roof, strict=True))
    bonnet = between(first.bonnet, second.bonnet, 0.1)
    end = min(end, 0.93)
    return CarShape(
        name=f"{first.name} or {second.name}",
        length=between(first.length, second.length, 0.07),
        width=between(first.width, second.width, 0.03),
        height=between(first.height, second.height, 0.05),
        belt=between(first.belt, second.belt, 0.03),
        bonnet=bonnet,
        roof=(max(start, bonnet + 0.12), end),
        tail=min(max(between(first.tail, second.tail, 0.01), end + 0.04), 0.985),
        deck=min(between(first.deck, second.deck, 0.01), 1.0),
        windows=first.windows,
        wheel=between(first.wheel, second.wheel, 0.05),
    )


# -- places -------------------------------------------------------------------------------------


def _town(dice: _Dice, windows: tuple[tuple[int, int], ...], sky: Sky) -> _Fields:
    """Sample houses of one town: plaster of one hue, brick, concrete, some in another colour."""
    hue, stone_hue = dice.within(50.0, 100.0), dice.within(25.0, 60.0)
    kinds: tuple[tuple[float, _Lch], ...] = (
        (0.42, ((0.62, 0.93), (0.005, 0.06), (hue - 25, hue + 25))),
        (0.2, ((0.36, 0.6), (0.04, 0.1), (stone_hue - 10, stone_hue + 10))),
        (0.2, ((0.42, 0.8), (0.0, 0.015), _ANY)),
        (0.08, ((0.55, 0.85), (0.02, 0.06), (200.0, 270.0))),
        (0.1, ((0.6, 0.85), (0.03, 0.08), (10.0, 140.0))),
    )
    weights = dice.rng.dirichlet([3 * weight for weight, _ in kinds]) + 0.02
    mixture = tuple((float(w), lch) for w, (_, lch) in zip(weights, kinds, strict=True))
    roofs = (
        (0.45, ((0.38, 0.56), (0.05, 0.11), (30.0, 52.0))),
        (0.35, ((0.28, 0.52), (0.0, 0.02), _ANY)),
        (0.2, ((0.32, 0.5), (0.02, 0.05), (40.0, 80.0))),
    )
    panes = dice.color(((0.22, 0.42), (0.0, 0.03), (200.0, 260.0)))
    low = dice.within(4.0, 8.0)
    return {
        "walls": tuple(
            dice.color(dice.one_of(mixture)) for _ in range(int(dice.rng.integers(4, 8)))
        ),
        "panes": mixed(panes, sky.horizon, dice.within(0.0, 0.3)),
        "upper": tuple(
            (f"upper-{number}", (along * dice.within(1.7, 3.0), across * dice.within(2.7, 3.3)))
            for number, (along, across) in enumerate(windows)
        ),
        "bare": ("bare-0", "bare-1"),
        "shops": ("shops", (dice.within(4.0, 8.0), 3.2)),
        "roofs": tuple(dice.color(dice.one_of(roofs)) for _ in range(3)),
        "roof_texture": "roof",
        "house_heights": (low, low + dice.within(4.0, 8.0)),
        "stone": dice.paint(
            dice.one_of(kinds[1:3]), (-0.15, -0.05), "bare-0", ((1.5, 2.5), (1.5, 2.5))
        ),
        "garden_wall": dice.paint(
            dice.one_of(kinds[:3]), (0.06, 0.16), "bare-1", ((1.2, 2.2), (1.2, 2.2))
        ),
        "poster": Paint(
            dice.color(((0.5, 0.9), (0.0, 0.06), _ANY)),
            dice.color(((0.25, 0.7), (0.03, 0.16), _ANY)),
            "posters",
            (dice.within(0.9, 1.6), dice.within(0.9, 1.3)),
        ),
    }


_Grounds = dict[str, tuple[Paint, ...]]


def _nature(dice: _Dice) -> tuple[_Fields, _Grounds]:
    """Sample the green of one season, from lush to dry, and sometimes autumn."""
    hue = dice.within(60.0, 95.0) if dice.within(0, 1) < 0.1 else dice.within(108.0, 145.0)
    chroma = dice.within(0.045, 0.12)

    def leaves() -> tuple[Color, Color]:
        own = hue + dice.within(-12.0, 12.0)
        dark = dice.within(0.26, 0.42)
        light = dark + dice.within(0.12, 0.24)
        return oklch(dark, 0.8 * chroma, own), oklch(light, chroma, own - dice.within(0.0, 15.0))

    dry = dice.within(min(75.0, hue), hue)
    soil: _Lch = ((0.4, 0.62), (0.02, 0.06), (50.0, 85.0))
    lawn: _Lch = ((0.38, 0.58), (0.5 * chroma, chroma), (dry, hue))
    ground = soil if dice.within(0, 1) < 0.2 else lawn
    bark: _Lch = ((0.26, 0.5), (0.01, 0.04), (45.0, 85.0))
    plants = {
        "leaves": tuple(leaves() for _ in range(3)),
        "leaf_texture": "leaves",
        "bark": dice.paint(bark, (0.08, 0.2), "bark", ((3.0, 5.0), (1.0, 1.0))),
        "crown": (dice.within(0.3, 0.45), dice.within(0.2, 0.28), dice.within(0.26, 0.36)),
        "hedge": dice.within(0.8, 1.4),
    }
    return plants, {
        "terrain": (dice.paint(ground, (0.06, 0.16), "grass", ((3.0, 7.0), (3.0, 7.0))),),
        "vegetation": (dice.paint(lawn, (0.06, 0.16), "grass", ((2.5, 5.0), (2.5, 5.0))),),
    }


def _street(dice: _Dice) -> tuple[_Fields, _Grounds]:
    """Sample asphalt from blue through grey to brown, stone of one hue, metal and wood."""
    asphalt: _Lch = ((0.26, 0.58), (0.0, 0.02), (50.0, 270.0))
    paving: _Lch = ((0.42, 0.76), (0.0, 0.04), (30.0, 100.0))
    if dice.within(0, 1) < 0.25:
        paving = ((0.42, 0.72), (0.0, 0.02), (200.0, 270.0))
    wood: _Lch = ((0.3, 0.7), (0.0, 0.07), (50.0, 90.0))
    lens: list[tuple[Color, Color]] = []
    for edge, middle in _SIGN_COLORS:
        color = dice.color(edge)
        lens.append((color, color if middle is None else dice.color(middle)))
    stripe = dice.color(((0.78, 0.94), (0.0, 0.02), (60.0, 110.0)))
    roads: _Grounds = {
        "road": (dice.paint(asphalt, (0.04, 0.14), "road", ((4.0, 9.0), (4.0, 9.0))),),
        "sidewalk": (dice.paint(paving, (0.08, 0.2), "sidewalk", ((1.4, 3.6), (1.4, 3.6))),),
    }
    furniture = {
        "metal": tuple(dice.color(((0.28, 0.75), (0.0, 0.03), (100.0, 260.0))) for _ in range(3)),
        "signs": tuple(lens),
        "light_case": dice.color(((0.16, 0.36), (0.0, 0.04), (100.0, 200.0))),
        "fence": dice.paint(wood, (-0.22, -0.1), "fence", ((1.4, 2.2), (1.4, 1.4))),
        "marking": Paint(mixed(stripe, (90, 90, 90), 0.35), stripe, "lane", (2.0, 2.0)),
    }
    return furniture, roads
