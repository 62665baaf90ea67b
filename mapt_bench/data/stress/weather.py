"""Fog and rain."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.stress.catalog import Stress
from mapt_bench.data.stress.dice import dice
from mapt_bench.data.stress.survey import boxes_of
from mapt_bench.labels import KnownVideo, Video

__all__ = ["Fog", "Rain"]

_FOG_COLOR = (206, 210, 214)
_CONTRAST_LEFT = 0.05  # at the distance of visibility
_HORIZON = 0.47  # of the height; the camera of KITTI
_FOCAL = 1.92  # in image heights
_ELEVATION = 1.65  # metres
_FARTHEST = 80.0  # metres: what stands above the horizon

_STREAK_PIXELS = 10_000
_STREAK_LENGTH = (0.03, 0.09)  # of the height
_STREAK_LIGHT = 0.45
_STREAK_COLOR = (214, 218, 224)
_FRACTION_BITS = 4


@dataclass(frozen=True)
class Fog:
    """Mixes each pixel with grey, the more the farther it is (Koschmieder's law).

    Distances are those of a flat ground seen by the camera of KITTI (1.65 m high, focal length
    1.92 image heights, horizon at 47 % of the height). A thing has its own distance: the one that
    is known, or that of the ground at its lowest pixel.

    Attributes:
        video: Says where things are, if it can.
        visibility: Metres at which 5 % of the contrast is left.
    """

    video: Video
    visibility: float

    def __call__(self, image: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        """Draw fog over the image of a frame."""
        distance = self._distance(image.shape[0], image.shape[1], index)
        left = np.exp(distance * np.float32(np.log(_CONTRAST_LEFT) / self.visibility))
        fog = np.array(_FOG_COLOR, dtype=np.float32)
        foggy = (image - fog) * left[..., None] + fog
        return cv2.convertScaleAbs(foggy)  # rounds

    def _distance(self, height: int, width: int, index: int) -> NDArray[np.float32]:
        by_row = _ground_distance(height)
        distance = np.repeat(by_row[:, None], width, axis=1)
        if not self.video.has_truth:
            return distance
        known = {}
        if isinstance(self.video, KnownVideo):
            known = {entry.code: entry.depth for entry in self.video.objects(index)}
        truth = self.video.truth(index)
        for code, box in boxes_of(truth, self.video.info.labels).items():
            place = np.s_[box.top : box.bottom, box.left : box.right]
            of_thing = known.get(code, float(by_row[box.bottom - 1]))
            distance[place][truth.codes[place] == code] = of_thing
        return distance


def _ground_distance(height: int) -> NDArray[np.float32]:
    """Return metres along the camera's axis to the ground in each row, ``(height,)``."""
    below = np.maximum(np.arange(height) + 0.5 - _HORIZON * height, 1e-3)
    return np.minimum(_ELEVATION * _FOCAL * height / below, _FARTHEST).astype(np.float32)


@dataclass(frozen=True)
class Rain:
    """Draws bright streaks, others in every frame, that fall in one direction.

    Attributes:
        stress: Level and seed.
        video: Name of the video.
    """

    stress: Stress
    video: str

    def __call__(self, image: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        """Draw rain over the image of a frame."""
        height, width = image.shape[:2]
        count = round(self.stress.value * height * width / _STREAK_PIXELS)
        slant = dice(self.stress, self.video).uniform(-0.35, 0.35)
        drops = dice(self.stress, self.video, index).random((count, 4))
        length = height * (
            _STREAK_LENGTH[0] + (_STREAK_LENGTH[1] - _STREAK_LENGTH[0]) * drops[:, 2]
        )
        top = np.stack([drops[:, 0] * 1.2 * width - 0.1 * width, drops[:, 1] * height], axis=1)
        lean = slant + 0.06 * (drops[:, 3] - 0.5)
        fall = np.stack([lean * length, length], axis=1)
        ends = np.rint(np.stack([top - fall / 2, top + fall / 2], axis=1) * 2**_FRACTION_BITS)
        layer = np.zeros((height, width), dtype=np.uint8)
        light = round(255 * _STREAK_LIGHT)
        cv2.polylines(
            layer, list(ends.astype(np.int32)), False, light, 1, cv2.LINE_AA, _FRACTION_BITS
        )
        cover = layer[..., None].astype(np.float32) / 255
        rainy = image + cover * (np.array(_STREAK_COLOR, dtype=np.float32) - image)
        return cv2.convertScaleAbs(rainy)
