"""The appearance head: what an instance looks like, as a direction.

After Hurtado et al., arXiv:2503.09191: what the pyramid shows of an instance, its segmentation laid
over it, and what the motion head carries there from the earlier frame are weighed against each
other and pass fully connected layers.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mapt_bench.model.config import AppearanceConfig
from mapt_bench.model.region_pool import RegionPool

__all__ = ["AppearanceHead"]

_LEAST_SCALE, _MOST_SCALE = 1.0, 100.0


class AppearanceHead(nn.Module):
    """Describe instances by unit vectors that are compared by their cosine.

    It works in two steps, so that what takes the image is done once a frame: :meth:`describe` reads
    the pyramid, :meth:`forward` makes embeddings, with propagated features or without.

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
        self.hidden = nn.Linear(in_channels, config.hidden_channels)
        self.embedding = nn.Linear(config.hidden_channels, config.embedding_channels)
        self.log_scale = nn.Parameter(torch.tensor(math.log(config.initial_scale)))

    @property
    def scale(self) -> Tensor:
        """Factor on cosines in the loss, learned, held to 1 to 100."""
        return self.log_scale.exp().clamp(_LEAST_SCALE, _MOST_SCALE)

    def describe(
        self, levels: Sequence[Tensor], boxes: Sequence[Tensor], masks: Sequence[Tensor]
    ) -> Tensor:
        """Return the mean of the pyramid over each instance's own cells.

        Args:
            levels: The pyramid at strides ``finest`` to 32, each of shape ``(batch, in_channels,
                height, width)``.
            boxes: One tensor an image, ``(n, 4)``: left, top, right, bottom in pixels.
            masks: One tensor an image, ``bool`` of shape ``(n, height, width)`` in pixels.

        Returns:
            Shape ``(instances, in_channels)``, those of the first image first.
        """
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
            described: As :meth:`describe` returns, shape ``(n, in_channels)``.
            propagated: As :meth:`propagated` returns; ``None`` where there is no earlier frame:
                then ``W_p = 0``.
        """
        fused = described
        if propagated is not None and not self.is_static:
            carried = self.project(propagated)
            logits = self.gate(torch.cat((described, carried), dim=1))
            weights = logits.view(len(described), 2, logits.shape[1] // 2).softmax(1)
            fused = weights[:, 0] * described + weights[:, 1] * carried
        hidden = functional.leaky_relu(self.hidden(fused), 0.01)
        return functional.normalize(self.embedding(hidden), dim=1)


def _mask_in_box(boxes: Tensor, masks: Tensor, *, points: int) -> Tensor:
    """Read masks at evenly spaced points of their boxes: ``bool`` of shape ``(n, points, points)``.

    Each point takes the pixel that it lies in.
    """
    share = (torch.arange(points, device=boxes.device) + 0.5) / points
    start, extent = boxes[:, None, :2], (boxes[:, None, 2:] - boxes[:, None, :2])
    places = (start + share[:, None] * extent).long()
    columns = places[..., 0].clamp(0, masks.shape[2] - 1)
    rows = places[..., 1].clamp(0, masks.shape[1] - 1)
    instance = torch.arange(len(boxes), device=boxes.device)
    return masks[instance[:, None, None], rows[:, :, None], columns[:, None, :]]
