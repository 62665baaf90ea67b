"""Lines of MOTS text: parsing, and checks that agree with the lines before."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from mapt_bench.data.encodings._instance_values import (
    MOTS_IGNORE,
    class_of_mots,
    unknown_mots_class,
)
from mapt_bench.data.sequences import Report
from mapt_bench.errors import DataError, counted
from mapt_bench.files import text_encoding
from mapt_bench.frame_limit import MAX_FRAMES, check_frame, working_memory
from mapt_bench.labels import ID_LIMIT, LabelSpace

__all__ = ["MotsLine", "bad_line", "is_mots_text", "read_lines"]

_FIRST_CHARACTERS = 1 << 16  # of the first line, enough for its fields

_DIGITS = 18  # of a number: more than any has, less than int64 holds

_SHORT = 1000  # characters, which every line may have

_CHARACTER_BYTES = 64
"""Memory that decoding run lengths takes for each character."""

_GAP_LIMIT = 10_000
"""Longest gap of consecutive frames without object, several minutes of video.

Missing frames are scored as empty frames. So one wrong frame number could add a million frames.
"""


@dataclass(frozen=True, slots=True)
class MotsLine:
    """One line of a file with checked numbers."""

    number: int
    frame: int
    object_id: int
    mots_class: int
    height: int
    width: int
    rle: str


def read_lines(path: Path, labels: LabelSpace, report: Report) -> list[MotsLine]:
    """Read the lines of a file that are well-formed and consistent.

    Args:
        path: File.
        labels: Label space, which must have their classes.
        report: Receives the problem of each line that is omitted.
    """
    return _without_strays(path, list(_consistent_lines(path, labels, report)), report)


def _consistent_lines(path: Path, labels: LabelSpace, report: Report) -> Iterator[MotsLine]:
    """Yield the lines that are well-formed and consistent with the lines before."""
    classes = class_of_mots(labels)
    first: MotsLine | None = None
    seen: dict[tuple[int, int, int], int] = {}
    for number, text in enumerate(_read_text(path, report), start=1):
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


def _without_strays(path: Path, lines: list[MotsLine], report: Report) -> list[MotsLine]:
    """Omit the lines after an implausible gap, and report the first of them."""
    before = -1
    for line in sorted(lines, key=lambda line: line.frame):
        if line.frame - before > _GAP_LIMIT:
            beyond = sum(other.frame >= line.frame for other in lines)
            report(
                bad_line(
                    path,
                    line.number,
                    f"frame {line.frame} comes after "
                    + (f"frame {before}" if before >= 0 else "no other frame")
                    + f" ({counted(beyond, 'line')} after the gap); expected at most {_GAP_LIMIT} "
                    "consecutive frames without object; number the frames from 0",
                )
            )
            return [other for other in lines if other.frame < line.frame]
        before = line.frame
    return lines


def _check_agreement(
    path: Path, line: MotsLine, first: MotsLine, seen: dict[tuple[int, int, int], int]
) -> None:
    if (line.height, line.width) != (first.height, first.width):
        raise bad_line(
            path,
            line.number,
            f"its frame is {line.width}x{line.height} pixels, that of line {first.number} is "
            f"{first.width}x{first.height}; all frames of a sequence need one size",
        )
    earlier = seen.setdefault((line.frame, line.mots_class, line.object_id), line.number)
    if line.mots_class != MOTS_IGNORE and earlier != line.number:
        raise bad_line(
            path,
            line.number,
            f"object {line.object_id} is already in frame {line.frame}, on line {earlier}; "
            "expected one line per object and frame; join the lines",
        )


def _read_text(path: Path, report: Report) -> Iterator[str]:
    """Yield the lines. Stop at a line whose run lengths would take too much memory."""
    limit = max(_SHORT, working_memory() // _CHARACTER_BYTES)
    try:
        with path.open(encoding=text_encoding(path)) as handle:
            for number in count(1):
                line = handle.readline(limit)
                if not line:
                    return
                if len(line) == limit:
                    raise bad_line(
                        path,
                        number,
                        f"has {limit} characters or more; expected fewer; it was not decoded; "
                        "check the file, or raise the limit with mapt-bench --max-frame HxW",
                    )
                yield line
    except DataError as problem:
        report(problem)
    except (OSError, UnicodeDecodeError) as problem:
        report(
            DataError(
                f"cannot be read as text ({problem}); expected UTF-8, or UTF-16 with a byte order "
                "mark; save it as UTF-8",
                where=path,
            )
        )


def _parse_line(path: Path, number: int, text: str) -> MotsLine:
    fields = text.split()
    numbers = [int(field) for field in fields[:5] if _is_number(field)]
    if len(fields) != 6 or len(numbers) != 5:
        shown = text if len(text) <= 60 else f"{text[:60]}..."
        raise bad_line(
            path,
            number,
            f"found {shown!r}; expected 'frame id class height width rle', five whole numbers "
            "and the compressed run lengths",
        )
    frame, object_id, mots_class, height, width = numbers
    check_frame(height, width, f"{path}:{number}", what=f"line {number}: its frame")
    if frame >= MAX_FRAMES:
        raise bad_line(path, number, f"frame {frame}; expected less than {MAX_FRAMES}")
    if object_id >= ID_LIMIT - 1:
        raise bad_line(path, number, f"id {object_id}; expected less than {ID_LIMIT - 1}")
    return MotsLine(number, frame, object_id, mots_class, height, width, fields[5])


def _is_number(field: str) -> bool:
    return field.isascii() and field.isdecimal() and len(field) <= _DIGITS


def bad_line(path: Path, number: int, message: str) -> DataError:
    """Return the error of one line of a file."""
    return DataError(f"line {number}: {message}", where=f"{path}:{number}")


def is_mots_text(path: Path) -> bool:
    """Whether the first line of a file has the six fields. An empty file is accepted."""
    try:
        with path.open(encoding=text_encoding(path)) as handle:
            fields = handle.readline(_FIRST_CHARACTERS).split()
    except (OSError, UnicodeError):
        return False
    numbers = all(field.lstrip("-").isdecimal() for field in fields[:5])
    return not fields or (len(fields) == 6 and numbers)
