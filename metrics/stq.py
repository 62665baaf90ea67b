"""Segmentation and tracking quality, STQ (Weber et al. 2021, arXiv:2102.11859)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import LabelSpace
from mapt_bench.metrics.arithmetic import (
    Additive,
    Array,
    Block,
    defined,
    geometric_mean,
    mean_where,
    number_keys,
    plain,
    ratio,
)
from mapt_bench.metrics.overlap import SegmentKinds, SequenceOverlap
from mapt_bench.metrics.pair_sums import PairSums

__all__ = [
    "AssociationCounter",
    "StqCounter",
    "StqSums",
    "StqTerms",
    "class_confusion",
    "class_iou",
    "count_stq",
    "hits_and_union",
    "no_confusion",
    "stq_block",
    "stq_scores",
    "stq_values",
]


@dataclass(frozen=True, eq=False, kw_only=True)
class StqSums(Additive):
    """Sums of STQ.

    Attributes:
        confusion: ``int64`` of shape ``(classes + 1, classes + 1)``: pixels, with ground truth in
            rows and void last.
        association: Sum over ground-truth tubes of their association quality, each in ``[0, 1]``.
        tube_count: Ground-truth tubes.
        frame_count: Frames.
    """

    confusion: NDArray[np.int64]
    association: float
    tube_count: int
    frame_count: int

    def terms(self) -> "StqTerms":
        """Return what the scores are computed from."""
        confusion = self.confusion.copy()
        confusion[-1] = 0  # ground-truth void is left out, but void predicted on a class is not
        hits, union = hits_and_union(confusion)
        return StqTerms(
            hits=hits,
            union=union,
            association=np.asarray(self.association),
            tube_count=np.asarray(self.tube_count),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class StqTerms(Additive):
    """Sums from which STQ, AQ and SQ are computed. Leading axes are selections of sequences.

    Attributes:
        hits: ``(..., classes + 1)`` pixels of each class, and of void, that both sides share.
        union: ``(..., classes + 1)`` pixels of each class, and of void, on either side.
        association: ``(...)`` sum over ground-truth tubes of their association quality.
        tube_count: ``(...)`` ground-truth tubes.
    """

    hits: NDArray[np.int64]
    union: NDArray[np.int64]
    association: Array
    tube_count: NDArray[np.int64]


def class_confusion(overlap: SequenceOverlap) -> NDArray[np.int64]:
    """Count pixels by ground-truth and predicted class: ``int64``, ``(classes + 1,) * 2``."""
    size = len(overlap.labels.class_ids) + 1
    cell = (
        overlap.gt.class_row[overlap.gt_index] * size + overlap.pred.class_row[overlap.pred_index]
    )
    counts = np.bincount(cell, weights=overlap.pixels, minlength=size * size)
    return counts.astype(np.int64).reshape(size, size)


def no_confusion(labels: LabelSpace) -> NDArray[np.int64]:
    """Return the confusion of no frame."""
    return np.zeros((len(labels.class_ids) + 1,) * 2, dtype=np.int64)


class AssociationCounter:
    """Sums the association quality of ground-truth tubes (arXiv:2102.11859, eq. 3 and 4).

    A tube is a pair (thing class, id), in the ground truth and in the prediction. The classes of
    two tubes are not compared.

    Args:
        pred_tube: ``(rows of overlap.pred,)`` tube of each code, -1 for none.
        shared_tube: ``(rows of overlap.pred,)`` tube whose intersections the pixels of each code
            count in, -1 for none. By default ``pred_tube``, which decides the sizes.
        min_pixels: A frame adds to a tube only with more pixels than this. Shared pixels count in
            frames in which the ground-truth tube has more.
    """

    def __init__(
        self,
        pred_tube: NDArray[np.int64],
        shared_tube: NDArray[np.int64] | None = None,
        min_pixels: int = 0,
    ) -> None:
        self._pred_tube = pred_tube
        self._shared_tube = pred_tube if shared_tube is None else shared_tube
        self._min_pixels = min_pixels
        self._tube_count = int(pred_tube.max(initial=0)) + 1
        self._gt_size = np.zeros(0, dtype=np.int64)
        self._pred_size = np.zeros(self._tube_count, dtype=np.int64)
        self._shared = PairSums()

    def add(self, overlap: SequenceOverlap) -> None:
        """Count the next frames, given their entries without crowd."""
        tube = self._pred_tube[overlap.pred_index]
        is_gt = overlap.gt.is_thing[overlap.gt_index]
        gt_size, is_seen = _tube_sizes(
            overlap, overlap.gt_index, is_gt, overlap.gt.count, self._min_pixels
        )
        self._gt_size = gt_size if not self._gt_size.size else self._gt_size + gt_size
        self._pred_size += _tube_sizes(
            overlap, tube, tube >= 0, self._tube_count, self._min_pixels
        )[0]
        tube = self._shared_tube[overlap.pred_index]
        counted = is_seen & (tube >= 0)
        keys = overlap.gt_index[counted] * self._tube_count + tube[counted]
        self._shared.add(keys, overlap.pixels[counted])

    def sums(self) -> tuple[float, int]:
        """Return the sum over tubes, each in ``[0, 1]`` without a minimum, and their number."""
        gt, pred = np.divmod(self._shared.keys, self._tube_count)
        occurs = self._pred_size[pred] > 0
        gt, pred, shared = gt[occurs], pred[occurs], self._shared.values[occurs]
        union = self._gt_size[gt] + self._pred_size[pred] - shared
        quality = shared * shared / union / self._gt_size[gt]
        return float(quality.sum()), int((self._gt_size > 0).sum())


def _tube_sizes(
    overlap: SequenceOverlap,
    index: NDArray[np.int64],
    of_tube: NDArray[np.bool_],
    count: int,
    min_pixels: int,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the size of each tube, and which entries are of a tube in a frame that counts."""
    keys, group = number_keys(index[of_tube] * max(overlap.frame_count, 1) + overlap.frame[of_tube])
    areas = np.bincount(group, weights=overlap.pixels[of_tube], minlength=len(keys))
    grown = areas > min_pixels
    sizes = np.bincount(
        keys[grown] // max(overlap.frame_count, 1), weights=areas[grown], minlength=count
    )
    counts = of_tube.copy()
    counts[of_tube] = grown[group]
    return sizes.astype(np.int64), counts


class StqCounter:
    """Sums up STQ over one sequence, part by part.

    Crowd belongs to no tube on either side. Predicted tubes include void pixels.

    Args:
        labels: Label space.
        pred: Distinct predicted codes of the sequence. Each thing code is a tube.
    """

    def __init__(self, labels: LabelSpace, pred: SegmentKinds) -> None:
        self._confusion = no_confusion(labels)
        self._association = AssociationCounter(np.where(pred.is_thing, np.arange(pred.count), -1))

    def add(self, overlap: SequenceOverlap) -> None:
        """Count the next frames."""
        self._confusion += class_confusion(overlap)
        self._association.add(overlap.only(~overlap.gt.is_crowd[overlap.gt_index]))

    def sums(self, frame_count: int) -> StqSums:
        """Return the sums so far.

        Args:
            frame_count: Number of frames of the sequence.
        """
        association, tube_count = self._association.sums()
        return StqSums(
            confusion=self._confusion.copy(),
            association=association,
            tube_count=tube_count,
            frame_count=frame_count,
        )


def count_stq(overlap: SequenceOverlap) -> StqSums:
    """Sum up STQ over one whole sequence, see :class:`StqCounter`."""
    counter = StqCounter(overlap.labels, overlap.pred)
    counter.add(overlap)
    return counter.sums(overlap.frame_count)


def hits_and_union(
    confusion: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return intersection and union of each row of a confusion matrix, in pixels."""
    hits = np.diag(confusion)
    return hits, confusion.sum(axis=0) + confusion.sum(axis=1) - hits


def stq_values(terms: StqTerms) -> dict[str, Array]:
    """Return STQ, AQ and SQ of each selection, in ``[0, 1]``.

    Without a ground-truth tube, AQ is 0, as in the reference. Without a valid pixel, SQ and STQ are
    NaN.
    """
    segmentation = mean_where(ratio(terms.hits, terms.union), terms.union > 0)
    association = np.nan_to_num(ratio(terms.association, terms.tube_count))
    return {
        "STQ": geometric_mean(association, segmentation),
        "AQ": association,
        "SQ": segmentation,
    }


def stq_scores(sums: StqSums) -> dict[str, float | None]:
    """Return STQ, AQ and SQ of a sequence or a data set. Undefined scores are ``None``."""
    return plain(stq_values(sums.terms()))


def class_iou(sums: StqSums) -> NDArray[np.float64]:
    """Return the IoU of each class and, last, of void. SQ is the mean of these.

    Returns:
        ``(classes + 1,)``, each in ``[0, 1]``. NaN for a class that occurs on neither side.
    """
    terms = sums.terms()
    return ratio(terms.hits, terms.union)


def stq_block(sums: StqSums, labels: LabelSpace, *, with_length: bool = False) -> Block:
    """Return STQ, AQ, SQ and the IoU of each class.

    Args:
        sums: Sums of a sequence or a data set.
        labels: Label space.
        with_length: Whether to add the number of frames, as the reference does for a sequence.
    """
    iou = class_iou(sums)
    return {
        **stq_scores(sums),
        **({"length": sums.frame_count} if with_length else {}),
        "num_gt_tubes": sums.tube_count,
        "iou_per_class": {
            str(class_id): defined(iou[row]) for row, class_id in enumerate(labels.class_ids)
        },
        "num_classes_averaged": int((~np.isnan(iou)).sum()),
        "void_counted_as_class": bool(not np.isnan(iou[-1])),
    }
