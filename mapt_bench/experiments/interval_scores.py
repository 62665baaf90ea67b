"""PAT, TQ, STQ, AQ and AssA of many selections of sequences at once, for resampling.

The formulas are those of :func:`~mapt_bench.metrics.scores.flat_scores`, with which tests hold
them equal. That reads a sum of sequences out of dataclasses and gives some twenty scores; a table
of intervals asks for five scores of a few hundred thousand sums.
"""

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import LabelSpace
from mapt_bench.metrics import SequenceSums
from mapt_bench.metrics.hota import ALPHAS
from mapt_bench.metrics.pat import PatVariant
from mapt_bench.metrics.ratios import ratio
from mapt_bench.metrics.tracking import ClassTrackingSums

__all__ = ["INTERVAL_SCORES", "interval_scores", "interval_sums"]

INTERVAL_SCORES = ("PAT", "TQ", "STQ", "AQ", "AssA")
"""Scores that get intervals and paired differences: those that linking changes most."""

_Array = NDArray[np.float64]


def interval_sums(sums: SequenceSums, variant: PatVariant) -> _Array:
    """Return what the scores of :data:`INTERVAL_SCORES` are computed from, as one row.

    Rows of sequences add up to the row of all of them.

    Args:
        sums: Of a sequence.
        variant: Which PAT is meant.
    """
    panoptic = sums.pat.segments(variant).panoptic
    tracks, stq = sums.pat.tracks(variant), sums.stq
    occurs = (sums.pat.confusion.sum(axis=0) + sums.pat.confusion.sum(axis=1))[:-1]
    confusion = stq.confusion.copy()
    confusion[-1] = 0  # as class_iou has it
    hits = np.diag(confusion)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - hits
    parts = (
        *(panoptic.iou_sum, panoptic.tp + panoptic.fp / 2 + panoptic.fn / 2, occurs, hits, union),
        (tracks.quality, tracks.track_count, stq.association, stq.tube_count),
        *(part for each in sums.tracking.classes for part in _assa_parts(each)),
    )
    return np.concatenate([np.asarray(part, dtype=np.float64) for part in parts])


def _assa_parts(sums: ClassTrackingSums) -> tuple[_Array, _Array, _Array]:
    """Return what AssA of a thing class is computed from: true masks, then sums by threshold."""
    return np.atleast_1d(sums.clear.tp + sums.clear.fn), sums.hota.association, sums.hota.tp


def interval_scores(sums: _Array, labels: LabelSpace, variant: PatVariant) -> _Array:
    """Return the scores of sums.

    Args:
        sums: ``(selections, n)``, rows as of :func:`interval_sums` or sums of such.
        labels: Label space.
        variant: Which PAT is meant.

    Returns:
        ``(selections, 5)`` in the order of :data:`INTERVAL_SCORES`; NaN where undefined.
    """
    count = len(labels.class_ids)
    ends = np.cumsum([count, count, count, count + 1, count + 1, 4])
    iou_sum, weight, occurs, hits, union, rest, tracked = np.split(sums, ends, axis=1)
    averaged = occurs > 0 if variant.present_only else np.ones_like(occurs, dtype=bool)
    quality = _mean(np.nan_to_num(ratio(iou_sum, weight)), averaged)
    segmentation = _mean(ratio(hits, union), union > 0)
    track_quality, tracks, associated, tubes = rest.T
    tracking = ratio(track_quality, tracks)
    association = np.nan_to_num(ratio(associated, tubes))
    pat = ratio(2 * quality * tracking, quality + tracking)
    stq, assa = np.sqrt(association * segmentation), _assa(tracked, len(labels.thing_ids))
    return np.stack([pat, tracking, stq, association, assa], axis=1)


def _assa(sums: _Array, classes: int) -> _Array:
    """Return AssA, the mean over thresholds and over the thing classes that occur."""
    of_class = sums.reshape(len(sums), classes, 1 + 2 * len(ALPHAS))
    association, tp = np.split(of_class[..., 1:], 2, axis=-1)
    return _mean((association / np.maximum(1, tp)).mean(axis=-1), of_class[..., 0] > 0)


def _mean(values: _Array, chosen: NDArray[np.bool_]) -> _Array:
    """Return the mean of the chosen values of each row, NaN of none."""
    return ratio(np.where(chosen, values, 0).sum(axis=1), chosen.sum(axis=1))
