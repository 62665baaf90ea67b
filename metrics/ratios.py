"""Ratios and means that know when they are undefined."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["defined", "geometric_mean", "harmonic_mean", "mean", "mean_of_all", "ratio"]


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> NDArray[np.float64]:
    """Divide elementwise; NaN where the denominator is 0.

    Example:
        >>> ratio([1.0, 0.0], [2.0, 0.0])
        array([0.5, nan])
    """
    below = np.asarray(denominator, dtype=np.float64)
    above = np.broadcast_to(np.asarray(numerator, dtype=np.float64), below.shape)
    quotient = np.full(below.shape, np.nan)
    np.divide(above, below, out=quotient, where=below != 0)
    return quotient


def defined(value: float) -> float | None:
    """Return a plain float, or ``None`` for NaN."""
    return None if math.isnan(value) else float(value)


def mean(values: NDArray[np.float64]) -> float | None:
    """Return the mean, or ``None`` of nothing."""
    return float(np.mean(values)) if values.size else None


def mean_of_all(values: Sequence[float | None]) -> float | None:
    """Return the mean, or ``None`` if any value is undefined."""
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(values) else None


def geometric_mean(first: float | None, second: float | None) -> float | None:
    """Return the square root of the product; ``None`` if either is undefined."""
    return None if first is None or second is None else math.sqrt(first * second)


def harmonic_mean(first: float | None, second: float | None) -> float | None:
    """Return 2ab / (a + b); ``None`` if either is undefined or both are 0."""
    if first is None or second is None or first + second == 0:
        return None
    return 2 * first * second / (first + second)
