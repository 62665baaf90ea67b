"""Deformable depthwise convolution by fetching whole rows of channels.

With channels side by side in memory, one cell of the map is one row of a table, and reading a map
between its cells is a weighted sum of four rows. ``embedding_bag`` is a tuned kernel for exactly
that. What surrounds it is laid out so that it costs as little: the taps of a cell lie side by side,
so that weighing and summing them runs over unbroken memory, and the work goes block by block, so
that it stays in the processor's cache.

Where all taps of a kernel share one offset, the kernel can be applied first and the result be read
once, instead of reading at each tap: reading between cells is linear.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["gather_convolved", "gather_rows"]

_BLOCK_POSITIONS = 1 << 16
"""Positions worked out at once: fewer, and calls take the time; more, and they leave the cache."""

_FETCHED_BYTES = 3 << 19
"""Size of what is fetched at once. Twice that takes a quarter longer: it is fresh memory."""

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
        offsets: Shape ``(batch, taps, 2, height, width)``, in cells, ``(dy, dx)``; quickest where
            taps lie innermost in memory, as a channels-last convolution leaves them.
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
        offsets = offsets.permute(0, 3, 4, 1, 2)
        gate = None if gate is None else gate.permute(0, 2, 3, 1)
        block = min(height, max(1, _BLOCK_POSITIONS // (len(taps) * width)))
        fetcher = _Fetcher(kernels, taps, block=block, size=(height, width), lanes=lanes)
        for image in range(batch):
            table = _table(x[image], lanes)
            for rows in _runs(height, block):
                parts = None if gate is None else gate[image, rows]
                fetcher.fetch(table, offsets[image, rows], parts, rows.start, total[image, rows])
    return total[..., :channels].permute(0, 3, 1, 2)


def gather_convolved(
    x: Tensor,
    offsets: Tensor,
    kernels: Tensor,
    *,
    dilations: Sequence[int],
    gate: Tensor | None = None,
) -> Tensor:
    """Sum each channel over all taps, where the taps of a dilation share one offset.

    Args:
        x: Shape ``(batch, channels, height, width)``, single or double precision.
        offsets: Shape ``(batch, dilations, 2, height, width)``, in cells, ``(dy, dx)``.
        kernels: Shape ``(dilations, channels, 1, k, k)`` with odd ``k``.
        dilations: Cells between neighbouring taps, one number for each kernel.
        gate: Shape ``(batch, dilations, height, width)``.

    Returns:
        As :func:`gather_rows`, up to rounding.
    """
    batch, channels, height, width = x.shape
    lanes = math.ceil(channels / _LANES) * _LANES
    total = x.new_empty(batch, height * width, lanes)
    if total.numel():
        with torch.no_grad():
            cells = 4 * len(dilations)
            bags = torch.arange(0, cells * height * width + 1, cells, dtype=torch.int32)
            for image in range(batch):
                parts = None if gate is None else gate[image]
                corners, shares = _shared_places(offsets[image], parts, kernels, dilations)
                total[image] = torch.embedding_bag(
                    _convolved_table(x[image], kernels, dilations, lanes),
                    corners,
                    bags,
                    mode=0,
                    per_sample_weights=shares,
                    include_last_offset=True,
                )[0]
    return total.view(batch, height, width, lanes)[..., :channels].permute(0, 3, 1, 2)


def _convolved_table(
    image: Tensor, kernels: Tensor, dilations: Sequence[int], lanes: int
) -> Tensor:
    """Lay out what each kernel makes of the image as rows, one dilation after the other.

    A kernel is not 0 up to its reach outside the image. Around that lies a frame of zeros.
    """
    planes = image[None].contiguous(memory_format=torch.channels_last)
    tables = []
    for kernel, dilation in zip(kernels, dilations, strict=True):
        padding = 2 * _reach(kernels, dilation)
        wide = functional.conv2d(
            planes, kernel, padding=padding, dilation=dilation, groups=len(image)
        )
        tables.append(_table(wide[0], lanes))
    return torch.cat(tables)


def _shared_places(
    offsets: Tensor, gate: Tensor | None, kernels: Tensor, dilations: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Return the four cells around each position in the table, and their shares, both flat."""
    levels, _, height, width = offsets.shape
    shape = (height, width, levels, 4)
    corners, shares = torch.empty(shape, dtype=torch.int32), offsets.new_empty(shape)
    rows = torch.arange(height, dtype=offsets.dtype)[:, None]
    columns = torch.arange(width, dtype=offsets.dtype)
    begin = 0
    for level, dilation in enumerate(dilations):
        reach = _reach(kernels, dilation)
        down, right = height + 2 * reach + 1, width + 2 * reach + 1
        stride = right + 2
        # Beyond the frame of zeros everything is zero, so positions may stop there.
        y = (offsets[level, 0] + (rows + (reach + 1))).clamp_(0, down)
        x = (offsets[level, 1] + (columns + (reach + 1))).clamp_(0, right)
        # Not-a-number passes these limits; its address must be a real one, its share tells of it.
        first = y.to(torch.int32).clamp_(min=0).mul_(stride)
        first.add_(x.to(torch.int32).clamp_(min=0)).add_(begin)
        for place, step in enumerate((0, 1, stride, stride + 1)):
            torch.add(first, step, out=corners[..., level, place])
        part = None if gate is None else gate[level, :, :, None]
        _bilinear_shares(
            y.frac_()[..., None], x.frac_()[..., None], part, shares[..., level, None, :]
        )
        begin += (down + 2) * stride
    return corners.flatten(), shares.flatten()


def _reach(kernels: Tensor, dilation: int) -> int:
    return int(kernels.shape[-1]) // 2 * dilation


def _runs(count: int, length: int) -> Iterator[slice]:
    for start in range(0, count, length):
        yield slice(start, min(start + length, count))


def _table(image: Tensor, lanes: int) -> Tensor:
    """Lay the cells out as rows, within a frame of zeros that catches reads from outside."""
    channels, height, width = image.shape
    table = image.new_zeros(height + 3, width + 3, lanes)
    table[1 : height + 1, 1 : width + 1, :channels] = image.permute(1, 2, 0)
    return table.view(-1, lanes)


class _Fetcher:
    """What every block of a map uses again: where its taps lie, and room to work in."""

    def __init__(
        self,
        kernels: Tensor,
        taps: Sequence[tuple[int, int]],
        *,
        block: int,
        size: tuple[int, int],
        lanes: int,
    ) -> None:
        height, width = size
        count = len(taps)
        self.stride = width + 3
        self.kernels = kernels.new_zeros(count, lanes)
        self.kernels[:, : kernels.shape[1]] = kernels
        self.start = kernels.new_empty(block, width, count, 2)
        displacement = kernels.new_tensor(taps)
        self.start[..., 0] = displacement[:, 0] + torch.arange(1, block + 1)[:, None, None]
        self.start[..., 1] = displacement[:, 1] + torch.arange(1, width + 1)[:, None]
        # Spread out once: work on equal shapes runs several times faster than on one pair for all.
        self.down = kernels.new_tensor([1, 0]).expand_as(self.start).contiguous()
        # Beyond the frame of zeros everything is zero, so positions may stop there.
        self.limit = kernels.new_tensor([height + 1, width + 1]).expand_as(self.start).contiguous()
        self.position = torch.empty_like(self.start)
        self.cell = torch.empty(self.start.shape, dtype=torch.int32)
        self.corners = torch.empty(block, width, count, 4, dtype=torch.int32)
        self.shares = kernels.new_empty(block, width, count, 4)
        self.chunk = max(1, _FETCHED_BYTES // (self.kernels.numel() * kernels.element_size()))
        self.bags = torch.arange(0, 4 * count * self.chunk + 1, 4, dtype=torch.int32)

    def fetch(
        self, table: Tensor, offsets: Tensor, gate: Tensor | None, top: int, total: Tensor
    ) -> None:
        """Write the sums for the rows from ``top`` on into ``total``.

        Shapes are ``(rows, width, taps, 2)``, ``(rows, width, levels)`` and ``(rows, width,
        lanes)``.
        """
        rows = len(offsets)
        position, cell = self.position[:rows], self.cell[:rows]
        corners, shares = self.corners[:rows], self.shares[:rows]
        torch.add(offsets, self.start[:rows], out=position)
        position.add_(self.down[:rows], alpha=top)
        position.clamp_(min=0)
        torch.minimum(position, self.limit[:rows], out=position)
        # Not-a-number passes these limits; its address must be a real one, its share tells of it.
        cell.copy_(position).clamp_(min=0)
        position.frac_()
        first = corners[..., 0]
        torch.add(cell[..., 1], cell[..., 0], alpha=self.stride, out=first)
        for place, step in enumerate((1, self.stride, self.stride + 1), start=1):
            torch.add(first, step, out=corners[..., place])
        _bilinear_shares(position[..., 0], position[..., 1], gate, shares)
        self._sum(table, corners.flatten(0, 1), shares.flatten(0, 1), total.flatten(0, 1))

    def _sum(self, table: Tensor, corners: Tensor, shares: Tensor, total: Tensor) -> None:
        taps = corners.shape[1]
        for cells in _runs(len(corners), self.chunk):
            chunk = total[cells]
            fetched = torch.embedding_bag(
                table,
                corners[cells].view(-1),
                self.bags[: len(chunk) * taps + 1],
                mode=0,
                per_sample_weights=shares[cells].view(-1),
                include_last_offset=True,
            )[0]
            weighed = fetched.view(len(chunk), -1).mul_(self.kernels.view(-1))
            torch.sum(weighed.view(len(chunk), taps, -1), 1, out=chunk)


def _bilinear_shares(down: Tensor, right: Tensor, gate: Tensor | None, shares: Tensor) -> None:
    """Write the weights of the four corners, times the gate, into the last axis of ``shares``."""
    if gate is None:
        lower, upper = down, 1 - down
    else:
        run = down.shape[-1] // gate.shape[-1]
        parts = gate[..., None].expand(*gate.shape, run).flatten(-2)
        lower = down * parts
        upper = parts - lower
    torch.mul(lower, right, out=shares[..., 3])
    torch.sub(lower, shares[..., 3], out=shares[..., 2])
    torch.mul(upper, right, out=shares[..., 1])
    torch.sub(upper, shares[..., 1], out=shares[..., 0])
