"""The ceiling: true identities given to the segments that were found."""

from collections.abc import Callable
from itertools import count

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError
from mapt_bench.labels import ID_BITS, ID_LIMIT, Frame, PanopticMap, VideoInfo
from mapt_bench.tracking import Association, FrameSegments
from mapt_bench.tracking.assignment import assign

__all__ = ["OracleAssociator"]


class OracleAssociator:
    """Gives each segment the identity of the true track it covers best.

    In every frame, segments and true tracks are matched one to one by mask IoU, whatever their
    classes, because that is how TQ and AQ compare them. A match names the identity after the true
    track and the class of the segment, so that a wrong class makes a track of its own, the same
    one whenever the mistake returns. What is left over gets a fresh identity in each frame, so
    that it weighs on no good track.

    A weak overlap keeps the track's identity, which is best for AQ: a segment of area ``a`` that
    shares ``i`` pixels with a track raises its term if ``i / a`` is at least about a third, and
    seldom lowers it by much below that. Nothing is dropped, so PQ is that of the segments.

    Args:
        truth: Returns the true map of the frame at a position of the video.
        memory: Frames without a segment after which a track is forgotten and gets another
            identity; ``None`` for none at all. With 0 it knows tracks from one frame to the next
            alone: what is between it and the oracle that forgets nothing is lost over gaps.
    """

    needs_images = False

    def __init__(self, truth: Callable[[int], PanopticMap], *, memory: int | None = None) -> None:
        self.truth = truth
        self.memory = memory
        self._info: VideoInfo | None = None
        self._ids: dict[tuple[int, int], int] = {}
        self._seen: dict[int, int] = {}
        self._fresh = count(1)

    def start(self, info: VideoInfo) -> None:
        """Forget all tracks."""
        self._info = info
        self._ids = {}
        self._seen = {}
        self._fresh = count(1)

    def associate(self, frame: Frame, segments: FrameSegments) -> Association:
        """Give every segment of the next frame the identity of a true track, or a fresh one.

        Raises:
            DataError: If the true map has another size than the segments.
        """
        if self._info is None:
            raise RuntimeError("start() must be called before associate()")
        codes = self.truth(frame.index).codes
        if codes.shape != segments.shape:
            raise DataError(
                f"segments have {segments.shape} pixels (height, width), the truth {codes.shape}",
                where=frame.name,
            )
        track_codes, iou = _iou_with_truth(codes, segments, self._info.labels.is_thing_table)
        matches = assign(iou, np.ones(iou.shape, dtype=bool), threshold=1e-9)
        track_of = {segment: int(track_codes[index]) for index, segment in matches}
        ids = np.zeros(segments.count, dtype=np.int64)
        ages = [0] * segments.count
        for segment, class_id in enumerate(segments.class_ids.tolist()):
            if segment in track_of:
                key = (track_of[segment], class_id)
                identity = self._remembered(key, frame.index) or next(self._fresh)
                self._ids[key] = identity
            else:
                identity = next(self._fresh)
            ids[segment] = identity
            ages[segment] = frame.index - self._seen.get(identity, frame.index)
            self._seen[identity] = frame.index
        steps = tuple("oracle" if k in track_of else "new" for k in range(segments.count))
        return Association(ids, steps, tuple(ages))

    def _remembered(self, key: tuple[int, int], now: int) -> int | None:
        identity = self._ids.get(key)
        if identity is None or self.memory is None:
            return identity
        return identity if now - self._seen[identity] <= 1 + self.memory else None


def _iou_with_truth(
    codes: NDArray[np.uint32], segments: FrameSegments, is_thing: NDArray[np.bool_]
) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
    """Codes of the true tracks of a frame, and their mask IoU with each segment ``(n, m)``."""
    is_track = is_thing[codes >> np.uint32(ID_BITS)] & ((codes & np.uint32(ID_LIMIT - 1)) > 0)
    track_codes, tracks = np.unique(codes[is_track], return_inverse=True)
    width = segments.count + 1
    covering = segments.index_map[is_track].astype(np.int64) + 1
    shared = np.bincount(tracks * width + covering, minlength=len(track_codes) * width)
    table = shared.reshape(len(track_codes), width)
    areas = np.bincount(segments.index_map.ravel() + 1, minlength=width)[1:]
    overlap = table[:, 1:].astype(np.float64)
    return track_codes, overlap / np.maximum(table.sum(axis=1)[:, None] + areas - overlap, 1)
