"""Scores of single classes, to name those that hold a mean down."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mapt_bench.labels import LabelSpace
from mapt_bench.metrics import SequenceSums, averaged_classes, pat_variant, pool
from mapt_bench.metrics.mot import class_measures

__all__ = ["averaged_class_names", "class_scores"]


def averaged_class_names(
    phases: Sequence[Sequence[SequenceSums]], labels: LabelSpace, pat_protocol: str
) -> list[str] | None:
    """Return the classes that PAT, PQ and LSTQ of a cell are averaged over.

    Args:
        phases: For each phase of the dropped frames the sums of its sequences.
        labels: Label space of the sums.
        pat_protocol: Which PAT is meant.

    Returns:
        Their names; ``None`` with several phases, whose mean is not one over classes.
    """
    if len(phases) > 1:
        return None
    averaged = averaged_classes(pool(phases[0]).pat, pat_variant(pat_protocol))
    return [labels.by_id(labels.class_ids[row]).name for row in np.flatnonzero(averaged)]


def class_scores(
    sequences: Sequence[SequenceSums], labels: LabelSpace, pat_protocol: str
) -> dict[str, dict[str, Any]]:
    """Return the scores of each class over pooled sequences.

    Args:
        sequences: Sums, one a sequence.
        labels: Label space of the sums.
        pat_protocol: Which PAT is meant.

    Returns:
        ``PQ`` by name of class, of those that the mean PQ is taken over (a class that is only
        predicted counts 0 there, and here); ``AssA`` by name of thing class, of those with ground
        truth. TQ has no parts: it is a mean over tracks of whatever class.
    """
    sums, variant = pool(sequences), pat_variant(pat_protocol)
    quality = np.nan_to_num(sums.pat.segments(variant).panoptic.quality)
    averaged = averaged_classes(sums.pat, variant)
    things = zip(labels.thing_ids, sums.tracking.classes, strict=True)
    return {
        "PQ": {
            labels.by_id(class_id).name: float(quality[row])
            for row, class_id in enumerate(labels.class_ids)
            if averaged[row]
        },
        "AssA": {
            labels.by_id(class_id).name: class_measures(of_class)["AssA"]
            for class_id, of_class in things
            if of_class.clear.tp + of_class.clear.fn > 0
        },
    }
