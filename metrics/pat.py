"""PAT, TQ, PTQ, sPTQ, LSTQ and related scores, in all variants of published numbers.

Definitions: Fong et al. 2022, "Panoptic nuScenes" (PAT, TQ); Hurtado et al. 2020 (PTQ, sPTQ);
Aygun et al. 2021 (LSTQ), as the nuScenes devkit computes them. Ground-truth void and crowd are
removed from both maps first.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import LabelSpace
from mapt_bench.metrics._tq import TrackSums
from mapt_bench.metrics.arithmetic import (
    Additive,
    Array,
    Block,
    geometric_mean,
    harmonic_mean,
    mean_where,
    plain,
    ratio,
)
from mapt_bench.metrics.matching import SwitchCounts
from mapt_bench.metrics.pq import PanopticCounts
from mapt_bench.metrics.stq import hits_and_union

__all__ = [
    "HEADLINE",
    "VARIANTS",
    "Arithmetic",
    "Ids",
    "PatSums",
    "PatTerms",
    "PatVariant",
    "SegmentSums",
    "TubeSums",
    "averaged_classes",
    "pat_block",
    "pat_scores",
    "pat_terms",
    "pat_values",
]

Ids = Literal["all", "things", "bare"]
Arithmetic = Literal["exact", "float32", "minimum"]


@dataclass(frozen=True, slots=True)
class PatVariant:
    """One variant of PAT and related scores.

    Attributes:
        name: Name in the golden cases.
        ids: Definition of a predicted identity: (class, id) of ``"all"`` segments or of
            ``"things"`` only, or the ``"bare"`` id of any class.
        present_only: Average over classes with a valid pixel on either side. Otherwise average
            over all classes, and absent classes count as 0.
        arithmetic: ``"exact"``, ``"float32"`` IoU as released, or ``"minimum"`` segment size of 30
            pixels.
    """

    name: str
    ids: Ids
    present_only: bool
    arithmetic: Arithmetic = "exact"


VARIANTS = {
    variant.name: variant
    for variant in (
        PatVariant("official", "all", present_only=False),
        PatVariant("official_float32", "all", present_only=False, arithmetic="float32"),
        PatVariant("present_classes", "all", present_only=True),
        PatVariant("thing_ids", "things", present_only=False),
        PatVariant("thing_ids_present_classes", "things", present_only=True),
        PatVariant("bare_ids", "bare", present_only=False),
        PatVariant("min_points_30", "all", present_only=False, arithmetic="minimum"),
    )
}
"""All variants by name, in the order of the golden cases."""

HEADLINE = "thing_ids_present_classes"
"""The variant of the headline scores: a perfect prediction scores 1 under it."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SegmentSums(Additive):
    """Matches and switches of every class."""

    panoptic: PanopticCounts
    switches: SwitchCounts


@dataclass(frozen=True, eq=False, kw_only=True)
class TubeSums(Additive):
    """Sum over ground-truth tubes of their association quality, and number of tubes."""

    association: float
    tube_count: int


@dataclass(frozen=True, eq=False, kw_only=True)
class PatSums(Additive):
    """Sums of all variants. Each variant reads its own fields.

    Attributes:
        confusion: ``int64`` of shape ``(classes + 1, classes + 1)``: valid pixels, void last.
    """

    confusion: NDArray[np.int64]
    segments_exact: SegmentSums
    segments_float32: SegmentSums
    segments_minimum: SegmentSums
    tracks_all: TrackSums
    tracks_things: TrackSums
    tracks_bare: TrackSums
    tracks_float32: TrackSums
    tracks_minimum: TrackSums
    tubes: TubeSums
    tubes_bare: TubeSums
    tubes_minimum: TubeSums

    def segments(self, variant: PatVariant) -> SegmentSums:
        """Return the matches and switches of a variant."""
        return {
            "exact": self.segments_exact,
            "float32": self.segments_float32,
            "minimum": self.segments_minimum,
        }[variant.arithmetic]

    def tracks(self, variant: PatVariant) -> TrackSums:
        """Return track qualities as a variant counts them."""
        if variant.arithmetic == "float32":
            return self.tracks_float32
        if variant.arithmetic == "minimum":
            return self.tracks_minimum
        return {"all": self.tracks_all, "things": self.tracks_things, "bare": self.tracks_bare}[
            variant.ids
        ]

    def tubes_of(self, variant: PatVariant) -> TubeSums:
        """Return tube associations as a variant counts them."""
        if variant.arithmetic == "minimum":
            return self.tubes_minimum
        return self.tubes_bare if variant.ids == "bare" else self.tubes

    def terms(self, variant: PatVariant) -> "PatTerms":
        """Return the terms of a variant."""
        return pat_terms(
            self.confusion, self.segments(variant), self.tracks(variant), self.tubes_of(variant)
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class PatTerms(Additive):
    """Sums from which the scores of one variant are computed.

    Leading axes are selections of sequences. For a single selection, ``...`` is empty.

    Attributes:
        panoptic: Matches, ``(..., classes)``.
        switches: Switches, ``(..., classes)``.
        occurs: ``(..., classes)`` valid pixels of each class on both sides together. A class with
            more than 0 is present.
        hits: ``(..., classes)`` valid pixels of each class that both sides share.
        union: ``(..., classes)`` valid pixels of each class on either side.
        track_quality: ``(...)`` sum over ground-truth tracks of their quality.
        track_count: ``(...)`` ground-truth tracks.
        association: ``(...)`` sum over ground-truth tubes of their association quality.
        tube_count: ``(...)`` ground-truth tubes.
    """

    panoptic: PanopticCounts
    switches: SwitchCounts
    occurs: NDArray[np.int64]
    hits: NDArray[np.int64]
    union: NDArray[np.int64]
    track_quality: Array
    track_count: NDArray[np.int64]
    association: Array
    tube_count: NDArray[np.int64]

    def averaged(self, variant: PatVariant) -> NDArray[np.bool_]:
        """Return which classes a variant averages over, ``(..., classes)``."""
        return np.asarray(self.occurs > 0) if variant.present_only else self.occurs >= 0


def pat_terms(
    confusion: NDArray[np.int64], segments: SegmentSums, tracks: TrackSums, tubes: TubeSums
) -> PatTerms:
    """Return the terms of one variant, given its sums and the confusion of valid pixels."""
    hits, union = hits_and_union(confusion)
    return PatTerms(
        panoptic=segments.panoptic,
        switches=segments.switches,
        occurs=(confusion.sum(axis=0) + confusion.sum(axis=1))[:-1],
        hits=hits[:-1],
        union=union[:-1],
        track_quality=np.asarray(tracks.quality),
        track_count=np.asarray(tracks.track_count),
        association=np.asarray(tubes.association),
        tube_count=np.asarray(tubes.tube_count),
    )


def pat_scores(
    sums: PatSums,
    labels: LabelSpace,
    variant: PatVariant,
    classes: NDArray[np.bool_] | None = None,
) -> dict[str, float | None]:
    """Return PAT, PQ, TQ, SQ, RQ, PTQ, sPTQ, LSTQ, S_assoc, S_cls, MOTSA, sMOTSA and MOTSP.

    All are in ``[0, 1]``, except PTQ, MOTSA and sMOTSA: switches and false positives can make
    these negative. Undefined scores are ``None``: TQ and PAT without a ground-truth track, and PAT
    if PQ and TQ are both 0.

    Args:
        sums: Sums of a sequence or a data set.
        labels: Label space.
        variant: Variant of PAT.
        classes: ``(classes,)`` classes to average over, instead of the variant's own. So two
            predictions can be compared over the same classes.
    """
    return plain(pat_values(sums.terms(variant), labels, variant, classes))


def pat_values(
    terms: PatTerms,
    labels: LabelSpace,
    variant: PatVariant,
    classes: NDArray[np.bool_] | None = None,
    names: Collection[str] | None = None,
) -> dict[str, Array]:
    """Return the scores of :func:`pat_scores` for each selection, NaN where undefined.

    Args:
        terms: Terms of one selection, or of many.
        labels: Label space.
        variant: Variant of the terms.
        classes: ``(classes,)`` classes to average over, instead of the variant's own.
        names: Requested scores. ``None`` for all. Only these are computed.
    """
    averaged = terms.averaged(variant) if classes is None else classes
    with_truth = terms.panoptic.tp + terms.panoptic.fn > 0

    def over(name: str, chosen: NDArray[np.bool_] = averaged) -> Array:
        return mean_where(_per_class(terms, name), chosen)

    def tracking() -> Array:
        return ratio(terms.track_quality, terms.track_count)

    def association() -> Array:
        return ratio(terms.association, terms.tube_count)

    formulas: dict[str, Callable[[], Array]] = {
        "PAT": lambda: harmonic_mean(over("PQ"), tracking()),
        "PQ": lambda: over("PQ"),
        "TQ": tracking,
        "SQ": lambda: over("SQ"),
        "RQ": lambda: over("RQ"),
        "PTQ": lambda: over("PTQ", with_truth),
        "sPTQ": lambda: over("sPTQ", with_truth),
        "LSTQ": lambda: geometric_mean(association(), over("IoU")),
        "S_assoc": association,
        "S_cls": lambda: over("IoU"),
        **_multi_object_formulas(terms, labels),
    }
    return {name: formulas[name]() for name in (formulas if names is None else names)}


def pat_block(sums: PatSums, labels: LabelSpace, variant: PatVariant) -> Block:
    """Return the scores of one variant, and a table per class (things first, then stuff)."""
    terms = sums.terms(variant)
    per_class = {name: _per_class(terms, name) for name in _PER_CLASS}
    averaged = averaged_classes(sums, variant)
    rows = {class_id: row for row, class_id in enumerate(labels.class_ids)}
    return {
        **pat_scores(sums, labels, variant),
        "num_gt_tracks": sums.tracks(variant).track_count,
        "per_class": {
            str(class_id): _class_entry(sums.segments(variant), per_class, rows[class_id])
            if averaged[rows[class_id]]
            else None
            for class_id in (*labels.thing_ids, *labels.stuff_ids)
        },
    }


def _class_entry(segments: SegmentSums, scores: dict[str, NDArray[np.float64]], row: int) -> Block:
    return {
        **{name: float(values[row]) for name, values in scores.items()},
        "tp": int(segments.panoptic.tp[row]),
        "fp": int(segments.panoptic.fp[row]),
        "fn": int(segments.panoptic.fn[row]),
        "iou_sum": float(segments.panoptic.iou_sum[row]),
        "ids": int(segments.switches.count[row]),
        "soft_ids": float(segments.switches.soft[row]),
    }


def averaged_classes(sums: PatSums, variant: PatVariant) -> NDArray[np.bool_]:
    """Return which classes a variant averages over; boolean of shape ``(classes,)``."""
    return sums.terms(variant).averaged(variant)


_PER_CLASS: Mapping[str, Callable[[PatTerms], Array]] = {
    "PQ": lambda terms: terms.panoptic.quality,
    "SQ": lambda terms: terms.panoptic.segmentation,
    "RQ": lambda terms: terms.panoptic.recognition,
    "PTQ": lambda terms: _less_switches(terms.panoptic, terms.switches.count),
    "sPTQ": lambda terms: _less_switches(terms.panoptic, terms.switches.soft),
    "IoU": lambda terms: ratio(terms.hits, terms.union),
}


def _per_class(terms: PatTerms, name: str) -> Array:
    """Return a score of every class. Undefined scores are 0, as in the devkit."""
    return np.nan_to_num(_PER_CLASS[name](terms))


def _less_switches(panoptic: PanopticCounts, switches: Array | NDArray[np.int64]) -> Array:
    """Return PQ with the switches taken from the IoU of matches, 0 without a match."""
    weight = panoptic.tp + panoptic.fp / 2 + panoptic.fn / 2
    return np.where(panoptic.tp > 0, ratio(panoptic.iou_sum - switches, weight), 0)


def _multi_object_formulas(terms: PatTerms, labels: LabelSpace) -> dict[str, Callable[[], Array]]:
    """Return formulas of MOTSA, sMOTSA and MOTSP, means over thing classes with ground truth."""
    panoptic, switches = terms.panoptic, terms.switches
    truth = panoptic.tp + panoptic.fn
    chosen = labels.is_thing_table[list(labels.class_ids)] & (truth > 0)

    def less_errors(matches: Array | NDArray[np.int64]) -> Array:
        errors = panoptic.fp + switches.count
        return mean_where((matches - errors) / np.maximum(truth, 1), chosen)

    return {
        "MOTSA": lambda: less_errors(panoptic.tp),
        "sMOTSA": lambda: less_errors(panoptic.iou_sum),
        "MOTSP": lambda: mean_where(panoptic.segmentation, chosen),
    }
