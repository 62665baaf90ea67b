"""The lines of a file of MOTS text, checked one by one and against each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mapt_bench.data.mots_classes import MOTS_IGNORE, class_of_mots, unknown_mots_class
from mapt_bench.data.png import MAX_PIXELS
from mapt_bench.data.sequences import Report
from mapt_bench.errors import DataError, counted
from mapt_bench.labels import ID_LIMIT, LabelSpace

__all__ = ["MotsLine", "bad_line", "read_lines"]

_FRAME_LIMIT = 10**6  # names have six digits

_GAP_LIMIT = 10_000
"""Frames without any object, one after the other, that are believed: minutes of film.

Frames that are not written are scored as empty ones, so one stray number would make a million.
"""


@dataclass(frozen=True, slots=True)
class MotsLine:
    """One line of a file, its numbers checked one by one."""

    number: int
    frame: int
    object_id: int
    mots_class: int
    height: int
    width: int
    rle: str


def read_lines(path: Path, labels: LabelSpace, report: Report) -> list[MotsLine]:
    """Read the lines of a file that are well-formed and agree with each other.

    Args:
        path: The file.
        labels: Label space that must have their classes.
        report: Told of each line that is left out.
    """
    return _without_strays(path, list(_consistent_lines(path, labels, report)), report)


def _consistent_lines(path: Path, labels: LabelSpace, report: Report) -> Iterator[MotsLine]:
    """Yield the lines that are well-formed and agree with those before."""
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
    """Leave out the lines beyond a gap that no film has, and report the first of them."""
    before = -1
    for line in sorted(lines, key=lambda line: line.frame):
        if line.frame - before > _GAP_LIMIT:
            beyond = sum(other.frame >= line.frame for other in lines)
            report(
                bad_line(
                    path,
                    line.number,
                    f"frame {line.frame} comes after "
                    + (f"frame {before}" if before >= 0 else "nothing")
                    + f", with no object between ({counted(beyond, 'line')} so far out); expected "
                    f"at most {_GAP_LIMIT} empty frames in a row; number the frames from 0",
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
            "expected one line for an object in a frame; join them",
        )


def _read_text(path: Path, report: Report) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        report(DataError(f"cannot be read as text ({problem})", where=path))
        return []


def _parse_line(path: Path, number: int, text: str) -> MotsLine:
    fields = text.split()
    numbers = [int(field) for field in fields[:5] if field.isascii() and field.isdecimal()]
    if len(fields) != 6 or len(numbers) != 5:
        shown = text if len(text) <= 60 else f"{text[:60]}..."
        raise bad_line(
            path,
            number,
            f"found {shown!r}; expected 'frame id class height width rle', five whole numbers "
            "and the compressed run lengths",
        )
    frame, object_id, mots_class, height, width = numbers
    if not 0 < height * width <= MAX_PIXELS:
        raise bad_line(
            path, number, f"{width}x{height} pixels; expected between 1 and {MAX_PIXELS}"
        )
    if frame >= _FRAME_LIMIT:
        raise bad_line(path, number, f"frame {frame}; expected less than {_FRAME_LIMIT}")
    if object_id >= ID_LIMIT:
        raise bad_line(path, number, f"id {object_id}; expected less than {ID_LIMIT}")
    return MotsLine(number, frame, object_id, mots_class, height, width, fields[5])


def bad_line(path: Path, number: int, message: str) -> DataError:
    """Return the error for a line of a file."""
    return DataError(f"line {number}: {message}", where=f"{path}:{number}")
