"""Deformable depthwise convolution by fetching whole rows of channels.

With channels side by side in memory, one cell of the map is one row of a table, and reading a map
between its cells is a weighted sum of four rows. ``embedding_bag`` is a tuned kernel for exactly
that. The work goes block by block, so that what is fetched stays in the processor's cache: the
same steps on the whole map spend most of their time on fresh memory.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

__all__ = ["gather_rows"]

_BLOCK_BYTES = 3 << 20
"""Size of the fetched block: from 1 to 4 MiB the time differs by a fifth, then it grows."""

_LANES = 16
"""Rows are filled up to whole cache lines (16 single-precision numbers): a row astride one more
line costs more than the empty lanes do."""


def gather_rows(
    x: Tensor,
    offsets: Tensor,
    kernels: Tensor,
    *,
    taps: Sequence[tuple[int, int]],
    gate: Tensor | None = None,
) -> Tensor:
    """Sum each channel over all taps, each read at its own position.

    Args:
        x: Shape ``(batch, channels, height, width)``, single or double precision.
        offsets: Shape ``(batch, taps, 2, height, width)``, in cells, ``(dy, dx)``.
        kernels: Shape ``(taps, channels)``.
        taps: ``(down, right)`` of each tap, in cells.
        gate: Shape ``(batch, levels, height, width)``, where the taps are ``levels`` equal runs.

    Returns:
        Tensor of shape ``(batch, channels, height, width)``; channels lie innermost in memory.
        It carries no gradient.
    """
    batch, channels, height, width = x.shape
    lanes = math.ceil(channels / _LANES) * _LANES
    total = x.new_empty(batch, height, width, lanes)
    if total.numel() == 0:
        return total[..., :channels].permute(0, 3, 1, 2)
    with torch.no_grad():
        block = max(1, _BLOCK_BYTES // (len(taps) * width * lanes * x.element_size()))
        fetcher = _Fetcher(kernels, taps, size=(min(block, height), width), lanes=lanes)
        for image in range(batch):
            table = _table(x[image], lanes)
            for rows in _blocks(height, block):
                parts = None if gate is None else gate[image, :, rows]
                fetcher.fetch(
                    table, offsets[image, :, :, rows], parts, rows.start, height, total[image, rows]
                )
    return total[..., :channels].permute(0, 3, 1, 2)


def _blocks(height: int, block: int) -> Iterator[slice]:
    for top in range(0, height, block):
        yield slice(top, min(top + block, height))


def _table(image: Tensor, lanes: int) -> Tensor:
    """Lay the cells out as rows, within a frame of zeros that catches reads from outside."""
    channels, height, width = image.shape
    table = image.new_zeros(height + 3, width + 3, lanes)
    table[1 : height + 1, 1 : width + 1, :channels] = image.permute(1, 2, 0)
    return table.view(-1, lanes)


class _Fetcher:
    """The buffers that every block of a map uses again."""

    def __init__(
        self, kernels: Tensor, taps: Sequence[tuple[int, int]], *, size: tuple[int, int], lanes: int
    ) -> None:
        rows, width = size
        cells, count = rows * width, len(taps)
        self.stride = width + 3
        wide = kernels.new_zeros(count, 1, lanes)
        wide[:, 0, : kernels.shape[1]] = kernels
        # Spread out once: a product of equal shapes runs several times faster than a broadcast one.
        self.kernels = wide.expand(count, cells, lanes).contiguous()
        displacement = kernels.new_tensor(taps).view(count, 2, 1, 1)
        self.start = torch.empty(count, 2, rows, width, dtype=kernels.dtype)
        self.start[:, 0] = displacement[:, 0] + torch.arange(1, rows + 1)[:, None]
        self.start[:, 1] = displacement[:, 1] + torch.arange(1, width + 1)
        self.corners = torch.empty(count * cells, 4, dtype=torch.int32)
        self.shares = torch.empty(count * cells, 4, dtype=kernels.dtype)
        self.bags = torch.arange(0, 4 * count * cells, 4, dtype=torch.int32)

    def fetch(
        self,
        table: Tensor,
        offsets: Tensor,
        gate: Tensor | None,
        top: int,
        height: int,
        total: Tensor,
    ) -> None:
        """Write the sums for the rows from ``top`` on into ``total``."""
        count, _, rows, width = offsets.shape
        cells = rows * width
        # Offsets may lie channels-last; every buffer here has the taps outermost.
        position = torch.empty(offsets.shape, dtype=offsets.dtype)
        torch.add(offsets, self.start[:, :, :rows], out=position)
        down, right = position[:, 0], position[:, 1]
        # Beyond the frame of zeros everything is zero, so positions may stop there.
        down.add_(top).clamp_(0, height + 1)
        right.clamp_(0, self.stride - 2)
        # Not-a-number passes a clamp; its address must be a real one, its share tells of it.
        corner = position.to(torch.int32).clamp_(min=0)
        position.frac_()
        first = torch.add(corner[:, 1], corner[:, 0], alpha=self.stride).view(-1)
        corners = self.corners[: count * cells]
        for place, step in enumerate((0, 1, self.stride, self.stride + 1)):
            torch.add(first, step, out=corners[:, place])
        shares = self.shares[: count * cells].view(count, rows, width, 4)
        _bilinear_shares(down, right, gate, shares)
        fetched = torch.embedding_bag(
            table,
            corners.view(-1),
            self.bags[: count * cells],
            mode=0,
            per_sample_weights=shares.view(-1),
        )[0].view(count, cells, -1)
        fetched.mul_(self.kernels[:, :cells])
        torch.sum(fetched, 0, out=total.view(cells, -1))


def _bilinear_shares(down: Tensor, right: Tensor, gate: Tensor | None, shares: Tensor) -> None:
    """Write the weights of the four corners, times the gate, into the last axis of ``shares``."""
    if gate is None:
        lower, upper = down, 1 - down
    else:
        by_level = down.reshape(len(gate), -1, *down.shape[1:])
        parts = gate[:, None].contiguous()
        lower = (by_level * parts).view(down.shape)
        upper = (parts - lower.view(by_level.shape)).view(down.shape)
    torch.mul(lower, right, out=shares[..., 3])
    torch.sub(lower, shares[..., 3], out=shares[..., 2])
    torch.mul(upper, right, out=shares[..., 1])
    torch.sub(upper, shares[..., 1], out=shares[..., 0])
