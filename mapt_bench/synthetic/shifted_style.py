"""The style of videos with domain shift: fixed paints, shapes and gaits, sampled light and camera.

Nothing here is sampled for videos of the family ``varied``: it has other textures, types of cars,
gaits and proportions.
"""

from typing import Any, Final

import numpy as np

from mapt_bench.synthetic.paths import Paces
from mapt_bench.synthetic.scene import Light, Sky
from mapt_bench.synthetic.shapes import Color, Paint
from mapt_bench.synthetic.style_tables import SKIN, CarShape
from mapt_bench.synthetic.styles import Style, white_balance
from mapt_bench.synthetic.textures import fixed_textures

__all__ = ["shifted_style"]

_SEED: Final = 3  # of light and camera, so that scenes have other random numbers


def shifted_style(seed: int) -> Style:
    """Sample the light and the camera of a video with domain shift. Its tables are fixed.

    The sun is low and warm, or the sky is overcast and blue. The camera is lower, tilted slightly
    upwards, and has a narrower angle.

    Args:
        seed: Seed of the video.
    """
    rng = np.random.default_rng([_SEED, seed])

    def within(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    warm = within(0.04, 0.1) if rng.random() < 0.6 else within(-0.09, -0.04)
    is_low = warm > 0
    light = Light(
        exposure=np.array([within(0.88, 1.12)]),
        sun=within(-np.pi, np.pi),
        sun_height=within(0.25, 0.5) if is_low else None,
        contrast=within(0.3, 0.45) if is_low else within(0.05, 0.15),
        shadow=within(0.5, 0.65) if is_low else within(0.75, 0.85),
        haze=within(140.0, 350.0),
        noise=within(2.5, 6.5),
        shutter=within(0.2, 0.6),
        softness=within(0.45, 0.85),
        balance=white_balance(warm, within(-0.02, 0.02)),
        gamma=within(0.95, 1.2),
        saturation=within(0.8, 1.1),
        vignette=within(0.1, 0.3),
    )
    return Style(
        **_PEOPLE,
        **_TRAFFIC,
        **_PLACES,
        textures=fixed_textures(),
        light=light,
        walking=within(0.83, 1.03),
        focal=(1.05, 1.2),
        elevation=(0.74, 0.9),
        pitch=(-0.03, 0.005),
    )


def _plain(color: Color) -> Paint:
    return Paint(color, color)


_PEOPLE: Final[dict[str, Any]] = {
    "coats": (
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
    "leg_wear": (
        _plain((52, 60, 66)),
        _plain((104, 126, 160)),
        _plain((88, 72, 84)),
        _plain((200, 194, 180)),
        _plain((58, 68, 48)),
        _plain((44, 36, 34)),
    ),
    "skin": SKIN,
    "hair": ((46, 38, 40), (118, 74, 46), (140, 66, 38), (214, 210, 204)),
    "helmets": ((206, 78, 40), (60, 90, 96)),
    "builds": (0.85, 1.0, 1.2),
    "long_coat": 0.42,
    "frames": (_plain((196, 194, 188)), _plain((34, 104, 92)), _plain((188, 118, 40))),
    "wheel": 0.31,
    "swing": (0.65, 0.8),
    "paces": Paces(False, (0.7, 1.6), (0.4, 0.4)),
}

_TRAFFIC: Final[dict[str, Any]] = {
    "car_shapes": (
        CarShape("city car", 3.5, 1.63, 1.54, 0.96, 0.19, (0.36, 0.9), 0.97, 1.0, (0.55,), 0.28),
        CarShape("off-roader", 4.6, 1.9, 1.8, 1.1, 0.27, (0.37, 0.92), 0.97, 1.0, (0.4, 0.7), 0.38),
        CarShape("coupe", 4.4, 1.83, 1.33, 0.86, 0.33, (0.5, 0.67), 0.91, 1.0, (), 0.33),
        CarShape("pick-up", 5.1, 1.86, 1.76, 1.06, 0.24, (0.35, 0.56), 0.6, 0.98, (0.5,), 0.37),
    ),
    "car_paints": (
        Paint((212, 204, 186), (162, 154, 138), "mouldings"),
        Paint((122, 158, 190), (166, 194, 216), "reflection"),
        Paint((92, 82, 74), (60, 52, 46), "mouldings"),
        Paint((98, 24, 46), (146, 66, 88), "reflection"),
        Paint((206, 104, 36), (150, 70, 22), "mouldings"),
        Paint((24, 88, 104), (72, 134, 148), "reflection"),
        Paint((66, 62, 84), (106, 102, 126), "reflection"),
        Paint((196, 188, 66), (148, 140, 42), "mouldings"),
    ),
    "lorry": (6.2, 8.2),
    "van": (5.4, 6.6),
    "truck_paints": (
        Paint((210, 206, 198), (48, 122, 78), "livery"),
        Paint((114, 74, 46), (226, 178, 74), "livery"),
        Paint((176, 52, 60), (226, 220, 214), "livery"),
        Paint((120, 132, 144), (80, 90, 104), "livery"),
    ),
}

_PLACES: Final[dict[str, Any]] = {
    "ground": {
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
    "skies": (
        Sky((128, 152, 186), (228, 216, 196), 0.55),
        Sky((186, 188, 190), (222, 220, 216), 0.15),
        Sky((104, 130, 176), (224, 200, 178), 0.3),
    ),
    "walls": ((158, 96, 78), (214, 196, 160), (132, 142, 150), (182, 186, 170), (176, 150, 138)),
    "panes": (46, 54, 62),
    "upper": (("wide-windows", (5.2, 5.8)), ("arched-windows", (5.2, 5.8))),
    "bare": ("stone", "render"),
    "shops": ("arcade", (7.5, 3.2)),
    "roofs": ((134, 72, 56), (84, 82, 86), (110, 88, 74)),
    "roof_texture": "slates",
    "house_heights": (5.0, 12.0),
    "leaves": (((46, 62, 28), (132, 140, 58)), ((26, 52, 40), (78, 116, 84))),
    "leaf_texture": "foliage",
    "bark": Paint((96, 92, 84), (62, 56, 50), "rind", (4, 1)),
    "crown": (0.28, 0.19, 0.36),
    "hedge": 1.3,
    "metal": ((92, 100, 94), (142, 138, 130)),
    "signs": (
        ((200, 60, 36), (240, 222, 120)),
        ((30, 120, 84), (30, 120, 84)),
        ((240, 238, 232), (240, 238, 232)),
    ),
    "light_case": (196, 160, 44),
    "fence": Paint((150, 158, 150), (60, 66, 64), "railings", (1.6, 1.2)),
    "garden_wall": Paint((112, 110, 104), (160, 156, 146), "stone", (2.0, 1.6)),
    "poster": Paint((90, 112, 104), (212, 190, 132), "placards", (1.2, 1.0)),
    "stone": Paint((140, 122, 104), (168, 150, 130), "stone", (1.6, 1.6)),
    "marking": Paint((206, 206, 200), (222, 222, 216)),
}
