"""Where the videos of a training come from: a suite by name, or a folder."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mapt_bench.data import open_videos, resolve_labels
from mapt_bench.data.clip import CLIP_NAME, CLIP_VERSION, clip_videos
from mapt_bench.data.videos import FolderVideo
from mapt_bench.data.world.suites import open_suite, suite_names
from mapt_bench.errors import ConfigError, DataError, nearest
from mapt_bench.labels import Video

__all__ = ["TrainingData", "folder_data", "spread", "suite_data", "training_suites"]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Videos to train on, or to validate on.

    Attributes:
        name: Of the suite or folder.
        version: Of the suite; ``None`` for folders.
        fingerprint: Hash of what decides the videos: the settings that they are drawn from, or
            names, sizes and true maps of files.
        videos: Those with truth.
    """

    name: str
    version: int | None
    fingerprint: str
    videos: tuple[Video, ...]

    def describe(self) -> dict[str, Any]:
        """Return what goes on record, ready for JSON; no paths."""
        return {
            "name": self.name,
            "version": self.version,
            "fingerprint": self.fingerprint,
            "sequences": len(self.videos),
            "frames": sum(video.info.frame_count for video in self.videos),
        }


def training_suites() -> tuple[str, ...]:
    """Return the names of the suites that can be trained on: the world's, and the embedded clip."""
    return (*suite_names(), CLIP_NAME)


def suite_data(name: str) -> TrainingData:
    """Return the videos of a suite; nothing is drawn yet.

    Raises:
        ConfigError: If there is no such suite; the nearest is suggested.
    """
    if name == CLIP_NAME:
        return TrainingData(name, CLIP_VERSION, _hash([f"{name} {CLIP_VERSION}"]), clip_videos())
    if name not in suite_names():
        raise ConfigError(f"there is no suite {name!r}; {nearest(name, training_suites())}")
    suite = open_suite(name)
    drawn_from = [f"{video.name} {video.settings}" for video in suite.videos]
    return TrainingData(name, suite.version, _hash(drawn_from), suite.videos)


def folder_data(
    folder: Path, *, dataset: str | None = None, encoding: str | None = None
) -> TrainingData:
    """Open a folder with ``images`` and ``panoptic_maps``.

    Raises:
        ConfigError: If the label space or encoding is unknown.
        DataError: If the folder cannot be used, or nothing in it has truth.
    """
    labels = resolve_labels(dataset, folder)
    videos = open_videos(folder, labels, encoding=encoding)
    with_truth = tuple(video for video in videos if video.has_truth)
    if not with_truth:
        raise DataError("has no ground truth; training needs panoptic_maps", where=folder)
    return TrainingData(folder.resolve().name, None, _hash(_stored(with_truth)), with_truth)


def spread(videos: Sequence[Video], count: int) -> tuple[Video, ...]:
    """Return some videos at even distances, so that every kind is among them.

    Example:
        >>> spread("abcdefgh", 3)
        ('a', 'e', 'h')
    """
    places = np.linspace(0, len(videos) - 1, min(count, len(videos)))
    return tuple(videos[round(float(place))] for place in places)


def _stored(videos: Sequence[Video]) -> list[str]:
    lines = []
    for video in videos:
        info = video.info
        lines.append(f"{info.name} {info.height}x{info.width} {' '.join(info.frame_names)}")
        if isinstance(video, FolderVideo) and video.maps is not None:
            maps = (video.maps.path(index) for index in range(info.frame_count))
            lines += [hashlib.sha256(path.read_bytes()).hexdigest() for path in maps]
    return lines


def _hash(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
