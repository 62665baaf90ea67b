"""Who is timed: motion heads, optical flow, and the forms of one deformable convolution.

What a contender needs is imported as it is prepared: each runs in a process of its own, and its
memory should not hold the libraries of the others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["CONTENDERS", "REFERENCE", "Contender", "Prepared", "Run"]

Run = Callable[[], object]

REFERENCE = "motion"
INSTANCES = 10
OFFSET_SPREAD = 3.0  # cells: a fresh head's offsets lie near zero, and reading is then too orderly


@dataclass(frozen=True)
class Prepared:
    """A contender ready to run; ``network`` where its convolutions are to be timed alone too."""

    run: Run
    macs: float | None = None
    network: "torch.nn.Module | None" = None


@dataclass(frozen=True)
class Contender:
    """A thing to be timed, and how it is made ready for frames of a height and width."""

    title: str
    prepare: Callable[[int, int], Prepared]


def _motion(design: str, form: str) -> Callable[[int, int], Prepared]:
    def prepare(height: int, width: int) -> Prepared:
        import torch

        from mapt_bench.model import MotionHead, motion_config

        config = motion_config(design)
        head = MotionHead(config, form=form).eval()
        rows, columns = height // config.stride, width // config.stride
        before, now = torch.rand(2, 1, config.in_channels, rows, columns).unbind()
        masks = torch.rand(1, INSTANCES, rows, columns)
        cached = head.reduce(before)
        spread = head.motion(cached, head.reduce(now))[0].std()
        for convolution in head.offset:
            convolution.weight.mul_(OFFSET_SPREAD / spread)
        macs = config.macs_per_position(INSTANCES) * rows * columns
        return Prepared(lambda: head(cached, head.reduce(now), masks), macs)

    return prepare


def _flownet2(height: int, width: int) -> Prepared:
    import torch

    from mapt_bench.baselines.flownet2 import FlowNet2

    network = FlowNet2().eval()
    frames = torch.rand(1, 3, 2, height, width) * 255
    shapes = torch.empty(frames.shape, device="meta")
    macs = _convolution_macs(FlowNet2().to("meta").eval(), shapes)
    return Prepared(lambda: network(frames), macs, network)


def _raft(name: str) -> Callable[[int, int], Prepared]:
    def prepare(height: int, width: int) -> Prepared:
        import torch
        from torchvision.models import optical_flow

        network = getattr(optical_flow, name)(weights=None).eval()
        before, now = (torch.rand(2, 1, 3, height, width) * 2 - 1).unbind()
        shapes = torch.empty(before.shape, device="meta")
        macs = _convolution_macs(getattr(optical_flow, name)().to("meta").eval(), shapes, shapes)
        return Prepared(lambda: network(before, now), macs)

    return prepare


def _dis(height: int, width: int) -> Prepared:
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (height // 8, width // 8), np.uint8)
    before = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    now = np.roll(before, (2, 5), axis=(0, 1))
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return Prepared(lambda: engine.calc(before, now, None))


def _one_dilation(form: str) -> Callable[[int, int], Prepared]:
    def prepare(height: int, width: int) -> Prepared:
        import torch

        from mapt_bench.model import deformable_convolution

        channels, rows, columns = 32, height // 4, width // 4
        x = torch.randn(1, channels, rows, columns)
        offset = torch.randn(1, 18, rows, columns) * OFFSET_SPREAD
        weight = torch.randn(channels, 1, 3, 3)

        def run() -> object:
            return deformable_convolution(x, offset, weight, dilation=3, form=form)

        return Prepared(run, 9 * x.numel())

    return prepare


CONTENDERS = {
    REFERENCE: Contender("motion head gated-s4, 10 masks", _motion("gated-s4", "auto")),
    "motion-samples": Contender("  its sampling by grid_sample", _motion("gated-s4", "samples")),
    "motion-operator": Contender("  its sampling by torchvision", _motion("gated-s4", "operator")),
    "motion-linear": Contender("motion head linear-s4", _motion("linear-s4", "auto")),
    "motion-s8": Contender("motion head s8-c128", _motion("s8-c128", "auto")),
    "flownet2": Contender("FlowNet2", _flownet2),
    "raft-small": Contender("RAFT-small, 12 updates", _raft("raft_small")),
    "raft-large": Contender("RAFT-large, 12 updates", _raft("raft_large")),
    "dis": Contender("DIS (OpenCV, medium)", _dis),
    "rows": Contender("one dilation, 32 channels: rows", _one_dilation("rows")),
    "samples": Contender("one dilation, 32 channels: grid_sample", _one_dilation("samples")),
    "operator": Contender("one dilation, 32 channels: torchvision", _one_dilation("operator")),
}


def _convolution_macs(network: "torch.nn.Module", *inputs: "torch.Tensor") -> float:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        network(*inputs)
    counts = counter.get_flop_counts()["Global"]
    return sum(flops for operator, flops in counts.items() if "conv" in str(operator)) / 2
