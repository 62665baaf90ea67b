"""COCO's compressed run lengths: strict decoding, painting without masks, and encoding.

A mask is stored column by column as the lengths of alternating runs of 0 and 1, starting with 0.
From the third length on, the difference to the length two before is stored. A number is stored in
groups of 5 bits, lowest first, one character (from ``0`` on) per group. Bit 32 means that another
group follows. Decoders in C trust the text. This one checks every length.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["encode_rle", "paint_runs", "parse_rle", "runs_of_mask"]

_GROUPS_AT_MOST = 7  # 35 bits: more than any image needs, less than int64 holds

Runs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""First positions, and positions after the last, of runs of 1. Column-major, ascending."""


def parse_rle(text: str, pixel_count: int) -> Runs:
    """Read run lengths.

    Args:
        text: Compressed run lengths.
        pixel_count: Height times width.

    Raises:
        ValueError: If the text is malformed or does not fill the image. The message says why.

    Example:
        >>> starts, ends = parse_rle("132", 6)
        >>> starts.tolist(), ends.tolist()
        ([1], [4])
    """
    lengths = _parse_lengths(text)
    if (lengths < 0).any():
        raise ValueError("a run has a negative length")
    bounds = np.cumsum(lengths)
    if bounds[-1] != pixel_count:
        raise ValueError(f"the runs cover {bounds[-1]} pixels of {pixel_count}")
    ends = bounds[1::2]
    starts = bounds[0::2][: ends.size]
    solid = ends > starts
    return starts[solid], ends[solid]


def _parse_lengths(text: str) -> NDArray[np.int64]:
    if not text:
        raise ValueError("it is empty")
    groups = np.frombuffer(text.encode("utf-8"), dtype=np.uint8).astype(np.int64) - 48
    if (groups < 0).any() or (groups > 63).any():
        raise ValueError("it has a character outside '0' to 'o'")
    last = np.flatnonzero(groups < 32)
    if not last.size or last[-1] != groups.size - 1:
        raise ValueError("it ends within a number")
    first = np.concatenate(([0], last[:-1] + 1))
    group_counts = last - first + 1
    if group_counts.max() > _GROUPS_AT_MOST:
        raise ValueError("it has a number that is too large")
    place = np.arange(groups.size) - np.repeat(first, group_counts)
    numbers = np.add.reduceat((groups & 31) << (5 * place), first)
    negative = (groups[last] & 16) > 0
    numbers -= negative.astype(np.int64) << (5 * group_counts)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers


def paint_runs(
    objects: Sequence[tuple[int, Runs]], size: tuple[int, int], background: int
) -> NDArray[np.uint32]:
    """Fill runs with codes.

    Args:
        objects: Code and runs of each object.
        size: Height and width.
        background: Code of all other pixels.

    Returns:
        ``uint32`` codes of shape ``size``.

    Raises:
        OverlapError: If runs overlap. It has the positions of both in ``objects``.
    """
    if not objects:
        return np.full(size, background, dtype=np.uint32)
    starts = np.concatenate([runs[0] for _, runs in objects])
    ends = np.concatenate([runs[1] for _, runs in objects])
    owner = np.repeat(np.arange(len(objects)), [runs[0].size for _, runs in objects])
    order = np.argsort(starts, kind="stable")
    starts, ends, owner = starts[order], ends[order], owner[order]
    clash = np.flatnonzero(ends[:-1] > starts[1:])
    if clash.size:
        first = int(clash[0])
        raise OverlapError(int(owner[first]), int(owner[first + 1]))
    # Gaps and runs take turns, so that no memory is needed for the position of each pixel.
    bounds = np.zeros(2 * starts.size + 2, dtype=np.int64)
    bounds[1:-1:2], bounds[2::2], bounds[-1] = starts, ends, size[0] * size[1]
    codes = np.full(2 * starts.size + 1, background, dtype=np.uint32)
    codes[1::2] = np.array([code for code, _ in objects], dtype=np.uint32)[owner]
    painted = np.repeat(codes, np.diff(bounds)).reshape(size[1], size[0])
    return np.ascontiguousarray(painted.T)


class OverlapError(ValueError):
    """Two objects overlap.

    Attributes:
        first: Position of one object.
        second: Position of the other object.
    """

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"objects {first} and {second} overlap")
        self.first = first
        self.second = second


def runs_of_mask(mask: NDArray[np.bool_]) -> Runs:
    """Return the runs of a mask of shape ``(height, width)``."""
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flat, [False])).astype(np.int8)))
    return edges[0::2].astype(np.int64), edges[1::2].astype(np.int64)


def encode_rle(runs: Runs, pixel_count: int) -> str:
    """Encode runs as compressed run lengths for :func:`parse_rle`.

    Example:
        >>> encode_rle((np.array([1]), np.array([4])), 6)
        '132'
    """
    starts, ends = runs
    bounds = np.empty(2 * starts.size, dtype=np.int64)
    bounds[0::2], bounds[1::2] = starts, ends
    if not bounds.size or bounds[-1] < pixel_count:
        bounds = np.append(bounds, pixel_count)
    lengths = np.diff(bounds, prepend=0)
    numbers = lengths.copy()
    numbers[3:] -= lengths[1:-2]
    return "".join(_characters(numbers.tolist()))


def _characters(numbers: Iterable[int]) -> Iterable[str]:
    for number in numbers:
        rest, more = number, True
        while more:
            group = rest & 31
            rest >>= 5
            more = rest != (-1 if group & 16 else 0)
            yield chr(48 + group + 32 * more)
