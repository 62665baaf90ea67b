"""What the trackers of one video under one stress have in common: frames, truth, segments."""

from collections.abc import Mapping
from pathlib import Path

from mapt_bench.data.stress import Stress, stress_video, visible_fractions
from mapt_bench.experiments.remembered import RememberedVideo, remembered
from mapt_bench.experiments.segment_files import archive_path, find_segments
from mapt_bench.experiments.source import DataSource
from mapt_bench.labels import Video
from mapt_bench.tracking import FrameSegments
from mapt_bench.tracking.archive import SegmentArchive

__all__ = ["Library", "SharedVideo"]


class SharedVideo:
    """One video under one stress, each of its frames made once.

    Args:
        video: The stressed video, remembered.
        archive: The segments of all its frames.
    """

    def __init__(self, video: RememberedVideo, archive: Path) -> None:
        self.video = video
        self._archive = SegmentArchive(archive)
        self._segments: dict[int, FrameSegments] = {}
        self._visibility: dict[int, Mapping[int, float] | None] = {}

    def segments(self, index: int) -> FrameSegments:
        """Return what was found in a frame; trackers do not change it."""
        if index in self._segments:
            return self._segments[index]
        found = self._archive.read(index)
        if len(self._segments) < self.video.room:
            self._segments[index] = found
        return found

    def visibility(self, index: int) -> Mapping[int, float] | None:
        """Return the visible fraction of tracks by code, ``None`` where it is not known."""
        if index not in self._visibility:
            self._visibility[index] = visible_fractions(self.video.video, index)
        return self._visibility[index]


class Library:
    """Hands out shared videos; the last one, and the video that was stressed, stay at hand.

    Args:
        source: Videos and segments.
        folder: Of the run, where segments are kept.
        seed: Of segment order and noise.
    """

    def __init__(self, source: DataSource, folder: Path, seed: int) -> None:
        self._source = source
        self._folder = folder
        self._seed = seed
        self._plain: tuple[int, RememberedVideo] | None = None
        self._last: tuple[tuple[int, Stress | None], SharedVideo] | None = None

    def video(self, sequence: int, stress: Stress | None) -> SharedVideo:
        """Return a video under a stress, its segments found.

        Raises:
            ConfigError: If the stress cannot be put on such a video.
            DataError: If the video is unusable, or its segments cannot be found or written.
        """
        if self._last is None or self._last[0] != (sequence, stress):
            video = remembered(self._stressed(sequence, stress))
            path = archive_path(self._folder, self._source, sequence, stress)
            find_segments(path, self._source, video, sequence, self._seed)
            self._last = ((sequence, stress), SharedVideo(video, path))
        return self._last[1]

    def _stressed(self, sequence: int, stress: Stress | None) -> Video:
        whole = self._source.videos[sequence]
        if stress is None:
            return whole
        if stress.entry.world_only:  # drawn anew, not made of what was drawn before
            return stress_video(whole, stress)
        if self._plain is None or self._plain[0] != sequence:
            self._plain = sequence, remembered(whole)
        return stress_video(self._plain[1], stress)
