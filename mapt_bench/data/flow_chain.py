"""Flow over several frames from the flows between neighbours."""

from collections.abc import Iterable
from itertools import chain

import numpy as np

from mapt_bench.labels import FlowField

__all__ = ["chained_flow"]


def chained_flow(flows: Iterable[FlowField]) -> FlowField:
    """Follow every pixel through one flow after the other.

    A pixel is lost at the first frame in which its point is not seen: what is valid in the result
    was seen all the way. Flows are read at the nearest pixel, never between two, because a flow
    jumps where one object ends and another begins.

    Args:
        flows: One or more, the first from the frame whose pixels are followed.

    Returns:
        From the first frame to the last; 0 where it is not valid.

    Raises:
        ValueError: If there is no flow.

    Example:
        >>> flow = np.zeros((1, 4, 2), dtype=np.float32)
        >>> flow[..., 0] = -1
        >>> valid = np.array([[False, True, True, True]])
        >>> twice = chained_flow([FlowField(flow, valid)] * 2)
        >>> twice.flow[0, :, 0].tolist(), twice.valid.tolist()
        ([0.0, 0.0, -2.0, -2.0], [[False, False, True, True]])
    """
    steps = iter(flows)
    first = next(steps, None)
    if first is None:
        raise ValueError("there is no flow to follow")
    second = next(steps, None)
    if second is None:
        return FlowField(np.where(first.valid[..., None], first.flow, np.float32(0)), first.valid)
    rows, columns = np.nonzero(first.valid)
    moved = first.flow[rows, columns]
    for step in chain((second,), steps):
        height, width = step.valid.shape
        x = np.rint(columns + moved[:, 0]).astype(np.int64)
        y = np.rint(rows + moved[:, 1]).astype(np.int64)
        kept = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        kept[kept] = step.valid[y[kept], x[kept]]
        rows, columns = rows[kept], columns[kept]
        moved = moved[kept] + step.flow[y[kept], x[kept]]
    flow = np.zeros_like(first.flow)
    valid = np.zeros_like(first.valid)
    flow[rows, columns], valid[rows, columns] = moved, True
    return FlowField(flow, valid)
