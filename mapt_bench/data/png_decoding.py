"""Pixels of PNG files, by the fastest means that are installed.

Inflating takes most of the time that a PNG takes. libdeflate (package ``deflate``) does it in
0.1 ms where zlib, which every reader carries, takes 2 ms for a 375x1242 KITTI-STEP map; so the
pixels are inflated there, packed anew without compression, and given to pyspng to undo the row
filters. CPU time of one such map: 1.5 ms that way (0.4 where rows are simple), pyspng alone 2.8,
OpenCV 3.7, Pillow 6.3.
"""

import io
import struct
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.png import PngFile, PngHeader
from mapt_bench.data.png_encoding import encode_png
from mapt_bench.errors import DataError

__all__ = ["decode_png"]

_GREY, _RGB, _GREY_ALPHA = 0, 2, 4
_STORED_AT_MOST = 65535  # bytes of one block without compression
_LARGE_BLOCK = 31 << 20  # bytes; glibc's limit follows blocks below 32 MiB

Decoder = Callable[[PngFile], NDArray[Any]]


def decode_png(file: PngFile) -> NDArray[Any]:
    """Decode the pixels of a PNG that ``load_png`` has read.

    Args:
        file: The file.

    Returns:
        ``uint8``, or ``uint16`` for 16-bit files, of shape ``(height, width)`` for grey and
        ``(height, width, channels)`` in the order of the file otherwise.

    Raises:
        DataError: If the compressed pixels are damaged, or the file has a palette.
    """
    header = file.header
    if header.is_palette or header.bit_depth < 8:
        raise DataError(
            f"has {header}; expected 8 or 16 bits a channel and no palette; write it without",
            where=file.path,
        )
    fast = header.color_type == _RGB and header.bit_depth == 8
    pixels = (_rgb_decoder() if fast else _decode_with_cv2)(file)
    if pixels.shape[:2] != header.size:
        raise _undecodable(file, f"{pixels.shape[:2]} pixels decoded, {header.size} announced")
    return _channels_of_file(pixels, header)


def _channels_of_file(pixels: NDArray[Any], header: PngHeader) -> NDArray[Any]:
    if header.color_type == _GREY:
        return pixels if pixels.ndim == 2 else pixels[..., 0]
    if header.color_type == _GREY_ALPHA:
        return pixels[..., [0, -1]]  # decoders repeat grey as red, green and blue
    return pixels[..., : header.channels]


@cache
def _rgb_decoder() -> Decoder:
    """Choose the fastest decoder of 8-bit RGB there is."""
    _keep_freed_memory()
    try:
        import pyspng  # noqa: F401 - whether it is there
    except ImportError:
        return _decode_with_cv2
    try:
        import deflate  # noqa: F401
    except ImportError:
        return _decode_with_spng
    return _decode_with_libdeflate if _takes_stored_pixels() else _decode_with_spng


def _keep_freed_memory() -> None:
    """Let the allocator keep what one frame frees for the next.

    glibc gives blocks back to the system above a limit that grows to the largest block freed so
    far. The few megabytes of a frame lie above it at first, so every frame would fault all its
    pages in anew, which takes as long as decoding. One large block, never touched, lifts the
    limit; elsewhere this does nothing.
    """
    np.empty(_LARGE_BLOCK, dtype=np.uint8)


def _takes_stored_pixels() -> bool:
    """Whether this pyspng reads what :func:`_stored_png` makes: it carries no checksums."""
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    try:
        return bool(np.array_equal(_spng(_stored_png(encode_png(pixels)[:33], rows)), pixels))
    except (RuntimeError, ValueError):
        return False


def _spng(data: bytes) -> NDArray[np.uint8]:
    import pyspng

    pixels: NDArray[np.uint8] = pyspng.load(data, "RGB")
    return pixels


def _decode_with_spng(file: PngFile) -> NDArray[np.uint8]:
    try:
        return _spng(file.data)
    except (RuntimeError, ValueError) as problem:
        raise _undecodable(file, problem) from problem


def _decode_with_libdeflate(file: PngFile) -> NDArray[np.uint8]:
    import deflate

    header = file.header
    if header.is_interlaced:
        return _decode_with_spng(file)
    packed = file.packed_pixels
    row_bytes = header.height * (1 + 3 * header.width)
    try:
        rows = deflate.zlib_decompress(
            packed[0] if len(packed) == 1 else b"".join(packed), row_bytes
        )
        if len(rows) != row_bytes:
            raise _undecodable(file, f"{len(rows)} bytes of rows, {row_bytes} expected")
        return _spng(_stored_png(file.data[:33], rows))
    except (deflate.DeflateError, RuntimeError, ValueError) as problem:
        raise _undecodable(file, problem) from problem


def _stored_png(header: bytes, rows: bytes | bytearray) -> bytes:
    """Return a PNG of rows that are stored without compression and without checksums.

    Args:
        header: Signature and IHDR chunk, 33 bytes.
        rows: Filtered rows, each with its filter byte.
    """
    view = memoryview(rows)
    stream: list[bytes | memoryview] = [b"\x78\x01"]
    for start in range(0, len(rows), _STORED_AT_MOST):
        block = view[start : start + _STORED_AT_MOST]
        is_last = start + _STORED_AT_MOST >= len(rows)
        stream += [struct.pack("<BHH", is_last, len(block), len(block) ^ 0xFFFF), block]
    no_checksum = b"\0\0\0\0"
    length = struct.pack(">I", sum(map(len, stream)) + len(no_checksum))
    end = b"\0\0\0\0IEND\xae\x42\x60\x82"
    return b"".join([header, length, b"IDAT", *stream, no_checksum, no_checksum, end])


def _decode_with_cv2(file: PngFile) -> NDArray[Any]:
    try:
        import cv2
    except ImportError:
        return _decode_with_pillow(file)
    pixels = cv2.imdecode(np.frombuffer(file.data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise _undecodable(file, "OpenCV refuses them")
    decoded: NDArray[Any] = pixels
    if decoded.ndim == 3:  # OpenCV's order is blue, green, red
        decoded = decoded[..., [2, 1, 0, 3][: decoded.shape[2]]]
    return decoded


def _decode_with_pillow(file: PngFile) -> NDArray[Any]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(file.data)) as image:
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError) as problem:
        raise _undecodable(file, problem) from problem


def _undecodable(file: PngFile, reason: object) -> DataError:
    return DataError(
        f"damaged PNG: its pixels cannot be decoded ({reason}); write or copy the file again",
        where=file.path,
    )
