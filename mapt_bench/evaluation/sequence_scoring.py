"""Score one sequence at a time, in one process or in several."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add

import numpy as np

from mapt_bench.data.depth import DepthSequence
from mapt_bench.data.mapped import MappedSequence
from mapt_bench.data.sequences import StoredSequence
from mapt_bench.errors import MaptBenchError
from mapt_bench.labels import ID_BITS, LabelSpace, MappedShare, PanopticMap
from mapt_bench.metrics import LossSums, PatVariant, SequenceScorer, SequenceSums, count_losses
from mapt_bench.metrics.depth import DepthSums, count_depth
from mapt_bench.metrics.link_events import Sightings
from mapt_bench.metrics.scorer import WINDOWS, IdentityMarks
from mapt_bench.metrics.slices import SightedObjects, SliceCounts, count_slices
from mapt_bench.workers import Processes, Workers

__all__ = ["SequencePair", "SequenceScore", "score_pair", "score_pairs"]

Progress = Callable[[int], None]


@dataclass(frozen=True)
class SequencePair:
    """A sequence of the ground truth and of a prediction.

    Attributes:
        name: Name of the sequence in results.
        gt: Ground truth.
        pred: Prediction.
        frames: Position in ``pred`` of each frame of ``gt``. ``None`` counts as void.
        depth: Depth maps of the ground truth and of the prediction, or ``None``.
    """

    name: str
    gt: StoredSequence
    pred: StoredSequence
    frames: tuple[int | None, ...]
    depth: tuple[DepthSequence, DepthSequence] | None = None


@dataclass(frozen=True, eq=False)
class SequenceScore:
    """Sums of a sequence, and those of the error decomposition if requested.

    Attributes:
        sums: Sums of all scores.
        marks: Which things and identities occur.
        losses: Sums of the error decomposition, or ``None``.
        mapped: What class maps removed from the ground truth and from the prediction. ``None``
            without class maps.
        depth: Sums of the depth quality. ``None`` without depth maps.
        slices: Counts by properties of the objects, or ``None``.
    """

    sums: SequenceSums
    marks: IdentityMarks
    losses: LossSums | None
    mapped: tuple[MappedShare, MappedShare] | None = None
    depth: DepthSums | None = None
    slices: SliceCounts | None = None


def score_pair(
    pair: SequencePair,
    labels: LabelSpace,
    progress: Progress | None = None,
    losses_of: PatVariant | None = None,
    windows: Sequence[int] = WINDOWS,
    with_slices: bool = False,
) -> SequenceScore:
    """Score one sequence. Only two maps are in memory at a time.

    Args:
        pair: Matched sequence.
        labels: Label space.
        progress: Called with 1 after each frame.
        losses_of: Variant of PAT that is decomposed into losses. ``None`` for no losses.
        windows: Window sizes of VPQ in frames.
        with_slices: Whether to count segments and links by properties of the objects.

    Raises:
        DataError: If a file is unusable, a class is outside the label space, or a size differs.
            The message names the file and its side, or the frame.
    """
    scorer = SequenceScorer(labels, windows)
    objects = SightedObjects()
    void = np.full(pair.gt.size, labels.ignore_label << ID_BITS, dtype=np.uint32)
    for gt_index, pred_index in enumerate(pair.frames):
        gt = pair.gt.read(gt_index)
        pred = PanopticMap(void) if pred_index is None else pair.pred.read(pred_index)
        try:
            scorer.update(gt, pred)
        except MaptBenchError as problem:
            where = _place(pair, gt_index, pred_index, problem.where)
            raise type(problem)(problem.message, where=where) from problem
        if with_slices:
            objects.add(gt_index, Sightings.of(gt, labels))
        if progress is not None:
            progress(1)
    losses = None if losses_of is None else count_losses(scorer.overlap(), losses_of)
    mapped = None
    if isinstance(pair.gt, MappedSequence) and isinstance(pair.pred, MappedSequence):
        mapped = pair.gt.tally.share(), pair.pred.tally.share()
    depth = None if pair.depth is None else _depth_sums(pair.depth, pair.frames)
    slices = count_slices(scorer.overlap(), objects.rows()) if with_slices else None
    return SequenceScore(scorer.result(), scorer.marks(), losses, mapped, depth, slices)


def _depth_sums(
    depth: tuple[DepthSequence, DepthSequence], frames: Sequence[int | None]
) -> DepthSums:
    """Count the pixels of all frames. A frame without prediction has no depth."""

    def counted() -> Iterator[DepthSums]:
        for gt_index, pred_index in enumerate(frames):
            gt = depth[0].read(gt_index)
            yield count_depth(
                gt, np.zeros_like(gt) if pred_index is None else depth[1].read(pred_index)
            )

    return reduce(add, counted())


def _place(pair: SequencePair, gt_index: int, pred_index: int | None, side: str | None) -> str:
    """Return the file of an error, if its side is known, or else the frame."""
    if side == "ground truth":
        return f"{pair.gt.path(gt_index)} ({side})"
    if side == "prediction" and pred_index is not None:
        return f"{pair.pred.path(pred_index)} ({side})"
    return f"{pair.name}/{pair.gt.frame_names[gt_index]}"


def score_pairs(
    pairs: Sequence[SequencePair],
    labels: LabelSpace,
    *,
    workers: Workers,
    progress: Progress,
    losses_of: PatVariant | None = None,
    windows: Sequence[int] = WINDOWS,
    with_slices: bool = False,
) -> list[SequenceScore]:
    """Score sequences and return their sums in order.

    Args:
        pairs: Matched sequences.
        labels: Label space.
        workers: Where sequences are scored.
        progress: Called with the numbers of finished frames.
        losses_of: See :func:`score_pair`.
        windows: See :func:`score_pair`.
        with_slices: See :func:`score_pair`.

    Raises:
        DataError: As :func:`score_pair`, or if a worker ended.
    """
    if isinstance(workers, Processes) and (workers.jobs == 1 or len(pairs) < 2):
        return [
            score_pair(pair, labels, progress, losses_of, windows, with_slices) for pair in pairs
        ]
    # Long sequences run first, so that none starts when all others are done.
    ordered = sorted(range(len(pairs)), key=lambda at: -len(pairs[at].frames))
    start = partial(_scoring, labels, losses_of, windows, with_slices)
    scores: dict[int, SequenceScore] = {}
    for place, score in workers.run(start, [pairs[at] for at in ordered]):
        at = ordered[place]
        scores[at] = score
        progress(len(pairs[at].frames))
    return [scores[at] for at in range(len(pairs))]


def _scoring(
    labels: LabelSpace,
    losses_of: PatVariant | None,
    windows: Sequence[int],
    with_slices: bool,
) -> Callable[[SequencePair], SequenceScore]:
    score = partial(score_pair, labels=labels, progress=None, losses_of=losses_of)
    return partial(score, windows=windows, with_slices=with_slices)
