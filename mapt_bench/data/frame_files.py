"""Sequences of which every frame is one file; codecs say how a file is read."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.layout import FrameFolder, Listing
from mapt_bench.data.sequences import Report, raise_problem, refuse_twin
from mapt_bench.errors import DataError
from mapt_bench.labels import LabelSpace, PanopticMap

__all__ = ["FileSequence", "FrameCodec", "check_size", "open_frame_files", "usual_size"]


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
