"""The four kinds of network that FlowNet2 stacks (Ilg et al. 2017, fig. 2)."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from mapt_bench.baselines.flownet2.flow_layers import (
    FlowPyramid,
    channel_norm,
    conv,
    warp,
)
from mapt_bench.checkpoints import load_strictly, read_state_dict
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.model.correlation import correlation

__all__ = [
    "MULTIPLE",
    "FlowNet2",
    "FlowNetC",
    "FlowNetFusion",
    "FlowNetS",
    "FlowNetSD",
    "Width",
    "load_flownet2",
    "padded",
]

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


MULTIPLE = 64
"""Of pixels: what both sizes of a frame are padded to."""

_FLOW_SCALE = 20.0
_MAX_VALUE = 255.0


class FlowNet2(nn.Module):
    """Dense optical flow (Ilg et al. 2017, arXiv:1612.01925), without batch normalisation.

    State-dict keys and shapes are those of the released ``FlowNet2_checkpoint.pth.tar``:
    220 entries, 162,518,834 parameters. Untrained weights are drawn from torch's global random
    numbers: Xavier-uniform, biases from ``U(0, 1)``, as the released training code has it.

    Args:
        width: Multiplies the number of channels of every hidden layer; 1 is the released network,
            0.08 trains on a CPU.
        least: Channels that every hidden layer keeps, whatever the width.
        small_scale: What FlowNetSD's flow is multiplied by. The released weights were trained with
            a division by 20, where the other networks have a multiplication. A training at one
            learning rate for all needs 20 here, too; the functions are the same in other units.

    Raises:
        ConfigError: If ``width`` is not positive, or ``least`` less than 1.

    Example:
        >>> with torch.device("meta"):
        ...     network = FlowNet2()
        ...     flow = network(torch.empty(1, 3, 2, 375, 1242))
        >>> sum(weights.numel() for weights in network.parameters())
        162518834
        >>> flow.shape
        torch.Size([1, 2, 375, 1242])
    """

    def __init__(
        self, width: float = 1.0, least: int = 1, small_scale: float = 1 / _FLOW_SCALE
    ) -> None:
        super().__init__()
        if not width > 0:
            raise ConfigError(f"the width of FlowNet2 is {width}; expected a number above 0")
        if least < 1:
            raise ConfigError(
                f"the least width of FlowNet2's layers is {least}; expected 1 or more"
            )
        self.width = width
        self.least = least
        self.small_scale = small_scale
        self.flownetc = FlowNetC(self._scaled)
        self.flownets_1 = FlowNetS(self._scaled)
        self.flownets_2 = FlowNetS(self._scaled)
        self.flownets_d = FlowNetSD(self._scaled)
        self.flownetfusion = FlowNetFusion(self._scaled)
        self.reset_parameters()

    def _scaled(self, channels: int) -> int:
        return max(self.least, round(channels * self.width))

    def reset_parameters(self) -> None:
        """Draw untrained weights from torch's global random numbers."""
        for values in self.parameters():
            if values.ndim == 1:
                nn.init.uniform_(values)
            else:
                nn.init.xavier_uniform_(values)

    def forward(self, frames: Tensor) -> Tensor:
        """Say where each pixel of the first frame went in the second one.

        Args:
            frames: ``(B, 3, 2, H, W)``, floating: RGB in 0..255 of the first and second frame. Any
                size of one pixel and more: to reach multiples of 64 the last row and column are
                repeated, and the flow is cropped back.

        Returns:
            ``(B, 2, H, W)``: displacement in pixels to the right and downwards.

        Raises:
            DataError: If ``frames`` has another shape or is not floating.
        """
        _check(frames)
        height, width = frames.shape[-2:]
        return self._flows(_normalised(padded(frames)))["fusion"][-1][..., :height, :width]

    def flows(self, frames: Tensor) -> dict[str, tuple[Tensor, ...]]:
        """Return what every network of the stack says at every level, for training.

        Each network sees those before it as given: no gradient runs from one to another. In the
        paper they were trained one after the other, those before held fixed; so they can be trained
        all at once, each by its own losses.

        Args:
            frames: As in :meth:`forward`, both sizes multiples of 64.

        Returns:
            By network (``"c"``, ``"s1"``, ``"s2"``, ``"sd"``, ``"fusion"``) flow in pixels of the
            whole frame, ``(B, 2, h, w)`` each: levels 6 to 2, coarse first; 2 to 0 of the fusion.
            Level ``n`` is ``1 / 2**n`` of the frame.

        Raises:
            DataError: If ``frames`` has another shape or is not floating.
        """
        _check(frames)
        if frames.shape[-2] % MULTIPLE or frames.shape[-1] % MULTIPLE:
            raise DataError(
                f"FlowNet2 was given frames of shape {tuple(frames.shape)}; in training rows and "
                f"columns are expected in multiples of {MULTIPLE}"
            )
        return self._flows(_normalised(frames), join=torch.Tensor.detach)

    def _flows(
        self, pair: Tensor, join: Callable[[Tensor], Tensor] = lambda flow: flow
    ) -> dict[str, tuple[Tensor, ...]]:
        """Return all flows of normalised frames ``(B, 6, H, W)``, in pixels.

        Args:
            pair: The frames.
            join: Done to each flow before the next network sees it.
        """
        c = _in_pixels(self.flownetc(pair), _FLOW_SCALE)
        flow = join(_enlarged(c[-1], "bilinear"))
        s1 = _in_pixels(self.flownets_1(_stacked(pair, flow)), _FLOW_SCALE)
        flow = join(_enlarged(s1[-1], "bilinear"))
        s2 = _in_pixels(self.flownets_2(_stacked(pair, flow)), _FLOW_SCALE)
        sd = _in_pixels(self.flownets_d(pair), self.small_scale)
        large, small = (join(_enlarged(flows[-1], "nearest")) for flows in (s2, sd))
        first, second = pair.chunk(2, dim=1)
        stacked = (
            first,
            small,
            large,
            channel_norm(small),
            channel_norm(large),
            channel_norm(first - warp(second, small)),
            channel_norm(first - warp(second, large)),
        )
        fused = self.flownetfusion(torch.cat(stacked, dim=1))
        return {"c": c, "s1": s1, "s2": s2, "sd": sd, "fusion": fused}


def _in_pixels(flows: tuple[Tensor, ...], scale: float) -> tuple[Tensor, ...]:
    return tuple(flow * scale for flow in flows)


def _normalised(frames: Tensor) -> Tensor:
    """Return frames ``(B, 3, 2, H, W)`` as ``(B, 6, H, W)``: the first's colours, the second's."""
    # One mean for each colour, over both frames.
    frames = (frames - frames.mean(dim=(2, 3, 4), keepdim=True)) / _MAX_VALUE
    return frames.transpose(1, 2).flatten(1, 2)


def _stacked(pair: Tensor, flow: Tensor) -> Tensor:
    """Return what FlowNetS sees: ``(B, 12, H, W)``."""
    first, second = pair.chunk(2, dim=1)
    warped = warp(second, flow)
    return torch.cat((pair, warped, flow / _FLOW_SCALE, channel_norm(first - warped)), dim=1)


def _enlarged(flow: Tensor, mode: str) -> Tensor:
    return functional.interpolate(flow, scale_factor=4, mode=mode)


def padded(frames: Tensor) -> Tensor:
    """Repeat the last row and column until both sizes are multiples of 64."""
    height, width = frames.shape[-2:]
    below, right = -height % MULTIPLE, -width % MULTIPLE
    if not (below or right):
        return frames
    larger = functional.pad(frames.flatten(1, 2), (0, right, 0, below), mode="replicate")
    return larger.reshape(-1, 3, 2, *larger.shape[-2:])


def _check(frames: Tensor) -> None:
    shape = tuple(frames.shape)
    if len(shape) != 5 or shape[1:3] != (3, 2) or 0 in shape:
        raise DataError(
            f"FlowNet2 was given frames of shape {shape}; expected (B, 3, 2, H, W): batch, "
            "colours, first and second frame, rows, columns"
        )
    if not frames.is_floating_point():
        raise DataError(
            f"FlowNet2 was given frames of {frames.dtype}; expected floating numbers in 0..255"
        )


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
