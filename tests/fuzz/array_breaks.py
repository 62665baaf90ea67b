"""Breaks of arrays (``.npy``), archives (``.npz``, ``.zip``), optical flow and weights."""

import io
import json
import pickle
import struct
import zipfile

from hypothesis import strategies as st

from tests.fuzz.byte_breaks import break_bytes
from tests.fuzz.json_breaks import break_value, written
from tests.fuzz.odd_values import texts

_MAGIC = b"\x93NUMPY"
_HEADERS = (
    *(
        "{'descr': '%s', 'fortran_order': False, 'shape': (2, 2)}" % kind  # noqa: UP031
        for kind in ("|O", "<f8", ">i4", "<u8", "|b1", "<U9", "|V8", "<M8[s]", "<c16", "zz", "<f2")
    ),
    *(
        "{'descr': '<i4', 'fortran_order': %s, 'shape': %s}" % (order, shape)  # noqa: UP031
        for order in ("False", "True", "3")
        for shape in (
            "()",
            "(-1,)",
            "(0, 0, 2)",
            "(10**9,)",
            "(1000000000,)",
            "(99999, 99999, 2)",
            "(2, 2, 2)",
            "'a'",
            "(1.5, 2)",
            "(True, True)",
            "(" + "1," * 70 + ")",
            "None",
        )
    ),
    *(
        "{'descr': [('a', '<i4'), ('b', '|O')], 'fortran_order': False, 'shape': (1,)}",
        "{}",
        "[]",
        "1",
    ),
    *("__import__('os').system('touch executed')", "{" * 60_000, "(" * 3000, "{'descr': '<f4',"),
    "{'descr': ('<i4', (2, 2)), 'fortran_order': False, 'shape': (3,)}",
)


class _Touch:
    """An object that runs code when it is read from a pickle."""

    def __reduce__(self):
        return (open, ("executed", "w"))


PICKLE = pickle.dumps(_Touch(), protocol=2)


def _npy(header: str, body: bytes) -> bytes:
    text = header.encode("latin-1", "replace").ljust(54) + b"\n"
    if len(text) < 65536:
        return _MAGIC + b"\1\0" + struct.pack("<H", len(text)) + text + body
    return _MAGIC + b"\2\0" + struct.pack("<I", len(text)) + text + body


def break_npy(draw, data: bytes) -> tuple[bytes, str]:
    choice = draw(st.integers(0, 3))
    body = data[10 + int.from_bytes(data[8:10], "little") :]
    if choice <= 1:
        return _npy(draw(st.sampled_from(_HEADERS)), body), "npy header"
    if choice == 2:
        values = draw(st.sampled_from([b"\xff", b"\0", b"\x7f", b"\x7f\xc0\0\0", b"\0\0\xc0\x7f"]))
        return data[: len(data) - len(body)] + (values * len(body))[: len(body)], "npy values"
    if draw(st.booleans()):
        return _npy("{'descr': '|O', 'fortran_order': False, 'shape': ()}", PICKLE), "npy pickle"
    return break_bytes(draw, data)


def _members_of(data: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def _zipped(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, body in members:
            archive.writestr(
                zipfile.ZipInfo(name.encode("utf-8", "replace").decode()), body, method
            )
    return stream.getvalue()


def break_archive(draw, data: bytes) -> tuple[bytes, str]:
    """Break a member of an archive, its names, or the archive itself."""
    try:
        members = _members_of(data)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return break_bytes(draw, data)
    choice = draw(st.integers(0, 6))
    at = draw(st.integers(0, max(0, len(members) - 1)))
    if not members or choice == 0:
        return break_bytes(draw, data)
    name, body = members[at]
    if choice <= 2:
        members[at] = name, break_npy(draw, body)[0]
    elif choice == 3:
        suffix = draw(st.sampled_from([".npy", "", ".NPY", ".txt"]))
        members[at] = draw(texts)[:60_000].replace("\0", "") + suffix, body
    elif choice == 4:
        del members[at]
    elif choice == 5:
        members.append((draw(st.sampled_from([name, "../planted.npy", "a/b.npy", "1.npy"])), body))
    else:  # a member of 300 MB in 300 kB
        header = "{'descr': '|u1', 'fortran_order': False, 'shape': (300000000,)}"
        members[at] = name, _npy(header, bytes(3 * 10**8))
    return _zipped(
        members,
        draw(st.sampled_from([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_LZMA]))
        if choice < 6
        else zipfile.ZIP_DEFLATED,
    ), f"archive {choice}"


def break_safetensors(draw, data: bytes) -> tuple[bytes, str]:
    """Break the header, which is JSON, or the bytes."""
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])
    except ValueError:
        return break_bytes(draw, data)
    if draw(st.integers(0, 3)) == 0:
        return break_bytes(draw, data)
    text = written(break_value(draw, header)).encode("utf-8", "replace")
    stated = draw(st.sampled_from([len(text)] * 6 + [0, 1, len(text) + 9, 2**40, 2**64 - 1]))
    return struct.pack("<Q", stated) + text + data[8 + length :], "safetensors header"


def break_flow(draw, data: bytes) -> tuple[bytes, str]:
    """Break a ``.flo``: a magic number, width, height, and floats."""
    if draw(st.booleans()):
        return break_bytes(draw, data)
    sides = st.sampled_from([0, 1, -1, 160, 10**5, 2**31 - 1, -(2**31)])
    return data[:4] + struct.pack("<ii", draw(sides), draw(sides)) + data[12:], "flow size"


def break_pickle(draw, data: bytes) -> tuple[bytes, str]:
    if draw(st.booleans()):
        return PICKLE, "pickle"
    return break_bytes(draw, data)
