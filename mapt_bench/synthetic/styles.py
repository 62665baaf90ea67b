"""The style of a video: paints, shapes, gaits and light."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mapt_bench.synthetic.paths import Clock, Paces
from mapt_bench.synthetic.patterns import TextureSet
from mapt_bench.synthetic.scene import Light, Sky
from mapt_bench.synthetic.shapes import Color, Paint
from mapt_bench.synthetic.style_tables import CarShape

__all__ = ["Style", "sample_light", "white_balance"]

_Range = tuple[float, float]


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
        light: Light, lens and sensor.
        textures: Textures of all paints.
        walking: Factor on the speed of pedestrians on streets.
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
    house_heights: _Range
    focal: _Range
    elevation: _Range
    pitch: _Range
    light: Light
    textures: TextureSet
    walking: float


def white_balance(warm: float, green: float) -> tuple[float, float, float]:
    """Return the gains of red, green and blue. Positive values are warmer and greener."""
    return math.exp(warm - green / 2), math.exp(green), math.exp(-warm - green / 2)


def sample_light(rng: np.random.Generator, clock: Clock, style: Style) -> Light:
    """Return the light of a style, with an exposure that drifts over time."""
    drift = np.sin(2 * np.pi * (clock.seconds / rng.uniform(2.0, 6.0) + rng.uniform()))
    swing = 1 + rng.uniform(0.0, 0.05) * drift
    return replace(style.light, exposure=style.light.exposure * swing)
