"""What the trackers of one video under one stress have in common: frames, truth, segments, work."""

from pathlib import Path

from mapt_bench.baselines.mapt_trackers import describe_for_mapt
from mapt_bench.baselines.tracker_options import MaptOptions
from mapt_bench.experiments.remembered import RememberedVideo, remembered
from mapt_bench.experiments.segment_files import archive_path, find_segments
from mapt_bench.experiments.shared_work import SharedWork
from mapt_bench.experiments.source import DataSource
from mapt_bench.experiments.weights import MaptWeights
from mapt_bench.labels import Video
from mapt_bench.metrics import Sightings
from mapt_bench.stress import Stress, stress_video, visible_fractions
from mapt_bench.tracking import FrameSegments
from mapt_bench.tracking.archive import SegmentArchive

__all__ = ["Library", "SharedVideo"]


class SharedVideo:
    """One video under one stress, each of its frames made once.

    Args:
        video: The stressed video, remembered.

    Attributes:
        work: What trackers worked out of it.
    """

    def __init__(self, video: RememberedVideo) -> None:
        self.video = video
        self.work = SharedWork()
        self._archives: dict[str | None, SegmentArchive] = {}
        self._segments: dict[tuple[str | None, str | None, int], FrameSegments] = {}
        self._sightings: dict[int, Sightings] = {}

    def knows_segments(self, name: str | None) -> bool:
        """Whether segments are known under a name."""
        return name in self._archives

    def open_segments(self, name: str | None, archive: Path) -> None:
        """Make the segments of an archive known under a name."""
        self._archives[name] = SegmentArchive(archive)

    def segments(
        self, name: str | None, index: int, mapt: MaptWeights | None = None
    ) -> FrameSegments:
        """Return what is linked in a frame; trackers do not change it.

        Args:
            name: Of the segments.
            index: Of the frame.
            mapt: The network that is to link them: they come with its cues. ``None`` for trackers
                that need none.
        """
        place = (name, None if mapt is None else mapt.sha256, index)
        if place in self._segments:
            return self._segments[place]
        if mapt is None:
            found = self._archives[name].read(index)
        else:
            options = MaptOptions(weights=mapt.path)
            found = describe_for_mapt(options, self.video.frame(index), self.segments(name, index))
        if index < self.video.room:
            self._segments[place] = found
        return found

    def sightings(self, index: int) -> Sightings:
        """Return the true tracks that are seen in a frame, how well where that is known."""
        if index not in self._sightings:
            visibility = visible_fractions(self.video.video, index)
            labels = self.video.info.labels
            self._sightings[index] = Sightings.of(self.video.truth(index), labels, visibility)
        return self._sightings[index]


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

    def video(
        self, sequence: int, stress: Stress | None, segments: str | None, *, key: str
    ) -> SharedVideo:
        """Return a video under a stress, with its segments of one name found.

        Args:
            sequence: Position of the video in the data.
            stress: What is done to it.
            segments: Name of the segments.
            key: Content key of the segments.

        Raises:
            ConfigError: If the stress cannot be put on such a video.
            DataError: If the video is unusable, or its segments cannot be found or written.
        """
        if self._last is None or self._last[0] != (sequence, stress):
            shared = SharedVideo(remembered(self._stressed(sequence, stress)))
            self._last = ((sequence, stress), shared)
        shared = self._last[1]
        if shared.knows_segments(segments):  # to look whether their file is sound takes a while
            return shared
        kind = self._source.segments_named(segments)
        if kind.is_own:
            return shared
        path = archive_path(self._folder, kind, sequence, shared.video.info.name, stress)
        find_segments(path, kind, shared.video, sequence, self._seed, key=key)
        shared.open_segments(segments, path)
        return shared

    def _stressed(self, sequence: int, stress: Stress | None) -> Video:
        whole = self._source.videos[sequence]
        if stress is None:
            return whole
        if stress.entry.world_only:  # drawn anew, not made of what was drawn before
            return stress_video(whole, stress)
        if self._plain is None or self._plain[0] != sequence:
            self._plain = sequence, remembered(whole)
        return stress_video(self._plain[1], stress)
