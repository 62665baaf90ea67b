"""Where the videos of a training come from: a suite by name, or a folder."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mapt_bench.data import open_videos, resolve_labels
from mapt_bench.data.fingerprint import videos_fingerprint
from mapt_bench.errors import DataError
from mapt_bench.labels import Video
from mapt_bench.synthetic.fingerprints import check_suite, frozen_fingerprint
from mapt_bench.synthetic.suites import train_sequence

__all__ = [
    "STREAM_NAME",
    "StreamData",
    "TrainingData",
    "folder_data",
    "spread",
    "stream_data",
    "suite_data",
]

STREAM_NAME = "stream"
"""Names, beside suites and folders, the endless training stream of the synthetic world."""

_STREAM_VERSION = 2
_KNOWN_BY = 4


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Videos to train on, or to validate on.

    Attributes:
        name: Of the suite or folder.
        version: Of the suite; ``None`` for folders.
        fingerprint: That the suite was frozen with, or a hash of all files.
        videos: Those with ground truth.
    """

    name: str
    version: int | None
    fingerprint: str
    videos: tuple[Video, ...]

    def describe(self) -> dict[str, Any]:
        """Return the entry of the record, ready for JSON, without paths."""
        return {
            "name": self.name,
            "version": self.version,
            "fingerprint": self.fingerprint,
            "sequences": len(self.videos),
            "frames": sum(video.info.frame_count for video in self.videos),
        }


@dataclass(frozen=True, slots=True)
class StreamData:
    """Endless sequences to train on.

    Attributes:
        name: ``"stream"``.
        version: Of the suites.
        fingerprint: A hash of some frames.
        sequence: Returns the sequence of an index.
    """

    name: str
    version: int
    fingerprint: str
    sequence: Callable[[int], Video]

    def describe(self) -> dict[str, Any]:
        """Return the entry of the record, ready for JSON."""
        return {"name": self.name, "version": self.version, "fingerprint": self.fingerprint}


def stream_data() -> StreamData:
    """Return the stream of training sequences; some frames are drawn to know them again."""
    digest = hashlib.sha256()
    for index in range(_KNOWN_BY):
        video = _sequence(index)
        digest.update(video.frame(0).image.tobytes())
        digest.update(video.truth(0).codes.tobytes())
    return StreamData(STREAM_NAME, _STREAM_VERSION, digest.hexdigest(), _sequence)


def _sequence(index: int) -> Video:
    return train_sequence(index).video


def suite_data(name: str) -> TrainingData:
    """Return the videos of a suite; some frames are drawn to see that it is what it was.

    Raises:
        ConfigError: If there is no such suite; the nearest is suggested.
        DataError: If the suite is no longer what its version says.
    """
    suite = check_suite(name)
    return TrainingData(name, suite.version, str(frozen_fingerprint(suite)), suite.videos)


def folder_data(
    folder: Path, *, dataset: str | None = None, encoding: str | None = None
) -> TrainingData:
    """Open a folder with ``images`` and ``panoptic_maps``.

    Raises:
        ConfigError: If the label space or encoding is unknown.
        DataError: If the folder cannot be used, or it has no ground truth.
    """
    labels = resolve_labels(dataset, folder)
    videos = open_videos(folder, labels, encoding=encoding)
    with_truth = tuple(video for video in videos if video.has_truth)
    if not with_truth:
        raise DataError("has no ground truth; training needs panoptic_maps", where=folder)
    return TrainingData(folder.resolve().name, None, videos_fingerprint(with_truth), with_truth)


def spread(videos: Sequence[Video], count: int) -> tuple[Video, ...]:
    """Return some videos at even distances, so that every kind is among them.

    Example:
        >>> spread("abcdefgh", 3)
        ('a', 'e', 'h')
    """
    places = np.linspace(0, len(videos) - 1, min(count, len(videos)))
    return tuple(videos[round(float(place))] for place in places)
