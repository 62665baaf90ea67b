"""Optical flow: KITTI PNG files, and flow over several frames.

KITTI stores flow as a PNG with three 16-bit channels, in steps of 1/64 pixel.
"""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np

from mapt_bench.data.png import decode_png, encode_png, load_png
from mapt_bench.errors import DataError
from mapt_bench.labels import FlowField

__all__ = ["KITTI_FLOW_REACH", "chained_flow", "encode_kitti_flow", "read_kitti_flow"]

_ZERO = 32768.0
_STEPS = 64.0

KITTI_FLOW_REACH = 511.0
"""Largest displacement in pixels that the file stores. Longer flow is stored as invalid."""


def encode_kitti_flow(field: FlowField) -> bytes:
    """Return the PNG of a flow: red ``u * 64 + 2**15``, green the same for ``v``, blue 1 if valid.

    Flow is rounded to 1/64 pixel. Pixels that are invalid, or longer than
    :data:`KITTI_FLOW_REACH`, are 0 in all channels.

    Example:
        >>> flow = np.full((1, 1, 2), (-1.5, 0.25), dtype=np.float32)
        >>> encode_kitti_flow(FlowField(flow, np.array([[True]])))[1:4]
        b'PNG'
    """
    fits = field.valid & (np.abs(field.flow) <= KITTI_FLOW_REACH).all(axis=-1)
    pixels = np.zeros((*field.valid.shape, 3), dtype=np.uint16)
    pixels[fits, :2] = np.rint(field.flow[fits] * np.float32(_STEPS)) + np.float32(_ZERO)
    pixels[fits, 2] = 1
    return encode_png(pixels)


def read_kitti_flow(path: Path, size: tuple[int, int] | None = None) -> FlowField:
    """Read the PNG of a flow.

    Args:
        path: File.
        size: Expected height and width, checked before pixels are decoded.

    Raises:
        DataError: If the file is missing or damaged, is not flow, or has another size.
    """
    file = load_png(path)
    header = file.header
    if header.bit_depth != 16 or header.channels != 3:
        raise DataError(
            f"has {header}; a flow PNG has 3 channels, 16-bit RGB (u, v, valid)", where=path
        )
    if size is not None and header.size != size:
        raise DataError(
            f"the flow has {header.size} pixels (height, width), the video {size}; compute the "
            "flow at the size of the video",
            where=path,
        )
    pixels = decode_png(file)
    flow = (pixels[..., :2].astype(np.float32) - np.float32(_ZERO)) / np.float32(_STEPS)
    return FlowField(flow, pixels[..., 2] > 0)


def chained_flow(flows: Iterable[FlowField]) -> FlowField:
    """Chain the flows between consecutive frames into the flow from the first to the last frame.

    A pixel of the result is valid if it is valid in every flow of the chain. Flows are read at the
    nearest pixel, without interpolation, because flow is discontinuous at object borders.

    Args:
        flows: One or more flows in order. The first starts at the frame of the result.

    Returns:
        Flow from the first frame to the last. Invalid pixels are 0.

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
        raise ValueError("no flow to chain; expected one or more")
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
