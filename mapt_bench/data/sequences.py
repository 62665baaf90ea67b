"""Sequences of maps in files: protocols of readers and writers, and one file for each frame."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.folder_layout import FRAME_SUFFIXES, FilesIn, FrameFolder, Listing
from mapt_bench.errors import DataError, whole_number
from mapt_bench.labels import (
    ID_BITS,
    ID_LIMIT,
    LabelSpace,
    MapSequence,
    PanopticMap,
    background_code,
    with_one_void,
)

__all__ = [
    "IGNORED_ID",
    "ClosingWriter",
    "FileSequence",
    "FrameDecoder",
    "MapWriter",
    "OpenEnded",
    "Report",
    "StoredSequence",
    "aligned",
    "check_size",
    "moment",
    "open_frame_files",
    "raise_problem",
    "refuse_twin",
    "resized",
    "stored_void_ids",
    "usual_size",
    "with_void_of",
]

Report = Callable[[DataError], None]
"""Receives every problem. It raises the problem, or collects it so that reading continues."""


def raise_problem(problem: DataError) -> None:
    """Stop at the first problem."""
    raise problem


@runtime_checkable
class StoredSequence(MapSequence, Protocol):
    """A sequence of maps in files. Must pickle."""

    def path(self, index: int) -> Path:
        """Return the file that holds a frame, for messages."""
        ...


class OpenEnded(ABC):  # a protocol would be checked name by name, for each of many sequences
    """A sequence of a format that stores neither empty frames nor the size of empty sequences.

    Attributes:
        known_size: Height and width in pixels, ``None`` if unknown.
        is_complete: Whether the number of frames is known. Otherwise there may be empty frames at
            the end.
    """

    __slots__ = ()
    known_size: tuple[int, int] | None
    is_complete: bool

    @property
    @abstractmethod
    def is_empty(self) -> bool:
        """Whether the sequence has no object."""

    @abstractmethod
    def with_extent(self, frames: int | None, size: tuple[int, int] | None) -> Self:
        """Return these maps with a number of frames and a size, where known.

        Raises:
            DataError: If the maps contradict them.
        """

    @abstractmethod
    def with_frames(
        self,
        frame_names: tuple[str, ...],
        size: tuple[int, int] | None,
        *,
        is_complete: bool = False,
    ) -> Self:
        """Return these maps with the frames of another sequence. Missing frames have no object.

        Args:
            frame_names: Frames of the other sequence.
            size: Height and width, used if these maps have no object.
            is_complete: Whether the other sequence says how many frames there are.
        """


class MapWriter(Protocol):
    """Protocol of writers. Files are complete after :meth:`close`."""

    def write(self, sequence: str, frame_name: str, panoptic_map: PanopticMap) -> None:
        """Write one frame.

        Args:
            sequence: Name of the sequence, for example ``"0001"``.
            frame_name: Name of the frame, for example ``"000005"``.
            panoptic_map: Map of the frame.

        Raises:
            DataError: If an identity does not fit, or the file cannot be written.
        """
        ...

    def close(self) -> None:
        """Write everything that is not on disk yet."""
        ...


class ClosingWriter:
    """Base of writers: a context manager that closes the writer unless an error occurred."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()

    def write(self, sequence: str, frame_name: str, panoptic_map: PanopticMap) -> None:
        """Write one frame; see :meth:`MapWriter.write`."""
        raise NotImplementedError

    def close(self) -> None:
        """Write everything that is not on disk yet."""
        raise NotImplementedError


def aligned(
    sequence: StoredSequence, frame_names: tuple[str, ...], size: tuple[int, int] | None
) -> StoredSequence:
    """Give an open-ended sequence the frames of its partner. Return other sequences unchanged.

    Args:
        sequence: Maps.
        frame_names: Frames of the partner.
        size: Height and width of the partner, used if the sequence has no object.
    """
    if isinstance(sequence, OpenEnded):
        return sequence.with_frames(frame_names, size)
    return sequence


@dataclass(frozen=True, slots=True)
class _ResizedSequence:
    """Maps of another size, read at the nearest pixel; implements ``StoredSequence``."""

    sequence: StoredSequence
    size: tuple[int, int]

    @property
    def parts(self) -> tuple[str, ...]:
        return self.sequence.parts

    @property
    def frame_names(self) -> tuple[str, ...]:
        return self.sequence.frame_names

    def path(self, index: int) -> Path:
        return self.sequence.path(index)

    def read(self, index: int) -> PanopticMap:
        stored = self.sequence.read(index)
        rows, columns = (
            (2 * np.arange(new) + 1) * old // (2 * new)  # pixel centres
            for new, old in zip(self.size, stored.shape, strict=True)
        )
        return PanopticMap(stored.codes[rows[:, None], columns], stored.empty)


def resized(sequence: StoredSequence, size: tuple[int, int]) -> StoredSequence:
    """Return maps at another height and width. Each pixel has the code of the nearest pixel."""
    return sequence if sequence.size == size else _ResizedSequence(sequence, size)


@dataclass(frozen=True, slots=True)
class _VoidSequence:
    """Maps whose void is read in another way; implements ``StoredSequence``."""

    sequence: StoredSequence
    labels: LabelSpace
    objects_only: bool

    @property
    def parts(self) -> tuple[str, ...]:
        return self.sequence.parts

    @property
    def frame_names(self) -> tuple[str, ...]:
        return self.sequence.frame_names

    @property
    def size(self) -> tuple[int, int]:
        return self.sequence.size

    def path(self, index: int) -> Path:
        return self.sequence.path(index)

    def read(self, index: int) -> PanopticMap:
        found = with_one_void(self.sequence.read(index), self.labels)
        if not self.objects_only:
            return found
        void = self.labels.ignore_label
        is_void = found.codes >> np.uint32(ID_BITS) == void
        is_background = found.codes & np.uint32(ID_LIMIT - 1) != IGNORED_ID
        marked = np.where(is_background, background_code(void), void << ID_BITS)
        codes = np.where(is_void, marked.astype(np.uint32), found.codes)
        return PanopticMap(codes, found.empty)


def with_void_of(
    sequence: StoredSequence, labels: LabelSpace, *, objects_only: bool
) -> StoredSequence:
    """Return maps whose void has one meaning.

    Args:
        sequence: Maps as they are stored.
        labels: Label space. Its other void numbers are read as its ignore label.
        objects_only: Whether void is background that holds no object, except for void with the
            identity :data:`IGNORED_ID`.
    """
    if isinstance(sequence, OpenEnded) or not (labels.void_labels or objects_only):
        return sequence
    return _VoidSequence(sequence, labels, objects_only)


IGNORED_ID = 1
"""Identity of void that is ignored, in files of objects only. Other void is background."""


def stored_void_ids(panoptic: PanopticMap, labels: LabelSpace) -> PanopticMap:
    """Return a map whose void has the identities of files of objects only.

    It is the inverse of :func:`with_void_of`: background gets identity 0, other void
    :data:`IGNORED_ID`.
    """
    void = labels.ignore_label
    is_void = panoptic.codes >> np.uint32(ID_BITS) == void
    is_background = panoptic.codes == background_code(void)
    stored = np.where(is_background, void << ID_BITS, void << ID_BITS | IGNORED_ID)
    return PanopticMap(np.where(is_void, stored.astype(np.uint32), panoptic.codes), panoptic.empty)


def moment(frame_name: str) -> str | int:
    """Return a key that is equal for names of the same frame: digits count by their value."""
    number = whole_number(frame_name)
    return frame_name if number is None else number


def refuse_twin(path: Path, frame_name: str, frames: dict[str | int, str]) -> None:
    """Record the file of a frame, and refuse a second file of the same frame.

    Args:
        path: File.
        frame_name: Name of its frame.
        frames: Names of the files of one folder recorded so far, by :func:`moment`.

    Raises:
        DataError: If another file of the frame is recorded.
    """
    other = frames.setdefault(moment(frame_name), path.name)
    if other != path.name:
        by_value = "" if Path(other).stem == path.stem else " (numbers count by their value)"
        raise DataError(f"is the same frame as {other}{by_value}; keep one of the two", where=path)


class FrameDecoder(Protocol):
    """Decoder of encodings with one file per frame. Must pickle."""

    @property
    def name(self) -> str:
        """Name of the encoding, for example ``"kitti-step"``."""
        ...

    @property
    def suffixes(self) -> frozenset[str]:
        """File suffixes, lower case."""
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
    """A sequence with one file per frame; implements ``StoredSequence``.

    Attributes:
        parts: Path below the folder.
        frame_names: File stems.
        size: Height and width in pixels.
        paths: One file per frame.
        decoder: Decoder of the files.
        labels: Label space.
        companions: Files that state what the numbers in the maps mean.
    """

    parts: tuple[str, ...]
    frame_names: tuple[str, ...]
    size: tuple[int, int]
    paths: Sequence[Path]
    decoder: FrameDecoder
    labels: LabelSpace
    companions: tuple[Path, ...] = ()

    def read(self, index: int) -> PanopticMap:
        """Decode the map at a position.

        Raises:
            DataError: If the file is unusable.
        """
        return PanopticMap(self.decoder.decode(self.paths[index], self.size, self.labels))

    def path(self, index: int) -> Path:
        """Return the file of a frame, for messages."""
        return self.paths[index]


def check_size(path: Path, found: tuple[int, int], expected: tuple[int, int]) -> None:
    """Check that a frame has the size of its sequence.

    Args:
        path: File of the frame.
        found: Height and width of the frame.
        expected: Height and width of the sequence.

    Raises:
        DataError: If they differ.
    """
    if found != expected:
        raise DataError(
            f"is {found[1]}x{found[0]} pixels, but the other frames of its sequence are "
            f"{expected[1]}x{expected[0]}; the file was not decoded; all frames of a sequence need "
            "one size",
            where=path,
        )


def open_frame_files(
    listing: Listing, decoder: FrameDecoder, labels: LabelSpace, report: Report = raise_problem
) -> tuple[FileSequence, ...]:
    """Return one sequence for every folder with frames. Read headers only.

    Args:
        listing: Content of the folder.
        decoder: Decoder of the files.
        labels: Label space.
        report: Receives the problem of each unusable file. These files are omitted.
    """
    opened = (_open_folder(folder, decoder, labels, report) for folder in listing.folders)
    return tuple(sequence for sequence in opened if sequence is not None)


def _open_folder(
    folder: FrameFolder, decoder: FrameDecoder, labels: LabelSpace, report: Report
) -> FileSequence | None:
    sizes: dict[Path, tuple[int, int]] = {}
    names: dict[Path, str] = {}
    moments: dict[str | int, str] = {}
    for path in folder.with_suffix(*FRAME_SUFFIXES, *decoder.suffixes):
        try:
            size = _size_of(path, decoder)
            name = folder.frame_name(path)
            refuse_twin(path, name, moments)
        except DataError as problem:
            report(problem)
        else:
            sizes[path], names[path] = size, name
    size, paths = usual_size(sizes, report)
    if not paths:
        return None
    frame_names = tuple(names[path] for path in paths)
    files = FilesIn(folder.path, tuple(path.name for path in paths))
    return FileSequence(folder.parts, frame_names, size, files, decoder, labels)


def usual_size(
    sizes: Mapping[Path, tuple[int, int]], report: Report
) -> tuple[tuple[int, int], list[Path]]:
    """Return the most frequent size of a sequence's frames, and the frames with this size.

    Args:
        sizes: Height and width of each file.
        report: Receives the problem of each file with another size.
    """
    if not sizes:
        return (0, 0), []
    counts = Counter(sizes.values())
    usual = counts.most_common(1)[0][0]
    if len(counts) == 1:
        return usual, list(sizes)
    paths = []
    for path, size in sizes.items():
        try:
            check_size(path, size, usual)
        except DataError as problem:
            report(problem)
        else:
            paths.append(path)
    return usual, paths


def _size_of(path: Path, decoder: FrameDecoder) -> tuple[int, int]:
    if path.suffix.lower() in decoder.suffixes:
        return decoder.size(path)
    advice = "write the labels as PNG" if path.suffix.lower() in {".jpg", ".jpeg"} else "remove it"
    expected = " or ".join(sorted(decoder.suffixes))
    raise DataError(
        f"is a {path.suffix} file in a folder of {decoder.name} maps; expected {expected}; "
        f"{advice}, or name another encoding with --encoding",
        where=path,
    )
