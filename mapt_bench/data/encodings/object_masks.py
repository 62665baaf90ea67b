"""Masks of objects in NumPy archives (``.npz``) and nested dictionaries: SAM 2, SAM 3.

The class of each object comes from ``object_classes.yaml``. Masks may not overlap, unless scores
say which object is in front.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.encodings.encoding_registry import ObjectEncoding, register_encoding
from mapt_bench.data.folder_layout import FrameFolder, Listing
from mapt_bench.data.mask_painting import as_mask, paint_masks
from mapt_bench.data.object_classes import ObjectClasses, find_object_classes
from mapt_bench.data.sequences import Report, StoredSequence, refuse_twin, usual_size
from mapt_bench.errors import DataError, counted
from mapt_bench.files import NPY_DAMAGE
from mapt_bench.frame_limit import MAX_FRAMES, check_frame
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, PanopticMap
from mapt_bench.numpy_files import ArrayHeader, archive_headers, check_array_size

__all__ = ["ArchiveSequence", "ObjectMasksEncoding"]

_MASKS = ("masks", "out_binary_masks", "binary_masks")
_IDS = ("object_ids", "obj_ids", "out_obj_ids")
_SCORES = ("scores", "out_probs", "probs")
_FRAMES = ("frames", "frame_ids", "frame_idx")
_MOST_MASKS = 10**6
_EXPECTED = (
    "expected one array per object, named by its id, or 'masks' of shape (objects, height, width) "
    "with 'object_ids'; in an archive of a whole sequence, arrays named FRAME/ID, or 'masks' of "
    "shape (frames, objects, height, width) with 'object_ids' and optionally 'frames'"
)
_NUMBERS = re.compile("[^0-9]*([0-9]{1,18})(?:[^0-9]+([0-9]{1,18}))?[^0-9]*")


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the masks of one frame are: members of an archive, and the position in them.

    Attributes:
        name: Name of the frame.
        path: Archive.
        members: Name of the array of each object, if each has its own.
        position: Position of the frame in the arrays of a whole sequence, or ``None``.
    """

    name: str
    path: Path
    members: tuple[tuple[int, str], ...] = ()
    position: int | None = None


@dataclass(frozen=True, slots=True)
class ArchiveSequence:
    """Masks of the objects of one sequence; implements ``StoredSequence``.

    Attributes:
        parts: Path below the folder.
        frames: Where the masks of each frame are.
        size: Height and width in pixels.
        classes: Class of each object.
        void_class: Class number of background.
        first_id: Identity of object 0: 1 if there is one, because identity 0 is crowd.
    """

    parts: tuple[str, ...]
    frames: tuple[_Frame, ...]
    size: tuple[int, int]
    classes: ObjectClasses
    void_class: int
    first_id: int

    @property
    def companions(self) -> tuple[Path, ...]:
        """The file that states the classes of the objects."""
        return self.classes.files

    @property
    def frame_names(self) -> tuple[str, ...]:
        """Names of the frames."""
        return tuple(frame.name for frame in self.frames)

    def path(self, index: int) -> Path:
        """Return the archive of a frame."""
        return self.frames[index].path

    def read(self, index: int) -> PanopticMap:
        """Read the masks of a frame.

        Raises:
            DataError: If an array is damaged or no mask, masks overlap, or a class is unknown.
        """
        frame = self.frames[index]
        archive = _Archive(frame.path)
        where = f"{frame.path}, frame {frame.name}"
        name = archive.name_of(_MASKS)
        stored = (
            {identity: archive.load(member) for identity, member in frame.members}
            if name is None
            else archive.stacked(name, frame.position)
        )
        codes = {
            identity: self.classes.class_of(self.parts[-1], identity, where) << ID_BITS
            | identity + self.first_id
            for identity in stored
        }
        masks = {codes[one]: as_mask(array, self.size, where) for one, array in stored.items()}
        scores = archive.scores(frame.position)
        ranked = None if scores is None else {codes[one]: scores[one] for one in stored}
        return PanopticMap(paint_masks(masks, self.void_class, self.size, where, ranked))


class _Archive:
    """An ``.npz``. Arrays are read when they are needed.

    Args:
        path: File.

    Raises:
        DataError: If the file is not an archive of arrays, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.headers = _headers(path, path.stat().st_mtime_ns if path.is_file() else 0)

    def name_of(self, names: Sequence[str]) -> str | None:
        """Return the first of several names that the archive has."""
        return next((name for name in names if name in self.headers), None)

    def load(self, name: str) -> NDArray[Any]:
        """Return an array.

        Raises:
            DataError: If it is damaged or too large.
        """
        return _load(self.path, name, self.path.stat().st_mtime_ns)

    def numbers(self, name: str) -> NDArray[Any]:
        """Return an array beside the masks: ids, scores or frames.

        Raises:
            DataError: If it is damaged, or has more values than there are masks.
        """
        masks = self.name_of(_MASKS)
        count = len(self.headers) if masks is None else math.prod(self.headers[masks].shape[:-2])
        shape = self.headers[name].shape
        if math.prod(shape) > min(count, _MOST_MASKS):
            raise _unexpected(
                f"{name!r} has {math.prod(shape)} values for {counted(count, 'mask')}", self.path
            )
        return self.load(name)

    @property
    def identities(self) -> list[int]:
        """Identities of all objects of the archive, as they are stored."""
        ids = self.name_of(_IDS)
        if ids is not None:
            stored = self.numbers(ids)
            if stored.size and stored.dtype.kind not in "iu":  # no ids: often float64
                raise _unexpected(f"{ids!r} holds {stored.dtype}", self.path)
            return [int(one) for one in stored.ravel()]
        return [identity for members in self.members.values() for identity, _ in members]

    @property
    def members(self) -> dict[int | None, list[tuple[int, str]]]:
        """Identity and name of the arrays of each frame. Frame ``None`` is the only one."""
        found: dict[int | None, list[tuple[int, str]]] = {}
        for name in self.headers:
            numbers = _NUMBERS.fullmatch(name)
            if numbers is None:
                raise _unexpected(f"has an array {name!r}", self.path)
            first, second = numbers.groups()
            frame = None if second is None else int(first)
            identity = int(first if second is None else second)
            entries = found.setdefault(frame, [])
            if any(identity == other for other, _ in entries):
                raise DataError(
                    f"has two masks of object {identity}"
                    + ("" if frame is None else f" in frame {frame}")
                    + "; keep one",
                    where=self.path,
                )
            entries.append((identity, name))
        return found

    def stacked(self, name: str, position: int | None) -> dict[int, NDArray[Any]]:
        """Return the mask of each object of a frame, from the array of all masks."""
        masks = self.load(name) if position is None else self.load(name)[position]
        return dict(zip(self.identities, masks, strict=True))

    def scores(self, position: int | None) -> dict[int, float] | None:
        """Return the score of each object of a frame, if the archive has scores."""
        name = self.name_of(_SCORES)
        if name is None:
            return None
        stored = self.numbers(name)
        values = stored[position] if stored.ndim == 2 and position is not None else stored
        is_numeric = values.dtype.kind in "iuf" and np.isfinite(values).all()
        if values.shape != (len(self.identities),) or not is_numeric:
            raise _unexpected(f"{name!r} has shape {stored.shape} or no finite values", self.path)
        return dict(zip(self.identities, values.tolist(), strict=True))

    @property
    def is_of_sequence(self) -> bool:
        """Whether the archive holds a whole sequence, not one frame.

        Raises:
            DataError: If the arrays fit neither.
        """
        name = self.name_of(_MASKS)
        if name is None:
            return None not in self.members and bool(self.headers)
        shape, count = self.headers[name].shape, len(self.identities)
        if len(set(self.identities)) != count:
            raise DataError("lists an object id twice; keep one", where=self.path)
        is_single = shape[0] == count == 1 and self.name_of(_FRAMES) is None
        if len(shape) == 4 and shape[1] == count and not is_single:
            return True
        if len(shape) in (3, 4) and shape[0] == count and (len(shape) == 3 or shape[1] == 1):
            return False
        raise _unexpected(f"{name!r} has shape {shape} for {counted(count, 'object')}", self.path)

    def frames(self) -> list[_Frame]:
        """Return the frames of an archive of a whole sequence."""
        name = self.name_of(_MASKS)
        if name is None:
            found = {frame: entries for frame, entries in self.members.items() if frame is not None}
            if len(found) != len(self.members):
                raise _unexpected("has arrays named by one number and by two", self.path)
            return [_Frame(f"{n:06d}", self.path, tuple(found[n])) for n in sorted(found)]
        count = self.headers[name].shape[0]
        names = self.name_of(_FRAMES)
        stored = np.arange(count) if names is None else self.numbers(names).ravel()
        numbers = [int(one) for one in stored] if _are_frames(stored) else []
        if len(numbers) != count or len(set(numbers)) != count:
            raise _unexpected(f"{names!r} does not number {counted(count, 'frame')}", self.path)
        return [_Frame(f"{n:06d}", self.path, (), at) for at, n in enumerate(numbers)]

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the masks. ``None`` without masks."""
        name = self.name_of(_MASKS)
        names = [*self.headers] if name is None else [name]
        for one in names:
            shape = self.headers[one].shape
            if len(shape) < 2 or not shape[-1] * shape[-2]:
                raise _unexpected(f"{one!r} has shape {shape}", self.path)
            check_frame(shape[-2], shape[-1], self.path, what=f"{one!r}")
            return shape[-2], shape[-1]
        return None


def _are_frames(numbers: NDArray[Any]) -> bool:
    """Whether all values of an array are numbers of frames."""
    if numbers.dtype.kind not in "iuf":
        return False
    return bool(((numbers >= 0) & (numbers < MAX_FRAMES) & (numbers == np.floor(numbers))).all())


def _unexpected(found: str, path: Path) -> DataError:
    return DataError(f"{found}; {_EXPECTED}", where=path)


_BROKEN = (OSError, *NPY_DAMAGE)


@lru_cache(maxsize=4096)
def _headers(path: Path, _changed: int) -> dict[str, ArrayHeader]:
    """Return shape and type of each array, from the headers."""
    try:
        found = archive_headers(path)
    except _BROKEN as problem:
        raise _unreadable(path, problem) from problem
    for name, header in found.items():
        if header.dtype.hasobject:
            raise DataError(
                f"its array {name!r} holds Python objects, which can run code when they are read; "
                "write each mask as an array of its own, as in "
                "np.savez(path, **{f'{frame}/{id}': mask})",
                where=path,
            )
    return found


@lru_cache(maxsize=4)
def _load(path: Path, name: str, _changed: int) -> NDArray[Any]:
    size = _headers(path, _changed)[name].byte_count
    check_array_size(f"its array {name!r}", size, path, remedy="write one file for each frame")
    try:
        with np.load(path, allow_pickle=False) as archive:
            array: NDArray[Any] = archive[name]
    except _BROKEN as problem:
        raise _unreadable(path, problem) from problem
    return array


def _unreadable(path: Path, reason: object) -> DataError:
    return DataError(
        f"cannot be read as .npz ({reason}); expected an archive of arrays; write or copy the file "
        "again",
        where=path,
    )


@register_encoding
class ObjectMasksEncoding(ObjectEncoding):
    """Archives of masks, one for each frame or one for each sequence."""

    name = "object-masks"
    suffixes = frozenset({".npz"})
    form = "NumPy archive of object masks"

    def accepts(self, path: Path) -> bool:
        """Whether the file is an ``.npz``. Its arrays are checked when it is opened."""
        return path.suffix.lower() == ".npz"

    def open(
        self, listing: Listing, labels: LabelSpace, report: Report
    ) -> tuple[StoredSequence, ...]:
        """Return one sequence for every archive of a sequence, or folder of archives of frames."""
        classes = find_object_classes(listing.root, labels)
        found: list[StoredSequence] = []
        for folder in listing.folders:
            for parts, frames, size in _sequences(folder, listing, report):
                ids = {one for frame in frames for one in _Archive(frame.path).identities}
                found.append(
                    ArchiveSequence(
                        parts, frames, size, classes, labels.ignore_label, int(0 in ids)
                    )
                )
        return tuple(found)


_Opened = tuple[tuple[str, ...], tuple[_Frame, ...], tuple[int, int]]


def _sequences(folder: FrameFolder, listing: Listing, report: Report) -> list[_Opened]:
    found: list[_Opened] = []
    inside = folder.parts if folder.path != listing.root else ()
    sizes: dict[Path, tuple[int, int]] = {}
    empty: list[Path] = []
    moments: dict[str | int, str] = {}
    for path in folder.with_suffix(".npz"):
        try:
            archive = _Archive(path)
            if any(not 0 <= one < ID_LIMIT - 1 for one in archive.identities):
                raise _unexpected(f"has object ids outside 0 to {ID_LIMIT - 2}", path)
            size = archive.size
            if size is not None and archive.is_of_sequence:
                found.append(((*inside, path.stem), tuple(archive.frames()), size))
                continue
            refuse_twin(path, path.stem, moments)
            if size is None:
                empty.append(path)
            else:
                sizes[path] = size
        except DataError as problem:
            report(problem)
    usual, kept = usual_size(sizes, report)
    if kept:
        used = {*kept, *empty}
        members = {path: _Archive(path) for path in folder.files if path in used}
        frames = tuple(
            _Frame(path.stem, path, tuple(one.members.get(None, ())) if not _stacked(one) else ())
            for path, one in members.items()
        )
        found.append((folder.parts, frames, usual))
    return found


def _stacked(archive: _Archive) -> bool:
    return archive.name_of(_MASKS) is not None
