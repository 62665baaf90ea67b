"""The tracking block: HOTA, CLEAR and identity measures of every thing class."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from mapt_bench.labels import LabelSpace
from mapt_bench.metrics.additive import Additive
from mapt_bench.metrics.block import Block, BlockValue
from mapt_bench.metrics.clear import ClearSums, count_clear
from mapt_bench.metrics.detections import detections_of_class
from mapt_bench.metrics.hota import HotaSums, count_hota, hota_scores
from mapt_bench.metrics.identity import IdentitySums, count_identity
from mapt_bench.metrics.matching import SegmentTable
from mapt_bench.metrics.ratios import Array

__all__ = [
    "ClassTrackingSums",
    "TrackingSums",
    "class_measures",
    "class_values",
    "count_tracking",
    "sequence_tracking_block",
    "tracking_block",
]

_PUBLISHED_NAMES = {"person": "pedestrian"}
"""KITTI MOTS and TrackEval say pedestrian where the STEP data sets say person."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ClassTrackingSums(Additive):
    """What the tracking measures of one thing class sum up."""

    hota: HotaSums
    clear: ClearSums
    identity: IdentitySums


@dataclass(frozen=True, eq=False, kw_only=True)
class TrackingSums(Additive):
    """The sums of every thing class, in the order of ``labels.thing_ids``."""

    classes: tuple[ClassTrackingSums, ...]


def count_tracking(table: SegmentTable) -> TrackingSums:
    """Sum up one sequence, given the segments of its frames."""
    per_class = (
        detections_of_class(table, class_id) for class_id in table.overlap.labels.thing_ids
    )
    return TrackingSums(
        classes=tuple(
            ClassTrackingSums(
                hota=count_hota(detections),
                clear=count_clear(detections),
                identity=count_identity(detections),
            )
            for detections in per_class
        )
    )


def tracking_block(sums: TrackingSums, labels: LabelSpace) -> Block:
    """Return the measures per class and, for several classes, averaged and pooled over them."""
    per_class = {
        name: class_measures(part) for name, part in zip(_names(labels), sums.classes, strict=True)
    }
    block: Block = {"per_class": dict(per_class)}
    if len(per_class) > 1:
        block["class_averaged"] = _class_average(list(per_class.values()))
        block["detection_averaged"] = class_measures(reduce(add, sums.classes))
    return block


def sequence_tracking_block(sums: TrackingSums, labels: LabelSpace) -> Block:
    """Return the measures per class of one sequence.

    TrackEval leaves MOTSA and sMOTSA of a sequence without true masks at 0, whatever was
    predicted; over a data set such false alarms do count.
    """
    block: Block = {}
    for name, part in zip(_names(labels), sums.classes, strict=True):
        entry = class_measures(part)
        if part.clear.tp + part.clear.fn == 0:
            entry["MOTSA"] = entry["sMOTSA"] = 0.0
        block[name] = entry
    return block


def _names(labels: LabelSpace) -> list[str]:
    names = (labels.by_id(class_id).name for class_id in labels.thing_ids)
    return [_PUBLISHED_NAMES.get(name, name) for name in names]


def class_measures(sums: ClassTrackingSums) -> Block:
    """Return HOTA, CLEAR and identity measures of one class; 0 without any mask (LocA 1)."""
    return {
        **{name: float(value) for name, value in class_values(sums).items()},
        **_hota_counts(sums.hota),
        **_clear_counts(sums.clear),
        "IDTP": int(sums.identity.tp),
        "IDFP": int(sums.identity.fp),
        "IDFN": int(sums.identity.fn),
    }


def class_values(sums: ClassTrackingSums) -> dict[str, Array]:
    """Return the measures that are shares: for each selection one value, ``(...)``.

    Args:
        sums: Of one class; leading axes stand for many selections of sequences.
    """
    scores = hota_scores(sums.hota)
    clear, identity = sums.clear, sums.identity
    # The reference never divides by less than 1: a class without anything scores 0.
    truth = np.maximum(1, clear.tp + clear.fn)
    errors = clear.fp + clear.switches
    return {
        "HOTA": scores.hota.mean(axis=-1),
        "DetA": scores.deta.mean(axis=-1),
        "AssA": scores.assa.mean(axis=-1),
        "DetRe": scores.det_re.mean(axis=-1),
        "DetPr": scores.det_pr.mean(axis=-1),
        "AssRe": scores.ass_re.mean(axis=-1),
        "AssPr": scores.ass_pr.mean(axis=-1),
        "LocA": scores.loca.mean(axis=-1),
        "MOTSA": (clear.tp - errors) / truth,
        "sMOTSA": (clear.iou_sum - errors) / truth,
        "MOTSP": clear.iou_sum / np.maximum(1, clear.tp),
        "IDF1": identity.tp / np.maximum(1, identity.tp + identity.fp / 2 + identity.fn / 2),
        "IDP": identity.tp / np.maximum(1, identity.tp + identity.fp),
        "IDR": identity.tp / np.maximum(1, identity.tp + identity.fn),
    }


def _hota_counts(sums: HotaSums) -> Block:
    scores = hota_scores(sums)
    return {
        "HOTA_per_alpha": scores.hota.tolist(),
        "DetA_per_alpha": scores.deta.tolist(),
        "AssA_per_alpha": scores.assa.tolist(),
        "HOTA_TP": sums.tp.tolist(),
        "HOTA_FN": sums.fn.tolist(),
        "HOTA_FP": sums.fp.tolist(),
    }


def _clear_counts(sums: ClearSums) -> Block:
    return {
        "TP": int(sums.tp),
        "FP": int(sums.fp),
        "FN": int(sums.fn),
        "IDSW": int(sums.switches),
        "Frag": int(sums.fragments),
        "MT": int(sums.mostly_tracked),
        "PT": int(sums.partly_tracked),
        "ML": int(sums.mostly_lost),
    }


def _class_average(entries: Sequence[Block]) -> Block:
    """Average real numbers over classes, empty ones included, and add counts."""
    return {name: _combine([entry[name] for entry in entries], name) for name in entries[0]}


def _combine(values: list[BlockValue], name: str) -> BlockValue:
    array = np.array(values)
    if name in {"HOTA_TP", "HOTA_FN", "HOTA_FP"} or array.dtype.kind == "i":
        return array.sum(axis=0).tolist()  # type: ignore[no-any-return]
    return array.mean(axis=0).tolist()  # type: ignore[no-any-return]
