"""The side-car of a drawn video: what is known of every object, one line of JSON a frame."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from mapt_bench.data.rle import encode_rle, parse_rle, runs_of_mask
from mapt_bench.errors import DataError
from mapt_bench.labels import ID_BITS, ID_LIMIT, KnownObject, VideoInfo

__all__ = ["KNOWN_SCHEMA", "KnownHeader", "known_text", "read_known", "read_known_header"]

KNOWN_SCHEMA = "mapt-bench/known/1"

_Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class KnownHeader:
    """First line of a side-car.

    Attributes:
        sequence: Name of the sequence.
        frames: How many there are.
        height: Pixels.
        width: Pixels.
        label_space: Name of the label space of the codes.
        settings: What the video was drawn from.
        tracks: Number of different tracked objects.
        maps_sha256: Of the codes of all panoptic maps, ``uint32`` little-endian, in order of time.
        images_sha256: Of the RGB bytes of all images, in order of time.
    """

    sequence: str
    frames: int
    height: int
    width: int
    label_space: str
    settings: Mapping[str, Any]
    tracks: int
    maps_sha256: str
    images_sha256: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        values = {name: getattr(self, name) for name in _FIELDS}
        return {"schema": KNOWN_SCHEMA, **values, "settings": dict(self.settings)}


_FIELDS = tuple(field.name for field in fields(KnownHeader))


def known_text(
    header: KnownHeader, info: VideoInfo, objects: Sequence[Sequence[KnownObject]]
) -> str:
    """Return a side-car.

    Args:
        header: Its first line.
        info: Of the video.
        objects: Of each frame, nearest first.
    """
    lines: list[dict[str, Any]] = [header.to_dict()]
    for name, found in zip(info.frame_names, objects, strict=True):
        size = (info.height, info.width)
        described = [_described(one, order, size) for order, one in enumerate(found)]
        lines.append({"frame": name, "objects": described})
    return "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines)


def _described(known: KnownObject, order: int, size: _Size) -> dict[str, Any]:
    height, width = known.amodal.shape
    whole = np.zeros(size, dtype=bool)
    whole[known.top : known.top + height, known.left : known.left + width] = known.amodal
    return {
        "code": known.code,
        "class": known.code >> ID_BITS,
        "id": known.code & (ID_LIMIT - 1),
        "box": [known.left, known.top, width, height],
        "amodal": {
            "size": list(size),
            "counts": encode_rle(runs_of_mask(whole), size[0] * size[1]),
        },
        "visible_px": known.visible_px,
        "amodal_px": known.amodal_px,
        "visible_fraction": _number(known.visible_fraction),
        "depth": _number(known.depth),
        "order": order,
        "speed": _number(known.speed),
        "look_alike": known.look_alike,
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 4)


def read_known_header(path: Path) -> KnownHeader:
    """Read the first line of a side-car.

    Raises:
        DataError: If it is missing, damaged or of another schema.
    """
    return _header(next(_lines(path), None), path)


def read_known(path: Path) -> tuple[KnownHeader, tuple[tuple[KnownObject, ...], ...]]:
    """Read a whole side-car: its header, and the objects of each frame, nearest first.

    Raises:
        DataError: If it is missing, damaged, of another schema or shorter than it says.
    """
    lines = list(_lines(path))
    header = _header(lines[0] if lines else None, path)
    if len(lines) != header.frames + 1:
        raise DataError(
            f"has {len(lines) - 1} lines of frames; expected {header.frames}; write it again",
            where=path,
        )
    try:
        frames = tuple(tuple(map(_object, line["objects"])) for line in lines[1:])
    except (KeyError, TypeError, ValueError, IndexError) as problem:
        raise DataError(f"is damaged ({problem}); write it again", where=path) from problem
    return header, frames


def _lines(path: Path) -> Iterator[Any]:
    try:
        with path.open(encoding="utf-8") as file:
            yield from map(json.loads, file)
    except (OSError, ValueError) as problem:
        raise DataError(f"cannot be read ({problem}); write it again", where=path) from problem


def _header(line: object, path: Path) -> KnownHeader:
    found = line if isinstance(line, dict) else {}
    if found.get("schema") != KNOWN_SCHEMA:
        raise DataError(
            f"has schema {found.get('schema')!r}; expected {KNOWN_SCHEMA!r}; write it again",
            where=path,
        )
    missing = [name for name in _FIELDS if name not in found]
    if missing:
        raise DataError(f"lacks {', '.join(missing)} in its first line", where=path)
    return KnownHeader(**{name: found[name] for name in _FIELDS})


def _object(line: Mapping[str, Any]) -> KnownObject:
    left, top, width, height = line["box"]
    rows, columns = line["amodal"]["size"]
    starts, ends = parse_rle(line["amodal"]["counts"], rows * columns)
    edges = np.zeros(rows * columns + 1, dtype=np.int8)
    edges[starts] += 1
    edges[ends] -= 1
    whole = np.cumsum(edges[:-1], dtype=np.int8).reshape(columns, rows).T.astype(bool)
    return KnownObject(
        code=int(line["code"]),
        top=top,
        left=left,
        amodal=whole[top : top + height, left : left + width],
        visible_px=int(line["visible_px"]),
        depth=_float(line["depth"]),
        speed=_float(line["speed"]),
        look_alike=int(line["look_alike"]),
    )


def _float(value: float | None) -> float:
    return float("nan") if value is None else float(value)
