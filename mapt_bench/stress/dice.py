"""Chance that is the same in every process: seeded by words, never by a hash of this run."""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from mapt_bench.stress.catalog import Stress

__all__ = ["Diced", "dice"]


def dice(stress: Stress, video: str, *purpose: object) -> np.random.Generator:
    """Return a generator for one purpose.

    Args:
        stress: Its name and seed count, its level does not: a stronger level is drawn alike.
        video: Name of the video.
        purpose: What the numbers are for, for example a frame's index.

    Example:
        >>> mild, strong = (dice(Stress("rain", level), "0001", 7).random() for level in (1, 5))
        >>> mild == strong
        True
    """
    words = "\0".join(map(str, (stress.seed, stress.name, video, *purpose)))
    return np.random.default_rng(int.from_bytes(sha256(words.encode()).digest()[:16], "big"))


@dataclass(frozen=True)
class Diced:
    """What is drawn by chance over one video.

    Attributes:
        stress: Level and seed.
        video: Name of the video.
    """

    stress: Stress
    video: str

    def dice(self, *purpose: object) -> np.random.Generator:
        """Return a generator for one purpose, see :func:`dice`."""
        return dice(self.stress, self.video, *purpose)
