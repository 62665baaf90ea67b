"""Shares of events that count, over sequences, with confidence intervals."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mapt_bench.metrics.bootstrap import Interval, bootstrap_intervals

__all__ = ["FourCounts", "Share", "bootstrap_shares", "count_table", "share_intervals"]

Share = tuple[float | None, list[float] | None]
"""Fraction, and the two ends of its confidence interval. ``None`` if undefined."""

FourCounts = tuple[int, int, int, int]
"""Counts of one group of events. The modules that count say of what."""

_Counts = NDArray[np.int64] | NDArray[np.float64]
_Key = TypeVar("_Key", bound=Hashable)


def count_table(
    sequences: Sequence[Mapping[_Key, FourCounts]], keys: Sequence[_Key]
) -> NDArray[np.int64]:
    """Return the counts of each sequence as a table: ``int64`` of shape ``(sequences, keys, 4)``.

    Args:
        sequences: Counts of each sequence. A key that one lacks has zeros.
        keys: Keys, in the order of the result.
    """
    rows = [[each.get(key, (0, 0, 0, 0)) for key in keys] for each in sequences]
    return np.array(rows, dtype=np.int64).reshape(len(sequences), len(keys), 4)


def share_intervals(totals: NDArray[np.int64], hits: _Counts, seed: int) -> list[Share]:
    """Return share and confidence interval of each group of events.

    Args:
        totals: Number of events ``(sequences, groups)``.
        hits: Those that count, of the same shape. An event may count in part.
        seed: Seed of the resampling.

    Returns:
        Fraction and pair of ends for each group, ``None`` if undefined. Empty without sequences.
    """
    if not len(totals):
        return []
    values = _shares(totals.sum(axis=0), hits.sum(axis=0))
    return [
        (
            None if math.isnan(value) else float(value),
            None if each.low is None or each.high is None else [float(each.low), float(each.high)],
        )
        for value, each in zip(values, bootstrap_shares(totals, hits, seed), strict=True)
    ]


def bootstrap_shares(totals: NDArray[np.int64], hits: _Counts, seed: int) -> list[Interval]:
    """Return the confidence interval of the share of each group. Sequences are resampled.

    Args:
        totals: Number of events ``(sequences, groups)``, of one sequence or more.
        hits: Those that count, of the same shape.
        seed: Seed of the resampling.
    """

    def of_counts(units: Sequence[int], counts: NDArray[np.int64]) -> NDArray[np.float64]:
        rows = np.asarray(units)
        return _shares(counts @ totals[rows], counts @ hits[rows])

    def shares(units: Sequence[int]) -> NDArray[np.float64]:
        return of_counts(units, np.ones(len(units), dtype=np.int64))

    return bootstrap_intervals(range(len(totals)), shares, of_counts=of_counts, seed=seed)


def _shares(totals: NDArray[np.int64], hits: _Counts) -> NDArray[np.float64]:
    return np.where(totals > 0, hits / np.maximum(totals, 1), math.nan)
