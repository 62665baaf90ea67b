"""FlowNet2: three networks for large displacements, one for small ones, and their fusion."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mapt_bench.baselines.flownet2.operators import channel_norm, warp
from mapt_bench.baselines.flownet2.subnetworks import (
    FlowNetC,
    FlowNetFusion,
    FlowNetS,
    FlowNetSD,
)
from mapt_bench.errors import ConfigError, DataError

__all__ = ["FlowNet2"]

_MULTIPLE = 64
_FLOW_SCALE = 20.0
_MAX_VALUE = 255.0


class FlowNet2(nn.Module):
    """Dense optical flow (Ilg et al. 2017, arXiv:1612.01925), without batch normalisation.

    State-dict keys and shapes are those of the released ``FlowNet2_checkpoint.pth.tar``:
    220 entries, 162,518,834 parameters. Untrained weights are drawn from torch's global random
    numbers: Xavier-uniform, biases from ``U(0, 1)``, as the released training code has it.

    Args:
        width: Multiplies the number of channels of every hidden layer (at least 1 is kept); 1 is
            the released network, 0.125 trains on a CPU.

    Raises:
        ConfigError: If ``width`` is not positive.

    Example:
        >>> with torch.device("meta"):
        ...     network = FlowNet2()
        ...     flow = network(torch.empty(1, 3, 2, 375, 1242))
        >>> sum(weights.numel() for weights in network.parameters())
        162518834
        >>> flow.shape
        torch.Size([1, 2, 375, 1242])
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        if not width > 0:
            raise ConfigError(f"the width of FlowNet2 is {width}; expected a number above 0")
        self.width = width
        self.flownetc = FlowNetC(self._scaled)
        self.flownets_1 = FlowNetS(self._scaled)
        self.flownets_2 = FlowNetS(self._scaled)
        self.flownets_d = FlowNetSD(self._scaled)
        self.flownetfusion = FlowNetFusion(self._scaled)
        self.reset_parameters()

    def _scaled(self, channels: int) -> int:
        return max(1, round(channels * self.width))

    def reset_parameters(self) -> None:
        """Draw untrained weights from torch's global random numbers."""
        for values in self.parameters():
            if values.ndim == 1:
                nn.init.uniform_(values)
            else:
                nn.init.xavier_uniform_(values)

    def forward(self, frames: Tensor) -> Tensor:
        """Say where each pixel of the first frame went in the second one.

        Args:
            frames: ``(B, 3, 2, H, W)``, floating: RGB in 0..255 of the first and second frame. Any
                size of one pixel and more: to reach multiples of 64 the last row and column are
                repeated, and the flow is cropped back.

        Returns:
            ``(B, 2, H, W)``: displacement in pixels to the right and downwards.

        Raises:
            DataError: If ``frames`` has another shape or is not floating.
        """
        _check(frames)
        height, width = frames.shape[-2:]
        pair = _padded(frames.flatten(1, 2))
        pair = pair.reshape(-1, 3, 2, *pair.shape[-2:])
        # One mean for each colour, over both frames.
        pair = (pair - pair.mean(dim=(2, 3, 4), keepdim=True)) / _MAX_VALUE
        # From (B, colours, frames, H, W) to the three colours of one frame after the other's.
        pair = pair.transpose(1, 2).flatten(1, 2)
        return self._flow(pair)[..., :height, :width]

    def _flow(self, pair: Tensor) -> Tensor:
        """Return the fused flow of normalised frames ``(B, 6, H, W)``."""
        flow = _enlarged(self.flownetc(pair) * _FLOW_SCALE, "bilinear")
        flow = _enlarged(self.flownets_1(_stacked(pair, flow)) * _FLOW_SCALE, "bilinear")
        large = _enlarged(self.flownets_2(_stacked(pair, flow)) * _FLOW_SCALE, "nearest")
        # Divided where the others are multiplied: the released weights were trained so.
        small = _enlarged(self.flownets_d(pair) / _FLOW_SCALE, "nearest")
        first, second = pair.chunk(2, dim=1)
        stacked = (
            first,
            small,
            large,
            channel_norm(small),
            channel_norm(large),
            channel_norm(first - warp(second, small)),
            channel_norm(first - warp(second, large)),
        )
        fused: Tensor = self.flownetfusion(torch.cat(stacked, dim=1))
        return fused


def _stacked(pair: Tensor, flow: Tensor) -> Tensor:
    """Return what FlowNetS sees: ``(B, 12, H, W)``."""
    first, second = pair.chunk(2, dim=1)
    warped = warp(second, flow)
    return torch.cat((pair, warped, flow / _FLOW_SCALE, channel_norm(first - warped)), dim=1)


def _enlarged(flow: Tensor, mode: str) -> Tensor:
    return functional.interpolate(flow, scale_factor=4, mode=mode)


def _padded(images: Tensor) -> Tensor:
    """Repeat the last row and column until both sizes are multiples of 64."""
    height, width = images.shape[-2:]
    below, right = -height % _MULTIPLE, -width % _MULTIPLE
    if not (below or right):
        return images
    return functional.pad(images, (0, right, 0, below), mode="replicate")


def _check(frames: Tensor) -> None:
    shape = tuple(frames.shape)
    if len(shape) != 5 or shape[1:3] != (3, 2) or 0 in shape:
        raise DataError(
            f"FlowNet2 was given frames of shape {shape}; expected (B, 3, 2, H, W): batch, "
            "colours, first and second frame, rows, columns"
        )
    if not frames.is_floating_point():
        raise DataError(
            f"FlowNet2 was given frames of {frames.dtype}; expected floating numbers in 0..255"
        )
