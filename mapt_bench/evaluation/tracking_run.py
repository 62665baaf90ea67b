"""Running one tracker over videos and writing what it says."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mapt_bench.baselines.choice import TrackerChoice
from mapt_bench.baselines.segmenters import GroundTruthSegments, SavedSegments
from mapt_bench.data import KittiStepWriter, StoredSequence, open_maps
from mapt_bench.data.map_folders import match_by_suffix
from mapt_bench.data.sequences import aligned
from mapt_bench.errors import ConfigError, DataError, MaptBenchError, TrackerError
from mapt_bench.labels import (
    ID_BITS,
    ID_LIMIT,
    LabelSpace,
    PanopticMap,
    Video,
    VideoInfo,
    check_map_classes,
)
from mapt_bench.tracking import Segmenter, SegmentTracker, Tracker

__all__ = [
    "SequenceRun",
    "match_saved_segments",
    "run_tracker",
    "track_videos",
]


@dataclass(frozen=True)
class SequenceRun:
    """What a tracker did with one video.

    Attributes:
        name: Of the sequence.
        frames: Number of frames.
        tracks: Number of distinct (class, identity) pairs of things written; identity 0, which
            stands for no particular object, is left out.
        steps: How many segments got their identity by which step; empty for trackers that do not
            say.
        found_again: Segments whose track had been out of sight for a frame or more.
    """

    name: str
    frames: int
    tracks: int
    steps: dict[str, int]
    found_again: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "sequence": self.name,
            "frames": self.frames,
            "tracks": self.tracks,
            "steps": self.steps,
            "found_again": self.found_again,
        }


def run_tracker(tracker: Tracker, video: Video) -> Iterator[PanopticMap]:
    """Yield the tracker's map of each frame, checked.

    Raises:
        DataError: If what it returns is no map of the video's size, or has an unknown class.
        TrackerError: If its own code fails; the message names it, the sequence and the frame.
    """
    info = video.info
    with _blamed(tracker, info.name):
        tracker.start(info)
    for index in range(info.frame_count):
        frame = video.frame(index)
        with _blamed(tracker, f"{info.name}/{frame.name}"):
            panoptic_map = tracker.step(frame)
        _check(panoptic_map, info, frame.name)
        yield panoptic_map


@contextmanager
def _blamed(tracker: Tracker, where: str) -> Iterator[None]:
    """Say which tracker failed, and at what; errors that speak for themselves pass."""
    try:
        yield
    except MaptBenchError:
        raise
    except Exception as problem:  # whatever a user's code may raise
        name = f"{type(tracker).__module__}:{type(tracker).__qualname__}"
        raise TrackerError(
            f"tracker {name} failed: {type(problem).__name__}: {problem}", where=where
        ) from problem


def track_videos(
    videos: Sequence[Video],
    choice: TrackerChoice,
    out: Path,
    *,
    segments: Sequence[StoredSequence] | Segmenter | None = None,
    advance: Callable[[int], None] = lambda frames: None,
) -> list[SequenceRun]:
    """Run a tracker over videos and write KITTI-STEP maps, all of them or none.

    Args:
        videos: Of one label space, each of its own name.
        choice: The tracker.
        out: Folder to make; it must not hold anything yet.
        segments: Saved predictions of each video, in the same order; or what finds segments in
            images; ``None`` takes the true segments with their identities taken away.
        advance: Told of each frame done.

    Raises:
        ConfigError: If ``out`` is in use or a tracker cannot be loaded.
        DataError: If data are unusable, or lack images or truth that are needed.
    """
    names = [video.info.name for video in videos]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise DataError(
            f"two sequences are called {twice[0]!r}; their maps would overwrite each other; run "
            "one split at a time"
        )
    trackers = [
        choice.build(video, _segmenter(choice, video, segments, k))
        for k, video in enumerate(videos)
    ]
    runs: list[SequenceRun] = []
    with (
        _folder_when_complete(out) as beside,
        KittiStepWriter(beside, videos[0].info.labels) as writer,
    ):
        for video, tracker in zip(videos, trackers, strict=True):
            runs.append(_track_one(video, tracker, writer, advance))
    return runs


def match_saved_segments(
    videos: Sequence[Video], folder: Path, labels: LabelSpace
) -> list[StoredSequence]:
    """Find the saved predictions of each video, in the order of the videos.

    One video and one sequence match whatever they are called; else names decide. Sequences that
    no video asks for are left alone.

    Raises:
        DataError: If a video has none, or more than one.
    """
    by_parts = {sequence.parts: sequence for sequence in open_maps(folder, labels).sequences}
    wanted: list[tuple[str, ...]] = [(video.info.name,) for video in videos]
    if len(wanted) == len(by_parts) == 1:
        partner = {wanted[0]: next(iter(by_parts))}
    else:
        partner = match_by_suffix(wanted, list(by_parts), where=folder)
    missing = [name for name in wanted if name not in partner]
    if missing:
        raise DataError(
            f"has no segments for sequence {missing[0][0]!r}; expected a folder of maps of that "
            "name",
            where=folder,
        )
    return [
        aligned(
            by_parts[partner[name]], video.info.frame_names, (video.info.height, video.info.width)
        )
        for name, video in zip(wanted, videos, strict=True)
    ]


def _segmenter(
    choice: TrackerChoice,
    video: Video,
    segments: Sequence[StoredSequence] | Segmenter | None,
    index: int,
) -> Segmenter | None:
    if not choice.is_built_in:
        return None
    if segments is None:
        return GroundTruthSegments(video)
    return segments if isinstance(segments, Segmenter) else SavedSegments(segments[index])


def _track_one(
    video: Video, tracker: Tracker, writer: KittiStepWriter, advance: Callable[[int], None]
) -> SequenceRun:
    info = video.info
    tracks: set[int] = set()
    for name, panoptic_map in zip(info.frame_names, run_tracker(tracker, video), strict=True):
        writer.write(info.name, name, panoptic_map)
        codes = np.unique(panoptic_map.codes)
        is_track = info.labels.is_thing_table[codes >> np.uint32(ID_BITS)]
        is_track &= (codes & np.uint32(ID_LIMIT - 1)) > 0
        tracks.update(codes[is_track].tolist())
        advance(1)
    steps: Counter[str] = Counter()
    found_again = 0
    if isinstance(tracker, SegmentTracker):
        for association in tracker.associations:
            steps.update(association.steps)
            found_again += sum(age > 1 for age in association.ages)
    return SequenceRun(
        info.name, info.frame_count, len(tracks), dict(sorted(steps.items())), found_again
    )


def _check(panoptic_map: object, info: VideoInfo, frame_name: str) -> None:
    where = f"{info.name}/{frame_name}"
    if not isinstance(panoptic_map, PanopticMap):
        raise DataError(
            f"the tracker's step returned a {type(panoptic_map).__name__}; expected a PanopticMap",
            where=where,
        )
    if panoptic_map.shape != (info.height, info.width):
        raise DataError(
            f"the tracker's map has {panoptic_map.shape} pixels (height, width); expected "
            f"{(info.height, info.width)}",
            where=where,
        )
    check_map_classes(panoptic_map, info.labels, where)


@contextmanager
def _folder_when_complete(folder: Path) -> Iterator[Path]:
    """Yield a folder beside ``folder`` and move it there only if the block succeeds."""
    folder = folder.resolve()
    if folder.is_dir() and _is_in_use(folder):
        raise ConfigError("is not empty; name a new folder, or remove this one", where=folder)
    if folder.exists() and not folder.is_dir():
        raise ConfigError("is a file; expected a folder to write to", where=folder)
    beside = folder.with_name(f".{folder.name}.unfinished")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
    except OSError as problem:
        raise DataError(
            f"cannot be written ({problem.strerror}); choose another path", where=folder
        ) from problem
    try:
        yield beside
        if folder.is_dir():
            folder.rmdir()
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _is_in_use(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError as problem:
        raise DataError(
            f"cannot be read ({problem.strerror}); choose another path", where=folder
        ) from problem
