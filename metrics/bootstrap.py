"""Uncertainty of a score: BCa intervals, paired differences, and correction for many comparisons.

All functions work with any *units*. In this project a unit is a sequence: it has the sums of the
sequence, and the statistic pools any selection of units into scores. A statistic returns several
scores at once, so one pass of resampling is enough for all of them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.metrics.arithmetic import defined

__all__ = [
    "PERMUTATIONS",
    "Interval",
    "OfCounts",
    "PairedDifference",
    "bootstrap_interval",
    "bootstrap_intervals",
    "holm",
    "paired_difference",
    "paired_differences",
]

_FEWEST_UNITS = 5
"""With fewer units there is no interval: a tail of the distribution needs more distinct resamples.
"""

_MOST_UNDEFINED = 0.05
"""Share of resamples in which a score may be undefined before its interval is withheld."""

PERMUTATIONS = 20_000
"""Random exchanges of the permutation test. The smallest p is 1 / 20,001. So with Holm's
correction, a family of up to 1,000 comparisons can still be significant at 5 %. With up to 14 units
there are at most 2^14 exchanges, and all of them are used instead."""

_AT_ONCE = 2_000
"""Selections that are scored together, so that their sums need little memory."""

_EQUAL = 1e-12
"""Smaller differences are rounding errors of sums in another order."""

_NORMAL = NormalDist()

Unit = TypeVar("Unit")

OfCounts = Callable[[Sequence[Unit], NDArray[np.int64]], NDArray[np.float64]]
"""A statistic of many selections at once: takes units and how often each selection has each of
them, shape ``(selections, units)``, and returns the scores, shape ``(selections, k)``."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval, or the reason why there is none.

    Attributes:
        low: Lower end in the unit of the score; ``None`` if there is no interval.
        high: Upper end, likewise.
        level: Nominal coverage, for example 0.95.
        method: Method, for example ``"BCa bootstrap, 2000 resamples"``.
        n: Number of units.
        reason: Reason why there is no interval, or a remark about this interval.
    """

    low: float | None
    high: float | None
    level: float
    method: str
    n: int
    reason: str | None = None

    def to_dict(self) -> dict[str, float | int | str]:
        """Return ``low, high, level, method, n``, or ``n`` and ``reason`` without an interval."""
        if self.low is None or self.high is None:
            return {"n": self.n, "reason": self.reason or "no interval"}
        found: dict[str, float | int | str] = {
            "low": self.low,
            "high": self.high,
            "level": self.level,
            "method": self.method,
            "n": self.n,
        }
        return found if self.reason is None else {**found, "reason": self.reason}


@dataclass(frozen=True)
class PairedDifference:
    """The difference of one score between two systems on the same units.

    Attributes:
        value: Score of a. ``None`` if undefined.
        reference_value: Score of b. ``None`` if undefined.
        difference: Score of a minus score of b. ``None`` if one of them is undefined.
        interval: BCa interval of the difference.
        p_value: Two-sided p value of the sign-flip permutation test. ``None`` if undefined.
        p_method: ``"exact"``, or ``"Monte Carlo"`` with the number of permutations.
        n: Number of paired units.
    """

    value: float | None
    reference_value: float | None
    difference: float | None
    interval: Interval
    p_value: float | None
    p_method: str
    n: int

    def to_dict(self) -> dict[str, object]:
        """Return the same fields, ready for JSON."""
        return {
            "value": self.value,
            "reference_value": self.reference_value,
            "difference": self.difference,
            "interval": self.interval.to_dict(),
            "p_value": self.p_value,
            "p_method": self.p_method,
            "n": self.n,
        }


def bootstrap_intervals(
    units: Sequence[Unit],
    statistic: Callable[[Sequence[Unit]], ArrayLike | None],
    *,
    of_counts: OfCounts[Unit] | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> list[Interval]:
    """Return a BCa interval for every score of a statistic, from one pass of resampling.

    Args:
        units: Independent units, one per sequence.
        statistic: Takes any selection of the units (with repeats) and returns its k scores,
            shape ``(k,)``. NaN (or ``None`` for a single score) means undefined.
        of_counts: The same statistic for many selections at once, if that is faster.
        level: Nominal coverage in (0, 1).
        resamples: Number of bootstrap resamples, at least 100.
        seed: Seed of the resampling; equal seeds give equal intervals.

    Returns:
        k intervals, in the order of the scores. With fewer than 5 units, or if the score is
        undefined, or undefined in more than 5 % of the resamples, there is a reason instead of an
        interval. A smaller share of undefined resamples is omitted, and ``reason`` has their
        number. If no resample changes the score, the interval has zero width.

    Raises:
        ConfigError: If ``level`` or ``resamples`` is out of range.
        DataError: If there are no units.

    Note:
        Bias-corrected and accelerated bootstrap: Efron 1987, "Better bootstrap confidence
        intervals", JASA 82, with the acceleration from the jackknife (Efron and Tibshirani 1993,
        eq. 14.15). Resamples equal to the estimate count half in the bias correction.

    Example:
        >>> bootstrap_intervals([0.5] * 5, lambda some: [sum(some) / len(some)])[0].high
        0.5
    """
    _check_settings(units, level, resamples, seed)
    estimate = _scores(statistic, units)
    method = f"BCa bootstrap, {resamples} resamples"
    n = len(units)
    if n < _FEWEST_UNITS:
        reason = f"{n} sequence{'' if n == 1 else 's'}; an interval needs at least {_FEWEST_UNITS}"
        return [Interval(None, None, level, method, n, reason) for _ in estimate]
    indices = np.random.default_rng(seed).integers(0, n, (resamples, n))
    if of_counts is not None:
        own_bins = indices + n * np.arange(resamples)[:, None]
        counts = np.bincount(own_bins.ravel(), minlength=n * resamples).reshape(resamples, n)
        resampled = of_counts(units, counts)
        jackknife = of_counts(units, 1 - np.eye(n, dtype=np.int64))
    else:
        resampled = np.stack([_scores(statistic, [units[i] for i in row]) for row in indices])
        left_out = [[*units[:i], *units[i + 1 :]] for i in range(n)]
        jackknife = np.stack([_scores(statistic, rest) for rest in left_out])
    intervals = []
    for k, value in enumerate(estimate):
        low, high, reason_or_none = _bca(float(value), resampled[:, k], jackknife[:, k], level)
        intervals.append(Interval(low, high, level, method, n, reason_or_none))
    return intervals


def bootstrap_interval(
    units: Sequence[Unit],
    statistic: Callable[[Sequence[Unit]], float | None],
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Return a BCa interval for one score. ``None`` from the statistic means undefined.

    See :func:`bootstrap_intervals`, which computes several scores at the cost of one.
    """
    return bootstrap_intervals(units, statistic, level=level, resamples=resamples, seed=seed)[0]


def paired_differences(
    units_a: Sequence[Unit],
    units_b: Sequence[Unit],
    statistic: Callable[[Sequence[Unit]], ArrayLike | None],
    *,
    of_counts: OfCounts[Unit] | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> list[PairedDifference]:
    """Compare two systems on the same sequences, for all scores at once.

    Args:
        units_a: Units of the first system, one per sequence.
        units_b: Units of the second system, for the same sequences in the same order.
        statistic: See :func:`bootstrap_intervals`.
        of_counts: See :func:`bootstrap_intervals`.
        level: Nominal coverage of the intervals.
        resamples: Number of bootstrap resamples.
        permutations: Number of random exchanges of the test. If there are no more exchanges than
            this, all of them are used.
        seed: Seed of resampling and exchanges.

    Returns:
        One difference (a minus b) for each score.

    Raises:
        ConfigError: If ``level``, ``resamples`` or ``permutations`` is out of range.
        DataError: If the numbers of units differ, or there are none.

    Note:
        The interval resamples sequences and keeps pairs together. The test exchanges the units of
        both systems in a random set of sequences and computes the statistic of both sides again.
        So it is valid for pooled scores and for means. If all exchanges are used, p is exact.
        Otherwise it is ``(1 + extreme) / (1 + tried)`` (Phipson and Smyth 2010). An exchange with
        an undefined score counts as extreme, which can only increase p.
    """
    if len(units_a) != len(units_b):
        raise DataError(
            f"{len(units_a)} and {len(units_b)} units cannot be paired; "
            "give both systems' results on the same sequences in the same order"
        )
    pairs = list(zip(units_a, units_b, strict=True))

    def both(some: Sequence[tuple[Unit, Unit]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return _scores(statistic, [a for a, _ in some]), _scores(statistic, [b for _, b in some])

    def difference(some: Sequence[tuple[Unit, Unit]]) -> NDArray[np.float64]:
        of_a, of_b = both(some)
        return of_a - of_b

    of_pair_counts: OfCounts[tuple[Unit, Unit]] | None = None
    if of_counts is not None:
        of_pair_counts = partial(_difference_of_counts, of_counts)
    intervals = bootstrap_intervals(
        pairs,
        difference,
        of_counts=of_pair_counts,
        level=level,
        resamples=resamples,
        seed=seed,
    )
    of_a, of_b = both(pairs)
    observed = of_a - of_b
    flips, exact = _sign_flips(len(pairs), permutations, seed)
    if of_counts is not None:
        flipped = _exchanged(of_counts, [*units_a, *units_b], flips)
    else:
        flipped = np.stack(
            [
                difference(
                    [(b, a) if flip else (a, b) for flip, (a, b) in zip(row, pairs, strict=True)]
                )
                for row in flips
            ]
        )
    p_method = "exact" if exact else f"Monte Carlo, {len(flips)} permutations"
    return [
        PairedDifference(
            defined(of_a[k]),
            defined(of_b[k]),
            defined(value),
            intervals[k],
            _p_value(float(value), flipped[:, k], exact=exact),
            p_method,
            len(pairs),
        )
        for k, value in enumerate(observed)
    ]


def _exchanged(
    of_counts: OfCounts[Unit], both: Sequence[Unit], flips: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the difference of the scores for each exchange of units between two systems."""
    found = []
    for start in range(0, len(flips), _AT_ONCE):
        some = flips[start : start + _AT_ONCE]
        counts = np.hstack([~some, some]).astype(np.int64)
        found.append(of_counts(both, counts) - of_counts(both, 1 - counts))
    return np.concatenate(found)


def _difference_of_counts(
    of_counts: OfCounts[Unit], pairs: Sequence[tuple[Unit, Unit]], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    of_a = of_counts([a for a, _ in pairs], counts)
    return of_a - of_counts([b for _, b in pairs], counts)


def paired_difference(
    units_a: Sequence[Unit],
    units_b: Sequence[Unit],
    statistic: Callable[[Sequence[Unit]], float | None],
    *,
    level: float = 0.95,
    resamples: int = 2000,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> PairedDifference:
    """Compare two systems by one score; see :func:`paired_differences`.

    Example:
        >>> ahead = [0.75, 0.75, 0.75, 0.75, 0.75]
        >>> behind = [0.5, 0.5, 0.5, 0.5, 0.5]
        >>> found = paired_difference(ahead, behind, lambda some: sum(some) / len(some))
        >>> found.difference, found.p_value  # 2 of the 32 exchanges are as extreme
        (0.25, 0.0625)
    """
    return paired_differences(
        units_a,
        units_b,
        statistic,
        level=level,
        resamples=resamples,
        permutations=permutations,
        seed=seed,
    )[0]


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Correct p values for the number of comparisons in one table.

    Args:
        p_values: One p value per comparison, in [0, 1]. ``None`` is not counted and stays ``None``.

    Returns:
        Adjusted p values in the same order. They bound the probability of any false positive,
        also for dependent comparisons.

    Note:
        Holm 1979, "A simple sequentially rejective multiple test procedure".

    Example:
        >>> holm([0.25, 0.0625, None])
        [0.25, 0.125, None]
    """
    order = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, i) in enumerate(order):
        highest = max(highest, min(1.0, p * (len(order) - rank)))
        adjusted[i] = highest
    return adjusted


def _check_settings(units: Sequence[object], level: float, resamples: int, seed: int) -> None:
    if seed < 0:
        raise ConfigError(f"the seed of the resampling is {seed}; give a whole number from 0")
    if not 0 < level < 1:
        raise ConfigError(f"the level of an interval is {level}; give a number between 0 and 1")
    if resamples < 100:
        raise ConfigError(f"{resamples} resamples are too few for an interval; give at least 100")
    if not units:
        raise DataError("there are no sequences to draw an interval from; give at least one")


def _scores(
    statistic: Callable[[Sequence[Unit]], ArrayLike | None], units: Sequence[Unit]
) -> NDArray[np.float64]:
    return np.atleast_1d(np.asarray(statistic(units), dtype=np.float64))


def _bca(
    estimate: float,
    resampled: NDArray[np.float64],
    jackknife: NDArray[np.float64],
    level: float,
) -> tuple[float | None, float | None, str | None]:
    """Return low, high, and a reason: why there is no interval, or which resamples are omitted."""
    if math.isnan(estimate):
        return None, None, "the score is undefined"
    known = resampled[~np.isnan(resampled)]
    missing = len(resampled) - len(known)
    if missing > _MOST_UNDEFINED * len(resampled) or np.isnan(jackknife).any():
        return None, None, f"undefined in {missing} of {len(resampled)} resamples"
    note = f"{missing} of {len(resampled)} resamples undefined and left out" if missing else None
    if np.ptp(known) <= _EQUAL * max(1.0, abs(estimate)):
        return estimate, estimate, note
    margin = _EQUAL * max(1.0, abs(estimate))
    lower = np.count_nonzero(known < estimate - margin)
    below = (lower + np.count_nonzero(known <= estimate + margin)) / 2
    if not 0 < below < len(known):
        return None, None, "the estimate lies outside all resamples"
    bias = _NORMAL.inv_cdf(below / len(known))
    acceleration = _acceleration(jackknife)
    ends = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        shifted = bias + _NORMAL.inv_cdf(tail)
        ends.append(_NORMAL.cdf(bias + shifted / (1 - acceleration * shifted)))
    low, high = np.quantile(known, ends)
    return float(low), float(high), note


def _acceleration(jackknife: NDArray[np.float64]) -> float:
    distance = jackknife.mean() - jackknife
    spread = float((distance**2).sum())
    if spread <= _EQUAL**2:
        return 0.0
    return float((distance**3).sum()) / (6 * math.pow(spread, 1.5))


def _sign_flips(n: int, permutations: int, seed: int) -> tuple[NDArray[np.bool_], bool]:
    """Return the units to exchange, shape ``(permutations, n)``, and whether these are all sets.

    The exact test never exchanges the first unit. Exchanging the complement gives the negative
    difference, which is equally extreme, so half of all sets give the same p.
    """
    if permutations < 1:
        raise ConfigError(f"{permutations} permutations are too few for a test; give at least 1")
    if 2**n <= permutations:
        codes = np.arange(2 ** (n - 1))
        return (codes[:, None] >> np.arange(n)[None, :] & 1)[:, ::-1].astype(bool), True
    return np.random.default_rng(seed).integers(0, 2, (permutations, n)).astype(bool), False


def _p_value(observed: float, flipped: NDArray[np.float64], *, exact: bool) -> float | None:
    if math.isnan(observed):
        return None
    margin = _EQUAL * max(1.0, abs(observed))
    # NaN is not below anything, so an undefined exchange counts as extreme.
    extreme = len(flipped) - int(np.count_nonzero(np.abs(flipped) < abs(observed) - margin))
    return extreme / len(flipped) if exact else (1 + extreme) / (1 + len(flipped))
