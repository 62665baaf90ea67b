"""Optical flow as KITTI stores it: PNG of three 16-bit channels, in steps of 1/64 pixel."""

from pathlib import Path

import numpy as np

from mapt_bench.data.png import load_png
from mapt_bench.data.png_decoding import decode_png
from mapt_bench.data.png_encoding import encode_png
from mapt_bench.errors import DataError
from mapt_bench.labels import FlowField

__all__ = ["KITTI_FLOW_REACH", "encode_kitti_flow", "read_kitti_flow"]

_ZERO = 32768.0
_STEPS = 64.0

KITTI_FLOW_REACH = 511.0
"""Pixels to each side that fit; longer flow is stored as not valid."""


def encode_kitti_flow(field: FlowField) -> bytes:
    """Return the PNG of a flow: red ``u * 64 + 2**15``, green ``v``, blue 1 where it is valid.

    Flow is rounded to 1/64 pixel. What is not valid, or longer than :data:`KITTI_FLOW_REACH`, is 0
    in all channels.

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
        path: The file.
        size: Height and width that it must have; checked before pixels are decoded.

    Raises:
        DataError: If the file is missing or damaged, is no flow, or has another size.
    """
    file = load_png(path)
    header = file.header
    if header.bit_depth != 16 or header.channels != 3:
        raise DataError(
            f"has {header}; a flow PNG has 3 channels, 16-bit RGB (u, v, valid)", where=path
        )
    if size is not None and header.size != size:
        raise DataError(
            f"flow has {header.size} pixels (height, width), the video {size}; compute it at the "
            "size of the video",
            where=path,
        )
    pixels = decode_png(file)
    flow = (pixels[..., :2].astype(np.float32) - np.float32(_ZERO)) / np.float32(_STEPS)
    return FlowField(flow, pixels[..., 2] > 0)
