"""Sequences of maps in files: protocols of readers and writers, and one file for each frame."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.folder_layout import FrameFolder, Listing
from mapt_bench.errors import DataError
from mapt_bench.labels import LabelSpace, MapSequence, PanopticMap

__all__ = [
    "FileSequence",
    "FrameCodec",
    "OpenEnded",
    "Report",
    "StoredSequence",
    "aligned",
    "check_size",
    "moment",
    "open_frame_files",
    "raise_problem",
    "refuse_twin",
    "usual_size",
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


class FrameCodec(Protocol):
    """How one file holds one map. Must pickle."""

    @property
    def name(self) -> str:
        """Name of the encoding, for example ``"kitti-step"``."""
        ...

    @property
    def suffixes(self) -> frozenset[str]:
        """File endings, lower case."""
        ...

    def size(self, path: Path) -> tuple[int, int]:
        """Return height and width from the header alone.

        Raises:
            DataError: If the header is damaged or of another encoding.
        """
        ...

    def decode(self, path: Path, size: tuple[int, int], labels: LabelSpace) -> NDArray[np.uint32]:
        """Return the codes, ``uint32`` of shape ``size``.

        Raises:
            DataError: If the file is unusable or its size is another.
        """
        ...


@dataclass(frozen=True, slots=True)
class FileSequence:
    """A sequence of which every frame is one file; implements ``MapSequence``.

    Attributes:
        parts: Path below the folder.
        frame_names: File stems.
        size: Height and width in pixels.
        paths: One file a frame.
        codec: How to read them.
        labels: Label space.
    """

    parts: tuple[str, ...]
    frame_names: tuple[str, ...]
    size: tuple[int, int]
    paths: tuple[Path, ...]
    codec: FrameCodec
    labels: LabelSpace

    def read(self, index: int) -> PanopticMap:
        """Decode the map at a position.

        Raises:
            DataError: If the file is unusable.
        """
        return PanopticMap(self.codec.decode(self.paths[index], self.size, self.labels))

    def path(self, index: int) -> Path:
        """Return the file of a frame, for messages."""
        return self.paths[index]


def check_size(path: Path, found: tuple[int, int], expected: tuple[int, int]) -> None:
    """Refuse a frame whose size is not that of its sequence.

    Args:
        path: The file.
        found: Its height and width.
        expected: Those of its sequence.

    Raises:
        DataError: If they differ.
    """
    if found != expected:
        raise DataError(
            f"is {found[1]}x{found[0]} pixels, but the other frames of its sequence are "
            f"{expected[1]}x{expected[0]}; it was not decoded; all frames of a sequence need "
            "one size",
            where=path,
        )


def open_frame_files(
    listing: Listing, codec: FrameCodec, labels: LabelSpace, report: Report = raise_problem
) -> tuple[FileSequence, ...]:
    """Make a sequence of every folder that holds frames; read headers only.

    Args:
        listing: What lies in the folder.
        codec: How the files are read.
        labels: Label space.
        report: Told of each file that does not belong; such files are left out.
    """
    opened = (_open_folder(folder, codec, labels, report) for folder in listing.folders)
    return tuple(sequence for sequence in opened if sequence is not None)


def _open_folder(
    folder: FrameFolder, codec: FrameCodec, labels: LabelSpace, report: Report
) -> FileSequence | None:
    sizes: dict[Path, tuple[int, int]] = {}
    moments: dict[str | int, Path] = {}
    for path in folder.frames():
        try:
            size = _size_of(path, codec)
            refuse_twin(path, moments)
        except DataError as problem:
            report(problem)
        else:
            sizes[path] = size
    size, paths = usual_size(sizes, report)
    if not paths:
        return None
    names = tuple(path.stem for path in paths)
    return FileSequence(folder.parts, names, size, tuple(paths), codec, labels)


def usual_size(
    sizes: Mapping[Path, tuple[int, int]], report: Report
) -> tuple[tuple[int, int], list[Path]]:
    """Return the size that most frames of a sequence have, and those frames.

    Args:
        sizes: Height and width of each file.
        report: Told of each file of another size.
    """
    if not sizes:
        return (0, 0), []
    usual = Counter(sizes.values()).most_common(1)[0][0]
    paths = []
    for path, size in sizes.items():
        try:
            check_size(path, size, usual)
        except DataError as problem:
            report(problem)
        else:
            paths.append(path)
    return usual, paths


def _size_of(path: Path, codec: FrameCodec) -> tuple[int, int]:
    if path.suffix.lower() in codec.suffixes:
        return codec.size(path)
    advice = "write the labels as PNG" if path.suffix.lower() in {".jpg", ".jpeg"} else "remove it"
    expected = " or ".join(sorted(codec.suffixes))
    raise DataError(
        f"is a {path.suffix} file among maps that were read as {codec.name}; expected {expected}; "
        f"{advice}, or name another encoding with --encoding",
        where=path,
    )
