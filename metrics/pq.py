"""Panoptic quality (Kirillov et al. 2019) of frames and of windows of frames (VPQ), and PTQ.

VPQ: Kim et al. 2020, "Video Panoptic Segmentation". PTQ, sPTQ and MOTSA as released with
PanopticTrackNet: Hurtado et al. 2020, arXiv:2004.08189. All follow the published evaluation codes,
see ``tests/golden/README.md``. Unlike in :mod:`mapt_bench.metrics.pat`, PTQ here treats crowd as
void, remembers switches over gaps, and averages over all classes.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import LabelSpace
from mapt_bench.metrics.arithmetic import Additive, Block, mean, ratio
from mapt_bench.metrics.matching import (
    Matches,
    SegmentTable,
    SwitchCounter,
    SwitchCounts,
    match_segments,
)

__all__ = [
    "MoptCounter",
    "MoptSums",
    "PanopticCounts",
    "count_panoptic",
    "mopt_block",
    "no_counts",
    "panoptic_block",
    "panoptic_matches",
]


@dataclass(frozen=True, eq=False, kw_only=True)
class PanopticCounts(Additive):
    """Sums of panoptic quality: arrays of shape ``(classes,)``, one entry per class.

    Attributes:
        iou_sum: ``float64``: sum of the IoU of matches.
        tp: ``int64``: matched segments.
        fp: ``int64``: predicted segments without a match.
        fn: ``int64``: ground-truth segments without a match.
    """

    iou_sum: NDArray[np.float64]
    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    fn: NDArray[np.int64]

    @property
    def occurs(self) -> NDArray[np.bool_]:
        """Classes with any segment on either side."""
        return self.tp + self.fp + self.fn > 0

    @property
    def quality(self) -> NDArray[np.float64]:
        """PQ of each class in ``[0, 1]``. NaN for a class that does not occur."""
        return ratio(self.iou_sum, self.tp + self.fp / 2 + self.fn / 2)

    @property
    def segmentation(self) -> NDArray[np.float64]:
        """SQ of each class, the mean IoU of matches; 0 without a match, as in panopticapi."""
        return np.where(self.tp > 0, ratio(self.iou_sum, self.tp), 0.0)

    @property
    def recognition(self) -> NDArray[np.float64]:
        """RQ of each class, the F1 of segments; NaN for a class that does not occur."""
        return ratio(self.tp, self.tp + self.fp / 2 + self.fn / 2)


def panoptic_matches(
    table: SegmentTable,
    *,
    void: NDArray[np.bool_] | None = None,
    single_precision: bool = False,
) -> Matches:
    """Match segments of the same class. The union excludes ground-truth void.

    Args:
        table: Segments.
        void: ``(rows of overlap.gt,)`` codes treated as void. The default is the void class.
        single_precision: See :func:`mapt_bench.metrics.matching.match_segments`.
    """
    gt, pred = table.overlap.gt, table.overlap.pred
    void = gt.is_void if void is None else void
    void_pixels = table.pred_sum(table.pixels * void[table.gt_index])
    candidates = (
        (gt.class_row[table.gt_index] == pred.class_row[table.pred_index])
        & ~(void | gt.is_crowd)[table.gt_index]
        & ~pred.is_void[table.pred_index]
    )
    return match_segments(table, candidates, ignored=void_pixels, single_precision=single_precision)


def count_panoptic(
    table: SegmentTable,
    matches: Matches,
    *,
    void: NDArray[np.bool_] | None = None,
    min_pixels: int = 0,
    before: PanopticCounts | None = None,
) -> PanopticCounts:
    """Count matches, misses and false positives of every class.

    Args:
        table: Segments.
        matches: Result of :func:`panoptic_matches`, with the same ``void``.
        void: Codes treated as void, see :func:`panoptic_matches`.
        min_pixels: Smaller segments are neither misses nor false positives.
        before: Counts of the frames before, which are continued. The rounding of sums does not
            depend on the parts in which frames are counted.
    """
    gt, pred = table.overlap.gt, table.overlap.pred
    void = gt.is_void if void is None else void
    crowd = gt.is_crowd & ~void
    same_class = gt.class_row[table.gt_index] == pred.class_row[table.pred_index]
    excused = void[table.gt_index] | (crowd[table.gt_index] & same_class)
    excused_pixels = table.pred_sum(table.pixels * excused)

    missed = ~(void | crowd)[table.gt_of] & (table.gt_pixels >= min_pixels)
    missed[matches.gt_segment] = False
    alarm = ~pred.is_void[table.pred_of] & (table.pred_pixels >= min_pixels)
    alarm &= 2 * excused_pixels <= table.pred_pixels
    alarm[matches.pred_segment] = False

    class_count = len(table.overlap.labels.class_ids)

    def count(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.bincount(rows, minlength=class_count).astype(np.int64)

    matched_row = gt.class_row[table.gt_of[matches.gt_segment]]
    iou_sum = np.zeros(class_count) if before is None else before.iou_sum.copy()
    np.add.at(iou_sum, matched_row, matches.iou)
    found = PanopticCounts(
        iou_sum=iou_sum,
        tp=count(matched_row),
        fp=count(pred.class_row[table.pred_of[alarm]]),
        fn=count(gt.class_row[table.gt_of[missed]]),
    )
    if before is None:
        return found
    return replace(found, tp=before.tp + found.tp, fp=before.fp + found.fp, fn=before.fn + found.fn)


def no_counts(labels: LabelSpace) -> PanopticCounts:
    """Return the counts of no frame."""
    none = np.zeros(len(labels.class_ids), dtype=np.int64)
    return PanopticCounts(iou_sum=none.astype(np.float64), tp=none, fp=none, fn=none)


def panoptic_block(counts: PanopticCounts, labels: LabelSpace) -> Block:
    """Return All / Things / Stuff means and a table per class.

    A mean is ``None`` if none of its classes occurs. The entry of a class is ``None`` if the class
    does not occur.
    """
    is_thing = labels.is_thing_table[list(labels.class_ids)]
    block: Block = {}
    for name, kind in (
        ("All", np.ones_like(is_thing)),
        ("Things", is_thing),
        ("Stuff", ~is_thing),
    ):
        chosen = kind & counts.occurs
        block[name] = (
            {
                "PQ": mean(counts.quality[chosen]),
                "SQ": mean(counts.segmentation[chosen]),
                "RQ": mean(counts.recognition[chosen]),
                "n": int(chosen.sum()),
            }
            if chosen.any()
            else None
        )
    block["per_class"] = {
        str(class_id): _class_entry(counts, row) if counts.occurs[row] else None
        for row, class_id in enumerate(labels.class_ids)
    }
    return block


def _class_entry(counts: PanopticCounts, row: int) -> Block:
    return {
        "PQ": float(counts.quality[row]),
        "SQ": float(counts.segmentation[row]),
        "RQ": float(counts.recognition[row]),
        "iou_sum": float(counts.iou_sum[row]),
        "tp": int(counts.tp[row]),
        "fp": int(counts.fp[row]),
        "fn": int(counts.fn[row]),
    }


_GUARD = 1e-8
"""The released code adds this to denominators, so it is needed for equal numbers."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MoptSums(Additive):
    """Matches and switches of every class, with crowd treated as void."""

    panoptic: PanopticCounts
    switches: SwitchCounts


class MoptCounter:
    """Sums up one sequence, part by part."""

    def __init__(self, labels: LabelSpace) -> None:
        self._panoptic = no_counts(labels)
        self._switches = SwitchCounter(labels, over_gaps=True)

    def add(self, table: SegmentTable) -> None:
        """Count the next frames, given their segments."""
        void = table.overlap.gt.is_void | table.overlap.gt.is_crowd
        matches = panoptic_matches(table, void=void)
        self._panoptic = count_panoptic(table, matches, void=void, before=self._panoptic)
        self._switches.add(table, matches)

    def sums(self) -> MoptSums:
        """Return the sums so far."""
        return MoptSums(panoptic=self._panoptic, switches=self._switches.sums())


def mopt_block(sums: MoptSums, labels: LabelSpace) -> Block:
    """Return the scores, and a table per class (stuff first, then things)."""
    panoptic, switches = sums.panoptic, sums.switches
    weight = panoptic.tp + panoptic.fp / 2 + panoptic.fn / 2
    truth = panoptic.tp + panoptic.fn
    errors = panoptic.fp + switches.count
    scores = {
        "PTQ": np.nan_to_num(ratio(panoptic.iou_sum - switches.count, weight)),
        "sPTQ": np.nan_to_num(ratio(panoptic.iou_sum - switches.soft, weight)),
    }
    thing_scores = {
        "MOTSA": (panoptic.tp - errors) / (truth + _GUARD),
        "sMOTSA": (panoptic.iou_sum - errors) / (truth + _GUARD),
        "MOTSP": panoptic.iou_sum / (panoptic.tp + _GUARD),
    }
    is_thing = labels.is_thing_table[list(labels.class_ids)]
    return {
        "PTQ": mean(scores["PTQ"]),
        "sPTQ": mean(scores["sPTQ"]),
        "PTQ_stuff": mean(scores["PTQ"][~is_thing]),
        "PTQ_thing": mean(scores["PTQ"][is_thing]),
        "sPTQ_thing": mean(scores["sPTQ"][is_thing]),
        **{name: mean(values[is_thing]) for name, values in thing_scores.items()},
        "per_class": {
            str(labels.class_ids[row]): {
                **_at(scores, row),
                "iou_sum": float(panoptic.iou_sum[row]),
                "tp": int(panoptic.tp[row]),
                "fp": int(panoptic.fp[row]),
                "fn": int(panoptic.fn[row]),
                "ids": int(switches.count[row]),
                "soft_ids": float(switches.soft[row]),
                **(_at(thing_scores, row) if is_thing[row] else {}),
            }
            for row in [*np.flatnonzero(~is_thing), *np.flatnonzero(is_thing)]
        },
    }


def _at(scores: dict[str, NDArray[np.float64]], row: int) -> Block:
    return {name: float(values[row]) for name, values in scores.items()}
