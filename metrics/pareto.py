"""Pareto sets of two scores, and the area that they dominate."""

from collections.abc import Sequence

__all__ = ["hypervolume", "pareto_set"]

Points = Sequence[tuple[float, float]]


def pareto_set(points: Points) -> list[int]:
    """Return the points that no other point dominates: none is better in one score and no worse.

    Args:
        points: Two scores each, higher is better.

    Returns:
        Positions in order of the first score, highest first. Of equal points, the first one.

    Example:
        >>> pareto_set([(0.5, 0.9), (0.4, 0.8), (0.6, 0.7), (0.6, 0.7)])
        [2, 0]
    """
    found: list[int] = []
    best = float("-inf")
    for at in sorted(range(len(points)), key=lambda at: (-points[at][0], -points[at][1], at)):
        if points[at][1] > best:
            found.append(at)
            best = points[at][1]
    return found


def hypervolume(points: Points, reference: tuple[float, float]) -> float:
    """Return the area that points dominate above a reference point.

    Args:
        points: Two scores each, higher is better.
        reference: Lower end of both scores.

    Note:
        Zitzler and Thiele 1998, "Multiobjective optimization using evolutionary algorithms".

    Example:
        >>> round(hypervolume([(0.5, 0.9), (0.6, 0.7), (0.2, 0.2)], (0.4, 0.5)), 6)
        0.06
    """
    area, floor = 0.0, reference[1]
    for at in pareto_set(points):
        first, second = points[at]
        area += max(first - reference[0], 0.0) * max(second - floor, 0.0)
        floor = max(floor, second)
    return area
