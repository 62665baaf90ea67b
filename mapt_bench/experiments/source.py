"""What an experiment runs on: videos with truth, and the segments that every tracker is given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from mapt_bench.baselines.noise import SegmentNoise
from mapt_bench.baselines.segmenters import GroundTruthSegments, SavedSegments
from mapt_bench.data import StoredSequence, open_videos, resolve_labels
from mapt_bench.data.fingerprint import maps_fingerprint, videos_fingerprint
from mapt_bench.data.world.fingerprints import check_suite, frozen_fingerprint
from mapt_bench.data.world.suites import Suite
from mapt_bench.data.world.video import WorldVideo
from mapt_bench.errors import DataError
from mapt_bench.evaluation.tracking_run import match_saved_segments
from mapt_bench.labels import KnownVideo, LabelSpace, Video
from mapt_bench.tracking import Segmenter

__all__ = ["MILD_NOISE", "DataSource", "SegmentSource", "folder_source", "suite_source"]

MILD_NOISE = SegmentNoise(missed=0.04, merged=0.03, eroded=0.15, spurious=0.3)
"""Faults of the segments on suites, so that scores and memory have something to do."""


@dataclass(frozen=True, slots=True)
class SegmentSource:
    """Where the segments come from.

    Attributes:
        noise: Faults added to ground truth; ``None`` for none.
        saved: Predictions, one sequence a video, instead of ground truth.
        folder: Where the predictions lie, for people.
        fingerprint: Of the predictions.
    """

    noise: SegmentNoise | None = None
    saved: tuple[StoredSequence, ...] | None = None
    folder: str | None = None
    fingerprint: str | None = None

    def segmenter(self, video: Video, index: int, seed: int) -> Segmenter:
        """Return what finds the segments of the video at a position, which may be under stress."""
        if self.saved is not None:
            return SavedSegments(self.saved[index], seed=seed)
        return GroundTruthSegments(video, seed=seed, noise=self.noise)

    def describe(self) -> dict[str, Any]:
        """Return what decides the segments, ready for JSON and for keys; no paths."""
        if self.saved is not None:
            return {"kind": "saved predictions", "fingerprint": self.fingerprint}
        if self.noise is None:
            return {"kind": "ground truth", "noise": None}
        names = ("missed", "merged", "eroded", "wrong_class", "spurious")
        doses = {name: getattr(self.noise, name) for name in names}
        pixels = {name: getattr(self.noise, name) for name in ("erosion_px", "merge_gap_px")}
        return {"kind": "ground truth", "noise": {**doses, **pixels}}

    def in_words(self) -> str:
        """Return one sentence for tables."""
        if self.saved is not None:
            return f"saved predictions of {self.folder}"
        if self.noise is None:
            return "ground truth with its ids taken away"
        return (
            "ground truth with its ids taken away and faults added: "
            f"{100 * self.noise.missed:g} % missed, {100 * self.noise.merged:g} % merged, "
            f"{100 * self.noise.eroded:g} % eroded, {self.noise.spurious:g} spurious a frame"
        )


@dataclass(frozen=True, slots=True)
class DataSource:
    """Videos and segments of an experiment.

    Attributes:
        name: For tables, for example ``"quick"`` or the name of a folder.
        videos: All with truth.
        labels: Label space of every video.
        segments: Where segments come from.
        fingerprint: Hash of everything in the videos that can change a result.
        without_truth: Names of videos that were left out because they have no truth.
        suite: Name and version of the suite that the videos are, if they are one.
        groups: For each name of a video its level of each factor, such as ``{"half": "hard"}``;
            empty where videos are not told apart.
    """

    name: str
    videos: tuple[Video, ...]
    labels: LabelSpace
    segments: SegmentSource
    fingerprint: str
    without_truth: tuple[str, ...] = ()
    suite: Mapping[str, str | int] | None = None
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def has_images(self) -> bool:
        """Whether every video has images."""
        return all(video.info.has_images for video in self.videos)

    @property
    def knows_flow(self) -> bool:
        """Whether every video knows its true flow."""
        return all(isinstance(video, KnownVideo) for video in self.videos)

    @property
    def is_drawn_world(self) -> bool:
        """Whether every video is drawn, so that it can be drawn anew with other settings."""
        return all(isinstance(video, WorldVideo) for video in self.videos)

    def describe(self) -> dict[str, Any]:
        """Return what a result says of its data, ready for JSON; no paths."""
        return {
            "name": self.name,
            "suite": None if self.suite is None else dict(self.suite),
            "fingerprint": self.fingerprint,
            "label_space": self.labels.name,
            "sequences": {video.info.name: video.info.frame_count for video in self.videos},
            "has_images": self.has_images,
            "segments": self.segments.describe(),
        }


def suite_source(name: str, *, noise: SegmentNoise | None = MILD_NOISE) -> DataSource:
    """Return a suite of the drawn world with ground-truth segments.

    Args:
        name: Of the suite.
        noise: Faults of the segments; ``None`` for none.

    Raises:
        ConfigError: If there is no such suite; the message suggests the nearest.
        DataError: If the suite is no longer what its version says.
    """
    suite = _checked_suite(name)
    videos = suite.videos
    return DataSource(
        name=suite.name,
        videos=videos,
        labels=videos[0].info.labels,
        segments=SegmentSource(noise=noise),
        fingerprint=str(frozen_fingerprint(suite)),
        suite={"name": suite.name, "version": suite.version},
        groups={
            entry.video.name: {"half": entry.half, "kind": entry.kind, **entry.cell}
            for entry in suite.entries
        },
    )


@lru_cache
def _checked_suite(name: str) -> Suite:
    """Draw some frames to see that the suite is what it was; once a process."""
    return check_suite(name)


def folder_source(
    data: Path,
    *,
    segments: Path | None = None,
    noise: SegmentNoise | None = None,
    dataset: str | None = None,
    encoding: str | None = None,
) -> DataSource:
    """Open real data.

    Args:
        data: Folder with ``panoptic_maps`` and, for trackers that need them, ``images``.
        segments: Folder of saved predictions; ``None`` takes the segments of the ground truth.
        noise: Faults added to ground-truth segments.
        dataset: Label space; ``None`` asks the folders.
        encoding: Encoding of the maps of ``data``; ``None`` finds it out.

    Raises:
        ConfigError: If the label space or the encoding is unknown.
        DataError: If the data cannot be used, have no truth, or lack segments for a sequence.
    """
    labels = (
        resolve_labels(dataset, data)
        if segments is None
        else resolve_labels(dataset, data, segments)
    )
    found = open_videos(data, labels, encoding=encoding)
    videos = [video for video in found if video.has_truth]
    if not videos:
        raise DataError(
            "has no ground truth; an experiment scores its trackers, so give a folder with "
            "panoptic_maps",
            where=data,
        )
    source = SegmentSource(noise=noise)
    if segments is not None:
        saved = tuple(match_saved_segments(videos, segments, labels))
        source = SegmentSource(
            saved=saved, folder=segments.name, fingerprint=maps_fingerprint(saved)
        )
    return DataSource(
        name=data.resolve().name,
        videos=tuple(videos),
        labels=labels,
        segments=source,
        fingerprint=videos_fingerprint(videos),
        without_truth=tuple(video.info.name for video in found if not video.has_truth),
    )
