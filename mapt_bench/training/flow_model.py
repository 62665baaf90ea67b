"""A narrow FlowNet2 for training, with the losses of each network of the stack."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mapt_bench.baselines.flownet2.narrow import NarrowWidth, narrow_flownet2, prepare_for_training
from mapt_bench.baselines.flownet2.stack import MULTIPLE, padded
from mapt_bench.errors import ConfigError
from mapt_bench.labels import LabelSpace
from mapt_bench.model.targets import Clip

__all__ = ["TrainedFlowNet2", "build", "end_point_error", "pyramid_loss", "shrunk_flow"]

_MAX_VALUE = 255.0


class TrainedFlowNet2(nn.Module):
    """Learns where each pixel of an image was in the image before.

    All networks of the stack learn at once, each by its own losses; see
    :meth:`~mapt_bench.baselines.flownet2.stack.FlowNet2.flows`.

    Args:
        narrow: Its size.
    """

    def __init__(self, narrow: NarrowWidth) -> None:
        super().__init__()
        self.network = narrow_flownet2(narrow)
        prepare_for_training(self.network)

    def forward(self, clips: Sequence[Clip]) -> dict[str, Tensor]:
        """Return losses, means over the clips.

        Args:
            clips: Of one size, with ground-truth flow.

        Returns:
            ``loss_c``, ``loss_s1``, ``loss_s2``, ``loss_sd``, ``loss_fusion``: see
            :func:`~mapt_bench.training.flow_losses.pyramid_loss`, in pixels; and for the log
            ``EPE``, the end-point error of the fused flow.

        Raises:
            ConfigError: If clips have no flow or differ in size.
        """
        frames, flow, valid = _pairs(clips)
        stack = self.network.flows(frames)
        losses = {f"loss_{name}": pyramid_loss(flows, flow, valid) for name, flows in stack.items()}
        errors = end_point_error(stack["fusion"][-1].detach(), flow)
        epe = (errors * valid).flatten(1).sum(1) / valid.flatten(1).sum(1).clamp(min=1)
        return {**losses, "EPE": epe.mean()}

    def estimate_flow(self, later: Tensor, earlier: Tensor) -> Tensor:
        """Return where each pixel of images was in earlier ones.

        Args:
            later: RGB in ``[0, 1]``, ``(B, 3, H, W)``.
            earlier: The same.

        Returns:
            ``(B, 2, H, W)``, pixels to the right and downwards.
        """
        flow: Tensor = self.network(torch.stack((later, earlier), dim=2) * _MAX_VALUE)
        return flow


def build(labels: LabelSpace, *, width: float, least: int) -> TrainedFlowNet2:
    """Build the model of the recipe ``flownet2-narrow``.

    Args:
        labels: Of the data; flow has no classes.
        width: See :class:`~mapt_bench.baselines.flownet2.narrow.NarrowWidth`. It has no default,
            so that the record of the weights always says it.
        least: The same.

    Raises:
        ConfigError: If the width is not positive.
    """
    return TrainedFlowNet2(NarrowWidth(width, least))


def _pairs(clips: Sequence[Clip]) -> tuple[Tensor, Tensor, Tensor]:
    """Return frames ``(B, 3, 2, H, W)``, later one first, flow and where it is valid, padded."""
    frames, flows, valid = [], [], []
    for clip in clips:
        if clip.motion is None:
            raise ConfigError("FlowNet2 learns from ground-truth flow; set clips.flow to true")
        frames.append(torch.stack((clip.images[1:], clip.images[:-1]), dim=2))
        flows.append(clip.motion.flow)
        valid.append(clip.motion.valid)
    sizes = {tuple(flow.shape[-2:]) for flow in flows}
    if len(sizes) > 1:
        told = " and ".join(f"{width}x{height}" for height, width in sorted(sizes)[:2])
        raise ConfigError(f"clips of {told} pixels do not make a batch; set augment.crop")
    (height, width) = sizes.pop()
    margin = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
    return (
        padded(torch.cat(frames) * _MAX_VALUE),
        functional.pad(torch.cat(flows), margin),
        functional.pad(torch.cat(valid), margin),
    )


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
        Flow ``(B, 2, H / times, W / times)``, and where it is valid: cells with at least
        half of their pixels valid.

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
