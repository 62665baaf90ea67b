"""Trackers that link bounding boxes: ``iou``, ``sort`` and ``bytetrack``."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress, count
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mapt_bench.baselines.boxes import AreaFilter, box_iou
from mapt_bench.baselines.registry import register
from mapt_bench.baselines.tracker_options import AssociatorOptions
from mapt_bench.labels import Frame, VideoInfo
from mapt_bench.tracking import Association, Associator, FrameSegments
from mapt_bench.tracking.affinity import assign, assign_greedily
from mapt_bench.tracking.masks import segment_boxes

__all__ = [
    "BoxTrack",
    "ByteTrackAssociator",
    "Decided",
    "IouAssociator",
    "Pass",
    "SortAssociator",
    "TrackList",
]


@dataclass
class _Box:
    track_id: int
    class_id: int
    box: NDArray[np.float64]
    last_seen: int


class IouAssociator:
    """Links each track to the segment of its class whose box overlaps its last box most.

    Pairs are taken greedily, the best overlap first (Bochinski et al. 2017, "High-Speed
    Tracking-by-Detection Without Using Image Information").

    Args:
        threshold: Least box IoU of a match, in ``[0, 1]``.
        memory: Frames that a lost track is kept for, at its last box.
    """

    needs_images = False

    def __init__(self, *, threshold: float = 0.5, memory: int = 0) -> None:
        self.threshold = threshold
        self.memory = memory
        self._tracks: list[_Box] = []
        self._fresh = count(1)

    def start(self, info: VideoInfo) -> None:
        """Forget all tracks."""
        self._tracks = []
        self._fresh = count(1)

    def associate(self, frame: Frame, segments: FrameSegments) -> Association:
        """Give every segment of the next frame an identity."""
        now = frame.index
        self._tracks = [t for t in self._tracks if now - t.last_seen <= 1 + self.memory]
        boxes = segment_boxes(segments.index_map, segments.count)
        earlier = np.array([track.box for track in self._tracks]).reshape(-1, 4)
        classes = np.array([track.class_id for track in self._tracks], dtype=np.int64)
        matches = assign_greedily(
            box_iou(earlier, boxes),
            classes[:, None] == segments.class_ids[None, :],
            threshold=self.threshold,
        )
        track_of = {segment: self._tracks[index] for index, segment in matches}
        ids = np.zeros(segments.count, dtype=np.int64)
        ages = [0] * segments.count
        for segment, class_id in enumerate(segments.class_ids.tolist()):
            track = track_of.get(segment)
            if track is None:
                track = _Box(next(self._fresh), class_id, boxes[segment], now)
                self._tracks.append(track)
            ages[segment] = now - track.last_seen
            track.box, track.last_seen = boxes[segment], now
            ids[segment] = track.track_id
        steps = tuple("box" if k in track_of else "new" for k in range(segments.count))
        return Association(ids, steps, tuple(ages))


@dataclass
class BoxTrack:
    """Identity and class of a track, and the frame in which it was seen last."""

    track_id: int
    class_id: int
    last_seen: int


@dataclass(frozen=True)
class Pass:
    """One round of matching.

    Attributes:
        step: Its name in :attr:`~mapt_bench.tracking.Association.steps`.
        affinity: ``(tracks, segments)``, greater is better.
        allowed: ``bool`` of the same shape: pairs that may match.
        threshold: Least affinity of a match.
        accepted: ``bool`` of the same shape: matches that stand. Others are undone after the
            assignment, so both sides go to the next pass. ``None`` accepts all.
    """

    step: str
    affinity: NDArray[np.float64]
    allowed: NDArray[np.bool_]
    threshold: float
    accepted: NDArray[np.bool_] | None = None

    @classmethod
    def gated_after(
        cls,
        step: str,
        affinity: NDArray[np.float64],
        allowed: NDArray[np.bool_],
        accepted: NDArray[np.bool_],
    ) -> Self:
        """Return a round that assigns all allowed pairs first and rejects bad ones afterwards."""
        return cls(step, affinity, allowed, float(affinity.min(initial=0.0)), accepted)


@dataclass(frozen=True)
class Decided:
    """What was decided in a frame.

    Attributes:
        association: Identities of the segments.
        tracks: ``int64`` of shape ``(k,)``: positions of the matched tracks.
        segments: Position of the segment that each of these matched.
        gaps: Frames since each of these was seen last, 1 or more.
        begun: Positions of the segments that start tracks, in order.
    """

    association: Association
    tracks: NDArray[np.int64]
    segments: list[int]
    gaps: list[int]
    begun: list[int]


class TrackList:
    """Identities of tracks that are matched pass by pass.

    Args:
        memory: Frames that a lost track is kept for.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._tracks: list[BoxTrack] = []
        self._fresh = count(1)

    def forget(self, now: int) -> NDArray[np.bool_]:
        """Remove lost tracks that are older than the memory; mark the others."""
        kept = [now - track.last_seen <= 1 + self._memory for track in self._tracks]
        self._tracks = list(compress(self._tracks, kept))
        return np.array(kept, dtype=bool)

    def same_class(self, class_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which tracks and segments are of one class: ``(tracks, segments)``."""
        classes = np.array([track.class_id for track in self._tracks], dtype=np.int64)
        same: NDArray[np.bool_] = classes[:, None] == class_ids[None, :]
        return same

    def is_lost(self, now: int) -> NDArray[np.bool_]:
        """Return which tracks the frame before did not show: ``(tracks,)``."""
        return np.array([now - track.last_seen > 1 for track in self._tracks], dtype=bool)

    def decide(
        self,
        now: int,
        class_ids: NDArray[np.int64],
        passes: Sequence[Pass],
        may_begin: NDArray[np.bool_],
    ) -> Decided:
        """Match segments pass by pass. The rest start tracks or are dropped.

        Args:
            now: Position of the frame.
            class_ids: ``(n,)`` classes of the segments.
            passes: Rounds of matching, in order. A match is never undone.
            may_begin: ``bool`` of shape ``(n,)``: segments that may start a track.
        """
        step_of, track_of = _match(passes)
        ids = np.full(len(class_ids), -1, dtype=np.int64)
        steps = ["dropped"] * len(class_ids)
        ages = [0] * len(class_ids)
        for segment, index in track_of.items():
            track = self._tracks[index]
            ids[segment], steps[segment] = track.track_id, step_of[segment]
            ages[segment] = now - track.last_seen
            track.last_seen = now
        begun = [k for k in range(len(class_ids)) if k not in track_of and may_begin[k]]
        for segment in begun:
            track = BoxTrack(next(self._fresh), int(class_ids[segment]), now)
            self._tracks.append(track)
            ids[segment], steps[segment] = track.track_id, "new"
        matched = np.array(list(track_of.values()), dtype=np.int64)
        gaps = [ages[segment] for segment in track_of]
        association = Association(ids, tuple(steps), tuple(ages))
        return Decided(association, matched, list(track_of), gaps, begun)


def _match(passes: Sequence[Pass]) -> tuple[dict[int, str], dict[int, int]]:
    """Return the step and the track of each matched segment."""
    step_of: dict[int, str] = {}
    track_of: dict[int, int] = {}
    for each in passes:
        allowed = each.allowed.copy()
        allowed[list(track_of.values()), :] = False
        allowed[:, list(track_of)] = False
        for index, segment in assign(each.affinity, allowed, threshold=each.threshold):
            if each.accepted is None or each.accepted[index, segment]:
                step_of[segment], track_of[segment] = each.step, index
    return step_of, track_of


class _FilteredBoxes:
    """Tracks whose boxes SORT's Kalman filter predicts. Subclasses define the passes."""

    needs_images = False

    def __init__(self, *, memory: int) -> None:
        self.memory = memory
        self._filter = AreaFilter()
        self._tracks = TrackList(memory)

    def start(self, info: VideoInfo) -> None:
        """Forget all tracks."""
        self._filter = AreaFilter()
        self._tracks = TrackList(self.memory)

    def associate(self, frame: Frame, segments: FrameSegments) -> Association:
        """Give the segments of the next frame an identity, or drop them."""
        now = frame.index
        self._filter.keep(self._tracks.forget(now))
        self._filter.predict()
        boxes = segment_boxes(segments.index_map, segments.count)
        overlap = box_iou(self._filter.boxes, boxes)
        passes, may_begin = self._passes(now, segments, overlap)
        decided = self._tracks.decide(now, segments.class_ids, passes, may_begin)
        if decided.segments:
            self._filter.update(decided.tracks, boxes[decided.segments])
        self._filter.add(boxes[decided.begun])
        return decided.association

    def _passes(
        self, now: int, segments: FrameSegments, overlap: NDArray[np.float64]
    ) -> tuple[Sequence[Pass], NDArray[np.bool_]]:
        """Return the rounds of matching, and which segments may start tracks."""
        raise NotImplementedError


class SortAssociator(_FilteredBoxes):
    """SORT (Bewley et al. 2016): Kalman filter and Hungarian matching on box IoU.

    New tracks are confirmed at once, because every pixel of a panoptic map needs a label in its
    frame.

    Args:
        threshold: Least IoU of a segment's box with the predicted one, in ``[0, 1]``.
        memory: Frames that a lost track is kept for, while its box is predicted. SORT uses 1.
    """

    def __init__(self, *, threshold: float = 0.3, memory: int = 1) -> None:
        super().__init__(memory=memory)
        self.threshold = threshold

    def _passes(
        self, now: int, segments: FrameSegments, overlap: NDArray[np.float64]
    ) -> tuple[Sequence[Pass], NDArray[np.bool_]]:
        same = self._tracks.same_class(segments.class_ids)
        everything = np.ones(segments.count, dtype=bool)
        return [Pass("box", overlap, same, self.threshold)], everything


class ByteTrackAssociator(_FilteredBoxes):
    """ByteTrack (Zhang et al. 2022): segments of low score are matched in a second pass.

    First pass: segments of high score against all tracks. Second pass: segments of low score
    against the unmatched tracks in view. A segment of low score starts no track: unmatched ones
    are dropped, as are all below ``low_score``. Ground truth and saved maps have no scores: there
    every segment scores 1, and only the first pass has an effect.

    Args:
        high_score: Least score of the first pass and of a new track, in ``[0, 1]``.
        low_score: Least score of the second pass, in ``[0, 1]``.
        first_iou: Least box IoU in the first pass, in ``[0, 1]``.
        second_iou: Least box IoU in the second pass, in ``[0, 1]``.
        memory: Frames that a lost track is kept for, while its box is predicted. ByteTrack uses 30.
    """

    def __init__(
        self,
        *,
        high_score: float = 0.6,
        low_score: float = 0.1,
        first_iou: float = 0.2,
        second_iou: float = 0.5,
        memory: int = 30,
    ) -> None:
        super().__init__(memory=memory)
        self.high_score = high_score
        self.low_score = low_score
        self.first_iou = first_iou
        self.second_iou = second_iou

    def _passes(
        self, now: int, segments: FrameSegments, overlap: NDArray[np.float64]
    ) -> tuple[Sequence[Pass], NDArray[np.bool_]]:
        same = self._tracks.same_class(segments.class_ids)
        high = segments.scores >= self.high_score
        low = ~high & (segments.scores >= self.low_score)
        in_view = ~self._tracks.is_lost(now)[:, None]
        passes = [
            Pass("box-high", overlap, same & high, self.first_iou),
            Pass("box-low", overlap, same & low & in_view, self.second_iou),
        ]
        return passes, high


@register(
    "iou",
    "boxes matched greedily by IoU (Bochinski et al. 2017)",
    supports_memory=True,
    settings=("iou_threshold",),
    search={"iou_threshold": (0.05, 0.7)},
)
def _iou(options: AssociatorOptions) -> Associator:
    return IouAssociator(threshold=options.settings.iou_threshold, memory=options.memory)


@register(
    "sort",
    "Kalman filter, Hungarian on box IoU (Bewley et al. 2016)",
    supports_memory=True,
    settings=("sort_iou_threshold",),
    search={"sort_iou_threshold": (0.05, 0.6)},
)
def _sort(options: AssociatorOptions) -> Associator:
    return SortAssociator(threshold=options.settings.sort_iou_threshold, memory=options.memory)


@register(
    "bytetrack",
    "Kalman filter, two passes by score (Zhang et al. 2022)",
    supports_memory=True,
    settings=("high_score", "low_score", "first_pass_iou", "second_pass_iou"),
    search={
        "high_score": (0.5, 0.9),
        "low_score": (0.05, 0.5),
        "first_pass_iou": (0.05, 0.5),
        "second_pass_iou": (0.05, 0.7),
    },
)
def _bytetrack(options: AssociatorOptions) -> Associator:
    given = options.settings
    return ByteTrackAssociator(
        high_score=given.high_score,
        low_score=given.low_score,
        first_iou=given.first_pass_iou,
        second_iou=given.second_pass_iou,
        memory=options.memory,
    )
