"""The style of a video: paints, shapes, gaits and light."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from mapt_bench.synthetic import style_tables
from mapt_bench.synthetic.paths import Clock, Paces
from mapt_bench.synthetic.patterns import TextureSet
from mapt_bench.synthetic.scene import Light, Sky
from mapt_bench.synthetic.shapes import Color, Paint
from mapt_bench.synthetic.style_tables import CAR_SHAPES, CarShape

__all__ = ["Manner", "Style", "fixed_style", "sample_light"]

Manner = Literal["cruise", "crawl", "wait", "turn"]
"""Manner of driving: along a street, in slow traffic, up to a light, or round a corner."""

_Range = tuple[float, float]

_MANNERS: Mapping[Manner, float] = {"cruise": 0.4, "crawl": 0.17, "wait": 0.24, "turn": 0.19}


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """Paints, shapes, gaits and light from which things and places of a video are sampled.

    Attributes:
        coats: Paints of coats, shirts and jackets.
        leg_wear: Paints of trousers and skirts, also of hats and bags.
        skin: Colours of skin.
        hair: Colours of hair.
        helmets: Colours of helmets.
        builds: Widths relative to an average body.
        long_coat: How far a long coat covers the leg, as a share of its length.
        frames: Paints of bicycles.
        wheel: Radius of bicycle wheels in metres.
        car_shapes: Types of cars.
        car_paints: Paints of cars.
        lorry: Smallest and largest length of lorries in metres.
        van: Smallest and largest length of vans in metres.
        truck_paints: Paints of lorries and vans.
        swing: Smallest and largest swing of legs at a brisk walk; less means shorter, quicker
            steps.
        paces: Changes of speed over time.
        ground: Paints of ``road``, ``sidewalk``, ``terrain`` and ``vegetation``.
        skies: Skies to choose from.
        walls: Colours of houses.
        panes: Colour of windows.
        upper: Textures of upper floors, and the size of one tile in metres.
        bare: Textures of walls without windows.
        shops: Texture of ground floors, and the size of one tile in metres.
        roofs: Colours of roofs.
        roof_texture: Texture of all roofs.
        leaves: Dark and light colour of leaves.
        leaf_texture: Texture of trees and hedges.
        bark: Paint of trunks.
        crown: Start, half width and height of tree crowns, as shares of the height of the tree.
        hedge: Smallest height of hedges in metres.
        metal: Colours of poles.
        signs: Colours of the edge and the middle of traffic signs.
        light_case: Colour of traffic lights.
        fence: Paint of fences.
        garden_wall: Paint of garden walls.
        poster: Paint of posters.
        stone: Paint of pillars and kiosks.
        marking: Paint of lines on the road.
        house_heights: Smallest and largest height of eaves in metres.
        focal: Smallest and largest factor on the focal length of a camera on a car.
        elevation: Smallest and largest factor on its height above the road.
        pitch: Smallest and largest downward angle in radians.
        light: Light, lens and sensor; ``None`` samples them as version 1 of the suites does.
        textures: Textures of all paints; ``None`` uses those of version 1.
        manners: Probability of each manner of driving; they add up to 1.
        walking: Factor on the speed of pedestrians on streets.
        cyclists: Factor on the frequency of cyclists.
        furniture: Shares of lamps, signs and trees at the kerb.
        furniture_gap: Smallest and largest distance between them in metres.
        is_furnished: Whether there are parked bicycles, and lamps and signs on squares.
    """

    coats: tuple[Paint, ...]
    leg_wear: tuple[Paint, ...]
    skin: tuple[Color, ...]
    hair: tuple[Color, ...]
    helmets: tuple[Color, ...]
    builds: tuple[float, ...]
    long_coat: float
    frames: tuple[Paint, ...]
    wheel: float
    car_shapes: tuple[CarShape, ...]
    car_paints: tuple[Paint, ...]
    lorry: _Range
    van: _Range
    truck_paints: tuple[Paint, ...]
    swing: _Range
    paces: Paces
    ground: Mapping[str, tuple[Paint, ...]]
    skies: tuple[Sky, ...]
    walls: tuple[Color, ...]
    panes: Color
    upper: tuple[tuple[str, _Range], ...]
    bare: tuple[str, ...]
    shops: tuple[str, _Range]
    roofs: tuple[Color, ...]
    roof_texture: str
    leaves: tuple[tuple[Color, Color], ...]
    leaf_texture: str
    bark: Paint
    crown: tuple[float, float, float]
    hedge: float
    metal: tuple[Color, ...]
    signs: tuple[tuple[Color, Color], ...]
    light_case: Color
    fence: Paint
    garden_wall: Paint
    poster: Paint
    stone: Paint
    marking: Paint
    house_heights: _Range = (5.0, 12.0)
    focal: _Range = (0.95, 1.05)
    elevation: _Range = (0.92, 1.08)
    pitch: _Range = (-0.01, 0.02)
    light: Light | None = None
    textures: TextureSet | None = None
    manners: Mapping[Manner, float] = field(default_factory=lambda: dict(_MANNERS))
    walking: float = 1.0
    cyclists: float = 1.0
    furniture: tuple[float, float, float] = (0.5, 0.2, 0.3)
    furniture_gap: _Range = (7.0, 16.0)
    is_furnished: bool = False


@lru_cache(maxsize=2)
def fixed_style(family: style_tables.TableFamily) -> Style:
    """Return the style of the fixed tables of a family."""
    seen = _shared("seen")
    if family == "seen":
        return seen
    return replace(
        _shared("held-out"),
        helmets=((206, 78, 40), (60, 90, 96)),
        builds=(0.85, 1.0, 1.2),
        long_coat=0.42,
        wheel=0.31,
        lorry=(6.2, 8.2),
        van=(5.4, 6.6),
        swing=(0.65, 0.8),
        paces=Paces(False, (0.7, 1.6), (0.4, 0.4)),
        shops=("arcade", (7.5, 3.2)),
        roof_texture="slates",
        leaf_texture="foliage",
        bark=Paint((96, 92, 84), (62, 56, 50), "rind", (4, 1)),
        crown=(0.28, 0.19, 0.36),
        hedge=1.3,
        signs=(
            ((200, 60, 36), (240, 222, 120)),
            ((30, 120, 84), (30, 120, 84)),
            ((240, 238, 232), (240, 238, 232)),
        ),
        light_case=(196, 160, 44),
        fence=Paint((150, 158, 150), (60, 66, 64), "railings", (1.6, 1.2)),
        garden_wall=Paint((112, 110, 104), (160, 156, 146), "stone", (2.0, 1.6)),
        poster=Paint((90, 112, 104), (212, 190, 132), "placards", (1.2, 1.0)),
        stone=Paint((140, 122, 104), (168, 150, 130), "stone", (1.6, 1.6)),
    )


def _shared(family: style_tables.TableFamily) -> Style:
    """Return the tables of a family, with the in-domain values for everything else."""
    return Style(
        coats=style_tables.COATS[family],
        leg_wear=style_tables.LEG_WEAR[family],
        skin=style_tables.SKIN,
        hair=style_tables.HAIR[family],
        helmets=((198, 200, 204), (44, 44, 48)),
        builds=(0.9, 1.0, 1.12),
        long_coat=0.62,
        frames=style_tables.FRAME_PAINTS[family],
        wheel=0.34,
        car_shapes=CAR_SHAPES[family],
        car_paints=style_tables.CAR_PAINTS[family],
        lorry=(5.2, 7.0),
        van=(4.8, 6.0),
        truck_paints=style_tables.TRUCK_PAINTS[family],
        swing=(0.85, 1.1),
        paces=Paces(True, (1.6, 4.5), (0.1, 0.4)),
        ground=style_tables.GROUND[family],
        skies=style_tables.SKIES[family],
        walls=style_tables.WALLS[family],
        panes=(46, 54, 62),
        upper=tuple((name, (5.2, 5.8)) for name in style_tables.UPPER[family]),
        bare=style_tables.BARE[family],
        shops=("shops", (5.6, 3.2)),
        roofs=((134, 72, 56), (84, 82, 86), (110, 88, 74)),
        roof_texture="roof-tiles",
        leaves=style_tables.LEAVES[family],
        leaf_texture="leaves",
        bark=Paint((62, 50, 40), (104, 88, 70), "bark", (4, 1)),
        crown=(0.36, 0.24, 0.3),
        hedge=1.0,
        metal=style_tables.METAL[family],
        signs=(
            ((190, 30, 34), (238, 238, 234)),
            ((36, 84, 168), (36, 84, 168)),
            ((222, 178, 40), (222, 178, 40)),
        ),
        light_case=(34, 36, 36),
        fence=Paint((126, 104, 78), (84, 66, 48), "planks", (1.6, 1.4)),
        garden_wall=Paint((120, 78, 62), (158, 112, 90), "brick", (1.5, 1.6)),
        poster=Paint((188, 180, 160), (84, 60, 92), "posters", (1.2, 1.0)),
        stone=Paint((124, 120, 112), (154, 148, 138), "plaster", (2.0, 2.0)),
        marking=Paint((206, 206, 200), (222, 222, 216)),
    )


def sample_light(rng: np.random.Generator, clock: Clock, style: Style) -> Light:
    """Sample light, lens and sensor unless the style has them. The exposure drifts over time."""
    drift = np.sin(2 * np.pi * (clock.seconds / rng.uniform(2.0, 6.0) + rng.uniform()))
    if style.light is not None:
        swing = 1 + rng.uniform(0.0, 0.05) * drift
        return replace(style.light, exposure=style.light.exposure * swing)
    return Light(
        exposure=rng.uniform(0.8, 1.15) * (1 + rng.uniform(0.0, 0.06) * drift),
        sun=rng.uniform(-np.pi, np.pi),
        contrast=rng.uniform(0.1, 0.35),
        haze=rng.uniform(150.0, 600.0),
        noise=rng.uniform(1.5, 5.0),
        shutter=rng.uniform(0.1, 0.5),
        softness=rng.uniform(0.3, 0.7),
    )
