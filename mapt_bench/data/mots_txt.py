"""MOTS text (KITTI MOTS, MOTS20): one object a line, ``frame id class height width rle``."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from mapt_bench.data.layout import FrameFolder, Listing
from mapt_bench.data.mots_classes import (
    MOTS_ID_LIMIT,
    MOTS_IGNORE,
    class_of_mots,
    unknown_mots_class,
)
from mapt_bench.data.png import MAX_PIXELS
from mapt_bench.data.rle import OverlapError, paint_runs, parse_rle
from mapt_bench.data.sequences import Report, StoredSequence, moment
from mapt_bench.errors import DataError
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, PanopticMap, background_code

__all__ = ["MotsTextSequence", "is_mots_text", "open_mots_text"]

_FRAME_LIMIT = 10**6  # names have six digits; a stray huge number must not fill the memory


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a file, its numbers checked one by one."""

    number: int
    frame: int
    object_id: int
    mots_class: int
    height: int
    width: int
    rle: str


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
                raise _bad_line(
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
            raise _bad_line(
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
    lines = list(_consistent_lines(path, labels, report))
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


def _is_joined(line: _Line) -> bool:
    """Whether an id is ``class * 1000 + number``; trackers may write plain numbers instead."""
    return line.object_id // MOTS_ID_LIMIT == line.mots_class or line.mots_class == MOTS_IGNORE


def _consistent_lines(path: Path, labels: LabelSpace, report: Report) -> Iterator[_Line]:
    """Yield the lines that are well-formed and agree with those before."""
    classes = class_of_mots(labels)
    first: _Line | None = None
    seen: dict[tuple[int, int, int], int] = {}
    for number, text in enumerate(_read_lines(path, report), start=1):
        if not text.strip():
            continue
        try:
            line = _parse_line(path, number, text)
            if line.mots_class not in classes:
                raise unknown_mots_class(line.mots_class, labels, f"{path}:{number}")
            first = first or line
            _check_agreement(path, line, first, seen)
        except DataError as problem:
            report(problem)
        else:
            yield line


def _check_agreement(
    path: Path, line: _Line, first: _Line, seen: dict[tuple[int, int, int], int]
) -> None:
    if (line.height, line.width) != (first.height, first.width):
        raise _bad_line(
            path,
            line.number,
            f"its frame is {line.width}x{line.height} pixels, that of line {first.number} is "
            f"{first.width}x{first.height}; all frames of a sequence need one size",
        )
    earlier = seen.setdefault((line.frame, line.mots_class, line.object_id), line.number)
    if line.mots_class != MOTS_IGNORE and earlier != line.number:
        raise _bad_line(
            path,
            line.number,
            f"object {line.object_id} is already in frame {line.frame}, on line {earlier}; "
            "expected one line for an object in a frame; join them",
        )


def _read_lines(path: Path, report: Report) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        report(DataError(f"cannot be read as text ({problem})", where=path))
        return []


def _parse_line(path: Path, number: int, text: str) -> _Line:
    fields = text.split()
    numbers = [int(field) for field in fields[:5] if field.isascii() and field.isdecimal()]
    if len(fields) != 6 or len(numbers) != 5:
        shown = text if len(text) <= 60 else f"{text[:60]}..."
        raise _bad_line(
            path,
            number,
            f"found {shown!r}; expected 'frame id class height width rle', five whole numbers "
            "and the compressed run lengths",
        )
    frame, object_id, mots_class, height, width = numbers
    if not 0 < height * width <= MAX_PIXELS:
        raise _bad_line(
            path, number, f"{width}x{height} pixels; expected between 1 and {MAX_PIXELS}"
        )
    if frame >= _FRAME_LIMIT:
        raise _bad_line(path, number, f"frame {frame}; expected less than {_FRAME_LIMIT}")
    if object_id >= ID_LIMIT:
        raise _bad_line(path, number, f"id {object_id}; expected less than {ID_LIMIT}")
    return _Line(number, frame, object_id, mots_class, height, width, fields[5])


def _bad_line(path: Path, number: int, message: str) -> DataError:
    return DataError(f"line {number}: {message}", where=f"{path}:{number}")
