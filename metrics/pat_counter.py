"""Counting for PAT and related scores: all variants of :mod:`mapt_bench.metrics.pat`."""

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import ID_LIMIT, LabelSpace
from mapt_bench.metrics._tq import TrackCounter
from mapt_bench.metrics.arithmetic import number_keys
from mapt_bench.metrics.matching import SegmentTable, SwitchCounter, segment_table
from mapt_bench.metrics.overlap import SegmentKinds, SequenceOverlap
from mapt_bench.metrics.pat import (
    Arithmetic,
    Ids,
    PatSums,
    PatTerms,
    PatVariant,
    SegmentSums,
    TubeSums,
    pat_terms,
)
from mapt_bench.metrics.pq import count_panoptic, no_counts, panoptic_matches
from mapt_bench.metrics.stq import AssociationCounter, class_confusion, no_confusion

__all__ = ["PatCounter", "count_pat", "count_pat_terms"]

_MIN_POINTS = 30


def _identities(pred: SegmentKinds) -> dict[str, NDArray[np.int64]]:
    """Return the identity of each predicted code for each definition, -1 for none."""
    own = np.arange(pred.count)
    bare = number_keys(pred.codes & np.uint32(ID_LIMIT - 1))[1]
    return {
        "all": np.where(pred.is_void, -1, own),
        "things": np.where(pred.is_thing, own, -1),
        "bare": np.where(pred.is_thing, bare, -1),
    }


class PatCounter:
    """Sums up every variant over one sequence, part by part.

    Args:
        labels: Label space.
        pred: Distinct predicted codes of the sequence.
    """

    def __init__(self, labels: LabelSpace, pred: SegmentKinds) -> None:
        self._confusion = no_confusion(labels)
        self._exact = _SegmentCounter(labels, "exact")
        self._float32 = _SegmentCounter(labels, "float32")
        self._minimum = _SegmentCounter(labels, "minimum")
        self._tracks_all = _track_counter(pred, "all")
        self._tracks_things = _track_counter(pred, "things")
        self._tracks_bare = _track_counter(pred, "bare")
        self._tracks_float32 = _track_counter(pred, "all", "float32")
        self._tracks_minimum = _track_counter(pred, "all", "minimum")
        self._tubes = _tube_counter(pred, "all")
        self._tubes_bare = _tube_counter(pred, "bare")
        self._tubes_minimum = _tube_counter(pred, "all", "minimum")

    def add(self, overlap: SequenceOverlap) -> None:
        """Count the next frames."""
        valid = _valid(overlap)
        self._confusion += class_confusion(valid)
        table = segment_table(valid)
        for segments in (self._exact, self._float32, self._minimum):
            segments.add(table)
        for counter in (
            *(self._tracks_all, self._tracks_things, self._tracks_bare),
            *(self._tracks_float32, self._tracks_minimum),
            *(self._tubes, self._tubes_bare, self._tubes_minimum),
        ):
            counter.add(valid)

    def sums(self) -> PatSums:
        """Return the sums so far."""
        return PatSums(
            confusion=self._confusion.copy(),
            segments_exact=self._exact.sums(),
            segments_float32=self._float32.sums(),
            segments_minimum=self._minimum.sums(),
            tracks_all=self._tracks_all.sums(),
            tracks_things=self._tracks_things.sums(),
            tracks_bare=self._tracks_bare.sums(),
            tracks_float32=self._tracks_float32.sums(),
            tracks_minimum=self._tracks_minimum.sums(),
            tubes=_tube_sums(self._tubes),
            tubes_bare=_tube_sums(self._tubes_bare),
            tubes_minimum=_tube_sums(self._tubes_minimum),
        )


def count_pat(overlap: SequenceOverlap) -> PatSums:
    """Sum up every variant over one whole sequence."""
    counter = PatCounter(overlap.labels, overlap.pred)
    counter.add(overlap)
    return counter.sums()


def count_pat_terms(overlap: SequenceOverlap, variant: PatVariant) -> PatTerms:
    """Count the terms of one variant only: those of ``count_pat(overlap).terms(variant)``."""
    valid = _valid(overlap)
    segments = _SegmentCounter(overlap.labels, variant.arithmetic)
    segments.add(segment_table(valid))
    tracks = _track_counter(valid.pred, variant.ids, variant.arithmetic)
    tracks.add(valid)
    tubes = _tube_counter(valid.pred, variant.ids, variant.arithmetic)
    tubes.add(valid)
    return pat_terms(class_confusion(valid), segments.sums(), tracks.sums(), _tube_sums(tubes))


def _valid(overlap: SequenceOverlap) -> SequenceOverlap:
    return overlap.only(~(overlap.gt.is_void | overlap.gt.is_crowd)[overlap.gt_index])


def _least(arithmetic: Arithmetic) -> int:
    return _MIN_POINTS if arithmetic == "minimum" else 0


class _SegmentCounter:
    def __init__(self, labels: LabelSpace, arithmetic: Arithmetic) -> None:
        self._arithmetic = arithmetic
        self._panoptic = no_counts(labels)
        self._switches = SwitchCounter(labels, over_gaps=False)

    def add(self, table: SegmentTable) -> None:
        matches = panoptic_matches(table, single_precision=self._arithmetic == "float32")
        self._panoptic = count_panoptic(
            table, matches, min_pixels=_least(self._arithmetic), before=self._panoptic
        )
        self._switches.add(table, matches)

    def sums(self) -> SegmentSums:
        return SegmentSums(panoptic=self._panoptic, switches=self._switches.sums())


def _track_counter(pred: SegmentKinds, ids: Ids, arithmetic: Arithmetic = "exact") -> TrackCounter:
    identity = _identities(pred)[ids]
    if ids == "bare":  # a bare id of 0 is no partner, but it is a tube
        identity = np.where(pred.is_crowd, -1, identity)
    return TrackCounter(
        identity, min_pixels=_least(arithmetic), single_precision=arithmetic == "float32"
    )


def _tube_counter(
    pred: SegmentKinds, ids: Ids, arithmetic: Arithmetic = "exact"
) -> AssociationCounter:
    tube = np.where(pred.is_thing, np.arange(pred.count), -1)
    shared = None
    if ids == "bare":
        tube = _identities(pred)["bare"]
        # Stuff and void have a bare id of 0, so their pixels count in intersections with that tube.
        zero = tube[pred.is_crowd].max(initial=-1)
        shared = np.where(pred.is_thing, tube, zero)
    return AssociationCounter(tube, shared, _least(arithmetic))


def _tube_sums(counter: AssociationCounter) -> TubeSums:
    association, tube_count = counter.sums()
    return TubeSums(association=association, tube_count=tube_count)
