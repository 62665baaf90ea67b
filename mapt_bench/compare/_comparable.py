"""What makes two results comparable: their protocol, their inputs, the classes averaged.

The headline PQ and LSTQ average over the classes that occur in the ground truth or the prediction,
absent ones counting 0. A tracker that begins to predict one more class is then averaged over one
more, and its score moves without any segment having changed. Differences are therefore taken over
the classes of both sides.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mapt_bench.errors import DataError
from mapt_bench.results.result_files import ResultFile, ResultRow

__all__ = [
    "check_comparable",
    "origin_notes",
    "over_common_classes",
]

_PROTOCOL = ("pat", "dataset", "label_space", "segments", "missing")


def check_comparable(
    pairs: Sequence[tuple[ResultRow, ResultRow]], before: ResultFile, after: ResultFile
) -> None:
    """Refuse results whose scores do not mean the same.

    Args:
        pairs: Matched rows, the earlier one first.
        before: The earlier file.
        after: The later one.

    Raises:
        DataError: If what both sides of a pair state of their protocol differs.
    """
    differing: dict[str, None] = {}
    for old, new in pairs:
        for field in _PROTOCOL:
            if field in old.protocol and field in new.protocol:
                was, now = _text(old.protocol[field]), _text(new.protocol[field])
                if was != now:
                    differing[f"{field} ({was} then, {now} now)"] = None
    if differing:
        raise DataError(
            f"cannot be compared with {before.path}: they differ in {'; '.join(differing)}. "
            "Score both under the same protocol and data set",
            where=after.path,
        )


def origin_notes(before: ResultFile, after: ResultFile) -> list[str]:
    """Return notes on inputs of the same kind that differ."""
    notes = []
    for name, was in before.origin.items():
        now = after.origin.get(name, was)
        if now != was:
            what = "seeds" if name == "seed" else f"fingerprints of the {name}"
            notes.append(
                f"the {what} differ ({was[:12]} then, {now[:12]} now); "
                "the change may come from there"
            )
    return notes


def over_common_classes(old: ResultRow, new: ResultRow) -> tuple[ResultRow, ResultRow, str | None]:
    """Average both results over the classes that either of them averages over.

    A class outside a result's own set counts 0 there, so that PQ shrinks by the ratio of the
    numbers of classes, LSTQ by its square root, and PAT follows from PQ and TQ: exactly what
    ``evaluate --common-classes`` gives of both. The scores of single sequences cannot be brought
    to other classes and are left out for these three.

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
        f"{old.name}: the classes averaged differ ({'; '.join(parts)}); differences of PAT, PQ and "
        f"LSTQ are over all {size} of them"
    )
    return _averaged_over(old, size), _averaged_over(new, size), note


def _averaged_over(row: ResultRow, size: int) -> ResultRow:
    # Here, because only results over unequal classes need the package of formulas, and scipy.
    from mapt_bench.metrics.scores import CLASS_AVERAGES, averaged_over_more

    scores = averaged_over_more(row.scores, len(row.protocol["classes"]) / size)
    sequences = {
        sequence: {name: value for name, value in entry.items() if name not in CLASS_AVERAGES}
        for sequence, entry in row.sequences.items()
    }
    return replace(row, scores=scores, sequences=sequences)


def _text(value: Any) -> str:  # noqa: ANN401 - a value of the JSON file
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
