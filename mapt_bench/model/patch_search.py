"""Where small patches of a frame were in the earlier one: local correlation, coarse to fine.

An addition of this project to the paper's motion head. The difference of two frames' features shows
that something moved. It shows how far only for patterns that the network knows. Correlation
compares the patterns themselves, so it also works for patterns that the network has never seen.
Each level searches a few cells around the result of the coarser level, as in PWC-Net (Sun et al.
2018, arXiv:1709.02371). The search has a few thin convolutions and no optical flow network.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from mapt_bench.model.correlation import correlation
from mapt_bench.model.deform import DeformForm, deformable_convolution

__all__ = [
    "HIDDEN_CHANNELS",
    "Match",
    "Matcher",
    "Search",
    "correlate",
    "flow_in_cells",
    "found_channels",
    "matching_macs",
    "mean_where_known",
    "packed_channels",
    "search_losses",
]

_SLOPE = 0.1
_STEM = 6
"""Learned channels beside the colours that descriptors are made of."""

_COARSE = (32, 32)
"""Channels of the descriptors at strides 8 and 16."""

_FIRST = 32
_HIDDEN = (32, 24)
"""Channels of the decoders at strides 16 and 8."""

HIDDEN_CHANNELS = _HIDDEN[-1]
"""Channels of :attr:`Match.hidden`."""

_TAPS = 9
_PATCH = 4
"""Side of what a descriptor sees, in cells of half its stride."""

_SEARCH_WEIGHT = 0.2
_SHARPNESS = 30.0
_STILLNESS = 0.8
"""Start of the likeness of a displacement: this factor on cosines, and a normal distribution around
zero with this standard deviation in cells. Chosen on training clips: with random descriptors, the
search is then nearer to the flow than no displacement is."""


class Match(NamedTuple):
    """Result of the search.

    Attributes:
        displacement: Where in the earlier frame each cell was, ``(dy, dx)`` in cells of stride 4,
            shape ``(batch, 2, height, width)``.
        hidden: Features of the finest decoder, at stride 4.
        searches: One for each of strides 16, 8 and 4.
    """

    displacement: Tensor
    hidden: Tensor
    searches: tuple["Search", ...]


class Search(NamedTuple):
    """What one level looked at, and where it was led.

    Attributes:
        start: Where the search began, ``(dy, dx)`` in cells of the level, shape ``(batch, 2,
            height, width)``; ``None`` is no displacement.
        likeness: Logit of each displacement from there, shape ``(batch, found_channels(radius),
            height, width)``.
        end: The displacement that the level ends at.
    """

    start: Tensor | None
    likeness: Tensor
    end: Tensor


def packed_channels(fine: int) -> int:
    """Return how many channels the descriptors of all levels take up at stride 4.

    Args:
        fine: Channels of the descriptors at stride 4.

    Example:
        >>> packed_channels(16)
        26
    """
    return fine + sum(_packed(channels, level) for level, channels in enumerate(_COARSE, start=1))


def _packed(channels: int, level: int) -> int:
    return channels // (1 << 2 * level)


def found_channels(radius: int) -> int:
    """Return the number of displacements in a search of this radius."""
    return (2 * radius + 1) ** 2


class Matcher(nn.Module):
    """Describe small patches of each frame, and find them in the earlier frame.

    Args:
        fine: Channels of the descriptors at stride 4.
        radius: Cells that each coarse level searches in each direction.
        fine_radius: The same at stride 4.
        form: How maps are read at displaced places.
    """

    def __init__(
        self,
        fine: int,
        radius: int,
        fine_radius: int,
        *,
        form: DeformForm | str = DeformForm.AUTO,
    ) -> None:
        super().__init__()
        self.fine, self.radius, self.form = fine, radius, form
        self.stem = nn.Conv2d(3, _STEM, 3, padding=1)
        self.describe = nn.ModuleList(
            nn.Conv2d(3 + _STEM, channels, _PATCH, stride=2, padding=1, bias=False)
            for channels in (fine, *_COARSE)
        )
        for convolution in self.describe:
            nn.init.orthogonal_(convolution.get_parameter("weight"))
        self.decode = nn.ModuleList(
            _Decoder(channels, hidden, kernel=kernel)
            for channels, hidden, kernel in _decoder_sizes(radius)
        )
        self.likeness = nn.ModuleList(
            _Likeness(reach) for reach in (*(radius for _ in _HIDDEN), fine_radius)
        )

    def features(self, images: Tensor) -> Tensor:
        """Describe a frame. This runs once a frame.

        Args:
            images: Normalised, shape ``(batch, 3, height, width)``, both multiples of 16.

        Returns:
            The descriptors of all levels at stride 4, those of coarse levels spread over the cells
            that they describe. Shape ``(batch, packed_channels(fine), height / 4, width / 4)``.
        """
        x = functional.avg_pool2d(images, 2)
        learned = functional.leaky_relu(self.stem(x), _SLOPE)
        x = torch.cat((x, 0.5 * functional.instance_norm(learned)), dim=1)
        packed = []
        for level, convolution in enumerate(self.describe):
            # What all cells have in common would make all of them alike.
            described = functional.instance_norm(convolution(x))
            packed.append(functional.pixel_shuffle(described, 2**level))
            x = functional.avg_pool2d(x, 2)
        return torch.cat(packed, dim=1)

    def forward(self, earlier: Tensor, now: Tensor) -> Match:
        """Find where each cell was.

        Args:
            earlier: :meth:`features` of the earlier frame.
            now: The same of the present frame.
        """
        searches: list[Search] = []
        hidden: Tensor | None = None
        for decoder, likeness_of, here, there in zip(
            self.decode,
            self.likeness,
            self._unpacked(now),
            self._unpacked(earlier),
            strict=False,  # the last likeness is that of stride 4
        ):
            inputs = [here]
            start = None
            if hidden is not None:
                start, hidden = 2 * _doubled(searches[-1].end), _doubled(hidden)
                there = self.read(there, start)
                inputs += [start, hidden]
            found, likeness = likeness_of(here, there)
            best = best_match(likeness)
            hidden, change = decoder(torch.cat((found, best, *inputs), dim=1))
            end = best + change if start is None else start + best + change
            searches.append(Search(start, likeness, end))
        if hidden is None:
            raise RuntimeError("the matcher has no level to search")
        return Match(2 * _doubled(searches[-1].end), _doubled(hidden), tuple(searches))

    def refine(self, match: Match, now: Tensor, earlier: Tensor) -> tuple[Match, Tensor]:
        """Search once more, at stride 4.

        Args:
            match: Result at stride 8.
            now: Descriptors at stride 4 of the present frame.
            earlier: Those of the earlier frame, read where ``match`` says.

        Returns:
            The refined result, and the correlations.
        """
        start = match.displacement
        found, likeness = self.likeness[-1](now, earlier)
        end = start + best_match(likeness)
        return Match(end, match.hidden, (*match.searches, Search(start, likeness, end))), found

    def read(self, x: Tensor, displacement: Tensor) -> Tensor:
        """Read a map at displaced places, between cells bilinearly, 0 outside."""
        kernels = x.new_ones(x.shape[1], 1, 1, 1)
        return deformable_convolution(x, displacement, kernels, form=self.form)

    def _unpacked(self, packed: Tensor) -> list[Tensor]:
        """Return the descriptors at strides 16 and 8."""
        counts = [_packed(channels, level) for level, channels in enumerate(_COARSE, start=1)]
        _, *parts = torch.split(packed, [self.fine, *counts], dim=1)
        return [
            functional.pixel_unshuffle(part, 2**level) for level, part in enumerate(parts, start=1)
        ][::-1]


class _Likeness(nn.Module):
    """Turn correlations into logits: how likely each displacement is.

    Correlations are averaged over 5x5 cells, as neighbours mostly move alike.
    """

    def __init__(self, radius: int) -> None:
        super().__init__()
        self.radius = radius
        self.sharpness = nn.Parameter(torch.tensor(_SHARPNESS))
        away = _places(torch.zeros(1, found_channels(radius))).square().sum(0)
        self.prior = nn.Parameter(-away / (2 * _STILLNESS**2))

    def forward(self, now: Tensor, earlier: Tensor) -> tuple[Tensor, Tensor]:
        found = correlate(now, earlier, self.radius)
        smooth = functional.avg_pool2d(found, 5, stride=1, padding=2)
        return found, self.sharpness * smooth + self.prior[:, None, None]


class _Decoder(nn.Module):
    """Turn the correlations of a level into a change of displacement."""

    def __init__(self, in_channels: int, hidden: int, *, kernel: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, _FIRST, kernel, padding=kernel // 2)
        self.second = nn.Conv2d(_FIRST, hidden, 3, padding=1)
        self.change = nn.Conv2d(hidden, 2, 3, padding=1)
        nn.init.normal_(self.change.weight, std=0.01)
        nn.init.zeros_(self.change.get_parameter("bias"))

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


def best_match(likeness: Tensor) -> Tensor:
    """Return the displacement of the best match: a mean weighted by a softmax.

    Decoders correct it. Without it, training stays long at no displacement.

    Args:
        likeness: Logits, shape ``(batch, found_channels(radius), height, width)``.

    Returns:
        ``(dy, dx)`` in cells, shape ``(batch, 2, height, width)``.
    """
    return functional.conv2d(likeness.softmax(1), _places(likeness)[:, :, None, None])


def search_losses(match: Match, flow: Tensor, valid: Tensor) -> Tensor:
    """Return how badly the levels together find the exact flow of each pair of frames.

    Two terms: the distance of the end from the flow, in cells of the level, and the cross-entropy
    of the likeness, where the right place lies within the search. The second teaches descriptors
    much sooner than the first.

    Args:
        match: Result of the search.
        flow: Where each cell of stride 4 was, ``(dy, dx)`` in cells of stride 4, shape ``(batch, 2,
            height, width)``; any number where it is not valid.
        valid: Where the flow is known, ``bool`` of shape ``(batch, height, width)``.

    Returns:
        Shape ``(batch,)``: sums over levels of means over known cells, 0 where none is known.
    """
    total = flow.new_zeros(len(flow))
    for search in match.searches:
        times = flow.shape[-1] // search.end.shape[-1]
        wanted, known = flow_in_cells(flow, valid, times)
        error = ((search.end - wanted).square().sum(1) + 1e-4).sqrt()
        total = total + 0.5 * times**0.5 * mean_where_known(error, known)
        change = wanted if search.start is None else wanted - search.start.detach()
        away = (change[:, None] - _places(flow, search.likeness).T[:, :, None, None]).abs()
        share = (1 - away).clamp(min=0).prod(2)
        entropy = -(share * search.likeness.log_softmax(1)).sum(1)
        total = total + _SEARCH_WEIGHT * mean_where_known(entropy, known & (share.sum(1) > 0.5))
    return total


def flow_in_cells(flow: Tensor, valid: Tensor, times: int) -> tuple[Tensor, Tensor]:
    """Average the known flow over larger cells, and count in those cells.

    Args:
        flow: Shape ``(batch, 2, height, width)``; any number where it is not valid.
        valid: ``bool`` of shape ``(batch, height, width)``.
        times: Side of a larger cell.

    Returns:
        Flow of shape ``(batch, 2, height / times, width / times)``, and where it is known:
        cells with at least half of their pixels valid.
    """
    known = valid[:, None].to(flow.dtype)
    share = functional.avg_pool2d(known, times)
    mean = functional.avg_pool2d(torch.where(valid[:, None], flow, 0), times)
    return mean / share.clamp(min=0.25) / times, share[:, 0] >= 0.5


def mean_where_known(values: Tensor, known: Tensor) -> Tensor:
    """Return the mean of each map over its known cells, 0 where none is known.

    Args:
        values: Shape ``(batch, height, width)``.
        known: ``bool`` of the same shape.
    """
    return (values * known).sum((1, 2)) / known.sum((1, 2)).clamp(min=1)


def _places(like: Tensor, likeness: Tensor | None = None) -> Tensor:
    """Return ``(dy, dx)`` of each displacement of a search, shape ``(2, displacements)``."""
    count = (like if likeness is None else likeness).shape[1]
    radius = math.isqrt(count) // 2
    steps = torch.arange(-radius, radius + 1, dtype=like.dtype, device=like.device)
    return torch.stack(torch.meshgrid(steps, steps, indexing="ij")).flatten(1)


def _decoder_sizes(radius: int) -> list[tuple[int, int, int]]:
    """Return input channels, hidden channels and first kernel at strides 16 and 8."""
    sizes, above = [], 0
    for channels, hidden in zip(reversed(_COARSE), _HIDDEN, strict=True):
        kernel = 1 if above else 3  # finer levels have too many cells for 3x3
        sizes.append((found_channels(radius) + 2 + channels + above, hidden, kernel))
        above = hidden + 2
    return sizes


def matching_macs(fine: int, radius: int) -> tuple[int, int]:
    """Return the multiply-adds of the search for 16 cells of stride 4: one cell of stride 16.

    Args:
        fine: Channels of the descriptors at stride 4.
        radius: Cells that each coarse level searches in each direction.

    Returns:
        Those of convolutions, reads at displaced places included, and those of correlations.
    """
    total = 64 * 3 * _STEM * _TAPS
    for level, channels in enumerate((fine, *_COARSE)):
        total += 4 ** (2 - level) * (3 + _STEM) * channels * _PATCH**2
    correlations = 0
    for level, (channels, (inputs, hidden, kernel)) in enumerate(
        zip(reversed(_COARSE), _decoder_sizes(radius), strict=True)
    ):
        cells = 4**level
        total += cells * inputs * _FIRST * kernel**2
        total += cells * hidden * _TAPS * (_FIRST + 2)
        total += cells * (channels * (level > 0) + 2 * found_channels(radius))
        correlations += cells * channels * found_channels(radius)
    return total, correlations


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _unit(x: Tensor) -> Tensor:
    """Return descriptors of length 1: exposure and contrast no longer matter."""
    return x / (x.square().sum(1, keepdim=True) + 1e-6).sqrt()
