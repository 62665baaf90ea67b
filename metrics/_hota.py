"""Higher order tracking accuracy, HOTA (Luiten et al. 2021, arXiv:2009.07736), as in TrackEval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.metrics.arithmetic import Additive, Array, number_keys
from mapt_bench.metrics.detections import ClassDetections, assign_pairs

__all__ = [
    "ALPHAS",
    "HotaScores",
    "HotaSums",
    "count_hota",
]

ALPHAS = np.arange(0.05, 0.99, 0.05)
"""Localisation thresholds: ``float64`` of shape ``(19,)``, 0.05 to 0.95."""


@dataclass(frozen=True, eq=False, kw_only=True)
class HotaSums(Additive):
    """Sums of HOTA, one entry per localisation threshold: arrays of shape ``(..., 19)``.

    Attributes:
        tp: ``float64``: matches with an IoU of the threshold or more.
        fn: ``float64``: ground-truth masks without such a match.
        fp: ``float64``: predicted masks without such a match.
        localisation: ``float64``: sum of the IoU of matches.
        association: ``float64``: sum over matches of the Jaccard index of their two tracks.
        recall: ``float64``: sum over matches of the matched share of the ground-truth track.
        precision: ``float64``: sum over matches of the matched share of the predicted track.
    """

    tp: NDArray[np.float64]
    fn: NDArray[np.float64]
    fp: NDArray[np.float64]
    localisation: NDArray[np.float64]
    association: NDArray[np.float64]
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class HotaScores:
    """Scores per threshold, ``float64`` arrays of shape ``(..., 19)`` in ``[0, 1]``.

    Without masks, LocA is 1 and all others are 0, as in TrackEval. A score is computed when it is
    read.

    Attributes:
        sums: Fields of shape ``(..., 19)``.
    """

    sums: HotaSums

    @property
    def hota(self) -> Array:
        """Geometric mean of DetA and AssA."""
        return np.sqrt(self.deta * self.assa)

    @property
    def deta(self) -> Array:
        """Detection accuracy."""
        sums = self.sums
        return sums.tp / np.maximum(1, sums.tp + sums.fn + sums.fp)

    @property
    def assa(self) -> Array:
        """Association accuracy."""
        return self.sums.association / self._matches

    @property
    def det_re(self) -> Array:
        """Recall of masks."""
        return self.sums.tp / np.maximum(1, self.sums.tp + self.sums.fn)

    @property
    def det_pr(self) -> Array:
        """Precision of masks."""
        return self.sums.tp / np.maximum(1, self.sums.tp + self.sums.fp)

    @property
    def ass_re(self) -> Array:
        """Association recall."""
        return self.sums.recall / self._matches

    @property
    def ass_pr(self) -> Array:
        """Association precision."""
        return self.sums.precision / self._matches

    @property
    def loca(self) -> Array:
        """Localisation accuracy: mean IoU of matches."""
        return np.maximum(1e-10, self.sums.localisation) / np.maximum(1e-10, self.sums.tp)

    @property
    def _matches(self) -> Array:
        return np.maximum(1, self.sums.tp)


def count_hota(detections: ClassDetections) -> HotaSums:
    """Sum up HOTA over one class of one sequence.

    Args:
        detections: Masks of the class and their IoU in every frame.

    Returns:
        Sums with fields of shape ``(19,)``.
    """
    pair_key = (
        detections.gt_track[detections.pair_gt] * max(detections.pred_track_count, 1)
        + detections.pred_track[detections.pair_pred]
    )
    keys, pair = number_keys(pair_key)
    gt_track, pred_track = np.divmod(keys, max(detections.pred_track_count, 1))
    gt_length = np.bincount(detections.gt_track)[gt_track]
    pred_length = np.bincount(detections.pred_track)[pred_track]

    alignment = _global_alignment(detections, pair, gt_length + pred_length)
    scores = alignment[pair] * detections.iou
    matched = assign_pairs(
        detections, np.ones(len(pair), dtype=bool), lambda pairs, _: scores[pairs]
    )
    iou = detections.iou[matched]
    # A match of IoU s counts at every threshold up to s: counted once by the number of
    # thresholds it passes, then summed from the highest threshold down.
    passed = np.searchsorted(ALPHAS - np.finfo(float).eps, iou, side="right")
    tracks_passed = np.zeros((len(keys), len(ALPHAS) + 1))
    np.add.at(tracks_passed, (pair[matched], passed), 1)
    together = np.cumsum(tracks_passed[:, ::-1], axis=1)[:, ::-1][:, 1:]
    localised = np.zeros(len(ALPHAS) + 1)
    np.add.at(localised, passed, iou)
    tp = together.sum(axis=0)
    lengths = (gt_length + pred_length)[:, None]
    return HotaSums(
        tp=tp,
        fn=len(detections.gt_track) - tp,
        fp=len(detections.pred_track) - tp,
        localisation=np.cumsum(localised[::-1])[::-1][1:],
        association=(together * together / np.maximum(1, lengths - together)).sum(axis=0),
        recall=(together * together / np.maximum(1, gt_length[:, None])).sum(axis=0),
        precision=(together * together / np.maximum(1, pred_length[:, None])).sum(axis=0),
    )


def _global_alignment(
    detections: ClassDetections, pair: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the alignment over the whole sequence of each pair of tracks that share a pixel."""
    gt_total = np.bincount(detections.pair_gt, weights=detections.iou)
    pred_total = np.bincount(detections.pair_pred, weights=detections.iou)
    share = detections.iou / (
        gt_total[detections.pair_gt] + pred_total[detections.pair_pred] - detections.iou
    )
    potential = np.bincount(pair, weights=share, minlength=len(lengths))
    alignment: NDArray[np.float64] = potential / (lengths - potential)
    return alignment
