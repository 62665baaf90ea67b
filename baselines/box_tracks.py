"""SORT and ByteTrack: boxes moved on by a Kalman filter and matched by overlap."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from mapt_bench.baselines.boxes import box_iou
from mapt_bench.baselines.kalman import BoxFilter
from mapt_bench.labels import Frame, VideoInfo
from mapt_bench.tracking import Association, FrameSegments
from mapt_bench.tracking.assignment import assign
from mapt_bench.tracking.masks import segment_boxes

__all__ = ["ByteTrackAssociator", "SortAssociator"]


@dataclass
class _Track:
    track_id: int
    class_id: int
    last_seen: int


@dataclass(frozen=True)
class _Pass:
    """One round of matching: which segments take part, and how well they must overlap."""

    step: str
    members: NDArray[np.bool_]
    threshold: float
    takes_lost: bool


class _FilteredBoxes:
    """Tracks whose boxes a Kalman filter moves on; subclasses say in which passes they match."""

    needs_images = False

    def __init__(self, *, memory: int) -> None:
        self.memory = memory
        self._filter = BoxFilter()
        self._tracks: list[_Track] = []
        self._fresh = count(1)

    def start(self, info: VideoInfo) -> None:
        """Forget all tracks."""
        self._filter = BoxFilter()
        self._tracks = []
        self._fresh = count(1)

    def _link(
        self,
        frame: Frame,
        segments: FrameSegments,
        passes: Sequence[_Pass],
        may_begin: NDArray[np.bool_],
    ) -> Association:
        """Match segments in one pass after the other; the rest begin tracks or are dropped."""
        now = frame.index
        self._forget(now)
        self._filter.predict()
        boxes = segment_boxes(segments.index_map, segments.count)
        step_of, track_of = self._match(now, boxes, segments.class_ids, passes)

        ids = np.full(segments.count, -1, dtype=np.int64)
        steps = ["dropped"] * segments.count
        ages = [0] * segments.count
        for segment, index in track_of.items():
            track = self._tracks[index]
            ids[segment], steps[segment] = track.track_id, step_of[segment]
            ages[segment] = now - track.last_seen
            track.last_seen = now
        if track_of:
            matched = np.array(list(track_of.values()), dtype=np.int64)
            self._filter.update(matched, boxes[list(track_of)])
        begun = [k for k in range(segments.count) if k not in track_of and may_begin[k]]
        for segment in begun:
            track = _Track(next(self._fresh), int(segments.class_ids[segment]), now)
            self._tracks.append(track)
            ids[segment], steps[segment] = track.track_id, "new"
        self._filter.add(boxes[begun])
        return Association(ids, tuple(steps), tuple(ages))

    def _forget(self, now: int) -> None:
        kept = [now - track.last_seen <= 1 + self.memory for track in self._tracks]
        self._filter.keep(np.array(kept, dtype=bool))
        self._tracks = [track for track, stays in zip(self._tracks, kept, strict=True) if stays]

    def _match(
        self,
        now: int,
        boxes: NDArray[np.float64],
        class_ids: NDArray[np.int64],
        passes: Sequence[_Pass],
    ) -> tuple[dict[int, str], dict[int, int]]:
        """Return the step and the track of each matched segment."""
        overlap = box_iou(self._filter.boxes, boxes)
        classes = np.array([track.class_id for track in self._tracks], dtype=np.int64)
        is_lost = np.array([now - track.last_seen > 1 for track in self._tracks], dtype=bool)
        open_pairs = classes[:, None] == class_ids[None, :]
        step_of: dict[int, str] = {}
        track_of: dict[int, int] = {}
        for each in passes:
            allowed = open_pairs & each.members[None, :]
            if not each.takes_lost:
                allowed &= ~is_lost[:, None]
            for index, segment in assign(overlap, allowed, threshold=each.threshold):
                step_of[segment], track_of[segment] = each.step, index
                open_pairs[index, :] = False
                open_pairs[:, segment] = False
        return step_of, track_of


class SortAssociator(_FilteredBoxes):
    """SORT (Bewley et al. 2016): Kalman filter and Hungarian matching on box IoU.

    There is no probation: a segment's first frame is written too, because every pixel of a
    panoptic map needs its label at once.

    Args:
        threshold: Least IoU of a segment's box with the predicted one, in ``[0, 1]``.
        memory: Frames that a lost track is kept for, its box moving on; SORT's own is 1.
    """

    def __init__(self, *, threshold: float = 0.3, memory: int = 1) -> None:
        super().__init__(memory=memory)
        self.threshold = threshold

    def associate(self, frame: Frame, segments: FrameSegments) -> Association:
        """Give every segment of the next frame an identity."""
        everything = np.ones(segments.count, dtype=bool)
        only = _Pass("box", everything, self.threshold, takes_lost=True)
        return self._link(frame, segments, [only], everything)


class ByteTrackAssociator(_FilteredBoxes):
    """ByteTrack (Zhang et al. 2022): segments of low score are matched in a second pass.

    First pass: segments of high score against all tracks. Second pass: segments of low score
    against the tracks in view that are left over. A segment of low score begins no track: if
    nothing claims it, it is dropped, as are all below ``low_score``. Ground truth and saved maps
    have no scores of their own: there every segment scores 1, and the first pass is all.

    Args:
        high_score: Least score of the first pass and of a new track, in ``[0, 1]``.
        low_score: Least score of the second pass, in ``[0, 1]``.
        first_iou: Least box IoU in the first pass, in ``[0, 1]``.
        second_iou: Least box IoU in the second pass, in ``[0, 1]``.
        memory: Frames that a lost track is kept for, its box moving on; ByteTrack's own is 30.
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

    def associate(self, frame: Frame, segments: FrameSegments) -> Association:
        """Give the segments of the next frame an identity, or drop them."""
        scores = segments.scores
        high = scores >= self.high_score
        low = ~high & (scores >= self.low_score)
        passes = [
            _Pass("box-high", high, self.first_iou, takes_lost=True),
            _Pass("box-low", low, self.second_iou, takes_lost=False),
        ]
        return self._link(frame, segments, passes, high)
