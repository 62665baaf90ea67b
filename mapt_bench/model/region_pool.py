"""RoIAlign over a pyramid, in three forms behind one module.

torchvision's operator is the fastest where no gradient is wanted, and on a GPU. Backward on a CPU
it works out the place of each read for each channel anew; ``grid_sample`` does not, and takes a
third to a quarter of the time; the loops of :mod:`mapt_bench.model.kernels`, where there is a
compiler, take less than a tenth of that.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.poolers import LevelMapper

from mapt_bench.model import kernels

__all__ = ["RegionPool"]

_COARSEST = 32


class RegionPool(nn.Module):
    """Read regions of a pyramid as maps of one size (He et al. 2017, arXiv:1703.06870).

    Args:
        side: Cells to a side of the maps.
        samples: Points to a side of each cell, which is their mean.
        canonical_scale: Side in pixels of the regions that are read at stride 16; half the side,
            half the stride (Lin et al. 2017, arXiv:1612.03144, eq. 1).
        finest: Stride of the first level: 4 or 2.

    Example:
        >>> levels = [torch.ones(1, 8, 64 // stride, 64 // stride) for stride in (4, 8, 16, 32)]
        >>> RegionPool(7, samples=2)(levels, [torch.tensor([[0.0, 0.0, 32.0, 32.0]])]).shape
        torch.Size([1, 8, 7, 7])
    """

    def __init__(
        self, side: int, *, samples: int, canonical_scale: int = 224, finest: int = 4
    ) -> None:
        super().__init__()
        self.side = side
        self.samples = samples
        first, last = finest.bit_length() - 1, _COARSEST.bit_length() - 1
        self.strides = [2**power for power in range(first, last + 1)]
        self.names = [str(stride) for stride in self.strides]
        self.operator = MultiScaleRoIAlign(
            self.names, side, samples, canonical_scale=canonical_scale
        )
        self.level_of = LevelMapper(first, last, canonical_scale)

    def forward(self, levels: Sequence[Tensor], boxes: Sequence[Tensor]) -> Tensor:
        """Return one map a region, those of the first image first.

        Args:
            levels: The pyramid at strides ``finest`` to 32, each of shape ``(batch, channels,
                height, width)``.
            boxes: One tensor an image, ``(n, 4)``: left, top, right, bottom in pixels, inside the
                image.

        Returns:
            Shape ``(regions, channels, side, side)``. Boxes get no gradient.
        """
        wants_gradient = torch.is_grad_enabled() and any(level.requires_grad for level in levels)
        if kernels.is_suited(*levels):
            return self._compiled(levels, [each.detach() for each in boxes])
        if wants_gradient and levels[0].device.type == "cpu":
            # In half precision places on a large map would be known to a cell or two.
            wide = self._sampled([level.float() for level in levels], [b.detach() for b in boxes])
            return wide.to(levels[0].dtype)
        # The operator finds strides from sizes, so it is told the padded ones.
        rows, columns = levels[0].shape[-2:]
        sizes = [(self.strides[0] * rows, self.strides[0] * columns)] * len(boxes)
        named = dict(zip(self.names, levels, strict=True))
        pooled: Tensor = self.operator(named, list(boxes), sizes)
        return pooled

    def _compiled(self, levels: Sequence[Tensor], boxes: Sequence[Tensor]) -> Tensor:
        regions = torch.cat(list(boxes)).float()
        image_of = torch.repeat_interleave(torch.tensor([len(each) for each in boxes]))
        level_of = self.level_of([regions])
        stride = torch.tensor(self.strides, dtype=torch.float32)[level_of][:, None]
        extent = ((regions[:, 2:] - regions[:, :2]) / stride).clamp(min=1)
        whose = torch.stack((image_of, level_of), dim=1)
        order = (image_of * len(levels) + level_of).argsort(stable=True)
        sorted_regions = torch.cat((whose, regions[:, :2] / stride, extent), dim=1)[order]
        pooled = kernels.pool_regions(
            levels, sorted_regions.contiguous(), side=self.side, samples=self.samples
        )
        # Indexing a map goes through its memory as rows: channels stay innermost.
        flat = pooled.permute(0, 2, 3, 1)[order.argsort()]
        return flat.permute(0, 3, 1, 2)

    def _sampled(self, levels: Sequence[Tensor], boxes: Sequence[Tensor]) -> Tensor:
        regions = torch.cat(list(boxes))
        image_of = torch.repeat_interleave(torch.tensor([len(each) for each in boxes]))
        group = image_of * len(levels) + self.level_of([regions])
        pooled, order = [levels[0].new_empty(0, levels[0].shape[1], self.side, self.side)], []
        for number in group.unique().tolist():
            image, level = divmod(number, len(levels))
            members = (group == number).nonzero().flatten()
            x = levels[level][image : image + 1]
            pooled.append(self._read(x, regions[members] / self.strides[level]))
            order.append(members)
        return torch.cat(pooled)[torch.cat(order).argsort()] if order else pooled[0]

    def _read(self, x: Tensor, regions: Tensor) -> Tensor:
        """Read regions, in cells, of one image at one level."""
        points = self.side * self.samples
        start, extent = regions[:, :2], (regions[:, 2:] - regions[:, :2]).clamp(min=1)
        share = (torch.arange(points, dtype=x.dtype) + 0.5) / points
        height, width = x.shape[-2:]
        last = x.new_tensor([width - 1, height - 1]).clamp(min=1)
        # Of shape (regions, points, 2): as grid_sample counts, -1 and 1 are the outermost cells.
        places = (start[:, None] + share[:, None] * extent[:, None]) * (2 / last) - 1
        grid = torch.stack(
            (
                places[:, None, :, 0].expand(-1, points, -1),
                places[:, :, None, 1].expand(-1, -1, points),
            ),
            dim=-1,
        )
        read = functional.grid_sample(
            x, grid.reshape(1, -1, points, 2), padding_mode="border", align_corners=True
        )
        cells = read.view(x.shape[1], len(regions), points, points).transpose(0, 1)
        return cells if self.samples == 1 else functional.avg_pool2d(cells, self.samples)
