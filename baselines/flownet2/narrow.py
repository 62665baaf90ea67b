"""FlowNet2 with few channels, as it is trained here, and its weights from a file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mapt_bench.baselines.flownet2.network import FlowNet2
from mapt_bench.checkpoints import load_strictly, read_metadata, read_state_dict
from mapt_bench.errors import DataError

__all__ = ["NARROW_MODEL", "NarrowWidth", "load_narrow_flownet2", "narrow_flownet2", "narrow_width"]

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
        record = json.loads(text)
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
