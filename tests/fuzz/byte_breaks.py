"""Breaks of any file as bytes: truncation, bit flips, parts that are removed, repeated or zero."""

from collections.abc import Callable

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy], object]


def _place(draw, data):
    """Draw a position: the first bytes are as likely as all others, for they are headers."""
    last = max(0, len(data) - 1)
    return draw(st.one_of(st.integers(0, min(64, last)), st.integers(0, last)))


def _truncate(draw, data):
    return data[: _place(draw, data)]


def _flip(draw, data):
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        changed[_place(draw, data)] ^= 1 << draw(st.integers(0, 7))
    return bytes(changed)


def _remove(draw, data):
    at = _place(draw, data)
    return data[:at] + data[at + draw(st.integers(1, 40)) :]


def _repeat(draw, data):
    at = _place(draw, data)
    return (
        data[:at] + data[at : at + draw(st.integers(1, 40))] * draw(st.integers(2, 50)) + data[at:]
    )


def _zero(draw, data):
    at = _place(draw, data)
    length = min(draw(st.integers(1, 40)), len(data) - at)
    return data[:at] + draw(st.sampled_from([b"\0", b"\xff"])) * length + data[at + length :]


def _insert(draw, data):
    at = _place(draw, data)
    return data[:at] + draw(st.binary(min_size=1, max_size=8)) + data[at:]


def _append(draw, data):
    return data + draw(st.sampled_from([b"\0" * 100, b"\n\n", data, b"x" * 1000]))


def _empty(draw, data):
    del draw, data
    return b""


def _other_format(draw, data):
    del data
    return draw(st.sampled_from(OTHER_FORMATS))


OTHER_FORMATS = (
    *(
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0\0\x10JFIF\0",
        b"GIF89a\1\0\1\0",
        b"PK\3\4",
        b"PK\5\6",
    ),
    *(
        b"\x93NUMPY\1\0",
        b"\x1f\x8b\x08\0",
        b"BM",
        b"PIEH",
        b"%PDF-1.4",
        b"\xfe\xff\0{",
        b"\xff\xfe{\0",
    ),
    *(b"\xef\xbb\xbf{}", b"\0" * 64, b"{}", b"[]", b"null", b"---\n", b"#!/bin/sh\n", b"\x80\4."),
    b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n",
    b"<html><body>404 Not Found</body></html>",
)

BREAKS = (_truncate, _flip, _remove, _repeat, _zero, _insert, _append, _empty, _other_format)


def break_bytes(draw, data: bytes) -> tuple[bytes, str]:
    """Return a broken file, and the break in words."""
    chosen = draw(st.sampled_from(BREAKS if data else BREAKS[-3:]))
    return chosen(draw, data), chosen.__name__.strip("_")
