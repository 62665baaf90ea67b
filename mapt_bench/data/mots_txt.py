"""MOTS text (KITTI MOTS, MOTS20): one object a line, ``frame id class height width rle``."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from mapt_bench.data.folder_layout import FrameFolder, Listing
from mapt_bench.data.mots_classes import MOTS_ID_LIMIT, MOTS_IGNORE, class_of_mots
from mapt_bench.data.mots_lines import MotsLine, bad_line, read_lines
from mapt_bench.data.rle import OverlapError, paint_runs, parse_rle
from mapt_bench.data.sequences import Report, StoredSequence, moment
from mapt_bench.errors import DataError
from mapt_bench.labels import ID_BITS, LabelSpace, PanopticMap, background_code

__all__ = ["MotsTextSequence", "is_mots_text", "open_mots_text"]


@dataclass(frozen=True, slots=True)
class MotsObject:
    """One object in one frame.

    Attributes:
        line: Line number in the file, from 1.
        code: ``class << 24 | id``.
        rle: Compressed run lengths.
    """

    line: int
    code: int
    rle: str


@dataclass(frozen=True, slots=True)
class MotsTextSequence:
    """One file of MOTS text; implements ``MapSequence`` and is open-ended.

    Alone, it has the frames from 0 to the last that is written. Pixels without an object are
    background, ignore regions are void.

    Attributes:
        parts: Path of the file below the folder, without its ending.
        file: The file.
        frame_names: Numbers, six digits wide unless a partner names them otherwise.
        known_size: Height and width, or ``None`` for a file without a line.
        objects: Objects of each frame that has any, by frame number.
        void_class: Class number of ignore regions and background.
    """

    parts: tuple[str, ...]
    file: Path
    frame_names: tuple[str, ...]
    known_size: tuple[int, int] | None
    objects: dict[int, tuple[MotsObject, ...]]
    void_class: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels.

        Raises:
            DataError: If the file has no line, so that the size is not known.
        """
        if self.known_size is None:
            raise DataError(
                "has no line, so the size of its frames is unknown; expected at least one object; "
                "match it with a sequence of known size",
                where=self.file,
            )
        return self.known_size

    def path(self, index: int) -> Path:
        """Return the file, which holds every frame."""
        del index
        return self.file

    def read(self, index: int) -> PanopticMap:
        """Paint the map at a position.

        Raises:
            DataError: If run lengths are malformed or objects overlap; the message names the line.
        """
        height, width = self.size
        found = self.objects.get(int(self.frame_names[index]), ())
        painted = []
        for entry in found:
            try:
                painted.append((entry.code, parse_rle(entry.rle, height * width)))
            except ValueError as problem:
                raise bad_line(
                    self.file,
                    entry.line,
                    f"the run lengths are malformed: {problem}; expected COCO's compressed form "
                    f"for {width}x{height} pixels",
                ) from problem
        background, void = background_code(self.void_class), self.void_class << ID_BITS
        solid = [index for index, (code, _) in enumerate(painted) if code != void]
        try:
            codes = paint_runs([painted[index] for index in solid], self.size, background)
        except OverlapError as problem:
            lines = [found[solid[index]].line for index in (problem.first, problem.second)]
            raise bad_line(
                self.file,
                lines[1],
                f"its mask overlaps that of line {lines[0]}; expected each pixel of a frame to "
                "belong to one object; cut one of the two",
            ) from problem
        for code, runs in painted:
            if code == void:  # an object that an ignore region overlaps stays
                region = paint_runs([(code, runs)], self.size, background)
                codes = np.where(codes == background, region, codes)
        return PanopticMap(codes)

    def with_frames(self, frame_names: tuple[str, ...], size: tuple[int, int] | None) -> Self:
        """Return the same objects over the frames of a partner.

        Frames that have objects stay even where the partner lacks them, so that the difference
        is seen.

        Args:
            frame_names: Numbers, in any width.
            size: Height and width of the partner, taken if the file has no line.

        Raises:
            DataError: If a name is no number.
        """
        names = {moment(name): name for name in frame_names}
        for key, name in names.items():
            if not isinstance(key, int):
                raise DataError(
                    f"the frames of MOTS text are numbers, but those of its partner are named "
                    f"like {name!r}; name them by number",
                    where=self.file,
                )
        numbers = {int(key) for key in names} | set(self.objects)
        ordered = tuple(names.get(number, f"{number:06d}") for number in sorted(numbers))
        return replace(self, frame_names=ordered, known_size=self.known_size or size)


def is_mots_text(path: Path) -> bool:
    """Whether the first line of a file has the six fields; an empty file passes."""
    try:
        with path.open(encoding="utf-8") as handle:
            fields = handle.readline().split()
    except (OSError, UnicodeDecodeError):
        return False
    numbers = all(field.lstrip("-").isdecimal() for field in fields[:5])
    return not fields or (len(fields) == 6 and numbers)


def open_mots_text(
    listing: Listing, labels: LabelSpace, report: Report
) -> tuple[StoredSequence, ...]:
    """Make a sequence of every text file; run lengths are read later, frame by frame.

    Args:
        listing: What lies in the folder.
        labels: Label space.
        report: Told of each malformed line; such lines are left out.
    """
    return tuple(
        _open_file(path, (*_inside(folder, listing), path.stem), labels, report)
        for folder in listing.folders
        for path in folder.with_suffix(".txt")
    )


def _inside(folder: FrameFolder, listing: Listing) -> tuple[str, ...]:
    return folder.parts if folder.path != listing.root else ()


def _open_file(
    path: Path, parts: tuple[str, ...], labels: LabelSpace, report: Report
) -> MotsTextSequence:
    lines = read_lines(path, labels, report)
    classes = class_of_mots(labels)
    joined = all(_is_joined(line) for line in lines)
    objects: dict[int, list[MotsObject]] = {}
    for line in lines:
        track = 0
        if line.mots_class != MOTS_IGNORE:
            track = line.object_id % MOTS_ID_LIMIT + 1 if joined else line.object_id
        code = classes[line.mots_class] << ID_BITS | track
        objects.setdefault(line.frame, []).append(MotsObject(line.number, code, line.rle))
    names = tuple(f"{number:06d}" for number in range(max(objects, default=-1) + 1))
    size = (lines[0].height, lines[0].width) if lines else None
    by_frame = {frame: tuple(entries) for frame, entries in objects.items()}
    return MotsTextSequence(parts, path, names, size, by_frame, labels.ignore_label)


def _is_joined(line: MotsLine) -> bool:
    """Whether an id is ``class * 1000 + number``; trackers may write plain numbers instead."""
    return line.object_id // MOTS_ID_LIMIT == line.mots_class or line.mots_class == MOTS_IGNORE
