"""Higher order tracking accuracy, HOTA (Luiten et al. 2021, arXiv:2009.07736), as in TrackEval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.metrics.arithmetic import Additive, Array
from mapt_bench.metrics.detections import ClassDetections, ClassTracks, assign_pairs
from mapt_bench.metrics.pair_sums import PairSums

__all__ = [
    "ALPHAS",
    "HotaCounter",
    "HotaScores",
    "HotaSums",
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


class HotaCounter:
    """Sums up HOTA over one class of one sequence, part by part, in two passes.

    The alignment of tracks over the whole sequence decides which masks match. So :meth:`measure`
    takes all parts first, then :meth:`match` takes them again.

    Args:
        tracks: Tracks of the class.
    """

    def __init__(self, tracks: ClassTracks) -> None:
        self._pred_count = max(len(tracks.pred), 1)
        self._gt_length = np.zeros(len(tracks.gt), dtype=np.int64)
        self._pred_length = np.zeros(len(tracks.pred), dtype=np.int64)
        self._potential = PairSums()
        self._alignment = np.zeros(0)
        self._passed = np.zeros((0, len(ALPHAS) + 1))
        self._localised = np.zeros(len(ALPHAS) + 1)

    def _pair_key(self, detections: ClassDetections) -> NDArray[np.int64]:
        return (
            detections.gt_track[detections.pair_gt] * self._pred_count
            + detections.pred_track[detections.pair_pred]
        )

    def measure(self, detections: ClassDetections) -> None:
        """Take the next frames into the alignment of tracks."""
        self._gt_length += np.bincount(detections.gt_track, minlength=len(self._gt_length))
        self._pred_length += np.bincount(detections.pred_track, minlength=len(self._pred_length))
        gt_total = np.bincount(detections.pair_gt, weights=detections.iou)
        pred_total = np.bincount(detections.pair_pred, weights=detections.iou)
        share = detections.iou / (
            gt_total[detections.pair_gt] + pred_total[detections.pair_pred] - detections.iou
        )
        self._potential.add(self._pair_key(detections), share)

    def _lengths(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the number of masks of both tracks of each pair."""
        gt_track, pred_track = np.divmod(self._potential.keys, self._pred_count)
        return self._gt_length[gt_track], self._pred_length[pred_track]

    def match(self, detections: ClassDetections) -> None:
        """Match the masks of the next frames, after all frames have been measured."""
        keys, potential = self._potential.keys, self._potential.values
        if len(self._passed) < len(keys):  # the first frames
            gt_length, pred_length = self._lengths()
            self._alignment = potential / (gt_length + pred_length - potential)
            self._passed = np.zeros((len(keys), len(ALPHAS) + 1))
        pair = np.searchsorted(keys, self._pair_key(detections))
        scores = self._alignment[pair] * detections.iou
        matched = assign_pairs(
            detections, np.ones(len(pair), dtype=bool), lambda pairs, _: scores[pairs]
        )
        iou = detections.iou[matched]
        # A match of IoU s counts at every threshold up to s: counted once by the number of
        # thresholds it passes, then summed from the highest threshold down.
        passed = np.searchsorted(ALPHAS - np.finfo(float).eps, iou, side="right")
        np.add.at(self._passed, (pair[matched], passed), 1)
        np.add.at(self._localised, passed, iou)

    def sums(self) -> HotaSums:
        """Return sums with fields of shape ``(19,)``."""
        gt_length, pred_length = (length[:, None] for length in self._lengths())
        together = np.cumsum(self._passed[:, ::-1], axis=1)[:, ::-1][:, 1:]
        tp = together.sum(axis=0)
        alone = np.maximum(1, gt_length + pred_length - together)
        return HotaSums(
            tp=tp,
            fn=self._gt_length.sum() - tp,
            fp=self._pred_length.sum() - tp,
            localisation=np.cumsum(self._localised[::-1])[::-1][1:],
            association=(together * together / alone).sum(axis=0),
            recall=(together * together / np.maximum(1, gt_length)).sum(axis=0),
            precision=(together * together / np.maximum(1, pred_length)).sum(axis=0),
        )
