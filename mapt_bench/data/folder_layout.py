"""Layout of data folders: where frames are."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, repeat
from pathlib import Path
from typing import overload

from mapt_bench.data.frame_names import frame_number, split_names
from mapt_bench.errors import DataError
from mapt_bench.frame_limit import check_folder_count
from mapt_bench.special_files import refuse_root, refuse_special_in

__all__ = [
    "DATASET_FILE",
    "DEPTH_FOLDER",
    "IMAGES_FOLDER",
    "IMAGE_SUFFIXES",
    "MAPS_FOLDER",
    "FilesIn",
    "FrameFolder",
    "Listing",
    "list_folder",
    "map_root",
    "natural_key",
]

DATASET_FILE = "dataset.json"
DEPTH_FOLDER = "depth"
IMAGES_FOLDER = "images"
MAPS_FOLDER = "panoptic_maps"

FRAME_SUFFIXES = frozenset({".png", ".npy", ".jpg", ".jpeg"})
"""Suffixes of files that hold one frame."""

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")

_SEEN_SUFFIXES = FRAME_SUFFIXES | {".json", ".txt"}


@dataclass(frozen=True, slots=True)
class FilesIn(Sequence[Path]):
    """Files that lie directly in one folder.

    It keeps names, and makes each path when it is asked for. A path takes several times the memory
    of its name, which counts in folders of 100,000 frames.

    Attributes:
        folder: Path of the folder.
        names: Name of each file.
    """

    folder: Path
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Path]:
        return map(_path_of, repeat(self.folder), self.names)

    @overload
    def __getitem__(self, index: int) -> Path: ...

    @overload
    def __getitem__(self, index: slice) -> "FilesIn": ...

    def __getitem__(self, index: int | slice) -> "Path | FilesIn":
        if isinstance(index, slice):
            return FilesIn(self.folder, self.names[index])
        return _path_of(self.folder, self.names[index])

    def named_files(self) -> Iterator[tuple[Path, Sequence[str]]]:
        """Yield the folder and the names, for a check whether other machines have the files."""
        yield self.folder.absolute(), self.names


@lru_cache(maxsize=1 << 14)
def _path_of(folder: Path, name: str) -> Path:
    """Return the path of a file. The last ones are kept, because sequences are read repeatedly."""
    return folder / name


@dataclass(frozen=True, slots=True)
class FrameFolder:
    """A folder that directly holds files.

    Attributes:
        parts: Path below the root. For the root itself, the name of the root.
        path: Path of the folder.
        files: Files with a relevant suffix, in natural order (``2.png`` before ``10.png``).
        prefix_pieces: Number of pieces at the beginning of each file name that name the sequence.
    """

    parts: tuple[str, ...]
    path: Path
    files: FilesIn
    prefix_pieces: int = 0

    def frame_name(self, file: Path) -> str:
        """Return the name of the frame of a file: its stem, or the number after the prefix."""
        return frame_number(file.stem, self.prefix_pieces) if self.prefix_pieces else file.stem

    def with_suffix(self, *suffixes: str) -> FilesIn:
        """Return the files with one of ``suffixes`` (lower case)."""
        found = [name for name in self.files.names if name.lower().endswith(suffixes)]
        return FilesIn(self.path, tuple(found))


@dataclass(frozen=True, slots=True)
class Listing:
    """All folders with files below a root.

    Attributes:
        root: Root of the search.
        folders: Folders at any depth, ordered by their parts.
    """

    root: Path
    folders: tuple[FrameFolder, ...]

    def files(self, *suffixes: str) -> Sequence[Path]:
        """Return the files of all folders with one of ``suffixes`` (lower case)."""
        found = [folder.with_suffix(*suffixes) for folder in self.folders]
        return found[0] if len(found) == 1 else list(chain.from_iterable(found))


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key in which digits count by their value.

    Example:
        >>> sorted(["f10", "f9", "f09"], key=natural_key)
        ['f09', 'f9', 'f10']
    """
    pieces = [piece for piece in re.split(r"([0-9]+)", text) if piece]
    ranked = [
        (0, int(piece), "") if piece[0] in "0123456789" else (1, 0, piece) for piece in pieces
    ]
    return (*ranked, (-1, 0, text))


_ANY_DIGIT = {ord(digit): "0" for digit in "123456789"}


def _in_natural_order(names: Iterable[str]) -> list[str]:
    ascending = sorted(names)
    if len({name.translate(_ANY_DIGIT) for name in ascending}) < 2:
        return ascending  # equal texts between numbers of equal length, as nearly always
    return sorted(ascending, key=natural_key)


def require_folder(folder: Path) -> None:
    """Check that a path is a folder.

    Raises:
        DataError: If it does not exist, is a file, or is the root of the file system.
    """
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise DataError(f"{found}; expected a folder of frames or sequences", where=folder)
    refuse_root(folder)


def map_root(folder: Path) -> Path:
    """Return the folder of the maps: ``panoptic_maps`` in the folder, or else the folder itself.

    Raises:
        DataError: If ``folder`` is not a folder.
    """
    require_folder(folder)
    inner = folder / MAPS_FOLDER
    return inner if inner.is_dir() else folder


def list_folder(
    root: Path, *, skip: frozenset[str] = frozenset(), suffixes: frozenset[str] = frozenset()
) -> Listing:
    """Find every folder below ``root`` with relevant files.

    Hidden files and folders and ``dataset.json`` are skipped. Links to folders are followed, unless
    they lead to a folder above, in ``root`` or outside it. A folder whose file names begin with the
    names of several sequences (``0001_000000.png``, ``0002_000000.png``) becomes a folder for each.

    Args:
        root: Root of the search.
        skip: Names of folders directly in ``root`` to omit.
        suffixes: Suffixes of relevant files, lower case, in addition to the usual ones.

    Raises:
        DataError: If ``root`` is not a folder, or has more than :data:`MAX_FOLDERS` folders.
    """
    require_folder(root)
    folders = []
    for path, names in _walk(root, skip, _SEEN_SUFFIXES | suffixes):
        parts = path.parts[len(root.parts) :] or (root.resolve().name,)
        files = tuple(_in_natural_order(_labels_of(names)))
        if files:
            folders += _split_by_prefix(FrameFolder(parts, path, FilesIn(path, files)))
    return Listing(root, tuple(sorted(folders, key=lambda found: found.parts)))


GROUND_TRUTH_FOLDER = "gt"
GROUND_TRUTH_TEXT = "gt.txt"
_DETECTIONS_FOLDER = "det"


def _is_detections(above: Path, name: str) -> bool:
    """Whether a folder of MOTChallenge holds public detections, which are not labels."""
    return (
        name == _DETECTIONS_FOLDER and (above / GROUND_TRUTH_FOLDER / GROUND_TRUTH_TEXT).is_file()
    )


def _walk(
    root: Path, skip: frozenset[str], suffixes: frozenset[str]
) -> Iterator[tuple[Path, list[str]]]:
    for count, (place, folders, names) in enumerate(os.walk(root, followlinks=True)):
        check_folder_count(count, root)
        path = Path(place)
        if count and path.is_symlink() and _leads_above(path, root):
            folders.clear()  # following it would never end
            continue
        left_out = frozenset() if count else skip
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and name not in left_out and not _is_detections(path, name)
        )
        found = [name for name in names if _is_of_interest(name, suffixes)]
        if found:
            refuse_special_in(path, frozenset(found))
            yield path, found


def _leads_above(link: Path, root: Path) -> bool:
    """Whether a link leads to a folder that it lies in, or to one above the root of the search."""
    real = link.resolve()
    above = link.parents[: len(link.parts) - len(root.parts)]
    return any(each.resolve().is_relative_to(real) for each in above)


def _is_of_interest(name: str, suffixes: frozenset[str]) -> bool:
    hidden = name.startswith(".") or name == DATASET_FILE
    return not hidden and name[name.rfind(".") :].lower() in suffixes


_TRAIN_IDS = "_gtFine_instanceTrainIds"
_BESIDE_TRAIN_IDS = re.compile(r".*_(leftImg8bit|depth_[0-9.]+)")


def _labels_of(names: Sequence[str]) -> Sequence[str]:
    """Omit images and depths from a folder of Cityscapes-DVPS, which holds them beside labels."""
    if not any(_TRAIN_IDS in name and Path(name).stem.endswith(_TRAIN_IDS) for name in names):
        return names
    return [name for name in names if not _BESIDE_TRAIN_IDS.fullmatch(Path(name).stem)]


def _split_by_prefix(folder: FrameFolder) -> list[FrameFolder]:
    """Split a folder whose files belong to several sequences, told apart by their names.

    Files of one sequence stay together, whatever their names; see :func:`split_names`.
    """
    frames = folder.with_suffix(*FRAME_SUFFIXES)
    found = split_names([name.rpartition(".")[0] for name in frames.names])
    if found is None or not 1 < len(found[1]) < len(frames):
        return [folder]
    count, groups = found
    names = frames.names
    own = frozenset(names)
    rest = FilesIn(folder.path, tuple(name for name in folder.files.names if name not in own))
    return [
        *([FrameFolder(folder.parts, folder.path, rest)] if rest else []),
        *(
            FrameFolder(
                (*folder.parts, prefix),
                folder.path,
                FilesIn(folder.path, tuple(names[one] for one in positions)),
                count,
            )
            for prefix, positions in groups.items()
        ),
    ]
