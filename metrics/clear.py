"""CLEAR MOT measures on masks: MOTSA, sMOTSA, MOTSP, switches, fragmentation.

Bernardin and Stiefelhagen 2008; Voigtlaender et al. 2019 (MOTS); as TrackEval computes them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.metrics.additive import Additive
from mapt_bench.metrics.detections import ClassDetections
from mapt_bench.metrics.mask_assignment import assign_pairs

__all__ = ["ClearSums", "count_clear"]

_MOSTLY_TRACKED = 0.8
_PARTLY_TRACKED = 0.2


@dataclass(frozen=True, eq=False, kw_only=True)
class ClearSums(Additive):
    """What the CLEAR measures sum up.

    Attributes:
        tp: Matches with an IoU of one half or more.
        fp: Predicted masks without a match.
        fn: True masks without a match.
        switches: Matches by another track than the last match, however long ago.
        fragments: Times a track is found again after it was lost.
        mostly_tracked: True tracks matched in more than 80 % of their frames.
        partly_tracked: In 20 to 80 %.
        mostly_lost: In less.
        iou_sum: Sum of the IoU of matches.
    """

    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    fn: NDArray[np.int64]
    switches: NDArray[np.int64]
    fragments: NDArray[np.int64]
    mostly_tracked: NDArray[np.int64]
    partly_tracked: NDArray[np.int64]
    mostly_lost: NDArray[np.int64]
    iou_sum: NDArray[np.float64]


def count_clear(detections: ClassDetections) -> ClearSums:
    """Sum up the CLEAR measures over one class of one sequence."""
    # Frames where either side is empty are passed over by the reference without a trace: what
    # was tracked before them counts as tracked just before the next frame.
    active = np.intersect1d(detections.gt_frame, detections.pred_frame)
    rank = np.searchsorted(active, detections.pair_frame)
    gt_track = detections.gt_track[detections.pair_gt]
    pred_track = detections.pred_track[detections.pair_pred]
    matched = _match(detections, rank, gt_track, pred_track)

    order = np.flatnonzero(matched)
    order = order[np.lexsort((rank[order], gt_track[order]))]
    track, partner, moment = gt_track[order], pred_track[order], rank[order]
    same = track[1:] == track[:-1]
    switches = int((same & (partner[1:] != partner[:-1])).sum())
    fragments = int((same & (moment[1:] != moment[:-1] + 1)).sum())

    length = np.bincount(detections.gt_track)
    tracked = np.bincount(track, minlength=len(length)) / np.maximum(length, 1)
    mostly = int((tracked > _MOSTLY_TRACKED).sum())
    at_least_partly = int((tracked >= _PARTLY_TRACKED).sum())
    tp = int(matched.sum())
    return ClearSums(
        tp=_count(tp),
        fp=_count(len(detections.pred_track) - tp),
        fn=_count(len(detections.gt_track) - tp),
        switches=_count(switches),
        fragments=_count(fragments),
        mostly_tracked=_count(mostly),
        partly_tracked=_count(at_least_partly - mostly),
        mostly_lost=_count(len(length) - at_least_partly),
        iou_sum=np.asarray(detections.iou[matched].sum(), dtype=np.float64),
    )


def _count(value: int) -> NDArray[np.int64]:
    return np.asarray(value, dtype=np.int64)


def _match(
    detections: ClassDetections,
    rank: NDArray[np.int64],
    gt_track: NDArray[np.int64],
    pred_track: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Match masks at an IoU of one half or more; the pairs of the frame before come first."""
    allowed = detections.iou >= 0.5 - np.finfo(float).eps

    def score(pairs: NDArray[np.int64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        before = np.flatnonzero(chosen & (rank == rank[pairs[0]] - 1))
        kept = set(zip(gt_track[before].tolist(), pred_track[before].tolist(), strict=True))
        pair_tracks = zip(gt_track[pairs].tolist(), pred_track[pairs].tolist(), strict=True)
        continued = np.array([tracks in kept for tracks in pair_tracks])
        return 1000.0 * continued + detections.iou[pairs]

    return assign_pairs(detections, allowed, score)
