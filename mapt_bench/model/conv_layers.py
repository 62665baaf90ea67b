"""The layers that every part is made of: a convolution, a norm, an activation."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import FrozenBatchNorm2d

from mapt_bench.model import kernels
from mapt_bench.model.config import Norm

__all__ = ["ConvNorm", "MakeNorm", "SeparableConv", "head_norm", "normed", "trunk_norm"]

MakeNorm = Callable[[int], nn.Module]
"""Returns the norm of a number of channels."""

_SLOPE = 0.01
"""Of the LeakyReLU: that of the in-place activated batch norm which EfficientPS uses."""

_GROUP_CHANNELS, _MOST_GROUPS = 8, 32


def trunk_norm(kind: Norm) -> MakeNorm:
    """Return what makes the norms of the backbone."""
    kinds: dict[str, MakeNorm] = {
        "batch": nn.BatchNorm2d,
        "frozen-batch": FrozenBatchNorm2d,
        "group": _group_norm,
    }
    return kinds[kind]


def head_norm(kind: Norm) -> MakeNorm:
    """Return what makes the norms of all that follows the backbone.

    Heads start from scratch, so there is nothing to freeze: beside a frozen trunk they have
    group norm.
    """
    return nn.BatchNorm2d if kind == "batch" else _group_norm


def _group_norm(channels: int) -> nn.GroupNorm:
    groups = max(1, min(_MOST_GROUPS, channels // _GROUP_CHANNELS))
    while channels % groups:
        groups -= 1
    return nn.GroupNorm(groups, channels)


class ConvNorm(nn.Sequential):
    """A convolution that keeps the size, unless it strides; a norm; a LeakyReLU of slope 0.01.

    Args:
        in_channels: Of the input.
        out_channels: Of the output.
        kernel: Side of the kernel, odd.
        norm: Makes the norm.
        stride: Input cells to an output cell.
        dilation: Cells between taps, down and right.
        groups: Into which channels are parted.
        activation: Whether the LeakyReLU is there.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        norm: MakeNorm,
        stride: int = 1,
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
        activation: bool = True,
    ) -> None:
        reach = kernel // 2
        convolution = nn.Conv2d(
            in_channels,
            out_channels,
            kernel,
            stride=stride,
            padding=(reach * dilation[0], reach * dilation[1]),
            dilation=dilation,
            groups=groups,
            bias=False,
        )
        nn.init.kaiming_normal_(convolution.weight, a=_SLOPE, mode="fan_out")
        layers = [convolution, norm(out_channels)]
        if activation:
            layers.append(nn.LeakyReLU(_SLOPE, inplace=True))
        super().__init__(*layers)
        is_depthwise = groups == in_channels == out_channels and kernel == 3 and stride == 1
        self._dilation = dilation
        self._is_wide = is_depthwise and dilation != (1, 1) and in_channels % kernels.LANES == 0

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of ``out_channels``."""
        convolution, norm, *activation = self
        if self._is_wide and kernels.is_suited(x):
            # Backwards torch takes many times as long as for taps that lie side by side.
            x = kernels.depthwise(x, self._wide_kernels(), self._dilation)
        else:
            x = convolution(x)
        return normed(x, norm, slope=_SLOPE if activation else 1.0)

    def _wide_kernels(self) -> Tensor:
        weight: Tensor = self[0].weight  # type: ignore[assignment]  # of a convolution
        return weight


def normed(x: Tensor, norm: nn.Module, *, slope: float) -> Tensor:
    """Return the norm of maps, and of that a LeakyReLU.

    Args:
        x: Shape ``(batch, channels, height, width)``; it may be overwritten.
        norm: Of the channels.
        slope: Of the LeakyReLU; 1 for none.
    """
    whole = x.shape[1] % kernels.LANES == 0
    if whole and isinstance(norm, nn.GroupNorm) and kernels.is_suited(x, norm.weight):
        return kernels.norm_activation(
            x, norm.weight, norm.bias, groups=norm.num_groups, epsilon=norm.eps, slope=slope
        )
    y: Tensor = norm(x)
    return y if slope == 1 else functional.leaky_relu(y, slope, inplace=True)


class SeparableConv(nn.Sequential):
    """A 3x3 convolution of each channel by itself, then a 1x1 that mixes; each with its norm."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        norm: MakeNorm,
        dilation: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__(
            ConvNorm(in_channels, in_channels, 3, norm=norm, dilation=dilation, groups=in_channels),
            ConvNorm(in_channels, out_channels, 1, norm=norm),
        )
