"""A cache of work that several trackers of one video have in common.

Flow between two frames, for example, is the same for every tracker that propagates masks along it.
A tracker that runs alone shares nothing. An experiment gives all trackers of a video the same
:class:`Share`.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import Frame, VideoInfo
from mapt_bench.tracking.propagation import FlowSource
from mapt_bench.tracking.protocol import FrameSegments
from mapt_bench.tracking.two_step import Embedder

__all__ = ["NOTHING_SHARED", "Share", "SharedByPart", "SharedEmbedder", "SharedFlow"]

_Value = TypeVar("_Value")
_Source = TypeVar("_Source", bound=FlowSource | Embedder)


class Share(Protocol):
    """A cache of values that trackers have computed already."""

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
            what: Key of the work: everything that decides it apart from the frames.
            frames: Positions in the video of the frames that it is made of.
            make: Computes it. No caller changes the value.
            of_segments: Whether the segments of the frames decide it too.
        """
        ...

    def each(
        self,
        what: Hashable,
        frames: tuple[int, ...],
        keys: Sequence[Hashable],
        make: Callable[[Sequence[int]], Sequence[_Value]],
    ) -> list[_Value]:
        """Return a value for each key. Those that were not made before are made together.

        Args:
            what: Key of the work: everything that decides it apart from the frames and ``keys``.
            frames: Positions in the video of the frames that it is made of.
            keys: Key of each value.
            make: Computes the values at the given positions of ``keys``. Each must be the same
                whichever others are made with it. No caller changes a value.
        """
        ...


class _NothingShared:
    """The cache of a tracker that runs alone: it keeps nothing."""

    def once(
        self,
        what: Hashable,
        frames: tuple[int, ...],
        make: Callable[[], _Value],
        *,
        of_segments: bool = False,
    ) -> _Value:
        return make()

    def each(
        self,
        what: Hashable,
        frames: tuple[int, ...],
        keys: Sequence[Hashable],
        make: Callable[[Sequence[int]], Sequence[_Value]],
    ) -> list[_Value]:
        return list(make(range(len(keys))))


NOTHING_SHARED: Share = _NothingShared()
"""For trackers that run alone."""


class SharedByPart:
    """The cache of trackers that link only a part of the segments.

    Args:
        share: Cache of the trackers that link all segments.
        part: Key of the part.
    """

    def __init__(self, share: Share, part: Hashable) -> None:
        self._share = share
        self._part = part

    def once(
        self,
        what: Hashable,
        frames: tuple[int, ...],
        make: Callable[[], _Value],
        *,
        of_segments: bool = False,
    ) -> _Value:
        """Return a value from the cache; see :meth:`Share.once`."""
        key = (self._part, what) if of_segments else what
        return self._share.once(key, frames, make, of_segments=of_segments)

    def each(
        self,
        what: Hashable,
        frames: tuple[int, ...],
        keys: Sequence[Hashable],
        make: Callable[[Sequence[int]], Sequence[_Value]],
    ) -> list[_Value]:
        """Return values from the cache; see :meth:`Share.each`."""
        return self._share.each(what, frames, keys, make)


class _Shared(Generic[_Source]):
    """A flow source or an embedder whose results are cached.

    Args:
        source: Computes the results.
        what: Key of the source and its settings.
        share: Cache of results.

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
    """A flow source that computes each pair of frames once."""

    def flow(self, frame_from: Frame, frame_to: Frame) -> NDArray[np.float32]:
        """Return the flow of the source; see :class:`~.propagation.FlowSource`."""
        return self._share.once(
            ("flow", self._what),
            (frame_from.index, frame_to.index),
            lambda: self.source.flow(frame_from, frame_to),
        )


class SharedEmbedder(_Shared[Embedder]):
    """An embedder, of the frame and its segments only, that computes each frame once."""

    def embed(self, frame: Frame, segments: FrameSegments) -> NDArray[np.float32]:
        """Return the embeddings of the embedder; see :class:`~.two_step.Embedder`."""
        return self._share.once(
            ("appearance", self._what),
            (frame.index,),
            lambda: self.source.embed(frame, segments),
            of_segments=True,
        )
