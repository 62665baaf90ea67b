"""Scores of label maps that are in memory or in folders: a streaming scorer, and one function."""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

from mapt_bench.errors import ConfigError, DataError, ProtocolError, a_type, check_seed, listed
from mapt_bench.evaluation.folder_scoring import (
    evaluate_folders,
    result_of_sums,
    with_intervals,
)
from mapt_bench.evaluation.matched_folders import EvaluationSettings
from mapt_bench.evaluation.result import EvaluationResult
from mapt_bench.labels import LabelSpace, PanopticMap, as_panoptic_map, label_space
from mapt_bench.metrics import SequenceScorer, averaged_classes, count_losses, pat_variant
from mapt_bench.metrics.scorer import WINDOWS, checked_windows

__all__ = ["Scorer", "evaluate"]

_FIRST = "0"
"""Name of the sequence of frames that come without one."""

_NO_FRAME = object()

_IN_MEMORY: Mapping[str, Any] = {
    "class_set": "own",
    "gt_encoding": "arrays",
    "pred_encoding": "arrays",
    "missing": "error",
    "frames_counted_as_void": 0,
    "class_map": None,
    "notes": [],
}


class Scorer:
    """Scores frames as they come, inside your own evaluation loop.

    A frame is given in one of the forms of :func:`mapt_bench.as_panoptic_map`: a ``PanopticMap``, a
    tuple ``(classes, ids)``, a packed array (then give ``divisor``), or an RGB image. Arrays are
    NumPy arrays or torch tensors on any device. The scorer keeps about a kilobyte a frame,
    for frames of any size. It can be pickled.

    Args:
        labels: Label space of both sides: a built-in name, a YAML file, or a ``LabelSpace``.
        divisor: Number that separates class and identity in packed arrays, for example 1000.
        name: Name of the prediction, for tables.
        vpq_windows: Window sizes of VPQ in frames, ascending, each 1 or more. VIPSeg's are
            ``(1, 2, 4, 6, 8)``.

    Raises:
        ConfigError: If there is no such label space, ``divisor`` is below 1, or the windows are
            not ascending.

    Example:
        >>> import numpy as np
        >>> scorer = Scorer("kitti-step", divisor=1000)
        >>> for step in range(2):
        ...     gt, pred = np.array([[0, 13001]]), np.array([[0, 13001 + step]])
        ...     scorer.update(gt, pred, sequence="0001")
        >>> scorer.compute().scores["IDSW"]
        1
    """

    def __init__(
        self,
        labels: LabelSpace | str | Path,
        *,
        divisor: int | None = None,
        name: str = "prediction",
        vpq_windows: Sequence[int] = WINDOWS,
    ) -> None:
        if divisor is not None and divisor < 1:
            raise ConfigError(f"divisor is {divisor}; expected 1 or more, as in class * 1000 + id")
        self.labels = labels if isinstance(labels, LabelSpace) else label_space(labels)
        self.name = name
        self.vpq_windows = checked_windows(vpq_windows, "vpq_windows")
        self._divisor = divisor
        self._current: str | None = None
        self._scorers: dict[str, SequenceScorer] = {}
        self._frames: dict[str, int] = {}

    @property
    def sequences(self) -> dict[str, int]:
        """Number of frames of each sequence, by name, in the order of their first frames."""
        return dict(self._frames)

    def start_sequence(self, name: str) -> None:
        """Add the next frames to a new sequence.

        Args:
            name: Name of the sequence.

        Raises:
            DataError: If the sequence has frames already.
        """
        if name in self._frames:
            raise DataError(
                f"sequence {name!r} has {self._frames[name]} frames already; give each sequence a "
                "name of its own, or add to it with update(gt, pred, sequence=...)"
            )
        self._current = name

    def update(self, gt: object, pred: object, *, sequence: str | None = None) -> None:
        """Add the next frame of a sequence.

        Args:
            gt: Ground truth, in one of the forms of :func:`mapt_bench.as_panoptic_map`.
            pred: Prediction of the same height and width.
            sequence: Name of the sequence. Sequences may take turns. ``None`` is the sequence of
                :meth:`start_sequence`, or ``"0"`` if none was started.

        Raises:
            DataError: If shape, type or a value of an array does not fit, or a class is not in the
                label space. The message names the sequence, the frame and the side. The frame is
                not added.
            ProtocolError: If the two sides differ in size.
        """
        name = self._name(sequence)
        where = f"sequence {name}, frame {self._frames.get(name, 0)}"
        gt_map = self._map(gt, f"{where}, ground truth")
        pred_map = self._map(pred, f"{where}, prediction")
        scorer = self._scorers.get(name, SequenceScorer(self.labels, self.vpq_windows))
        with _placed(where):
            scorer.update(gt_map, pred_map)
        self._scorers[name] = scorer
        self._frames[name] = self._frames.get(name, 0) + 1

    def merge(self, other: "Scorer") -> None:
        """Add the sequences of another scorer, for example of another process.

        Args:
            other: Scorer of the same label space and VPQ windows, and of other sequences. It is not
                changed.

        Raises:
            ConfigError: If the label spaces or the VPQ windows differ.
            DataError: If a sequence is in both: its frames would be in an unknown order.
        """
        if other.labels != self.labels:
            raise ConfigError(
                f"scorers of the label spaces {self.labels.name!r} and {other.labels.name!r} "
                "cannot be merged; give both the same label space"
            )
        if other.vpq_windows != self.vpq_windows:
            raise ConfigError(
                f"scorers with the VPQ windows {self.vpq_windows} and {other.vpq_windows} cannot "
                "be merged; give both the same vpq_windows"
            )
        common = self._frames.keys() & other._frames.keys()
        if common:
            raise DataError(
                f"both scorers have frames of {listed(sorted(common))}; expected each sequence in "
                "one of them; give all frames of a sequence to the same scorer"
            )
        # A copy: frames that the other gets later must not arrive here.
        self._scorers.update(copy.deepcopy(other._scorers))
        self._frames.update(other._frames)

    def compute(
        self,
        *,
        pat_protocol: str = "present",
        intervals: bool = False,
        seed: int = 0,
        losses: bool = False,
    ) -> EvaluationResult:
        """Return the scores of all frames so far. You can add more frames afterwards.

        Args:
            pat_protocol: Variant of PAT, PQ, TQ, PTQ, sPTQ and LSTQ; ``"official"`` is that of the
                nuScenes devkit.
            intervals: Whether to add 95 % confidence intervals by resampling sequences.
            seed: Seed of the resampling, 0 or more.
            losses: Whether to add the error decomposition, see ``docs/losses.md``.

        Raises:
            ConfigError: If there is no such variant, or the seed is negative.
            DataError: If there is no frame.
        """
        variant = pat_variant(pat_protocol)
        check_seed("seed", seed)
        if not self._frames:
            raise DataError("there is no frame to score; call update(gt, pred) for each frame")
        sums = {name: scorer.result() for name, scorer in self._scorers.items()}
        result = result_of_sums(
            self.name,
            sums,
            self._frames,
            self.labels,
            pat_protocol=variant.name,
            classes=[averaged_classes(one.pat, variant) for one in sums.values()],
            protocol={**_IN_MEMORY, "vpq_windows": list(self.vpq_windows)},
            windows=self.vpq_windows,
            losses=[count_losses(one.overlap(), variant) for one in self._scorers.values()]
            if losses
            else (),
        )
        if intervals:
            settings = EvaluationSettings(
                pat_protocol=pat_protocol, seed=seed, vpq_windows=self.vpq_windows
            )
            (result,) = with_intervals([result], [list(sums.values())], self.labels, settings)
        return result

    def reset(self) -> None:
        """Forget all frames."""
        self._current = None
        self._scorers.clear()
        self._frames.clear()

    def _name(self, sequence: str | None) -> str:
        if sequence is not None:
            return sequence
        return _FIRST if self._current is None else self._current

    def _map(self, frame: object, where: str) -> PanopticMap:
        with _placed(where):
            return as_panoptic_map(frame, divisor=self._divisor)


def evaluate(
    gt: object,
    pred: object,
    *,
    labels: LabelSpace | str | Path | None = None,
    divisor: int | None = None,
    encoding: str | None = None,
    gt_encoding: str | None = None,
    missing: Literal["error", "void"] = "error",
    pat_protocol: str = "present",
    intervals: bool = False,
    seed: int = 0,
    workers: int = 1,
    losses: bool = False,
    class_map: str | Path | None = None,
    vpq_windows: Sequence[int] = WINDOWS,
) -> EvaluationResult:
    """Score a prediction against ground truth: two folders, or label maps in memory.

    Args:
        gt: Ground truth. A folder (``str`` or ``Path``); or the frames of one sequence, in
            temporal order, each in one of the forms of :func:`mapt_bench.as_panoptic_map`; or
            several sequences as a dictionary from name to frames. Frames may come from a generator.
        pred: Prediction, of the same kind as ``gt``.
        labels: Label space: a built-in name, a YAML file, or a ``LabelSpace``. ``None`` reads the
            ground-truth folder's ``dataset.json``, and takes ``kitti-step`` where there is none.
            Frames in memory need one.
        divisor: Number that separates class and identity in packed arrays, for example 1000. For
            frames in memory.
        encoding: Encoding of the prediction's folder. ``None`` detects it.
        gt_encoding: Encoding of the ground truth's folder. ``None`` detects it.
        missing: Whether frames that the prediction's folder lacks are an error, or count as void.
        pat_protocol: Variant of PAT, PQ, TQ, PTQ, sPTQ and LSTQ; ``"official"`` is that of the
            nuScenes devkit.
        intervals: Whether to add 95 % confidence intervals by resampling sequences.
        seed: Seed of the resampling, 0 or more.
        workers: Processes that score sequences of folders, 1 or more.
        losses: Whether to add the error decomposition, see ``docs/losses.md``.
        class_map: Class maps of both sides, for folders: their built-in name or a YAML file.
        vpq_windows: Window sizes of VPQ in frames, ascending, each 1 or more.

    Returns:
        The result: ``scores`` and ``per_class`` are dictionaries of fractions, ``to_dict()`` is
        ready for JSON.

    Raises:
        ConfigError: If arguments do not go together, or a name is unknown.
        DataError: If data cannot be used. The message names the file, or the sequence and frame.

    Example:
        >>> import numpy as np
        >>> frames = [(np.array([[0, 13]]), np.array([[0, 1]]))] * 2  # (classes, ids) of 2 frames
        >>> round(evaluate(frames, frames, labels="kitti-step").scores["PAT"], 3)
        1.0
    """
    folders = [isinstance(side, str | Path) for side in (gt, pred)]
    if all(folders):
        if divisor is not None:
            raise ConfigError("divisor is for arrays, but gt and pred are folders; omit divisor")
        settings = EvaluationSettings(
            dataset=labels,
            encoding=encoding,
            gt_encoding=gt_encoding,
            missing=missing,
            pat_protocol=pat_protocol,
            workers=workers,
            intervals=intervals,
            seed=seed,
            losses=losses,
            class_map=class_map,
            vpq_windows=checked_windows(vpq_windows, "vpq_windows"),
        )
        (result,) = evaluate_folders(Path(str(gt)), [Path(str(pred))], settings)
        return result
    if any(folders):
        raise ConfigError(
            "one of gt and pred is a folder and the other is not; expected two folders, or frames "
            "of both; open_maps(folder, labels) reads the maps of a folder"
        )
    if labels is None:
        raise ConfigError("frames in memory need a label space; give labels='kitti-step', say")
    if (encoding, gt_encoding, missing, workers, class_map) != (None, None, "error", 1, None):
        raise ConfigError(
            "encoding, gt_encoding, missing, workers and class_map are for folders, but gt and "
            "pred are frames in memory; omit them"
        )
    scorer = Scorer(labels, divisor=divisor, vpq_windows=vpq_windows)
    for name, gt_frames, pred_frames in _sequences(gt, pred):
        _score(scorer, name, gt_frames, pred_frames)
    return scorer.compute(pat_protocol=pat_protocol, intervals=intervals, seed=seed, losses=losses)


def _sequences(gt: object, pred: object) -> list[tuple[str, Iterable[object], Iterable[object]]]:
    """Return the name and the frames of both sides of each sequence."""
    if isinstance(gt, Mapping) and isinstance(pred, Mapping):
        if gt.keys() != pred.keys():
            one_sided = sorted(map(str, gt.keys() ^ pred.keys()))
            raise DataError(
                f"sequences {listed(one_sided)} are on one side only; expected the same names in "
                "gt and pred"
            )
        return [(str(name), gt[name], pred[name]) for name in gt]
    if not isinstance(gt, Iterable) or not isinstance(pred, Iterable):
        raise ConfigError(
            f"gt is {a_type(gt)} and pred {a_type(pred)}; expected two folders, "
            "two lists of frames, or two dictionaries from sequence names to frames"
        )
    if isinstance(gt, Mapping) or isinstance(pred, Mapping):
        raise ConfigError(
            "one of gt and pred is a dictionary of sequences and the other is not; expected two "
            "dictionaries from sequence names to frames"
        )
    return [(_FIRST, gt, pred)]


def _score(
    scorer: Scorer, name: str, gt_frames: Iterable[object], pred_frames: Iterable[object]
) -> None:
    for gt, pred in zip_longest(gt_frames, pred_frames, fillvalue=_NO_FRAME):
        if gt is _NO_FRAME or pred is _NO_FRAME:
            short, long = ("gt", "pred") if gt is _NO_FRAME else ("pred", "gt")
            raise DataError(
                f"{short} has {scorer.sequences.get(name, 0)} frames, and {long} has more; "
                "expected one prediction for each ground-truth frame",
                where=f"sequence {name}",
            )
        scorer.update(gt, pred, sequence=name)


@contextmanager
def _placed(where: str) -> Iterator[None]:
    """Add the place to errors: where the frame is, and the side if the error knows it."""
    try:
        yield
    except (DataError, ProtocolError) as problem:
        place = where if problem.where is None else f"{where}, {problem.where}"
        raise type(problem)(problem.message, where=place) from problem
