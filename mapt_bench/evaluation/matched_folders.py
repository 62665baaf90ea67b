"""Settings of an evaluation of folders; its folders, opened and matched sequence by sequence."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mapt_bench.data import MapFolder, match_sequences, open_maps, pair_frames, resolve_labels
from mapt_bench.data.dataset_file import Extents
from mapt_bench.data.depth import DepthSequence, depth_folder, open_depth
from mapt_bench.data.map_folders import select_sequences
from mapt_bench.data.mapped import MappedSequence, labels_of_predictions
from mapt_bench.data.sequences import StoredSequence, resized
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.evaluation.sequence_scoring import SequencePair
from mapt_bench.labels import ClassMaps, LabelSpace
from mapt_bench.metrics.scorer import WINDOWS, checked_windows
from mapt_bench.workers import check_cluster

__all__ = [
    "EvaluationSettings",
    "matched_pairs",
    "open_sides",
    "prediction_names",
]


@dataclass(frozen=True)
class EvaluationSettings:
    """Settings of an evaluation of folders.

    Attributes:
        dataset: Label space, its name or YAML file. ``None`` reads the folder's ``dataset.json``.
        encoding: Encoding of the predictions. ``None`` detects it.
        gt_encoding: Encoding of the ground truth. ``None`` detects it.
        extents: Lengths and sizes of sequences that the files do not state.
        missing: Whether frames that a prediction lacks are an error or count as void.
        pat_protocol: Variant of PAT for the headline scores.
        workers: Number of processes.
        cluster: Address of a Dask scheduler that scores sequences, or ``"local"`` for a cluster on
            this machine. ``None`` scores in processes.
        scheduler_file: File with the address of a Dask scheduler, instead of ``cluster``.
        common_classes: Whether PAT, PQ and LSTQ of every prediction are averaged over the classes
            of all predictions, instead of its own.
        sequences: Names of the sequences to score. Empty for all.
        resize: ``"nearest"`` to score predictions of another size at the size of the ground truth.
        intervals: Whether to add confidence intervals by resampling sequences.
        seed: Seed of the resampling.
        losses: Whether to add the error decomposition.
        slices: Whether to add recall and association accuracy by properties of the objects.
        class_map: Class maps of ground truth and predictions, their name or YAML file.
        pred_dataset: Label space of the predictions, if they are mapped. ``None`` reads the
            ``dataset.json`` of each folder, and takes that of the ground truth if there is none.
        vpq_windows: Window sizes of VPQ in frames, ascending, each 1 or more.
    """

    dataset: LabelSpace | str | Path | None = None
    encoding: str | None = None
    gt_encoding: str | None = None
    extents: Extents | None = None
    missing: Literal["error", "void"] = "error"
    pat_protocol: str = "present"
    workers: int = 1
    cluster: str | None = None
    scheduler_file: Path | None = None
    common_classes: bool = False
    sequences: tuple[str, ...] = ()
    resize: Literal["nearest"] | None = None
    intervals: bool = False
    seed: int = 0
    losses: bool = False
    slices: bool = False
    class_map: str | Path | None = None
    pred_dataset: str | None = None
    vpq_windows: tuple[int, ...] = WINDOWS

    def __post_init__(self) -> None:
        check_cluster(self.cluster, self.scheduler_file)
        checked_windows(self.vpq_windows, "--vpq-windows")


def open_sides(
    gt_folder: Path,
    pred_folders: Sequence[Path],
    settings: EvaluationSettings,
    maps: ClassMaps | None,
) -> tuple[MapFolder, list[MapFolder]]:
    """Open all folders in their label spaces: one for all, or with class maps one for each.

    Raises:
        ConfigError: If a label space or encoding is unknown, or is not mapped.
        DataError: If data cannot be used.
    """
    others = pred_folders if maps is None else ()
    labels = resolve_labels(settings.dataset, gt_folder, *others)
    if maps is None:
        if settings.pred_dataset is not None:
            raise ConfigError(
                "--pred-dataset is for predictions whose classes are mapped; give --map too, or "
                "name the label space of both sides with --dataset"
            )
        spaces = [labels] * len(pred_folders)
    else:
        spaces = [labels_of_predictions(settings.pred_dataset, f, labels) for f in pred_folders]
        for space in (labels, *spaces):
            maps.of(space)  # refuses a label space that is not mapped, before any file is read
    gt = open_maps(gt_folder, labels, encoding=settings.gt_encoding, extents=settings.extents)
    preds = [
        open_maps(folder, space, encoding=settings.encoding)
        for folder, space in zip(pred_folders, spaces, strict=True)
    ]
    return gt, preds


def matched_pairs(
    gt: MapFolder, pred: MapFolder, settings: EvaluationSettings, maps: ClassMaps | None
) -> list[SequencePair]:
    """Match the sequences of ground truth and a prediction, with their depth maps.

    Raises:
        ConfigError: If the ground truth lacks a sequence that the settings name.
        DataError: If sequences or frames do not match.
    """
    if settings.sequences:
        gt, pred = select_sequences(gt, pred, settings.sequences)
    pairs = match_sequences(gt, pred)
    if settings.resize:
        pairs = [(left, resized(right, left.size)) for left, right in pairs]
    if maps is not None:
        of_gt, of_pred = maps.of(gt.labels), maps.of(pred.labels)
        pairs = [
            (
                MappedSequence(left, of_gt, is_truth=True),
                MappedSequence(right, of_pred, is_truth=False),
            )
            for left, right in pairs
        ]
    depth = _depth(gt, pred, pairs)
    full_names = ["/".join(gt_sequence.parts) for gt_sequence, _ in pairs]
    short_names = [gt_sequence.parts[-1] for gt_sequence, _ in pairs]
    names = short_names if len(set(short_names)) == len(pairs) else full_names
    return [
        SequencePair(name, *both, _frames(*both, pred.folder, settings.missing), of_both)
        for name, both, of_both in zip(names, pairs, depth, strict=True)
    ]


def _depth(
    gt: MapFolder, pred: MapFolder, pairs: Sequence[tuple[StoredSequence, StoredSequence]]
) -> list[tuple[DepthSequence, DepthSequence] | None]:
    """Return the depth maps of each pair. ``None`` where one of the sides has none."""
    if depth_folder(gt.folder) is None or depth_folder(pred.folder) is None:
        return [None] * len(pairs)
    true = open_depth(gt, [left for left, _ in pairs])
    found = open_depth(pred, [right for _, right in pairs])
    return list(zip(true, found, strict=True))


def _frames(
    gt: StoredSequence, pred: StoredSequence, folder: Path, missing: Literal["error", "void"]
) -> tuple[int | None, ...]:
    try:
        return tuple(pair_frames(gt, pred, missing))
    except DataError as problem:
        # Several predictions may have a sequence of this name.
        where = f"{folder}, sequence {problem.where}"
        raise DataError(problem.message, where=where) from problem


def prediction_names(folders: Sequence[Path]) -> list[str]:
    """Return the names of predictions: the shortest distinct endings of their paths.

    Raises:
        ConfigError: If a folder is given twice.
    """
    paths = [folder.resolve().parts for folder in folders]
    for length in range(1, max(len(parts) for parts in paths) + 1):
        names = ["/".join(parts[-length:]) for parts in paths]
        if len(set(names)) == len(names):
            return names
    raise ConfigError("the same prediction folder is given twice; give each once")
