"""The two-way feature pyramid: coarse levels inform fine ones, and fine ones coarse ones.

After Mohan and Valada 2021, "EfficientPS" (arXiv:2004.02307).
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from mapt_bench.errors import DataError
from mapt_bench.model.config import FpnConfig
from mapt_bench.model.conv_layers import ConvNorm, MakeNorm, SeparableConv

__all__ = ["PYRAMID_LEVELS", "TwoWayFPN"]

PYRAMID_LEVELS = 4
"""Levels at strides 4 to 32: the last of those that :class:`TwoWayFPN` returns."""


class TwoWayFPN(nn.Module):
    """Give every level of a backbone the same channels, and a view of all the others.

    Two pyramids, each with 1x1 convolutions of its own, run in opposite directions (nearest
    neighbour and addition) over strides 4 to 32; their sum passes a 3x3 convolution at each level.
    A level at stride 2, if it is wanted, is not part of them: it joins the backbone's finest map
    with the finest of the pyramid.

    Args:
        config: Width, whether the 3x3 convolutions are separable, and the level at stride 2.
        in_channels: Channels of each level of the backbone, strides 2 to 32.
        norm: Makes the norms.
    """

    def __init__(self, config: FpnConfig, in_channels: Sequence[int], *, norm: MakeNorm) -> None:
        super().__init__()
        width = config.channels
        finest, *coarser = in_channels

        def lateral() -> nn.ModuleList:
            return nn.ModuleList(ConvNorm(channels, width, 1, norm=norm) for channels in coarser)

        self.down_lateral = lateral()
        self.up_lateral = lateral()
        self.output = nn.ModuleList(
            SeparableConv(width, width, norm=norm)
            if config.separable
            else ConvNorm(width, width, 3, norm=norm)
            for _ in coarser
        )
        fine = config.fine_channels
        self.fine = None if fine is None else _FineLevel(finest, width, fine, norm=norm)

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Return one map a level.

        Args:
            levels: Features of the backbone at strides 2 to 32, each of shape ``(batch, channels,
                height, width)``.

        Returns:
            One tensor for each of strides 4 to 32, all of the same channels; before them that at
            stride 2, if there is such a level.

        Raises:
            DataError: If there is another number of levels.
        """
        if len(levels) != len(self.output) + 1:
            raise DataError(f"there are {len(levels)} levels; expected {len(self.output) + 1}")
        finest, *levels = levels
        downward = [lateral(x) for lateral, x in zip(self.down_lateral, levels, strict=True)]
        upward = [lateral(x) for lateral, x in zip(self.up_lateral, levels, strict=True)]
        for fine in reversed(range(len(levels) - 1)):
            downward[fine] = downward[fine] + _resized(downward[fine + 1], downward[fine])
        for coarse in range(1, len(levels)):
            upward[coarse] = upward[coarse] + _resized(upward[coarse - 1], upward[coarse])
        pyramid = [
            output(down + up)
            for output, down, up in zip(self.output, downward, upward, strict=True)
        ]
        return pyramid if self.fine is None else [self.fine(finest, pyramid[0]), *pyramid]


class _FineLevel(nn.Module):
    """What the backbone sees at stride 2, informed by the finest level of the pyramid."""

    def __init__(self, in_channels: int, width: int, channels: int, *, norm: MakeNorm) -> None:
        super().__init__()
        self.lateral = ConvNorm(in_channels, channels, 1, norm=norm)
        self.above = ConvNorm(width, channels, 1, norm=norm)
        self.output = SeparableConv(channels, width, norm=norm)

    def forward(self, finest: Tensor, above: Tensor) -> Tensor:
        x = self.lateral(finest)
        joined: Tensor = self.output(x + _resized(self.above(above), x))
        return joined


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, size=like.shape[-2:], mode="nearest")
