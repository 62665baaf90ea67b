"""The appearance head: the appearance of an instance as a unit vector.

After Hurtado et al., arXiv:2503.09191: features of the pyramid, masked by the segmentation, and
features that the motion head carries from the earlier frame are weighed against each other and pass
fully connected layers.

The colours of an instance's pixels are an addition of this project. The pyramid is trained to see
the same in all cars, so it loses the colours that tell two cars apart.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mapt_bench.errors import DataError
from mapt_bench.model.config import AppearanceConfig
from mapt_bench.model.region_pool import RegionPool

__all__ = ["AppearanceHead", "ColourSummary", "colours_in"]

_LEAST_SCALE, _MOST_SCALE = 1.0, 100.0

_COLOUR_POINTS = 16
"""Points to a side of its box at which the colours of an instance are read."""

_QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)

_POINT_NUMBERS = 3 + 2 + 6
"""Colour, place and contrasts of a point."""


class ColourSummary(nn.Module):
    """Summarise the colours of each instance's pixels.

    A small network reads colour, place and contrast to the neighbours of each pixel, and its
    outputs are averaged over the instance. This is a histogram with learned bins. Beside it stand
    quantiles of each colour channel, over the whole instance and over both halves of its box:
    errors at the border of a mask hardly change them, and jackets are not mistaken for trousers.

    Args:
        channels: Outputs of the network.

    Attributes:
        channels: Numbers in a summary, all together.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels + 3 * 3 * len(_QUANTILES) + 2
        self.first = nn.Linear(_POINT_NUMBERS, channels)
        self.second = nn.Linear(channels, channels)

    def forward(self, images: Tensor, boxes: Sequence[Tensor], masks: Sequence[Tensor]) -> Tensor:
        """Return summaries of shape ``(instances, channels)``.

        Args:
            images: Normalised RGB, shape ``(batch, 3, height, width)``; may reach beyond the masks.
            boxes: One tensor an image, ``(n, 4)``: left, top, right, bottom in pixels.
            masks: One tensor an image, ``bool`` of shape ``(n, height, width)`` in pixels.
        """
        found = [
            colours_in(image, where, which)
            for image, where, which in zip(images, boxes, masks, strict=True)
        ]
        return self.summarise(
            torch.cat([each for each, _ in found]).float(), torch.cat([each for _, each in found])
        )

    def summarise(self, colours: Tensor, inside: Tensor) -> Tensor:
        """Return the summaries of instances whose colours were read.

        Args:
            colours: As :func:`colours_in` returns.
            inside: The same.
        """
        # A thing so thin that it lies between all points is read as its whole box.
        inside = inside | ~inside.any(1, keepdim=True)
        share = (torch.arange(_COLOUR_POINTS, device=colours.device) + 0.5) / _COLOUR_POINTS - 0.5
        where = torch.stack(torch.meshgrid(share, share, indexing="ij"), dim=2).flatten(0, 1)
        points = (colours, where.expand(len(colours), -1, -1), _contrasts(colours, inside))
        hidden = functional.leaky_relu(self.first(torch.cat(points, dim=2)), 0.01)
        outputs = functional.leaky_relu(self.second(hidden), 0.01)
        weights = inside.to(outputs.dtype) / inside.sum(1, keepdim=True)
        parts = [torch.einsum("npc,np->nc", outputs, weights), _quantiles(colours, inside)]
        for half in (where[:, 0] < 0, where[:, 0] >= 0):
            parts += [_quantiles(colours, inside & half), (weights * half).sum(1, keepdim=True)]
        return torch.cat(parts, dim=1)


def _contrasts(colours: Tensor, inside: Tensor) -> Tensor:
    """Return differences to the right and lower neighbours, 0 beyond the mask: ``(n, points, 6)``.

    Args:
        colours: Shape ``(n, points, 3)``.
        inside: ``bool`` of shape ``(n, points)``.
    """
    image = colours.view(-1, _COLOUR_POINTS, _COLOUR_POINTS, 3)
    on = inside.view(-1, _COLOUR_POINTS, _COLOUR_POINTS, 1)
    across = (image[:, :, 1:] - image[:, :, :-1]) * (on[:, :, 1:] & on[:, :, :-1])
    down = (image[:, 1:] - image[:, :-1]) * (on[:, 1:] & on[:, :-1])
    across, down = functional.pad(across, (0, 0, 0, 1)), functional.pad(down, (0, 0, 0, 0, 0, 1))
    return torch.cat((across, down), dim=3).flatten(1, 2)


def colours_in(image: Tensor, boxes: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Return colours of evenly spaced points ``(n, points, 3)``, and which lie on the mask."""
    rows, columns = _points_in(boxes, masks, points=_COLOUR_POINTS)
    colours = image[:, rows[:, :, None], columns[:, None, :]].flatten(2).permute(1, 2, 0)
    return colours, _mask_in_box(boxes, masks, points=_COLOUR_POINTS).flatten(1)


def _quantiles(colours: Tensor, inside: Tensor) -> Tensor:
    """Return quantiles of each colour channel over the points inside, 0 where there is none."""
    ordered = colours.masked_fill(~inside[:, :, None], torch.inf).sort(1).values
    last = (inside.sum(1) - 1).clamp(min=0).to(colours.dtype)
    shares = torch.tensor(_QUANTILES, device=colours.device, dtype=colours.dtype)
    ranks = (last[:, None] * shares).round().long()
    found = ordered.gather(1, ranks[:, :, None].expand(-1, -1, 3)).flatten(1)
    return torch.where(inside.any(1, keepdim=True), found, 0)


class AppearanceHead(nn.Module):
    """Describe instances by unit vectors that are compared by their cosine.

    It works in two steps. :meth:`describe` reads pyramid and image once a frame. :meth:`forward`
    makes embeddings, with propagated features or without.

    Args:
        config: Widths and switches.
        in_channels: Channels of every level of the pyramid.
        propagated_channels: Channels of propagated features; ``None`` where there are none.
        samples: Points to a side of each cell that an instance is read at.
        canonical_scale: Side in pixels of the instances that are read at stride 16.
        finest: Stride of the finest level that instances are read from: 4 or 2.

    Attributes:
        is_static: Whether propagated features are never looked at.
    """

    def __init__(
        self,
        config: AppearanceConfig,
        in_channels: int,
        propagated_channels: int | None,
        *,
        samples: int = 2,
        canonical_scale: int = 224,
        finest: int = 4,
    ) -> None:
        super().__init__()
        self.pool = RegionPool(
            config.pool, samples=samples, canonical_scale=canonical_scale, finest=finest
        )
        self.is_static = config.static or propagated_channels is None
        if not self.is_static:
            self.project = nn.Linear(propagated_channels or 0, in_channels)
            weights = in_channels if config.gate == "channel" else 1
            self.gate = nn.Linear(2 * in_channels, 2 * weights)
        self.colours = (
            None if config.colour_channels is None else ColourSummary(config.colour_channels)
        )
        described = in_channels if self.colours is None else in_channels + self.colours.channels
        self._pooled = in_channels
        self.hidden = nn.Linear(described, config.hidden_channels)
        self.embedding = nn.Linear(config.hidden_channels, config.embedding_channels)
        self.log_scale = nn.Parameter(torch.tensor(math.log(config.initial_scale)))

    @property
    def scale(self) -> Tensor:
        """Factor on cosines in the loss, learned, held to 1 to 100."""
        return self.log_scale.exp().clamp(_LEAST_SCALE, _MOST_SCALE)

    def describe(
        self,
        levels: Sequence[Tensor],
        boxes: Sequence[Tensor],
        masks: Sequence[Tensor],
        images: Tensor | None = None,
    ) -> Tensor:
        """Return the mean of the pyramid over each instance's own cells, and its colours.

        Args:
            levels: The pyramid at strides ``finest`` to 32, each of shape ``(batch, in_channels,
                height, width)``.
            boxes: One tensor an image, ``(n, 4)``: left, top, right, bottom in pixels.
            masks: One tensor an image, ``bool`` of shape ``(n, height, width)`` in pixels.
            images: Normalised and padded, shape ``(batch, 3, height, width)``. Only a head with
                colours reads them.

        Returns:
            Shape ``(instances, numbers)``, those of the first image first.

        Raises:
            DataError: If a head with colours gets no images.
        """
        pooled = self._read_pyramid(levels, boxes, masks)
        if self.colours is None:
            return pooled
        if images is None:
            raise DataError("the appearance head got no images; expected those of the features")
        return torch.cat((pooled, self.colours(images, boxes, masks)), dim=1)

    def _read_pyramid(
        self, levels: Sequence[Tensor], boxes: Sequence[Tensor], masks: Sequence[Tensor]
    ) -> Tensor:
        regions = self.pool(levels, boxes)
        points = self.pool.side * self.pool.samples
        shares = [_mask_in_box(*pair, points=points) for pair in zip(boxes, masks, strict=True)]
        covered = torch.cat(shares)[:, None].to(regions.dtype)
        share = functional.avg_pool2d(covered, self.pool.samples)[:, 0]
        # A thing so thin that it lies between all points is read as its whole box.
        seen = share.sum((1, 2), keepdim=True)
        share = torch.where(seen > 0, share / seen.clamp(min=1e-6), 1 / self.pool.side**2)
        return torch.einsum("nchw,nhw->nc", regions, share)

    @staticmethod
    def propagated(features: Tensor, masks: Tensor) -> Tensor:
        """Return the mean of propagated features over each instance.

        Args:
            features: Of one frame, shape ``(propagated_channels, rows, columns)``.
            masks: Soft masks on the same grid, shape ``(n, rows, columns)``.

        Returns:
            Shape ``(n, propagated_channels)``.
        """
        total = torch.einsum("chw,nhw->nc", features, masks)
        return total / masks.sum((1, 2)).clamp(min=1e-6)[:, None]

    def forward(self, described: Tensor, propagated: Tensor | None = None) -> Tensor:
        """Return unit vectors of shape ``(n, embedding_channels)``.

        Args:
            described: As :meth:`describe` returns.
            propagated: As :meth:`propagated` returns; ``None`` where there is no earlier frame:
                then ``W_p = 0``.
        """
        fused, colours = described[:, : self._pooled], described[:, self._pooled :]
        if propagated is not None and not self.is_static:
            pooled = fused
            carried = self.project(propagated)
            logits = self.gate(torch.cat((pooled, carried), dim=1))
            weights = logits.view(len(pooled), 2, logits.shape[1] // 2).softmax(1)
            fused = weights[:, 0] * pooled + weights[:, 1] * carried
        hidden = functional.leaky_relu(self.hidden(torch.cat((fused, colours), dim=1)), 0.01)
        return functional.normalize(self.embedding(hidden), dim=1)


def _mask_in_box(boxes: Tensor, masks: Tensor, *, points: int) -> Tensor:
    """Read masks at evenly spaced points of their boxes: ``bool`` of shape ``(n, points, points)``.

    Each point takes the pixel that it lies in.
    """
    rows, columns = _points_in(boxes, masks, points=points)
    instance = torch.arange(len(boxes), device=boxes.device)
    return masks[instance[:, None, None], rows[:, :, None], columns[:, None, :]]


def _points_in(boxes: Tensor, masks: Tensor, *, points: int) -> tuple[Tensor, Tensor]:
    """Return rows and columns of evenly spaced points of boxes: ``int64``, ``(n, points)`` each."""
    share = (torch.arange(points, device=boxes.device) + 0.5) / points
    start, extent = boxes[:, None, :2], (boxes[:, None, 2:] - boxes[:, None, :2])
    places = (start + share[:, None] * extent).long()
    columns = places[..., 0].clamp(0, masks.shape[2] - 1)
    return places[..., 1].clamp(0, masks.shape[1] - 1), columns
