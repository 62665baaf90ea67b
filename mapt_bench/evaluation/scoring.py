"""Pixels of matched sequences into sums, one sequence a worker."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from mapt_bench.data.sequences import StoredSequence
from mapt_bench.errors import MaptBenchError
from mapt_bench.labels import ID_BITS, LabelSpace, PanopticMap
from mapt_bench.metrics import SequenceScorer, SequenceSums
from mapt_bench.orphans import end_with_parent

__all__ = ["SequencePair", "score_pair", "score_pairs"]

Progress = Callable[[int], None]


@dataclass(frozen=True)
class SequencePair:
    """A sequence of the ground truth and what was predicted for it.

    Attributes:
        name: Of the sequence in results.
        gt: Ground truth.
        pred: Prediction.
        frames: For each frame of ``gt`` its position in ``pred``; ``None`` counts as all void.
    """

    name: str
    gt: StoredSequence
    pred: StoredSequence
    frames: tuple[int | None, ...]


def score_pair(
    pair: SequencePair, labels: LabelSpace, progress: Progress | None = None
) -> SequenceSums:
    """Score one sequence; only two maps are in memory at a time.

    Raises:
        DataError: If a file is unusable, a class is outside the label space, or a size differs;
            the message names the file and its side, or the frame.
    """
    scorer = SequenceScorer(labels)
    void = np.full(pair.gt.size, labels.ignore_label << ID_BITS, dtype=np.uint32)
    for gt_index, pred_index in enumerate(pair.frames):
        gt = pair.gt.read(gt_index)
        pred = PanopticMap(void) if pred_index is None else pair.pred.read(pred_index)
        try:
            scorer.update(gt, pred)
        except MaptBenchError as problem:
            where = _place(pair, gt_index, pred_index, problem.where)
            raise type(problem)(problem.message, where=where) from problem
        if progress is not None:
            progress(1)
    return scorer.result()


def _place(pair: SequencePair, gt_index: int, pred_index: int | None, side: str | None) -> str:
    """Return the file at fault, where the problem tells its side, or else the frame."""
    if side == "ground truth":
        return f"{pair.gt.path(gt_index)} ({side})"
    if side == "prediction" and pred_index is not None:
        return f"{pair.pred.path(pred_index)} ({side})"
    return f"{pair.name}/{pair.gt.frame_names[gt_index]}"


def score_pairs(
    pairs: Sequence[SequencePair],
    labels: LabelSpace,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[SequenceSums]:
    """Score sequences, in their order whatever the number of workers.

    Args:
        pairs: Matched sequences.
        labels: Label space.
        workers: Processes; with 1 nothing is started.
        progress: Called with numbers of frames done.
    """
    if workers <= 1 or len(pairs) <= 1:
        return [score_pair(pair, labels, progress) for pair in pairs]
    sums: dict[int, SequenceSums] = {}
    # Fresh processes: a fork would copy the thread of the progress bar in an unknown state.
    with ProcessPoolExecutor(
        min(workers, len(pairs)), mp_context=get_context("spawn"), initializer=end_with_parent
    ) as executor:
        # Long sequences first, so that none is started when all others are done.
        order = sorted(range(len(pairs)), key=lambda at: -len(pairs[at].frames))
        futures = {executor.submit(score_pair, pairs[at], labels): at for at in order}
        try:
            for future in as_completed(futures):
                at = futures[future]
                sums[at] = future.result()
                if progress is not None:
                    progress(len(pairs[at].frames))
        except BaseException:
            executor.shutdown(cancel_futures=True)
            raise
    return [sums[at] for at in range(len(pairs))]
