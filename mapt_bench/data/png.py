"""PNG files: headers before pixels, and the integrity of every chunk.

Fast decoders are forgiving: pyspng 0.1.4 ignores checksums and a missing end, and turns 16-bit
or grey pixels into 8-bit RGB without a word. Labels must not be guessed, so the header decides
what is decoded, and every checksum is compared before the pixels are touched.
"""

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from mapt_bench.errors import DataError

__all__ = ["MAX_PIXELS", "PngFile", "PngHeader", "load_png", "png_header"]

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
        is_interlaced: Whether rows are stored in seven passes.
    """

    width: int
    height: int
    bit_depth: int
    color_type: int
    is_interlaced: bool

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


@dataclass(frozen=True, slots=True)
class PngFile:
    """A whole file whose checksums hold, its pixels not decoded.

    Attributes:
        path: Where it lies.
        header: What it says of itself.
        data: All its bytes.
        packed_pixels: The compressed pixels, in pieces that lie one after the other.
    """

    path: Path
    header: PngHeader
    data: bytes
    packed_pixels: tuple[memoryview, ...]


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
    header = PngHeader(width, height, bit_depth, color_type, is_interlaced=body[12] != 0)
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


def load_png(path: Path) -> PngFile:
    """Read a whole PNG file and compare the checksum of every chunk; decode nothing.

    Raises:
        DataError: As :func:`png_header`, and if the file is truncated or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise DataError(f"cannot be read ({problem.strerror or problem})", where=path) from problem
    header = _parse_header(data[:_HEADER_BYTES], len(data), path)
    return PngFile(path, header, data, _pixel_chunks(data, path))


def _pixel_chunks(data: bytes, path: Path) -> tuple[memoryview, ...]:
    """Return the bodies of all IDAT chunks, having compared the checksum of every chunk."""
    view = memoryview(data)
    found: list[memoryview] = []
    start = len(_SIGNATURE)
    while start + 12 <= len(data):
        length = int.from_bytes(view[start : start + 4])
        end = start + 8 + length
        if end + 4 > len(data):
            break
        kind = bytes(view[start + 4 : start + 8])
        if zlib.crc32(view[start + 4 : end]) != int.from_bytes(view[end : end + 4]):
            raise DataError(
                f"damaged PNG: the checksum of its {kind.decode('latin-1')} chunk at byte {start} "
                "is wrong; write or copy the file again",
                where=path,
            )
        if kind == b"IEND":
            return tuple(found)
        if kind == b"IDAT":
            found.append(view[start + 8 : end])
        start = end + 4
    raise DataError(
        f"truncated PNG: it ends after {len(data)} bytes without its closing chunk; "
        "write or copy the file again",
        where=path,
    )
