"""PNG files: headers, integrity of every chunk, exact encoding and fast decoding.

Fast decoders do not report errors: pyspng 0.1.4 ignores checksums and a missing end, and turns
16-bit or grey pixels into 8-bit RGB. Labels must be exact. So the header decides how to decode,
and every checksum is compared before the pixels are decoded.

Inflating takes most of the time of decoding. libdeflate (package ``deflate``) takes 0.1 ms where
zlib takes 2 ms for a 375x1242 KITTI-STEP map. So libdeflate inflates the pixels, and pyspng undoes
the row filters of a PNG without compression. CPU time of one such map: 1.5 ms (0.4 ms for
unfiltered rows), against 2.8 ms for pyspng alone, 3.7 for OpenCV and 6.3 for Pillow.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError
from mapt_bench.files import read_bytes
from mapt_bench.frame_limit import check_frame, frame_limit

__all__ = [
    "PngFile",
    "PngHeader",
    "decode_png",
    "encode_png",
    "load_png",
    "png_header",
    "undecodable",
]

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
    """Content of the first 33 bytes of a PNG.

    Attributes:
        width: Width in pixels.
        height: Height in pixels.
        bit_depth: Bits per channel: 1, 2, 4, 8 or 16.
        color_type: Colour type of PNG: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA.
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
        """Number of values per pixel."""
        return _KINDS[self.color_type][0]

    @property
    def is_palette(self) -> bool:
        """Whether pixels are indices into a colour table."""
        return self.color_type == _PALETTE

    def __str__(self) -> str:
        """Return a description for messages, for example ``1 channel, 16-bit grey``."""
        count, kind = _KINDS[self.color_type]
        return f"{count} channel{'' if count == 1 else 's'}, {self.bit_depth}-bit {kind}"


@dataclass(frozen=True, slots=True)
class PngFile:
    """A PNG file with correct checksums. Its pixels are not decoded.

    Attributes:
        path: Path of the file.
        header: Header.
        data: All bytes.
        packed_pixels: Consecutive pieces of the compressed pixels.
    """

    path: Path
    header: PngHeader
    data: bytes
    packed_pixels: tuple[memoryview, ...]


def png_header(path: Path) -> PngHeader:
    """Read only the header of a PNG.

    Raises:
        DataError: If the file is unreadable, empty, truncated or not a PNG, or claims more pixels
            than the limit of :mod:`mapt_bench.frame_limit` or than its bytes can hold.
    """
    try:
        start, byte_count = read_bytes(path, _HEADER_BYTES)
    except OSError as problem:
        raise DataError(f"cannot be read ({problem.strerror or problem})", where=path) from problem
    return _parse_header(start, byte_count, path)


def _parse_header(start: bytes, byte_count: int, path: Path) -> PngHeader:
    try:
        header = _header_of(start, frame_limit())
    except DataError as problem:
        raise DataError(problem.message, where=path) from problem
    pixel_bits = header.width * header.height * header.channels * header.bit_depth
    if pixel_bits > 8 * byte_count * _DEFLATE_RATIO:
        raise DataError(
            f"the header claims {header.width}x{header.height} pixels, more than {byte_count} "
            "bytes can hold: truncated or damaged PNG; the file was not decoded; write or copy it "
            "again",
            where=path,
        )
    return header


@lru_cache(maxsize=64)
def _header_of(start: bytes, _limit: str) -> PngHeader:
    """Parse the first bytes of a PNG, once for all frames that begin alike.

    Args:
        start: The first 33 bytes, or the whole file if it is shorter.
        _limit: The frame limit, which decides whether the header is refused.

    Raises:
        DataError: If the file is not a PNG, or claims more pixels than the limit.
    """
    _refuse_other_formats(start)
    if len(start) < _HEADER_BYTES:
        raise DataError(
            f"truncated PNG: {len(start)} bytes, less than a header ({_HEADER_BYTES}); "
            "write or copy the file again"
        )
    kind, body, checksum = start[12:16], start[16:29], int.from_bytes(start[29:33])
    if kind != b"IHDR" or zlib.crc32(kind + body) != checksum:
        raise DataError("damaged PNG: the header's checksum is wrong; write or copy the file again")
    width, height, bit_depth, color_type = struct.unpack(">IIBB", body[:10])
    if color_type not in _KINDS or not width or not height:
        raise DataError(
            f"damaged PNG: the header says {width}x{height} pixels of colour type {color_type}; "
            "write the file again"
        )
    header = PngHeader(width, height, bit_depth, color_type, is_interlaced=body[12] != 0)
    # Rows, pixels, a copy in another order of channels; then codes and what checks them.
    pixel_bytes = 3 * header.channels * (2 if bit_depth == 16 else 1) + 16
    check_frame(height, width, None, bytes_per_pixel=pixel_bytes)
    return header


def _refuse_other_formats(start: bytes) -> None:
    if not start:
        raise DataError("empty file; expected a PNG; write or copy the file again")
    if start.startswith(b"\xff\xd8\xff"):
        raise DataError(
            "is a JPEG, which changes label values; expected a PNG; write the labels as PNG"
        )
    if start[: len(_SIGNATURE)] != _SIGNATURE[: len(start)]:
        raise DataError(f"is not a PNG (it starts with {start[:8]!r}); expected a PNG of labels")


def load_png(path: Path) -> PngFile:
    """Read a PNG file and compare the checksum of every chunk, without decoding pixels.

    Raises:
        DataError: As :func:`png_header`, or if the file is truncated or damaged.
    """
    try:
        data, _ = read_bytes(path)
    except OSError as problem:
        raise DataError(f"cannot be read ({problem.strerror or problem})", where=path) from problem
    header = _parse_header(data[:_HEADER_BYTES], len(data), path)
    return PngFile(path, header, data, _pixel_chunks(data, path))


_CHUNK_START = struct.Struct(">I4s")  # length and kind


def _pixel_chunks(data: bytes, path: Path) -> tuple[memoryview, ...]:
    """Compare the checksum of every chunk, and return the bodies of all IDAT chunks."""
    view = memoryview(data)
    found: list[memoryview] = []
    start = len(_SIGNATURE)
    while start + 12 <= len(data):
        length, kind = _CHUNK_START.unpack_from(data, start)
        end = start + _CHUNK_START.size + length
        if end + 4 > len(data):
            break
        if zlib.crc32(view[start + 4 : end]) != int.from_bytes(data[end : end + 4]):
            raise DataError(
                f"damaged PNG: the checksum of its {kind.decode('latin-1')} chunk at byte {start} "
                "is wrong; write or copy the file again",
                where=path,
            )
        if kind == b"IEND":
            return tuple(found)
        if kind == b"IDAT":
            found.append(view[start + 8 : end])
        if kind == b"eXIf":
            _refuse_turned(bytes(view[start + 8 : end]), path)
        start = end + 4
    raise DataError(
        f"truncated PNG: it ends after {len(data)} bytes without its end chunk; "
        "write or copy the file again",
        where=path,
    )


_ORIENTATION = 0x0112  # tag of EXIF; 1 is upright, 0 is unknown


def _refuse_turned(exif: bytes, path: Path) -> None:
    """Refuse a PNG that EXIF data turn or mirror, because programs differ in applying them."""
    from PIL import Image

    data = Image.Exif()
    try:
        data.load(exif)
        orientation = data.get(_ORIENTATION, 1)
    except (SyntaxError, ValueError, OSError, struct.error):
        return  # other EXIF data do not matter
    if orientation not in (0, 1):
        raise DataError(
            f"its EXIF data turn or mirror it (orientation {orientation}), which programs treat "
            "differently; expected an upright PNG; turn the pixels, and write it without EXIF data",
            where=path,
        )


_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # channels: grey, grey and alpha, RGB, RGBA


def encode_png(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Encode labels as a PNG. Rows are unfiltered, which is fastest to read.

    Args:
        pixels: ``uint8`` or ``uint16`` of shape ``(height, width)`` or
            ``(height, width, channels)`` with 1 to 4 channels.

    Returns:
        Bytes of the file. Equal pixels give equal bytes.

    Example:
        >>> encode_png(np.zeros((1, 1, 3), dtype=np.uint8))[1:4]
        b'PNG'
    """
    cube = pixels if pixels.ndim == 3 else pixels[..., None]
    height, width, channels = cube.shape
    values = np.ascontiguousarray(cube, dtype=cube.dtype.newbyteorder(">"))
    flat = values.reshape(height, -1).view(np.uint8)
    rows = np.zeros((height, flat.shape[1] + 1), dtype=np.uint8)  # first byte: filter 0, none
    rows[:, 1:] = flat
    header = struct.pack(
        ">IIBBBBB", width, height, 8 * cube.dtype.itemsize, _COLOR_TYPES[channels], 0, 0, 0
    )
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, body) for name, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


_STORED_AT_MOST = 65535  # bytes of one block without compression
_LARGE_BLOCK = 31 << 20  # bytes; glibc's limit follows blocks below 32 MiB

Decoder = Callable[[PngFile], NDArray[Any]]


def decode_png(file: PngFile) -> NDArray[Any]:
    """Decode the pixels of a PNG file.

    Args:
        file: The file, from :func:`load_png`.

    Returns:
        ``uint8``, or ``uint16`` for 16-bit files. The shape is ``(height, width)`` for grey files
        and ``(height, width, channels)`` otherwise, channels in file order.

    Raises:
        DataError: If the compressed pixels are damaged, or the file has a palette.
    """
    header = file.header
    if header.is_palette or header.bit_depth < 8:
        raise DataError(
            f"has {header}; expected 8 or 16 bits per channel and no palette; write the file again",
            where=file.path,
        )
    fast = header.color_type == _RGB and header.bit_depth == 8
    pixels = (_rgb_decoder() if fast else _decode_with_cv2)(file)
    if pixels.shape[:2] != header.size:
        raise undecodable(file, f"{pixels.shape[:2]} pixels decoded, {header.size} expected")
    return _channels_of_file(pixels, header)


def _channels_of_file(pixels: NDArray[Any], header: PngHeader) -> NDArray[Any]:
    if header.color_type == _GREY:
        return pixels if pixels.ndim == 2 else pixels[..., 0]
    if header.color_type == _GREY_ALPHA:
        return pixels[..., [0, -1]]  # decoders repeat grey as red, green and blue
    return pixels[..., : header.channels]


@cache
def _rgb_decoder() -> Decoder:
    """Choose the fastest decoder of 8-bit RGB that the installed pyspng supports."""
    _keep_freed_memory()
    return _decode_with_libdeflate if _takes_stored_pixels() else _decode_with_spng


def _keep_freed_memory() -> None:
    """Make the allocator keep the memory of one frame for the next frame.

    glibc returns freed blocks above a limit to the system. The limit grows to the largest block
    freed so far. The few megabytes of a frame are above the initial limit. Then every frame would
    cause page faults for all its memory, which take as long as decoding. Freeing one large block
    lifts the limit. Other allocators ignore it.
    """
    np.empty(_LARGE_BLOCK, dtype=np.uint8)


def _takes_stored_pixels() -> bool:
    """Whether this pyspng reads the output of :func:`_stored_png`, which has no checksums."""
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
        raise undecodable(file, problem) from problem


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
            raise undecodable(file, f"{len(rows)} bytes of rows, {row_bytes} expected")
        filtered = np.frombuffer(rows, dtype=np.uint8).reshape(header.height, -1)
        if not np.count_nonzero(filtered[:, 0]):  # rows are stored as they are
            return filtered[:, 1:].reshape(*header.size, 3)
        return _spng(_stored_png(file.data[:33], rows))
    except (deflate.DeflateError, RuntimeError, ValueError) as problem:
        raise undecodable(file, problem) from problem


def _stored_png(header: bytes, rows: bytes | bytearray) -> bytes:
    """Return a PNG with rows stored without compression and without checksums.

    Args:
        header: Signature and IHDR chunk, 33 bytes.
        rows: Filtered rows, each preceded by its filter byte.
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
    import cv2

    pixels = cv2.imdecode(np.frombuffer(file.data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise undecodable(file, "OpenCV cannot read them")
    decoded: NDArray[Any] = pixels
    if decoded.ndim == 3:  # OpenCV's order is blue, green, red
        decoded = decoded[..., [2, 1, 0, 3][: decoded.shape[2]]]
    return decoded


def undecodable(file: PngFile, reason: object) -> DataError:
    """Return the error of a file whose pixels cannot be decoded."""
    return DataError(
        f"damaged PNG: its pixels cannot be decoded ({reason}); write or copy the file again",
        where=file.path,
    )
