"""Ratios and means that know when they are undefined.

Formulas of scores work on arrays, where NaN is undefined. Leading axes stand for many selections
of sequences at once; :func:`defined` and :func:`plain` turn one selection into plain numbers.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Array",
    "defined",
    "geometric_mean",
    "harmonic_mean",
    "mean",
    "mean_of_all",
    "mean_where",
    "plain",
    "ratio",
]

Array = NDArray[np.float64]


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> NDArray[np.float64]:
    """Divide elementwise; NaN where the denominator is 0.

    Example:
        >>> ratio([1.0, 0.0], [2.0, 0.0])
        array([0.5, nan])
    """
    below = np.asarray(denominator, dtype=np.float64)
    above = np.asarray(numerator, dtype=np.float64)
    above, below = np.broadcast_arrays(above, below)
    quotient = np.full(below.shape, np.nan)
    np.divide(above, below, out=quotient, where=below != 0)
    return quotient


def defined(value: ArrayLike) -> float | None:
    """Return a plain float, or ``None`` for NaN."""
    number = float(np.asarray(value, dtype=np.float64))
    return None if math.isnan(number) else number


def plain(values: Mapping[str, Array]) -> dict[str, float | None]:
    """Return the scores of one selection as plain floats, ``None`` for NaN."""
    return {name: defined(value) for name, value in values.items()}


def mean(values: NDArray[np.float64]) -> float | None:
    """Return the mean, or ``None`` of nothing."""
    return float(np.mean(values)) if values.size else None


def mean_where(values: Array, chosen: NDArray[np.bool_]) -> Array:
    """Return the mean over the chosen entries of the last axis; NaN of none.

    Args:
        values: ``(..., n)``; NaN only where it is not chosen.
        chosen: ``(..., n)``.

    Returns:
        ``(...)``.

    Example:
        >>> mean_where(np.array([1.0, 3.0, np.nan]), np.array([True, True, False]))
        array(2.)
    """
    values, chosen = np.broadcast_arrays(values, chosen)
    if values.ndim == 1:  # no zeros among the terms, which would change the last digit of a sum
        kept = values[chosen]
        return np.asarray(np.mean(kept) if kept.size else np.nan)
    return ratio(np.where(chosen, values, 0).sum(axis=-1), chosen.sum(axis=-1))


def mean_of_all(values: ArrayLike) -> Array:
    """Return the mean over the last axis; NaN if any value is undefined (``None`` or NaN).

    Args:
        values: ``(..., n)``.

    Returns:
        ``(...)``. The sum of a single selection is rounded once only.

    Example:
        >>> mean_of_all([0.5, 1.0]), mean_of_all([0.5, None])
        (array(0.75), array(nan))
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 1:
        return ratio(math.fsum(array), array.size)
    return ratio(array.sum(axis=-1), array.shape[-1])


def geometric_mean(first: ArrayLike, second: ArrayLike) -> Array:
    """Return the square root of the product; NaN if either is undefined."""
    return np.asarray(np.sqrt(np.multiply(first, second)))


def harmonic_mean(first: ArrayLike, second: ArrayLike) -> Array:
    """Return 2ab / (a + b); NaN if either is undefined or both are 0."""
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    return ratio(2 * one * other, one + other)
