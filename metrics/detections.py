"""The masks of one thing class in one sequence, prepared as TrackEval does for KITTI MOTS.

Predictions that lie mostly on void or crowd are dropped. :func:`assign_pairs` matches masks within
each frame.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import ID_BITS
from mapt_bench.metrics.arithmetic import number_keys
from mapt_bench.metrics.assignment import best_pairs
from mapt_bench.metrics.matching import SegmentTable
from mapt_bench.metrics.overlap import SegmentKinds

__all__ = [
    "ClassDetections",
    "ClassTracks",
    "assign_pairs",
    "detections_of_class",
]


@dataclass(frozen=True, eq=False, slots=True)
class ClassDetections:
    """Masks of one class, and the IoU of those that share a pixel.

    Attributes:
        gt_track: ``int64`` of shape ``(g,)``: track of each ground-truth mask, from 0.
        gt_frame: ``int64`` of shape ``(g,)``: its frame. Masks are ordered by frame, then track.
            Empty masks come last. They are in no pair.
        pred_track: ``int64`` of shape ``(p,)``: track of each predicted mask, from 0.
        pred_frame: ``int64`` of shape ``(p,)``: its frame, in the same order.
        pair_gt: ``int64`` of shape ``(n,)``: ground-truth mask of each pair.
        pair_pred: ``int64`` of shape ``(n,)``: predicted mask of each pair.
        iou: ``float64`` of shape ``(n,)`` in ``(0, 1]``.
    """

    gt_track: NDArray[np.int64]
    gt_frame: NDArray[np.int64]
    pred_track: NDArray[np.int64]
    pred_frame: NDArray[np.int64]
    pair_gt: NDArray[np.int64]
    pair_pred: NDArray[np.int64]
    iou: NDArray[np.float64]

    @property
    def pair_frame(self) -> NDArray[np.int64]:
        """Frame of each pair."""
        return self.gt_frame[self.pair_gt]

    def ambiguous_frames(self, pairs: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the frames in which some mask is in more than one of the given pairs."""
        gt, pred = self.pair_gt[pairs], self.pair_pred[pairs]
        contested = (np.bincount(gt, minlength=len(self.gt_track))[gt] > 1) | (
            np.bincount(pred, minlength=len(self.pred_track))[pred] > 1
        )
        return np.unique(self.gt_frame[gt[contested]])


@dataclass(frozen=True, eq=False, slots=True)
class ClassTracks:
    """The tracks of one thing class in a whole sequence. A track is numbered by its position.

    Attributes:
        gt: ``int64`` of shape ``(n,)``: ground-truth codes, ascending, without crowd.
        pred: ``int64`` of shape ``(n,)``: predicted codes, ascending.
    """

    gt: NDArray[np.int64]
    pred: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        sides: tuple[SegmentKinds, SegmentKinds],
        empty: tuple[NDArray[np.int64], NDArray[np.int64]],
        class_id: int,
    ) -> "ClassTracks":
        """Return the tracks of a class.

        Args:
            sides: Distinct codes of ground truth and prediction.
            empty: Frame and code of the objects of both sides with an empty mask, ``(m, 2)``.
            class_id: Thing class.
        """
        gt, pred = sides
        of_gt = (gt.codes >> np.uint32(ID_BITS) == class_id) & ~gt.is_crowd
        of_pred = pred.codes >> np.uint32(ID_BITS) == class_id
        return cls(
            np.union1d(gt.codes[of_gt], _of_class(empty[0], class_id)[:, 1]),
            np.union1d(pred.codes[of_pred], _of_class(empty[1], class_id)[:, 1]),
        )


def detections_of_class(
    table: SegmentTable, class_id: int, tracks: ClassTracks | None = None
) -> ClassDetections:
    """Select the masks of a thing class from the segments of a sequence.

    Args:
        table: Segments of frames.
        class_id: Thing class.
        tracks: Tracks of the whole sequence, if the table is a part of it. Otherwise tracks are
            numbered as they occur in the table.
    """
    gt, pred = table.overlap.gt, table.overlap.pred
    row = table.overlap.labels.class_ids.index(class_id)
    # Background that was seen to be empty excuses nothing, see labels.BACKGROUND_ID.
    ignored = ((gt.is_void & ~gt.is_background) | gt.is_crowd)[table.gt_index]
    ignored_pixels = table.pred_sum(table.pixels * ignored)

    is_gt = ((gt.class_row == row) & ~gt.is_crowd)[table.gt_of]
    is_pred = (pred.class_row == row)[table.pred_of]
    pair = is_gt[table.gt_segment] & is_pred[table.pred_segment]
    gt_segment, pred_segment = table.gt_segment[pair], table.pred_segment[pair]
    shared = table.pixels[pair]
    union = table.gt_pixels[gt_segment] + table.pred_pixels[pred_segment] - shared

    # The reference drops these where unmatched; with less than half left, none can be matched.
    is_pred &= 2 * ignored_pixels <= table.pred_pixels
    kept = is_pred[pred_segment]

    gt_order, pred_order = np.cumsum(is_gt) - 1, np.cumsum(is_pred) - 1
    gt_empty = _of_class(table.overlap.gt_empty, class_id)
    pred_empty = _of_class(table.overlap.pred_empty, class_id)
    return ClassDetections(
        gt_track=_number(
            np.concatenate([gt.codes[table.gt_of[is_gt]], gt_empty[:, 1]]),
            None if tracks is None else tracks.gt,
        ),
        gt_frame=np.concatenate([table.gt_unit[is_gt], gt_empty[:, 0]]),
        pred_track=_number(
            np.concatenate([pred.codes[table.pred_of[is_pred]], pred_empty[:, 1]]),
            None if tracks is None else tracks.pred,
        ),
        pred_frame=np.concatenate([table.pred_unit[is_pred], pred_empty[:, 0]]),
        pair_gt=gt_order[gt_segment[kept]],
        pair_pred=pred_order[pred_segment[kept]],
        iou=shared[kept] / union[kept],
    )


def _number(codes: NDArray[np.int64], known: NDArray[np.int64] | None) -> NDArray[np.int64]:
    return number_keys(codes)[1] if known is None else np.searchsorted(known, codes)


def _of_class(empty: NDArray[np.int64], class_id: int) -> NDArray[np.int64]:
    """Return the empty masks of a class: frame and code, ``(m, 2)``."""
    of_class: NDArray[np.int64] = empty[empty[:, 1] >> ID_BITS == class_id]
    return of_class


def assign_pairs(
    detections: ClassDetections,
    allowed: NDArray[np.bool_],
    score: Callable[[NDArray[np.int64], NDArray[np.bool_]], NDArray[np.float64]],
) -> NDArray[np.bool_]:
    """Choose pairs so that each mask is in at most one, with the largest sum of scores per frame.

    A frame without contested masks keeps every allowed pair. Frames with contested masks are solved
    one by one in temporal order, by Hungarian assignment.

    Args:
        detections: Masks and pairs.
        allowed: Boolean array of shape ``(n,)``: pairs that may be chosen.
        score: Given the positions of the allowed pairs of one frame, and the pairs chosen so far
            (final for all earlier frames), returns their scores, above 0.

    Returns:
        Boolean array of shape ``(n,)``: the chosen pairs.
    """
    chosen = allowed.copy()
    contested = detections.ambiguous_frames(allowed)
    if not contested.size:
        return chosen
    positions = np.flatnonzero(allowed)
    frames = detections.pair_frame[positions]
    order = np.argsort(frames, kind="stable")
    positions, frames = positions[order], frames[order]
    bounds = np.searchsorted(frames, [contested, contested + 1])
    for first, last in bounds.T:
        pairs = positions[first:last]
        chosen[pairs] = best_pairs(
            detections.pair_gt[pairs], detections.pair_pred[pairs], score(pairs, chosen)
        )
    return chosen
