"""Score a sequence in one pass over its pixels: the sums from which all scores are computed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError, ProtocolError
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, PanopticMap
from mapt_bench.metrics.arithmetic import Additive
from mapt_bench.metrics.matching import SegmentTable, segment_table
from mapt_bench.metrics.mot import TrackingSums, count_tracking
from mapt_bench.metrics.overlap import FrameOverlap, SequenceOverlap, count_overlap, join_frames
from mapt_bench.metrics.pat import PatSums, count_pat
from mapt_bench.metrics.pq import (
    MoptSums,
    PanopticCounts,
    count_mopt,
    count_panoptic,
    panoptic_matches,
)
from mapt_bench.metrics.stq import StqSums, count_stq

__all__ = [
    "WINDOWS",
    "IdentityMarks",
    "SequenceScorer",
    "SequenceSums",
    "checked_windows",
    "empty_sums",
    "pool",
]

WINDOWS = (1, 2, 3, 4)
"""Default window sizes of VPQ, in frames."""


def checked_windows(windows: Sequence[int], option: str) -> tuple[int, ...]:
    """Check the window sizes of VPQ.

    Args:
        windows: Window sizes in frames.
        option: Name of the option or argument, for the message.

    Raises:
        ConfigError: If there is none, one is below 1, or they do not ascend.
    """
    found = tuple(windows)
    if not found or list(found) != sorted(set(found)) or found[0] < 1:
        raise ConfigError(
            f"{option} is {','.join(map(str, found))!r}; expected window sizes in frames from 1, "
            "ascending, as in 1,2,4,6,8"
        )
    return found


_STRETCH = 64  # windows that are counted at a time, so that memory does not follow the length


@dataclass(frozen=True, eq=False, kw_only=True)
class SequenceSums(Additive):
    """All sums of a sequence. Adding two objects pools their sequences.

    Attributes:
        stq: See :class:`mapt_bench.metrics.stq.StqSums`.
        frames: Panoptic counts of single frames: ordinary PQ.
        windows: Panoptic counts of each window size of VPQ.
        pat: See :class:`mapt_bench.metrics.pat.PatSums`.
        mopt: See :class:`mapt_bench.metrics.pq.MoptSums`.
        tracking: See :class:`mapt_bench.metrics.mot.TrackingSums`.
    """

    stq: StqSums
    frames: PanopticCounts
    windows: tuple[PanopticCounts, ...]
    pat: PatSums
    mopt: MoptSums
    tracking: TrackingSums


@dataclass(frozen=True, slots=True)
class IdentityMarks:
    """Which things and identities occur on each side. Not a score: it shows misread data.

    Attributes:
        gt_things: Whether the ground truth has a thing.
        gt_ids: Whether one of these has an identity, so that it is not crowd.
        pred_things: Whether the prediction has a thing.
        pred_ids: Whether one of these has an identity above 0.
        stuff_with_ids: Classes of ground-truth stuff that had an identity, which is dropped.
    """

    gt_things: bool = False
    gt_ids: bool = False
    pred_things: bool = False
    pred_ids: bool = False
    stuff_with_ids: frozenset[int] = frozenset()

    def __or__(self, other: Self) -> Self:
        """Join the marks of two sequences."""
        return type(self)(
            self.gt_things or other.gt_things,
            self.gt_ids or other.gt_ids,
            self.pred_things or other.pred_things,
            self.pred_ids or other.pred_ids,
            self.stuff_with_ids | other.stuff_with_ids,
        )


class SequenceScorer:
    """Scores one sequence, frame by frame.

    It keeps the overlap tables of the frames, about a kilobyte each for any image size, because
    the global alignment of HOTA and the tubes of STQ need the whole sequence.

    Args:
        labels: Label space of both sides.
        windows: Window sizes of VPQ in frames, each 1 or more.

    Example:
        >>> import numpy as np
        >>> from mapt_bench.labels import label_space
        >>> scorer = SequenceScorer(label_space("kitti-step"))
        >>> car = PanopticMap(np.array([[13 << 24 | 1, 0]], dtype=np.uint32))
        >>> _ = scorer.update(car, car)
        >>> scorer.result().stq.tube_count
        1
    """

    def __init__(self, labels: LabelSpace, windows: Sequence[int] = WINDOWS) -> None:
        self.labels = labels
        self.windows = tuple(windows)
        self._frames: list[FrameOverlap] = []

    def update(self, gt: PanopticMap, pred: PanopticMap) -> FrameOverlap:
        """Add the next frame.

        Args:
            gt: Ground truth.
            pred: Prediction of the same size and label space.

        Returns:
            Overlap table of the frame, for measures that need more than the sums.

        Raises:
            ProtocolError: If the sizes differ.
            DataError: If a class is outside the label space. Nothing is added then.
        """
        overlap = count_overlap(gt, pred, self.labels)
        self._frames.append(overlap)
        return overlap

    def overlap(self) -> SequenceOverlap:
        """Return the joined overlap tables of the frames so far."""
        return join_frames(self._frames, self.labels)

    def marks(self) -> IdentityMarks:
        """Return which things and identities occurred so far."""
        gt = _things_and_ids([frame.gt_codes for frame in self._frames], self.labels)
        pred = _things_and_ids([frame.pred_codes for frame in self._frames], self.labels)
        stuff = frozenset().union(*(frame.stuff_with_ids for frame in self._frames))
        return IdentityMarks(*gt, *pred, stuff)

    def result(self) -> SequenceSums:
        """Return the sums of the frames so far. You can add more frames afterwards."""
        overlap = self.overlap()
        frames = segment_table(overlap)
        of_frames = _count(frames)
        return SequenceSums(
            stq=count_stq(overlap),
            frames=of_frames,
            windows=tuple(
                of_frames if window == 1 else _count_windows(overlap, window)
                for window in self.windows
            ),
            pat=count_pat(overlap),
            mopt=count_mopt(frames),
            tracking=count_tracking(frames),
        )


def _things_and_ids(codes: list[NDArray[np.uint32]], labels: LabelSpace) -> tuple[bool, bool]:
    joined = np.concatenate([np.zeros(0, dtype=np.uint32), *codes])
    things = joined[labels.is_thing_table[joined >> np.uint32(ID_BITS)]]
    return bool(things.size), bool((things & np.uint32(ID_LIMIT - 1) > 0).any())


def _count(table: SegmentTable) -> PanopticCounts:
    return count_panoptic(table, panoptic_matches(table))


def _count_windows(overlap: SequenceOverlap, window: int) -> PanopticCounts:
    """Count windows of several frames, part by part, because each frame is in several windows."""
    starts = range(0, max(overlap.frame_count - window + 1, 1), _STRETCH)
    stretches = (overlap.stretch(first, first + _STRETCH + window - 1) for first in starts)
    return reduce(add, (_count(segment_table(stretch, window)) for stretch in stretches))


def empty_sums(labels: LabelSpace, windows: Sequence[int] = WINDOWS) -> SequenceSums:
    """Return sums without a frame: the zero of addition, and the shape for ``from_vector``."""
    return SequenceScorer(labels, windows).result()


def pool(sums: Iterable[SequenceSums]) -> SequenceSums:
    """Add the sums of several sequences, to compute the scores of the data set.

    Raises:
        ProtocolError: If there is no sequence.
    """
    parts = list(sums)
    if not parts:
        raise ProtocolError("there is no sequence to pool; give at least one")
    return reduce(add, parts)
