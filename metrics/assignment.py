"""One-to-one assignment with the largest sum of scores, in memory that follows the pairs.

A table of all rows and columns would grow with the square of the number of segments or tracks. So
only small tables are filled. Others are split into connected components. A component that is
still large is solved by sparse matching.
"""

import numpy as np
from numpy.typing import NDArray

from mapt_bench.metrics.arithmetic import number_keys

__all__ = ["best_pairs"]

_DENSE_CELLS = 1 << 20
"""Most cells of a table that is filled: 8 MB."""


def best_pairs(
    rows: NDArray[np.int64], columns: NDArray[np.int64], scores: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Choose pairs so that each row and each column is in at most one.

    Args:
        rows: ``(n,)`` row of each pair, any integer.
        columns: ``(n,)`` column of each pair, any integer. A pair occurs once.
        scores: ``(n,)`` score of each pair, above 0.

    Returns:
        ``(n,)`` the chosen pairs. The sum of their scores is the largest possible.

    Example:
        >>> best_pairs(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([3.0, 2.0, 2.0]))
        array([False,  True,  True])
    """
    if not rows.size:
        return np.zeros(0, dtype=np.bool_)
    row_of, row = number_keys(rows)
    column_of, column = number_keys(columns)
    shape = len(row_of), len(column_of)
    if shape == (len(rows), len(rows)):  # no two pairs share a row or a column
        return np.ones(len(rows), dtype=np.bool_)
    if shape[0] * shape[1] <= _DENSE_CELLS:
        return _dense(row, column, scores, shape)
    component = _components(row, column, shape)
    # A pair that shares neither its row nor its column is a component of its own.
    chosen: NDArray[np.bool_] = np.bincount(component)[component] == 1
    rest = np.flatnonzero(~chosen)
    rest = rest[np.argsort(component[rest], kind="stable")]
    bounds = np.flatnonzero(np.diff(component[rest], prepend=-1, append=-1))
    if len(bounds) == 2 and len(rest) == len(rows):
        return _sparse(row, column, scores, shape)
    for first, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        pairs = rest[first:end]
        chosen[pairs] = best_pairs(row[pairs], column[pairs], scores[pairs])
    return chosen


def _dense(
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    scores: NDArray[np.float64],
    shape: tuple[int, int],
) -> NDArray[np.bool_]:
    from scipy.optimize import linear_sum_assignment  # slow to import

    table = np.zeros(shape)
    table[row, column] = scores
    partner = np.full(shape[0], -1)
    chosen_rows, chosen_columns = linear_sum_assignment(table, maximize=True)
    partner[chosen_rows] = chosen_columns
    return np.asarray(partner[row] == column)


def _components(
    row: NDArray[np.int64], column: NDArray[np.int64], shape: tuple[int, int]
) -> NDArray[np.int64]:
    """Return the connected component of each pair."""
    from scipy.sparse import coo_array  # slow to import
    from scipy.sparse.csgraph import connected_components

    nodes = sum(shape)
    graph = coo_array((np.ones(len(row), np.int8), (row, column + shape[0])), (nodes, nodes))
    of_node = connected_components(graph, directed=False)[1]
    return np.asarray(of_node[row], dtype=np.int64)


def _sparse(
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    scores: NDArray[np.float64],
    shape: tuple[int, int],
) -> NDArray[np.bool_]:
    from scipy.sparse import coo_array  # slow to import
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    # The solver matches every row. A column of its own, worth next to nothing, leaves a row free.
    count = shape[0]
    own = np.arange(count)
    values = np.concatenate([scores, np.full(count, np.finfo(np.float64).tiny)])
    places = np.concatenate([row, own]), np.concatenate([column, shape[1] + own])
    table = coo_array((values, places), (count, shape[1] + count)).tocsr()
    chosen_rows, chosen_columns = min_weight_full_bipartite_matching(table, maximize=True)
    partner = np.empty(count, dtype=np.int64)
    partner[chosen_rows] = chosen_columns
    return np.asarray(partner[row] == column)
