"""Mistakes of a prediction: the kind of each wrong entry of the overlap tables.

An entry of an overlap table is the pixels of one frame that a ground-truth segment shares with a
predicted segment. Each wrong entry has exactly one :class:`Mistake`. ``docs/losses.md`` has the
rules and their priority; :mod:`mapt_bench.metrics.repairs` undoes the mistakes.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from mapt_bench.metrics.matching import (
    SegmentTable,
    match_segments,
    pair_overlaps,
    segment_table,
)
from mapt_bench.metrics.overlap import SequenceOverlap

__all__ = ["KINDS", "LEAST_IOU", "NO_MISTAKE", "Mistake", "Mistakes"]

LEAST_IOU = 0.1
"""A segment is a poor mask of an object of its class from this IoU on, as in TIDE (Bolya et al.
2020). Below, the object is missed and the segment is spurious."""

NO_MISTAKE = -1


class Mistake(IntEnum):
    """Causes of loss. Those of one kind are neighbours, see :data:`KINDS`."""

    SWITCH = 0
    NEW_IDENTITY = 1
    MISSED_RECOVERY = 2
    WRONG_RECOVERY = 3
    MISSED = 4
    SPURIOUS = 5
    CLASS = 6
    TOO_SMALL = 7
    TOO_LARGE = 8
    MERGED = 9
    SPLIT = 10
    STUFF = 11


KINDS: dict[str, tuple[Mistake, ...]] = {
    "identity": (
        Mistake.SWITCH,
        Mistake.NEW_IDENTITY,
        Mistake.MISSED_RECOVERY,
        Mistake.WRONG_RECOVERY,
    ),
    "missed": (Mistake.MISSED,),
    "spurious": (Mistake.SPURIOUS,),
    "class": (Mistake.CLASS,),
    "masks": (Mistake.TOO_SMALL, Mistake.TOO_LARGE, Mistake.MERGED, Mistake.SPLIT),
    "stuff": (Mistake.STUFF,),
}
"""The causes of each kind of mistake, by name of the kind."""


@dataclass(frozen=True, eq=False, slots=True)
class Mistakes:
    """The partners of all segments of a sequence, and the mistake of each entry but identity.

    An *object* is a ground-truth segment of a thing in one frame, without crowd. It is *found* if
    it has a partner: one predicted segment of a thing.

    Attributes:
        table: Segments of the frames, with ``p`` predicted and ``g`` ground-truth segments.
        partner: ``int64`` of shape ``(g,)``: predicted segment of each found object, -1 for none.
        owner: ``int64`` of shape ``(p,)``: object of each predicted segment, -1 for none.
        class_differs: ``bool`` of shape ``(p,)``: whether the object has another class.
        is_object: ``bool`` of shape ``(g,)``.
        lost: ``int64`` of shape ``(g,)``: mistake that hides an object without a partner:
            ``MISSED``, ``MERGED`` or ``SPLIT``; ``NO_MISTAKE`` for all others.
        surplus: ``int64`` of shape ``(p,)``: mistake that made a segment of a thing without an
            object: ``SPURIOUS``, ``MERGED`` or ``SPLIT``; ``NO_MISTAKE`` for all others.
        entry: ``int64`` of shape ``(n,)``: mistake of each entry, or ``NO_MISTAKE``. Identities are
            not compared here.
    """

    table: SegmentTable
    partner: NDArray[np.int64]
    owner: NDArray[np.int64]
    class_differs: NDArray[np.bool_]
    is_object: NDArray[np.bool_]
    lost: NDArray[np.int64]
    surplus: NDArray[np.int64]
    entry: NDArray[np.int64]

    @classmethod
    def of(cls, overlap: SequenceOverlap) -> "Mistakes":
        """Find the mistakes of a sequence.

        Args:
            overlap: Joined tables. Their entries are those of the result's ``table``.
        """
        table = segment_table(overlap)
        gt, pred = overlap.gt, overlap.pred
        is_object = (gt.is_thing & ~gt.is_crowd)[table.gt_of]
        is_thing = pred.is_thing[table.pred_of]
        # Void and crowd are outside the union, as in PAT.
        outside = table.pred_sum(table.pixels * (gt.is_void | gt.is_crowd)[table.gt_index])
        pairs = is_object[table.gt_segment] & is_thing[table.pred_segment]
        same = pairs & (gt.class_row[table.gt_index] == pred.class_row[table.pred_index])
        partner, owner = _partners(table, pairs, same, outside)
        lost, surplus = _lost_and_surplus(table, same, outside, partner, owner)
        lost[~is_object | (partner >= 0)] = NO_MISTAKE
        surplus[~is_thing | (owner >= 0)] = NO_MISTAKE
        own_class = gt.class_row[table.gt_of[owner]] if len(table.gt_of) else owner
        class_differs = (owner >= 0) & (own_class != pred.class_row[table.pred_of])
        return cls(
            table=table,
            partner=partner,
            owner=owner,
            class_differs=class_differs,
            is_object=is_object,
            lost=lost,
            surplus=surplus,
            entry=_entries(table, is_object, is_thing, partner, class_differs, lost, surplus),
        )


def _partners(
    table: SegmentTable,
    pairs: NDArray[np.bool_],
    same: NDArray[np.bool_],
    outside: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair objects with segments: first by the match of PQ in any class, then poor masks."""
    partner = np.full(len(table.gt_of), -1, dtype=np.int64)
    owner = np.full(len(table.pred_of), -1, dtype=np.int64)
    matches = match_segments(table, pairs, ignored=outside)
    partner[matches.gt_segment] = matches.pred_segment
    owner[matches.pred_segment] = matches.gt_segment
    free = same & (partner[table.gt_segment] < 0) & (owner[table.pred_segment] < 0)
    gt_segment, pred_segment, shared, union = pair_overlaps(table, free, outside)
    iou = shared / union
    for at in np.lexsort((pred_segment, gt_segment, -iou)):
        one, other = gt_segment[at], pred_segment[at]
        if iou[at] >= LEAST_IOU and partner[one] < 0 and owner[other] < 0:
            partner[one], owner[other] = other, one
    return partner, owner


def _lost_and_surplus(
    table: SegmentTable,
    same: NDArray[np.bool_],
    outside: NDArray[np.int64],
    partner: NDArray[np.int64],
    owner: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the mistakes of objects and segments without a partner; those with one: ignore."""
    gt_segment, pred_segment = table.gt_segment, table.pred_segment
    lost = np.full(len(partner), Mistake.MISSED, dtype=np.int64)
    surplus = np.full(len(owner), Mistake.SPURIOUS, dtype=np.int64)

    # Merged: more than half of an object is in a segment of its class that has another object.
    inside = same & (2 * table.pixels > table.gt_pixels[gt_segment]) & (partner[gt_segment] < 0)
    guests = np.bincount(pred_segment[inside], minlength=len(owner))
    has_several = (owner >= 0) | (guests > 1)
    lost[gt_segment[inside & has_several[pred_segment]]] = Mistake.MERGED
    surplus[guests > 1] = Mistake.MERGED

    # Split: more than half of a segment is in an object of its class that has another segment.
    area = table.pred_pixels - outside
    part = same & (2 * table.pixels > area[pred_segment]) & (owner[pred_segment] < 0)
    part &= surplus[pred_segment] != Mistake.MERGED
    parts = np.bincount(gt_segment[part], minlength=len(partner))
    is_split = (partner >= 0) | ((parts > 1) & (lost != Mistake.MERGED))
    surplus[pred_segment[part & is_split[gt_segment]]] = Mistake.SPLIT
    lost[is_split] = Mistake.SPLIT
    return lost, surplus


def _entries(
    table: SegmentTable,
    is_object: NDArray[np.bool_],
    is_thing: NDArray[np.bool_],
    partner: NDArray[np.int64],
    class_differs: NDArray[np.bool_],
    lost: NDArray[np.int64],
    surplus: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the mistake of each entry. The order of the rules is their priority."""
    gt, pred = table.overlap.gt, table.overlap.pred
    gt_segment, pred_segment = table.gt_segment, table.pred_segment
    same_class = gt.class_row[table.gt_index] == pred.class_row[table.pred_index]
    on_object, by_thing = is_object[gt_segment], is_thing[pred_segment]
    wrong_class = class_differs[pred_segment]
    is_core = on_object & (partner[gt_segment] == pred_segment)
    # Crowd has no identity. A segment of its class is right, unless its class will be repaired.
    is_right = ~on_object & same_class & ~(by_thing & wrong_class)
    is_right &= gt.is_crowd[table.gt_index] | ~by_thing
    is_right |= gt.is_void[table.gt_index] & ~by_thing
    rules = (
        (is_core & wrong_class, Mistake.CLASS),
        (is_core | is_right, NO_MISTAKE),
        (lost[gt_segment] != NO_MISTAKE, lost[gt_segment]),
        (surplus[pred_segment] != NO_MISTAKE, surplus[pred_segment]),
        (by_thing, Mistake.TOO_LARGE),
        (on_object, Mistake.TOO_SMALL),
        (pred.is_void[table.pred_index] | gt.is_crowd[table.gt_index], Mistake.MISSED),
    )
    found = np.select(
        [applies for applies, _ in rules], [result for _, result in rules], Mistake.STUFF
    )
    return found.astype(np.int64)
