"""Linking by the overlap of bounding boxes, without any model of motion."""

from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from mapt_bench.baselines.boxes import box_iou
from mapt_bench.labels import Frame, VideoInfo
from mapt_bench.tracking import Association, FrameSegments
from mapt_bench.tracking.assignment import assign_greedily
from mapt_bench.tracking.masks import segment_boxes

__all__ = ["IouAssociator"]


@dataclass
class _Track:
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
        memory: Frames that a lost track is kept for, its box standing still.
    """

    needs_images = False

    def __init__(self, *, threshold: float = 0.5, memory: int = 0) -> None:
        self.threshold = threshold
        self.memory = memory
        self._tracks: list[_Track] = []
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
                track = _Track(next(self._fresh), class_id, boxes[segment], now)
                self._tracks.append(track)
            ages[segment] = now - track.last_seen
            track.box, track.last_seen = boxes[segment], now
            ids[segment] = track.track_id
        steps = tuple("box" if k in track_of else "new" for k in range(segments.count))
        return Association(ids, steps, tuple(ages))
