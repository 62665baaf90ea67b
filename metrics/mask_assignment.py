"""One-to-one assignment of masks in frames where a mask overlaps several others."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mapt_bench.metrics.detections import ClassDetections
from mapt_bench.metrics.grouping import number_keys

__all__ = ["assign_pairs"]


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
        _settle(detections, pairs, score(pairs, chosen), chosen)
    return chosen


def _settle(
    detections: ClassDetections,
    pairs: NDArray[np.int64],
    scores: NDArray[np.float64],
    chosen: NDArray[np.bool_],
) -> None:
    from scipy.optimize import linear_sum_assignment  # slow to import, rarely needed

    gt, gt_row = number_keys(detections.pair_gt[pairs])
    pred, pred_column = number_keys(detections.pair_pred[pairs])
    matrix = np.zeros((len(gt), len(pred)))
    matrix[gt_row, pred_column] = scores
    partner = np.full(len(gt), -1)
    rows, columns = linear_sum_assignment(matrix, maximize=True)
    partner[rows] = columns
    chosen[pairs] = partner[gt_row] == pred_column
