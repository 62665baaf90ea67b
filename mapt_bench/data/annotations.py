"""Annotations of synthetic videos: the side-car file of each sequence, and videos that read it."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mapt_bench.data.dataset_file import resolve_labels
from mapt_bench.data.flow_fields import read_kitti_flow
from mapt_bench.data.rle import encode_rle, parse_rle, runs_of_mask
from mapt_bench.data.videos import FolderVideo, open_videos
from mapt_bench.errors import DataError, counted, listed, wrong_schema
from mapt_bench.files import parse_json
from mapt_bench.frame_limit import check_frame, check_frame_count
from mapt_bench.labels import (
    ID_BITS,
    ID_LIMIT,
    AnnotatedObject,
    FlowField,
    LabelSpace,
    VideoInfo,
    WrappedVideo,
)
from mapt_bench.special_files import refuse_special

__all__ = [
    "ANNOTATIONS_FOLDER",
    "ANNOTATIONS_SCHEMA",
    "BACKWARD_FLOW_FOLDER",
    "FORWARD_FLOW_FOLDER",
    "AnnotatedFolderVideo",
    "AnnotationsHeader",
    "annotations_text",
    "check_annotations",
    "open_annotated_videos",
    "read_annotations",
    "read_annotations_header",
]

ANNOTATIONS_SCHEMA = "mapt-bench/known/1"
"""The file format keeps its first name, so that data on disk stay readable."""

_Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class AnnotationsHeader:
    """First line of an annotations side-car.

    Attributes:
        sequence: Name of the sequence.
        frames: Number of frames.
        height: Pixels.
        width: Pixels.
        label_space: Name of the label space of the codes.
        settings: Settings that generated the video.
        tracks: Number of different tracked objects.
        maps_sha256: Hash of all panoptic maps' codes, ``uint32`` little-endian, in temporal order.
        images_sha256: Hash of the RGB bytes of all images, in temporal order.
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

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.height, self.width

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        values = {name: getattr(self, name) for name in _FIELDS}
        return {"schema": ANNOTATIONS_SCHEMA, **values, "settings": dict(self.settings)}


_FIELDS = tuple(field.name for field in fields(AnnotationsHeader))


def annotations_text(
    header: AnnotationsHeader, info: VideoInfo, objects: Sequence[Sequence[AnnotatedObject]]
) -> str:
    """Return the text of an annotations side-car.

    Args:
        header: First line.
        info: Description of the video.
        objects: Objects of each frame, nearest first.
    """
    lines: list[dict[str, Any]] = [header.to_dict()]
    for name, found in zip(info.frame_names, objects, strict=True):
        size = (info.height, info.width)
        described = [_described(one, order, size) for order, one in enumerate(found)]
        lines.append({"frame": name, "objects": described})
    return "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines)


def _described(entry: AnnotatedObject, order: int, size: _Size) -> dict[str, Any]:
    height, width = entry.amodal.shape
    whole = np.zeros(size, dtype=bool)
    whole[entry.top : entry.top + height, entry.left : entry.left + width] = entry.amodal
    return {
        "code": entry.code,
        "class": entry.code >> ID_BITS,
        "id": entry.code & (ID_LIMIT - 1),
        "box": [entry.left, entry.top, width, height],
        "amodal": {
            "size": list(size),
            "counts": encode_rle(runs_of_mask(whole), size[0] * size[1]),
        },
        "visible_px": entry.visible_px,
        "amodal_px": entry.amodal_px,
        "visible_fraction": _number(entry.visible_fraction),
        "depth": _number(entry.depth),
        "order": order,
        "speed": _number(entry.speed),
        "look_alike": entry.look_alike,
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 4)


def read_annotations_header(path: Path) -> AnnotationsHeader:
    """Read the first line of an annotations side-car.

    Raises:
        DataError: If the file is missing or damaged, or has another schema.
    """
    return _header(next(_lines(path), None), path)


def read_annotations(
    path: Path,
) -> tuple[AnnotationsHeader, tuple[tuple[AnnotatedObject, ...], ...]]:
    """Read an annotations side-car: the header, and the objects of each frame, nearest first.

    Raises:
        DataError: If the file is missing, damaged or incomplete, or has another schema.
    """
    lines = list(_lines(path))
    header = _header(lines[0] if lines else None, path)
    if len(lines) != header.frames + 1:
        raise DataError(
            f"has {len(lines) - 1} frame lines; expected {header.frames}; generate it again",
            where=path,
        )
    frames = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            frames.append(tuple(_object(each, header.size) for each in line["objects"]))
        except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as problem:
            raise DataError(
                f"line {number} is damaged ({_reason(problem)}); generate the file again",
                where=path,
            ) from problem
    return header, tuple(frames)


def _reason(problem: Exception) -> str:
    return f"no {problem}" if isinstance(problem, KeyError) else str(problem)


def _lines(path: Path) -> Iterator[Any]:
    try:
        refuse_special(path)
        with path.open(encoding="utf-8") as file:
            yield from map(parse_json, file)
    except (OSError, ValueError) as problem:
        raise DataError(f"cannot be read ({problem}); generate it again", where=path) from problem


def _header(line: object, path: Path) -> AnnotationsHeader:
    found = line if isinstance(line, dict) else {}
    if found.get("schema") != ANNOTATIONS_SCHEMA:
        remedy = "generate it again with mapt-bench synth"
        message = wrong_schema(found.get("schema"), ANNOTATIONS_SCHEMA, remedy=remedy)
        raise DataError(message, where=path)
    missing = [name for name in _FIELDS if name not in found]
    if missing:
        raise DataError(
            f"lacks {', '.join(missing)} in its first line; generate it again", where=path
        )
    header = AnnotationsHeader(**{name: found[name] for name in _FIELDS})
    _check_header(header, path)
    return header


def _check_header(header: AnnotationsHeader, path: Path) -> None:
    wrong = [
        name
        for name in _FIELDS
        if not isinstance(getattr(header, name), _KINDS[name])
        or (name in _SIZES and not _is_whole(getattr(header, name)))
    ]
    if wrong:
        raise DataError(
            f"its first line has {wrong[0]} {getattr(header, wrong[0])!r}; expected "
            f"{_KINDS[wrong[0]].__name__}; generate it again",
            where=path,
        )
    check_frame(header.height, header.width, path)
    check_frame_count(header.frames, path)


_SIZES = frozenset({"frames", "height", "width", "tracks"})
_KINDS: Mapping[str, type] = {
    "settings": dict,
    **dict.fromkeys(("sequence", "label_space", "maps_sha256", "images_sha256"), str),
    **dict.fromkeys(_SIZES, int),
}


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _object(line: Mapping[str, Any], size: _Size) -> AnnotatedObject:
    """Read one object, and check that its numbers agree.

    Raises:
        KeyError: If an entry is missing.
        TypeError: If an entry has the wrong type.
        ValueError: If an entry is impossible. The message says which.
    """
    left, top, width, height = line["box"]
    if not all(map(_is_whole, line["box"])) or left + width > size[1] or top + height > size[0]:
        raise ValueError(f"the box {line['box']} is not inside a frame of {size[1]}x{size[0]}")
    if line["amodal"]["size"] != list(size):
        raise ValueError(f"a mask of size {line['amodal']['size']}; expected {list(size)}")
    starts, ends = parse_rle(line["amodal"]["counts"], size[0] * size[1])
    edges = np.zeros(size[0] * size[1] + 1, dtype=np.int8)
    edges[starts] += 1
    edges[ends] -= 1
    whole = np.cumsum(edges[:-1], dtype=np.int8).reshape(size[1], size[0]).T.astype(bool)
    amodal = whole[top : top + height, left : left + width]
    pixels = np.count_nonzero(whole)
    if pixels != np.count_nonzero(amodal) or pixels != line.get("amodal_px", pixels):
        raise ValueError(f"the box {line['box']} and the mask of {pixels} pixels do not agree")
    found = AnnotatedObject(
        code=_code(line),
        top=top,
        left=left,
        amodal=amodal,
        visible_px=line["visible_px"],
        depth=_float(line["depth"]),
        speed=_float(line["speed"]),
        look_alike=line["look_alike"],
    )
    if not _is_whole(found.visible_px) or found.visible_px > pixels:
        raise ValueError(f"{found.visible_px!r} visible pixels of an object of {pixels}")
    if not _is_whole(found.look_alike):
        raise ValueError(f"look_alike is {found.look_alike!r}; expected a whole number")
    return found


def _code(line: Mapping[str, Any]) -> int:
    """Return the code of an object, which its class and identity repeat."""
    code = line["code"]
    if not _is_whole(code) or code >> ID_BITS > _CLASSES_AT_MOST:
        raise ValueError(f"the code {code!r} is not class << {ID_BITS} | id")
    parts = code >> ID_BITS, code & (ID_LIMIT - 1)
    if (line.get("class", parts[0]), line.get("id", parts[1])) != parts or not parts[1]:
        raise ValueError(
            f"the code {code} has class {parts[0]} and id {parts[1]}, the object states class "
            f"{line.get('class')} and id {line.get('id')}"
        )
    return int(code)


_CLASSES_AT_MOST = 255


def _float(value: float | None) -> float:
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    return float(value)


ANNOTATIONS_FOLDER = "known"
"""Folder of the side-cars. The name is part of the file format ``mapt-bench/known/1``."""
BACKWARD_FLOW_FOLDER = "backward_flow"
FORWARD_FLOW_FOLDER = "forward_flow"


@dataclass(frozen=True)
class AnnotatedFolderVideo(WrappedVideo):
    """A synthetic video in files; implements :class:`~mapt_bench.labels.AnnotatedVideo`.

    Attributes:
        video: Frames and maps.
        folder: Folder of the data set.
        split: For example ``"val"``.
    """

    video: FolderVideo
    folder: Path
    split: str

    def objects(self, index: int) -> tuple[AnnotatedObject, ...]:
        """Return the tracked objects in a frame, hidden ones included, nearest first.

        Raises:
            DataError: If the side-car is damaged.
        """
        return _objects(self.folder / ANNOTATIONS_FOLDER / self.split / f"{self.info.name}.jsonl")[
            index
        ]

    def backward_flow(self, index: int) -> FlowField:
        """Return each pixel's position in the previous frame, to 1/64 pixel.

        Raises:
            DataError: For the first frame, or if the folder has no flow.
        """
        if index < 1:
            raise DataError("the first frame has no previous frame", where=self.info.name)
        return self._flow(BACKWARD_FLOW_FOLDER, index)

    def forward_flow(self, index: int) -> FlowField:
        """Return each pixel's position in the next frame, to 1/64 pixel.

        Raises:
            DataError: For the last frame, or if the folder has no flow.
        """
        if index + 1 >= self.info.frame_count:
            raise DataError("the last frame has no next frame", where=self.info.name)
        return self._flow(FORWARD_FLOW_FOLDER, index)

    def named_files(self) -> Iterator[tuple[Path, Sequence[str]]]:
        """Yield folders and names of files, for a check whether other machines have them."""
        root, name = self.folder.absolute(), self.info.name
        yield root / ANNOTATIONS_FOLDER / self.split, [f"{name}.jsonl"]
        flow = [f"{frame}.png" for frame in self.info.frame_names]
        kinds = {BACKWARD_FLOW_FOLDER: flow[1:], FORWARD_FLOW_FOLDER: flow[:-1]}
        for kind, existing in kinds.items():
            if (root / kind).is_dir():
                yield root / kind / self.split / name, existing

    def _flow(self, kind: str, index: int) -> FlowField:
        name = f"{self.info.frame_names[index]}.png"
        path = self.folder / kind / self.split / self.info.name / name
        if not path.is_file():
            raise DataError(
                "does not exist; expected optical flow; generate it with synth --flow both",
                where=path,
            )
        return read_kitti_flow(path, (self.info.height, self.info.width))


@lru_cache(maxsize=4)
def _objects(path: Path) -> tuple[tuple[AnnotatedObject, ...], ...]:
    return read_annotations(path)[1]


def open_annotated_videos(folder: Path) -> list[AnnotatedFolderVideo]:
    """Open the synthetic videos of a folder that ``mapt-bench synth`` wrote.

    Raises:
        DataError: If a sequence has no side-car, or a file is unreadable.
    """
    folder = Path(folder)
    found = []
    for video in open_videos(folder, resolve_labels(None, folder)):
        if not isinstance(video, FolderVideo) or video.maps is None:
            raise DataError(
                "has no maps; expected synthetic videos, as mapt-bench synth writes them",
                where=folder,
            )
        *_, split, name = ("", *video.maps.parts)
        path = folder / ANNOTATIONS_FOLDER / split / f"{name}.jsonl"
        if not path.is_file():
            raise DataError(
                "does not exist; expected one annotations side-car for each sequence; "
                "generate the data again with mapt-bench synth",
                where=path,
            )
        _check_frames(video, read_annotations_header(path).frames, path)
        found.append(AnnotatedFolderVideo(video, folder, split))
    return found


def check_annotations(
    folder: Path, maps: Mapping[tuple[str, ...], int], labels: LabelSpace | None = None
) -> Iterator[DataError]:
    """Yield every problem of a folder's side-cars. A folder without side-cars has none.

    Args:
        folder: Folder of the data set. Its side-cars are in ``known``.
        maps: Number of frames of each sequence of maps, by its path below the maps.
        labels: Label space of the maps. Objects must be things of it.
    """
    root = Path(folder) / ANNOTATIONS_FOLDER
    for path in sorted(root.glob("*/[!.]*.jsonl")):
        parts = path.relative_to(root).with_suffix("").parts
        try:
            header, objects = read_annotations(path)
        except DataError as problem:
            yield problem
            continue
        frames = header.frames
        classes = {one.code >> ID_BITS for found in objects for one in found}
        unknown = sorted(classes - (classes if labels is None else set(labels.thing_ids)))
        if unknown:
            yield DataError(
                f"has objects of class {listed(unknown)}, no thing of the label space; generate "
                "the sequence again",
                where=path,
            )
        if maps.get(parts) != frames:
            yield DataError(
                f"describes {counted(frames, 'frame')}, but the sequence has maps of "
                f"{maps.get(parts, 0)}; generate the sequence again",
                where=path,
            )


def _check_frames(video: FolderVideo, expected: int, path: Path) -> None:
    if video.info.frame_count != expected:
        raise DataError(
            f"describes {counted(expected, 'frame')}, but the sequence has "
            f"{video.info.frame_count}; generate it again",
            where=path,
        )
