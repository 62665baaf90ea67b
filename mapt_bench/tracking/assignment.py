"""One-to-one matching of tracks to segments by affinity."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["assign", "assign_greedily"]

_Pairs = list[tuple[int, int]]


def assign(
    affinity: NDArray[np.floating], allowed: NDArray[np.bool_], *, threshold: float
) -> _Pairs:
    """Match rows to columns so that the sum of affinities is greatest (Hungarian method).

    Pairs that are not allowed or lie below the threshold are worth nothing and never returned, so
    that a bad pair cannot push two good ones apart.

    Args:
        affinity: ``(rows, columns)``, greater is better, 0 or more where a pair may count.
        allowed: ``bool`` of the same shape, for example whether classes agree.
        threshold: Least affinity of a pair.

    Returns:
        ``(row, column)`` pairs in order of rows.

    Example:
        >>> everything = np.ones((2, 2), dtype=bool)
        >>> assign(np.array([[0.9, 0.8], [0.8, 0.1]]), everything, threshold=0.3)
        [(0, 1), (1, 0)]
    """
    from scipy.optimize import linear_sum_assignment  # slow to import

    usable = allowed & (affinity >= threshold)
    # A small bonus keeps pairs of affinity 0 (a threshold of 0 or below) apart from no pair.
    worth = np.where(usable, affinity - min(threshold, 0.0) + 1e-9, 0.0)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if usable[r, c]]


def assign_greedily(
    affinity: NDArray[np.floating], allowed: NDArray[np.bool_], *, threshold: float
) -> _Pairs:
    """Match rows to columns by taking the best remaining pair again and again.

    Args:
        affinity: ``(rows, columns)``, greater is better.
        allowed: ``bool`` of the same shape.
        threshold: Least affinity of a pair.

    Returns:
        ``(row, column)`` pairs in order of rows. Ties go to the lower row, then the lower column.

    Example:
        >>> everything = np.ones((2, 2), dtype=bool)
        >>> assign_greedily(np.array([[0.9, 0.8], [0.8, 0.1]]), everything, threshold=0.3)
        [(0, 0)]
    """
    rows, columns = np.nonzero(allowed & (affinity >= threshold))
    free_rows, free_columns = set(rows.tolist()), set(columns.tolist())
    pairs: _Pairs = []
    for best in np.argsort(-affinity[rows, columns], kind="stable"):
        row, column = int(rows[best]), int(columns[best])
        if row in free_rows and column in free_columns:
            pairs.append((row, column))
            free_rows.remove(row)
            free_columns.remove(column)
    return sorted(pairs)
