"""The two-way feature pyramid: coarse levels inform fine ones, and fine ones coarse ones.

After Mohan and Valada 2021, "EfficientPS" (arXiv:2004.02307).
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from mapt_bench.errors import DataError
from mapt_bench.model.config import FpnConfig
from mapt_bench.model.layers import ConvNorm, MakeNorm, SeparableConv

__all__ = ["TwoWayFPN"]


class TwoWayFPN(nn.Module):
    """Give every level of a backbone the same channels, and a view of all the others.

    Two pyramids, each with 1x1 convolutions of its own, run in opposite directions (nearest
    neighbour and addition); their sum passes a 3x3 convolution at each level.

    Args:
        config: Width, and whether the 3x3 convolutions are separable.
        in_channels: Channels of each level of the backbone, finest first.
        norm: Makes the norms.
    """

    def __init__(self, config: FpnConfig, in_channels: Sequence[int], *, norm: MakeNorm) -> None:
        super().__init__()
        width = config.channels

        def lateral() -> nn.ModuleList:
            return nn.ModuleList(
                ConvNorm(channels, width, 1, norm=norm) for channels in in_channels
            )

        self.down_lateral = lateral()
        self.up_lateral = lateral()
        self.output = nn.ModuleList(
            SeparableConv(width, width, norm=norm)
            if config.separable
            else ConvNorm(width, width, 3, norm=norm)
            for _ in in_channels
        )

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Return one map a level.

        Args:
            levels: Features of the backbone, finest first, each of shape ``(batch, channels,
                height, width)``.

        Returns:
            As many tensors of the same sizes, all of the same channels.

        Raises:
            DataError: If there is another number of levels.
        """
        if len(levels) != len(self.output):
            raise DataError(f"there are {len(levels)} levels; expected {len(self.output)}")
        downward = [lateral(x) for lateral, x in zip(self.down_lateral, levels, strict=True)]
        upward = [lateral(x) for lateral, x in zip(self.up_lateral, levels, strict=True)]
        for fine in reversed(range(len(levels) - 1)):
            downward[fine] = downward[fine] + _resized(downward[fine + 1], downward[fine])
        for coarse in range(1, len(levels)):
            upward[coarse] = upward[coarse] + _resized(upward[coarse - 1], upward[coarse])
        return [
            output(down + up)
            for output, down, up in zip(self.output, downward, upward, strict=True)
        ]


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, size=like.shape[-2:], mode="nearest")
