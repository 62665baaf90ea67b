"""Depth-aware segmentation and tracking quality, DSTQ (Qiao et al. 2021, arXiv:2012.05258).

DSTQ is the geometric mean of AQ, SQ and DQ. DQ, the depth quality, is the geometric mean over
thresholds of the share of pixels whose depth is right within a factor. Thresholds and rules follow
the published evaluation code of deeplab2: a pixel counts if its ground truth has a depth, and a
pixel without a predicted depth is wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ProtocolError
from mapt_bench.metrics.arithmetic import Additive, Block, defined, ratio

__all__ = ["DEPTH_SCORES", "DepthSums", "count_depth", "depth_block", "depth_scores"]

_THRESHOLDS = ((5, 4), (11, 10))
"""Largest factors between two depths, as fractions: 1.25 and 1.1. Integers compare exactly."""

DEPTH_SCORES = ("DQ", "DSTQ")
"""Names of the headline scores."""


@dataclass(frozen=True, eq=False, kw_only=True)
class DepthSums(Additive):
    """Sums of DQ.

    Attributes:
        pixels: Pixels whose ground truth has a depth.
        inliers: ``int64`` of shape ``(2,)``: those of them that are right within each threshold.
    """

    pixels: int
    inliers: NDArray[np.int64]


def count_depth(gt: NDArray[np.uint16], pred: NDArray[np.uint16]) -> DepthSums:
    """Count the pixels of one frame.

    Args:
        gt: ``uint16`` of shape ``(height, width)``, depth in any unit; 0 is no depth.
        pred: The same of the prediction, in the same unit.

    Raises:
        ProtocolError: If the sizes differ.

    Example:
        >>> gt, pred = np.array([[100, 100, 0]], np.uint16), np.array([[120, 0, 7]], np.uint16)
        >>> sums = count_depth(gt, pred)
        >>> sums.pixels, sums.inliers.tolist()
        (2, [1, 0])
    """
    if gt.shape != pred.shape:
        raise ProtocolError(
            f"the depth of the ground truth has {gt.shape} pixels (height, width), that of the "
            f"prediction {pred.shape}; expected equal sizes"
        )
    known = gt > 0
    both = known & (pred > 0)
    true, found = gt[both].astype(np.int64), pred[both].astype(np.int64)
    low, high = np.minimum(true, found), np.maximum(true, found)
    inliers = [int(np.count_nonzero(high * below <= low * above)) for above, below in _THRESHOLDS]
    return DepthSums(pixels=int(np.count_nonzero(known)), inliers=np.array(inliers, dtype=np.int64))


def depth_scores(
    sums: DepthSums | None, scores: Mapping[str, float | None]
) -> dict[str, float | None]:
    """Return DQ and DSTQ, ``None`` where undefined.

    Args:
        sums: Sums of a sequence or a data set. ``None`` without depth.
        scores: ``STQ`` of the same sequences.
    """
    if sums is None or not sums.pixels:
        return dict.fromkeys(DEPTH_SCORES)
    shares = sums.inliers / sums.pixels
    quality = float(np.prod(shares)) ** (1 / len(shares))
    return {"DQ": quality, "DSTQ": _with_depth(scores["STQ"], quality)}


def _with_depth(stq: float | None, quality: float) -> float | None:
    # The square of STQ is AQ times SQ.
    return None if stq is None else float((stq**2 * quality) ** (1 / 3))


def depth_block(sums: DepthSums, scores: Mapping[str, float | None]) -> Block:
    """Return DQ and DSTQ, for all thresholds and for each.

    Args:
        sums: Sums of a sequence or a data set.
        scores: ``STQ`` of the same sequences.
    """
    shares = ratio(sums.inliers, sums.pixels)
    block: Block = {**depth_scores(sums, scores), "pixels": sums.pixels}
    for (above, below), share in zip(_THRESHOLDS, shares, strict=True):
        name = f"{above / below:g}"
        block[f"DQ@{name}"] = defined(share)
        block[f"DSTQ@{name}"] = (
            None if np.isnan(share) else _with_depth(scores["STQ"], float(share))
        )
    return block
