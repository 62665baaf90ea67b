"""PNG headers, integrity and pixels."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mapt_bench.data import png
from mapt_bench.data.png import decode_png, encode_png, load_png, png_header
from mapt_bench.errors import DataError

DECODERS = (
    "_decode_with_libdeflate",
    "_decode_with_spng",
    "_decode_with_cv2",
)
RGB = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


def save(tmp_path, data):
    path = tmp_path / "frame.png"
    path.write_bytes(data)
    return path


def decode(path):
    return decode_png(load_png(path))


def header_of(width, height, bits=8, color_type=2):
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n\0\0\0\r" + body + struct.pack(">I", zlib.crc32(body))


def test_header_is_read_without_the_pixels(tmp_path):
    whole = encode_png(RGB)
    header = png_header(save(tmp_path, whole[:45]))
    assert header.size == (4, 5)
    assert str(header) == "3 channels, 8-bit RGB"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_kind_of_pixel_survives(tmp_path, dtype, channels):
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, np.iinfo(dtype).max + 1, (7, 3, channels)).astype(dtype)
    found = decode(save(tmp_path, encode_png(pixels)))
    assert found.dtype == dtype
    assert np.array_equal(found, pixels[..., 0] if channels == 1 else pixels)


@settings(deadline=None, max_examples=40)
@given(pixels=hnp.arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 5), st.just(3))))
def test_decoders_agree(tmp_path_factory, pixels):
    path = tmp_path_factory.mktemp("png") / "frame.png"
    path.write_bytes(encode_png(pixels))
    for name in DECODERS:
        assert np.array_equal(getattr(png, name)(load_png(path)), pixels)


def test_decoders_agree_on_every_row_filter(tmp_path):
    from PIL import Image

    # Noise, ramps and steps, so that an adaptive encoder chooses different filters.
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    pixels[8:32] = np.arange(64, dtype=np.uint8)[:, None]
    pixels[32:48] = np.add.outer(np.arange(16), np.arange(64))[..., None]
    path = tmp_path / "frame.png"
    Image.fromarray(pixels).save(path)
    rows = zlib.decompress(b"".join(load_png(path).packed_pixels))
    assert len({rows[start] for start in range(0, len(rows), 1 + 3 * 64)}) >= 3
    for name in DECODERS:
        assert np.array_equal(getattr(png, name)(load_png(path)), pixels)


def test_pixels_may_lie_in_several_chunks(tmp_path):
    whole = encode_png(RGB)
    body = whole[41:-16]  # between IDAT and its checksum
    parts = b""
    for piece in (body[:7], body[7:]):
        chunk = b"IDAT" + piece
        parts += struct.pack(">I", len(piece)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path = save(tmp_path, whole[:33] + parts + whole[-12:])
    assert len(load_png(path).packed_pixels) == 2
    assert np.array_equal(decode(path), RGB)


def test_interlaced_pixels(tmp_path):
    # Adam7 of 1x1 pixels is a single pass of one row, so the bytes are those of a plain file.
    plain = bytearray(encode_png(RGB[:1, :1]))
    plain[28] = 1
    plain[29:33] = struct.pack(">I", zlib.crc32(bytes(plain[12:29])))
    path = save(tmp_path, bytes(plain))
    assert load_png(path).header.is_interlaced
    assert np.array_equal(decode(path), RGB[:1, :1])


def test_encoder_is_read_by_others(tmp_path):
    from PIL import Image

    with Image.open(save(tmp_path, encode_png(RGB))) as image:
        assert np.array_equal(np.asarray(image), RGB)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty file"),
        (b"\xff\xd8\xff\xe0" + bytes(60), "JPEG"),
        (b"GIF89a" + bytes(60), "not a PNG"),
        (encode_png(RGB)[:20], "truncated"),
        (encode_png(RGB)[:-12], "truncated"),
        (encode_png(RGB)[:-20], "truncated"),
        (header_of(5, 4), "truncated"),
        (header_of(40000, 40000), "40000x40000 pixels; expected at most as many as 8192x8192"),
        (header_of(8000, 8000) + bytes(500), "more than 533 bytes can hold"),
        (header_of(0, 4), "damaged"),
    ],
)
def test_unusable_files_are_refused(tmp_path, data, message):
    path = save(tmp_path, data)
    with pytest.raises(DataError, match=message) as caught:
        load_png(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize("position", [20, 45, -6])
def test_a_changed_byte_is_noticed(tmp_path, position):
    data = bytearray(encode_png(RGB))
    data[position] ^= 0x55
    with pytest.raises(DataError, match="damaged"):
        load_png(save(tmp_path, bytes(data)))


def test_pixels_that_do_not_inflate_are_refused(tmp_path):
    body = b"IDAT" + b"no deflate stream at all" * 4
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    path = save(tmp_path, header_of(5, 4) + chunk + encode_png(RGB)[-12:])
    for name in DECODERS:
        with pytest.raises(DataError, match="cannot be decoded"):
            getattr(png, name)(load_png(path))


@pytest.mark.parametrize("rows", [3, 5])
def test_rows_must_be_those_of_the_header(tmp_path, rows):
    inner = encode_png(np.zeros((rows, 5, 3), dtype=np.uint8))
    path = save(tmp_path, header_of(5, 4) + inner[33:])
    with pytest.raises(DataError, match="cannot be decoded"):
        decode(path)


def test_palettes_are_refused(tmp_path):
    from PIL import Image

    path = tmp_path / "frame.png"
    Image.fromarray(RGB[..., 0]).convert("P").save(path)
    with pytest.raises(DataError, match="palette"):
        decode(path)


def test_missing_files_are_data_errors(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        png_header(tmp_path / "none.png")
    with pytest.raises(DataError, match="cannot be read"):
        load_png(tmp_path / "none.png")


def test_a_pyspng_that_needs_checksums_inflates_the_pixels_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(png, "_takes_stored_pixels", lambda: False)
    png._rgb_decoder.cache_clear()
    try:
        assert png._rgb_decoder() is png._decode_with_spng
        assert np.array_equal(decode(save(tmp_path, encode_png(RGB))), RGB)
    finally:
        png._rgb_decoder.cache_clear()
