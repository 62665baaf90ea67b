"""Motion blur: things along their own motion, everything else sideways."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import Video
from mapt_bench.stress.grey_levels import grey_levels
from mapt_bench.stress.survey import boxes_of, survey

__all__ = ["MotionBlur"]

_STILL = 0.5  # pixels a frame below which a thing has no direction of its own


@dataclass(frozen=True)
class MotionBlur:
    """Blurs an image as if the shutter had stayed open; a mask is where a thing is halfway.

    Attributes:
        video: Says where things are and how they move; without truth, all is blurred sideways.
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
        """Return the unit vector (x, y) along which a thing moves; sideways if it stands."""
        track = survey(self.video).tracks[code]
        (x_before, y_before), (x, y) = (
            track.get(index + step, track[index]).centre for step in (-1, 1)
        )
        across, down = x - x_before, y - y_before
        distance = float(np.hypot(across, down))
        return (1.0, 0.0) if distance < _STILL else (across / distance, down / distance)


def _line(length: int, across: float, down: float) -> NDArray[np.float32]:
    """Return the kernel of a straight motion through its middle; its sum is 1."""
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
    """Draw a thing that moved over what is there, as thin as it was short in each place."""
    layers = np.dstack([image * mask[..., None], mask])
    smeared = cv2.filter2D(layers, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    drawn *= 1 - smeared[..., 3:]
    drawn += smeared[..., :3]
