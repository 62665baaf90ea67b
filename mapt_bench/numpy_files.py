"""Headers of NumPy files, so that the size of an array is known before memory is allocated."""

import math
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format

from mapt_bench.errors import DataError
from mapt_bench.frame_limit import working_memory
from mapt_bench.special_files import refuse_special

__all__ = ["ArrayHeader", "archive_headers", "check_array_size", "npy_header"]

_HEADER_LIMIT = 1 << 16  # bytes; NumPy refuses headers of more than 10,000


@dataclass(frozen=True, slots=True)
class ArrayHeader:
    """What a NumPy file states about an array.

    Attributes:
        shape: Shape.
        dtype: Type of the values.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def byte_count(self) -> int:
        """Bytes of memory that the array takes."""
        return math.prod(self.shape) * self.dtype.itemsize


def npy_header(file: IO[bytes]) -> ArrayHeader:
    """Read the header of an array in the format of ``.npy``.

    Args:
        file: Open file. At most the first 64 kB are read.

    Raises:
        ValueError: If it is not in this format, or its header is too long.
    """
    start = BytesIO(file.read(_HEADER_LIMIT))
    version = npy_format.read_magic(start)
    read = (
        npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    )
    shape, _, dtype = read(start)
    return ArrayHeader(shape, dtype)


def archive_headers(path: Path) -> dict[str, ArrayHeader]:
    """Read the headers of all arrays in an ``.npz``.

    Returns:
        Headers by name of the array.

    Raises:
        OSError: If the file cannot be read.
        DataError: If it is not a file.
        Exception: One of :data:`mapt_bench.files.NPY_DAMAGE` if it is damaged, or if a header
            claims more bytes than the archive has for the array.
    """
    refuse_special(path)
    found = {}
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            with archive.open(entry) as file:
                header = npy_header(file)
            if not header.dtype.hasobject and header.byte_count > entry.file_size:
                raise ValueError(
                    f"the header of {entry.filename!r} claims {header.byte_count} bytes, but the "
                    f"archive has {entry.file_size} for it"
                )
            found[entry.filename.removesuffix(".npy")] = header
    return found


def check_array_size(name: str, byte_count: int, where: object, *, remedy: str) -> None:
    """Check the stated size of an array before it is read.

    Args:
        name: Name of the array, for the message.
        byte_count: Stated size.
        where: File, for the message.
        remedy: What to do instead of raising the limit, for the message.

    Raises:
        DataError: If it is above the working memory of :mod:`mapt_bench.frame_limit`.
    """
    if byte_count > working_memory():
        raise DataError(
            f"{name} has {byte_count / 1e9:.1f} GB; expected at most "
            f"{working_memory() / 1e9:.1f} GB; it was not read; {remedy}, or raise the limit with "
            "mapt-bench --max-frame HxW",
            where=where,
        )
