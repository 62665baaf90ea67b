"""A flying clip as an annotated synthetic video: images, ground truth, objects, exact flow."""

import math
from dataclasses import dataclass
from functools import lru_cache, partial

import cv2
import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError
from mapt_bench.labels import (
    AnnotatedObject,
    FlowField,
    Frame,
    LabelSpace,
    PanopticMap,
    VideoInfo,
    background_code,
    label_space,
    pack_codes,
)
from mapt_bench.synthetic.flying.clip_scene import FlyingScene, FlyingSettings, Sensor, build_scene
from mapt_bench.synthetic.flying.moving_layers import Layer

__all__ = ["FlyingVideo", "flying_clip"]

_LABELS = "kitti-step"
_KEPT_SCENES, _KEPT_FRAMES = 4, 48
_SOLID = 128
"""A pixel belongs to the nearest layer that covers at least half of it."""

_NOISE_SIDE = 1024
_LONGEST_BLUR = 31


@dataclass(frozen=True, slots=True)
class FlyingVideo:
    """A clip: a :class:`~mapt_bench.labels.AnnotatedVideo` with exact flow between any two frames.

    Attributes:
        settings: Settings that generate the clip.

    Example:
        >>> video = flying_clip(3, height=64, width=96, frames=4)
        >>> video.frame(0).image.shape, video.truth(0).shape, video.has_semantics
        ((64, 96, 3), (64, 96), False)
        >>> video.flow_between(3, 0).flow.shape
        (64, 96, 2)
    """

    settings: FlyingSettings

    @property
    def has_semantics(self) -> bool:
        """Always false: classes are random, so that semantics cannot be trained."""
        return False

    @property
    def info(self) -> VideoInfo:
        """Description of the video."""
        settings = self.settings
        kind = "flying-held-out" if settings.held_out else "flying"
        return VideoInfo(
            name=f"{kind}-{settings.seed}-{settings.index:06d}",
            frame_names=tuple(f"{index:06d}" for index in range(settings.frames)),
            height=settings.height,
            width=settings.width,
            labels=label_space(_LABELS),
            has_images=True,
        )

    @property
    def has_truth(self) -> bool:
        """Always true."""
        return True

    def frame(self, index: int) -> Frame:
        """Return the frame at a position. Its image is rendered when it is read."""
        self._check(index)
        return Frame(index, f"{index:06d}", partial(_image, self.settings, index))

    def truth(self, index: int) -> PanopticMap:
        """Return the ground truth at a position: objects, and background without a class."""
        self._check(index)
        return PanopticMap(_codes(self.settings, index))

    def objects(self, index: int) -> tuple[AnnotatedObject, ...]:
        """Return the objects that reach into a frame, hidden ones included, nearest first."""
        self._check(index)
        return _objects(self.settings, index)

    def backward_flow(self, index: int) -> FlowField:
        """Return the position of each pixel in the frame before.

        Raises:
            DataError: For the first frame.
        """
        return self.flow_between(index, index - 1)

    def forward_flow(self, index: int) -> FlowField:
        """Return the position of each pixel in the next frame.

        Raises:
            DataError: For the last frame.
        """
        return self.flow_between(index, index + 1)

    def flow_between(self, index: int, other: int) -> FlowField:
        """Return the exact position of each pixel in any other frame.

        Args:
            index: Frame with the pixels.
            other: Frame with the wanted positions.

        Raises:
            DataError: If there is no such frame.
        """
        self._check(index)
        self._check(other)
        return _flow(self.settings, index, other)

    def _check(self, index: int) -> None:
        if not 0 <= index < self.settings.frames:
            raise DataError(
                f"there is no frame {index}; expected 0 to {self.settings.frames - 1}",
                where=self.info.name,
            )


def flying_clip(
    index: int,
    *,
    seed: int = 0,
    held_out: bool = False,
    height: int = 192,
    width: int = 624,
    frames: int = 16,
    top_speed: float = 24.0,
) -> FlyingVideo:
    """Return one clip of an endless stream. Nothing is generated yet.

    Args:
        index: Position in the stream, 0 or more.
        seed: Seed of the stream.
        held_out: Whether most textures are of families that training clips never show.
        height: Pixels.
        width: Pixels.
        frames: Length of the clip.
        top_speed: Largest typical speed of an object, in pixels per frame.

    Raises:
        ConfigError: If a number is too small.
    """
    settings = FlyingSettings(
        index=index,
        seed=seed,
        held_out=held_out,
        height=height,
        width=width,
        frames=frames,
        top_speed=top_speed,
    )
    return FlyingVideo(settings)


@dataclass(frozen=True, slots=True, eq=False)
class _Silhouette:
    """The whole shape of a layer in a frame, hidden parts included."""

    layer: int
    top: int
    left: int
    solid: NDArray[np.bool_]


@lru_cache(maxsize=_KEPT_SCENES)
def _scene(settings: FlyingSettings) -> FlyingScene:
    return build_scene(settings)


@lru_cache(maxsize=_KEPT_FRAMES)
def _rendered(
    settings: FlyingSettings, frame: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], tuple[_Silhouette, ...]]:
    """Return the image, the index of the visible layer at each pixel, and all silhouettes."""
    scene = _scene(settings)
    size = (settings.height, settings.width)
    canvas = _background(scene, frame, size)
    owners = np.zeros(size, np.uint8)
    silhouettes = []
    for number, layer in enumerate(scene.layers[1:], start=1):
        window = layer.window(frame, size)
        if window is None:
            continue
        solid = _lay_over(canvas, layer, frame, window, scene.sensor)
        top, left, height, width = window
        owners[top : top + height, left : left + width][solid] = number
        silhouettes.append(_Silhouette(number, top, left, solid))
    # The grid has a point at each multiple of 16 pixels, one beyond the border included.
    light = scene.light.at(frame)[..., None] * scene.sensor.gain[frame].astype(np.float32)
    light = cv2.resize(light, None, fx=16, fy=16, interpolation=cv2.INTER_LINEAR)
    canvas *= light[8 : 8 + size[0], 8 : 8 + size[1]]
    image = _sensed(settings, scene.sensor, frame, canvas)
    for array in (image, owners):
        array.flags.writeable = False
    return image, owners, tuple(silhouettes)


def _background(scene: FlyingScene, frame: int, size: tuple[int, int]) -> NDArray[np.float32]:
    layer = scene.layers[0]
    x, y = layer.sources(frame, (0, 0, *size))
    picture = cv2.remap(layer.texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    canvas = picture.astype(np.float32)
    kernel = _motion_kernel(layer, frame, scene.sensor.shutter)
    if kernel is None:
        return canvas
    return np.asarray(cv2.filter2D(canvas, -1, kernel), dtype=np.float32)


def _lay_over(
    canvas: NDArray[np.float32],
    layer: Layer,
    frame: int,
    window: tuple[int, int, int, int],
    sensor: Sensor,
) -> NDArray[np.bool_]:
    """Draw a layer over the canvas, and return the pixels that it covers at least half."""
    assert layer.alpha is not None  # noqa: S101  # only the background has none
    top, left, height, width = window
    x, y = layer.sources(frame, window)
    alpha = cv2.remap(layer.alpha, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    picture = cv2.remap(layer.texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    place = canvas[top : top + height, left : left + width]
    share = (alpha.reshape(height, width) * np.float32(1 / 255))[..., None]
    colour = picture.reshape(height, width, 3).astype(np.float32)
    kernel = _motion_kernel(layer, frame, sensor.shutter)
    if kernel is not None:
        blurred = cv2.filter2D(
            np.concatenate((colour * share, share), axis=2),
            -1,
            kernel,
            borderType=cv2.BORDER_REPLICATE,
        )
        place += blurred[..., :3] - place * blurred[..., 3:]
    else:
        place += (colour - place) * share
    solid: NDArray[np.bool_] = alpha.reshape(height, width) >= _SOLID
    return solid


def _motion_kernel(layer: Layer, frame: int, shutter: float) -> NDArray[np.float32] | None:
    """Return the motion blur kernel: the path of the layer's centre while the shutter is open."""
    if not shutter:
        return None
    before = max(frame, 1) - 1
    move = (layer.centre(before + 1) - layer.centre(before)) * shutter
    length = float(np.hypot(*move))
    if not 1 < length < math.inf:
        return None
    move *= min(1.0, _LONGEST_BLUR / length) / 2
    half = math.ceil(max(abs(move[0]), abs(move[1]), 1))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    ends = np.rint((half + np.outer((-1, 1), move)) * 16).astype(int)
    start, end = (tuple(int(value) for value in end) for end in ends)
    cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_8, 4)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


@lru_cache(maxsize=1)
def _noise() -> NDArray[np.float32]:
    """Return noise from which all frames take a part, which is faster than new noise."""
    dice = np.random.default_rng(20250312)
    return dice.standard_normal((_NOISE_SIDE, _NOISE_SIDE, 3), dtype=np.float32)


def _sensed(
    settings: FlyingSettings, sensor: Sensor, frame: int, canvas: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Apply the effects of sensor and file format to a rendered frame."""
    dice = np.random.default_rng([settings.seed, settings.index, 104729 + settings.held_out, frame])
    if sensor.defocus[frame] > 0.2:
        blurred = cv2.GaussianBlur(canvas, (0, 0), float(sensor.defocus[frame]))
        canvas = np.asarray(blurred, dtype=np.float32)
    if sensor.noise:
        cv2.scaleAdd(_cut_noise(dice, settings), sensor.noise, canvas, dst=canvas)
    np.clip(canvas, 0, 255, out=canvas)
    curve = 255 * (np.arange(256) / 255) ** sensor.gamma
    image = np.asarray(
        cv2.LUT(canvas.astype(np.uint8), np.rint(curve).astype(np.uint8)), dtype=np.uint8
    )
    if sensor.quality is not None:
        flags = [cv2.IMWRITE_JPEG_QUALITY, sensor.quality]
        # OpenCV calls the channels blue, green and red. Encoding and decoding keep their order.
        _, file = cv2.imencode(".jpg", image, flags)
        image = np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), dtype=np.uint8)
    return image


def _cut_noise(dice: np.random.Generator, settings: FlyingSettings) -> NDArray[np.float32]:
    height, width = settings.height, settings.width
    top = int(dice.integers(max(1, _NOISE_SIDE - height)))
    left = int(dice.integers(max(1, _NOISE_SIDE - width)))
    noise = _noise()[top : top + height, left : left + width]
    missing = ((0, height - noise.shape[0]), (0, width - noise.shape[1]), (0, 0))
    return np.pad(noise, missing, mode="wrap") if max(missing)[1] else noise


def _image(settings: FlyingSettings, frame: int) -> NDArray[np.uint8]:
    return _rendered(settings, frame)[0]


def _layer_codes(scene: FlyingScene, labels: LabelSpace) -> NDArray[np.uint32]:
    classes = np.array([labels.thing_ids[max(0, thing)] for thing in scene.things])
    codes = pack_codes(classes, np.arange(len(classes)))
    codes[np.array(scene.things) < 0] = background_code(labels.ignore_label)
    return codes


@lru_cache(maxsize=_KEPT_FRAMES)
def _codes(settings: FlyingSettings, frame: int) -> NDArray[np.uint32]:
    owners = _rendered(settings, frame)[1]
    codes = _layer_codes(_scene(settings), label_space(_LABELS))[owners]
    codes.flags.writeable = False
    return codes


@lru_cache(maxsize=_KEPT_FRAMES)
def _objects(settings: FlyingSettings, frame: int) -> tuple[AnnotatedObject, ...]:
    scene = _scene(settings)
    _, owners, silhouettes = _rendered(settings, frame)
    seen = np.bincount(owners.ravel(), minlength=len(scene.layers))
    codes = _layer_codes(scene, label_space(_LABELS))
    known = []
    for found in reversed(silhouettes):
        if scene.things[found.layer] < 0 or not found.solid.any():
            continue
        layer = scene.layers[found.layer]
        speed = math.nan
        if frame:
            speed = float(np.hypot(*(layer.centre(frame) - layer.centre(frame - 1))))
        known.append(
            AnnotatedObject(
                code=int(codes[found.layer]),
                top=found.top,
                left=found.left,
                amodal=found.solid,
                visible_px=int(seen[found.layer]),
                depth=float(len(scene.layers) - found.layer),
                speed=speed,
                look_alike=0,
            )
        )
    return tuple(known)


def _flow(settings: FlyingSettings, frame: int, other: int) -> FlowField:
    scene = _scene(settings)
    size = (settings.height, settings.width)
    owners, there = _rendered(settings, frame)[1], _rendered(settings, other)[1]
    ends = np.zeros((2, *size), np.float32)
    for number, layer in enumerate(scene.layers):
        window = layer.window(frame, size)
        if window is None:
            continue
        top, left, height, width = window
        part = (slice(top, top + height), slice(left, left + width))
        seen = owners[part] == number
        if seen.any():
            moved = layer.places(other, *layer.sources(frame, window))
            for end, place in zip(ends, moved, strict=True):
                np.copyto(end[part], place, where=seen)
    # A pixel is visible in the other image if it leads to a pixel of the same layer.
    no_layer = len(scene.layers)
    met = cv2.remap(
        there,
        ends[0],
        ends[1],
        cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(no_layer,),
    )
    flow = np.empty((*size, 2), np.float32)
    flow[..., 0] = ends[0] - np.arange(size[1], dtype=np.float32)
    flow[..., 1] = ends[1] - np.arange(size[0], dtype=np.float32)[:, None]
    return FlowField(flow, met == owners)
