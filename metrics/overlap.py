"""Overlap tables: the number of pixels that ground-truth and predicted segments share.

The pixels of a frame are read once, here. Every score is computed from these tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ProtocolError
from mapt_bench.labels import (
    ID_BITS,
    ID_LIMIT,
    LabelSpace,
    PanopticMap,
    background_code,
    check_classes,
)
from mapt_bench.metrics.arithmetic import number_keys, sum_by_key, sum_by_key_roughly

__all__ = [
    "ENTRY",
    "FrameOverlap",
    "SegmentKinds",
    "SequenceOverlap",
    "count_overlap",
    "join_frames",
    "relabelled",
]


@dataclass(frozen=True, eq=False, slots=True)
class FrameOverlap:
    """Pixels shared by the segments of one frame, as a sparse table.

    Attributes:
        gt_codes: ``uint32`` of shape ``(n,)``: code ``class << 24 | id`` of the ground truth.
        pred_codes: ``uint32`` of shape ``(n,)``: code of the prediction.
        pixels: ``int64`` of shape ``(n,)``: pixels with both codes, above 0.
        gt_empty: Codes of ground-truth objects with an empty mask.
        pred_empty: Codes of predicted objects with an empty mask.
        stuff_with_ids: Classes of ground-truth stuff that had an identity, which is dropped.
    """

    gt_codes: NDArray[np.uint32]
    pred_codes: NDArray[np.uint32]
    pixels: NDArray[np.int64]
    gt_empty: tuple[int, ...] = ()
    pred_empty: tuple[int, ...] = ()
    stuff_with_ids: frozenset[int] = frozenset()


def count_overlap(gt: PanopticMap, pred: PanopticMap, labels: LabelSpace) -> FrameOverlap:
    """Count the pixels of every pair of codes that occurs in a frame.

    Identities of stuff and void have no meaning. They are set to 0 here, for all scores.

    Args:
        gt: Ground truth.
        pred: Prediction of the same size.
        labels: Label space of both.

    Raises:
        ProtocolError: If the sizes differ.
        DataError: If a class is outside the label space.

    Example:
        >>> from mapt_bench.labels import label_space
        >>> import numpy as np
        >>> road = PanopticMap(np.array([[0, 0, 0xFF000000]], dtype=np.uint32))
        >>> count_overlap(road, road, label_space("kitti-step")).pixels
        array([2, 1])
    """
    if gt.shape != pred.shape:
        raise ProtocolError(
            f"ground truth is {gt.shape[0]}x{gt.shape[1]} and prediction "
            f"{pred.shape[0]}x{pred.shape[1]} (height x width); both must have the same size"
        )
    pairs, pixels = _count_pairs(gt.codes.ravel(), pred.codes.ravel())
    codes = _split_pairs(pairs)
    classes = codes >> np.uint32(ID_BITS)
    if np.count_nonzero(labels.is_known_table[classes]) < classes.size:
        check_classes(codes[0], labels, where="ground truth")
        check_classes(codes[1], labels, where="prediction")
    has_id = codes & np.uint32(ID_LIMIT - 1) > 0
    dropped = has_id & ~labels.is_thing_table[classes]
    dropped &= codes != np.uint32(background_code(labels.ignore_label))
    stuff_with_ids: frozenset[int] = frozenset()
    if np.count_nonzero(dropped):  # faster than any() on a few entries
        stuff_with_ids = frozenset(classes[0][dropped[0]].tolist()) - {labels.ignore_label}
        codes[dropped] &= ~np.uint32(ID_LIMIT - 1)
        pairs, pixels = sum_by_key(codes[0].astype(np.uint64) << np.uint64(32) | codes[1], pixels)
        codes = _split_pairs(pairs)
    return FrameOverlap(codes[0], codes[1], pixels, gt.empty, pred.empty, stuff_with_ids)


def _split_pairs(pairs: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Return the codes of pairs, shape ``(2, n)``: ground truth, then prediction."""
    codes = np.empty((2, len(pairs)), dtype=np.uint32)
    np.right_shift(pairs, np.uint64(32), out=codes[0], casting="same_kind")
    codes[1] = pairs  # the low 32 bits
    return codes


_FEW = 1024
"""Stretches that are sorted at once, without the rough sums before."""


def _count_pairs(
    gt: NDArray[np.uint32], pred: NDArray[np.uint32]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the distinct pairs ``gt << 32 | pred``, ascending, and the pixels of each."""
    # Labels are constant over stretches of a row, so stretches are counted instead of pixels:
    # a few thousand of them are sorted where half a million pixels would be.
    changes = gt[1:] != gt[:-1]
    changes |= pred[1:] != pred[:-1]
    (inner,) = changes.nonzero()
    bounds = np.zeros(len(inner) + 2, dtype=np.int64)
    bounds[1:-1] = inner
    bounds[1:-1] += 1
    bounds[-1] = gt.size
    starts = bounds[:-1]
    lengths = bounds[1:] - starts
    pairs = gt[starts].astype(np.uint64) << np.uint64(32) | pred[starts]
    if len(pairs) > _FEW:
        pairs, lengths = sum_by_key_roughly(pairs, lengths)
    return sum_by_key(pairs, lengths)


@dataclass(frozen=True, eq=False, slots=True)
class SegmentKinds:
    """Properties of the distinct codes of one side of a sequence. Arrays of shape ``(n,)``.

    Attributes:
        codes: ``uint32``, ascending.
        class_row: ``int64``: position of the class in ``labels.class_ids``. For void, the number
            of classes.
        is_thing: Whether the class has identities.
        is_void: Whether the code is void.
        is_background: Whether the code is void without an object, see ``labels.BACKGROUND_ID``.
        is_crowd: Whether the code is a thing with identity 0: crowd in ground truth, an ordinary
            identity in predictions.
    """

    codes: NDArray[np.uint32]
    class_row: NDArray[np.int64]
    is_thing: NDArray[np.bool_]
    is_void: NDArray[np.bool_]
    is_background: NDArray[np.bool_]
    is_crowd: NDArray[np.bool_]

    @classmethod
    def of(cls, codes: NDArray[np.uint32], labels: LabelSpace) -> "SegmentKinds":
        """Return the kinds of codes in a label space."""
        classes = (codes >> np.uint32(ID_BITS)).astype(np.int64)
        is_thing = labels.is_thing_table[classes]
        is_void = classes == labels.ignore_label
        row = np.searchsorted(labels.class_ids, classes).astype(np.int64)
        return cls(
            codes=codes,
            class_row=np.where(is_void, len(labels.class_ids), row),
            is_thing=is_thing,
            is_void=is_void,
            is_background=codes == background_code(labels.ignore_label),
            is_crowd=is_thing & (codes & np.uint32(ID_LIMIT - 1) == 0),
        )

    @property
    def count(self) -> int:
        """Number of distinct codes."""
        return len(self.codes)


ENTRY = np.dtype([("frame", "<i4"), ("gt", "<u4"), ("pred", "<u4"), ("pixels", "<i4")])
"""One entry of the joined tables: frame, code of the ground truth and of the prediction, pixels."""


@dataclass(frozen=True, eq=False, slots=True)
class SequenceOverlap:
    """The overlap tables of all frames of one sequence, joined.

    Attributes:
        labels: Label space of both sides.
        frame_count: Number of frames.
        gt: Distinct ground-truth codes of the sequence.
        pred: Distinct predicted codes of the sequence.
        frame: ``int64`` of shape ``(n,)``: frame of each entry, ascending.
        gt_index: ``int64`` of shape ``(n,)``: row in ``gt``.
        pred_index: ``int64`` of shape ``(n,)``: row in ``pred``.
        pixels: ``int64`` of shape ``(n,)``: shared pixels, above 0.
        gt_empty: ``int64`` of shape ``(m, 2)``: frame and code of each ground-truth object with an
            empty mask. Parts of the table (:meth:`only`, :meth:`stretch`) have none.
        pred_empty: The same of predicted objects.
    """

    labels: LabelSpace
    frame_count: int
    gt: SegmentKinds
    pred: SegmentKinds
    frame: NDArray[np.int64]
    gt_index: NDArray[np.int64]
    pred_index: NDArray[np.int64]
    pixels: NDArray[np.int64]
    gt_empty: NDArray[np.int64] = field(default_factory=lambda: _frames_and_codes(()))
    pred_empty: NDArray[np.int64] = field(default_factory=lambda: _frames_and_codes(()))

    def rows(self) -> NDArray[np.void]:
        """Return the entries as an array of dtype :data:`ENTRY`, to be stored."""
        rows = np.zeros(len(self.pixels), ENTRY)
        rows["frame"], rows["pixels"] = self.frame, self.pixels
        rows["gt"] = self.gt.codes[self.gt_index]
        rows["pred"] = self.pred.codes[self.pred_index]
        return rows

    @classmethod
    def of_rows(
        cls, rows: NDArray[np.void], frame_count: int, labels: LabelSpace
    ) -> "SequenceOverlap":
        """Return the tables whose :meth:`rows` are these."""
        gt_codes, gt_index = number_keys(rows["gt"].astype(np.uint32))
        pred_codes, pred_index = number_keys(rows["pred"].astype(np.uint32))
        return cls(
            labels=labels,
            frame_count=frame_count,
            gt=SegmentKinds.of(gt_codes, labels),
            pred=SegmentKinds.of(pred_codes, labels),
            frame=rows["frame"].astype(np.int64),
            gt_index=gt_index,
            pred_index=pred_index,
            pixels=rows["pixels"].astype(np.int64),
        )

    def only(self, kept: NDArray[np.bool_]) -> "SequenceOverlap":
        """Return the table with some entries only, without the other pixels."""
        return SequenceOverlap(
            self.labels,
            self.frame_count,
            self.gt,
            self.pred,
            self.frame[kept],
            self.gt_index[kept],
            self.pred_index[kept],
            self.pixels[kept],
        )

    def stretch(self, first: int, end: int) -> "SequenceOverlap":
        """Return the frames from ``first`` to ``end`` (exclusive), numbered from 0."""
        low, high = np.searchsorted(self.frame, [first, end])
        return SequenceOverlap(
            self.labels,
            min(end, self.frame_count) - first,
            self.gt,
            self.pred,
            self.frame[low:high] - first,
            self.gt_index[low:high],
            self.pred_index[low:high],
            self.pixels[low:high],
        )


def relabelled(overlap: SequenceOverlap, pred_codes: NDArray[np.uint32]) -> SequenceOverlap:
    """Return the table of another prediction: all pixels of an entry get another predicted code.

    Args:
        overlap: Joined tables of one sequence.
        pred_codes: ``uint32`` of shape ``(n,)``: new predicted code of each entry. Entries of a
            frame that become equal are joined.
    """
    codes, pred_index = number_keys(pred_codes)
    count = max(len(codes), 1)
    pair_count = max(overlap.gt.count, 1) * count
    keys, group = number_keys(overlap.frame * pair_count + overlap.gt_index * count + pred_index)
    frame, pair = np.divmod(keys, pair_count)
    gt_index, pred_index = np.divmod(pair, count)
    pixels = np.bincount(group, weights=overlap.pixels, minlength=len(keys)).astype(np.int64)
    return SequenceOverlap(
        labels=overlap.labels,
        frame_count=overlap.frame_count,
        gt=overlap.gt,
        pred=SegmentKinds.of(codes, overlap.labels),
        frame=frame,
        gt_index=gt_index,
        pred_index=pred_index,
        pixels=pixels,
    )


def join_frames(frames: list[FrameOverlap], labels: LabelSpace) -> SequenceOverlap:
    """Join the tables of the frames of a sequence, in temporal order."""
    empty = np.zeros(0, dtype=np.uint32)
    gt_codes, gt_index = number_keys(np.concatenate([empty, *(frame.gt_codes for frame in frames)]))
    pred_codes, pred_index = number_keys(
        np.concatenate([empty, *(frame.pred_codes for frame in frames)])
    )
    return SequenceOverlap(
        labels=labels,
        frame_count=len(frames),
        gt=SegmentKinds.of(gt_codes, labels),
        pred=SegmentKinds.of(pred_codes, labels),
        frame=np.repeat(np.arange(len(frames)), [len(frame.pixels) for frame in frames]),
        gt_index=gt_index,
        pred_index=pred_index,
        pixels=np.concatenate([np.zeros(0, dtype=np.int64), *(frame.pixels for frame in frames)]),
        gt_empty=_frames_and_codes([frame.gt_empty for frame in frames]),
        pred_empty=_frames_and_codes([frame.pred_empty for frame in frames]),
    )


def _frames_and_codes(empty: Sequence[tuple[int, ...]]) -> NDArray[np.int64]:
    found = [(frame, code) for frame, codes in enumerate(empty) for code in codes]
    return np.array(found, dtype=np.int64).reshape(-1, 2)
