"""How one file holds one flow: ``.flo``, KITTI's 16-bit PNG, ``.npy``."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.flow_fields import read_kitti_flow
from mapt_bench.errors import DataError

__all__ = ["FLOW_SUFFIXES", "read_flow"]

_Size = tuple[int, int]
_Flow = NDArray[np.float32]
_Valid = NDArray[np.bool_]

_FLO_TAG = b"PIEH"  # 202021.25 as a little-endian float32
_FLO_HEADER = struct.Struct("<4sii")
_FLO_UNKNOWN = 1e9


def read_flow(path: Path, size: _Size) -> _Flow:
    """Read a flow file.

    Args:
        path: ``.flo``; ``.png`` of three 16-bit channels, ``u = (red - 2**15) / 64``,
            ``v = (green - 2**15) / 64``, valid where blue is not 0; or ``.npy``, floating, of
            shape ``(height, width, 2)`` or ``(2, height, width)``.
        size: Height and width that it must have; checked before pixels are read.

    Returns:
        ``float32`` of shape ``(height, width, 2)``: pixels to the right and downwards. Where the
        file has no valid flow (blue is 0 in PNG, beyond 1e9 in ``.flo``) the flow of the nearest
        valid pixel stands.

    Raises:
        DataError: If the file is missing, damaged, of another size, not finite, or valid nowhere.
    """
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise DataError(
            f"is no flow file; expected one of {', '.join(sorted(FLOW_SUFFIXES))}", where=path
        )
    try:
        flow, valid = _READERS[suffix](path, size)
    except OSError as problem:
        raise DataError(
            f"cannot be read ({problem.strerror or problem}); check the path", where=path
        ) from problem
    if not np.isfinite(flow[valid]).all():
        raise DataError(
            "holds flow that is not finite (NaN or infinite); mark unknown pixels as the format "
            "has it, or compute the flow again",
            where=path,
        )
    return _filled(flow, valid, path)


def _read_flo(path: Path, size: _Size) -> tuple[_Flow, _Valid]:
    with path.open("rb") as stream:
        head = stream.read(_FLO_HEADER.size)
        if len(head) < _FLO_HEADER.size or not head.startswith(_FLO_TAG):
            raise DataError(
                f"begins with {head[:4]!r}; expected {_FLO_TAG!r}, as .flo files do", where=path
            )
        _, width, height = _FLO_HEADER.unpack(head)
        _check_size((height, width), size, path)
        data = stream.read()
    if len(data) != 8 * height * width:
        raise DataError(
            f"has {len(data)} bytes of flow; expected {8 * height * width} for {height}x{width} "
            "pixels; copy the file again",
            where=path,
        )
    flow = np.frombuffer(data, dtype="<f4").reshape(height, width, 2).astype(np.float32)
    # The mark for "unknown" is a finite number; NaN and infinity stay valid here, to be refused.
    unknown = np.any(np.isfinite(flow) & (np.abs(flow) > _FLO_UNKNOWN), axis=-1)
    return flow, np.logical_not(unknown)


def _read_kitti(path: Path, size: _Size) -> tuple[_Flow, _Valid]:
    field = read_kitti_flow(path, size)
    return field.flow, field.valid


def _read_npy(path: Path, size: _Size) -> tuple[_Flow, _Valid]:
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as problem:
        raise DataError(
            f"cannot be read as .npy ({problem}); expected an array of numbers, written by "
            "numpy.save",
            where=path,
        ) from problem
    if not isinstance(stored, np.ndarray) or not np.issubdtype(stored.dtype, np.floating):
        raise DataError(
            f"holds {getattr(stored, 'dtype', type(stored).__name__)}; expected floating flow in "
            "pixels",
            where=path,
        )
    if stored.ndim == 3 and stored.shape[0] == 2 and stored.shape[2] != 2:
        stored = np.moveaxis(stored, 0, -1)
    if stored.ndim != 3 or stored.shape[2] != 2:
        raise DataError(
            f"has shape {stored.shape}; expected (height, width, 2) or (2, height, width)",
            where=path,
        )
    _check_size(stored.shape[:2], size, path)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
        return np.array(stored, dtype=np.float32), np.ones(size, dtype=bool)


_READERS: dict[str, Callable[[Path, _Size], tuple[_Flow, _Valid]]] = {
    ".flo": _read_flo,
    ".npy": _read_npy,
    ".png": _read_kitti,
}

FLOW_SUFFIXES = frozenset(_READERS)
"""File endings, lower case."""


def _check_size(found: _Size, expected: _Size, path: Path) -> None:
    if found != expected:
        raise DataError(
            f"flow has {found} pixels (height, width), the video {expected}; compute it at the "
            "size of the video",
            where=path,
        )


def _filled(flow: _Flow, valid: _Valid, path: Path) -> _Flow:
    if valid.all():
        return flow
    if not valid.any():
        raise DataError("has no pixel with valid flow; compute the flow again", where=path)
    from scipy import ndimage

    nearest = ndimage.distance_transform_edt(~valid, return_distances=False, return_indices=True)
    row, column = nearest
    filled: _Flow = flow[row, column]
    return filled
