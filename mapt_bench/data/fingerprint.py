"""Fingerprint of data in files: a hash of every name and every byte."""

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from mapt_bench.data.sequences import StoredSequence
from mapt_bench.data.videos import FolderVideo
from mapt_bench.errors import DataError
from mapt_bench.files import SMALL_FILE, file_sha256, read_bytes
from mapt_bench.labels import Video

__all__ = ["maps_fingerprint", "sequence_fingerprint", "videos_fingerprint"]

_NamedFile = tuple[str, Path]


def videos_fingerprint(videos: Sequence[Video]) -> str:
    """Hash the images and maps of videos. The location of their folder does not matter.

    Raises:
        DataError: If a video is not stored in files, or a file cannot be read.
    """
    files: list[_NamedFile] = []
    for video in videos:
        if not isinstance(video, FolderVideo):
            raise DataError(
                "is not stored in files, so it has no fingerprint; expected a video of a folder",
                where=video.info.name,
            )
        parts = (video.info.name,) if video.maps is None else video.maps.parts
        files += [("/".join((*parts, path.name)), path) for path in video.images or ()]
        files += [] if video.maps is None else _map_files(video.maps)
    return _fingerprint(files)


def maps_fingerprint(sequences: Sequence[StoredSequence]) -> str:
    """Hash the files of map sequences.

    Raises:
        DataError: If a file cannot be read.
    """
    return _fingerprint(file for sequence in sequences for file in _map_files(sequence))


def sequence_fingerprint(sequence: StoredSequence) -> str:
    """Hash the files of one map sequence. The folders above the files do not matter.

    Raises:
        DataError: If a file cannot be read.
    """
    return _fingerprint((path.name, path) for path in _files(sequence))


def _map_files(sequence: StoredSequence) -> list[_NamedFile]:
    return [("/".join((*sequence.parts, path.name)), path) for path in _files(sequence)]


def _files(sequence: StoredSequence) -> Iterable[Path]:
    paths = (sequence.path(index) for index in range(len(sequence.frame_names)))
    # One file may hold the maps of all frames.
    return dict.fromkeys([*paths, *_companions(sequence)])


def _companions(sequence: StoredSequence) -> tuple[Path, ...]:
    """Return the files beside the maps that state what their numbers mean."""
    stored = getattr(sequence, "sequence", sequence)  # maps that are resized, for example
    found: tuple[Path, ...] = getattr(stored, "companions", ())
    return found


def _fingerprint(files: Iterable[_NamedFile]) -> str:
    digest = hashlib.sha256()
    for name, path in files:
        digest.update(f"{name}\0".encode("utf-8", "surrogateescape"))
        digest.update(_sha256_of(path))
    return digest.hexdigest()


def _sha256_of(path: Path) -> bytes:
    try:
        start, size = read_bytes(path, SMALL_FILE)
        if size <= SMALL_FILE:
            return hashlib.sha256(start).digest()
        changed = path.stat().st_mtime_ns
    except OSError:  # reading the file reports the error
        changed = 0
    return bytes.fromhex(_sha256_of_large(path, changed))


@lru_cache(maxsize=4)
def _sha256_of_large(path: Path, _changed: int) -> str:
    """Return the hash of a file. A JSON may hold the maps of many sequences."""
    return file_sha256(path)
