"""Scores that are undefined because a prediction states no stuff, or no classes."""

from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any

from mapt_bench.data import MapFolder
from mapt_bench.errors import DataError, listed
from mapt_bench.evaluation.result import EvaluationResult
from mapt_bench.labels import LabelSpace
from mapt_bench.metrics import SCORE_NAMES

__all__ = ["lacking_reasons", "refuse_truth_without_classes", "without_lacking"]

_NEED_STUFF = frozenset({"PAT", "PQ", "PTQ", "sPTQ", "STQ", "SQ", "VPQ", "LSTQ", "DSTQ"})
_NEED_NO_CLASS = frozenset({"AQ"})
_CLASS_SCORES = ("PQ", "SQ", "RQ", "IoU")


def refuse_truth_without_classes(gt: MapFolder) -> None:
    """Refuse ground truth whose objects have no class.

    Raises:
        DataError: If the classes are unknown.
    """
    if gt.lacks.classes:
        raise DataError(
            f"states no class of its objects, and the label space {gt.labels.name!r} has several; "
            "write object_classes.yaml beside the maps ('default: car', or 'sequences: {NAME: "
            "{ID: CLASS}}'), or score objects without class with --dataset objects",
            where=gt.folder,
        )


def lacking_reasons(gt: MapFolder, pred: MapFolder, labels: LabelSpace) -> dict[str, str]:
    """Return the scores that a prediction cannot have, with the reason.

    Args:
        gt: Ground truth.
        pred: Prediction.
        labels: Label space of the scores.
    """
    reasons: dict[str, str] = {}
    if pred.lacks.stuff and not gt.lacks.stuff and labels.stuff_ids:
        why = (
            f"the prediction labels objects only ({pred.encoding}), the ground truth also has "
            "stuff; see HOTA, IDF1, MOTSA, TQ and AQ"
        )
        reasons.update(dict.fromkeys(sorted(_NEED_STUFF), why))
    if pred.lacks.classes:
        why = (
            f"the objects of the prediction ({pred.encoding}) have no class; state them in "
            "object_classes.yaml"
        )
        names = (*SCORE_NAMES, *_NEED_STUFF)
        reasons.update({name: why for name in names if name not in _NEED_NO_CLASS})
    return reasons


def without_lacking(
    result: EvaluationResult, reasons: Mapping[str, str], pred: MapFolder
) -> EvaluationResult:
    """Return a result in which the scores that a prediction cannot have are undefined.

    Args:
        result: Result as if the prediction had stuff and classes.
        reasons: Result of :func:`lacking_reasons`.
        pred: Prediction.
    """
    if not reasons:
        return result
    note = f"{listed(reasons)} are undefined: {next(iter(reasons.values()))}"
    return replace(
        result,
        scores=_without(result.scores, reasons),
        per_sequence={name: _without(one, reasons) for name, one in result.per_sequence.items()},
        per_class={
            number: _without(entry, _CLASS_SCORES)
            if pred.lacks.classes or not entry["is_thing"]
            else entry
            for number, entry in result.per_class.items()
        },
        blocks={},
        undefined={**result.undefined, **reasons},
        protocol={
            **result.protocol,
            "prediction_lacks": [
                name
                for name, is_lacking in (
                    ("stuff", pred.lacks.stuff),
                    ("classes", pred.lacks.classes),
                )
                if is_lacking
            ],
            "notes": [*result.protocol["notes"], note],
        },
        intervals=None
        if result.intervals is None
        else {name: one for name, one in result.intervals.items() if name not in reasons},
        differences=_without_differences(result.differences, reasons),
        losses=None,
        slices=None if pred.lacks.classes else result.slices,
    )


def _without(scores: Mapping[str, Any], names: Container[str]) -> dict[str, Any]:
    return {name: None if name in names else value for name, value in scores.items()}


def _without_differences(
    differences: dict[str, Any] | None, reasons: Mapping[str, str]
) -> dict[str, Any] | None:
    if differences is None:
        return None
    kept = {name: one for name, one in differences["scores"].items() if name not in reasons}
    return {**differences, "scores": kept}
