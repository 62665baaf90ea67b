"""Render an image from surfaces, for version 1 of the suites."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.scene import focal_px
from mapt_bench.synthetic.stage import SKY, Stage
from mapt_bench.synthetic.surfaces import Surfaces
from mapt_bench.synthetic.textures import TEXTURE_SIDE, atlas, texture_index

__all__ = ["Palette", "mix_palette", "shade_image"]

_SHADOW = 0.58
_BLUR_SAMPLES = 3
_CLOUD_TEXTURE = "clouds"
_ROWS_OF_SOFTNESS = 128
_WHOLE = 1024 * TEXTURE_SIDE  # whole tiles, so that rounding towards 0 rounds down

_Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """Appearance of all faces of a stage as tables.

    Attributes:
        base: RGB under the light, ``(faces, 3)``.
        span: From base to accent, ``(faces, 3)``.
        texture: Position in the atlas, ``(faces,)``.
        rate: Texels per coordinate unit, along and across, ``(faces, 2)``.
        start: First texel, along and across, ``(faces, 2)``.
        detail: Base-2 logarithm of the texels per pixel at one metre: ``(faces,)``.
        is_ground: Whether each face is ground, ``(faces,)``.
    """

    base: _Floats
    span: _Floats
    texture: NDArray[np.int32]
    rate: _Floats
    start: _Floats
    detail: _Floats
    is_ground: NDArray[np.bool_]


def mix_palette(stage: Stage) -> Palette:
    """Compute the appearance of all faces under the light of the scene."""
    styles, light = stage.styles, stage.scene.light
    paints = [style.paint for style in styles]
    base = np.array([paint.base for paint in paints], dtype=np.float64)
    accent = np.array([paint.accent for paint in paints], dtype=np.float64)
    shine = np.array(
        [
            1.0 if style.normal is None else 1 + light.contrast * np.cos(style.normal - light.sun)
            for style in styles
        ]
    )[:, None]
    rate = TEXTURE_SIDE / np.array([paint.size for paint in paints])
    focal = focal_px(stage.scene.camera, stage.height)
    return Palette(
        base=(base * shine).astype(np.float32),
        span=((accent - base) * shine).astype(np.float32),
        texture=np.array([texture_index(paint.texture) for paint in paints], dtype=np.int32),
        rate=rate.astype(np.float32),
        start=(_WHOLE + TEXTURE_SIDE * np.array([paint.shift for paint in paints])).astype(
            np.float32
        ),
        detail=np.log2(rate.max(axis=1) / focal).astype(np.float32),
        is_ground=np.array([style.is_ground for style in styles]),
    )


def shade_image(
    stage: Stage,
    palette: Palette,
    surfaces: Surfaces,
    time: int,
    motion: _Floats,
    noise: np.random.Generator,
) -> NDArray[np.uint8]:
    """Return the image of a frame.

    Args:
        stage: The scene.
        palette: From :func:`mix_palette`.
        surfaces: Surfaces of the frame.
        time: Index of the frame.
        motion: Motion of each pixel from one frame to the next, ``(height, width, 2)``.
        noise: Random generator of the sensor noise.

    Returns:
        RGB, ``uint8`` of shape ``(height, width, 3)``.
    """
    light = stage.scene.light
    color = _textured(palette, surfaces)
    face = surfaces.face.ravel()
    on_ground = palette.is_ground[face] & surfaces.shadow.ravel()
    color[on_ground] *= _SHADOW
    _fade(color, surfaces, stage)
    _paint_sky(color, stage, surfaces, time)
    image = color.reshape(stage.height, stage.width, 3)
    if light.shutter > 0:
        image = _blurred(image, motion * light.shutter)
    sigma = light.softness * stage.height / _ROWS_OF_SOFTNESS
    if sigma > 0:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.float32)
    image = image * np.float32(light.exposure[time])
    image += np.float32(light.noise) * noise.standard_normal(image.shape, dtype=np.float32)
    return np.asarray(np.clip(image + 0.5, 0, 255), dtype=np.uint8)


def _textured(palette: Palette, surfaces: Surfaces) -> _Floats:
    face = surfaces.face.ravel()
    u, v, nearness = surfaces.coordinates
    distance = 1 / np.maximum(nearness, 1e-6)
    along, across = (
        (axis * distance * np.take(palette.rate[:, k], face) + np.take(palette.start[:, k], face))
        for k, axis in enumerate((u, v))
    )
    steepness = np.where(palette.is_ground, np.float32(1.5), np.float32(1))
    level = np.take(palette.detail, face) + np.take(steepness, face) * np.log2(distance)
    textures = atlas()
    level = np.clip(np.rint(level), 0, len(textures) - 1).astype(np.int32)
    place = level * np.int32(textures.shape[1]) + np.take(palette.texture, face)
    for texels in (across, along):  # texture rows, then columns
        held = np.clip(texels, 0, 2 * _WHOLE)  # at the border of a panel seen edge-on
        place = place * TEXTURE_SIDE + held.astype(np.int32) % TEXTURE_SIDE
    value = np.take(textures, place)
    color: _Floats = np.take(palette.span, face, axis=0) * value[:, None]
    color += np.take(palette.base, face, axis=0)
    return color


def _fade(color: _Floats, surfaces: Surfaces, stage: Stage) -> None:
    if np.isinf(stage.scene.light.haze):
        return
    left = np.exp2(-surfaces.distance.ravel() / np.float32(stage.scene.light.haze))[:, None]
    horizon = np.array(stage.scene.sky.horizon, dtype=np.float32)
    color *= left
    color += horizon * (1 - left)


def _paint_sky(color: _Floats, stage: Stage, surfaces: Surfaces, time: int) -> None:
    is_sky = surfaces.face.ravel() == SKY
    if not is_sky.any():
        return
    sky = stage.scene.sky
    x, y, z = surfaces.coordinates[:, is_sky]
    climb = np.clip(2.5 * y / np.hypot(x, z), 0, 1)[:, None]
    zenith, horizon = (np.array(end, dtype=np.float32) for end in (sky.zenith, sky.horizon))
    shade = horizon + (zenith - horizon) * climb
    if sky.clouds > 0:
        clouds = atlas()[2, texture_index(_CLOUD_TEXTURE)]
        turn = (np.arctan2(x, z) * (4 * TEXTURE_SIDE / np.pi)).astype(np.int64) % TEXTURE_SIDE
        rise = (y / np.hypot(x, z) * TEXTURE_SIDE).astype(np.int64) % TEXTURE_SIDE
        shade += (245 - shade) * (np.float32(sky.clouds) * clouds[rise, turn][:, None])
    color[is_sky] = shade


def _blurred(image: _Floats, path: _Floats) -> _Floats:
    """Average the image along the motion of each pixel, half before and half after."""
    height, width = image.shape[:2]
    x = np.arange(width, dtype=np.float32)[None, :]
    y = np.arange(height, dtype=np.float32)[:, None]
    total = np.zeros_like(image)
    for share in np.linspace(-0.5, 0.5, _BLUR_SAMPLES, dtype=np.float32):
        at = path * share
        total += cv2.remap(
            image, x + at[..., 0], y + at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return total / np.float32(_BLUR_SAMPLES)
