"""JSON file of COCO panoptic annotations: find it, and read the code of each segment."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mapt_bench.data.folder_layout import MAPS_FOLDER, Listing
from mapt_bench.data.sequences import Report
from mapt_bench.errors import DataError, listed
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace

__all__ = ["find_coco_json", "read_segment_codes", "require_coco_json"]


def find_coco_json(listing: Listing) -> Path | None:
    """Return the JSON of panoptic annotations in a folder, or beside its ``panoptic_maps``.

    Raises:
        DataError: If there are several, or one is malformed.
    """
    found = [path for path in _candidates(listing) if _has_annotations(path)]
    if len(found) > 1:
        raise DataError(
            f"holds several JSON files of panoptic annotations ({listed(found)}); expected one; "
            "give a folder with one of them",
            where=listing.root,
        )
    return found[0] if found else None


def require_coco_json(listing: Listing) -> Path:
    """Return the JSON of panoptic annotations of a folder that must have one.

    Raises:
        DataError: If there is none, there are several, or it is malformed.
    """
    found = find_coco_json(listing)
    if found is not None:
        return found
    for path in _candidates(listing):
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            raise _broken(path, problem) from problem
    raise DataError(
        "holds no JSON of panoptic annotations (annotations with segments_info); expected one "
        "beside the PNGs; add it, or name another encoding with --encoding",
        where=listing.root,
    )


def _candidates(listing: Listing) -> list[Path]:
    beside = listing.root.name == MAPS_FOLDER
    return listing.files(".json") + (sorted(listing.root.parent.glob("*.json")) if beside else [])


def _has_annotations(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    try:
        data = json.loads(text)
    except ValueError as problem:
        if '"segments_info"' in text:  # otherwise the PNGs would be read as kitti-step
            raise _broken(path, problem) from problem
        return False
    if not isinstance(data, dict) or not isinstance(data.get("annotations"), list):
        return False
    return all(isinstance(e, dict) and "segments_info" in e for e in data["annotations"][:1])


def _broken(path: Path, problem: object) -> DataError:
    return DataError(
        f"is malformed JSON ({problem}); expected panoptic annotations; write or copy it again",
        where=path,
    )


@dataclass(frozen=True, slots=True)
class _Segment:
    """One entry of ``segments_info``, its fields checked one by one."""

    segment_id: int
    class_id: int
    is_crowd: bool
    track_id: int

    @classmethod
    def from_dict(cls, info: object) -> Self:
        """Read an entry.

        Raises:
            ValueError: If a field is missing or not a whole number. The message names it.
        """
        if not isinstance(info, Mapping):
            raise ValueError(f"a segment is {info!r}, no object")
        segment_id = _whole(info, "id", None)
        return cls(
            segment_id,
            class_id=_whole(info, "category_id", None),
            is_crowd=_whole(info, "iscrowd", 0) != 0,
            track_id=_whole(info, "track_id", segment_id),
        )


def _whole(info: Mapping[str, Any], key: str, default: int | None) -> int:
    value = info.get(key, default)
    if key not in info and default is None:
        raise ValueError(f"a segment has no {key}")
    if isinstance(value, float) and value.is_integer():  # some programs write 7 as 7.0
        value = int(value)
    if not isinstance(value, int):
        raise ValueError(f"{key} of a segment is {value!r}, no whole number")
    return int(value)


def read_segment_codes(
    json_file: Path, labels: LabelSpace, report: Report
) -> dict[str, dict[int, int]]:
    """Read the code of each segment of each PNG.

    Args:
        json_file: File found by :func:`find_coco_json`.
        labels: Label space. Each ``category_id`` is a class number of it.
        report: Receives the problem of each unusable annotation. These are omitted.

    Returns:
        For each PNG name, the code of each segment id.

    Raises:
        DataError: If the file cannot be read.
    """
    try:
        annotations: list[Any] = json.loads(json_file.read_text(encoding="utf-8"))["annotations"]
    except (OSError, ValueError, KeyError, TypeError) as problem:  # changed since it was found
        raise _broken(json_file, problem) from problem
    found: dict[str, dict[int, int]] = {}
    for position, annotation in enumerate(annotations):
        try:
            name, segments = _annotation(annotation, position, json_file)
            if name in found:
                raise DataError(f"has two annotations for {name}; keep one", where=json_file)
            found[name] = _segment_codes(segments, name, json_file, labels)
        except DataError as problem:
            report(problem)
    return found


def _annotation(annotation: object, position: int, json_file: Path) -> tuple[str, list[_Segment]]:
    try:
        if not isinstance(annotation, Mapping):
            raise ValueError(f"it is {annotation!r}, no object")
        for key, kind, what in (("file_name", str, "text"), ("segments_info", list, "list")):
            if key not in annotation:
                raise ValueError(f"it has no {key}")
            if not isinstance(annotation[key], kind):
                raise ValueError(f"{key} is {annotation[key]!r}, no {what}")
        segments = [_Segment.from_dict(info) for info in annotation["segments_info"]]
        return annotation["file_name"], segments
    except ValueError as problem:
        raise DataError(
            f"annotation {position} is malformed ({problem}); "
            "expected file_name and segments_info, each with id and category_id",
            where=json_file,
        ) from problem


def _segment_codes(
    segments: list[_Segment], name: str, json_file: Path, labels: LabelSpace
) -> dict[int, int]:
    table: dict[int, int] = {}
    for segment in segments:
        number, class_id = segment.segment_id, segment.class_id
        if not 0 < number < ID_LIMIT or not 0 <= segment.track_id < ID_LIMIT or number in table:
            raise DataError(
                f"lists segment {number} of {name}, whose ids are not unique in 1 to "
                f"{ID_LIMIT - 1}; give each segment of a frame its own id",
                where=json_file,
            )
        if not 0 <= class_id <= 255 or not labels.is_known_table[class_id]:
            raise DataError(
                f"segment {number} of {name} has category {class_id}, which is outside the "
                f"label space {labels.name!r} ({list(labels.class_ids)}); write its class "
                "numbers, or choose another with --dataset",
                where=json_file,
            )
        is_object = bool(labels.is_thing_table[class_id]) and not segment.is_crowd
        table[number] = class_id << ID_BITS | (segment.track_id if is_object else 0)
    return table
