"""Where small patches of a frame were in the earlier one: local correlation, coarse to fine.

An addition of this project to the paper's motion head. The difference of two frames' features shows
that something moved. It shows how far only for patterns that the network knows. Correlation
compares the patterns themselves, so it also works for patterns that the network has never seen.
Each level searches a few cells around the result of the coarser level, as in PWC-Net (Sun et al.
2018, arXiv:1709.02371). The search has a few thin convolutions and no optical flow network.
"""

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from mapt_bench.model.correlation import correlation
from mapt_bench.model.deform import DeformForm, deformable_convolution

__all__ = ["HIDDEN_CHANNELS", "Match", "Matcher", "found_channels", "matching_macs"]
__all__ += ["packed_channels"]

_SLOPE = 0.1
_STEM = 12
_COARSE = (32, 32, 64)
"""Channels of the descriptors at strides 8, 16 and 32."""

_FIRST = 32
_HIDDEN = (32, 32, 24)
"""Channels of the decoders at strides 32, 16 and 8."""

HIDDEN_CHANNELS = _HIDDEN[-1]
"""Channels of :attr:`Match.hidden`."""

_TAPS = 9

_SHARPNESS = 5.0
"""Factor on cosines before training: a clear best match gets most of the weight."""


class Match(NamedTuple):
    """Result of the search.

    Attributes:
        displacement: Where in the earlier frame each cell was, ``(dy, dx)`` in cells of stride 4,
            shape ``(batch, 2, height, width)``.
        hidden: Features of the finest decoder, at stride 4.
        levels: The displacements at strides 32, 16 and 8, each in cells of its own stride.
    """

    displacement: Tensor
    hidden: Tensor
    levels: tuple[Tensor, ...]


def packed_channels(fine: int) -> int:
    """Return how many channels the descriptors of all levels take up at stride 4.

    Args:
        fine: Channels of the descriptors at stride 4.

    Example:
        >>> packed_channels(16)
        27
    """
    return fine + sum(channels // 4**level for level, channels in enumerate(_COARSE, start=1))


def found_channels(radius: int) -> int:
    """Return the number of displacements in a search of this radius."""
    return (2 * radius + 1) ** 2


class Matcher(nn.Module):
    """Describe small patches of each frame, and find them in the earlier frame.

    Args:
        fine: Channels of the descriptors at stride 4.
        radius: Cells that each coarse level searches in each direction.
        form: How maps are read at displaced places.
    """

    def __init__(self, fine: int, radius: int, *, form: DeformForm | str = DeformForm.AUTO) -> None:
        super().__init__()
        self.fine, self.radius, self.form = fine, radius, form
        self.describe = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2, padding=1)
            for before, after in pairwise((3, _STEM, fine, *_COARSE))
        )
        self.decode = nn.ModuleList(
            _Decoder(channels, hidden, kernel=kernel)
            for channels, hidden, kernel in _decoder_sizes(radius)
        )
        self.sharpness = nn.Parameter(torch.full((len(_HIDDEN) + 1,), _SHARPNESS))

    def features(self, images: Tensor) -> Tensor:
        """Describe a frame. This runs once a frame.

        Args:
            images: Normalised, shape ``(batch, 3, height, width)``, both multiples of 32.

        Returns:
            The descriptors of all levels at stride 4, those of coarse levels spread over the cells
            that they describe. Shape ``(batch, packed_channels(fine), height / 4, width / 4)``.
        """
        stem, *coarser = self.describe
        x = functional.leaky_relu(stem(images), _SLOPE)
        packed = []
        for level, convolution in enumerate(coarser):
            x = convolution(x)
            # What all cells have in common would make all of them alike.
            described = functional.instance_norm(x)
            packed.append(functional.pixel_shuffle(described, 2**level))
            x = functional.leaky_relu(x, _SLOPE)
        return torch.cat(packed, dim=1)

    def forward(self, earlier: Tensor, now: Tensor) -> Match:
        """Find where each cell was.

        Args:
            earlier: :meth:`features` of the earlier frame.
            now: The same of the present frame.
        """
        levels: list[Tensor] = []
        hidden = None
        for decoder, sharpness, here, there in zip(
            self.decode, self.sharpness, self._unpacked(now), self._unpacked(earlier), strict=False
        ):
            inputs = [here]
            start = None
            if hidden is not None:
                start, hidden = 2 * _doubled(levels[-1]), _doubled(hidden)
                there = self.read(there, start)
                inputs += [start, hidden]
            found = correlate(here, there, self.radius)
            best = self.best(found, sharpness)
            hidden, change = decoder(torch.cat((found, best, *inputs), dim=1))
            levels.append(best + change if start is None else start + best + change)
        if hidden is None:
            raise RuntimeError("the matcher has no level to search")
        return Match(2 * _doubled(levels[-1]), _doubled(hidden), tuple(levels))

    def best(self, found: Tensor, sharpness: Tensor) -> Tensor:
        """Return the displacement of the best match: a mean weighted by a softmax.

        A learned decoder corrects it. Without it, training stays long at no displacement.

        Args:
            found: Correlations, shape ``(batch, found_channels(radius), height, width)``.
            sharpness: Factor on correlations before the softmax, a scalar.

        Returns:
            ``(dy, dx)`` in cells, shape ``(batch, 2, height, width)``.
        """
        radius = math.isqrt(found.shape[1]) // 2
        steps = torch.arange(-radius, radius + 1, dtype=found.dtype, device=found.device)
        places = torch.stack(torch.meshgrid(steps, steps, indexing="ij")).flatten(1)
        weights = (found * sharpness).softmax(1)
        return functional.conv2d(weights, places[:, :, None, None])

    def read(self, x: Tensor, displacement: Tensor) -> Tensor:
        """Read a map at displaced places, between cells bilinearly, 0 outside."""
        kernels = x.new_ones(x.shape[1], 1, 1, 1)
        return deformable_convolution(x, displacement, kernels, form=self.form)

    def _unpacked(self, packed: Tensor) -> list[Tensor]:
        """Return the descriptors at strides 32, 16 and 8."""
        counts = [channels // 4**level for level, channels in enumerate(_COARSE, start=1)]
        _, *parts = packed.split((self.fine, *counts), dim=1)
        return [
            functional.pixel_unshuffle(part, 2**level) for level, part in enumerate(parts, start=1)
        ][::-1]


class _Decoder(nn.Module):
    """Turn the correlations of a level into a change of displacement."""

    def __init__(self, in_channels: int, hidden: int, *, kernel: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, _FIRST, kernel, padding=kernel // 2)
        self.second = nn.Conv2d(_FIRST, hidden, 3, padding=1)
        self.change = nn.Conv2d(hidden, 2, 3, padding=1)
        nn.init.normal_(self.change.weight, std=0.01)
        nn.init.zeros_(self.change.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = functional.leaky_relu(self.first(x), _SLOPE)
        x = functional.leaky_relu(self.second(x), _SLOPE)
        return x, self.change(x)


def correlate(now: Tensor, earlier: Tensor, radius: int) -> Tensor:
    """Return the cosine of each cell's descriptor and those around the same cell before.

    Args:
        now: Shape ``(batch, channels, height, width)``.
        earlier: The same.
        radius: Cells that are searched in each direction.

    Returns:
        Shape ``(batch, found_channels(radius), height, width)``, in ``[-1, 1]``.
    """
    # The operator returns means over channels.
    return now.shape[1] * correlation(_unit(now), _unit(earlier), radius, 1)


def _decoder_sizes(radius: int) -> list[tuple[int, int, int]]:
    """Return input channels, hidden channels and first kernel at strides 32, 16 and 8."""
    sizes, above = [], 0
    for channels, hidden in zip(reversed(_COARSE), _HIDDEN, strict=True):
        kernel = 1 if above else 3  # finer levels have too many cells for 3x3
        sizes.append((found_channels(radius) + 2 + channels + above, hidden, kernel))
        above = hidden + 2
    return sizes


def matching_macs(fine: int, radius: int) -> tuple[int, int]:
    """Return the multiply-adds of the search for 64 cells of stride 4: one cell of stride 32.

    Args:
        fine: Channels of the descriptors at stride 4.
        radius: Cells that each coarse level searches in each direction.

    Returns:
        Those of convolutions, reads at displaced places included, and those of correlations.
    """
    descriptors = 0
    for level, (before, after) in enumerate(pairwise((3, _STEM, fine, *_COARSE))):
        descriptors += before * after * _TAPS * 4 ** (4 - level)
    decoders = correlations = 0
    for level, (channels, (inputs, hidden, kernel)) in enumerate(
        zip(reversed(_COARSE), _decoder_sizes(radius), strict=True)
    ):
        cells = 4**level
        decoders += cells * inputs * _FIRST * kernel**2
        decoders += cells * hidden * _TAPS * (_FIRST + 2)
        decoders += cells * (channels * (level > 0) + 2 * found_channels(radius))
        correlations += cells * channels * found_channels(radius)
    return descriptors + decoders, correlations


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _unit(x: Tensor) -> Tensor:
    """Return descriptors of length 1: exposure and contrast no longer matter."""
    return x / (x.square().sum(1, keepdim=True) + 1e-6).sqrt()
