"""Score folders of predictions against a folder of ground truth."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import reduce
from operator import add, or_
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data import (
    MapFolder,
    matching_notes,
)
from mapt_bench.data.depth import depth_folder
from mapt_bench.data.fingerprint import sequence_fingerprint
from mapt_bench.errors import ConfigError, check_seed, listed
from mapt_bench.evaluation.lacking import (
    lacking_reasons,
    refuse_truth_without_classes,
    without_lacking,
)
from mapt_bench.evaluation.matched_folders import (
    EvaluationSettings,
    matched_pairs,
    open_sides,
    prediction_names,
)
from mapt_bench.evaluation.plausibility import plausibility_notes
from mapt_bench.evaluation.result import EvaluationResult
from mapt_bench.evaluation.sequence_scoring import SequencePair, SequenceScore, score_pairs
from mapt_bench.labels import ClassMaps, LabelSpace, MappedShare, class_maps, mapped_notes
from mapt_bench.metrics import (
    METRICS_SCHEMA,
    LossSums,
    PatVariant,
    SequenceSums,
    averaged_classes,
    flat_scores,
    pat_variant,
    pool,
    pool_losses,
    reference_blocks,
    undefined_reasons,
)
from mapt_bench.metrics.arithmetic import Block, defined
from mapt_bench.metrics.depth import DEPTH_SCORES, DepthSums, depth_block, depth_scores
from mapt_bench.metrics.pq import PanopticCounts
from mapt_bench.metrics.scorer import WINDOWS
from mapt_bench.metrics.slices import slice_rates
from mapt_bench.metrics.stq import class_iou
from mapt_bench.metrics.uncertainty import ComparisonFamily, ScoreStatistics
from mapt_bench.provenance import provenance, user_revision
from mapt_bench.workers import opened_workers

__all__ = [
    "evaluate_folders",
    "result_of_sums",
    "with_intervals",
]

ProgressBar = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


def evaluate_folders(
    gt_folder: Path,
    pred_folders: Sequence[Path],
    settings: EvaluationSettings,
    progress_bar: ProgressBar | None = None,
) -> list[EvaluationResult]:
    """Score folders of predictions against the same ground truth.

    The scores of a prediction do not depend on other predictions, unless
    ``settings.common_classes`` is set: PAT, PQ and LSTQ are averaged over the classes with a valid
    pixel in the ground truth or in this prediction. With intervals, every prediction except the
    first has the differences to the first, over the classes of either.

    Args:
        gt_folder: Folder of the ground truth.
        pred_folders: Folders of predictions, at least one.
        settings: Settings of the evaluation.
        progress_bar: Shows progress. Takes a description and a number of frames.

    Returns:
        One result per prediction, in the given order.

    Raises:
        ConfigError: If a setting is wrong.
        DataError: If data cannot be used.
    """
    variant = pat_variant(settings.pat_protocol)
    if settings.workers < 1:
        raise ConfigError(f"-j must be at least 1, found {settings.workers}")
    check_seed("--seed", settings.seed)
    maps = None if settings.class_map is None else class_maps(settings.class_map)
    gt, preds = open_sides(gt_folder, pred_folders, settings, maps)
    labels = gt.labels if maps is None else maps.target
    refuse_truth_without_classes(gt)
    matched = [matched_pairs(gt, pred, settings, maps) for pred in preds]

    bar = progress_bar or _no_bar
    losses_of = variant if settings.losses else None
    scored: list[list[SequenceScore]] = []
    with opened_workers(settings.workers, settings.cluster, settings.scheduler_file) as workers:
        for pred, pairs in zip(preds, matched, strict=True):
            frame_count = sum(len(pair.frames) for pair in pairs)
            with bar(f"scoring {pred.folder.name}", frame_count) as progress:
                scored.append(
                    score_pairs(
                        pairs,
                        labels,
                        workers=workers,
                        progress=progress,
                        losses_of=losses_of,
                        windows=settings.vpq_windows,
                        with_slices=settings.slices,
                    )
                )

    sums = [[one.sums for one in by_pred] for by_pred in scored]
    classes = _classes(sums, variant, common=settings.common_classes)
    results = [
        _result(name, gt, preds[at], matched[at], scored[at], classes[at], settings, maps)
        for at, name in enumerate(prediction_names(pred_folders))
    ]
    results = _with_inputs(results, gt_folder, pred_folders, matched)
    if settings.intervals:
        results = with_intervals(results, sums, labels, settings)
    return [
        without_lacking(result, lacking_reasons(gt, pred, labels), pred)
        for result, pred in zip(results, preds, strict=True)
    ]


def _with_inputs(
    results: Sequence[EvaluationResult],
    gt_folder: Path,
    pred_folders: Sequence[Path],
    matched: Sequence[Sequence[SequencePair]],
) -> list[EvaluationResult]:
    """Add paths and fingerprints of the ground truth and of the predictions to the provenance."""
    truth: dict[str, str] = {}
    found = []
    for result, folder, pairs in zip(results, pred_folders, matched, strict=True):
        for pair in pairs:
            if pair.name not in truth:
                truth[pair.name] = sequence_fingerprint(pair.gt)
        inputs = {
            "ground_truth": {
                "path": str(gt_folder),
                "sequences": {pair.name: truth[pair.name] for pair in pairs},
            },
            "predictions": {
                "path": str(folder),
                "sequences": {pair.name: sequence_fingerprint(pair.pred) for pair in pairs},
            },
        }
        found.append(replace(result, provenance={**result.provenance, "inputs": inputs}))
    return found


def _classes(
    sums: Sequence[Sequence[SequenceSums]], variant: PatVariant, *, common: bool
) -> list[list[NDArray[np.bool_]]]:
    """Return the averaged classes of each prediction and sequence."""
    own = [[averaged_classes(one.pat, variant) for one in by_pred] for by_pred in sums]
    if not common:
        return own
    return [[np.logical_or.reduce(each) for each in zip(*own, strict=True)]] * len(own)


def with_intervals(
    results: Sequence[EvaluationResult],
    sums: Sequence[Sequence[SequenceSums]],
    labels: LabelSpace,
    settings: EvaluationSettings,
) -> list[EvaluationResult]:
    """Add confidence intervals. Also add differences to the first result to all others.

    Args:
        results: One result per prediction.
        sums: Sums of the sequences of each prediction, for the same sequences in the same order.
        labels: Label space.
        settings: PAT protocol, seed, and whether classes are common to all.
    """
    statistics = ScoreStatistics(
        labels,
        pat_protocol=settings.pat_protocol,
        seed=settings.seed,
        windows=settings.vpq_windows,
    )
    units = [statistics.samples([[one] for one in by_pred]) for by_pred in sums]
    if settings.common_classes:
        units = statistics.over_common_classes(units)
    family = ComparisonFamily(statistics, "all predictions")
    first, found = results[0], []
    for at, result in enumerate(results):
        intervals = statistics.intervals(units[at])
        differences = None
        if at > 0:
            differences = {"reference": first.name, **family.compare(units[at], units[0])}
        found.append(
            replace(
                result,
                intervals={name: one.to_dict() for name, one in intervals.items()},
                differences=differences,
            )
        )
    family.correct()
    return found


def _no_bar(_description: str, _total: int) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda _units: None)


def _result(
    name: str,
    gt: MapFolder,
    pred: MapFolder,
    pairs: Sequence[SequencePair],
    scored: Sequence[SequenceScore],
    classes: Sequence[NDArray[np.bool_]],
    settings: EvaluationSettings,
    maps: ClassMaps | None,
) -> EvaluationResult:
    labels = gt.labels if maps is None else maps.target
    mapped = _mapped(gt.labels, pred.labels, scored)
    result = result_of_sums(
        name,
        {pair.name: one.sums for pair, one in zip(pairs, scored, strict=True)},
        {pair.name: len(pair.frames) for pair in pairs},
        labels,
        pat_protocol=settings.pat_protocol,
        classes=classes,
        windows=settings.vpq_windows,
        protocol={
            "class_set": "common" if settings.common_classes else "own",
            "gt_encoding": gt.encoding,
            "pred_encoding": pred.encoding,
            "missing": settings.missing,
            "frames_counted_as_void": sum(pair.frames.count(None) for pair in pairs),
            **({"sequences": list(settings.sequences)} if settings.sequences else {}),
            **({"resize": settings.resize} if settings.resize else {}),
            "class_map": None if maps is None else maps.describe(),
            "vpq_windows": list(settings.vpq_windows),
            **({"mapped": mapped} if mapped else {}),
            "notes": list(matching_notes([(pair.gt, pair.pred) for pair in pairs])),
        },
        losses=[one.losses for one in scored if one.losses is not None],
    )
    result = _with_depth(
        result, gt, pred, {pair.name: one.depth for pair, one in zip(pairs, scored, strict=True)}
    )
    notes = _all_notes(result, gt, pred, scored, labels)
    counts = [one.slices for one in scored if one.slices is not None]
    slices = slice_rates(counts, seed=settings.seed) if settings.slices else None
    return replace(result, protocol={**result.protocol, "notes": notes}, slices=slices)


def _no_depth(having: Sequence[Path]) -> str:
    """Return why there is no depth score, given the folders that have depth maps."""
    if not having:
        return "neither the ground truth nor the prediction has depth maps"
    return f"only {listed(having)} has depth maps"


def _with_depth(
    result: EvaluationResult,
    gt: MapFolder,
    pred: MapFolder,
    sums: Mapping[str, DepthSums | None],
) -> EvaluationResult:
    """Add DQ and DSTQ: undefined, with the reason, where a side has no depth maps."""
    known = {name: one for name, one in sums.items() if one is not None}
    total = reduce(add, known.values()) if known else None
    scores = depth_scores(total, result.scores)
    reason = "no pixel of the ground truth has a depth"
    if total is None:
        reason = _no_depth([side.folder for side in (gt, pred) if depth_folder(side.folder)])
    elif scores["DQ"] is not None:
        reason = "no valid ground-truth pixel"
    undefined = {
        name: reason if name in DEPTH_SCORES else known_reason
        for name, known_reason in result.undefined.items()
        if scores.get(name) is None
    }
    if total is None:
        return replace(result, undefined=undefined)
    per_sequence = {
        name: {**entry, **depth_scores(known[name], entry)}
        for name, entry in result.per_sequence.items()
    }
    blocks: Block = {
        "dataset": depth_block(total, result.scores),
        "per_sequence": {
            name: depth_block(one, result.per_sequence[name]) for name, one in known.items()
        },
    }
    return replace(
        result,
        scores={**result.scores, **scores},
        undefined=undefined,
        per_sequence=per_sequence,
        blocks={**result.blocks, "dstq": blocks},
    )


def _mapped(
    gt: LabelSpace, pred: LabelSpace, scored: Sequence[SequenceScore]
) -> dict[str, dict[str, Any]]:
    """Return what class maps removed from each side, with its label space. Empty without maps."""
    shares = [one.mapped for one in scored if one.mapped is not None]
    if not shares:
        return {}
    return {
        side: reduce(MappedShare.__add__, parts).side(labels.name)
        for side, labels, parts in zip(
            ("ground_truth", "prediction"), (gt, pred), zip(*shares, strict=True), strict=True
        )
    }


def _all_notes(
    result: EvaluationResult,
    gt: MapFolder,
    pred: MapFolder,
    scored: Sequence[SequenceScore],
    labels: LabelSpace,
) -> list[str]:
    notes = [*result.protocol["notes"], *gt.notes, *pred.notes]
    notes += mapped_notes(result.protocol.get("mapped", {}), labels.name)
    if gt.encoding != pred.encoding:
        notes.append(
            f"the ground truth is read as {gt.encoding}, the prediction as {pred.encoding}"
        )
    marks = reduce(or_, (one.marks for one in scored))
    return [*notes, *plausibility_notes(marks, result.per_class, labels)]


def result_of_sums(
    name: str,
    sums: Mapping[str, SequenceSums],
    frames: Mapping[str, int],
    labels: LabelSpace,
    *,
    pat_protocol: str,
    classes: Sequence[NDArray[np.bool_]],
    protocol: Mapping[str, Any],
    losses: Sequence[LossSums] = (),
    windows: Sequence[int] = WINDOWS,
) -> EvaluationResult:
    """Return the result for the sums of sequences.

    Args:
        name: Name of the prediction.
        sums: Sums of each sequence, by name.
        frames: Number of frames of each sequence, by name.
        labels: Label space.
        pat_protocol: Variant of PAT for the headline scores.
        classes: Classes that PAT, PQ and LSTQ are averaged over, for each sequence: see
            :func:`~mapt_bench.metrics.averaged_classes`.
        protocol: Further fields of the result's protocol. With common classes, losses are counted
            over these as well.
        losses: Sums of each sequence for the error decomposition. Empty for none.
        windows: Window sizes of VPQ in the sums.

    Raises:
        ConfigError: If there is no such variant of PAT.
        ProtocolError: If there is no sequence.
    """
    pat = pat_variant(pat_protocol)
    variant = pat.name
    total = pool(sums.values())
    all_classes = np.logical_or.reduce(classes)
    scores = flat_scores(total, labels, pat_protocol=variant, classes=all_classes)
    return EvaluationResult(
        name=name,
        scores={**scores, **dict.fromkeys(DEPTH_SCORES)},
        per_sequence={
            sequence: {
                "frames": frames[sequence],
                **flat_scores(one, labels, pat_protocol=variant, classes=kept),
            }
            for (sequence, one), kept in zip(sums.items(), classes, strict=True)
        },
        per_class=_per_class(total, labels),
        blocks=reference_blocks(sums, labels, windows),
        protocol={
            "dataset": labels.name,
            "unit": "sequence",
            "pat": variant,
            "metrics": METRICS_SCHEMA,
            "classes": [labels.class_ids[row] for row in np.flatnonzero(all_classes)],
            **protocol,
        },
        undefined={**undefined_reasons(scores), **dict.fromkeys(DEPTH_SCORES, _no_depth(()))},
        # Threads of each process. A result does not depend on the number of processes.
        provenance={**provenance(threads=1), "revision": user_revision()},
        losses=pool_losses(
            losses, labels, pat, all_classes if protocol["class_set"] == "common" else None
        ).to_dict()
        if losses
        else None,
    )


def _per_class(total: SequenceSums, labels: LabelSpace) -> dict[str, Block]:
    counts: PanopticCounts = total.frames
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
