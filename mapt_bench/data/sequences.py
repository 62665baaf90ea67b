"""What every reader gives, and how it speaks of problems."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

from mapt_bench.errors import DataError
from mapt_bench.labels import MapSequence

__all__ = [
    "OpenEnded",
    "Report",
    "StoredSequence",
    "aligned",
    "moment",
    "raise_problem",
    "refuse_twin",
]

Report = Callable[[DataError], None]
"""Told of every problem found; raises it, or collects it and lets the work go on."""


def raise_problem(problem: DataError) -> None:
    """Stop at the first problem."""
    raise problem


@runtime_checkable
class StoredSequence(MapSequence, Protocol):
    """A sequence of maps that lies in files. Must pickle."""

    def path(self, index: int) -> Path:
        """Return the file that holds a frame, for messages."""
        ...


@runtime_checkable
class OpenEnded(Protocol):
    """A sequence that does not know how many frames it has, because empty ones are not written."""

    def with_frames(self, frame_names: tuple[str, ...], size: tuple[int, int] | None) -> Self:
        """Return the same maps over the frames of another sequence, void where none is written."""
        ...


def aligned(
    sequence: StoredSequence, frame_names: tuple[str, ...], size: tuple[int, int] | None
) -> StoredSequence:
    """Give an open-ended sequence the frames of its partner; return any other as it is.

    Args:
        sequence: Maps.
        frame_names: Frames of the partner.
        size: Height and width of the partner, for a sequence without a single object.
    """
    if isinstance(sequence, OpenEnded):
        return sequence.with_frames(frame_names, size)
    return sequence


def moment(frame_name: str) -> str | int:
    """Return what makes two frame names the same moment: digits count by their value."""
    return int(frame_name) if frame_name.isdecimal() else frame_name


def refuse_twin(path: Path, frames: dict[str | int, Path]) -> None:
    """Note the file of a frame; refuse a second file of the same moment.

    Args:
        path: The file.
        frames: The files noted so far, by moment.

    Raises:
        DataError: If another file is the same moment; it stays the one that is noted.
    """
    other = frames.setdefault(moment(path.stem), path)
    if other != path:
        by_value = "" if other.stem == path.stem else " (numbers count by their value)"
        raise DataError(
            f"is the same frame as {other.name}{by_value}; keep one of the two", where=path
        )
