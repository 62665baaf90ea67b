"""A quantity's quantiles, or the reason why it has none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["QUANTILES", "Distribution"]

QUANTILES = {"minimum": 0.0, "p10": 0.1, "median": 0.5, "p90": 0.9, "p99": 0.99, "maximum": 1.0}
"""Name and share of each quantile that is given; between two values they are interpolated."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """How a quantity is distributed.

    Attributes:
        count: Number of values.
        quantiles: In the order of :data:`QUANTILES`; empty if there is no value.
        undefined: Why there is no value; ``None`` if there is one.
    """

    count: int
    quantiles: tuple[float, ...] = ()
    undefined: str | None = None

    @classmethod
    def of(cls, values: NDArray[np.number] | Sequence[float], undefined: str) -> Self:
        """Work out the quantiles of some values.

        Args:
            values: One-dimensional.
            undefined: The reason to give if there is none.

        Example:
            >>> Distribution.of([1, 2, 3], "nothing was measured").quantile("median")
            2.0
        """
        if not len(values):
            return cls(0, undefined=undefined)
        quantiles = np.quantile(np.asarray(values, dtype=np.float64), list(QUANTILES.values()))
        return cls(len(values), tuple(quantiles.tolist()))

    def quantile(self, name: str) -> float | None:
        """Return the quantile of a name of :data:`QUANTILES`; ``None`` if it is undefined."""
        return self.quantiles[list(QUANTILES).index(name)] if self.quantiles else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: ``count``, each quantile, and ``undefined`` where it has a reason."""
        plain: dict[str, Any] = {"count": self.count}
        plain |= {name: self.quantile(name) for name in QUANTILES}
        if self.undefined is not None:
            plain["undefined"] = self.undefined
        return plain
