"""Sums for pairs of tracks that occur together, part by part of a sequence."""

import numpy as np
from numpy.typing import NDArray

from mapt_bench.metrics.arithmetic import number_keys

__all__ = ["PairSums"]


class PairSums:
    """Sums by key, to which values are added in order of frames.

    Values of a key are added one after the other, so the rounding of its sum does not depend on the
    parts in which they come. Memory follows the number of distinct keys.

    Attributes:
        keys: ``int64`` of shape ``(n,)``: distinct keys so far, ascending.
        values: ``float64`` of shape ``(n,)``: sum of each key.

    Example:
        >>> sums = PairSums()
        >>> sums.add(np.array([7, 5, 7]), np.array([1.0, 2.0, 3.0]))
        >>> sums.add(np.array([6, 7]), np.array([1.0, 1.0]))
        >>> sums.keys.tolist(), sums.values.tolist()
        ([5, 6, 7], [2.0, 1.0, 5.0])
    """

    def __init__(self) -> None:
        self.keys = np.zeros(0, dtype=np.int64)
        self.values = np.zeros(0)

    def add(self, keys: NDArray[np.int64], values: NDArray[np.number]) -> None:
        """Add values, in order of frames.

        Args:
            keys: ``(m,)`` key of each value.
            values: ``(m,)``.
        """
        distinct, group = number_keys(keys)
        if not self.keys.size:
            sums = np.bincount(group, weights=values, minlength=len(distinct)).astype(np.float64)
            self.keys, self.values = distinct, sums
            return
        joined = np.union1d(self.keys, distinct)
        sums = np.zeros(len(joined))
        sums[np.searchsorted(joined, self.keys)] = self.values
        np.add.at(sums, np.searchsorted(joined, distinct)[group], values)
        self.keys, self.values = joined, sums
