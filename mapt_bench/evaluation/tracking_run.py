"""Run one tracker over videos and write its maps."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mapt_bench.data import KittiStepWriter, StoredSequence, open_maps
from mapt_bench.data.matching import match_by_suffix
from mapt_bench.data.sequences import aligned
from mapt_bench.errors import DataError
from mapt_bench.folders import folder_when_complete
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, Video
from mapt_bench.tracking import Tracker, TrackerRun

__all__ = [
    "SequenceRun",
    "match_saved_segments",
    "track_videos",
]


@dataclass(frozen=True)
class SequenceRun:
    """Summary of a tracker's output for one video.

    Attributes:
        name: Name of the sequence.
        frames: Number of frames.
        tracks: Number of distinct (class, identity) pairs of things, without identity 0.
        matches: Number of segments by the step that assigned their identity, for example
            ``{"motion": 40}``. Empty for whole trackers.
        recovered: Number of segments with the identity of a lost track.
    """

    name: str
    frames: int
    tracks: int
    matches: dict[str, int]
    recovered: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "sequence": self.name,
            "frames": self.frames,
            "tracks": self.tracks,
            "matches": self.matches,
            "recovered": self.recovered,
        }


def track_videos(
    videos: Sequence[Video],
    build: Callable[[int], Tracker],
    out: Path,
    *,
    pair: int = 1,
    advance: Callable[[int], None] = lambda frames: None,
    report: Callable[[list[SequenceRun], Path], None] = lambda runs, folder: None,
) -> list[SequenceRun]:
    """Run a tracker on videos and write KITTI-STEP maps, all of them or none.

    Args:
        videos: Videos of one label space, with distinct names.
        build: Builds the tracker of the video at a position. All trackers are built first.
        out: Output folder. It must be new or empty.
        pair: Pairing interval of the tracker, in frames.
        advance: Called with 1 after each frame.
        report: Called with the result and the folder that becomes ``out``, before it does. A
            process that is killed in between can run again.

    Raises:
        ConfigError: If ``out`` is not empty, or a tracker cannot be built.
        DataError: If data are unusable, or lack images or ground truth that the tracker needs.
        TrackerError: If the tracker's own code fails.
    """
    names = [video.info.name for video in videos]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise DataError(
            f"two sequences are named {twice[0]!r}, and their maps would overwrite each other; run "
            "one split at a time"
        )
    trackers = [build(index) for index in range(len(videos))]
    runs: list[SequenceRun] = []
    with folder_when_complete(out) as beside:
        with KittiStepWriter(beside, videos[0].info.labels) as writer:
            for video, tracker in zip(videos, trackers, strict=True):
                runs.append(_track_one(video, tracker, writer, pair, advance))
        report(runs, beside)
    return runs


def match_saved_segments(
    videos: Sequence[Video], folder: Path, labels: LabelSpace
) -> list[StoredSequence]:
    """Find the saved predictions of each video, in the order of the videos.

    One video and one sequence match with any names. Otherwise they match by name. Other sequences
    are ignored.

    Raises:
        DataError: If a video has no predictions, or more than one set.
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
            f"has no segments for sequence {missing[0][0]!r}; expected a folder of maps with that "
            "name",
            where=folder,
        )
    return [
        aligned(
            by_parts[partner[name]], video.info.frame_names, (video.info.height, video.info.width)
        )
        for name, video in zip(wanted, videos, strict=True)
    ]


def _track_one(
    video: Video,
    tracker: Tracker,
    writer: KittiStepWriter,
    pair: int,
    advance: Callable[[int], None],
) -> SequenceRun:
    info = video.info
    tracks: set[int] = set()
    run = TrackerRun(tracker, video, pair=pair)
    for name, panoptic_map in zip(info.frame_names, run.maps(), strict=True):
        writer.write(info.name, name, panoptic_map)
        codes = np.unique(panoptic_map.codes)
        is_track = info.labels.is_thing_table[codes >> np.uint32(ID_BITS)]
        is_track &= (codes & np.uint32(ID_LIMIT - 1)) > 0
        tracks.update(codes[is_track].tolist())
        advance(1)
    return SequenceRun(info.name, info.frame_count, len(tracks), run.matches, run.recovered)
