"""Annotations of video instance JSON: videos, categories, objects, and the decoding of masks."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.rle import parse_rle
from mapt_bench.errors import DataError, listed, nearest
from mapt_bench.frame_limit import check_frame
from mapt_bench.labels import ID_LIMIT, LabelSpace

__all__ = [
    "StoredObject",
    "VideoEntry",
    "VisMask",
    "class_numbers",
    "decode_mask",
    "masks_by_frame",
    "of_other_shape",
    "parts_inside",
    "read_object",
    "read_videos",
    "refuse_twin_annotation",
    "valid_size",
]

_LEAST_COORDINATES = 6  # three points

_OUTSIDE = 4
"""Largest coordinate of a polygon, in sides of the frame. Memory of pycocotools grows with it."""


@dataclass(frozen=True, slots=True)
class VisMask:
    """The mask of an object in a frame.

    Attributes:
        identity: Identity of the object. 0 is crowd.
        class_id: Class number.
        segmentation: Run lengths or polygons, as in the JSON.
        score: Score of the object. ``None`` in ground truth.
        position: Position of the annotation, for messages.
    """

    identity: int
    class_id: int
    segmentation: Any
    score: float | None
    position: int


StoredObject = tuple[VisMask, list[Any]]
"""An object without its mask, and the masks of all frames as in the JSON."""


@dataclass(frozen=True, slots=True)
class VideoEntry:
    """A video of the ground truth.

    Attributes:
        video_id: Id.
        parts: Folder of its frames, or its id.
        frame_names: Names of its frames.
        size: Height and width in pixels.
    """

    video_id: str
    parts: tuple[str, ...]
    frame_names: tuple[str, ...]
    size: tuple[int, int]


def read_object(
    entry: object, position: int, class_of: Mapping[int, int], file: Path
) -> tuple[str, VisMask, list[Any]]:
    """Return video, object without mask, and masks of an annotation.

    Raises:
        DataError: If it is malformed. The message has its position.
    """
    try:
        if not isinstance(entry, Mapping):
            raise ValueError("it is not an object")
        lacking = [k for k in ("video_id", "category_id", "segmentations") if k not in entry]
        if lacking:
            raise ValueError(f"it has no {listed(lacking)}")
        frames, category = entry["segmentations"], entry["category_id"]
        if not isinstance(frames, list):
            raise ValueError("segmentations are not a list")
        if not isinstance(category, int | float) or category not in class_of:
            raise ValueError(
                f"category {category!r} is unknown, known are {listed(sorted(class_of))}: choose "
                "the label space with --dataset"
            )
        score = entry.get("score")
        if score is not None and (type(score) not in (int, float) or not np.isfinite(score)):
            raise ValueError(f"score is {score!r}")
        identity = entry.get("track_id", -1)
        if type(identity) is not int or not -1 <= identity < ID_LIMIT - 1 or identity == 0:
            raise ValueError(f"track_id is {identity!r}")
        if entry.get("iscrowd"):
            identity = 0
    except ValueError as problem:
        raise DataError(
            f"annotation {position} is malformed ({problem}); expected video_id, category_id and "
            "segmentations",
            where=file,
        ) from problem
    mask = VisMask(identity, class_of[int(category)], None, score, position)
    return str(entry["video_id"]), mask, frames


def refuse_twin_annotation(
    entry: Mapping[str, Any], seen: set[int | str], position: int, file: Path
) -> None:
    number = entry.get("id")
    if number is None:
        return
    if not isinstance(number, int | str):
        raise DataError(f"annotation {position} has id {number!r}; expected a number", where=file)
    if number in seen:
        raise DataError(
            f"annotation {position} has id {number}, as one before; keep one", where=file
        )
    seen.add(number)


def read_videos(entries: object, file: Path) -> dict[str, VideoEntry]:
    """Return the videos of the ground truth by id.

    Raises:
        DataError: If one is malformed or occurs twice, or there is none.
    """
    found: dict[str, VideoEntry] = {}
    places: dict[tuple[str, ...], str] = {}
    for entry in entries if isinstance(entries, list) else ():
        try:
            video = _video(entry, file)
        except (KeyError, TypeError, ValueError) as problem:
            raise DataError(
                f"a video is malformed ({problem!r}); expected id, height, width and file_names",
                where=file,
            ) from problem
        other = places.setdefault(video.parts, video.video_id)
        if video.video_id in found or other != video.video_id:
            raise DataError(
                f"lists video {video.video_id} twice, or with the frames of video {other}; keep "
                "one",
                where=file,
            )
        found[video.video_id] = video
    if not found:
        raise of_other_shape(file)
    return found


def _video(entry: Mapping[str, Any], file: Path) -> VideoEntry:
    names = [PurePosixPath(str(name).replace("\\", "/")) for name in entry["file_names"]]
    video = str(entry["id"])
    folders = {name.parent for name in names}
    parts = parts_inside(folders.pop()) if len(folders) == 1 else ()
    stems = tuple(name.stem for name in names)
    if len(set(stems)) != len(stems) or entry.get("length", len(stems)) != len(stems):
        raise ValueError(
            f"video {video} has {len(stems)} file_names, {len(set(stems))} of them different, and "
            f"length {entry.get('length')}"
        )
    size = valid_size(entry["height"], entry["width"], f"video {video}", file)
    return VideoEntry(video, parts or parts_inside(video) or ("_",), stems, size)


def parts_inside(path: PurePosixPath | str) -> tuple[str, ...]:
    """Return the parts of a path in a file that lead downwards, so that outputs stay in theirs.

    Example:
        >>> parts_inside("../../a/b"), parts_inside("/c")
        (('a', 'b'), ('c',))
    """
    return tuple(part for part in PurePosixPath(path).parts if part.strip("/") not in ("", ".."))


def valid_size(height: object, width: object, what: str, file: Path) -> tuple[int, int]:
    """Return height and width.

    Raises:
        DataError: If they are not whole numbers, or too large or small.
    """
    if type(height) is int and type(width) is int and height > 0 < width:
        check_frame(height, width, file, what=what)
        return height, width
    raise DataError(
        f"{what} has height {height} and width {width}; expected whole numbers of pixels from 1",
        where=file,
    )


def class_numbers(data: object, file: Path, labels: LabelSpace) -> dict[int, int]:
    """Return the class number of each category: by name, or by number where there are no names."""
    categories = data.get("categories") if isinstance(data, Mapping) else None
    if not categories:
        return {number: number for number in labels.thing_ids}
    numbers = {entry.name: entry.class_id for entry in labels.classes if entry.is_thing}
    found: dict[int, int] = {}
    for entry in categories if isinstance(categories, list) else [categories]:
        if not _is_category(entry):
            raise DataError(f"category {entry!r} is malformed; expected id and name", where=file)
        if entry["name"] not in numbers:
            raise DataError(
                f"has category {entry['name']!r}, which is not a thing of the label space "
                f"{labels.name!r}; {nearest(str(entry['name']), numbers)}; choose the label space "
                "of the data with --dataset, as in --dataset youtube-vis-2021",
                where=file,
            )
        found[entry["id"]] = numbers[entry["name"]]
    return found


def _is_category(entry: object) -> bool:
    return (
        isinstance(entry, Mapping)
        and isinstance(entry.get("id"), int | float)
        and isinstance(entry.get("name"), str)
    )


def of_other_shape(file: Path) -> DataError:
    """Return the error of a JSON with segmentations in another shape."""
    return DataError(
        "holds segmentations in an unknown shape; expected {'videos', 'categories', "
        "'annotations'}, or results as a list of {'video_id', 'category_id', 'score', "
        "'segmentations'}",
        where=file,
    )


def masks_by_frame(
    found: list[StoredObject], length: int, file: Path
) -> tuple[tuple[VisMask, ...], ...]:
    """Return the masks of each frame. Objects without an own identity are numbered from 1."""
    taken: dict[tuple[int, int], int] = {}
    for mask, _ in found:
        other = taken.setdefault((mask.class_id, mask.identity), mask.position)
        if mask.identity > 0 and other != mask.position:
            raise DataError(
                f"annotations {other} and {mask.position} have track_id {mask.identity} in one "
                "video; expected one annotation per object; join them",
                where=file,
            )
    numbers = {identity for _, identity in taken}
    fresh = iter(number for number in range(1, ID_LIMIT) if number not in numbers)
    by_frame: list[list[VisMask]] = [[] for _ in range(length)]
    for mask, frames in found:
        own = replace(mask, identity=next(fresh)) if mask.identity < 0 else mask
        for at, segmentation in enumerate(frames):
            if segmentation is not None:
                by_frame[at].append(replace(own, segmentation=segmentation))
    return tuple(tuple(masks) for masks in by_frame)


def decode_mask(entry: VisMask, size: tuple[int, int], where: str) -> NDArray[np.bool_]:
    """Return the mask of an entry, of shape ``size``."""
    try:
        if isinstance(entry.segmentation, Mapping):
            starts, ends = _runs(entry.segmentation, size)
            flat = np.zeros(size[0] * size[1] + 1, dtype=np.int8)
            flat[starts] += 1
            flat[ends] -= 1
            return np.cumsum(flat[:-1]).reshape(size[1], size[0]).T.astype(np.bool_)
        return _filled(entry.segmentation, size)
    except ValueError as problem:
        raise DataError(
            f"annotation {entry.position} has a malformed mask ({problem}); expected run lengths "
            f"{{'size': [{size[0]}, {size[1]}], 'counts'}} or polygons [[x, y, x, y, x, y, ...]]",
            where=where,
        ) from problem


def _runs(
    segmentation: Mapping[str, Any], size: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    stated, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(stated, list) or stated != list(size):
        raise ValueError(f"its size is {stated}")
    if isinstance(counts, str):
        return parse_rle(counts, size[0] * size[1])
    pixels = size[0] * size[1]
    if not isinstance(counts, list) or not all(type(n) is int and 0 <= n <= pixels for n in counts):
        raise ValueError("counts are neither text nor a list of whole numbers of pixels")
    bounds = np.cumsum(np.array(counts, dtype=np.int64))
    total = int(bounds[-1]) if bounds.size else 0
    if total != size[0] * size[1]:
        raise ValueError(f"the runs cover {total} pixels of {size[0] * size[1]}")
    ends = bounds[1::2]
    starts = bounds[0::2][: ends.size]
    solid = ends > starts
    return starts[solid], ends[solid]


def _filled(polygons: object, size: tuple[int, int]) -> NDArray[np.bool_]:
    from pycocotools import mask as coco_mask

    if not isinstance(polygons, list):
        raise ValueError(f"it is a {type(polygons).__name__}")
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) < _LEAST_COORDINATES or len(polygon) % 2:
            raise ValueError("a polygon has fewer than three points, or half a point")
        if not all(type(one) in (int, float) and np.isfinite(one) for one in polygon):
            raise ValueError("a coordinate is not a number")
        if max(map(abs, polygon)) > _OUTSIDE * max(size):
            raise ValueError("a coordinate is far outside the frame")
    if not polygons:
        return np.zeros(size, dtype=np.bool_)
    rles = coco_mask.frPyObjects(polygons, *size)
    return coco_mask.decode(coco_mask.merge(rles)).astype(np.bool_)
