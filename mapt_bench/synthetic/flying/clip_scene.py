"""Scene of a flying clip: a background, layers in depth order, light and a camera."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import check_range
from mapt_bench.synthetic.flying._layer_appearance import (
    HELD_OUT_PATTERNS,
    PATTERNS,
    SHAPES,
    random_silhouette,
    random_texture,
)
from mapt_bench.synthetic.flying.moving_layers import (
    Layer,
    Wave,
    random_path,
    random_wave,
    smooth_walk,
)

__all__ = ["FlyingScene", "FlyingSettings", "Light", "Sensor", "build_scene"]

_Dice = np.random.Generator
_LEAST_SIDE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FlyingSettings:
    """Settings of a clip. Equal settings give equal bytes.

    Attributes:
        index: Position of the clip in its stream.
        seed: Seed of the stream.
        held_out: Whether most textures are of families that training clips never show. Use such
            clips for validation.
        height: Pixels.
        width: Pixels.
        frames: Length of the clip.
        top_speed: Largest typical speed of a layer, in pixels per frame.

    Raises:
        ConfigError: If a number is too small.
    """

    index: int
    seed: int = 0
    held_out: bool = False
    height: int = 192
    width: int = 624
    frames: int = 16
    top_speed: float = 24.0

    def __post_init__(self) -> None:
        least = {"index": 0, "seed": 0, "height": 32, "width": 32, "frames": 2, "top_speed": 0}
        for name, low in least.items():
            check_range(f"{name} of a flying clip", getattr(self, name), low)


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """Light and shadow. They stay in place or move on their own, never with a layer.

    Attributes:
        steady: Logarithm of the steady light on a coarse grid, ``float32`` of shape ``(rows,
            columns)``.
        spots: Soft shadows and spots of light: ``x, y, radius x, radius y, strength`` in cells of
            the grid, of shape ``(frames, spots, 5)``.
    """

    steady: NDArray[np.float32]
    spots: NDArray[np.float64]

    def at(self, frame: int) -> NDArray[np.float32]:
        """Return the factor on image intensities, on the coarse grid."""
        rows, columns = self.steady.shape
        y = np.arange(rows)[:, None]
        x = np.arange(columns)
        total = self.steady.astype(np.float64)
        for centre_x, centre_y, radius_x, radius_y, strength in self.spots[frame]:
            away = ((x - centre_x) / radius_x) ** 2 + ((y - centre_y) / radius_y) ** 2
            total = total + strength * np.exp(-np.minimum(away**3, 30))
        return np.exp(total).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Sensor:
    """Effects of camera and file format on the image.

    Attributes:
        gain: Factor on each channel in each frame, of shape ``(frames, 3)``.
        gamma: Exponent on intensities in ``[0, 1]``.
        noise: Standard deviation of noise in grey levels.
        defocus: Standard deviation of blur in pixels, for each frame.
        shutter: Share of the time between frames in which the shutter is open; 0 gives no motion
            blur.
        quality: JPEG quality in percent; ``None`` is no compression.
    """

    gain: NDArray[np.float64]
    gamma: float
    noise: float
    defocus: NDArray[np.float64]
    shutter: float
    quality: int | None


@dataclass(frozen=True, slots=True, eq=False)
class FlyingScene:
    """Everything from which a clip is rendered.

    Attributes:
        layers: Layers, farthest first; the first is the infinite background.
        things: Class of each layer, as an index into the thing classes; -1 for the background and
            for layers at rest on it.
        light: See :class:`Light`.
        sensor: See :class:`Sensor`.
    """

    layers: tuple[Layer, ...]
    things: tuple[int, ...]
    light: Light
    sensor: Sensor


def build_scene(settings: FlyingSettings) -> FlyingScene:
    """Generate the scene of a clip.

    Held-out clips have separate seeds, so that no held-out clip equals a training clip.
    """
    dice = np.random.default_rng([settings.seed, settings.index, 7919 + settings.held_out])
    camera = _Camera(dice, settings)
    layers, things = [_background(dice, settings, camera)], [-1]
    for _ in range(int(dice.integers(0, 5))):
        layers.append(_standing(dice, settings, camera))
        things.append(-1)
    count = int(dice.integers(4, 17))
    sizes = np.exp(dice.uniform(math.log(6), math.log(0.9 * settings.height), count))
    # Near things tend to be larger: they are sorted by size, with much noise.
    for size in sizes[np.argsort(np.log(sizes) + dice.normal(0, 1, count))]:
        layers.append(_object(dice, settings, camera, float(size)))
        things.append(int(dice.integers(2)))
    return FlyingScene(
        tuple(layers), tuple(things), _light(dice, settings), _sensor(dice, settings.frames)
    )


class _Camera:
    """Motion of the view: pan, shake, zoom and roll, depending on the depth of a layer."""

    def __init__(self, dice: _Dice, settings: FlyingSettings) -> None:
        frames = settings.frames
        speed = _speed(dice, settings.top_speed * 0.6)
        angle = dice.uniform(0, 2 * math.pi)
        drift = smooth_walk(dice, frames, 2, start=0, change=0.05 * speed)
        pan = np.outer(np.arange(frames), (math.cos(angle), 0.4 * math.sin(angle))) * speed
        self.pan = pan + drift
        shake = dice.uniform(0, 3) if dice.random() < 0.4 else 0.0
        self.shake = dice.normal(0, 1, (frames, 2)) * shake
        zoom = dice.normal(0, 0.02) if dice.random() < 0.5 else 0.0
        self.zoom = smooth_walk(dice, frames, 1, start=0, change=0.002)[:, 0]
        self.zoom += zoom * np.arange(frames)
        rolls = 0.006 if dice.random() < 0.3 else 0.0
        self.roll = smooth_walk(dice, frames, 1, start=rolls, change=rolls / 4)[:, 0]
        self.middle = np.array([settings.width, settings.height]) * dice.uniform(0.3, 0.7, 2)

    def view(self, nearness: float) -> NDArray[np.float64]:
        """Return the homographies from the world to the image, shape ``(frames, 3, 3)``."""
        scale = np.exp(np.clip(self.zoom * nearness, -0.8, 0.8))
        cosine, sine = np.cos(self.roll) * scale, np.sin(self.roll) * scale
        view = np.zeros((len(scale), 3, 3))
        view[:, 0, 0], view[:, 0, 1] = cosine, -sine
        view[:, 1, 0], view[:, 1, 1] = sine, cosine
        view[:, 2, 2] = 1
        shift = self.pan * nearness + self.shake
        view[:, :2, 2] = self.middle + shift - view[:, :2, :2] @ self.middle
        return view


def _speed(dice: _Dice, top: float) -> float:
    """Return a speed in pixels per frame: often 0, otherwise uniform in the logarithm."""
    if top <= 0.3 or dice.random() < 0.2:
        return 0.0
    return math.exp(dice.uniform(math.log(0.3), math.log(top)))


def _patterns(dice: _Dice, settings: FlyingSettings) -> Sequence[str]:
    if settings.held_out and dice.random() < 0.8:
        return tuple(HELD_OUT_PATTERNS)
    return tuple(PATTERNS)


def _shifted(x: float, y: float) -> NDArray[np.float64]:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], dtype=np.float64)


def _background(dice: _Dice, settings: FlyingSettings, camera: _Camera) -> Layer:
    fine = dice.uniform(1.0, 2.0)
    height, width = round(settings.height * 1.2 / fine), round(settings.width * 1.2 / fine)
    texture = random_texture(dice, (height, width), _patterns(dice, settings))
    half = max(settings.height, settings.width) / 2
    still = random_path(dice, 2, half_size=half, liveliness=0.3)[0]
    still = still @ np.diag((fine, fine, 1.0)) @ _shifted(-width / 2, -height / 2)
    plane = _shifted(settings.width / 2, settings.height / 2) @ still
    wave = random_wave(dice, half / fine, 0.5) if dice.random() < 0.3 else Wave()
    return Layer(texture, None, camera.view(1.0) @ plane, wave)


def _standing(dice: _Dice, settings: FlyingSettings, camera: _Camera) -> Layer:
    """Return a layer that moves with the camera only, nearer or farther than the background."""
    size = math.exp(dice.uniform(math.log(0.15), math.log(1.2))) * settings.height
    place = dice.uniform(-0.2, 1.2, 2) * (settings.width, settings.height)
    view = camera.view(math.exp(dice.uniform(-0.7, 0.9)))
    still = np.repeat(random_path(dice, 2, half_size=size, liveliness=0.5)[:1], len(view), axis=0)
    return _placed(dice, settings, size, view @ (_shifted(*place) @ still), Wave())


def _object(dice: _Dice, settings: FlyingSettings, camera: _Camera, size: float) -> Layer:
    frames = settings.frames
    lively = float(dice.choice([0.0, 0.3, 1.0], p=[0.2, 0.4, 0.4]))
    own = random_path(dice, frames, half_size=size, liveliness=lively)
    view = camera.view(math.exp(dice.normal(0.1, 0.3)))
    # The object is in view, or just outside, in at least one frame of the clip.
    moment = int(dice.integers(frames))
    aim = dice.uniform(-0.05, 1.05, 2) * (settings.width, settings.height)
    way = _way(dice, frames, settings.top_speed)
    there = np.linalg.inv(view[moment]) @ np.array([*aim, 1.0])
    way += there[:2] / there[2] - way[moment]
    moved = np.repeat(np.eye(3)[None], frames, axis=0)
    moved[:, :2, 2] = way
    wave = random_wave(dice, size / 2, lively) if dice.random() < 0.5 else Wave()
    return _placed(dice, settings, size, view @ moved @ own, wave)


def _way(dice: _Dice, frames: int, top_speed: float) -> NDArray[np.float64]:
    """Return the path of an object in the world: it passes, or it swings back and forth."""
    speed, angle = _speed(dice, top_speed), dice.uniform(0, 2 * math.pi)
    direction = np.array([math.cos(angle), 0.5 * math.sin(angle)])
    time = np.arange(frames)
    if dice.random() < 0.2:
        turn = dice.uniform(0.3, 0.8)
        return np.outer(np.sin(time * turn + dice.uniform(0, 6)), direction) * (speed / turn)
    return np.outer(time, direction) * speed + smooth_walk(
        dice, frames, 2, start=0, change=0.06 * speed + 0.05
    )


def _placed(
    dice: _Dice,
    settings: FlyingSettings,
    size: float,
    homographies: NDArray[np.float64],
    wave: Wave,
) -> Layer:
    """Return a layer of random shape and texture, of about ``size`` squared pixels."""
    name = tuple(SHAPES)[int(dice.integers(len(SHAPES)))]
    spread = 0.25 if name in ("figure", "vehicle") else 0.5
    usual = {"figure": -0.45, "vehicle": 0.35}.get(name, 0.0)
    aspect = math.exp(float(np.clip(dice.normal(usual, spread), -1.2, 1.2)))
    height = max(_LEAST_SIDE, round(size / aspect))
    width = max(_LEAST_SIDE, round(size * aspect))
    alpha = random_silhouette(dice, (height, width), name)
    coarse = (max(8, height), max(8, width))
    if max(coarse) > 160:  # a large texture is generated at half its size, in a quarter of the time
        coarse = (coarse[0] // 2, coarse[1] // 2)
    texture = random_texture(dice, coarse, _patterns(dice, settings))
    if coarse != (height, width):
        texture = np.asarray(cv2.resize(texture, (width, height)), dtype=np.uint8)
    middle = _shifted(-(width - 1) / 2, -(height - 1) / 2)
    return Layer(texture, alpha, homographies @ middle, wave)


def _light(dice: _Dice, settings: FlyingSettings) -> Light:
    rows, columns = -(-settings.height // 16) + 1, -(-settings.width // 16) + 1
    slope = dice.normal(0, 0.2, 2) * (dice.random() < 0.5)
    steady = (
        slope[0] * np.linspace(-1, 1, rows)[:, None] + slope[1] * np.linspace(-1, 1, columns)[None]
    )
    count = int(dice.choice([0, 1, 2, 3]))
    spots = np.zeros((settings.frames, count, 5))
    for spot in range(count):
        way = smooth_walk(dice, settings.frames, 2, start=0.4, change=0.03)
        spots[:, spot, :2] = way + dice.uniform((0, 0), (columns, rows))
        spots[:, spot, 2:4] = dice.uniform(1.0, 8.0, 2)
        spots[:, spot, 4] = dice.choice([-1.0, -0.6, -0.3, 0.3])
    return Light(steady.astype(np.float32), spots)


def _sensor(dice: _Dice, frames: int) -> Sensor:
    gain = smooth_walk(dice, frames, 1, start=0.02, change=0.01) * (dice.random() < 0.6)
    tint = smooth_walk(dice, frames, 3, start=0.004, change=0.003) * (dice.random() < 0.4)
    flicker = dice.normal(0, 0.08, (frames, 1)) * (dice.random() < 0.2)
    exposure = np.clip(dice.normal(0, 0.15) + gain + tint + flicker, -0.8, 0.6)
    blurred = dice.random() < 0.25
    return Sensor(
        gain=np.exp(exposure),
        gamma=math.exp(dice.normal(0, 0.2)),
        noise=dice.uniform(0, 10) if dice.random() < 0.7 else 0.0,
        defocus=np.abs(dice.uniform(0.3, 1.5) + dice.normal(0, 0.2, frames)) * blurred,
        shutter=dice.uniform(0.2, 1.0) if dice.random() < 0.3 else 0.0,
        quality=int(dice.integers(25, 96)) if dice.random() < 0.5 else None,
    )
