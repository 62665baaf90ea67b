"""What the embedded clip shows: a street, and the vehicles, people and posts that stand on it.

Lengths are frame pixels; ``unit`` turns them into canvas pixels.
"""

from dataclasses import dataclass

from mapt_bench.data._clip_drawing import SCALE, Canvas, Color, hash_noise, shade

__all__ = [
    "BUILDING",
    "CAR",
    "HEIGHT",
    "PERSON",
    "POLE",
    "ROAD",
    "SIDEWALK",
    "SIGN",
    "SKY",
    "TERRAIN",
    "TRUCK",
    "VEGETATION",
    "VOID",
    "Look",
    "code_of",
    "draw_car",
    "draw_person",
    "draw_pole",
    "draw_street",
    "draw_truck",
]

HEIGHT = 128
"""Frame height in pixels."""

ROAD, SIDEWALK, BUILDING, POLE, SIGN, VEGETATION, TERRAIN, SKY = 0, 1, 2, 5, 7, 8, 9, 10
PERSON, CAR, TRUCK, VOID = 11, 13, 14, 255
_ID_BITS = 16
_GLASS: Color = (58, 76, 92)
_TYRE: Color = (26, 26, 28)


@dataclass(frozen=True, slots=True)
class Look:
    """How an object looks; equal looks are look-alikes.

    Attributes:
        color: RGB of the body or the coat.
        second: RGB of the stripe or the trousers.
        pattern: Seed of the surface's grain.
    """

    color: Color
    second: Color
    pattern: int


def code_of(class_id: int, track_id: int = 0) -> int:
    """Return the canvas label of a class and an identity."""
    return class_id << _ID_BITS | track_id


def draw_street(width: int, seed: int) -> Canvas:
    """Draw the empty street.

    Args:
        width: In frame pixels; wider than a frame where the camera pans.
        seed: Decides houses, trees and clouds.
    """
    canvas = Canvas(HEIGHT, width)
    right, u = SCALE * width, SCALE
    for row in range(60 * u):
        tone = row * 70 // (60 * u)
        canvas.box(0, row, right, row, (128 + tone, 172 + tone * 2 // 3, 222), code_of(SKY))
    dice = hash_noise(8, 64 + width // 8, seed).astype(int) + 128
    for cloud in range(width // 70):
        x, y = dice[0, cloud] * right // 256, (6 + dice[1, cloud] // 24) * u
        for puff in range(4):
            radius = (3 + dice[2, cloud + puff] // 60) * u
            canvas.disc(x + puff * 5 * u, y + (puff % 2) * u, radius, (238, 242, 246), None)
    _draw_houses(canvas, dice[3].tolist(), width)
    canvas.box(0, 56 * u, right, 61 * u, (104, 128, 70), code_of(TERRAIN))
    _draw_trees(canvas, dice[4].tolist(), width)
    canvas.box(0, 61 * u, right, 71 * u, (172, 166, 160), code_of(SIDEWALK))
    canvas.box(0, 71 * u, right, 113 * u, (92, 90, 96), code_of(ROAD))
    canvas.box(0, 113 * u, right, HEIGHT * u, (158, 150, 146), code_of(SIDEWALK))
    canvas.box(0, 70 * u, right, 71 * u, (206, 202, 196), None)
    canvas.box(0, 113 * u, right, 114 * u, (206, 202, 196), None)
    for mark in range(-10, width, 34):
        corners = [(mark + 2, 89), (mark + 18, 89), (mark + 16, 91), (mark, 91)]
        canvas.polygon([(x * u, y * u) for x, y in corners], (214, 212, 204), None)
    for joint in range(0, width, 16):
        near = [(joint, 114), (joint + 1, 114), (joint - 7, HEIGHT), (joint - 8, HEIGHT)]
        canvas.polygon([(x * u, y * u) for x, y in near], (138, 130, 126), None)
    for class_id, strength in ((ROAD, 16), (SIDEWALK, 10), (TERRAIN, 24), (BUILDING, 8)):
        canvas.grain(code_of(class_id), strength, seed + class_id)
    canvas.grain(code_of(VEGETATION), 44, seed, block=2)
    return canvas


def _draw_houses(canvas: Canvas, dice: list[int], width: int) -> None:
    walls = ((170, 120, 96), (196, 178, 146), (140, 134, 138), (182, 150, 120), (152, 110, 104))
    left, u = -(dice[0] % 30), SCALE
    for number, roll in enumerate(dice):
        if left > width:
            break
        wide, top = 44 + roll % 37, 12 + roll % 23
        color = walls[(roll + number) % len(walls)]
        code = code_of(BUILDING)
        canvas.box(left * u, top * u, (left + wide) * u, 60 * u, color, code)
        canvas.box(left * u, top * u, (left + wide) * u, (top + 2) * u, shade(color, 70), code)
        for row in range(top + 6, 50, 11):
            for column in range(left + 5, left + wide - 7, 11):
                lit = (roll + row + column) % 7 == 0
                pane: Color = (232, 210, 150) if lit else (70, 84, 100)
                canvas.box(column * u, row * u, (column + 5) * u, (row + 6) * u, pane, None)
        left += wide + (dice[number + 1] % 3 == 0) * 16


def _draw_trees(canvas: Canvas, dice: list[int], width: int) -> None:
    x, u, code = dice[0] % 40, SCALE, code_of(VEGETATION)
    for roll in dice:
        if x > width + 20:
            break
        canvas.box((x - 1) * u, 42 * u, (x + 1) * u, 61 * u, (84, 66, 50), code)
        green = (62 + roll % 24, 98 + roll % 36, 50)
        for dx, dy, radius in ((0, 34, 10), (-7, 39, 7), (7, 38, 8), (2, 28, 7)):
            canvas.disc((x + dx) * u, dy * u, (radius + roll % 3) * u, green, code)
        x += 58 + roll % 50


def draw_car(
    canvas: Canvas, x: float, base: float, height: float, code: int, look: Look, facing: int
) -> None:
    """Draw a car seen from its side.

    Args:
        canvas: To draw on.
        x: Column of its middle, in frame pixels of this canvas.
        base: Row of its wheels' lowest point.
        height: Of the whole car; it is about 2.3 times as long.
        code: Label.
        look: Colours and grain.
        facing: 1 to the right, -1 to the left.
    """
    size = height * SCALE / 20

    def at(across: float, up: float) -> tuple[float, float]:
        return x * SCALE + facing * across * size, base * SCALE - up * size

    hull = [
        (-23, 3),
        (-23, 10),
        (-19, 12),
        (-13, 19),
        (4, 20),
        (12, 13),
        (21, 11),
        (23, 7),
        (23, 3),
    ]
    canvas.polygon([at(*corner) for corner in hull], look.color, code)
    canvas.polygon([at(*c) for c in ((-17, 12), (-12, 18), (-4, 18.5), (-4, 12))], _GLASS, code)
    canvas.polygon([at(*c) for c in ((-2, 12), (-2, 18.5), (3, 18.5), (9, 12.5))], _GLASS, code)
    canvas.polygon([at(*c) for c in ((-22, 6), (-22, 8), (22, 8), (22, 6))], look.second, code)
    canvas.polygon(
        [at(*c) for c in ((20, 8), (20, 10), (22.5, 9), (22.5, 8))], (250, 240, 190), code
    )
    for wheel in (-13, 13):
        canvas.disc(*at(wheel, 4), 4.4 * size, _TYRE, code)
        canvas.disc(*at(wheel, 4), 2 * size, (150, 152, 156), code)
    corner = at(-23 * facing, 20)
    origin = (round(corner[0]), round(corner[1]))
    canvas.grain(code, 18, look.pattern, block=3, origin=origin)


def draw_person(
    canvas: Canvas, x: float, base: float, height: float, code: int, look: Look, stride: int
) -> None:
    """Draw a walking person.

    Args:
        canvas: To draw on.
        x: Column of the middle, in frame pixels of this canvas.
        base: Row of the feet.
        height: From foot to crown.
        code: Label.
        look: Colours and grain.
        stride: How far the feet are apart, -4..4.
    """
    size = height * SCALE / 40

    def at(across: float, up: float) -> tuple[float, float]:
        return x * SCALE + across * size, base * SCALE - up * size

    for side in (-1, 1):
        foot = side * stride * 1.3
        leg = [(-2.6, 20), (2.6, 20), (foot + 2, 0), (foot - 2, 0)]
        canvas.polygon([at(*c) for c in leg], shade(look.second, 100 + 12 * side), code)
    coat = [(-5, 17), (-5.5, 31), (-3, 33), (3, 33), (5.5, 31), (5, 17)]
    canvas.polygon([at(*c) for c in coat], look.color, code)
    arm = [(-1.4, 31), (1.4, 31), (stride + 1.4, 19), (stride - 1.4, 19)]
    canvas.polygon([at(*c) for c in arm], shade(look.color, 76), code)
    canvas.disc(*at(0, 36.5), 3.6 * size, (222, 184, 152), code)
    canvas.polygon(
        [at(*c) for c in ((-3.8, 37), (-3, 40.5), (3, 40.5), (3.8, 37))], (54, 40, 34), code
    )
    corner = at(-6, 41)
    origin = (round(corner[0]), round(corner[1]))
    canvas.grain(code, 22, look.pattern, block=2, origin=origin)


def draw_truck(canvas: Canvas, x: float, base: float, height: float, look: Look) -> None:
    """Draw a parked lorry, stuff that hides what passes behind it; arguments as for a car."""
    size, code = height * SCALE / 44, code_of(TRUCK)

    def at(across: float, up: float) -> tuple[float, float]:
        return x * SCALE + across * size, base * SCALE - up * size

    canvas.polygon([at(*c) for c in ((-44, 7), (-44, 44), (22, 44), (22, 7))], look.color, code)
    canvas.polygon([at(*c) for c in ((-44, 26), (-44, 32), (22, 32), (22, 26))], look.second, code)
    cab = [(23, 7), (23, 34), (36, 34), (43, 22), (44, 7)]
    canvas.polygon([at(*c) for c in cab], shade(look.second, 90), code)
    canvas.polygon([at(*c) for c in ((30, 21), (30, 32), (35, 32), (41, 21))], _GLASS, code)
    canvas.polygon([at(*c) for c in ((-44, 5), (-44, 8), (44, 8), (44, 5))], (52, 52, 56), code)
    for wheel in (-34, -22, 32):
        canvas.disc(*at(wheel, 5.5), 5.5 * size, _TYRE, code)
        canvas.disc(*at(wheel, 5.5), 2.4 * size, (150, 152, 156), code)


def draw_pole(canvas: Canvas, x: float, base: float, width: float) -> None:
    """Draw a post with a sign; ``x`` is its middle, ``base`` its foot, in frame pixels."""
    u, half = SCALE, width / 2
    canvas.box((x - half) * u, 8 * u, (x + half) * u, base * u, (112, 114, 118), code_of(POLE))
    canvas.box((x - half) * u, 8 * u, (x - half / 2) * u, base * u, (142, 144, 148), None)
    canvas.disc(x * u, 16 * u, 8 * u, (236, 236, 232), code_of(SIGN))
    canvas.disc(x * u, 16 * u, 6 * u, (38, 84, 164), None)
    canvas.box((x - 4) * u, 15 * u, (x + 4) * u, 17 * u, (240, 240, 240), None)
