"""Where small patches of a frame were in the earlier one: local correlation, coarse to fine.

An addition of this project to the motion head. The difference of two frames' features says that
something moved, but hardly how far, unless a network has seen the very pattern before. Correlation
compares the patterns themselves, so what it learns holds for patterns that it has never seen.
Each level searches a few cells around what the coarser level found (Sun et al. 2018, PWC-Net,
arXiv:1709.02371). There is no flow network: a few thin convolutions, a tenth of the operations of
the narrow FlowNet2 together with the rest of the head.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from mapt_bench.model.deform import deformable_convolution

__all__ = ["Match", "Matcher", "local_correlation", "packed_channels"]

_SLOPE = 0.1
_STEM = 12
_COARSE = (32, 32, 64)
"""Channels of the descriptors at strides 8, 16 and 32."""

_HIDDEN = (32, 32, 24)
"""Channels of the decoders at strides 32, 16 and 8."""


class Match(NamedTuple):
    """What the search finds.

    Attributes:
        displacement: Where in the earlier frame each cell was, ``(dy, dx)`` in cells of stride 4,
            shape ``(batch, 2, height, width)``.
        hidden: Features of the finest decoder, at stride 4.
        levels: The displacements at strides 32, 16 and 8, each in its own cells: for losses.
    """

    displacement: Tensor
    hidden: Tensor
    levels: tuple[Tensor, ...]


def local_correlation(now: Tensor, earlier: Tensor, radius: int) -> Tensor:
    """Return how alike each cell and its surroundings in the earlier map are.

    ``out[b, k, y, x]`` is the sum over channels of ``now[b, :, y, x] * earlier[b, :, y + dy,
    x + dx]``, with zeros outside. ``dy`` is the outer loop of ``k``; both run from ``-radius``.

    Args:
        now: Shape ``(batch, channels, height, width)``.
        earlier: The same.
        radius: Cells that are searched in each direction.

    Returns:
        Shape ``(batch, (2 * radius + 1) ** 2, height, width)``.

    Example:
        >>> row = torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 1, 3)
        >>> local_correlation(row, row, 1)[0, 3:6, 0]
        tensor([[0., 2., 6.],
                [1., 4., 9.],
                [2., 6., 0.]])
    """
    height, width = now.shape[-2:]
    padded = functional.pad(earlier, (radius,) * 4)
    steps = range(2 * radius + 1)
    return torch.stack(
        [
            (now * padded[:, :, down : down + height, right : right + width]).sum(1)
            for down in steps
            for right in steps
        ],
        dim=1,
    )


def packed_channels(fine: int) -> int:
    """Return the channels that the descriptors of all levels take up at stride 4."""
    return fine + sum(channels // 4**level for level, channels in enumerate(_COARSE, start=1))


class Matcher(nn.Module):
    """Describe small patches of each frame, and find them again in the earlier frame.

    Args:
        fine: Channels of the descriptors at stride 4.
        radius: Cells that each coarse level searches.
    """

    def __init__(self, fine: int, radius: int) -> None:
        super().__init__()
        self.fine, self.radius = fine, radius
        widths = (3, _STEM, fine, *_COARSE)
        self.describe = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2, padding=1)
            for before, after in zip(widths, widths[1:], strict=False)
        )
        found = (2 * radius + 1) ** 2
        self.decode = nn.ModuleList()
        above = 0
        for channels, hidden in zip(reversed(_COARSE), _HIDDEN, strict=True):
            self.decode.append(_Decoder(found + channels + above, hidden, thin=channels == _COARSE[0]))
            above = hidden + 2
        self.hidden_channels = _HIDDEN[-1]

    def features(self, images: Tensor) -> Tensor:
        """Describe a frame, once.

        Args:
            images: Normalised, shape ``(batch, 3, height, width)``, both multiples of 32.

        Returns:
            The descriptors of all levels, laid out at stride 4, shape ``(batch,
            packed_channels(fine), height / 4, width / 4)``.
        """
        x = functional.leaky_relu(self.describe[0](images), _SLOPE)
        packed = []
        for level, convolution in enumerate(self.describe[1:]):
            x = convolution(x)
            packed.append(functional.pixel_shuffle(x, 2**level) if level else x)
            x = functional.leaky_relu(x, _SLOPE)
        return torch.cat(packed, dim=1)

    def forward(self, earlier: Tensor, now: Tensor) -> Match:
        """Find where each cell was.

        Args:
            earlier: :meth:`features` of the earlier frame.
            now: The same of the present frame.
        """
        levels = []
        hidden = displacement = None
        coarse_now, coarse_earlier = self._unpacked(now), self._unpacked(earlier)
        for decoder, here, there in zip(self.decode, coarse_now, coarse_earlier, strict=True):
            inputs = [here]
            if displacement is not None and hidden is not None:
                displacement, hidden = 2 * _doubled(displacement), _doubled(hidden)
                there = read_at(there, displacement)
                inputs += [displacement, hidden]
            found = local_correlation(_unit(here), _unit(there), self.radius)
            hidden, change = decoder(torch.cat((found, *inputs), dim=1))
            displacement = change if displacement is None else displacement + change
            levels.append(displacement)
        assert displacement is not None and hidden is not None  # noqa: S101  # there are levels
        return Match(2 * _doubled(displacement), _doubled(hidden), tuple(levels))

    def fine_correlation(self, earlier: Tensor, now: Tensor, radius: int) -> Tensor:
        """Correlate the finest descriptors; the earlier ones are read where they were found."""
        return local_correlation(_unit(now), _unit(earlier), radius)

    def _unpacked(self, packed: Tensor) -> list[Tensor]:
        """Return the descriptors at strides 32, 16 and 8."""
        parts, start = [], self.fine
        for level, channels in enumerate(_COARSE, start=1):
            count = channels // 4**level
            parts.append(functional.pixel_unshuffle(packed[:, start : start + count], 2**level))
            start += count
        return parts[::-1]


class _Decoder(nn.Module):
    """Turn what the search found into a change of displacement."""

    def __init__(self, in_channels: int, hidden: int, *, thin: bool) -> None:
        super().__init__()
        kernel = 1 if thin else 3
        self.first = nn.Conv2d(in_channels, 32, kernel, padding=kernel // 2)
        self.second = nn.Conv2d(32, hidden, 3, padding=1)
        self.change = nn.Conv2d(hidden, 2, 3, padding=1)
        nn.init.normal_(self.change.weight, std=0.01)
        nn.init.zeros_(self.change.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = functional.leaky_relu(self.first(x), _SLOPE)
        x = functional.leaky_relu(self.second(x), _SLOPE)
        return x, self.change(x)


def read_at(x: Tensor, displacement: Tensor) -> Tensor:
    """Return a map read at displaced places, bilinear, 0 outside."""
    return deformable_convolution(x, displacement, x.new_ones(x.shape[1], 1, 1, 1))


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _unit(x: Tensor) -> Tensor:
    """Return descriptors of length 1: exposure and contrast drop out."""
    return x / (x.square().sum(1, keepdim=True) + 1e-6).sqrt()
