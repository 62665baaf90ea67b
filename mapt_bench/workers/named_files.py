"""Files that tasks read: which ones, and whether a worker has the same ones.

A class that refers to files by other means than a ``Path`` has a method ``named_files``, which
yields folders and the names of files in them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from mapt_bench.errors import DataError, listed

__all__ = ["MOST_CHECKED", "NamedFiles", "check_files", "differing_files"]

_Item = TypeVar("_Item")

MOST_CHECKED = 1000
"""Most files that are compared with those of workers."""

_BLOCK = 4096
"""Bytes at the start, in the middle and at the end of a file that are compared."""


class NamedFiles:
    """Files by their folders. Adding files reads none of them, so that many cost little."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._folders.values()))

    def add(self, folder: str, *names: str) -> None:
        """Add files of a folder.

        Args:
            folder: Path of the folder, as workers find it.
            names: Names of the files in it.
        """
        known = self._folders.setdefault(folder, {})
        for name in names:
            known[name] = None

    def chosen(self, limit: int = MOST_CHECKED) -> list[Path]:
        """Return files from as many folders as possible, at even distances in each folder.

        Small folders come first, so that a file that is alone in its folder, such as weights, is
        among them.

        Args:
            limit: Most files to return, 1 or more.
        """
        folders = sorted(self._folders.items(), key=lambda entry: len(entry[1]))
        folders = _evenly(folders, limit)
        found: list[Path] = []
        for done, (folder, names) in enumerate(folders):
            share = (limit - len(found)) // (len(folders) - done)
            found += [Path(folder, name) for name in _evenly(list(names), share)]
        return found

    def marks(self, limit: int = MOST_CHECKED) -> dict[str, str]:
        """Return the marks of some files, by path. Files that cannot be read have none.

        Args:
            limit: Most files to return.
        """
        marked = {str(path): _mark(path) for path in self.chosen(limit)}
        return {path: mark for path, mark in marked.items() if mark is not None}


def _evenly(items: Sequence[_Item], count: int) -> list[_Item]:
    """Return at most ``count`` items, the first and the last among them."""
    if len(items) <= count:
        return list(items)
    if count < 2:
        return list(items[:count])
    return [items[at * (len(items) - 1) // (count - 1)] for at in range(count)]


def _mark(path: Path) -> str | None:
    """Return the size of a file with a hash of three of its blocks, ``None`` if there is none."""
    try:
        if not path.is_file():
            return None
        size, digest = path.stat().st_size, hashlib.blake2b(digest_size=16)
        with path.open("rb") as file:
            for start in (0, size // 2, max(0, size - _BLOCK)):
                file.seek(start)
                digest.update(file.read(_BLOCK))
    except OSError:
        return None
    return f"{size} {digest.hexdigest()}"


def differing_files(marks: Mapping[str, str]) -> list[str]:
    """Return the files that this process lacks, or has with another content.

    Args:
        marks: From :meth:`NamedFiles.marks`.
    """
    return [path for path, mark in marks.items() if _mark(Path(path)) != mark]


def check_files(worker: str, differing: Sequence[str], count: int) -> None:
    """Refuse a worker that lacks files, or has others at their paths.

    Args:
        worker: Address of the worker.
        differing: What :func:`differing_files` returned there.
        count: Number of files that were compared.

    Raises:
        DataError: If a file differs.
    """
    if differing:
        raise DataError(
            f"worker {worker} has no such file, or another one ({len(differing)} of {count} files "
            f"that were checked, such as {listed(differing[:2])}); put the same data and weights "
            "at the same path there, on a shared file system or as a copy, or run on a suite, "
            "which needs no data",
            where=differing[0],
        )
