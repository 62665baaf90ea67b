"""FlowNet2 with few channels, as it is trained here, and its weights from a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from mapt_bench.baselines.flownet2.flow_layers import SLOPE, FlowPyramid
from mapt_bench.baselines.flownet2.stack import FlowNet2
from mapt_bench.checkpoints import load_strictly, read_metadata, read_state_dict
from mapt_bench.errors import DataError
from mapt_bench.files import parse_json

__all__ = [
    "NARROW_MODEL",
    "NarrowWidth",
    "load_narrow_flownet2",
    "narrow_flownet2",
    "narrow_width",
    "prepare_for_training",
]

NARROW_MODEL = "mapt_bench.training.flow_model:build"
"""What the record of such weights names as their model."""

_SCALE = 20.0
_INSIDE = "network."


@dataclass(frozen=True, slots=True)
class NarrowWidth:
    """How narrow a FlowNet2 is.

    Attributes:
        width: Multiplies the number of channels of every hidden layer.
        least: Channels that every hidden layer keeps.
    """

    width: float = 0.08
    least: int = 8


def narrow_flownet2(narrow: NarrowWidth) -> FlowNet2:
    """Build it, with untrained weights.

    Raises:
        ConfigError: If the width is not positive.

    Example:
        >>> with torch.device("meta"):
        ...     network = narrow_flownet2(NarrowWidth())
        >>> sum(weights.numel() for weights in network.parameters()) < 1_250_000
        True
    """
    return FlowNet2(narrow.width, narrow.least, small_scale=_SCALE)


def narrow_width(path: Path) -> NarrowWidth | None:
    """Return how narrow the FlowNet2 is whose weights a file holds, by the record in the file.

    Returns:
        ``None`` if the file has no record of such a network.

    Raises:
        DataError: If the file is damaged, or its record.
    """
    text = read_metadata(path).get("record") if path.is_file() else None
    if text is None:
        return None
    try:
        record = parse_json(text)
        if record["model"] != NARROW_MODEL:
            return None
        settings = record["recipe"]["model_settings"]
        return NarrowWidth(float(settings["width"]), int(settings["least"]))
    except (ValueError, KeyError, TypeError) as problem:
        raise DataError(
            f"its record does not say how wide the network is ({problem!r}); export it again",
            where=path,
        ) from problem


def load_narrow_flownet2(path: Path) -> FlowNet2:
    """Build a narrow FlowNet2 from the weights of a training, ready for inference on the CPU.

    Args:
        path: ``weights.safetensors`` of a training of :data:`NARROW_MODEL`.

    Raises:
        DataError: If the file is unusable, or is not of such a training.
    """
    tensors = read_state_dict(path)
    narrow = narrow_width(path)
    if narrow is None:
        raise DataError(
            f"is not of a training of a narrow FlowNet2 ({_found(tensors)}); expected the "
            "weights.safetensors of mapt-bench train --config flownet2-narrow; the released "
            "weights are for flow:flownet2",
            where=path,
        )
    with torch.device("meta"):
        network = narrow_flownet2(narrow)
    load_strictly(
        network,
        {name.removeprefix(_INSIDE): values for name, values in tensors.items()},
        where=path,
    )
    # With few channels convolutions take a fifth less time where those of a pixel lie together.
    return network.eval().to(memory_format=torch.channels_last)


def _found(tensors: Mapping[str, Tensor]) -> str:
    first = tensors.get("flownetc.conv1.0.weight")
    if first is None:
        return f"its first tensor is {next(iter(sorted(tensors)), 'missing')}"
    return f"a FlowNet2 whose first layer has {len(first)} channels, and no record of its training"


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
    """Set the centre taps: the weight of each input in each output."""
    centre = weight.shape[-1] // 2
    for output, (taken, share) in channels.items():
        weight[output, taken, centre, centre] = share


def _weight(module: nn.Module) -> Tensor:
    layer = module[0] if isinstance(module, nn.Sequential) else module
    weight: Tensor = layer.weight  # type: ignore[assignment]  # of a convolution
    return weight
