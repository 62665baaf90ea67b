"""Sums for pairs of tracks that occur together, part by part of a sequence."""

import numpy as np
from numpy.typing import NDArray

from mapt_bench.metrics.arithmetic import number_keys

__all__ = ["PairSums"]

_JOINED_AT_LEAST = 1 << 16  # values


class PairSums:
    """Sums by key, to which values are added in order of frames.

    Values of a key are added one after the other, so the rounding of its sum does not depend on the
    parts in which they come. Memory follows the number of distinct keys.

    Example:
        >>> sums = PairSums()
        >>> sums.add(np.array([7, 5, 7]), np.array([1.0, 2.0, 3.0]))
        >>> sums.add(np.array([6, 7]), np.array([1.0, 1.0]))
        >>> sums.keys.tolist(), sums.values.tolist()
        ([5, 6, 7], [2.0, 1.0, 5.0])
    """

    def __init__(self) -> None:
        self._keys: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
        self._values: list[NDArray[np.number]] = [np.zeros(0)]
        self._waiting = 0

    def add(self, keys: NDArray[np.int64], values: NDArray[np.number]) -> None:
        """Add values, in order of frames.

        Args:
            keys: ``(m,)`` key of each value.
            values: ``(m,)``.
        """
        self._keys.append(keys)
        self._values.append(values)
        self._waiting += len(keys)
        # Joining when there is as much as before keeps the time linear.
        if self._waiting > max(len(self._keys[0]), _JOINED_AT_LEAST):
            self._join()

    def _join(self) -> None:
        if len(self._keys) == 1:
            return
        keys, group = number_keys(np.concatenate(self._keys))
        # The sum so far is the first value of its key.
        weights = np.concatenate(self._values)
        sums = np.bincount(group, weights=weights, minlength=len(keys)).astype(np.float64)
        self._keys, self._values, self._waiting = [keys], [sums], 0

    @property
    def keys(self) -> NDArray[np.int64]:
        """Distinct keys so far, ascending, ``int64`` of shape ``(n,)``."""
        self._join()
        return self._keys[0]

    @property
    def values(self) -> NDArray[np.float64]:
        """Sum of each key, ``float64`` of shape ``(n,)``."""
        self._join()
        return np.asarray(self._values[0], dtype=np.float64)
