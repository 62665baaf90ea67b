"""FlowNet2 (Ilg et al. 2017, arXiv:1612.01925) in plain PyTorch. Importing it imports torch."""

from mapt_bench.baselines.flownet2.narrow import (
    NarrowWidth,
    load_narrow_flownet2,
    narrow_flownet2,
    narrow_width,
)
from mapt_bench.baselines.flownet2.stack import FlowNet2, load_flownet2

__all__ = [
    "FlowNet2",
    "NarrowWidth",
    "load_flownet2",
    "load_narrow_flownet2",
    "narrow_flownet2",
    "narrow_width",
]
