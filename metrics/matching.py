"""Segments of frames or windows, their one-to-one matches, and identity switches between these.

PQ, PTQ, TQ and the tracking measures all start from the table that :func:`segment_table` builds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import LabelSpace
from mapt_bench.metrics.arithmetic import Additive, number_keys
from mapt_bench.metrics.overlap import SequenceOverlap

__all__ = [
    "Matches",
    "SegmentTable",
    "SwitchCounter",
    "SwitchCounts",
    "count_switches",
    "match_segments",
    "pair_overlaps",
    "segment_table",
]


@dataclass(frozen=True, eq=False, slots=True)
class SegmentTable:
    """All segments of a sequence, unit by unit, and the pixels that they share.

    A unit is a frame, or a window of frames treated as one image. Void counts as a segment here,
    and has its own kind.

    Attributes:
        overlap: Overlap tables of the sequence, with the kinds of both sides.
        unit: ``int64`` of shape ``(n,)``: unit of each entry.
        gt_index: ``int64`` of shape ``(n,)``: row in ``overlap.gt``.
        pred_index: ``int64`` of shape ``(n,)``: row in ``overlap.pred``.
        pixels: ``int64`` of shape ``(n,)``: shared pixels.
        gt_segment: ``int64`` of shape ``(n,)``: ground-truth segment of each entry.
        pred_segment: ``int64`` of shape ``(n,)``: predicted segment of each entry.
        gt_of: ``int64`` of shape ``(g,)``: row in ``overlap.gt`` of each ground-truth segment.
        pred_of: ``int64`` of shape ``(p,)``: row in ``overlap.pred`` of each predicted segment.
        gt_unit: ``int64`` of shape ``(g,)``: unit of each ground-truth segment.
        pred_unit: ``int64`` of shape ``(p,)``: unit of each predicted segment.
        gt_pixels: ``int64`` of shape ``(g,)``: area of each ground-truth segment.
        pred_pixels: ``int64`` of shape ``(p,)``: area of each predicted segment.
    """

    overlap: SequenceOverlap
    unit: NDArray[np.int64]
    gt_index: NDArray[np.int64]
    pred_index: NDArray[np.int64]
    pixels: NDArray[np.int64]
    gt_segment: NDArray[np.int64]
    pred_segment: NDArray[np.int64]
    gt_of: NDArray[np.int64]
    pred_of: NDArray[np.int64]
    gt_unit: NDArray[np.int64]
    pred_unit: NDArray[np.int64]
    gt_pixels: NDArray[np.int64]
    pred_pixels: NDArray[np.int64]

    def pred_sum(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Add values of entries over each predicted segment; returns shape ``(p,)``."""
        return _sum_groups(self.pred_segment, values, len(self.pred_of))


def _sum_groups(
    group: NDArray[np.int64], values: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    # bincount adds in float64, exact for pixel counts below 2**53.
    return np.bincount(group, weights=values, minlength=count).astype(np.int64)


def segment_table(overlap: SequenceOverlap, window: int = 1) -> SegmentTable:
    """Return the segments of every frame, or of every window of ``window`` frames.

    Args:
        overlap: Joined tables of one sequence.
        window: Frames in a unit, stride 1. A sequence shorter than this has no unit.
    """
    if window == 1:
        unit, gt_index, pred_index = overlap.frame, overlap.gt_index, overlap.pred_index
        pixels = overlap.pixels
    else:
        unit, gt_index, pred_index, pixels = _join_windows(overlap, window)
    gt_key, gt_segment = number_keys(unit * overlap.gt.count + gt_index)
    pred_key, pred_segment = number_keys(unit * overlap.pred.count + pred_index)
    gt_unit, gt_of = np.divmod(gt_key, max(overlap.gt.count, 1))
    pred_unit, pred_of = np.divmod(pred_key, max(overlap.pred.count, 1))
    return SegmentTable(
        overlap=overlap,
        unit=unit,
        gt_index=gt_index,
        pred_index=pred_index,
        pixels=pixels,
        gt_segment=gt_segment,
        pred_segment=pred_segment,
        gt_of=gt_of,
        pred_of=pred_of,
        gt_unit=gt_unit,
        pred_unit=pred_unit,
        gt_pixels=_sum_groups(gt_segment, pixels, len(gt_of)),
        pred_pixels=_sum_groups(pred_segment, pixels, len(pred_of)),
    )


def _join_windows(
    overlap: SequenceOverlap, window: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Join equal pairs of codes within every window of consecutive frames."""
    last_start = overlap.frame_count - window
    # One row for each place in the window, so that the keys are as many ascending stretches.
    starts = overlap.frame - np.arange(window)[:, None]
    inside = (starts >= 0) & (starts <= last_start)
    entry = np.nonzero(inside)[1]
    pair = overlap.gt_index[entry] * overlap.pred.count + overlap.pred_index[entry]
    pair_count = max(overlap.gt.count * overlap.pred.count, 1)
    keys, group = number_keys(starts[inside] * pair_count + pair)
    unit, pair = np.divmod(keys, pair_count)
    gt_index, pred_index = np.divmod(pair, max(overlap.pred.count, 1))
    return unit, gt_index, pred_index, _sum_groups(group, overlap.pixels[entry], len(keys))


@dataclass(frozen=True, eq=False, slots=True)
class Matches:
    """Pairs of segments with an IoU above one half.

    Segments of a unit do not overlap, so each is in at most one pair, and no assignment is needed.

    Attributes:
        gt_segment: ``int64`` of shape ``(m,)``.
        pred_segment: ``int64`` of shape ``(m,)``.
        iou: ``float64`` of shape ``(m,)``, in ``(0.5, 1]``.
    """

    gt_segment: NDArray[np.int64]
    pred_segment: NDArray[np.int64]
    iou: NDArray[np.float64]


def match_segments(
    table: SegmentTable,
    candidates: NDArray[np.bool_],
    *,
    ignored: NDArray[np.int64] | None = None,
    single_precision: bool = False,
) -> Matches:
    """Find the entries whose segments overlap by more than half of their union.

    Args:
        table: Segments.
        candidates: ``(n,)`` entries that may match.
        ignored: ``(p,)`` pixels of each predicted segment that are excluded from the union.
        single_precision: Divide in ``float32``, as one released code does.
    """
    gt_segment, pred_segment, shared, union = pair_overlaps(table, candidates, ignored)
    if single_precision:
        iou = (shared.astype(np.float32) / union.astype(np.float32)).astype(np.float64)
        matched = iou > 0.5
    else:
        iou = shared / union
        matched = 2 * shared > union  # integers, so that exactly one half is exact
    return Matches(gt_segment[matched], pred_segment[matched], iou[matched])


def pair_overlaps(
    table: SegmentTable, candidates: NDArray[np.bool_], ignored: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return both segments of each candidate, their shared pixels, and the pixels of the union.

    The arguments are those of :func:`match_segments`.
    """
    gt_segment, pred_segment = table.gt_segment[candidates], table.pred_segment[candidates]
    shared = table.pixels[candidates]
    union = table.gt_pixels[gt_segment] + table.pred_pixels[pred_segment] - shared
    if ignored is not None:
        union -= ignored[pred_segment]
    return gt_segment, pred_segment, shared, union


@dataclass(frozen=True, eq=False, kw_only=True)
class SwitchCounts(Additive):
    """Switches of every class.

    Attributes:
        count: ``int64`` of shape ``(classes,)``: matches with another identity than before.
        soft: ``float64`` of shape ``(classes,)``: sum of the IoU of these matches.
    """

    count: NDArray[np.int64]
    soft: NDArray[np.float64]


class SwitchCounter:
    """Counts the matches of ground-truth segments with another identity than before.

    Args:
        labels: Label space.
        over_gaps: Compare with the last match in any earlier frame (Hurtado et al. 2020).
            Otherwise compare only with a match in the previous frame (Fong et al. 2022).
    """

    def __init__(self, labels: LabelSpace, *, over_gaps: bool) -> None:
        self._labels = labels
        self._over_gaps = over_gaps
        none = np.zeros(0, dtype=np.int64)
        self._last = none, none, none  # of each track: row, frame and predicted row
        self._found: list[tuple[NDArray[np.int64], ...]] = [self._last]  # row, frame and class
        self._weights = [np.zeros(0)]

    def add(self, table: SegmentTable, matches: Matches) -> None:
        """Count the next frames.

        Args:
            table: Segments of frames.
            matches: Matches of the same class.
        """
        last_row, last_frame, last_pred = self._last
        gt_row = np.concatenate([last_row, table.gt_of[matches.gt_segment]])
        frame = np.concatenate([last_frame, table.gt_unit[matches.gt_segment]])
        order = np.lexsort((frame, gt_row))
        gt_row, frame = gt_row[order], frame[order]
        pred_row = np.concatenate([last_pred, table.pred_of[matches.pred_segment]])[order]
        same = gt_row[1:] == gt_row[:-1]
        switched = same & (pred_row[1:] != pred_row[:-1])
        if not self._over_gaps:
            switched &= frame[1:] == frame[:-1] + 1
        weights = np.concatenate([np.zeros(len(last_row)), matches.iou])[order][1:][switched]
        rows = table.overlap.gt.class_row[gt_row[1:][switched]]
        self._found.append((gt_row[1:][switched], frame[1:][switched], rows))
        self._weights.append(weights)
        is_last = np.append(~same, np.ones(min(len(gt_row), 1), dtype=np.bool_))
        self._last = gt_row[is_last], frame[is_last], pred_row[is_last]

    def sums(self) -> SwitchCounts:
        """Return the switches so far, added in order of tracks, then frames."""
        gt_row, frame, rows = map(np.concatenate, zip(*self._found, strict=True))
        order = np.lexsort((frame, gt_row))
        weights = np.concatenate(self._weights)[order]
        class_count = len(self._labels.class_ids)
        return SwitchCounts(
            count=np.bincount(rows, minlength=class_count).astype(np.int64),
            soft=np.bincount(rows[order], weights=weights, minlength=class_count).astype(
                np.float64
            ),
        )


def count_switches(table: SegmentTable, matches: Matches, *, over_gaps: bool) -> SwitchCounts:
    """Count the switches of a whole sequence, see :class:`SwitchCounter`."""
    counter = SwitchCounter(table.overlap.labels, over_gaps=over_gaps)
    counter.add(table, matches)
    return counter.sums()
