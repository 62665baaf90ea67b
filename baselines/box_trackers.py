"""Trackers that link bounding boxes: ``iou``, ``sort`` and ``bytetrack``."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from mapt_bench.baselines.registry import register
from mapt_bench.baselines.tracker_options import AssociatorOptions
from mapt_bench.labels import Frame, VideoInfo
from mapt_bench.tracking import Association, Associator, FrameSegments
from mapt_bench.tracking.affinity import assign, assign_greedily
from mapt_bench.tracking.masks import segment_boxes

__all__ = [
    "BoxFilter",
    "ByteTrackAssociator",
    "IouAssociator",
    "SortAssociator",
    "box_iou",
]


def box_iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of every pair of boxes.

    Args:
        first: ``(n, 4)``: left, top, right, bottom in pixels, right and bottom exclusive.
        second: ``(m, 4)``.

    Returns:
        ``(n, m)`` in ``[0, 1]``; 0 where both boxes are empty.

    Example:
        >>> box_iou(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2], [5, 5, 6, 6]])).round(3)
        array([[0.333, 0.   ]])
    """
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    whole = _areas(first)[:, None] + _areas(second)[None, :] - shared
    iou: NDArray[np.float64] = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    return iou


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)
    return areas


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


_STATE = 7
_MEASURED = 4
_STEP = np.eye(_STATE)
_STEP[[0, 1, 2], [4, 5, 6]] = 1.0
_LEAST_AREA = 1.0
_LEAST_ASPECT = 1e-3

# Standard deviations: of places and speeds as shares of the object's side (the root of its area),
# of areas as shares of its area, of the aspect as such. Near objects are large and move far.
_MEASUREMENT = (0.05, 0.05, 0.10, 0.10)
_AT_BIRTH = (0.10, 0.10, 0.20, 0.20, 0.50, 0.50, 0.20)
_DRIFT = (0.02, 0.02, 0.02, 0.02, 0.05, 0.05, 0.02)


class BoxFilter:
    """States of ``n`` boxes: centre x and y, area, aspect, and the speeds of the first three.

    The model of SORT (Bewley et al. 2016, section 3.2): the aspect ratio (width over height) is
    constant, the rest moves linearly. The paper does not give the noise. Here it is in proportion
    to the object, see the constants above. Units are pixels and frames.

    Attributes:
        means: ``float64`` of shape ``(n, 7)``.
        covariances: ``float64`` of shape ``(n, 7, 7)``.
    """

    def __init__(self) -> None:
        self.means: NDArray[np.float64] = np.zeros((0, _STATE))
        self.covariances: NDArray[np.float64] = np.zeros((0, _STATE, _STATE))

    @property
    def boxes(self) -> NDArray[np.float64]:
        """Boxes now: ``(n, 4)`` of left, top, right, bottom."""
        center = self.means[:, :2]
        area = np.maximum(self.means[:, 2], _LEAST_AREA)
        aspect = np.maximum(self.means[:, 3], _LEAST_ASPECT)
        half = np.stack([np.sqrt(area * aspect), np.sqrt(area / aspect)], axis=1) / 2
        return np.concatenate([center - half, center + half], axis=1)

    def add(self, boxes: NDArray[np.float64]) -> None:
        """Start a track, at rest, at each of ``(k, 4)`` boxes."""
        fresh = np.zeros((len(boxes), _STATE))
        fresh[:, :_MEASURED] = _measurements(boxes)
        self.means = np.concatenate([self.means, fresh])
        self.covariances = np.concatenate([self.covariances, _noise(fresh, _AT_BIRTH)])

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Forget the tracks that are not marked in ``(n,)``."""
        self.means, self.covariances = self.means[kept], self.covariances[kept]

    def predict(self) -> None:
        """Predict every track one frame ahead."""
        drift = _noise(self.means, _DRIFT)
        self.means = self.means @ _STEP.T
        self.covariances = _STEP @ self.covariances @ _STEP.T + drift

    def update(self, tracks: NDArray[np.int64], boxes: NDArray[np.float64]) -> None:
        """Correct tracks by measured boxes.

        Args:
            tracks: ``(k,)`` positions, each at most once.
            boxes: ``(k, 4)`` their boxes in the present frame.
        """
        means, covariances = self.means[tracks], self.covariances[tracks]
        measured = _measurements(boxes)
        observed = covariances[:, :_MEASURED, :]
        spread = observed[:, :, :_MEASURED] + _noise(measured, _MEASUREMENT)
        gain = np.linalg.solve(spread, observed).transpose(0, 2, 1)
        surprise = measured - means[:, :_MEASURED]
        self.means[tracks] = means + np.einsum("kij,kj->ki", gain, surprise)
        self.covariances[tracks] = covariances - gain @ observed


def _measurements(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre x, centre y, area, aspect of ``(k, 4)`` boxes."""
    size = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6)
    center = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.column_stack([center, size.prod(axis=1), size[:, 0] / size[:, 1]])


def _noise(states: NDArray[np.float64], shares: tuple[float, ...]) -> NDArray[np.float64]:
    """Diagonal covariances ``(k, d, d)`` in proportion to the size of each object."""
    area = np.maximum(states[:, 2], _LEAST_AREA)
    side, one = np.sqrt(area), np.ones_like(area)
    units = np.column_stack([side, side, area, one, side, side, area])[:, : len(shares)]
    return (units * shares)[:, :, None] ** 2 * np.eye(len(shares))


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
    """Tracks whose boxes a Kalman filter predicts. Subclasses define the matching passes."""

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
        """Match segments pass by pass. The rest start tracks or are dropped."""
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

    New tracks are confirmed at once, because every pixel of a panoptic map needs a label in its
    frame.

    Args:
        threshold: Least IoU of a segment's box with the predicted one, in ``[0, 1]``.
        memory: Frames that a lost track is kept for, while its box is predicted. SORT uses 1.
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


@register(
    "iou",
    "boxes matched greedily by IoU (Bochinski et al. 2017)",
    supports_memory=True,
    settings=("iou_threshold",),
)
def _iou(options: AssociatorOptions) -> Associator:
    return IouAssociator(threshold=options.settings.iou_threshold, memory=options.memory)


@register(
    "sort",
    "Kalman filter, Hungarian on box IoU (Bewley et al. 2016)",
    supports_memory=True,
    settings=("sort_iou_threshold",),
)
def _sort(options: AssociatorOptions) -> Associator:
    return SortAssociator(threshold=options.settings.sort_iou_threshold, memory=options.memory)


@register(
    "bytetrack",
    "Kalman filter, two passes by score (Zhang et al. 2022)",
    supports_memory=True,
    settings=("high_score", "low_score", "first_pass_iou", "second_pass_iou"),
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
