"""Choices that come out evenly over consecutive seeds, so that small suites are like large ones."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

__all__ = ["even_choice", "even_count", "even_share"]

T = TypeVar("T")

# Roberts 2018, "The Unreasonable Effectiveness of Quasirandom Sequences": the shares of the
# sequence R2 in two dimensions, as parts of 2**32; a whole number of seeds stays exact.
_STEPS = (3242174889, 2447445414)
_WHOLE = 1 << 32


def even_share(seed: int, dimension: int = 0) -> float:
    """Return a number in 0..1; those of consecutive seeds are spread evenly.

    Args:
        seed: 0 or more.
        dimension: 0 or 1: two sequences that do not follow each other.
    """
    return (seed * _STEPS[dimension] + _WHOLE // 2) % _WHOLE / _WHOLE


def even_choice(seed: int, weights: Mapping[T, float]) -> tuple[T, float]:
    """Choose by weight, each choice as often among consecutive seeds as its weight says.

    Args:
        seed: 0 or more.
        weights: Weight of each choice; they add up to 1.

    Returns:
        The choice, and a number in 0..1 that is spread evenly over the seeds that make it.
    """
    start = 0.0
    share = even_share(seed)
    for choice, weight in weights.items():
        within = (share - start) / weight
        if within < 1:
            return choice, within
        start += weight
    return choice, 1.0  # the weights came to a little less than 1


def even_count(seed: int, counts: Sequence[int]) -> int:
    """Return one of some counts, each as often among consecutive seeds; unlike other choices.

    Args:
        seed: 0 or more.
        counts: What is chosen from.
    """
    return counts[int(even_share(seed, 1) * len(counts))]
