"""The faces of a tracker and of its two parts, the segmenter and the associator."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import Frame, PanopticMap, VideoInfo
from mapt_bench.tracking.segments import FrameSegments

__all__ = ["Association", "Associator", "SegmentTracker", "Segmenter", "Tracker"]


@runtime_checkable
class Tracker(Protocol):
    """Anything that turns the frames of a video, in order, into panoptic maps with identities."""

    def start(self, info: VideoInfo) -> None:
        """Forget everything and prepare for a video."""
        ...

    def step(self, frame: Frame) -> PanopticMap:
        """Return the map of the next frame; frames arrive in order, none is left out."""
        ...


@runtime_checkable
class Segmenter(Protocol):
    """Finds the segments of a frame, without identity over time."""

    @property
    def needs_images(self) -> bool:
        """Whether :attr:`Frame.image` is read."""
        ...

    def start(self, info: VideoInfo) -> None:
        """Prepare for a video."""
        ...

    def segment(self, frame: Frame) -> FrameSegments:
        """Return what is found in the frame."""
        ...


@dataclass(frozen=True, eq=False)
class Association:
    """Identities given to the segments of one frame.

    Attributes:
        ids: ``int64`` of shape ``(n,)``; from 1 upwards, negative where the segment is dropped.
        steps: What gave each segment its identity, for example ``"motion"``, ``"appearance"`` or
            ``"new"``; ``"dropped"`` where it has none. Length ``n``.
        ages: How many frames ago the track was last seen, 0 where it is new or dropped; more than
            the pairing interval where memory found a lost track again. Length ``n``.
    """

    ids: NDArray[np.int64]
    steps: tuple[str, ...] = ()
    ages: tuple[int, ...] = ()


@runtime_checkable
class Associator(Protocol):
    """Carries identities from frame to frame over given segments."""

    @property
    def needs_images(self) -> bool:
        """Whether :attr:`Frame.image` is read."""
        ...

    def start(self, info: VideoInfo) -> None:
        """Forget everything and prepare for a video."""
        ...

    def associate(self, frame: Frame, segments: FrameSegments) -> Association:
        """Give every segment of the next frame an identity, or drop it."""
        ...


class SegmentTracker:
    """A tracker made of a segmenter and an associator, so that either can be changed alone.

    Args:
        segmenter: Finds the segments.
        associator: Links them.
        clock: Tells the time in seconds.

    Attributes:
        associations: What was decided in each frame since :meth:`start`, for logs and tables.
        seconds: Time of association of each frame since :meth:`start`; images are read before.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        associator: Associator,
        *,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self.segmenter = segmenter
        self.associator = associator
        self.associations: list[Association] = []
        self.seconds: list[float] = []
        self._clock = clock
        self._info: VideoInfo | None = None

    @property
    def needs_images(self) -> bool:
        """Whether either part reads images."""
        return self.segmenter.needs_images or self.associator.needs_images

    def start(self, info: VideoInfo) -> None:
        """Forget everything and prepare both parts for a video."""
        self._info = info
        self.associations = []
        self.seconds = []
        self.segmenter.start(info)
        self.associator.start(info)

    def step(self, frame: Frame) -> PanopticMap:
        """Segment the frame, link its segments, and lay them into one map."""
        if self._info is None:
            raise RuntimeError("start() must be called before step()")
        segments = self.segmenter.segment(frame)
        if self.associator.needs_images and frame.has_image:
            _ = frame.image  # the frame keeps it: reading costs the associator no time
        began = self._clock()
        association = self.associator.associate(frame, segments)
        self.seconds.append(self._clock() - began)
        self.associations.append(association)
        return segments.compose(association.ids, self._info.labels)
