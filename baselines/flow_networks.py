"""Optical flow by neural networks: FlowNet2, torchvision's RAFT, any model of ptlflow.

Importing this module imports torch; ask :mod:`mapt_bench.baselines.flow_sources` by name instead.
Weights come from a file or are random. Nothing is downloaded.
"""

import importlib
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from mapt_bench.baselines.flownet2 import (
    FlowNet2,
    NarrowWidth,
    load_flownet2,
    load_narrow_flownet2,
    narrow_flownet2,
    narrow_width,
)
from mapt_bench.checkpoints import load_strictly, read_state_dict
from mapt_bench.errors import ConfigError, DataError, nearest
from mapt_bench.labels import Frame, VideoInfo

__all__ = [
    "Estimate",
    "NetworkFlow",
    "flownet2_estimate",
    "narrow_flownet2_estimate",
    "ptlflow_estimate",
    "raft_estimate",
]

Estimate = Callable[[Tensor, Tensor], Tensor]
"""From two RGB images ``(1, 3, H, W)`` in 0..255 to the flow ``(1, 2, H, W)`` in pixels."""

_RAFT_MULTIPLE = 8
_RAFT_LEAST = 128


class NetworkFlow:
    """Flow that a network estimates from two images of full size.

    Args:
        estimate: The network, at work on ``device``.
        device: Where images are sent.
    """

    needs_images = True

    def __init__(self, estimate: Estimate, *, device: torch.device | str = "cpu") -> None:
        self.estimate = estimate
        self.device = torch.device(device)

    def start(self, info: VideoInfo) -> None:
        """Nothing to prepare."""

    def flow(self, frame_from: Frame, frame_to: Frame) -> NDArray[np.float32]:
        """Return where each pixel of ``frame_from`` went in ``frame_to``.

        Returns:
            ``float32`` of shape ``(height, width, 2)``, in pixels.

        Raises:
            DataError: If a frame has no image, or the network returns flow that is not finite.
        """
        with torch.inference_mode():
            estimated = self.estimate(self._image(frame_from), self._image(frame_to))[0]
        flow: NDArray[np.float32] = estimated.permute(1, 2, 0).float().cpu().numpy()
        if not np.isfinite(flow).all():
            raise DataError(
                f"the network's flow from frame {frame_from.name} to {frame_to.name} is not "
                f"finite; check its weights, and that it takes images of {flow.shape[:2]} pixels"
            )
        return flow

    def _image(self, frame: Frame) -> Tensor:
        # Copied, because decoders may hand out arrays that torch must not write to.
        image = torch.from_numpy(frame.image.copy()).to(self.device)
        return image.permute(2, 0, 1)[None].float()


def flownet2_estimate(weights: Path | None, *, seed: int, device: torch.device) -> Estimate:
    """Return FlowNet2.

    Args:
        weights: See :func:`~mapt_bench.baselines.flownet2.load_flownet2`; ``None`` draws them.
        seed: Seed of random weights.
        device: Where the network runs.

    Raises:
        DataError: If the weights do not fit, or are of a narrow FlowNet2.
    """
    narrow = None if weights is None else narrow_width(weights)
    if narrow is not None:
        raise DataError(
            f"holds a narrow FlowNet2 (width {narrow.width:g}), trained here; ask for "
            "flow:flownet2-narrow",
            where=weights,
        )
    return _of_flownet2(load_flownet2(weights) if weights else _drawn(FlowNet2, seed), device)


def narrow_flownet2_estimate(weights: Path | None, *, seed: int, device: torch.device) -> Estimate:
    """Return the narrow FlowNet2 that is trained here; the file says how narrow it is.

    Args:
        weights: See :func:`~mapt_bench.baselines.flownet2.load_narrow_flownet2`; ``None`` draws
            those of the narrow one that is trained by default.
        seed: Seed of random weights.
        device: Where the network runs.

    Raises:
        DataError: If the weights do not fit, or are of the full FlowNet2.
    """
    if weights is not None:
        return _of_flownet2(load_narrow_flownet2(weights), device)
    return _of_flownet2(_drawn(lambda: narrow_flownet2(NarrowWidth()), seed), device)


def _of_flownet2(network: nn.Module, device: torch.device) -> Estimate:
    network = network.to(device)

    def estimate(first: Tensor, second: Tensor) -> Tensor:
        flow: Tensor = network(torch.stack((first, second), dim=2))
        return flow

    return estimate


def raft_estimate(size: str, weights: Path | None, *, seed: int, device: torch.device) -> Estimate:
    """Return torchvision's RAFT (Teed and Deng 2020, arXiv:2003.12039), 12 updates.

    Args:
        size: ``"large"`` or ``"small"``.
        weights: State dict, such as torchvision's own files; ``None`` draws them.
        seed: Seed of random weights.
        device: Where the network runs.

    Raises:
        DataError: If the weights do not fit.
    """
    from torchvision.models import optical_flow

    build = {"large": optical_flow.raft_large, "small": optical_flow.raft_small}[size]
    network = _network(lambda: build(weights=None), weights, seed).to(device)

    def estimate(first: Tensor, second: Tensor) -> Tensor:
        height, width = first.shape[-2:]
        pair = [_padded(image / 127.5 - 1) for image in (first, second)]
        refined: list[Tensor] = network(*pair)
        return refined[-1][..., :height, :width]

    return estimate


def ptlflow_estimate(
    model: str, weights: Path | None, *, seed: int, device: torch.device
) -> Estimate:
    """Return a model of the package ptlflow, which is an optional extra.

    Args:
        model: Its name there, for example ``"raft"`` or ``"gmflow"``.
        weights: File with a state dict; ``None`` draws them.
        seed: Seed of random weights.
        device: Where the network runs.

    Raises:
        ConfigError: If ptlflow is not installed or has no such model.
        DataError: If the weights do not fit.
    """
    ptlflow = _import_ptlflow(model)
    known = ptlflow.get_model_names()
    if model not in known:
        raise ConfigError(f"ptlflow has no model {model!r}; {nearest(model, known)}")
    network = _network(lambda: ptlflow.get_model(model), weights, seed).to(device)

    def estimate(first: Tensor, second: Tensor) -> Tensor:
        # ptlflow's images are OpenCV's: blue first, here in 0..1.
        images = torch.stack((first, second), dim=1).flip(2) / 255
        flows: Tensor = network({"images": images})["flows"]
        return flows[:, 0]

    return estimate


def _import_ptlflow(model: str) -> types.ModuleType:
    try:
        return importlib.import_module("ptlflow")
    except ModuleNotFoundError as problem:
        if problem.name != "ptlflow":
            raise ConfigError(
                f"ptlflow is installed, but not the package {problem.name!r} that it needs; "
                "install it again: pip install 'mapt-bench[flow]'"
            ) from problem
        raise ConfigError(
            f"flow:ptlflow/{model} needs the package ptlflow, which is not installed: "
            "pip install 'mapt-bench[flow]'"
        ) from problem


def _network(build: Callable[[], nn.Module], weights: Path | None, seed: int) -> nn.Module:
    network = _drawn(build, seed)
    if weights is not None:
        load_strictly(network, read_state_dict(weights), where=weights)
    return network


def _drawn(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Build a network for inference, with random weights from a seed of their own."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build().eval()


def _padded(image: Tensor) -> Tensor:
    """Repeat the last row and column up to a size that RAFT takes."""
    below, right = (
        max(_RAFT_LEAST, -(-side // _RAFT_MULTIPLE) * _RAFT_MULTIPLE) - side
        for side in image.shape[-2:]
    )
    return functional.pad(image, (0, right, 0, below), mode="replicate")
