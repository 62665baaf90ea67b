"""Sums that merge: what a sequence adds to a score, small enough to keep, send and resample."""

import dataclasses
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Additive"]


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
        """Lay all fields into one vector; sums of vectors are vectors of sums.

        Counts are exact below 2**53. Made for resampling: a bootstrap over sequences is then a
        product of a weight matrix with a matrix of such rows.
        """
        return np.concatenate([_flat(value) for value in _values(self).values()])

    def from_vector(self, vector: NDArray[np.float64]) -> Self:
        """Return the object of this one's shape whose :meth:`to_vector` is ``vector``.

        Args:
            vector: ``(n,)``. Where every field is an array, also ``(..., n)``: the fields get
                the same leading axes, one entry for each vector, and stay ``float64``.
        """
        value: Self = _read(self, vector, 0)[0]
        return value


def _values(sums: Any) -> dict[str, Any]:  # noqa: ANN401 - the type of a dataclass has no name
    return {field.name: getattr(sums, field.name) for field in dataclasses.fields(sums)}


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
