"""Render an image from surfaces. Light and colours are computed per face, not per pixel."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.patterns import LEVELS, TextureSet
from mapt_bench.synthetic.scene import Light, focal_px
from mapt_bench.synthetic.stage import SKY, Stage
from mapt_bench.synthetic.surfaces import Surfaces, apply_maps

__all__ = ["Rendering", "prepare_rendering", "render_image"]

_Floats = NDArray[np.float32]
_Image = NDArray[np.uint8]

_LUMA: Final = (0.299, 0.587, 0.114)
_FACING_UP: Final = 0.25  # share of sunlight on faces without a heading
_METERED: Final = 0.3  # share of the contrast that the exposure compensates
_SHOULDER: Final = 190.0  # grey levels above which light is compressed, to keep detail in white
_WHITE: Final = 255.0
_BLUR_STEPS: Final = (-0.4, 0.4)  # of the motion of a pixel, besides its position
_LEAST_BLUR_PX: Final = 0.8
_ROWS_OF_SOFTNESS: Final = 128
_NOISE_SPARE: Final = 128  # pixels by which the stored noise is larger than a frame
_CLOUD_TILES: Final = 0.3  # of the texture, per height of the clouds
_MANTISSA_BITS: Final = 23
_EXPONENT_BIAS: Final = 126.957  # 127, minus the mean error of the linear mantissa


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """Appearance of all faces of a stage as tables, shared by all frames.

    Attributes:
        stage: The scene.
        textures: Textures of its paints.
        base: RGB of each face where its texture is 0, under its light: ``(faces, 3)``.
        span: Change of RGB per step of the texture: ``(faces, 3)``.
        texture: Index of the texture of each face, ``int32``.
        rate: Texels per coordinate unit, along and across, ``(faces, 2)``.
        start: First texel, along and across, ``(faces, 2)``.
        detail: Level of detail at one metre, ``(faces,)``.
        steepness: Increase of the level when the distance doubles, ``(faces,)``.
        is_ground: Whether each face is ground, ``(faces,)``.
        zenith: RGB of the sky overhead.
        horizon: RGB at the horizon.
        cloud: RGB of clouds.
    """

    stage: Stage
    textures: TextureSet
    base: _Floats
    span: _Floats
    texture: NDArray[np.int32]
    rate: _Floats
    start: _Floats
    detail: _Floats
    steepness: _Floats
    is_ground: NDArray[np.bool_]
    zenith: _Floats
    horizon: _Floats
    cloud: _Floats


def prepare_rendering(stage: Stage, textures: TextureSet) -> Rendering:
    """Compute the appearance of all faces of a stage under its light."""
    styles, light, sky = stage.styles, stage.scene.light, stage.scene.sky
    paints = [style.paint for style in styles]
    normals = np.array([np.nan if each.normal is None else each.normal for each in styles])
    facing = np.nan_to_num(np.cos(normals - light.sun), nan=_FACING_UP)
    shine = (1 + light.contrast * facing) / (1 + _METERED * light.contrast)
    base = _lit(np.array([paint.base for paint in paints]), light, shine)
    accent = _lit(np.array([paint.accent for paint in paints]), light, shine)
    side = 1 << textures.bits
    rate = side / np.array([paint.size for paint in paints])
    focal = focal_px(stage.scene.camera, stage.height)
    is_ground = np.array([style.is_ground for style in styles])
    ends = _lit(np.array([sky.zenith, sky.horizon, (248, 248, 248)]), light, np.ones(3))
    return Rendering(
        stage=stage,
        textures=textures,
        base=base,
        span=(accent - base) / np.float32(255),
        texture=np.array([textures.index[paint.texture] for paint in paints], dtype=np.int32),
        rate=rate.astype(np.float32),
        start=(side * np.array([paint.shift for paint in paints])).astype(np.float32),
        detail=np.log2(rate.max(axis=1) / focal).astype(np.float32),
        steepness=np.where(is_ground, np.float32(1.5), np.float32(1)),
        is_ground=is_ground,
        zenith=ends[0],
        horizon=ends[1],
        cloud=ends[2],
    )


def _lit(colors: NDArray[np.float64], light: Light, shine: NDArray[np.float64]) -> _Floats:
    """Return colours as the sensor records them, ``(n, 3)``.

    Args:
        colors: RGB, ``(n, 3)``.
        light: Light of the scene and response of the camera.
        shine: Amount of light on each, ``(n,)``.
    """
    shown = _WHITE * (colors / _WHITE) ** light.gamma
    grey = shown @ np.array(_LUMA)
    shown = grey[:, None] + light.saturation * (shown - grey[:, None])
    shown = np.maximum(shown * shine[:, None] * np.array(light.balance), 0)
    above = np.maximum(shown - _SHOULDER, 0)
    room = _WHITE - _SHOULDER
    return np.asarray(np.minimum(shown, _SHOULDER) + room * above / (above + room), np.float32)


def render_image(
    rendering: Rendering,
    surfaces: Surfaces,
    time: int,
    motion: _Floats,
    generator: np.random.Generator,
) -> _Image:
    """Return the image of a frame.

    Args:
        rendering: From :func:`prepare_rendering`.
        surfaces: Surfaces of the frame.
        time: Index of the frame.
        motion: Motion of each pixel from one frame to the next, ``(height, width, 2)``.
        generator: Random generator of the sensor noise.

    Returns:
        RGB, ``uint8`` of shape ``(height, width, 3)``.
    """
    stage = rendering.stage
    light = stage.scene.light
    planes = _colored(rendering, surfaces)
    _shade_ground(planes, rendering, surfaces)
    _fade(planes, rendering, surfaces)
    _paint_sky(planes, rendering, surfaces)
    shape = (stage.height, stage.width)
    image = np.asarray(cv2.convertScaleAbs(cv2.merge([plane.reshape(shape) for plane in planes])))
    image = _blurred(image, motion * np.float32(light.shutter))
    sigma = light.softness * stage.height / _ROWS_OF_SOFTNESS
    if sigma > 0:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma))
    return _recorded(image, light, float(light.exposure[time]), generator)


def _colored(rendering: Rendering, surfaces: Surfaces) -> _Floats:
    """Return the colours of all pixels per channel, ``(3, pixels)``, without shadows and haze."""
    value = _texture_values(rendering, surfaces)
    runs = surfaces.runs
    planes = np.empty((3, value.size), dtype=np.float32)
    for channel, plane in enumerate(planes):
        np.multiply(runs.look_up(rendering.span[:, channel]), value, out=plane)
        plane += runs.look_up(rendering.base[:, channel])
    return planes


def _texture_values(rendering: Rendering, surfaces: Surfaces) -> NDArray[np.uint8]:
    textures, bits = rendering.textures, rendering.textures.bits
    inverse = surfaces.inverse
    nearness = inverse[:, 6:]
    maps = [
        rendering.rate[:, axis, None] * inverse[:, 3 * axis : 3 * axis + 3]
        + rendering.start[:, axis, None] * nearness
        for axis in (0, 1)
    ]
    rows = apply_maps(np.concatenate(maps, axis=1), surfaces)
    distance = 1 / np.maximum(surfaces.nearness, np.float32(1e-6))
    limit = np.float32(1 << 24)  # at the border of a panel seen edge-on
    along, across = (
        np.clip(np.floor(row * distance), -limit, limit).astype(np.int32) & ((1 << bits) - 1)
        for row in rows
    )
    runs = surfaces.runs
    octaves = distance.view(np.int32).astype(np.float32)
    octaves *= np.float32(2.0**-_MANTISSA_BITS)
    octaves -= np.float32(_EXPONENT_BIAS)
    octaves *= runs.look_up(rendering.steepness)
    octaves += runs.look_up(rendering.detail)
    level = np.clip(np.rint(octaves), 0, LEVELS - 1).astype(np.int32)
    place = runs.spread(rendering.texture[runs.face] << (2 * bits)) >> (2 * level)
    place += textures.starts[level]
    place += (across >> level) << (bits - level)
    place += along >> level
    return np.asarray(np.take(textures.texels, place), dtype=np.uint8)


def _shade_ground(planes: _Floats, rendering: Rendering, surfaces: Surfaces) -> None:
    light = rendering.stage.scene.light
    if not surfaces.shadow.any():
        return
    shadow = surfaces.shadow.astype(np.float32)
    blur = 0.8 if light.sun_height is not None else 3.0  # without a sun, shadows have soft edges
    shadow = np.asarray(cv2.blur(shadow, (1 + 2 * round(blur),) * 2))
    shadow *= np.float32(light.shadow - 1)
    shadow = shadow.ravel() * surfaces.runs.look_up(rendering.is_ground.astype(np.float32))
    shadow += 1
    planes *= shadow


def _fade(planes: _Floats, rendering: Rendering, surfaces: Surfaces) -> None:
    haze = rendering.stage.scene.light.haze
    if np.isinf(haze):
        return
    # Half is left at the distance of the haze, as with an exponential, at less cost.
    left = np.maximum(surfaces.nearness, np.float32(1e-6)) * np.float32(haze)
    left /= left + 1
    for plane, horizon in zip(planes, rendering.horizon, strict=True):
        plane -= horizon
        plane *= left
        plane += horizon


def _paint_sky(planes: _Floats, rendering: Rendering, surfaces: Surfaces) -> None:
    at = np.flatnonzero(surfaces.face == SKY)
    if not at.size:
        return
    sky, light = rendering.stage.scene.sky, rendering.stage.scene.light
    column, row = at % surfaces.face.shape[1], at // surfaces.face.shape[1]
    inverse = surfaces.inverse[SKY].reshape(3, 3)
    x, y, z = (a * column + b * row + c for a, b, c in inverse)
    rise = np.maximum(y / np.sqrt(x * x + z * z), 0)
    climb = np.minimum(2.5 * rise, 1)
    lightness = np.zeros_like(climb)
    if sky.clouds > 0:
        lightness += np.float32(sky.clouds) * _clouds(rendering, x, z, y) * np.minimum(8 * rise, 1)
    if sky.glow > 0:
        toward = (x * np.sin(light.sun) + z * np.cos(light.sun)) / np.sqrt(x * x + z * z)
        lightness += np.float32(sky.glow) * np.maximum(toward, 0) ** 6 * (1 - 0.6 * climb)
    lightness = np.minimum(lightness, 1)
    for channel, plane in enumerate(planes):
        horizon, zenith = rendering.horizon[channel], rendering.zenith[channel]
        shade = horizon + (zenith - horizon) * climb
        plane[at] = shade + (rendering.cloud[channel] - shade) * lightness


def _clouds(rendering: Rendering, x: _Floats, z: _Floats, y: _Floats) -> _Floats:
    """Return the density of the clouds, 0..1, on a plane above the camera."""
    textures = rendering.textures
    side = 1 << textures.bits
    scale = _CLOUD_TILES * side / np.maximum(y, 0.02)
    along, across = ((axis * scale).astype(np.int64) & (side - 1) for axis in (x, z))
    place = (textures.index["clouds"] << (2 * textures.bits)) + (across << textures.bits) + along
    return np.take(textures.texels, place).astype(np.float32) / np.float32(255)


def _blurred(image: _Image, path: _Floats) -> _Image:
    """Average the image along the motion of each pixel, half before and half after."""
    if np.abs(path).max() < _LEAST_BLUR_PX:
        return image
    height, width = image.shape[:2]
    x = np.arange(width, dtype=np.float32)[None, :]
    y = np.arange(height, dtype=np.float32)[:, None]
    across, down = np.ascontiguousarray(path[..., 0]), np.ascontiguousarray(path[..., 1])
    total = image.astype(np.uint16)
    for share in _BLUR_STEPS:
        step = np.float32(share)
        maps = cv2.convertMaps(x + step * across, y + step * down, cv2.CV_16SC2)
        moved = cv2.remap(image, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        total = np.asarray(cv2.add(total, moved, dtype=cv2.CV_16U))
    return np.asarray(cv2.convertScaleAbs(total, alpha=1 / (1 + len(_BLUR_STEPS))))


def _recorded(
    image: _Image, light: Light, exposure: float, generator: np.random.Generator
) -> _Image:
    """Apply exposure and vignette, and add sensor noise."""
    height, width = image.shape[:2]
    level = image.astype(np.float32)
    if light.vignette > 0:
        level *= 1 - np.float32(light.vignette) * _corners(height, width)[..., None]
    grain = _stored_noise(height, width)
    top, left = generator.integers(_NOISE_SPARE, size=2)
    seen = grain[top : top + height, left : left + width]
    shown = cv2.addWeighted(level, exposure, seen, light.noise, 0, dtype=cv2.CV_8U)
    return np.asarray(shown, dtype=np.uint8)


@lru_cache(maxsize=2)
def _stored_noise(height: int, width: int) -> _Floats:
    shape = (height + _NOISE_SPARE, width + _NOISE_SPARE, 3)
    return np.random.default_rng(5).standard_normal(shape, dtype=np.float32)


@lru_cache(maxsize=2)
def _corners(height: int, width: int) -> _Floats:
    """Return the squared distance from the middle, 1 in the corners."""
    x = np.linspace(-1, 1, width, dtype=np.float32)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    return np.asarray((x * x + y * y) / 2)
