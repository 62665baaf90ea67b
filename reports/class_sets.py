"""Two results averaged over different classes, brought to the same ones.

The headline PQ and LSTQ average over the classes that occur in the ground truth or the prediction,
absent ones counting 0. A tracker that begins to predict one more class is then averaged over one
more, and its score would move without any segment having changed.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from mapt_bench.reports.result_files import ResultRow

__all__ = ["over_common_classes"]

_AVERAGED = ("PAT", "PQ", "LSTQ")
"""Headline scores that depend on which absent classes are averaged as 0."""


def over_common_classes(old: ResultRow, new: ResultRow) -> tuple[ResultRow, ResultRow, str | None]:
    """Average both results over the classes that either of them averages over.

    A class outside a result's own set counts 0 there, so that PQ shrinks by the ratio of the
    numbers of classes, LSTQ by its square root, and PAT follows from PQ and TQ: exactly what
    scoring both in one command gives. The scores of single sequences cannot be brought to other
    classes and are left out for these three.

    Returns:
        Both rows, and a note of what was done; the rows as they are and ``None`` where the sets
        are the same or not stated.
    """
    old_classes, new_classes = (set(row.protocol.get("classes", ())) for row in (old, new))
    if old_classes == new_classes or not old_classes or not new_classes:
        return old, new, None
    size = len(old_classes | new_classes)
    parts = [
        f"only {when}: {', '.join(sorted(map(str, only)))}"
        for when, only in (
            ("then", old_classes - new_classes),
            ("now", new_classes - old_classes),
        )
        if only
    ]
    note = (
        f"{old.name}: the classes averaged differ ({'; '.join(parts)}); PAT, PQ and LSTQ are "
        f"compared over all {size} of them."
    )
    return _averaged_over(old, size), _averaged_over(new, size), note


def _averaged_over(row: ResultRow, size: int) -> ResultRow:
    share = len(row.protocol["classes"]) / size
    scores = dict(row.scores)
    for name, factor in (("PQ", share), ("LSTQ", math.sqrt(share))):
        value = scores.get(name)
        if value is not None:
            scores[name] = value * factor
    if scores.get("PAT") is not None:
        scores["PAT"] = _harmonic_mean(scores)
    sequences = {
        sequence: {name: value for name, value in entry.items() if name not in _AVERAGED}
        for sequence, entry in row.sequences.items()
    }
    return replace(row, scores=scores, sequences=sequences)


def _harmonic_mean(scores: Mapping[str, float | None]) -> float | None:
    quality, tracking = scores.get("PQ"), scores.get("TQ")
    if quality is None or tracking is None or quality + tracking == 0:
        return None
    return 2 * quality * tracking / (quality + tracking)
