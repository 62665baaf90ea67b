"""The adaptive pairing interval: chosen for each frame from what the motion head predicts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import check_range

__all__ = ["AdaptivePair", "nearest_interval"]


@dataclass(frozen=True, kw_only=True)
class AdaptivePair:
    """How the pairing interval of each frame is chosen.

    The motion head predicts how far each segment moved since the frame before. The interval is the
    one over which the median segment moves nearest to a target: slow objects are compared with a
    frame longer ago, fast objects with the frame before.

    Attributes:
        target: Displacement over the square root of the area that is aimed at, above 0.
        longest: Longest interval in frames, 1 or more.

    Raises:
        ConfigError: If a value is out of range.
    """

    target: float
    longest: int = 5

    def __post_init__(self) -> None:
        check_range("pair_target", self.target, 0, open_low=True)
        check_range("longest_pair", self.longest, 1)

    def choose(self, displacements: NDArray[np.float32], *, shortest: int, frames: int) -> int:
        """Return the pairing interval of a frame.

        Args:
            displacements: Of each segment since the frame before, over the square root of its
                area, shape ``(n,)``.
            shortest: Shortest interval that may be chosen.
            frames: Frames of the video before this one. Longer intervals are left out.
        """
        longest = max(shortest, min(self.longest, frames))
        if not len(displacements):
            return shortest
        return nearest_interval(
            float(np.median(displacements)), self.target, range(shortest, longest + 1)
        )


def nearest_interval(displacement: float, target: float, intervals: range) -> int:
    """Return the interval whose displacement is nearest to a target, of equal ones the shortest.

    Args:
        displacement: Displacement from one frame to the next; it grows with the interval.
        target: Displacement that is aimed at.
        intervals: Intervals in frames.

    Example:
        >>> [nearest_interval(each, 0.5, range(1, 6)) for each in (0.05, 0.2, 0.9)]
        [5, 2, 1]
    """
    return min(intervals, key=lambda tau: (abs(tau * displacement - target), tau))
