"""PNG files: headers before pixels, integrity, fast decoding, and a small exact encoder.

Fast decoders are forgiving: pyspng 0.1.4 ignores checksums and a missing end, and turns 16-bit
or grey pixels into 8-bit RGB without a word. Labels must not be guessed, so the header decides
what is decoded, and every checksum is compared before the pixels are touched.
"""

import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError

__all__ = ["MAX_PIXELS", "PngHeader", "decode_png", "encode_png", "load_png", "png_header"]

MAX_PIXELS = 1 << 28
"""A header that claims more pixels than this is refused: 16384 x 16384."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES = 33  # signature, then the IHDR chunk: length, type, 13 bytes, checksum
_DEFLATE_RATIO = 1033  # deflate packs 258 bytes into two bits at best
_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGBA = 0, 2, 3, 4, 6
_KINDS = {
    _GREY: (1, "grey"),
    _RGB: (3, "RGB"),
    _PALETTE: (1, "palette"),
    _GREY_ALPHA: (2, "grey and alpha"),
    _RGBA: (4, "RGBA"),
}


@dataclass(frozen=True, slots=True)
class PngHeader:
    """What the first 33 bytes of a PNG say.

    Attributes:
        width: Pixels.
        height: Pixels.
        bit_depth: Bits of a channel: 1, 2, 4, 8 or 16.
        color_type: PNG's number: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA.
    """

    width: int
    height: int
    bit_depth: int
    color_type: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.height, self.width

    @property
    def channels(self) -> int:
        """Values stored for a pixel."""
        return _KINDS[self.color_type][0]

    @property
    def is_palette(self) -> bool:
        """Whether pixels are positions in a table of colours."""
        return self.color_type == _PALETTE

    def __str__(self) -> str:
        """Return a description for messages, for example ``1 channel, 16-bit grey``."""
        count, kind = _KINDS[self.color_type]
        return f"{count} channel{'' if count == 1 else 's'}, {self.bit_depth}-bit {kind}"


def png_header(path: Path) -> PngHeader:
    """Read the header of a PNG, and nothing else.

    Raises:
        DataError: If the file cannot be read, is no PNG, is empty or cut off, or claims more
            pixels than :data:`MAX_PIXELS` or than its bytes can hold.
    """
    try:
        with path.open("rb") as handle:
            start = handle.read(_HEADER_BYTES)
            byte_count = os.fstat(handle.fileno()).st_size
    except OSError as problem:
        raise DataError(f"cannot be read ({problem.strerror or problem})", where=path) from problem
    return _parse_header(start, byte_count, path)


def _parse_header(data: bytes, byte_count: int, path: Path) -> PngHeader:
    _refuse_other_formats(data, path)
    if len(data) < _HEADER_BYTES:
        raise DataError(
            f"truncated PNG: {len(data)} bytes, not even a whole header ({_HEADER_BYTES}); "
            "write or copy the file again",
            where=path,
        )
    kind, body, checksum = data[12:16], data[16:29], int.from_bytes(data[29:33])
    if kind != b"IHDR" or zlib.crc32(kind + body) != checksum:
        raise DataError(
            "damaged PNG: the header's checksum is wrong; write or copy the file again", where=path
        )
    width, height, bit_depth, color_type = struct.unpack(">IIBB", body[:10])
    if color_type not in _KINDS or not width or not height:
        raise DataError(
            f"damaged PNG: the header says {width}x{height} pixels of colour type {color_type}; "
            "write the file again",
            where=path,
        )
    if width * height > MAX_PIXELS:
        raise DataError(
            f"the header claims {width}x{height} pixels, more than the {MAX_PIXELS} that are "
            "accepted; it was not decoded; check the file",
            where=path,
        )
    header = PngHeader(width, height, bit_depth, color_type)
    if width * height * header.channels * bit_depth > 8 * byte_count * _DEFLATE_RATIO:
        raise DataError(
            f"the header claims {width}x{height} pixels, more than {byte_count} bytes can hold: "
            "truncated or damaged PNG; it was not decoded; write or copy the file again",
            where=path,
        )
    return header


def _refuse_other_formats(data: bytes, path: Path) -> None:
    if not data:
        raise DataError("empty file; expected a PNG; write or copy the file again", where=path)
    if data.startswith(b"\xff\xd8\xff"):
        raise DataError(
            "is a JPEG, which changes label values; expected a PNG; write the labels as PNG",
            where=path,
        )
    if data[: len(_SIGNATURE)] != _SIGNATURE[: len(data)]:
        raise DataError(
            f"is no PNG (it starts with {data[:8]!r}); expected a PNG of labels", where=path
        )


def load_png(path: Path) -> tuple[PngHeader, bytes]:
    """Read a whole PNG file and compare the checksum of every chunk; decode nothing.

    Raises:
        DataError: As :func:`png_header`, and if the file is truncated or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise DataError(f"cannot be read ({problem.strerror or problem})", where=path) from problem
    header = _parse_header(data[:_HEADER_BYTES], len(data), path)
    _check_chunks(data, path)
    return header, data


def _check_chunks(data: bytes, path: Path) -> None:
    view = memoryview(data)
    start = len(_SIGNATURE)
    while start + 12 <= len(data):
        length = int.from_bytes(view[start : start + 4])
        end = start + 8 + length
        if end + 4 > len(data):
            break
        if zlib.crc32(view[start + 4 : end]) != int.from_bytes(view[end : end + 4]):
            name = bytes(view[start + 4 : start + 8]).decode("latin-1")
            raise DataError(
                f"damaged PNG: the checksum of its {name} chunk at byte {start} is wrong; "
                "write or copy the file again",
                where=path,
            )
        if bytes(view[start + 4 : start + 8]) == b"IEND":
            return
        start = end + 4
    raise DataError(
        f"truncated PNG: it ends after {len(data)} bytes without its closing chunk; "
        "write or copy the file again",
        where=path,
    )


def decode_png(header: PngHeader, data: bytes, path: Path) -> NDArray[Any]:
    """Decode the pixels of a PNG that :func:`load_png` has read.

    Args:
        header: Its header.
        data: The whole file.
        path: For messages.

    Returns:
        ``uint8``, or ``uint16`` for 16-bit files, of shape ``(height, width)`` for grey and
        ``(height, width, channels)`` in the order of the file otherwise.

    Raises:
        DataError: If the compressed pixels are damaged, or the file has a palette.
    """
    if header.is_palette or header.bit_depth < 8:
        raise DataError(
            f"has {header}; expected 8 or 16 bits a channel and no palette; write it without",
            where=path,
        )
    fast = header.color_type == _RGB and header.bit_depth == 8
    pixels = (_rgb_decoder() if fast else _decode_with_cv2)(data, path)
    if pixels.shape[:2] != header.size:
        raise _undecodable(path, f"{pixels.shape[:2]} pixels decoded, {header.size} announced")
    return _channels_of_file(pixels, header)


def _channels_of_file(pixels: NDArray[Any], header: PngHeader) -> NDArray[Any]:
    if header.color_type == _GREY:
        return pixels if pixels.ndim == 2 else pixels[..., 0]
    if header.color_type == _GREY_ALPHA:
        return pixels[..., [0, -1]]  # decoders repeat grey as red, green and blue
    return pixels[..., : header.channels]


@cache
def _rgb_decoder() -> Callable[[bytes, Path], NDArray[Any]]:
    """Choose the fastest decoder of 8-bit RGB there is.

    CPU time of one 375x1242 KITTI-STEP map: pyspng 2.8 ms, OpenCV 3.7 ms, Pillow 6.3 ms.
    """
    try:
        import pyspng
    except ImportError:
        return _decode_with_cv2

    def decode(data: bytes, path: Path) -> NDArray[Any]:
        try:
            pixels: NDArray[np.uint8] = pyspng.load(data, "RGB")
        except (RuntimeError, ValueError) as problem:
            raise _undecodable(path, problem) from problem
        return pixels

    return decode


def _decode_with_cv2(data: bytes, path: Path) -> NDArray[Any]:
    try:
        import cv2
    except ImportError:
        return _decode_with_pillow(data, path)
    pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise _undecodable(path, "OpenCV refuses them")
    decoded: NDArray[Any] = pixels
    if decoded.ndim == 3:  # OpenCV's order is blue, green, red
        decoded = decoded[..., [2, 1, 0, 3][: decoded.shape[2]]]
    return decoded


def _decode_with_pillow(data: bytes, path: Path) -> NDArray[Any]:
    import io

    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError) as problem:
        raise _undecodable(path, problem) from problem


def _undecodable(path: Path, reason: object) -> DataError:
    return DataError(
        f"damaged PNG: its pixels cannot be decoded ({reason}); write or copy the file again",
        where=path,
    )


def encode_png(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Encode labels as a PNG with unfiltered rows, which suits labels and is read fastest.

    Args:
        pixels: ``uint8`` or ``uint16`` of shape ``(height, width)`` or
            ``(height, width, channels)`` with 1 to 4 channels.

    Returns:
        The file. The same pixels give the same bytes.

    Example:
        >>> encode_png(np.zeros((1, 1, 3), dtype=np.uint8))[1:4]
        b'PNG'
    """
    cube = pixels if pixels.ndim == 3 else pixels[..., None]
    height, width, channels = cube.shape
    color_type = {1: _GREY, 2: _GREY_ALPHA, 3: _RGB, 4: _RGBA}[channels]
    values = np.ascontiguousarray(cube, dtype=cube.dtype.newbyteorder(">"))
    flat = values.reshape(height, -1).view(np.uint8)
    rows = np.zeros((height, flat.shape[1] + 1), dtype=np.uint8)  # first byte: filter 0, none
    rows[:, 1:] = flat
    header = struct.pack(">IIBBBBB", width, height, 8 * cube.dtype.itemsize, color_type, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
