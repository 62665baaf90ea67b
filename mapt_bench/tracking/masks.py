"""Soft masks and boxes of a frame's segments: what proximity between frames is measured on."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_MASK_CELLS", "mask_stride", "segment_boxes", "soft_masks"]

MAX_MASK_CELLS = 65_536
"""The maximum number of cells of a soft mask. Larger frames are averaged down."""


def mask_stride(height: int, width: int) -> int:
    """Return the smallest power of two that brings a mask down to :data:`MAX_MASK_CELLS`.

    Args:
        height: Pixels.
        width: Pixels.

    Example:
        >>> mask_stride(128, 416), mask_stride(375, 1242)
        (1, 4)
    """
    stride = 1
    while -(-height // stride) * -(-width // stride) > MAX_MASK_CELLS:
        stride *= 2
    return stride


def soft_masks(index_map: NDArray[np.int32], count: int, stride: int) -> NDArray[np.float32]:
    """Average the mask of each segment over cells of ``stride`` x ``stride`` pixels.

    Args:
        index_map: ``(height, width)``: ``k`` where segment ``k`` lies, -1 elsewhere.
        count: Number of segments ``n``.
        stride: Side of a cell in pixels; cells at the right and lower edge may be smaller.

    Returns:
        ``float32`` of shape ``(n, ceil(height / stride), ceil(width / stride))`` in ``[0, 1]``:
        the share of each cell that the segment covers.

    Example:
        >>> soft_masks(np.array([[0, 0, 0], [-1, 0, 0]], dtype=np.int32), 1, 2)
        array([[[0.75, 1.  ]]], dtype=float32)
    """
    height, width = index_map.shape
    rows, columns = -(-height // stride), -(-width // stride)
    codes = index_map.ravel()
    inside = np.flatnonzero(codes >= 0)
    cells = codes[inside].astype(np.intp) * (rows * columns)
    cells += _cells_of_pixels(height, width, stride)[inside]
    covered = np.bincount(cells, minlength=count * rows * columns).astype(np.float32)
    shares = covered.reshape(count, rows, columns)
    shares /= np.outer(_sides(height, stride), _sides(width, stride))
    return shares


@lru_cache(maxsize=4)
def _cells_of_pixels(height: int, width: int, stride: int) -> NDArray[np.intp]:
    """Return the number of the cell of each pixel, row by row."""
    columns = -(-width // stride)
    down, right = np.arange(height) // stride * columns, np.arange(width) // stride
    cells = (down[:, None] + right).ravel()
    cells.flags.writeable = False
    return cells


def _sides(length: int, stride: int) -> NDArray[np.float32]:
    """Return the pixels of the cells along one side of the frame; the last may have fewer."""
    starts = np.arange(0, length, stride)
    return np.minimum(stride, length - starts).astype(np.float32)


def segment_boxes(index_map: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    """Return the box around each segment.

    Args:
        index_map: ``(height, width)``: ``k`` where segment ``k`` lies, -1 elsewhere.
        count: Number of segments ``n``.

    Returns:
        ``float64`` of shape ``(n, 4)``: left, top, right, bottom in pixels, right and bottom
        exclusive; zeros for a segment without pixels.

    Example:
        >>> segment_boxes(np.array([[-1, 0], [-1, 0]], dtype=np.int32), 1)
        array([[1., 0., 2., 2.]])
    """
    from scipy import ndimage  # slow to import

    boxes = np.zeros((count, 4))
    for segment, place in enumerate(ndimage.find_objects(index_map + 1, max_label=count)):
        if place is not None:
            rows, columns = place
            boxes[segment] = columns.start, rows.start, columns.stop, rows.stop
    return boxes
