"""What goes wrong in a camera: noise, exposure, compression."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mapt_bench.stress.dice import Diced
from mapt_bench.stress.grey_levels import grey_levels

__all__ = ["Exposure", "Jpeg", "Noise"]

_GAMMA = 2.2


@dataclass(frozen=True)
class Noise(Diced):
    """Adds normal noise, independent in each pixel and channel."""

    def __call__(self, image: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        """Add noise to the image of a frame."""
        generator = self.dice(index)
        noise = generator.standard_normal(image.shape, dtype=np.float32)
        noise *= np.float32(self.stress.value)
        noise += image
        return grey_levels(noise)


@dataclass(frozen=True)
class Exposure(Diced):
    """Lets more and less light in by turns; what leaves the range of the sensor is lost.

    Even frames are brighter and odd ones darker, or the other way round, each by at least half of
    the largest swing. Light is taken to be the grey level to the power of 2.2.
    """

    def __call__(self, image: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        """Expose the image of a frame anew."""
        factor = 2.0 ** (self.swing(index) / _GAMMA)
        table = np.rint(np.minimum(np.arange(256) * factor, 255)).astype(np.uint8)
        return np.asarray(cv2.LUT(image, table), dtype=np.uint8)

    def swing(self, index: int) -> float:
        """Return how many stops a frame is brighter."""
        side = 1 - 2 * int((self.dice().integers(2) + index) % 2)
        return side * self.stress.value * float(self.dice(index).uniform(0.5, 1))


@dataclass(frozen=True)
class Jpeg:
    """Compresses and opens again.

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
