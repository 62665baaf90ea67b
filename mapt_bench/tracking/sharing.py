"""Work that several trackers of one video ask for alike: done once, used by all.

Flow between two frames, say, is the same for every tracker that carries masks along it. A tracker
that runs by itself shares with nobody; an experiment hands every tracker of a video the same
:class:`Share`.
"""

from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import Frame, VideoInfo
from mapt_bench.tracking.propagation import FlowSource
from mapt_bench.tracking.protocol import FrameSegments
from mapt_bench.tracking.two_step import Embedder

__all__ = ["NOTHING_SHARED", "Share", "SharedEmbedder", "SharedFlow"]

_Value = TypeVar("_Value")
_Source = TypeVar("_Source", bound=FlowSource | Embedder)


class Share(Protocol):
    """Where trackers find what others have worked out already."""

    def once(
        self,
        what: Hashable,
        frames: tuple[int, ...],
        make: Callable[[], _Value],
        *,
        of_segments: bool = False,
    ) -> _Value:
        """Return a value that was made before, or make it.

        Args:
            what: Names the work and everything that decides it, but for the frames.
            frames: Positions in the video of the frames that it is made of.
            make: Makes it; the value is not changed by anybody.
            of_segments: Whether the segments of the frames decide it too.
        """
        ...


class _NothingShared:
    """The share of a tracker that runs alone: everything is made anew."""

    def once(
        self,
        what: Hashable,
        frames: tuple[int, ...],
        make: Callable[[], _Value],
        *,
        of_segments: bool = False,
    ) -> _Value:
        return make()


NOTHING_SHARED: Share = _NothingShared()
"""For trackers that run alone."""


class _Shared(Generic[_Source]):
    """Something that is prepared as ever, and whose results are found again.

    Args:
        source: What works the results out.
        what: Names the source and its settings.
        share: Where results are found again.

    Attributes:
        source: As given.
    """

    def __init__(self, source: _Source, what: Hashable, share: Share) -> None:
        self.source = source
        self._what = what
        self._share = share

    @property
    def needs_images(self) -> bool:
        """Whether :attr:`Frame.image` is read."""
        return self.source.needs_images

    def start(self, info: VideoInfo) -> None:
        """Prepare the source."""
        self.source.start(info)


class SharedFlow(_Shared[FlowSource]):
    """A flow source that works each pair of frames out once."""

    def flow(self, frame_from: Frame, frame_to: Frame) -> NDArray[np.float32]:
        """Return the flow of the source; see :class:`~.propagation.FlowSource`."""
        return self._share.once(
            ("flow", self._what),
            (frame_from.index, frame_to.index),
            lambda: self.source.flow(frame_from, frame_to),
        )


class SharedEmbedder(_Shared[Embedder]):
    """An embedder, of the frame and its segments alone, that describes each frame once."""

    def embed(self, frame: Frame, segments: FrameSegments) -> NDArray[np.float32]:
        """Return the embeddings of the embedder; see :class:`~.two_step.Embedder`."""
        return self._share.once(
            ("looks", self._what),
            (frame.index,),
            lambda: self.source.embed(frame, segments),
            of_segments=True,
        )
