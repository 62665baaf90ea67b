"""Fog and rain."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import ID_BITS, AnnotatedVideo, PanopticMap, Video
from mapt_bench.stress.dice import Diced
from mapt_bench.stress.grey_levels import grey_levels
from mapt_bench.stress.survey import boxes_of

__all__ = ["Fog", "Rain"]

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
    """Mixes each pixel with grey, the more the farther it is (Koschmieder's law).

    Distances are those of a street: flat ground seen by the camera of KITTI (1.65 m high, focal
    length 1.92 image heights, horizon at 47 % of the height), and fronts 8 m to either side of
    the camera's path. A thing has its own distance: the one that is known, or that of the ground
    at its lowest pixel. Sky is 80 m away, and nothing is farther.

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
    """Return at which distance a plane so many metres off the axis is seen at pixel offsets."""
    beyond = np.maximum(offset + 0.5, 1e-3)
    return np.asarray(np.minimum(metres * _FOCAL * height / beyond, _FARTHEST), dtype=np.float32)


@dataclass(frozen=True)
class Rain(Diced):
    """Draws bright streaks, others in every frame, that fall in one direction."""

    def __call__(self, image: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        """Draw rain over the image of a frame."""
        height, width = image.shape[:2]
        count = round(self.stress.value * height * width / _STREAK_PIXELS)
        slant = self.dice().uniform(-0.35, 0.35)
        drops = self.dice(index).random((count, 4))
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
