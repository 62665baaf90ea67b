"""Score a sequence in one pass over its pixels: the sums from which all scores are computed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Self

from mapt_bench.errors import ConfigError, ProtocolError
from mapt_bench.labels import LabelSpace, PanopticMap
from mapt_bench.metrics.arithmetic import Additive
from mapt_bench.metrics.frame_tables import FrameTables, TableReader
from mapt_bench.metrics.matching import SegmentTable, segment_table
from mapt_bench.metrics.mot import TrackingCounter, TrackingSums
from mapt_bench.metrics.overlap import FrameOverlap, SegmentKinds, SequenceOverlap, count_overlap
from mapt_bench.metrics.pat import PatSums
from mapt_bench.metrics.pat_counter import PatCounter
from mapt_bench.metrics.pq import (
    MoptCounter,
    MoptSums,
    PanopticCounts,
    count_panoptic,
    no_counts,
    panoptic_matches,
)
from mapt_bench.metrics.stq import StqCounter, StqSums

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

    It keeps the overlap tables of the frames, about ten bytes for each pair of overlapping segments
    and for any image size, because the global alignment of HOTA needs the whole sequence. They are
    counted part by part, so that memory does not follow the number of frames otherwise.

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
        self._tables = FrameTables(labels)

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
        self._tables.add(overlap)
        return overlap

    def overlap(self) -> SequenceOverlap:
        """Return the joined overlap tables of the frames so far."""
        reader = self._tables.reader()
        return reader.part(0, reader.frame_count)

    def marks(self) -> IdentityMarks:
        """Return which things and identities occurred so far."""
        reader = self._tables.reader()
        gt, pred = _things_and_ids(reader.gt), _things_and_ids(reader.pred)
        return IdentityMarks(*gt, *pred, self._tables.stuff_with_ids)

    def result(self) -> SequenceSums:
        """Return the sums of the frames so far. You can add more frames afterwards."""
        reader = self._tables.reader()
        spans = reader.spans()
        stq, pat = StqCounter(self.labels, reader.pred), PatCounter(self.labels, reader.pred)
        of_frames, mopt = no_counts(self.labels), MoptCounter(self.labels)
        tracking = TrackingCounter(
            self.labels, (reader.gt, reader.pred), (reader.gt_empty, reader.pred_empty)
        )
        for span in spans:
            part = reader.part(*span)
            table = segment_table(part)
            stq.add(part)
            pat.add(part)
            of_frames = count_panoptic(table, panoptic_matches(table), before=of_frames)
            mopt.add(table)
            detections = tracking.detections(table)
            tracking.measure(detections)
        for span in spans:
            if len(spans) > 1:  # the masks of a single part are at hand
                detections = tracking.detections(segment_table(reader.part(*span)))
            tracking.match(detections)
        source = reader if len(spans) > 1 else part
        return SequenceSums(
            stq=stq.sums(reader.frame_count),
            frames=of_frames,
            windows=tuple(
                of_frames if window == 1 else _count_windows(source, window)
                for window in self.windows
            ),
            pat=pat.sums(),
            mopt=mopt.sums(),
            tracking=tracking.sums(),
        )


def _things_and_ids(kinds: SegmentKinds) -> tuple[bool, bool]:
    return bool(kinds.is_thing.any()), bool((kinds.is_thing & ~kinds.is_crowd).any())


def _count(table: SegmentTable) -> PanopticCounts:
    return count_panoptic(table, panoptic_matches(table))


def _count_windows(overlap: SequenceOverlap | TableReader, window: int) -> PanopticCounts:
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
