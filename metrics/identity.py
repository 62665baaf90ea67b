"""Identity measures IDF1, IDP, IDR (Ristani et al. 2016, arXiv:1609.01775), as in TrackEval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.metrics.additive import Additive
from mapt_bench.metrics.detections import ClassDetections

__all__ = ["IdentitySums", "count_identity"]


@dataclass(frozen=True, eq=False, kw_only=True)
class IdentitySums(Additive):
    """Masks under the best one-to-one assignment of whole tracks, at an IoU of one half or more.

    Attributes:
        tp: Masks of tracks assigned to each other that match.
        fp: Other predicted masks.
        fn: Other true masks.
    """

    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    fn: NDArray[np.int64]


def count_identity(detections: ClassDetections) -> IdentitySums:
    """Sum up the identity measures over one class of one sequence."""
    from scipy.optimize import linear_sum_assignment  # slow to import

    matching = detections.iou >= 0.5
    shape = (detections.gt_track_count, detections.pred_track_count)
    together = np.zeros(shape, dtype=np.int64)
    np.add.at(
        together,
        (
            detections.gt_track[detections.pair_gt[matching]],
            detections.pred_track[detections.pair_pred[matching]],
        ),
        1,
    )
    # Every frame two assigned tracks spend together saves one miss and one false alarm, so the
    # cheapest assignment is the one with the most frames together.
    tp = together[linear_sum_assignment(together, maximize=True)].sum()
    return IdentitySums(
        tp=np.asarray(tp),
        fp=np.asarray(len(detections.pred_track) - tp),
        fn=np.asarray(len(detections.gt_track) - tp),
    )
