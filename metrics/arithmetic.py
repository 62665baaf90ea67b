"""Arithmetic of all scores: sums that can be added, ratios that may be undefined, equal keys.

Formulas of scores work on arrays. NaN is undefined. Leading axes are selections of sequences, which
are computed at once. :func:`defined` and :func:`plain` convert one selection to plain numbers.
"""

import dataclasses
import functools
import math
from collections.abc import Hashable, Mapping
from typing import Any, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Additive",
    "Array",
    "Block",
    "BlockValue",
    "defined",
    "geometric_mean",
    "harmonic_mean",
    "mean",
    "mean_of_all",
    "mean_where",
    "number_keys",
    "plain",
    "ratio",
    "sum_by_key",
    "sum_by_key_roughly",
]


class Additive:
    """Base of dataclasses that can be added, field by field.

    Fields are numbers, arrays, ``Additive`` objects or tuples of these; tuples add element by
    element. The order of additions never matters for integers, and for real numbers only up to
    rounding.
    """

    def __add__(self, other: Self) -> Self:
        mine, theirs = _values(self), _values(other)
        return type(self)(**{name: _added(mine[name], theirs[name]) for name in mine})

    def to_vector(self) -> NDArray[np.float64]:
        """Return all fields as one vector. Adding vectors is the same as adding objects.

        Counts are exact below 2**53. A bootstrap over sequences is then a product of a weight
        matrix with a matrix of such rows.
        """
        return np.concatenate([_flat(value) for value in _values(self).values()])

    def from_vector(self, vector: NDArray[np.float64]) -> Self:
        """Return the object of the same shape whose :meth:`to_vector` is ``vector``.

        Args:
            vector: ``(n,)``. Where every field is an array, also ``(..., n)``: the fields get
                the same leading axes, one entry for each vector, and stay ``float64``.
        """
        value: Self = _read(self, vector, 0)[0]
        return value


def _values(sums: Any) -> dict[str, Any]:  # noqa: ANN401 - the type of a dataclass has no name
    return {name: getattr(sums, name) for name in _field_names(sums.__class__)}


@functools.cache  # dataclasses.fields is slow, and sums are added a hundred thousand times
def _field_names(kind: Hashable) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))  # type: ignore[arg-type]


def _added(first: Any, second: Any) -> Any:  # noqa: ANN401 - a field of any additive kind
    if isinstance(first, tuple):
        return tuple(_added(mine, theirs) for mine, theirs in zip(first, second, strict=True))
    return first + second


def _flat(value: Any) -> NDArray[np.float64]:  # noqa: ANN401 - a field of any additive kind
    if isinstance(value, Additive):
        return value.to_vector()
    if isinstance(value, tuple):
        return np.concatenate([np.zeros(0), *(_flat(part) for part in value)])
    return np.asarray(value, dtype=np.float64).ravel()


def _read(like: Any, vector: NDArray[np.float64], start: int) -> tuple[Any, int]:  # noqa: ANN401
    """Return the value of a shape that starts at a position, and the position after it."""
    if isinstance(like, np.ndarray):
        end = start + like.size
        part = vector[..., start:end].reshape((*vector.shape[:-1], *like.shape))
        return part if vector.ndim > 1 else part.astype(like.dtype), end
    if not isinstance(like, Additive | tuple):
        return type(like)(vector[start]), start + 1
    names = None if isinstance(like, tuple) else list(_values(like))
    parts = []
    for part in like if isinstance(like, tuple) else _values(like).values():
        value, start = _read(part, vector, start)
        parts.append(value)
    if names is None:
        return tuple(parts), start
    return type(like)(**dict(zip(names, parts, strict=True))), start


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
    """Return the mean over the chosen entries of the last axis. NaN if none is chosen.

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
    """Return the mean over the last axis. NaN if any value is undefined (``None`` or NaN).

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


_Key = TypeVar("_Key", bound=np.integer)
_GOLDEN_RATIO = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: spreads keys (Knuth 6.4)


def number_keys(keys: NDArray[_Key]) -> tuple[NDArray[_Key], NDArray[np.int64]]:
    """Number the distinct keys in ascending order.

    This is ``np.unique`` with ``return_inverse``, but with a stable sort. Keys in order of frames
    consist of ascending runs, which a stable sort merges fast.

    Returns:
        The distinct keys, ascending, and for each key its position among them.

    Example:
        >>> number_keys(np.array([7, 5, 7]))
        (array([5, 7]), array([1, 0, 1]))
    """
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    is_first = _is_first(ordered)
    group = np.empty(len(keys), dtype=np.int64)
    group[order] = np.cumsum(is_first) - 1
    return ordered[is_first], group


def sum_by_key(
    keys: NDArray[np.uint64], values: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Add the values of equal keys.

    Returns:
        The distinct keys, ascending, and the sum of each.
    """
    return _sum_stretches(keys, values, keys.argsort(kind="stable"))


def sum_by_key_roughly(
    keys: NDArray[np.uint64], values: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Add the values of most equal keys: the fast first half of :func:`sum_by_key`.

    Thousands of keys with a few hundred distinct values are grouped by 16 bits of a hash. A radix
    sort orders these four times faster than the keys. If two keys share a hash, a key can occur in
    several sums.

    Returns:
        Keys in any order, each at least once, and sums that add up to all values of each key.
    """
    hashes = (keys * _GOLDEN_RATIO >> np.uint64(48)).astype(np.uint16)
    return _sum_stretches(keys, values, np.argsort(hashes, kind="stable"))


def _sum_stretches(
    keys: NDArray[np.uint64], values: NDArray[np.int64], order: NDArray[np.intp]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    if not keys.size:
        return keys, values
    ordered = keys[order]
    (firsts,) = _is_first(ordered).nonzero()
    return ordered[firsts], np.add.reduceat(values[order], firsts)


def _is_first(ordered: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return whether each key differs from the previous key."""
    is_first = np.empty(len(ordered), dtype=np.bool_)
    is_first[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return is_first


BlockValue: TypeAlias = "float | int | bool | str | list[float] | dict[str, BlockValue] | None"
Block: TypeAlias = dict[str, BlockValue]
