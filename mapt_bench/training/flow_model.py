"""A narrow FlowNet2 as something to train: every network of the stack by losses of its own."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mapt_bench.baselines.flownet2.narrow import NarrowWidth, narrow_flownet2, prepare_for_training
from mapt_bench.baselines.flownet2.stack import MULTIPLE, padded
from mapt_bench.errors import ConfigError
from mapt_bench.labels import LabelSpace
from mapt_bench.model.targets import Clip
from mapt_bench.training.flow_losses import end_point_error, pyramid_loss

__all__ = ["TrainedFlowNet2", "build"]

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
            clips: Of one size, with true flow.

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
            raise ConfigError("FlowNet2 learns from true flow; set clips.flow to true")
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
