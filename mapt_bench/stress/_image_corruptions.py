"""Stressors that change images only: camera, compression, weather, motion blur, faded things."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import (
    ID_BITS,
    AnnotatedVideo,
    Frame,
    PanopticMap,
    Video,
    WrappedAnnotatedVideo,
    WrappedVideo,
)
from mapt_bench.stress.catalog import Stress
from mapt_bench.stress.known_objects import visible_fractions
from mapt_bench.stress.tracked_things import Box, boxes_of, survey

__all__ = [
    "Exposure",
    "FilteredAnnotatedVideo",
    "FilteredVideo",
    "Fog",
    "ImageFilter",
    "Jpeg",
    "MotionBlur",
    "Noise",
    "Rain",
    "WashedThings",
    "filtered",
    "grey_levels",
]


def grey_levels(values: NDArray[np.number]) -> NDArray[np.uint8]:
    """Round to whole grey levels and clip to 0..255.

    Example:
        >>> grey_levels(np.array([-3.0, 7.6, 300.0])).tolist()
        [0, 8, 255]
    """
    return np.asarray(np.rint(np.clip(values, 0, 255)), dtype=np.uint8)


ImageFilter = Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]
"""Turns an RGB image and the frame's position into the stressed image. Must pickle."""


@dataclass(frozen=True)
class FilteredVideo(WrappedVideo):
    """A video whose images are filtered. The ground truth is unchanged.

    Attributes:
        image_filter: Changes the images.
    """

    image_filter: ImageFilter

    def frame(self, index: int) -> Frame:
        """Return the frame at a position. Its image is filtered when it is read."""
        plain = self.video.frame(index)
        return Frame(index, plain.name, lambda: self.image_filter(plain.image, index))

    def visible_fractions(self, index: int) -> dict[int, float] | None:
        """Return the visible fractions of the unfiltered video."""
        return visible_fractions(self.video, index)


@dataclass(frozen=True)
class FilteredAnnotatedVideo(FilteredVideo, WrappedAnnotatedVideo):
    """The same for an annotated synthetic video."""


def filtered(video: Video, image_filter: ImageFilter) -> FilteredVideo:
    """Filter a video. An annotated synthetic video keeps its annotations."""
    if isinstance(video, AnnotatedVideo):
        return FilteredAnnotatedVideo(video, image_filter)
    return FilteredVideo(video, image_filter)


_GAMMA = 2.2


@dataclass(frozen=True)
class _RandomFilter:
    """A filter with random numbers.

    Attributes:
        stress: Level and seed.
        video: Name of the video.
    """

    stress: Stress
    video: str

    def generator(self, *purpose: object) -> np.random.Generator:
        """Return a random generator, see :meth:`Stress.generator`."""
        return self.stress.generator(self.video, *purpose)


@dataclass(frozen=True)
class Noise(_RandomFilter):
    """Add Gaussian noise, independent in each pixel and channel."""

    def __call__(self, image: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        """Add noise to the image of a frame."""
        generator = self.generator(index)
        noise = generator.standard_normal(image.shape, dtype=np.float32)
        noise *= np.float32(self.stress.value)
        noise += image
        return grey_levels(noise)


@dataclass(frozen=True)
class Exposure(_RandomFilter):
    """Alternate between more and less light. Values outside the range of the sensor are clipped.

    Even frames are brighter and odd frames darker, or vice versa, each by at least half of the
    largest change. Light is the grey level to the power of 2.2.
    """

    def __call__(self, image: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        """Change the exposure of the image of a frame."""
        factor = 2.0 ** (self.swing(index) / _GAMMA)
        table = np.rint(np.minimum(np.arange(256) * factor, 255)).astype(np.uint8)
        return np.asarray(cv2.LUT(image, table), dtype=np.uint8)

    def swing(self, index: int) -> float:
        """Return the change in stops; positive is brighter."""
        side = 1 - 2 * int((self.generator().integers(2) + index) % 2)
        return side * self.stress.value * float(self.generator(index).uniform(0.5, 1))


@dataclass(frozen=True)
class Jpeg:
    """Compress to JPEG and decompress.

    Attributes:
        quality: 1 to 100.
    """

    quality: int

    def __call__(self, image: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        """Compress the image of a frame."""
        options = [cv2.IMWRITE_JPEG_QUALITY, self.quality]
        _, data = cv2.imencode(".jpg", image[..., ::-1], options)
        opened = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
        return np.ascontiguousarray(opened[..., ::-1])


_FOG_COLOR = (206, 210, 214)
_CONTRAST_LEFT = 0.05  # at the distance of visibility
_HORIZON = 0.47  # of the height; the camera of KITTI
_FOCAL = 1.92  # in image heights
_ELEVATION = 1.65  # metres
_STREET = 8.0  # metres from the camera's path to what stands on either side
_FARTHEST = 80.0  # metres
_SKY = "sky"

_STREAK_PIXELS = 10_000
_STREAK_LENGTH = (0.03, 0.09)  # of the height
_STREAK_WIDTH = 0.004  # of the height, at least a pixel
_STREAK_LIGHT = 0.45
_STREAK_COLOR = (214, 218, 224)
_FRACTION_BITS = 4


@dataclass(frozen=True)
class Fog:
    """Mix each pixel with grey, more so with distance (Koschmieder's law).

    Distances are those of a street: flat ground seen by the camera of KITTI (1.65 m high, focal
    length 1.92 image heights, horizon at 47 % of the height), and house fronts 8 m to either side
    of the camera's path. A thing has one distance: the annotated one, or that of the ground at its
    lowest pixel. Sky is 80 m away, the largest distance.

    Attributes:
        video: Its ground truth, if there is any, gives the places of things.
        visibility: Distance in metres at which 5 % of the contrast remains.
    """

    video: Video
    visibility: float

    def __call__(self, image: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        """Add fog to the image of a frame."""
        distance = self._distance(image.shape[0], image.shape[1], index)
        left = np.exp(distance * np.float32(np.log(_CONTRAST_LEFT) / self.visibility))
        fog = np.array(_FOG_COLOR, dtype=np.float32)
        return grey_levels((image - fog) * left[..., None] + fog)

    def _distance(self, height: int, width: int, index: int) -> NDArray[np.float32]:
        by_row = _reciprocal(np.arange(height) - _HORIZON * height, _ELEVATION, height)
        by_column = _reciprocal(np.abs(np.arange(width) - (width - 1) / 2), _STREET, height)
        distance = np.minimum(by_row[:, None], by_column)
        if not self.video.has_truth:
            return distance
        codes = self.video.truth(index).codes
        labels = self.video.info.labels
        for entry in labels.classes:
            if entry.name == _SKY:
                distance[codes >> np.uint32(ID_BITS) == entry.class_id] = _FARTHEST
        known = {}
        if isinstance(self.video, AnnotatedVideo):
            known = {entry.code: entry.depth for entry in self.video.objects(index)}
        for code, box in boxes_of(PanopticMap(codes), labels).items():
            place = np.s_[box.top : box.bottom, box.left : box.right]
            of_thing = known.get(code, float(by_row[box.bottom - 1]))
            distance[place][codes[place] == code] = of_thing
        return distance


def _reciprocal(offset: NDArray[np.floating], metres: float, height: int) -> NDArray[np.float32]:
    """Return the distance in metres at which a plane parallel to the camera's axis is seen."""
    beyond = np.maximum(offset + 0.5, 1e-3)
    return np.asarray(np.minimum(metres * _FOCAL * height / beyond, _FARTHEST), dtype=np.float32)


@dataclass(frozen=True)
class Rain(_RandomFilter):
    """Draw bright streaks that fall in one direction, new ones in every frame."""

    def __call__(self, image: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        """Draw rain over the image of a frame."""
        height, width = image.shape[:2]
        count = round(self.stress.value * height * width / _STREAK_PIXELS)
        slant = self.generator().uniform(-0.35, 0.35)
        drops = self.generator(index).random((count, 4))
        length = height * (
            _STREAK_LENGTH[0] + (_STREAK_LENGTH[1] - _STREAK_LENGTH[0]) * drops[:, 2]
        )
        top = np.stack([drops[:, 0] * 1.2 * width - 0.1 * width, drops[:, 1] * height], axis=1)
        lean = slant + 0.06 * (drops[:, 3] - 0.5)
        fall = np.stack([lean * length, length], axis=1)
        ends = np.rint(np.stack([top - fall / 2, top + fall / 2], axis=1) * 2**_FRACTION_BITS)
        layer = np.zeros((height, width), dtype=np.uint8)
        light = round(255 * _STREAK_LIGHT)
        lines = list(ends.astype(np.int32))
        thickness = max(1, round(_STREAK_WIDTH * height))
        cv2.polylines(layer, lines, False, light, thickness, cv2.LINE_AA, _FRACTION_BITS)
        cover = layer[..., None].astype(np.float32) / 255
        return grey_levels(image + cover * (np.array(_STREAK_COLOR, dtype=np.float32) - image))


_STILL = 0.5  # pixels a frame below which a thing has no direction of its own


@dataclass(frozen=True)
class MotionBlur:
    """Blur an image as an open shutter does. The mask shows a thing halfway through its motion.

    Attributes:
        video: Its ground truth gives the places and the motion of things. Without ground truth, all
            pixels are blurred horizontally.
        share: Length of the blur as a share of the frame's height.
    """

    video: Video
    share: float

    def __call__(self, image: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        """Blur the image of a frame."""
        length = max(1, round(self.share * image.shape[0]))
        blurred = cv2.blur(image, (length, 1))
        if not self.video.has_truth:
            return np.asarray(blurred, dtype=np.uint8)
        truth = self.video.truth(index)
        drawn = blurred.astype(np.float32)
        for code, box in boxes_of(truth, self.video.info.labels).items():
            around = box.grown(length, length)
            rows = slice(max(0, around.top), around.bottom)
            columns = slice(max(0, around.left), around.right)
            kernel = _line(length, *self._direction(code, index))
            mask = (truth.codes[rows, columns] == code).astype(np.float32)
            _smear(drawn[rows, columns], image[rows, columns], mask, kernel)
        return grey_levels(drawn)

    def _direction(self, code: int, index: int) -> tuple[float, float]:
        """Return the unit vector (x, y) of a motion; horizontal if the thing stands still."""
        track = survey(self.video).tracks[code]
        (x_before, y_before), (x, y) = (
            track.get(index + step, track[index]).centre for step in (-1, 1)
        )
        across, down = x - x_before, y - y_before
        distance = float(np.hypot(across, down))
        return (1.0, 0.0) if distance < _STILL else (across / distance, down / distance)


def _line(length: int, across: float, down: float) -> NDArray[np.float32]:
    """Return the kernel of a straight motion; its sum is 1."""
    size = length | 1
    middle, fraction_bits = size // 2, 4
    ends = [
        tuple(
            round((middle + sign * part * (length - 1) / 2) * 2**fraction_bits)
            for part in (across, down)
        )
        for sign in (-1, 1)
    ]
    kernel = np.zeros((size, size), dtype=np.uint8)
    cv2.line(kernel, ends[0], ends[1], 255, 1, cv2.LINE_AA, fraction_bits)
    return (kernel / np.float32(kernel.sum())).astype(np.float32)


def _smear(
    drawn: NDArray[np.float32],
    image: NDArray[np.uint8],
    mask: NDArray[np.float32],
    kernel: NDArray[np.float32],
) -> None:
    """Draw a moving thing, with its share of the exposure time as opacity."""
    layers = np.dstack([image * mask[..., None], mask])
    smeared = cv2.filter2D(layers, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    drawn *= 1 - smeared[..., 3:]
    drawn += smeared[..., :3]


_BLUR = 0.06  # of a thing's size, at full fading


@dataclass(frozen=True)
class WashedThings:
    """Fade the tracked things of a frame into their common mean grey.

    Attributes:
        video: Its ground truth gives the places of things.
        share: How far things fade, 0..1; at 1 all are flat silhouettes of one grey.
    """

    video: Video
    share: float

    def __call__(self, image: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        """Fade the things of a frame."""
        truth = self.video.truth(index)
        boxes = boxes_of(truth, self.video.info.labels)
        if not boxes:
            return image
        grey = _mean_grey(image, truth.codes, boxes)
        drawn = image.copy()
        for code, box in boxes.items():
            place = np.s_[box.top : box.bottom, box.left : box.right]
            mask = truth.codes[place] == code
            faded = self._faded(drawn[place], mask, grey)
            drawn[place][mask] = faded[mask]
        return drawn

    def _faded(
        self, image: NDArray[np.uint8], mask: NDArray[np.bool_], grey: float
    ) -> NDArray[np.uint8]:
        sigma = self.share * _BLUR * float(np.sqrt(np.count_nonzero(mask)))
        weight = mask.astype(np.float32)
        # Blurred within the silhouette only, so that the background does not bleed into the thing.
        colors = cv2.GaussianBlur(image * weight[..., None], (0, 0), sigma)
        weights = cv2.GaussianBlur(weight, (0, 0), sigma)
        soft = colors / np.maximum(weights, 1e-3)[..., None]
        toned = (1 - self.share) * soft + self.share * soft.mean(axis=2, keepdims=True)
        return grey_levels((1 - self.share) * toned + self.share * grey)


def _mean_grey(image: NDArray[np.uint8], codes: NDArray[np.uint32], boxes: dict[int, Box]) -> float:
    total, pixels = 0.0, 0
    for code, box in boxes.items():
        place = np.s_[box.top : box.bottom, box.left : box.right]
        total += float(image[place][codes[place] == code].mean(axis=1).sum())
        pixels += box.area
    return total / pixels
