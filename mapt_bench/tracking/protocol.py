"""The protocol of trackers, segmenters and associators, and the segments that they exchange.

A segmenter finds :class:`FrameSegments`. An associator gives them identities. A tracker returns the
panoptic map of a frame; :class:`SegmentTracker` joins the first two to one.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError
from mapt_bench.labels import ID_BITS, Frame, LabelSpace, PanopticMap, VideoInfo

__all__ = [
    "Association",
    "Associator",
    "BatchSegmenter",
    "FrameCues",
    "FrameSegments",
    "LateAssociator",
    "LateTracker",
    "SegmentTracker",
    "Segmenter",
    "Tracker",
]


@dataclass(frozen=True, eq=False)
class FrameCues:
    """What a network keeps of a frame to link it with others without a second forward pass.

    Attributes:
        source: Name of the network. Other networks cannot use its cues.
        features: ``float16`` of shape ``(channels, rows, columns)``: the map that motion is found
            from; without channels where the network finds none.
        descriptors: ``float32`` of shape ``(n, dims)``: what embeddings are made from, one row a
            segment; without columns where the network makes none.
    """

    source: str
    features: NDArray[np.float16]
    descriptors: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FrameSegments:
    """The segments of one frame. Thing segments never overlap.

    Attributes:
        stuff: ``uint8`` of shape ``(height, width)``: class of each pixel outside the thing
            segments, void (``labels.ignore_label``) where there is none or where a thing lies. It
            may be a thing class: pixels known to be of that class, but of no particular object.
        index_map: ``int32`` of the same shape: ``k`` where thing segment ``k`` lies, -1 elsewhere.
        class_ids: ``int64`` of shape ``(n,)``: class of each thing segment.
        scores: ``float64`` of shape ``(n,)`` in ``[0, 1]``: the segmenter's confidence.
        embeddings: ``float32`` of shape ``(n, dims)``, one unit-length row a segment, or ``None``
            where the segmenter gives none.
        cues: What a network keeps of the frame, or ``None`` where the segmenter is no such network.

    Raises:
        DataError: If shapes disagree or the index map names a segment that does not exist.
    """

    stuff: NDArray[np.uint8]
    index_map: NDArray[np.int32]
    class_ids: NDArray[np.int64]
    scores: NDArray[np.float64]
    embeddings: NDArray[np.float32] | None = None
    cues: FrameCues | None = None

    def __post_init__(self) -> None:
        if self.stuff.shape != self.index_map.shape or self.stuff.ndim != 2:
            raise DataError(
                f"stuff {self.stuff.shape} and index map {self.index_map.shape} must be two "
                "arrays of the same shape (height, width)"
            )
        count = len(self.class_ids)
        rows = count if self.embeddings is None else len(self.embeddings)
        if len(self.scores) != count or rows != count:
            raise DataError(
                f"{count} segments, but {len(self.scores)} scores and {rows} embeddings"
            )
        if self.cues is not None and len(self.cues.descriptors) != count:
            raise DataError(f"{count} segments, but {len(self.cues.descriptors)} descriptors")
        if self.index_map.size and not -1 <= self.index_map.min() <= self.index_map.max() < count:
            raise DataError(
                f"index map reaches from {self.index_map.min()} to {self.index_map.max()}, "
                f"but there are {count} segments"
            )

    @property
    def count(self) -> int:
        """Number of thing segments."""
        return len(self.class_ids)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.index_map.shape
        return height, width

    def part(self, kept: NDArray[np.bool_]) -> "FrameSegments":
        """Return some of the thing segments. Pixels of the others become void.

        Args:
            kept: ``(n,)``: whether each segment is kept.
        """
        number = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1).astype(np.int32)
        cues = self.cues
        return FrameSegments(
            self.stuff,
            number.take(self.index_map, mode="wrap"),
            self.class_ids[kept],
            self.scores[kept],
            None if self.embeddings is None else self.embeddings[kept],
            None if cues is None else replace(cues, descriptors=cues.descriptors[kept]),
        )

    def compose(self, ids: NDArray[np.int64], labels: LabelSpace) -> PanopticMap:
        """Lay segments and stuff into one panoptic map; pixels of no object have identity 0.

        Args:
            ids: ``(n,)`` identity of each thing segment; a negative one drops the segment (its
                pixels become void).
            labels: Gives the void class.
        """
        void = labels.ignore_label
        kept = ids >= 0
        # The row of each segment, and one more for the pixels of none, is looked up at each pixel.
        rows = PanopticMap.from_classes_and_ids(
            np.append(np.where(kept, self.class_ids, void), void)[None],
            np.append(np.where(kept, ids, 0), 0)[None],
        ).codes[0]
        codes = rows.take(self.index_map, mode="wrap")
        stuff = self.stuff.astype(np.uint32) << np.uint32(ID_BITS)
        np.copyto(codes, stuff, where=self.index_map < 0)
        return PanopticMap(codes)


@runtime_checkable
class Tracker(Protocol):
    """Anything that turns the frames of a video, in order, into panoptic maps with identities.

    A tracker may decide late. It then has an attribute ``delay``, in frames, and a method
    ``finish() -> Sequence[PanopticMap]``: see :class:`LateTracker`.
    """

    def start(self, info: VideoInfo) -> None:
        """Forget everything and prepare for a video."""
        ...

    def step(self, frame: Frame) -> PanopticMap | None:
        """Return the map of the next frame; frames arrive in order, none is left out.

        A tracker with a delay returns the map of the frame ``delay`` frames earlier, and ``None``
        while there is none.
        """
        ...


@runtime_checkable
class LateTracker(Tracker, Protocol):
    """A tracker that returns maps late. What it returned never changes."""

    @property
    def delay(self) -> int:
        """Frames by which maps are returned late, 0 or more."""
        ...

    def finish(self) -> Sequence[PanopticMap]:
        """Return the maps of the last ``delay`` frames, after the last step."""
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
        """Return the segments of the frame."""
        ...


@runtime_checkable
class BatchSegmenter(Segmenter, Protocol):
    """Finds the segments of several frames of a video at a time, as a GPU wants it."""

    def segment_all(self, frames: Sequence[Frame]) -> list[FrameSegments]:
        """Return the segments of each frame. They equal those of single frames within rounding."""
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
    """Links given segments: carries identities from frame to frame.

    An associator may decide late, as :class:`LateAssociator` says.
    """

    @property
    def needs_images(self) -> bool:
        """Whether :attr:`Frame.image` is read."""
        ...

    def start(self, info: VideoInfo) -> None:
        """Forget everything and prepare for a video."""
        ...

    def associate(self, frame: Frame, segments: FrameSegments) -> Association | None:
        """Give every segment of the next frame an identity, or drop it.

        An associator with a delay returns the decisions on the frame ``delay`` frames earlier, and
        ``None`` while there is none.
        """
        ...


@runtime_checkable
class LateAssociator(Associator, Protocol):
    """An associator that decides late. What it returned never changes."""

    @property
    def delay(self) -> int:
        """Frames by which decisions are returned late, 0 or more."""
        ...

    def finish(self) -> Sequence[Association]:
        """Return the decisions on the last ``delay`` frames, after the last call."""
        ...


class SegmentTracker:
    """A tracker made of a segmenter and an associator, so that either can be changed alone.

    Args:
        segmenter: Finds the segments.
        associator: Links them.
        clock: Returns the time in seconds.

    Attributes:
        associations: What was decided in each frame since :meth:`start`, for logs and tables.
        class_ids: Classes of the segments of these frames.
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
        self.class_ids: list[NDArray[np.int64]] = []
        self.seconds: list[float] = []
        self._clock = clock
        self._info: VideoInfo | None = None
        self._waiting: deque[FrameSegments] = deque()

    @property
    def needs_images(self) -> bool:
        """Whether either part reads images."""
        return self.segmenter.needs_images or self.associator.needs_images

    @property
    def delay(self) -> int:
        """Frames by which maps are returned late: those of the associator."""
        late = self.associator
        return late.delay if isinstance(late, LateAssociator) else 0

    def start(self, info: VideoInfo) -> None:
        """Forget everything and prepare both parts for a video."""
        self._info = info
        self._waiting.clear()
        self.associations = []
        self.class_ids = []
        self.seconds = []
        self.segmenter.start(info)
        self.associator.start(info)

    def step(self, frame: Frame) -> PanopticMap | None:
        """Segment the frame, link its segments, and lay them into one map.

        Returns:
            The map of the frame ``delay`` frames earlier; ``None`` while there is none.
        """
        if self._info is None:
            raise RuntimeError("start() must be called before step()")
        segments = self.segmenter.segment(frame)
        if self.associator.needs_images and frame.has_image:
            _ = frame.image  # the frame keeps it: reading costs the associator no time
        self._waiting.append(segments)
        began = self._clock()
        association = self.associator.associate(frame, segments)
        self.seconds.append(self._clock() - began)
        return None if association is None else self._composed(association, self._info)

    def finish(self) -> list[PanopticMap]:
        """Return the maps of the last ``delay`` frames."""
        if self._info is None or not isinstance(self.associator, LateAssociator):
            return []
        began = self._clock()
        rest = self.associator.finish()
        if self.seconds:
            self.seconds[-1] += self._clock() - began
        return [self._composed(association, self._info) for association in rest]

    def _composed(self, association: Association, info: VideoInfo) -> PanopticMap:
        if not self._waiting:
            raise DataError(
                "the associator returned more decisions than frames; expected one a frame",
                where=info.name,
            )
        segments = self._waiting.popleft()
        self.associations.append(association)
        self.class_ids.append(segments.class_ids)
        return segments.compose(association.ids, info.labels)
