"""Overlap of axis-aligned boxes."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["box_iou"]


def box_iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of every pair of boxes.

    Args:
        first: ``(n, 4)``: left, top, right, bottom in pixels, right and bottom exclusive.
        second: ``(m, 4)``.

    Returns:
        ``(n, m)`` in ``[0, 1]``; 0 where both boxes are empty.

    Example:
        >>> box_iou(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2], [5, 5, 6, 6]])).round(3)
        array([[0.333, 0.   ]])
    """
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    whole = _areas(first)[:, None] + _areas(second)[None, :] - shared
    iou: NDArray[np.float64] = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    return iou


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)
    return areas
