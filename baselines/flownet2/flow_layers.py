"""Layers that FlowNet2's networks are made of, and what the networks share.

Attribute names are those of the released weights (``conv3_1.0.weight``), which fixes them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "SLOPE",
    "FlowPyramid",
    "channel_norm",
    "conv",
    "deconv",
    "warp",
]

SLOPE = 0.1
"""Of every leaky ReLU."""


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution that keeps the size (divided by the stride), then a leaky ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=(kernel - 1) // 2),
        nn.LeakyReLU(SLOPE, inplace=True),
    )


def deconv(inputs: int, outputs: int) -> nn.Sequential:
    """Transposed convolution to twice the size, then a leaky ReLU."""
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1),
        nn.LeakyReLU(SLOPE, inplace=True),
    )


class FlowPyramid(nn.Module):
    """An encoder whose levels halve the size, and a decoder that refines a flow level by level.

    Subclasses add encoder layers first, then the decoder with :meth:`_add_decoder`. Level ``n`` is
    the grid at ``1 / 2**n`` of the input. Called, they return the flow at every level, the coarsest
    first: training has a loss at each level, inference uses the last one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._levels: range = range(0)
        self._refines = False

    def _add_decoder(
        self,
        encoded: dict[int, int],
        decoded: dict[int, int],
        refined: dict[int, int] | None = None,
        *,
        upsampling_bias: bool = True,
    ) -> None:
        """Add the layers of the decoder.

        Args:
            encoded: Channels that the encoder hands over, for each level.
            decoded: Channels brought up from the level below, for each level but the coarsest.
            refined: Channels of one more convolution that the flow is predicted from.
            upsampling_bias: Whether the layers that enlarge the flow have a bias.
        """
        top = max(encoded)
        self._levels = range(top - 1, min(encoded) - 1, -1)
        self._refines = refined is not None
        features = encoded[top]
        self.add_module(f"predict_flow{top}", nn.Conv2d(features, 2, 3, padding=1))
        for level in self._levels:
            self.add_module(f"deconv{level}", deconv(features, decoded[level]))
            enlarge = nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1, bias=upsampling_bias)
            self.add_module(f"upsampled_flow{level + 1}_to_{level}", enlarge)
            features = seen = encoded[level] + decoded[level] + 2
            if refined is not None:
                seen = refined[level]
                # Without an activation, unlike every other convolution.
                plain = nn.Sequential(nn.Conv2d(features, seen, 3, padding=1))
                self.add_module(f"inter_conv{level}", plain)
            self.add_module(f"predict_flow{level}", nn.Conv2d(seen, 2, 3, padding=1))

    def _encode(self, features: Tensor, layers: Sequence[str]) -> dict[int, Tensor]:
        """Run encoder layers; return the last output of each level that the decoder reads."""
        kept: dict[int, Tensor] = {}
        for name in layers:
            features = self.get_submodule(name)(features)
            level = int(name.removeprefix("conv").removesuffix("_1"))
            if level >= self._levels[-1]:
                kept[level] = features
        return kept

    def _decode(self, kept: dict[int, Tensor]) -> tuple[Tensor, ...]:
        """Refine the flow from the coarsest level to the finest one; return it at every level."""
        features = kept.pop(self._levels[0] + 1)
        flow: Tensor = self.get_submodule(f"predict_flow{self._levels[0] + 1}")(features)
        flows = [flow]
        for level in self._levels:
            enlarged = self.get_submodule(f"upsampled_flow{level + 1}_to_{level}")(flow)
            raised = self.get_submodule(f"deconv{level}")(features)
            features = torch.cat((kept.pop(level), raised, enlarged), dim=1)
            del raised  # at full size these maps are what the peak of memory is made of
            seen = features
            if self._refines:
                seen = self.get_submodule(f"inter_conv{level}")(features)
            flow = self.get_submodule(f"predict_flow{level}")(seen)
            flows.append(flow)
        return tuple(flows)


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """Sample an image where the flow leads: backward warping.

    Args:
        image: ``(B, C, H, W)``.
        flow: ``(B, 2, H, W)`` in pixels, to the right and downwards.

    Returns:
        ``out[..., y, x]``, the image at ``(y + flow_y, x + flow_x)``, bilinear; places outside take
        the nearest pixel of the border.

    Example:
        >>> image = torch.tensor([[[[1.0, 2.0, 3.0]]]])
        >>> to_the_right = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 1, 3)
        >>> warp(image, to_the_right)
        tensor([[[[2., 3., 3.]]]])
    """
    height, width = image.shape[-2:]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype) + flow[:, 0]
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1]
    # grid_sample counts from -1, the first pixel, to 1, the last one.
    grid = torch.stack((x * (2 / max(width - 1, 1)) - 1, y * (2 / max(height - 1, 1)) - 1), dim=-1)
    return functional.grid_sample(
        image, grid, mode="bilinear", padding_mode="border", align_corners=True
    )


def channel_norm(features: Tensor) -> Tensor:
    """Return the L2 norm over channels of ``(B, C, H, W)`` as ``(B, 1, H, W)``.

    The gradient where all channels are 0 is 0.
    """
    squares = features.square().sum(dim=1, keepdim=True)
    # torch's own norm is 60 times slower over so few channels, and the bare root has an infinite
    # slope at 0, where a warped frame fits exactly.
    positive = squares > 0
    return torch.where(positive, squares, 1).sqrt() * positive
