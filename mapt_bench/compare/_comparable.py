"""Comparability of two results: their protocol, their inputs and their classes.

The headline PQ and LSTQ are means over the classes that occur in the ground truth or in the
prediction. If a tracker predicts one more class, its mean has one more class, and its score changes
although no other segment changed. So differences use the classes of both results.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from mapt_bench.errors import DataError, listed
from mapt_bench.results.result_files import ResultFile, ResultRow

__all__ = [
    "PROTOCOL",
    "check_comparable",
    "origin_notes",
    "over_common_classes",
]

PROTOCOL = (
    "metrics",
    "pat",
    "dataset",
    "label_space",
    "class_map",
    "segments",
    "missing",
    "vpq_windows",
)

_NONE_IF_ABSENT = ("class_map",)
"""Protocol fields that results without them had as null. Other absent fields are unknown."""

_SAME_INPUT = ("suite", "data", "segments")
"""Inputs that must be equal. Other weights or another seed only cause a note."""


def check_comparable(
    pairs: Sequence[tuple[ResultRow, ResultRow]], before: ResultFile, after: ResultFile
) -> None:
    """Refuse results of different protocols or of different ground truth.

    Other predictions are never a reason to refuse. A field that one side lacks is not compared.

    Args:
        pairs: Matched rows, the baseline first.
        before: File of the baseline.
        after: File of the current result.

    Raises:
        DataError: If a result states no protocol, or the two differ in protocol, suite version,
            ground truth or saved segments. The message names each difference.
    """
    for file in (before, after):
        if not all(row.protocol for row in file.rows.values()):
            raise DataError(
                "states no protocol, so its scores have no meaning; evaluate again with "
                "this version of mapt-bench",
                where=file.path,
            )
    differing = dict.fromkeys((*_other_inputs(before, after), *_other_protocols(pairs)))
    if differing:
        raise DataError(
            f"cannot be compared with {before.path}: they differ in {'; '.join(differing)}. "
            "Score both with the same protocol on the same ground truth",
            where=after.path,
        )


def _other_inputs(before: ResultFile, after: ResultFile) -> Iterator[str]:
    for name in _SAME_INPUT:
        was, now = before.origin.get(name), after.origin.get(name)
        if was is not None and now is not None and was != now:
            what = name if name == "suite" else f"fingerprint of the {name}"
            yield f"{what} ({_short(was)} then, {_short(now)} now)"
            return  # data of another suite differ as well


def _other_protocols(pairs: Sequence[tuple[ResultRow, ResultRow]]) -> Iterator[str]:
    for old, new in pairs:
        for field in PROTOCOL:
            is_known = field in old.protocol and field in new.protocol
            if is_known or field in _NONE_IF_ABSENT:
                was, now = _text(old.protocol.get(field)), _text(new.protocol.get(field))
                if was != now:
                    yield f"{field} ({was} then, {now} now)"
        other = [
            sequence
            for sequence, was in old.ground_truth.items()
            if new.ground_truth.get(sequence, was) != was
        ]
        if other:
            yield f"fingerprint of the ground truth of {listed(other)}"


def origin_notes(before: ResultFile, after: ResultFile) -> list[str]:
    """Return one note for each input that may differ and does: weights or seed."""
    notes = []
    for name, was in before.origin.items():
        now = after.origin.get(name, was)
        if now != was and name not in _SAME_INPUT:
            what = "seeds" if name == "seed" else f"fingerprints of the {name}"
            notes.append(
                f"the {what} differ ({was[:12]} then, {now[:12]} now); this may cause the change"
            )
    return notes


def _short(value: str) -> str:
    return value if " " in value else value[:12]


def over_common_classes(old: ResultRow, new: ResultRow) -> tuple[ResultRow, ResultRow, str | None]:
    """Average both results over the classes that occur in either of them.

    A class outside a result's own set counts 0 there. So PQ is multiplied by the ratio of the
    numbers of classes, and LSTQ by its square root. PAT follows from PQ and TQ. This is exactly
    the result of ``evaluate --common-classes``. Scores of single sequences cannot be converted, so
    these three are removed from them.

    Returns:
        Both rows, and a note. If the classes are equal or unknown, the rows are unchanged and the
        note is ``None``.
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
    # Imported here, because only results over different classes need NumPy and the formulas.
    from mapt_bench.metrics.scores import CLASS_AVERAGES, averaged_over_more

    scores = averaged_over_more(row.scores, len(row.protocol["classes"]) / size)
    sequences = {
        sequence: {name: value for name, value in entry.items() if name not in CLASS_AVERAGES}
        for sequence, entry in row.sequences.items()
    }
    return replace(row, scores=scores, sequences=sequences)


def _text(value: Any) -> str:  # noqa: ANN401 - a value of the JSON file
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
