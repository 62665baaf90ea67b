"""JSON file of COCO panoptic annotations: find it, and read the code of each segment."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mapt_bench.data.folder_layout import MAPS_FOLDER, Listing
from mapt_bench.data.json_files import ends_early, holds_text, load_json
from mapt_bench.data.sequences import IGNORED_ID, Report
from mapt_bench.errors import DataError, listed
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace

__all__ = [
    "AnnotatedPng",
    "CocoAnnotations",
    "find_coco_json",
    "png_places",
    "read_annotations",
    "require_coco_json",
]

_MARK = "segments_info"
_WHAT = "panoptic annotations"
_ANCESTORS = 3  # folders above the maps in which a JSON named like its folder is searched
_SHAPES = (
    "expected {'annotations': [{'file_name', 'segments_info'}]}, or for videos "
    "{'annotations': [{'video_id', 'annotations': [{'file_name', 'segments_info'}]}]}"
)


def find_coco_json(listing: Listing, *, only_own: bool = False) -> Path | None:
    """Return the JSON of panoptic annotations of a folder of PNGs.

    Order of precedence:

    1. a JSON in the folder;
    2. a JSON beside the folder with the name of the folder, or beside its ``panoptic_maps``;
    3. a JSON in one of the two folders above that names one of the PNGs, unless ``only_own``.

    Raises:
        DataError: If there are several of the same precedence, or one is malformed, cut, too large,
            or holds ``segments_info`` in another shape.
    """
    for files, is_own in (one for one in _candidates(listing) if one[1] or not only_own):
        found = [path for path in files if _belongs(path, listing, is_own=is_own)]
        if len(found) > 1:
            raise DataError(
                f"holds several JSON files of panoptic annotations ({listed(found)}); expected "
                "one; give a folder with one of them",
                where=listing.root,
            )
        if found:
            return found[0]
    return None


def require_coco_json(listing: Listing) -> Path:
    """Return the JSON of panoptic annotations of a folder that must have one.

    Raises:
        DataError: If there is none, there are several, or it is malformed.
    """
    found = find_coco_json(listing)
    if found is not None:
        return found
    for files, is_own in _candidates(listing):
        for path in files if is_own else ():
            load_json(path, _WHAT)
    raise DataError(
        "holds no JSON of panoptic annotations (annotations with segments_info); expected one "
        "beside the PNGs; add it, or name another encoding with --encoding",
        where=listing.root,
    )


def _candidates(listing: Listing) -> Iterator[tuple[Sequence[Path], bool]]:
    """Yield groups of JSON files by precedence, and whether these are certainly of the folder."""
    yield listing.files(".json"), True
    root = listing.root.absolute()
    places = (root, *root.parents)[:_ANCESTORS]
    named = [place.with_name(f"{place.name}.json") for place in places if place.name]
    beside_maps = [
        path for place in places if place.name == MAPS_FOLDER for path in _jsons(place.parent)
    ]
    own = sorted({path for path in (*named, *beside_maps) if path.is_file()})
    yield own, True
    yield [path for place in places[1:] for path in _jsons(place) if path not in own], False


def _jsons(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))


def _belongs(path: Path, listing: Listing, *, is_own: bool) -> bool:
    """Whether a JSON describes PNGs of the folder.

    Raises:
        DataError: If it holds ``segments_info`` of these PNGs in a form that cannot be read, or is
            certainly of the folder and cut.
    """
    if path.name.startswith("."):
        return False
    if not holds_text(path, _MARK):
        if is_own and ends_early(path):
            raise DataError(
                "is cut or no JSON: its end is missing, so it may have described these PNGs; "
                "expected panoptic annotations; copy it again, remove it, or name the encoding of "
                "the PNGs with --encoding (--gt-encoding for the ground truth)",
                where=path,
            )
        return False
    if not is_own and not any(holds_text(path, png.stem) for png in listing.files(".png")[:1]):
        return False
    entries = _entries(load_json(path, _WHAT), path)
    if is_own:
        return True
    pngs = {png.resolve() for png in listing.files(".png")}
    first = (next(filter(Path.is_file, _places(entry, path, listing)), None) for entry in entries)
    return any(place is not None and place.resolve() in pngs for place in first)


def _places(entry: object, path: Path, listing: Listing) -> Iterator[Path]:
    return (place for name in _names(entry) for place in png_places(name, path, listing.root))


def _entries(data: object, path: Path) -> list[Any]:
    """Return the annotations of all PNGs, those of videos with the ``video_id`` of their video.

    Raises:
        DataError: If the JSON has another shape.
    """
    annotations = data.get("annotations") if isinstance(data, Mapping) else None
    if not isinstance(annotations, list):
        raise _of_other_shape(data, path)
    if _is_nested(annotations):
        return [entry for video in annotations for entry in _of_video(video, path)]
    if not all(isinstance(entry, Mapping) and _MARK in entry for entry in annotations[:1]):
        raise _of_other_shape(data, path)
    return annotations


def _is_nested(annotations: list[Any]) -> bool:
    first = annotations[0] if annotations else None
    return isinstance(first, Mapping) and isinstance(first.get("annotations"), list)


def _of_video(video: object, path: Path) -> Iterator[object]:
    inner = video.get("annotations") if isinstance(video, Mapping) else None
    if not isinstance(video, Mapping) or not isinstance(inner, list):
        raise DataError(f"one of its videos has no list of annotations; {_SHAPES}", where=path)
    for entry in inner:
        yield {"video_id": video.get("video_id"), **entry} if isinstance(entry, Mapping) else entry


def _of_other_shape(data: object, path: Path) -> DataError:
    keys = f"the keys {listed(data)}" if isinstance(data, Mapping) else f"a {type(data).__name__}"
    return DataError(
        f"holds segments_info in an unknown shape (at the top: {keys}), so the ids of its PNGs "
        f"have no class; {_SHAPES}; convert it, or name the encoding of the PNGs with --encoding "
        "(--gt-encoding for the ground truth) if they are not of this JSON",
        where=path,
    )


def _names(entry: object) -> tuple[str, ...]:
    """Return the names that the PNG of an annotation may have, the likeliest first."""
    name = entry.get("file_name") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(name, str):
        return ()
    is_png = name.lower().endswith(".png") or not Path(name).name
    names = [name] if is_png else [name, str(Path(name).with_suffix(".png"))]
    video = entry.get("video_id")
    return tuple(names if video is None else [*(f"{video}/{one}" for one in names), *names])


def png_places(name: str, json_file: Path, root: Path) -> tuple[Path, ...]:
    """Return where a PNG may be, the likeliest first.

    Args:
        name: Name in the JSON, relative to one of the places.
        json_file: JSON. The PNG is beside it, or below a folder with its name or panoptic_maps.
        root: Folder of the maps. The PNG is in it, or in a folder between the JSON and it.
    """
    beside = json_file.parent
    root = root.absolute()
    between = [place for place in (root, *root.parents) if beside.absolute() in place.parents]
    return tuple(
        place / name for place in (beside, beside / json_file.stem, beside / MAPS_FOLDER, *between)
    )


@dataclass(frozen=True, slots=True)
class AnnotatedPng:
    """The segments of one PNG.

    Attributes:
        names: Names that the PNG may have, the likeliest first.
        codes: Code of each segment id.
    """

    names: tuple[str, ...]
    codes: dict[int, int]


@dataclass(frozen=True, slots=True)
class CocoAnnotations:
    """All usable annotations of a JSON.

    Attributes:
        pngs: One entry for each PNG.
        is_video: Whether the JSON says that the PNGs are frames: it has videos, or track ids.
    """

    pngs: tuple[AnnotatedPng, ...]
    is_video: bool


@dataclass(frozen=True, slots=True)
class _Segment:
    """One entry of ``segments_info``, its fields checked one by one."""

    segment_id: int
    class_id: int
    is_crowd: bool
    track_id: int | None

    @classmethod
    def from_dict(cls, info: object) -> Self:
        """Read an entry.

        Raises:
            ValueError: If a field is missing or not a whole number. The message names it.
        """
        if not isinstance(info, Mapping):
            raise ValueError(f"a segment is {info!r}, no object")
        return cls(
            _whole(info, "id", None),
            class_id=_whole(info, "category_id", None),
            is_crowd=_whole(info, "iscrowd", 0) != 0,
            track_id=_whole(info, "track_id", None) if "track_id" in info else None,
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


@dataclass(frozen=True, slots=True)
class _Annotation:
    names: tuple[str, ...]
    segments: list[_Segment]


def read_annotations(json_file: Path, labels: LabelSpace, report: Report) -> CocoAnnotations:
    """Read the code of each segment of each PNG.

    An object is a segment of a thing class that is not ``iscrowd``. Its identity is its
    ``track_id``. If a file counts tracks from 0, all identities are one higher, because identity 0
    is crowd. Without ``track_id``, the identity is the segment id.

    Args:
        json_file: File found by :func:`find_coco_json`.
        labels: Label space. Each ``category_id`` is a class number of it.
        report: Receives the problem of each unusable annotation. These are omitted.

    Raises:
        DataError: If the file cannot be read, its categories are numbered differently from the
            label space, or only some objects of a class have a ``track_id``.
    """
    data = load_json(json_file, _WHAT)
    entries = _entries(data, json_file)
    _check_categories(data, json_file, labels)
    annotations: dict[str, _Annotation] = {}
    for position, entry in enumerate(entries):
        try:
            annotation = _annotation(entry, position, json_file)
            name = annotation.names[0]
            if name in annotations:
                raise DataError(f"has two annotations for {name}; keep one", where=json_file)
            annotations[name] = annotation
        except DataError as problem:
            report(problem)
    first_id = _first_id(annotations, labels, json_file)
    pngs = []
    for name, annotation in annotations.items():
        try:
            codes = _segment_codes(annotation.segments, name, json_file, labels, first_id)
            pngs.append(AnnotatedPng(annotation.names, codes))
        except DataError as problem:
            report(problem)
    is_video = first_id is not None or any("video_id" in e for e in _mappings(entries, data))
    return CocoAnnotations(tuple(pngs), is_video)


def _mappings(entries: list[Any], data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    images = data.get("images")
    found = [*entries, *(images if isinstance(images, list) else [])]
    return [entry for entry in found if isinstance(entry, Mapping)]


def _check_categories(data: Mapping[str, Any], json_file: Path, labels: LabelSpace) -> None:
    """Refuse a JSON whose own categories have the label space's names under other numbers."""
    categories = data.get("categories")
    if labels.name == "vipseg" and not categories:
        raise DataError(
            "has no categories, and JSON of VIPSeg counts classes from 0, the label space 'vipseg' "
            "from 1; choose --dataset vipseg-coco, or write the categories with their numbers",
            where=json_file,
        )
    numbers = {entry.name: entry.class_id for entry in labels.classes}
    names = {entry.class_id: entry.name for entry in labels.classes}
    entries = categories if isinstance(categories, list) else []
    for entry in (each for each in entries if isinstance(each, Mapping)):
        name, number = str(entry.get("name")), entry.get("id", -1)
        is_class = isinstance(number, int | float) and number in names
        if is_class and number != numbers.get(name, number):
            raise DataError(
                f"calls category {number} {name!r}, but class {number} of the label space "
                f"{labels.name!r} is {names[number]!r} and {name!r} is {numbers[name]}; expected "
                "the class numbers of the label space as categories; choose the label space with "
                "--dataset, or renumber the categories",
                where=json_file,
            )


def _annotation(entry: object, position: int, json_file: Path) -> _Annotation:
    try:
        if not isinstance(entry, Mapping):
            raise ValueError(f"it is {entry!r}, no object")
        for key, kind, what in (("file_name", str, "text"), (_MARK, list, "list")):
            if key not in entry:
                raise ValueError(f"it has no {key}")
            if not isinstance(entry[key], kind):
                raise ValueError(f"{key} is {entry[key]!r}, no {what}")
        segments = [_Segment.from_dict(info) for info in entry[_MARK]]
        return _Annotation(_names(entry), segments)
    except ValueError as problem:
        raise DataError(
            f"annotation {position} is malformed ({problem}); "
            "expected file_name and segments_info, each with id and category_id",
            where=json_file,
        ) from problem


def _first_id(
    annotations: Mapping[str, _Annotation], labels: LabelSpace, json_file: Path
) -> int | None:
    """Return the identity of track 0: 0, or 1 if a track is numbered 0. ``None`` without tracks.

    Raises:
        DataError: If some objects of a class have a track id and others do not.
    """
    has_zero = False
    with_track: dict[int, tuple[int, str]] = {}
    without_track: dict[int, tuple[int, str]] = {}
    things = set(labels.thing_ids)
    for name, annotation in annotations.items():
        for segment in annotation.segments:
            if segment.is_crowd or segment.class_id not in things:
                continue
            side = without_track if segment.track_id is None else with_track
            side.setdefault(segment.class_id, (segment.segment_id, name))
            has_zero |= segment.track_id == 0
    for class_id in sorted(with_track.keys() & without_track.keys()):
        one, other = with_track[class_id], without_track[class_id]
        raise DataError(
            f"gives object {one[0]} of {one[1]} a track_id, but not object {other[0]} of "
            f"{other[1]}, which has the same class; expected a track_id for all objects or for "
            "none; add the missing ones",
            where=json_file,
        )
    return int(has_zero) if with_track else None


def _segment_codes(
    segments: list[_Segment],
    name: str,
    json_file: Path,
    labels: LabelSpace,
    first_id: int | None,
) -> dict[int, int]:
    table: dict[int, int] = {}
    for segment in segments:
        number, class_id = segment.segment_id, segment.class_id
        identity = number if segment.track_id is None else segment.track_id + (first_id or 0)
        if not 0 < number < ID_LIMIT or not 0 <= identity < ID_LIMIT or number in table:
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
        bare = IGNORED_ID if class_id == labels.ignore_label else 0
        table[number] = class_id << ID_BITS | (identity if is_object else bare)
    return table
