"""Folders of predictions against a folder of ground truth."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data import (
    MapFolder,
    match_sequences,
    matching_notes,
    open_maps,
    pair_frames,
    resolve_labels,
)
from mapt_bench.data.sequences import StoredSequence
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.evaluation.result import EvaluationResult
from mapt_bench.evaluation.scoring import SequencePair, score_pairs
from mapt_bench.evaluation.uncertainty import (
    ScoredSequence,
    paired_with_first,
    score_intervals,
)
from mapt_bench.labels import LabelSpace
from mapt_bench.metrics import (
    SequenceSums,
    averaged_classes,
    flat_scores,
    pat_variant,
    pool,
    reference_blocks,
    undefined_reasons,
)
from mapt_bench.metrics.block import Block
from mapt_bench.metrics.pq import PanopticCounts
from mapt_bench.metrics.ratios import defined
from mapt_bench.metrics.stq import class_iou
from mapt_bench.provenance import provenance

__all__ = ["Evaluation", "EvaluationSettings", "evaluate_folders"]

ProgressBar = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True)
class EvaluationSettings:
    """How folders are scored.

    Attributes:
        dataset: Name or YAML file of the label space; found out where ``None``.
        encoding: Encoding of the predictions; found out where ``None``.
        gt_encoding: Encoding of the ground truth; found out where ``None``.
        missing: Whether frames that a prediction lacks are an error or count as all void.
        pat_protocol: Variant of PAT for the headline scores.
        workers: Processes.
        intervals: Whether to resample sequences.
        seed: Of the resampling.
    """

    dataset: str | None = None
    encoding: str | None = None
    gt_encoding: str | None = None
    missing: Literal["error", "void"] = "error"
    pat_protocol: str = "present"
    workers: int = 1
    intervals: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Evaluation:
    """Results of all predictions.

    Attributes:
        results: One a prediction, in the order given.
        paired: Differences to the first prediction, where there are several and intervals were
            asked for.
    """

    results: list[EvaluationResult]
    paired: list[dict[str, Any]] | None


def evaluate_folders(
    gt_folder: Path,
    pred_folders: Sequence[Path],
    settings: EvaluationSettings,
    progress_bar: ProgressBar | None = None,
) -> Evaluation:
    """Score folders of predictions against the same ground truth.

    Several predictions are averaged over the same classes: those with a valid pixel in the ground
    truth or in any of them.

    Args:
        gt_folder: Ground truth.
        pred_folders: Predictions, at least one.
        settings: How.
        progress_bar: Given a description and a number of frames, shows how far the work is.

    Raises:
        ConfigError: If a setting is wrong.
        DataError: If data cannot be used.
    """
    variant = pat_variant(settings.pat_protocol)
    if settings.workers < 1:
        raise ConfigError(f"-j must be at least 1, found {settings.workers}")
    if settings.seed < 0:
        raise ConfigError(f"--seed is {settings.seed}; give a whole number from 0")
    labels = resolve_labels(settings.dataset, gt_folder, *pred_folders)
    gt = open_maps(gt_folder, labels, encoding=settings.gt_encoding)
    preds = [open_maps(folder, labels, encoding=settings.encoding) for folder in pred_folders]
    matched = [_match(gt, pred, settings.missing) for pred in preds]

    bar = progress_bar or _no_bar
    sums: list[list[SequenceSums]] = []
    for pred, pairs in zip(preds, matched, strict=True):
        frame_count = sum(len(pair.frames) for pair in pairs)
        with bar(f"scoring {pred.folder.name}", frame_count) as progress:
            sums.append(score_pairs(pairs, labels, workers=settings.workers, progress=progress))

    classes = [
        np.logical_or.reduce([averaged_classes(one.pat, variant) for one in of_sequence])
        for of_sequence in zip(*sums, strict=True)
    ]
    units = [
        [ScoredSequence(one.to_vector(), kept) for one, kept in zip(by_pred, classes, strict=True)]
        for by_pred in sums
    ]
    names = _names(pred_folders)
    results = []
    for at, name in enumerate(names):
        result = _result(name, gt, preds[at], matched[at], sums[at], classes, settings)
        if settings.intervals:
            found = score_intervals(units[at], labels, variant.name, settings.seed)
            result = replace(result, intervals=found)
        results.append(result)
    paired = None
    if settings.intervals and len(results) > 1:
        paired = paired_with_first(names, units, labels, variant.name, settings.seed)
    return Evaluation(results, paired)


def _no_bar(_description: str, _total: int) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda _units: None)


def _names(folders: Sequence[Path]) -> list[str]:
    """Return the shortest endings of the paths that tell them apart."""
    paths = [folder.resolve().parts for folder in folders]
    for length in range(1, max(len(parts) for parts in paths) + 1):
        names = ["/".join(parts[-length:]) for parts in paths]
        if len(set(names)) == len(names):
            return names
    raise ConfigError("the same prediction folder is given twice; give each once")


def _match(gt: MapFolder, pred: MapFolder, missing: Literal["error", "void"]) -> list[SequencePair]:
    pairs = match_sequences(gt, pred)
    full_names = ["/".join(gt_sequence.parts) for gt_sequence, _ in pairs]
    short_names = [gt_sequence.parts[-1] for gt_sequence, _ in pairs]
    names = short_names if len(set(short_names)) == len(pairs) else full_names
    return [
        SequencePair(name, *both, _frames(*both, pred.folder, missing))
        for name, both in zip(names, pairs, strict=True)
    ]


def _frames(
    gt: StoredSequence, pred: StoredSequence, folder: Path, missing: Literal["error", "void"]
) -> tuple[int | None, ...]:
    try:
        return tuple(pair_frames(gt, pred, missing))
    except DataError as problem:
        # Several predictions may hold a sequence of this name.
        where = f"{folder}, sequence {problem.where}"
        raise DataError(problem.message, where=where) from problem


def _result(
    name: str,
    gt: MapFolder,
    pred: MapFolder,
    pairs: Sequence[SequencePair],
    sums: Sequence[SequenceSums],
    classes: Sequence[NDArray[np.bool_]],
    settings: EvaluationSettings,
) -> EvaluationResult:
    labels, protocol = gt.labels, pat_variant(settings.pat_protocol).name
    total, all_classes = pool(sums), np.logical_or.reduce(classes)
    scores = flat_scores(total, labels, pat_protocol=protocol, classes=all_classes)
    return EvaluationResult(
        name=name,
        scores=scores,
        per_sequence={
            pair.name: {
                "frames": len(pair.frames),
                **flat_scores(one, labels, pat_protocol=protocol, classes=kept),
            }
            for pair, one, kept in zip(pairs, sums, classes, strict=True)
        },
        per_class=_per_class(total, labels),
        blocks=reference_blocks(
            {pair.name: one for pair, one in zip(pairs, sums, strict=True)}, labels
        ),
        protocol={
            "dataset": labels.name,
            "unit": "sequence",
            "pat": protocol,
            "classes": [labels.class_ids[row] for row in np.flatnonzero(all_classes)],
            "gt_encoding": gt.encoding,
            "pred_encoding": pred.encoding,
            "missing": settings.missing,
            "frames_counted_as_void": sum(pair.frames.count(None) for pair in pairs),
            "notes": list(matching_notes([(pair.gt, pair.pred) for pair in pairs])),
        },
        undefined=undefined_reasons(scores),
        # Threads of each process: a result does not depend on how many processes share the work.
        provenance=provenance(threads=1),
    )


def _per_class(total: SequenceSums, labels: LabelSpace) -> dict[str, Block]:
    counts: PanopticCounts = total.windows[0]
    iou = class_iou(total.stq)
    segmentation = np.where(counts.occurs, counts.segmentation, np.nan)
    return {
        str(entry.class_id): {
            "name": entry.name,
            "is_thing": entry.is_thing,
            "PQ": defined(counts.quality[row]),
            "SQ": defined(segmentation[row]),
            "RQ": defined(counts.recognition[row]),
            "IoU": defined(iou[row]),
            "iou_sum": float(counts.iou_sum[row]),
            "tp": int(counts.tp[row]),
            "fp": int(counts.fp[row]),
            "fn": int(counts.fn[row]),
        }
        for row, entry in enumerate(labels.classes)
    }
