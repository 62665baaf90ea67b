"""FlowNet2 with weights from a file."""

from pathlib import Path

import torch

from mapt_bench.baselines.flownet2.network import FlowNet2
from mapt_bench.checkpoints import load_strictly, read_state_dict
from mapt_bench.errors import DataError

__all__ = ["load_flownet2"]


def load_flownet2(path: Path, *, width: float = 1.0) -> FlowNet2:
    """Build FlowNet2 with the weights of a file, ready for inference on the CPU.

    Args:
        path: The released ``FlowNet2_checkpoint.pth.tar``, a state dict of its keys saved by
            ``torch.save`` (bare, or under ``"state_dict"``), or safetensors.
        width: Of the network that was saved.

    Raises:
        DataError: If the file is unusable: a key is missing, unknown or of another shape, it is of
            the variant with batch normalisation, or a pickle that is not plain tensors.
    """
    tensors = read_state_dict(path)
    normalised = [name for name in tensors if name.endswith(".running_mean")]
    if normalised:
        raise DataError(
            f"holds the variant of FlowNet2 with batch normalisation ({normalised[0]} and "
            f"{len(normalised) - 1} more); expected the variant without, as in "
            "FlowNet2_checkpoint.pth.tar",
            where=path,
        )
    with torch.device("meta"):  # weights come from the file: drawing others first would be waste
        network = FlowNet2(width)
    load_strictly(network, tensors, where=path)
    return network.eval()
