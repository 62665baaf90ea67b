"""Data that the trackers of one video under one stress share: frames, ground truth, segments."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

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
from mapt_bench.metrics.slices import SightedObjects
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
    "sighted_rows",
]

_WORK_BYTES = 512 << 20
_SEEN_BYTES = 256 << 20

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class _Made:
    value: Any
    seconds: float


@dataclass(eq=False)
class SharedWork:
    """Cache of values computed from one video under one stress.

    Attributes:
        budget_bytes: Size limit. Values beyond it are computed again each time.
    """

    budget_bytes: int = _WORK_BYTES
    _made: dict[Hashable, _Made] = field(default_factory=dict, init=False, repr=False)
    _used: int = field(default=0, init=False, repr=False)

    def find(self, key: Hashable) -> _Made | None:
        """Return the value of a key, ``None`` if it is not in the cache."""
        return self._made.get(key)

    def keep(self, key: Hashable, made: _Made) -> None:
        """Add a value to the cache, if it fits."""
        size = _bytes_of(made.value)
        if self._used + size <= self.budget_bytes:
            self._made[key] = made
            self._used += size


class WorkOfUnit:
    """The share of one tracker, see :class:`~mapt_bench.tracking.sharing.Share`.

    Args:
        work: Cache of the video.
        segments: Name of the segments that the tracker links.
        whole_index: Returns the position in the whole video for a frame of the tracker.

    Attributes:
        saved_seconds: Time that cached values took when they were computed. The tracker would
            have needed this time without the cache.
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
        """Return a value from the cache, or compute it."""
        key = (what, self._places(frames), self._segments if of_segments else None)
        found = self._work.find(key)
        if found is not None:
            self.saved_seconds += found.seconds
            value: _Value = found.value
            return value
        before, began = self.saved_seconds, perf_counter()
        value = make()
        # Add the time of cached values that were used on the way.
        seconds = perf_counter() - began + self.saved_seconds - before
        self._work.keep(key, _Made(value, seconds))
        return value

    def each(
        self,
        what: Hashable,
        frames: tuple[int, ...],
        keys: Sequence[Hashable],
        make: Callable[[Sequence[int]], Sequence[_Value]],
    ) -> list[_Value]:
        """Return values from the cache, and compute the others together."""
        whole = [(what, self._places(frames), key) for key in keys]
        found = [self._work.find(key) for key in whole]
        missing = [at for at, one in enumerate(found) if one is None]
        values: dict[int, _Value] = {}
        if missing:
            began = perf_counter()
            values = dict(zip(missing, make(missing), strict=True))
            seconds = (perf_counter() - began) / len(missing)
            for at, value in values.items():
                self._work.keep(whole[at], _Made(value, seconds))
        self.saved_seconds += sum(one.seconds for one in found if one is not None)
        return [values[at] if one is None else one.value for at, one in enumerate(found)]

    def _places(self, frames: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(self._whole_index(frame) for frame in frames)


def _bytes_of(value: Any) -> int:  # noqa: ANN401 - arrays, tensors, and tuples of them
    if isinstance(value, Iterable) and not hasattr(value, "nbytes"):
        return sum(map(_bytes_of, value))
    return int(getattr(value, "nbytes", 0))


_VIDEO_BYTES = 256 << 20
_IMAGE_AND_MAP = 3 + 4  # bytes per pixel
_FLOW = 2 * 4 + 1


@dataclass(frozen=True, eq=False)
class RememberedVideo(WrappedVideo):
    """A video that renders or decodes each frame once, within a size limit.

    Frames beyond the limit are read again each time. Videos are read in order, so dropping the
    oldest frames instead would mean to read every frame again.

    Attributes:
        budget_bytes: Size limit for images, maps and flows.
    """

    budget_bytes: int = _VIDEO_BYTES
    _frames: dict[int, Frame] = field(default_factory=dict, init=False, repr=False)
    _truths: dict[int, PanopticMap] = field(default_factory=dict, init=False, repr=False)

    _bytes_a_pixel: ClassVar[int] = _IMAGE_AND_MAP

    @cached_property
    def room(self) -> int:
        """Number of frames that fit into the cache."""
        info = self.video.info
        return self.budget_bytes // max(self._bytes_a_pixel * info.height * info.width, 1)

    def frame(self, index: int) -> Frame:
        """Return the frame at a position. It keeps its image once read."""
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
    """The same for an annotated synthetic video."""

    _backward: dict[int, FlowField] = field(default_factory=dict, init=False, repr=False)

    _bytes_a_pixel: ClassVar[int] = _IMAGE_AND_MAP + _FLOW

    def backward_flow(self, index: int) -> FlowField:
        """Return the optical flow from a frame to the previous frame."""
        return self._kept(self._backward, super().backward_flow, index)


def remembered(video: Video) -> RememberedVideo:
    """Return a caching video. An annotated video keeps its annotations."""
    return (
        RememberedAnnotatedVideo(video)
        if isinstance(video, AnnotatedVideo)
        else RememberedVideo(video)
    )


class SharedVideo:
    """One video under one stress. Each of its frames is rendered or decoded once.

    Args:
        video: The stressed video, with its cache.

    Attributes:
        work: Cache of values that trackers computed from it.
        seen: Cache of what MAPT sees in its frames, to detect segments and to describe others.
    """

    def __init__(self, video: RememberedVideo) -> None:
        self.video = video
        self.work = SharedWork()
        self.seen = WorkOfUnit(SharedWork(_SEEN_BYTES), None, lambda frame: frame)
        self._archives: dict[str | None, SegmentArchive] = {}
        self._segments: dict[tuple[str | None, str | None, int], FrameSegments] = {}
        self._sightings: dict[int, Sightings] = {}

    def knows_segments(self, name: str | None) -> bool:
        """Whether the segments with a name are open."""
        return name in self._archives

    def open_segments(self, name: str | None, archive: Path) -> None:
        """Open the segments of an archive under a name."""
        self._archives[name] = SegmentArchive(archive)

    def mapped(self, name: str | None) -> Mapping[str, str | int] | None:
        """Return what a class map removed from the segments with a name, ``None`` without one."""
        return self._archives[name].mapped if name in self._archives else None

    def segments(
        self, name: str | None, index: int, mapt: MaptWeights | None = None
    ) -> FrameSegments:
        """Return the segments of a frame. Trackers do not change them.

        Args:
            name: Name of the segments.
            index: Position of the frame.
            mapt: MAPT whose cues are computed for the segments. ``None`` for no cues.
        """
        # Networks with equal cues share them, however many heads link by them.
        place = (name, None if mapt is None else mapt.cues or mapt.sha256, index)
        if place in self._segments:
            return self._segments[place]
        if mapt is None:
            found = self._archives[name].read(index)
        else:
            options = MaptOptions(weights=mapt.path)
            found = describe_for_mapt(
                options, self.video.frame(index), self.segments(name, index), self.seen
            )
        if index < self.video.room:
            self._segments[place] = found
        return found

    def sightings(self, index: int) -> Sightings:
        """Return the visible ground-truth tracks of a frame, with visible fractions if known."""
        if index not in self._sightings:
            visibility = visible_fractions(self.video.video, index)
            labels = self.video.info.labels
            self._sightings[index] = Sightings.of(self.video.truth(index), labels, visibility)
        return self._sightings[index]


def sighted_rows(shared: SharedVideo) -> NDArray[np.void]:
    """Return the visible ground-truth tracks of all frames of a video, for slices of scores.

    The speed of an object in an annotated synthetic video is that of its whole silhouette.

    Returns:
        Array of dtype :data:`~mapt_bench.metrics.link_events.SIGHTED`, in order of frames.
    """
    video = shared.video.video
    objects = SightedObjects()
    for index in range(video.info.frame_count):
        known = (
            {entry.code: entry.speed for entry in video.objects(index)}
            if isinstance(video, AnnotatedVideo)
            else None
        )
        objects.add(index, shared.sightings(index), known)
    return objects.rows()


class Library:
    """Opens shared videos. The last video and its unstressed version are cached.

    Args:
        source: Videos and segments.
        folder: Run folder, for segment archives.
        seed: Seed of segment order and faults.
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
        """Return a video under a stress, with its segments of one name open.

        Args:
            sequence: Position of the video in the data.
            stress: Stress of the video, or ``None``.
            segments: Name of the segments.
            key: Content key of the segments.

        Raises:
            ConfigError: If the stress cannot be applied to the video.
            DataError: If the video is unusable, or its segments cannot be computed or written.
        """
        if self._last is None or self._last[0] != (sequence, stress):
            shared = SharedVideo(remembered(self._stressed(sequence, stress)))
            self._last = ((sequence, stress), shared)
        shared = self._last[1]
        if shared.knows_segments(segments):  # checking their file again would take a while
            return shared
        kind = self._source.segments_named(segments)
        if kind.is_own:
            return shared
        path = archive_path(self._folder, kind, sequence, shared.video.info.name, stress)
        find_segments(path, kind, shared.video, sequence, self._seed, key=key, share=shared.seen)
        shared.open_segments(segments, path)
        return shared

    def _stressed(self, sequence: int, stress: Stress | None) -> Video:
        whole = self._source.videos[sequence]
        if stress is None:
            return whole
        if stress.entry.world_only:  # generated again, not derived from the original frames
            return stress_video(whole, stress)
        if self._plain is None or self._plain[0] != sequence:
            self._plain = sequence, remembered(whole)
        return stress_video(self._plain[1], stress)
