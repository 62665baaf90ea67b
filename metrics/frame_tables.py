"""The overlap tables of the frames of a sequence, stored compactly and read part by part."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import LabelSpace
from mapt_bench.metrics.overlap import FrameOverlap, SegmentKinds, SequenceOverlap

__all__ = ["FrameTables", "TableReader"]

_BLOCK_FRAMES = 256
_BLOCK_ENTRIES = 1 << 13
_PART_ENTRIES = 1 << 16
"""Entries that are counted at a time. Counting takes about 250 bytes for each."""


class FrameTables:
    """Overlap tables of frames, in temporal order.

    They are joined into blocks of the smallest types that hold their numbers: about ten bytes for
    each pair of overlapping segments.

    Args:
        labels: Label space of both sides.

    Attributes:
        stuff_with_ids: Classes of ground-truth stuff that had an identity, which is dropped.
    """

    def __init__(self, labels: LabelSpace) -> None:
        self.labels = labels
        self.stuff_with_ids: frozenset[int] = frozenset()
        self._waiting: list[FrameOverlap] = []
        self._waiting_entries = 0
        self._blocks: list[_Block] = []
        self._starts = [0]  # first frame of each block, and of those that wait
        self._gt_empty: list[tuple[int, int]] = []
        self._pred_empty: list[tuple[int, int]] = []

    @property
    def frame_count(self) -> int:
        """Number of frames so far."""
        return self._starts[-1] + len(self._waiting)

    def add(self, overlap: FrameOverlap) -> None:
        """Add the table of the next frame."""
        frame = self.frame_count
        self._gt_empty += [(frame, code) for code in overlap.gt_empty]
        self._pred_empty += [(frame, code) for code in overlap.pred_empty]
        self.stuff_with_ids |= overlap.stuff_with_ids
        self._waiting.append(overlap)
        self._waiting_entries += len(overlap.pixels)
        if len(self._waiting) >= _BLOCK_FRAMES or self._waiting_entries >= _BLOCK_ENTRIES:
            self._join()

    def _join(self) -> None:
        if self._waiting:
            self._blocks.append(_Block(self._waiting))
            self._starts.append(self.frame_count)
            self._waiting, self._waiting_entries = [], 0

    def reader(self) -> "TableReader":
        """Return the tables of the frames so far, to be read part by part."""
        self._join()
        return TableReader(
            self.labels,
            tuple(self._blocks),
            tuple(self._starts),
            _frames_and_codes(self._gt_empty),
            _frames_and_codes(self._pred_empty),
        )


class TableReader:
    """Reads the joined tables of some frames at a time, so that memory does not follow the length.

    Args:
        labels: Label space of both sides.
        blocks: Joined tables of consecutive frames.
        starts: First frame of each block, and the number of frames.
        gt_empty: ``int64`` of shape ``(m, 2)``: frame and code of each ground-truth object with an
            empty mask.
        pred_empty: The same of predicted objects.

    Attributes:
        gt: Distinct ground-truth codes of the sequence.
        pred: Distinct predicted codes of the sequence.
    """

    def __init__(
        self,
        labels: LabelSpace,
        blocks: tuple["_Block", ...],
        starts: tuple[int, ...],
        gt_empty: NDArray[np.int64],
        pred_empty: NDArray[np.int64],
    ) -> None:
        self.labels = labels
        self.gt = SegmentKinds.of(_distinct([block.gt_codes for block in blocks]), labels)
        self.pred = SegmentKinds.of(_distinct([block.pred_codes for block in blocks]), labels)
        self.gt_empty, self.pred_empty = gt_empty, pred_empty
        self._blocks, self._starts = blocks, starts

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return self._starts[-1]

    def spans(self) -> list[tuple[int, int]]:
        """Return the first frame and the end of each part. Parts have about 65,000 entries."""
        ends = [0]
        entries = 0
        for block, end in zip(self._blocks, self._starts[1:], strict=True):
            entries += len(block.pixels)
            if entries >= _PART_ENTRIES:
                ends.append(end)
                entries = 0
        if ends[-1] < self.frame_count or len(ends) == 1:
            ends.append(self.frame_count)
        return list(pairwise(ends))

    def part(self, first: int, end: int) -> SequenceOverlap:
        """Return the entries of the frames from ``first`` to ``end`` (exclusive).

        The numbers of frames and the codes are those of the whole sequence.
        """
        none = tuple(np.zeros(0, dtype) for dtype in _READ)
        read = zip(none, *self._read(first, end), strict=True)
        frame, gt, pred, pixels = (np.concatenate(pieces) for pieces in read)
        return SequenceOverlap(
            labels=self.labels,
            frame_count=self.frame_count,
            gt=self.gt,
            pred=self.pred,
            frame=frame,
            gt_index=np.searchsorted(self.gt.codes, gt),
            pred_index=np.searchsorted(self.pred.codes, pred),
            pixels=pixels,
            gt_empty=_between(self.gt_empty, first, end),
            pred_empty=_between(self.pred_empty, first, end),
        )

    def stretch(self, first: int, end: int) -> SequenceOverlap:
        """Return the frames from ``first`` to ``end``, see :meth:`SequenceOverlap.stretch`."""
        return self.part(first, end).stretch(first, end)

    def _read(self, first: int, end: int) -> Iterator[tuple[NDArray[Any], ...]]:
        """Return frame, codes of both sides and pixels of the entries in each block."""
        for place in range(bisect_right(self._starts, first) - 1, len(self._blocks)):
            start = self._starts[place]
            if start >= end:
                break
            block = self._blocks[place]
            frame = start + np.repeat(np.arange(len(block.counts)), block.counts)
            low, high = np.searchsorted(frame, [first, end])
            yield (
                frame[low:high],
                block.gt_codes[low:high],
                block.pred_codes[low:high],
                block.pixels[low:high],
            )


_READ = (np.int64, np.uint32, np.uint32, np.int64)  # frame, codes of both sides, pixels


class _Block:
    """The tables of consecutive frames, joined.

    Attributes:
        counts: ``(frames,)`` number of entries of each frame.
        gt_codes: ``uint32`` of shape ``(n,)``.
        pred_codes: ``uint32`` of shape ``(n,)``.
        pixels: ``(n,)`` shared pixels, unsigned, as narrow as the largest allows.
    """

    def __init__(self, frames: Sequence[FrameOverlap]) -> None:
        self.counts = np.array([len(frame.pixels) for frame in frames], dtype=np.int32)
        self.gt_codes = np.concatenate([frame.gt_codes for frame in frames])
        self.pred_codes = np.concatenate([frame.pred_codes for frame in frames])
        pixels = np.concatenate([frame.pixels for frame in frames])
        self.pixels = pixels.astype(np.min_scalar_type(pixels.max(initial=0)))


def _distinct(codes: Sequence[NDArray[np.uint32]]) -> NDArray[np.uint32]:
    """Return the distinct codes of blocks, ascending."""
    found = [np.zeros(0, dtype=np.uint32), *(np.unique(block) for block in codes)]
    return np.unique(np.concatenate(found))


def _between(empty: NDArray[np.int64], first: int, end: int) -> NDArray[np.int64]:
    low, high = np.searchsorted(empty[:, 0], [first, end])
    return empty[low:high]


def _frames_and_codes(empty: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    return np.array(empty, dtype=np.int64).reshape(-1, 2)
