"""How wrong a flow is, at every level of a pyramid."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["end_point_error", "pyramid_loss", "shrunk_flow"]

_SOFTNESS = 0.01
_LEAST_SHARE = 0.5


def end_point_error(flow: Tensor, target: Tensor, softness: float = 0.0) -> Tensor:
    """Return the distance between the ends of vectors, ``(B, h, w)`` of two ``(B, 2, h, w)``.

    Args:
        flow: In pixels.
        target: In pixels.
        softness: Pixels; with some, the slope is defined where there is no error.
    """
    return ((flow - target).square().sum(dim=1) + softness**2).sqrt()


def pyramid_loss(flows: Sequence[Tensor], target: Tensor, valid: Tensor) -> Tensor:
    """Return the weighted end-point error over the levels of a pyramid, in pixels.

    Not squared, so that the few long vectors do not rule (Charbonnier, softness 0.01 pixels). Each
    level counts twice as much as the one before it, as in the released training of FlowNet2
    (``0.32 / 2**level``); here the weights add up to 1. Clips without a valid pixel count 0.

    Args:
        flows: ``(B, 2, h, w)`` each, in pixels of the whole frame, coarse first; ``h`` and ``w``
            divide those of ``target``.
        target: ``(B, 2, H, W)``.
        valid: ``(B, H, W)``, ``bool``.

    Returns:
        The mean over the batch; each of its members is the mean over its own valid pixels.
    """
    weights = torch.tensor([2.0**level for level in range(len(flows))])
    total = target.new_zeros(())
    for flow, weight in zip(flows, (weights / weights.sum()).tolist(), strict=True):
        wanted, known = shrunk_flow(target, valid, target.shape[-1] // flow.shape[-1])
        errors = end_point_error(flow, wanted, _SOFTNESS) * known
        counts = known.flatten(1).sum(dim=1).clamp(min=1)
        total = total + weight * (errors.flatten(1).sum(dim=1) / counts).mean()
    return total


def shrunk_flow(flow: Tensor, valid: Tensor, times: int) -> tuple[Tensor, Tensor]:
    """Return the means of the valid vectors in square cells; vectors keep their length.

    Args:
        flow: ``(B, 2, H, W)``.
        valid: ``(B, H, W)``, ``bool``.
        times: Side of a cell, which divides ``H`` and ``W``.

    Returns:
        Flow ``(B, 2, H / times, W / times)``, and where it is valid: cells of which at least half
        of the pixels are.

    Example:
        >>> flow = torch.tensor([[[[2.0, 4.0], [9.0, 9.0]]] * 2])
        >>> valid = torch.tensor([[[True, True], [False, False]]])
        >>> means, known = shrunk_flow(flow, valid, 2)
        >>> means.flatten().tolist(), known.tolist()
        ([3.0, 3.0], [[[True]]])
    """
    if times == 1:
        return flow, valid
    shares = functional.avg_pool2d(valid[:, None].to(flow.dtype), times)
    sums = functional.avg_pool2d(flow * valid[:, None], times)
    known = shares[:, 0] >= _LEAST_SHARE
    return sums / shares.clamp(min=_LEAST_SHARE), known
