"""Identity switches among matched segments, as PTQ counts them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.metrics.additive import Additive
from mapt_bench.metrics.matching import Matches, SegmentTable

__all__ = ["SwitchCounts", "count_switches"]


@dataclass(frozen=True, eq=False, kw_only=True)
class SwitchCounts(Additive):
    """Switches of every class.

    Attributes:
        count: ``int64`` of shape ``(classes,)``: matches whose identity differs from the earlier.
        soft: ``float64`` of shape ``(classes,)``: the sum of the IoU of those matches.
    """

    count: NDArray[np.int64]
    soft: NDArray[np.float64]


def count_switches(table: SegmentTable, matches: Matches, *, over_gaps: bool) -> SwitchCounts:
    """Count how often a ground-truth segment is matched by another identity than before.

    Args:
        table: Segments of frames.
        matches: Matches of the same class.
        over_gaps: Compare with the last match, however long ago (Hurtado et al. 2020); otherwise
            only with a match in the frame just before (Fong et al. 2022).
    """
    gt_row = table.gt_of[matches.gt_segment]
    frame = table.gt_unit[matches.gt_segment]
    order = np.lexsort((frame, gt_row))
    gt_row, frame = gt_row[order], frame[order]
    pred_row = table.pred_of[matches.pred_segment][order]
    switched = (gt_row[1:] == gt_row[:-1]) & (pred_row[1:] != pred_row[:-1])
    if not over_gaps:
        switched &= frame[1:] == frame[:-1] + 1
    rows = table.overlap.gt.class_row[gt_row[1:][switched]]
    weights = matches.iou[order][1:][switched]
    class_count = len(table.overlap.labels.class_ids)
    return SwitchCounts(
        count=np.bincount(rows, minlength=class_count).astype(np.int64),
        soft=np.bincount(rows, weights=weights, minlength=class_count).astype(np.float64),
    )
