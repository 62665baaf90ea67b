"""Things that lose their looks: colour and detail fade into one grey."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import Video
from mapt_bench.stress.grey_levels import grey_levels
from mapt_bench.stress.survey import Box, boxes_of

__all__ = ["WashedThings"]

_BLUR = 0.06  # of a thing's size, where it has faded whole


@dataclass(frozen=True)
class WashedThings:
    """Fades the tracked things of a frame into their common mean grey.

    Attributes:
        video: Its truth says where things are.
        share: How far, 0..1; at 1 all are flat silhouettes of one grey.
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
        # Blurred within the silhouette alone, so that nothing behind bleeds into the thing.
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
