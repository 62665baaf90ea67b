"""Breaks of PNG files in their grammar. All else, such as lengths and checksums, is right."""

import struct
import zlib

from hypothesis import strategies as st

from tests.fuzz.byte_breaks import break_bytes

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SIDES = (0, 1, 2, 7, 4095, 4096, 4097, 8192, 16384, 65535, 10**6, 2**31 - 1, 2**31, 2**32 - 1)
Chunk = tuple[bytes, bytes]


def chunks_of(data: bytes) -> list[Chunk]:
    """Return the chunks of a valid PNG: kind and body."""
    found, at = [], len(SIGNATURE)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def png_of(chunks: list[Chunk]) -> bytes:
    return SIGNATURE + b"".join(map(_packed, chunks))


def _packed(chunk: Chunk) -> bytes:
    kind, body = chunk
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _header(draw, chunks):
    """Change a field of the header: size, depth, colour type, methods, interlacing."""
    values = list(struct.unpack(">IIBBBBB", chunks[0][1]))
    at = draw(st.integers(0, 6))
    if at < 2:
        values[at] = draw(st.sampled_from(_SIDES))
        if draw(st.booleans()):
            values[1 - at] = draw(st.sampled_from(_SIDES))
    elif at == 2:
        values[at] = draw(st.sampled_from([0, 1, 2, 4, 8, 16, 17, 255]))
    else:
        values[at] = draw(st.sampled_from([0, 1, 2, 3, 4, 6, 7, 255]))
    return [(b"IHDR", struct.pack(">IIBBBBB", *values)), *chunks[1:]]


def _bomb(draw, chunks):
    """Claim a large frame, and give it pixels that are packed a thousand times."""
    width, height, depth, color, *rest = struct.unpack(">IIBBBBB", chunks[0][1])
    del width, height
    side = draw(st.sampled_from([1024, 4096, 4097, 6000]))
    count = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(color, 1)
    row = 1 + (side * count * max(depth, 1) + 7) // 8
    packer = zlib.compressobj(1)
    part = bytes(row * 64)
    packed = b"".join(packer.compress(part) for _ in range(side // 64)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, depth, color, *rest)
    return [(b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")]


def _rows(draw, chunks):
    """Change the rows behind the compression: filters, values, length."""
    packed = b"".join(body for kind, body in chunks if kind == b"IDAT")
    broken, _ = break_bytes(draw, zlib.decompress(packed))
    others = [chunk for chunk in chunks if chunk[0] != b"IDAT"]
    return [*others[:-1], (b"IDAT", zlib.compress(broken)), others[-1]]


def _stream(draw, chunks):
    """Change the compressed pixels."""
    return [
        (kind, break_bytes(draw, body)[0] if kind == b"IDAT" else body) for kind, body in chunks
    ]


def _cut(draw, chunks):
    """Cut the compressed pixels into many chunks. Some of them are empty."""
    found = []
    for kind, body in chunks:
        if kind == b"IDAT":
            step = draw(st.integers(1, 9))
            found += [(kind, body[at : at + step]) for at in range(0, len(body), step)]
            found.append((kind, b""))
        else:
            found.append((kind, body))
    return found


def _order(draw, chunks):
    """Remove, repeat or move a chunk."""
    at = draw(st.integers(0, len(chunks) - 1))
    rest = chunks[:at] + chunks[at + 1 :]
    to = draw(st.integers(0, len(rest)))
    return draw(
        st.sampled_from(
            [rest, [*chunks[:at], chunks[at], *chunks[at:]], [*rest[:to], chunks[at], *rest[to:]]]
        )
    )


_SQUEEZED = zlib.compress(bytes(30 * 10**6), 9)
_EXTRA = (
    *((b"eXIf", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"), (b"eXIf", b"MM\0*")),
    *(
        (b"eXIf", b"II*\0" + b"\xff" * 40),
        (b"tRNS", b"\0\1"),
        (b"tRNS", bytes(300)),
        (b"PLTE", b"\1"),
    ),
    *((b"PLTE", bytes(3 * 256)), (b"PLTE", bytes(3 * 300)), (b"iCCP", b"a\0\0" + _SQUEEZED)),
    *(
        (b"zTXt", b"a\0\0" + _SQUEEZED),
        (b"iTXt", b"a\0\1\0\0\0" + _SQUEEZED),
        (b"gAMA", b"\0\0\0\0"),
    ),
    *((b"acTL", b"\0\0\0\2\0\0\0\0"), (b"fcTL", bytes(26)), (b"XXXX", b"?"), (b"xx\xff\0", b"?")),
    *(
        (b"sBIT", b"\1"),
        (b"IDAT", b""),
        (b"IEND", b""),
        (b"pHYs", bytes(9)),
        (b"cHRM", b"\xff" * 32),
    ),
)


def _extra(draw, chunks):
    """Add a chunk."""
    at = draw(st.integers(1, len(chunks)))
    return [*chunks[:at], draw(st.sampled_from(_EXTRA)), *chunks[at:]]


def _checksums(draw, chunks):
    """Give a chunk a wrong length or checksum."""
    at = draw(st.integers(0, len(chunks) - 1))
    packed = bytearray(_packed(chunks[at]))
    place = draw(st.sampled_from([0, 1, 3, len(packed) - 1, len(packed) - 4]))
    packed[place] ^= draw(st.sampled_from([1, 0x80, 0xFF]))
    return b"".join(
        [SIGNATURE, *map(_packed, chunks[:at]), bytes(packed), *map(_packed, chunks[at + 1 :])]
    )


_BREAKS = (_header, _header, _bomb, _rows, _stream, _cut, _order, _extra, _checksums)


def break_png(draw, data: bytes) -> tuple[bytes, str]:
    chunks = chunks_of(data)
    if len(chunks) < 2 or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13:
        return break_bytes(draw, data)
    chosen = draw(st.sampled_from(_BREAKS))
    try:
        found = chosen(draw, chunks)
    except (zlib.error, IndexError, struct.error):  # a second break of a broken part
        return break_bytes(draw, data)
    return found if isinstance(found, bytes) else png_of(found), f"png {chosen.__name__.strip('_')}"
