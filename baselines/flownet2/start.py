"""Weights from which a narrow FlowNet2 learns in an hour."""

import torch
from torch import Tensor, nn

from mapt_bench.baselines.flownet2.blocks import SLOPE, FlowPyramid
from mapt_bench.baselines.flownet2.network import FlowNet2

__all__ = ["prepare_for_training"]

_LARGE_FLOW = (5, 6)
"""Where the fusion's input has the flow for large displacements: after a frame and the other."""

_IN_PIXELS = slice(3, 9)
"""Channels of the fusion's input that are pixels, tens of them where the others are below 1."""

_PIXELS = 20.0


@torch.no_grad()
def prepare_for_training(network: FlowNet2) -> None:
    """Draw weights from torch's global random numbers; the network then says that nothing moves.

    The released training code draws biases from ``U(0, 1)``: where a layer has few channels they
    drown the frames, whose values are within 0.5 of 0. Here instead

    - convolutions follow He et al. 2015 (arXiv:1502.01852, eq. 15) for leaky ReLUs, biases are 0;
    - flow is enlarged bilinearly, and predicted as that of the coarser level and a correction that
      begins at 0, so that finer levels refine from the first step on;
    - the fusion begins as the flow for large displacements and learns where the other is better.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, a=SLOPE)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for stack in (
        network.flownetc,
        network.flownets_1,
        network.flownets_2,
        network.flownets_d,
        network.flownetfusion,
    ):
        _refine_what_is_coarser(stack)
    _begin_with_large_flow(network.flownetfusion)


def _refine_what_is_coarser(stack: FlowPyramid) -> None:
    """Let each level predict the last two of its channels, where the enlarged flow is."""
    for name, module in stack.named_children():
        if name.startswith("predict_flow"):
            weight = _weight(module)
            nn.init.zeros_(weight)
            if hasattr(stack, f"deconv{name[-1]}"):  # the coarsest has nothing to refine
                _pass(weight, {0: (-2, 1.0), 1: (-1, 1.0)})
        elif name.startswith("inter_conv"):
            weight = _weight(module)
            weight[-2:] = 0
            _pass(weight, {-2: (-2, 1.0), -1: (-1, 1.0)})
        elif name.startswith("upsampled_flow"):
            weight = _weight(module)
            sides = torch.tensor([0.25, 0.75, 0.75, 0.25])
            weight.zero_()
            weight[0, 0] = weight[1, 1] = sides[:, None] * sides


def _begin_with_large_flow(fusion: FlowPyramid) -> None:
    """Carry the flow through the finest level: what a leaky ReLU does to it is undone after it."""
    first, last = (
        _weight(fusion.get_submodule("conv0")),
        _weight(fusion.get_submodule("inter_conv0")),
    )
    first[:, _IN_PIXELS] /= _PIXELS
    first[:4] = 0
    for axis, channel in enumerate(_LARGE_FLOW):
        _pass(first, {2 * axis: (channel, 1.0), 2 * axis + 1: (channel, -1.0)})
    for reader in ("conv1", "inter_conv0"):
        _weight(fusion.get_submodule(reader))[:, :4] /= _PIXELS
    last[-2:] = 0
    for axis in (0, 1):  # the difference of what is left of a number and of its opposite
        _pass(last, {axis - 2: (2 * axis, 1 / (1 + SLOPE))})
        _pass(last, {axis - 2: (2 * axis + 1, -1 / (1 + SLOPE))})


def _pass(weight: Tensor, channels: dict[int, tuple[int, float]]) -> None:
    """Set centre taps: for each output, of which input it takes how much."""
    centre = weight.shape[-1] // 2
    for output, (taken, share) in channels.items():
        weight[output, taken, centre, centre] = share


def _weight(module: nn.Module) -> Tensor:
    layer = module[0] if isinstance(module, nn.Sequential) else module
    weight: Tensor = layer.weight  # type: ignore[assignment]  # of a convolution
    return weight
