"""Validation of a data folder: read every file, and list its content and every problem."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.annotations import (
    ANNOTATIONS_FOLDER,
    BACKWARD_FLOW_FOLDER,
    FORWARD_FLOW_FOLDER,
    check_annotations,
)
from mapt_bench.data.folder_layout import (
    IMAGES_FOLDER,
    MAPS_FOLDER,
    FrameFolder,
    list_folder,
    require_folder,
)
from mapt_bench.data.map_folders import MapFolder, open_maps
from mapt_bench.data.sequences import StoredSequence, refuse_twin
from mapt_bench.data.videos import IMAGE_SUFFIXES, check_image, image_root, image_size, open_videos
from mapt_bench.errors import DataError, listed, whole_number
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, check_classes

__all__ = ["ClassFacts", "DataReport", "Problem", "SequenceFacts", "check_data"]

SCHEMA = "mapt-bench/check/1"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a data folder.

    Attributes:
        kind: ``file`` (not a map), ``map`` (cannot be decoded), ``class`` (outside the label
            space), ``image``, ``pairing`` (images and maps do not match), or ``side-car``
            (annotations of synthetic videos).
        path: File or folder.
        message: What was found, what was expected, and what to do.
    """

    kind: str
    path: str
    message: str

    def to_dict(self) -> dict[str, str]:
        """Return plain data."""
        return {"kind": self.kind, "path": self.path, "message": self.message}


@dataclass(frozen=True, slots=True)
class SequenceFacts:
    """Summary of one sequence.

    Attributes:
        name: Path below the maps. Without maps, path below the images.
        frame_count: Number of frames.
        readable_count: Number of readable frames.
        height: Height in pixels, ``None`` if unknown.
        width: Width in pixels, ``None`` if unknown.
        gap_count: Missing frame numbers between the first and the last frame. 0 for other names.
        track_count: Number of distinct tracks.
    """

    name: str
    frame_count: int
    readable_count: int
    height: int | None
    width: int | None
    gap_count: int
    track_count: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "name": self.name,
            "frames": self.frame_count,
            "readable": self.readable_count,
            "height": self.height,
            "width": self.width,
            "gaps": self.gap_count,
            "tracks": self.track_count,
        }


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """Summary of one class that is present.

    Attributes:
        class_id: Number of the class.
        name: Name of the class, for example ``"car"``.
        is_thing: Whether the class has tracks.
        pixel_share: Share of all pixels, 0..1.
        track_count: Number of distinct (sequence, id) with id above 0. ``None`` for stuff.
    """

    class_id: int
    name: str
    is_thing: bool
    pixel_share: float
    track_count: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "id": self.class_id,
            "name": self.name,
            "thing": self.is_thing,
            "pixel_share": self.pixel_share,
            "tracks": self.track_count,
        }


@dataclass(frozen=True, slots=True)
class DataReport:
    """Result of :func:`check_data`.

    Attributes:
        folder: Folder, as given.
        encoding: Encoding of the maps, ``None`` without maps.
        labels: Label space.
        sequences: Sequences of the maps. Without maps, sequences of the images.
        classes: Classes that are present, by number.
        void_share: Share of void pixels, 0..1. ``None`` if no map is readable.
        crowd_share: Share of crowd pixels (thing classes with id 0), 0..1, or ``None``.
        image_count: Number of images.
        problems: All problems.
        left_out: Other folders with files that may be labels, which were not read.
        notes: What may surprise but is not a problem, one line each.
    """

    folder: Path
    encoding: str | None
    labels: LabelSpace
    sequences: tuple[SequenceFacts, ...]
    classes: tuple[ClassFacts, ...]
    void_share: float | None
    crowd_share: float | None
    image_count: int
    problems: tuple[Problem, ...]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def frame_count(self) -> int:
        """Number of frames in all sequences."""
        return sum(entry.frame_count for entry in self.sequences)

    @property
    def readable_count(self) -> int:
        """Number of readable frames in all sequences."""
        return sum(entry.readable_count for entry in self.sequences)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for ``mapt-bench check --json``."""
        return {
            "schema": SCHEMA,
            "folder": str(self.folder),
            "encoding": self.encoding,
            "label_space": self.labels.to_dict(),
            "frames": self.frame_count,
            "readable": self.readable_count,
            "images": self.image_count,
            "void_share": self.void_share,
            "crowd_share": self.crowd_share,
            "sequences": [entry.to_dict() for entry in self.sequences],
            "classes": [entry.to_dict() for entry in self.classes],
            "left_out": list(self.left_out),
            "notes": list(self.notes),
            "problems": [entry.to_dict() for entry in self.problems],
        }


Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""Called with the number of frames. Returns a context with a function that counts done frames."""


@dataclass(slots=True)
class _Notes:
    """Findings so far."""

    labels: LabelSpace
    problems: list[Problem] = field(default_factory=list)
    areas: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, dtype=np.int64))
    crowd_px: int = 0
    tracks: set[tuple[str, int]] = field(default_factory=set)
    stuff_with_ids: set[int] = field(default_factory=set)

    def note(self, kind: str, problem: DataError, where: Path) -> None:
        found = Problem(kind, problem.where or str(where), problem.message)
        # The check of pairs finds some problems of single files again.
        if not any((found.path, found.message) == (p.path, p.message) for p in self.problems):
            self.problems.append(found)

    def note_file(self, problem: DataError) -> None:
        self.note("file", problem, Path())


def check_data(
    folder: Path,
    labels: LabelSpace,
    encoding: str | None = None,
    progress: Progress | None = None,
) -> DataReport:
    """Read every map and every image of a folder, and collect all problems.

    Args:
        folder: Folder of maps, images, or both, as for ``open_videos``.
        labels: Label space.
        encoding: Encoding of the maps. ``None`` to detect it.
        progress: Shows the number of frames done.

    Raises:
        ConfigError: If the encoding is unknown.
        DataError: If the folder has no file to check.
    """
    folder = Path(folder)
    require_folder(folder)
    notes = _Notes(labels)
    image_folders = _image_folders(folder)
    only_images = bool(image_folders) and not (folder / MAPS_FOLDER).is_dir()
    maps = (
        None
        if only_images
        else open_maps(folder, labels, encoding=encoding, report=notes.note_file)
    )
    is_paired = maps is not None and bool(image_folders) and not notes.problems
    image_count = sum(len(entry.with_suffix(*IMAGE_SUFFIXES)) for entry in image_folders)
    total = image_count + (0 if maps is None else maps.frame_count)
    with nullcontext(_ignore) if progress is None else progress(total) as advance:
        of_images = [_check_images(entry, notes, advance) for entry in image_folders]
        if maps is not None and is_paired:
            _check_pairing(folder, maps.encoding, notes)
        of_maps = [] if maps is None else _check_maps(maps, notes, advance)
    frames = {} if maps is None else {s.parts: len(s.frame_names) for s in maps.sequences}
    for problem in check_annotations(folder, frames, None if maps is None else maps.labels):
        notes.note("side-car", problem, folder)
    return _report(folder, maps, of_maps if maps else of_images, image_count, notes)


def _ignore(units: int) -> None:
    del units


def _image_folders(folder: Path) -> list[FrameFolder]:
    images = image_root(folder)
    if images is None:
        return []
    return [e for e in list_folder(images).folders if e.with_suffix(*IMAGE_SUFFIXES)]


def _check_pairing(folder: Path, encoding: str, notes: _Notes) -> None:
    try:
        open_videos(folder, notes.labels, encoding=encoding)
    except DataError as problem:
        notes.note("pairing", problem, folder)


def _check_images(
    folder: FrameFolder, notes: _Notes, advance: Callable[[int], None]
) -> SequenceFacts:
    size: tuple[int, int] | None = None
    readable = 0
    moments: dict[str | int, str] = {}
    paths = folder.with_suffix(*IMAGE_SUFFIXES)
    for path in paths:
        try:
            refuse_twin(path, folder.frame_name(path), moments)
            size = size or image_size(path)
            check_image(path, size)
            readable += 1
        except DataError as problem:
            notes.note("image", problem, path)
        advance(1)
    names = tuple(folder.frame_name(path) for path in paths)
    return _sequence_facts("/".join(folder.parts), names, readable, size, 0)


def _check_maps(
    maps: MapFolder, notes: _Notes, advance: Callable[[int], None]
) -> list[SequenceFacts]:
    facts = []
    for sequence in maps.sequences:
        name = "/".join(sequence.parts)
        before = len(notes.tracks)
        readable = 0
        for index in range(len(sequence.frame_names)):
            readable += _check_map(sequence, index, name, notes)
            advance(1)
        size = sequence.size if sequence.frame_names else None
        tracks = len(notes.tracks) - before
        facts.append(_sequence_facts(name, sequence.frame_names, readable, size, tracks))
    return facts


def _check_map(sequence: StoredSequence, index: int, name: str, notes: _Notes) -> bool:
    path = sequence.path(index)
    try:
        panoptic = sequence.read(index)
    except DataError as problem:
        notes.note("map", problem, path)
        return False
    codes, counts = np.unique(panoptic.codes, return_counts=True)
    try:
        check_classes(codes, notes.labels, path, counts)
    except DataError as problem:
        notes.note("class", problem, path)
    classes, ids = codes >> np.uint32(ID_BITS), codes & np.uint32(ID_LIMIT - 1)
    np.add.at(notes.areas, classes, counts)
    is_thing = notes.labels.is_thing_table[classes]
    notes.crowd_px += int(counts[is_thing & (ids == 0)].sum())
    on_stuff = classes[~is_thing & ~notes.labels.is_void_table[classes] & (ids > 0)]
    notes.stuff_with_ids.update(on_stuff.tolist())
    notes.tracks.update((name, int(code)) for code in codes[is_thing & (ids > 0)])
    return True


def _sequence_facts(
    name: str,
    frame_names: tuple[str, ...],
    readable: int,
    size: tuple[int, int] | None,
    tracks: int,
) -> SequenceFacts:
    height, width = size or (None, None)
    numbers = {n for n in map(whole_number, frame_names) if n is not None}
    gaps = max(numbers) - min(numbers) + 1 - len(numbers) if numbers else 0
    return SequenceFacts(name, len(frame_names), readable, height, width, gaps, tracks)


def _report(
    folder: Path,
    maps: MapFolder | None,
    sequences: list[SequenceFacts],
    image_count: int,
    notes: _Notes,
) -> DataReport:
    labels = notes.labels
    pixels = int(notes.areas.sum())
    track_classes = [code >> ID_BITS for _, code in notes.tracks]
    classes = tuple(
        ClassFacts(
            entry.class_id,
            entry.name,
            entry.is_thing,
            int(notes.areas[entry.class_id]) / pixels,
            track_classes.count(entry.class_id) if entry.is_thing else None,
        )
        for entry in labels.classes
        if notes.areas[entry.class_id]
    )
    return DataReport(
        folder=folder,
        encoding=None if maps is None else maps.encoding,
        labels=labels,
        sequences=tuple(sequences),
        classes=classes,
        void_share=int(notes.areas[labels.ignore_label]) / pixels if pixels else None,
        crowd_share=notes.crowd_px / pixels if pixels else None,
        image_count=image_count,
        problems=tuple(notes.problems),
        left_out=_left_out(folder),
        notes=_content_notes(maps, notes),
    )


def _content_notes(maps: MapFolder | None, notes: _Notes) -> tuple[str, ...]:
    """Return what may surprise in the content of maps."""
    found = [] if maps is None else list(maps.notes)
    known = [number for number in sorted(notes.stuff_with_ids) if number in notes.labels.class_ids]
    if known:
        names = listed(notes.labels.by_id(number).name for number in known)
        found.append(
            f"there are identities on {names}, which the label space {notes.labels.name!r} calls "
            "stuff; they are not scored; choose the label space with --dataset if these are things"
        )
    if maps is not None and maps.lacks.classes:
        found.append(
            "the objects have no class; write object_classes.yaml, or choose --dataset objects"
        )
    return tuple(found)


def _left_out(folder: Path) -> tuple[str, ...]:
    """Return the folders beside images and maps that hold files which may be labels."""
    read = {IMAGES_FOLDER, MAPS_FOLDER}
    if not any((folder / name).is_dir() for name in read):
        return ()
    skip = frozenset({*read, BACKWARD_FLOW_FOLDER, FORWARD_FLOW_FOLDER, ANNOTATIONS_FOLDER})
    found = {
        entry.parts[0]
        for entry in list_folder(folder, skip=skip).folders
        if entry.path != folder and entry.with_suffix(".png", ".npy", ".txt")
    }
    return tuple(sorted(found))
