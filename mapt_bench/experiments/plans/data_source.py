"""The data of an experiment: videos with ground truth, and the segments that trackers link."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from mapt_bench.data import open_videos, resolve_labels
from mapt_bench.data.fingerprint import videos_fingerprint
from mapt_bench.data.mapped import (
    MappedSequence,
    MappedVideo,
    predictions_share,
    truth_share,
)
from mapt_bench.errors import ConfigError, DataError, nearest
from mapt_bench.experiments.plans.segment_sources import (
    OWN_SEGMENTS,
    SegmentSource,
    mapped_source,
    saved_segments,
)
from mapt_bench.labels import AnnotatedVideo, ClassMaps, LabelSpace, Video
from mapt_bench.synthetic.fingerprints import check_suite, frozen_fingerprint
from mapt_bench.synthetic.suites import Suite
from mapt_bench.synthetic.video import WorldVideo

__all__ = ["DataSource", "MappedData", "folder_source", "suite_source"]


@dataclass(frozen=True, slots=True)
class MappedData:
    """How the classes of ground truth were mapped.

    Attributes:
        identity: Name, target and hash of the class maps.
        sides: For ``ground_truth``, and ``prediction`` with saved predictions: the label space it
            is mapped ``from``, and counts of what became void.
    """

    identity: Mapping[str, str]
    sides: Mapping[str, Mapping[str, str | int]]


@dataclass(frozen=True, slots=True)
class DataSource:
    """Videos and segments of an experiment.

    Attributes:
        name: Name in tables, for example ``"quick"`` or the name of a folder.
        videos: Videos, all with ground truth.
        labels: Label space of all videos.
        segments: Sources of segments, at least one, with distinct names.
        fingerprint: Hash of everything in the videos that can change a result.
        without_truth: Names of videos that are omitted because they have no ground truth.
        suite: Name and version of the suite, if the videos are a suite.
        groups: Level of each factor for each video name, such as ``{"half": "hard"}``. Empty if
            the videos have no groups.
        class_map: Class maps of the data, with the label space of the ground truth and what became
            void. ``None`` without class maps.

    Raises:
        ConfigError: If two sources of segments have the same name.
    """

    name: str
    videos: tuple[Video, ...]
    labels: LabelSpace
    segments: tuple[SegmentSource, ...]
    fingerprint: str
    without_truth: tuple[str, ...] = ()
    suite: Mapping[str, str | int] | None = None
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    class_map: "MappedData | None" = None

    def __post_init__(self) -> None:
        names = [each.name for each in self.segments]
        if len(set(names)) != len(names):
            raise ConfigError(
                f"segments need distinct names; found {', '.join(names)}; link one folder of saved "
                "predictions at a time"
            )

    @property
    def has_images(self) -> bool:
        """Whether every video has images."""
        return all(video.info.has_images for video in self.videos)

    @property
    def knows_flow(self) -> bool:
        """Whether every video has the ground-truth flow."""
        return all(isinstance(video, AnnotatedVideo) for video in self.videos)

    @property
    def is_synthetic(self) -> bool:
        """Whether all videos are synthetic, so that they can be generated with other settings."""
        return all(isinstance(video, WorldVideo) for video in self.videos)

    def segments_named(self, name: str | None) -> SegmentSource:
        """Return the source of segments with a name. ``None`` is the first source.

        Raises:
            ConfigError: If no source has the name.
        """
        if name is None:
            return self.segments[0]
        if name == OWN_SEGMENTS:
            return SegmentSource(is_own=True)
        known = {each.name: each for each in self.segments}
        if name not in known:
            raise ConfigError(f"there are no segments {name!r}; {nearest(name, known)}")
        return known[name]

    def describe(self) -> dict[str, Any]:
        """Return the description of the data in a result, without paths, for JSON."""
        return {
            "name": self.name,
            "suite": None if self.suite is None else dict(self.suite),
            "fingerprint": self.fingerprint,
            "label_space": self.labels.name,
            "sequences": {video.info.name: video.info.frame_count for video in self.videos},
            "has_images": self.has_images,
            "segments": {each.name: each.describe() for each in self.segments},
        }


def suite_source(
    name: str,
    segments: Sequence[SegmentSource | Path] = (SegmentSource(),),
    maps: ClassMaps | None = None,
) -> DataSource:
    """Return a suite of synthetic videos.

    Args:
        name: Name of the suite.
        segments: Segments to link. A path is a folder of saved predictions.
        maps: Class maps. Mapped videos have no annotations, only images and ground truth.

    Raises:
        ConfigError: If the suite is unknown. The message suggests the nearest.
        DataError: If the suite differs from its frozen version, or a folder lacks segments for a
            video.
    """
    suite = _checked_suite(name)
    labels = suite.videos[0].info.labels
    videos, mapped = _mapped(suite.videos, labels, maps)
    kinds = _kinds(segments, videos, labels, maps)
    return DataSource(
        name=suite.name,
        videos=videos,
        labels=videos[0].info.labels,
        segments=kinds,
        fingerprint=mapped_fingerprint(str(frozen_fingerprint(suite)), mapped),
        class_map=_with_saved(mapped, kinds),
        suite={"name": suite.name, "version": suite.version},
        groups={
            entry.video.name: {"half": entry.half, "kind": entry.kind, **entry.cell}
            for entry in suite.entries
        },
    )


@lru_cache
def _checked_suite(name: str) -> Suite:
    """Render some frames to check that the suite has not changed, once per process."""
    return check_suite(name)


def folder_source(
    data: Path,
    *,
    segments: Sequence[SegmentSource | Path] = (SegmentSource(),),
    dataset: str | None = None,
    encoding: str | None = None,
    maps: ClassMaps | None = None,
) -> DataSource:
    """Open real data.

    Args:
        data: Folder with ``panoptic_maps`` and, for trackers that need them, ``images``.
        segments: Segments to link. A path is a folder of saved predictions.
        dataset: Label space. ``None`` reads the ``dataset.json`` of the folders.
        encoding: Encoding of the maps of ``data``. ``None`` detects it.
        maps: Class maps of the ground truth, of saved predictions and of networks.

    Raises:
        ConfigError: If the label space or the encoding is unknown, or is not mapped.
        DataError: If the data cannot be used, have no ground truth, or lack segments for a
            sequence.
    """
    folders = [each for each in segments if isinstance(each, Path) and maps is None]
    labels = resolve_labels(dataset, data, *folders)
    found = open_videos(data, labels, encoding=encoding)
    with_truth = tuple(video for video in found if video.has_truth)
    if not with_truth:
        raise DataError(
            "has no ground truth, which an experiment needs for its scores; give a folder with "
            "panoptic_maps",
            where=data,
        )
    videos, mapped = _mapped(with_truth, labels, maps)
    kinds = _kinds(segments, videos, labels, maps)
    return DataSource(
        name=data.resolve().name,
        videos=videos,
        labels=videos[0].info.labels,
        segments=kinds,
        fingerprint=mapped_fingerprint(videos_fingerprint(with_truth), mapped),
        class_map=_with_saved(mapped, kinds),
        without_truth=tuple(video.info.name for video in found if not video.has_truth),
    )


def _kinds(
    segments: Sequence[SegmentSource | Path],
    videos: Sequence[Video],
    labels: LabelSpace,
    maps: ClassMaps | None,
) -> tuple[SegmentSource, ...]:
    return tuple(
        saved_segments(each, videos, labels, maps)
        if isinstance(each, Path)
        else mapped_source(each, maps)
        for each in segments
    )


def _mapped(
    videos: tuple[Video, ...], labels: LabelSpace, maps: ClassMaps | None
) -> tuple[tuple[Video, ...], MappedData | None]:
    """Map the ground truth of videos, and count what becomes void."""
    if maps is None:
        return videos, None
    class_map = maps.of(labels)
    mapped = tuple(MappedVideo(video, class_map) for video in videos)
    truth = truth_share(mapped).side(labels.name)
    return mapped, MappedData(maps.describe(), {"ground_truth": truth})


def _with_saved(mapped: MappedData | None, segments: Sequence[SegmentSource]) -> MappedData | None:
    """Add what becomes void of saved predictions. There is at most one folder of them."""
    saved = [
        each
        for source in segments
        for each in source.saved or ()
        if isinstance(each, MappedSequence)
    ]
    if mapped is None or not saved:
        return mapped
    origin = saved[0].class_map.source.name
    entry = predictions_share(saved).side(origin)
    return replace(mapped, sides={**mapped.sides, "prediction": entry})


def mapped_fingerprint(videos: str, mapped: MappedData | None) -> str:
    """Return the fingerprint of videos with the class maps that change them."""
    if mapped is None:
        return videos
    return hashlib.sha256(f"{videos} {mapped.identity['sha256']}".encode()).hexdigest()
