"""The four kinds of network that FlowNet2 stacks (Ilg et al. 2017, fig. 2)."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from mapt_bench.baselines.flownet2.blocks import FlowPyramid, conv
from mapt_bench.model.correlation import correlation

__all__ = ["FlowNetC", "FlowNetFusion", "FlowNetS", "FlowNetSD", "Width"]

Width = Callable[[int], int]
"""Says how many channels stand for the released network's number."""

_DISPLACEMENTS = 441
_TAIL = ("conv3_1", "conv4", "conv4_1", "conv5", "conv5_1", "conv6", "conv6_1")


class _SixLevels(FlowPyramid):
    """What FlowNetC, FlowNetS and FlowNetSD have in common: levels 3 to 6, and the decoder."""

    def _add_tail(self, width: Width, merged: int) -> None:
        at_3, at_4, at_6 = width(256), width(512), width(1024)
        self.conv3_1 = conv(merged, at_3)
        self.conv4 = conv(at_3, at_4, stride=2)
        self.conv4_1 = conv(at_4, at_4)
        self.conv5 = conv(at_4, at_4, stride=2)
        self.conv5_1 = conv(at_4, at_4)
        self.conv6 = conv(at_4, at_6, stride=2)
        self.conv6_1 = conv(at_6, at_6)

    def _add_six_level_decoder(
        self, width: Width, *, refines: bool = False, upsampling_bias: bool = True
    ) -> None:
        encoded = {6: 1024, 5: 512, 4: 512, 3: 256, 2: 128}
        decoded = {5: 512, 4: 256, 3: 128, 2: 64}
        brought_up = {level: width(channels) for level, channels in decoded.items()}
        self._add_decoder(
            {level: width(channels) for level, channels in encoded.items()},
            brought_up,
            brought_up if refines else None,
            upsampling_bias=upsampling_bias,
        )


class FlowNetC(_SixLevels):
    """Compares features of the two frames by correlation at an eighth of the size."""

    def __init__(self, width: Width) -> None:
        super().__init__()
        self.conv1 = conv(3, width(64), 7, 2)
        self.conv2 = conv(width(64), width(128), 5, 2)
        self.conv3 = conv(width(128), width(256), 5, 2)
        self.conv_redir = conv(width(256), width(32), 1)
        self._add_tail(width, width(32) + _DISPLACEMENTS)
        self._add_six_level_decoder(width)

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return flow at levels 6 to 2 of normalised frames ``(B, 6, H, W)``."""
        both = torch.cat(inputs.chunk(2, dim=1))
        at_2 = self.conv2(self.conv1(both))
        first, second = self.conv3(at_2).chunk(2)
        at_2 = at_2.chunk(2)[0]
        alike = functional.leaky_relu_(correlation(first, second), 0.1)
        merged = torch.cat((self.conv_redir(first), alike), dim=1)
        return self._decode({2: at_2, **self._encode(merged, _TAIL)})


class FlowNetS(_SixLevels):
    """Refines a flow: sees the frames, the warped second frame, the flow and the error."""

    def __init__(self, width: Width) -> None:
        super().__init__()
        self.conv1 = conv(12, width(64), 7, 2)
        self.conv2 = conv(width(64), width(128), 5, 2)
        self.conv3 = conv(width(128), width(256), 5, 2)
        self._add_tail(width, width(256))
        self._add_six_level_decoder(width, upsampling_bias=False)

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return flow at levels 6 to 2 of stacked inputs ``(B, 12, H, W)``."""
        return self._decode(self._encode(inputs, ("conv1", "conv2", "conv3", *_TAIL)))


class FlowNetSD(_SixLevels):
    """For small displacements: small kernels, and one more convolution before each flow."""

    def __init__(self, width: Width) -> None:
        super().__init__()
        self.conv0 = conv(6, width(64))
        self.conv1 = conv(width(64), width(64), stride=2)
        self.conv1_1 = conv(width(64), width(128))
        self.conv2 = conv(width(128), width(128), stride=2)
        self.conv2_1 = conv(width(128), width(128))
        self.conv3 = conv(width(128), width(256), stride=2)
        self._add_tail(width, width(256))
        self._add_six_level_decoder(width, refines=True)

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return flow at levels 6 to 2 of normalised frames ``(B, 6, H, W)``."""
        front = ("conv0", "conv1", "conv1_1", "conv2", "conv2_1", "conv3")
        return self._decode(self._encode(inputs, (*front, *_TAIL)))


class FlowNetFusion(FlowPyramid):
    """Joins the flows for large and for small displacements, at full size."""

    def __init__(self, width: Width) -> None:
        super().__init__()
        self.conv0 = conv(11, width(64))
        self.conv1 = conv(width(64), width(64), stride=2)
        self.conv1_1 = conv(width(64), width(128))
        self.conv2 = conv(width(128), width(128), stride=2)
        self.conv2_1 = conv(width(128), width(128))
        brought_up = {1: width(32), 0: width(16)}
        self._add_decoder({2: width(128), 1: width(128), 0: width(64)}, brought_up, brought_up)

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return flow at levels 2 to 0 of stacked inputs ``(B, 11, H, W)``."""
        layers = ("conv0", "conv1", "conv1_1", "conv2", "conv2_1")
        return self._decode(self._encode(inputs, layers))
