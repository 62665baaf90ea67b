"""What the trackers of one video under one stress have in common: frames, truth, segments, work."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar, TypeVar

from mapt_bench.baselines.mapt_trackers import describe_for_mapt
from mapt_bench.baselines.tracker_options import MaptOptions
from mapt_bench.experiments.plans.data_source import DataSource
from mapt_bench.experiments.plans.network_weights import MaptWeights
from mapt_bench.experiments.plans.segment_sources import archive_path, find_segments
from mapt_bench.labels import (
    AnnotatedVideo,
    FlowField,
    Frame,
    PanopticMap,
    Video,
    WrappedAnnotatedVideo,
    WrappedVideo,
)
from mapt_bench.metrics import Sightings
from mapt_bench.stress import Stress, stress_video, visible_fractions
from mapt_bench.tracking import FrameSegments
from mapt_bench.tracking.archive import SegmentArchive

__all__ = [
    "Library",
    "RememberedAnnotatedVideo",
    "RememberedVideo",
    "SharedVideo",
    "SharedWork",
    "WorkOfUnit",
    "remembered",
]

_WORK_BYTES = 512 << 20

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class _Made:
    value: Any
    seconds: float


@dataclass(eq=False)
class SharedWork:
    """Everything that was worked out of one video under one stress, while there is room.

    Attributes:
        budget_bytes: How much may be kept; what comes later is made anew each time.
    """

    budget_bytes: int = _WORK_BYTES
    _made: dict[Hashable, _Made] = field(default_factory=dict, init=False, repr=False)
    _used: int = field(default=0, init=False, repr=False)

    def find(self, key: Hashable) -> _Made | None:
        """Return what was made under a key."""
        return self._made.get(key)

    def keep(self, key: Hashable, made: _Made) -> None:
        """Keep what was made, if there is room."""
        size = _bytes_of(made.value)
        if self._used + size <= self.budget_bytes:
            self._made[key] = made
            self._used += size


class WorkOfUnit:
    """The share of one tracker: see :class:`~mapt_bench.tracking.sharing.Share`.

    Args:
        work: Of the video.
        segments: Name of the segments that the tracker links.
        whole_index: Gives the position in the whole video of a frame that the tracker sees.

    Attributes:
        saved_seconds: What all that was found ready had taken when it was made: time that the
            tracker would have needed by itself.
    """

    def __init__(
        self, work: SharedWork, segments: str | None, whole_index: Callable[[int], int]
    ) -> None:
        self._work = work
        self._segments = segments
        self._whole_index = whole_index
        self.saved_seconds = 0.0

    def once(
        self,
        what: Hashable,
        frames: tuple[int, ...],
        make: Callable[[], _Value],
        *,
        of_segments: bool = False,
    ) -> _Value:
        """Return a value that was made before, or make it."""
        places = tuple(self._whole_index(frame) for frame in frames)
        key = (what, places, self._segments if of_segments else None)
        found = self._work.find(key)
        if found is not None:
            self.saved_seconds += found.seconds
            value: _Value = found.value
            return value
        before, began = self.saved_seconds, perf_counter()
        value = make()
        # What was found ready on the way had its own time.
        seconds = perf_counter() - began + self.saved_seconds - before
        self._work.keep(key, _Made(value, seconds))
        return value


def _bytes_of(value: Any) -> int:  # noqa: ANN401 - arrays, tensors, and tuples of them
    if isinstance(value, Iterable) and not hasattr(value, "nbytes"):
        return sum(map(_bytes_of, value))
    return int(getattr(value, "nbytes", 0))


_VIDEO_BYTES = 256 << 20
_IMAGE_AND_MAP = 3 + 4  # bytes a pixel
_FLOW = 2 * 4 + 1


@dataclass(frozen=True, eq=False)
class RememberedVideo(WrappedVideo):
    """A video that draws or decodes each frame once, as long as there is room.

    Frames that come after the budget is used up are read anew each time: a video is read in order,
    and to forget the oldest would mean to read every frame anew.

    Attributes:
        budget_bytes: Room for images, maps and flows.
    """

    budget_bytes: int = _VIDEO_BYTES
    _frames: dict[int, Frame] = field(default_factory=dict, init=False, repr=False)
    _truths: dict[int, PanopticMap] = field(default_factory=dict, init=False, repr=False)

    _bytes_a_pixel: ClassVar[int] = _IMAGE_AND_MAP

    @cached_property
    def room(self) -> int:
        """Frames that are kept."""
        info = self.video.info
        return self.budget_bytes // max(self._bytes_a_pixel * info.height * info.width, 1)

    def frame(self, index: int) -> Frame:
        """Return the frame at a position; its image, once read, stays with it."""
        return self._kept(self._frames, super().frame, index)

    def truth(self, index: int) -> PanopticMap:
        """Return the ground truth at a position."""
        return self._kept(self._truths, super().truth, index)

    def _kept(self, kept: dict[int, _Value], read: Callable[[int], _Value], index: int) -> _Value:
        if index in kept:
            return kept[index]
        value = read(index)
        if len(kept) < self.room:
            kept[index] = value
        return value


@dataclass(frozen=True, eq=False)
class RememberedAnnotatedVideo(RememberedVideo, WrappedAnnotatedVideo):
    """The same of a video whose every answer is known."""

    _backward: dict[int, FlowField] = field(default_factory=dict, init=False, repr=False)

    _bytes_a_pixel: ClassVar[int] = _IMAGE_AND_MAP + _FLOW

    def backward_flow(self, index: int) -> FlowField:
        """Return where each pixel of a frame was in the frame before."""
        return self._kept(self._backward, super().backward_flow, index)


def remembered(video: Video) -> RememberedVideo:
    """Remember a video; a known one stays known."""
    return (
        RememberedAnnotatedVideo(video)
        if isinstance(video, AnnotatedVideo)
        else RememberedVideo(video)
    )


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
