"""Affinity of tracks and segments by mask proximity, and their one-to-one assignment."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "PROXIMITIES",
    "Proximity",
    "assign",
    "assign_greedily",
    "mask_proximity",
    "shared_areas",
]

Proximity = Literal["iou", "overlap-smaller", "centroid"]
"""Soft IoU; overlap over the smaller of the two; distance of centroids in object sizes."""

PROXIMITIES: tuple[Proximity, ...] = get_args(Proximity)


def mask_proximity(
    earlier: NDArray[np.float32], present: NDArray[np.float32], *, kind: Proximity
) -> NDArray[np.float64]:
    """Score every earlier mask against every present one.

    Args:
        earlier: Soft masks ``(n, h, w)`` in ``[0, 1]``, carried to the present frame.
        present: Soft masks ``(m, h, w)`` in ``[0, 1]``.
        kind: ``"iou"``: sum of minima over sum of maxima. ``"overlap-smaller"``: sum of minima
            over the smaller of the two masks, which survives partial occlusion. ``"centroid"``:
            ``1 - d / (2 s)``, never below 0, with ``d`` the distance of the centroids and ``s``
            the mean of the square roots of the two areas, which needs no overlap at all.

    Returns:
        ``(n, m)`` in ``[0, 1]``; 0 where a mask is empty.
    """
    earlier_area = earlier.sum(axis=(1, 2), dtype=np.float64)
    present_area = present.sum(axis=(1, 2), dtype=np.float64)
    if kind == "centroid":
        return _centroid_proximity(earlier, present, earlier_area, present_area)
    shared = shared_areas(earlier, present)
    whole: NDArray[np.float64]
    if kind == "iou":
        whole = earlier_area[:, None] + present_area[None, :] - shared
    else:
        whole = np.minimum(earlier_area[:, None], present_area[None, :])
    share: NDArray[np.float64] = np.divide(
        shared, whole, out=np.zeros_like(shared), where=whole > 0
    )
    return share


def shared_areas(earlier: NDArray[np.float32], present: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the area that each earlier mask shares with each present one, in cells.

    Args:
        earlier: Soft masks ``(n, h, w)`` in ``[0, 1]``.
        present: Soft masks ``(m, h, w)`` in ``[0, 1]``.

    Returns:
        ``(n, m)``: sums of minima, computed only where the boxes of two masks meet.
    """
    shared = np.zeros((len(earlier), len(present)))
    earlier_boxes = [_extent(mask) for mask in earlier]
    present_boxes = [_extent(mask) for mask in present]
    for n, (top, bottom, left, right) in enumerate(earlier_boxes):
        for m, (top_m, bottom_m, left_m, right_m) in enumerate(present_boxes):
            rows = slice(max(top, top_m), min(bottom, bottom_m))
            columns = slice(max(left, left_m), min(right, right_m))
            if rows.start < rows.stop and columns.start < columns.stop:
                shared[n, m] = np.minimum(earlier[n, rows, columns], present[m, rows, columns]).sum(
                    dtype=np.float64
                )
    return shared


def _extent(mask: NDArray[np.float32]) -> tuple[int, int, int, int]:
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return 0, 0, 0, 0
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _centroid_proximity(
    earlier: NDArray[np.float32],
    present: NDArray[np.float32],
    earlier_area: NDArray[np.float64],
    present_area: NDArray[np.float64],
) -> NDArray[np.float64]:
    apart = _centroids(earlier, earlier_area)[:, None] - _centroids(present, present_area)[None]
    distance = np.hypot(apart[..., 0], apart[..., 1])
    size = (np.sqrt(earlier_area)[:, None] + np.sqrt(present_area)[None, :]) / 2
    filled = (earlier_area[:, None] > 0) & (present_area[None, :] > 0)
    reach = np.divide(distance, 2 * size, out=np.ones_like(distance), where=filled)
    nearness: NDArray[np.float64] = np.clip(1 - reach, 0, 1)
    return nearness


def _centroids(masks: NDArray[np.float32], areas: NDArray[np.float64]) -> NDArray[np.float64]:
    _, height, width = masks.shape
    y = masks.sum(axis=2, dtype=np.float64) @ np.arange(height)
    x = masks.sum(axis=1, dtype=np.float64) @ np.arange(width)
    return np.stack([y, x], axis=1) / np.maximum(areas, 1e-12)[:, None]


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
