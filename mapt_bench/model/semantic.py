"""The semantic head: the class of every pixel, and the features that motion is found from.

After Mohan and Valada 2021, "EfficientPS" (arXiv:2004.02307); the dense prediction cell is that of
Chen et al. 2018 (arXiv:1809.04184).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

from mapt_bench.errors import DataError
from mapt_bench.labels import LabelSpace
from mapt_bench.model.config import SemanticConfig
from mapt_bench.model.conv_layers import ConvNorm, MakeNorm, SeparableConv
from mapt_bench.model.fpn import PYRAMID_LEVELS

__all__ = ["DPC", "LSFE", "MismatchCorrection", "SemanticHead", "SemanticOutput"]

_VOID = -100
"""Channel of void pixels in targets: what cross-entropy leaves out."""


class SemanticOutput(NamedTuple):
    """What the semantic head finds.

    Attributes:
        logits: Shape ``(batch, classes, height / 4, width / 4)``, or at stride 2 where the fine
            level refines them; classes in ascending order of their numbers in the label space.
        features: The map ``S`` of shape ``(batch, channels, height / stride, width / stride)``,
            where ``stride`` is that of the motion head.
    """

    logits: Tensor
    features: Tensor


class DPC(nn.Module):
    """Dense prediction cell: five separable convolutions that look near and far, side by side.

    Args:
        in_channels: Of the input.
        out_channels: Of the output.
        norm: Makes the norms.
    """

    def __init__(self, in_channels: int, out_channels: int, *, norm: MakeNorm) -> None:
        super().__init__()

        def branch(down: int, right: int) -> SeparableConv:
            return SeparableConv(in_channels, in_channels, norm=norm, dilation=(down, right))

        self.first = branch(1, 6)
        self.near = branch(1, 1)
        self.wide = branch(6, 21)
        self.far = branch(18, 15)
        self.farther = branch(6, 3)
        self.join = ConvNorm(5 * in_channels, out_channels, 1, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the same height and width."""
        first = self.first(x)
        far = self.far(first)
        branches = (first, self.near(first), self.wide(first), far, self.farther(far))
        joined: Tensor = self.join(torch.cat(branches, dim=1))
        return joined


class LSFE(nn.Sequential):
    """Large scale feature extractor: two separable convolutions, for the fine levels."""

    def __init__(self, in_channels: int, out_channels: int, *, norm: MakeNorm) -> None:
        super().__init__(
            SeparableConv(in_channels, out_channels, norm=norm),
            SeparableConv(out_channels, out_channels, norm=norm),
        )


class MismatchCorrection(nn.Module):
    """Fit a coarse map to the next finer level: two separable convolutions, then bilinear."""

    def __init__(self, channels: int, *, norm: MakeNorm) -> None:
        super().__init__()
        self.fit = LSFE(channels, channels, norm=norm)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """Return a map of height and width ``size``."""
        return _bilinear(self.fit(x), size)


class _Refinement(nn.Module):
    """Correct logits by what the pyramid sees at stride 2."""

    def __init__(self, in_channels: int, channels: int, classes: int, *, norm: MakeNorm) -> None:
        super().__init__()
        self.reduce = ConvNorm(in_channels, channels, 1, norm=norm)
        self.look = ConvNorm(channels, channels, 3, norm=norm)
        self.classify = nn.Conv2d(channels, classes, 1)

    def forward(self, logits: Tensor, fine: Tensor) -> Tensor:
        """Return logits of the size of the fine level."""
        corrections: Tensor = self.classify(self.look(self.reduce(fine)))
        return corrections + _bilinear(logits, _size(fine))


class SemanticHead(nn.Module):
    """Classify every pixel from the levels of the pyramid.

    Args:
        config: Width and switches.
        in_channels: Channels of every level.
        labels: Classes to tell apart.
        norm: Makes the norms.
        feature_stride: 4 or 8: which of its maps is ``S``.
    """

    channel_of: Tensor
    class_weights: Tensor | None

    def __init__(
        self,
        config: SemanticConfig,
        in_channels: int,
        labels: LabelSpace,
        *,
        norm: MakeNorm,
        feature_stride: int = 4,
    ) -> None:
        super().__init__()
        self.config = config
        self.feature_stride = feature_stride
        width = config.channels
        coarse = DPC if config.dpc else LSFE
        self.dpc32 = coarse(in_channels, width, norm=norm)
        self.dpc16 = coarse(in_channels, width, norm=norm)
        self.lsfe8 = LSFE(in_channels, width, norm=norm)
        self.lsfe4 = LSFE(in_channels, width, norm=norm)
        self.correct16 = MismatchCorrection(width, norm=norm)
        self.correct8 = MismatchCorrection(width, norm=norm)
        classes = len(labels.class_ids)
        self.classify = nn.Conv2d(4 * width, classes, 1)
        fine = config.fine_channels
        self.refine = None if fine is None else _Refinement(in_channels, fine, classes, norm=norm)
        weights = config.class_weights
        self.register_buffer(
            "class_weights", None if weights is None else torch.tensor(weights), persistent=False
        )
        channel_of = torch.full((256,), _VOID)
        channel_of[list(labels.class_ids)] = torch.arange(len(labels.class_ids))
        self.register_buffer("channel_of", channel_of, persistent=False)

    @property
    def level_count(self) -> int:
        """How many levels of the pyramid are read: the last of them."""
        return PYRAMID_LEVELS if self.refine is None else PYRAMID_LEVELS + 1

    @property
    def logits_stride(self) -> int:
        """Pixels to a cell of the logits."""
        return 4 if self.refine is None else 2

    def forward(self, levels: Sequence[Tensor]) -> SemanticOutput:
        """Classify.

        Args:
            levels: The pyramid at strides 4, 8, 16 and 32, each of shape ``(batch, in_channels,
                height, width)``; before them that at stride 2, if it refines the logits.

        Raises:
            DataError: If there is another number of levels.
        """
        if len(levels) != self.level_count:
            raise DataError(
                f"there are {len(levels)} levels; expected {self.level_count}, at strides"
                f" {self.logits_stride} to 32"
            )
        p4, p8, p16, p32 = levels[-PYRAMID_LEVELS:]
        d32, d16 = self.dpc32(p32), self.dpc16(p16)
        x = self.correct16(d16 + _bilinear(d32, _size(d16)), _size(p8))
        l8 = self.lsfe8(p8) + x
        l4 = self.lsfe4(p4) + self.correct8(l8, _size(p4))
        logits = self._classified((l4, l8, d16, d32))
        if self.refine is not None:
            logits = self.refine(logits, levels[0])
        return SemanticOutput(logits, l4 if self.feature_stride == 4 else l8)

    def _classified(self, maps: Sequence[Tensor]) -> Tensor:
        """Classify the maps laid side by side at the size of the first.

        A 1x1 convolution commutes with bilinear enlargement, so each map is classified at its own
        size and its logits are enlarged: the same result for a third of the work.
        """
        weights = self.classify.weight.chunk(len(maps), dim=1)
        logits = functional.conv2d(maps[0], weights[0], self.classify.bias)
        for x, weight in zip(maps[1:], weights[1:], strict=True):
            logits = logits + _bilinear(functional.conv2d(x, weight), _size(maps[0]))
        return logits

    def loss(
        self, logits: Tensor, semantic: Tensor, *, class_weights: Tensor | None = None
    ) -> Tensor:
        """Return the cross-entropy of the hardest pixels of each image.

        The pixels are chosen image by image, and images count alike: so a batch may be split over
        processes and its parts averaged.

        Args:
            logits: As :class:`SemanticOutput` has them.
            semantic: Class number of each pixel, ``int64`` of shape ``(batch, height, width)``;
                numbers outside the label space are void and left out. It may be smaller than the
                image of the logits: the padding at the bottom and right is cut off.
            class_weights: Factor on the loss of each class's pixels, shape ``(classes,)``; those of
                the configuration if not given.

        Returns:
            A scalar; 0 where there is no pixel to learn from.
        """
        logits = logits.float()  # whatever precision the network runs in
        stride = self.config.loss_stride
        rows, columns = _size(logits)
        if self.refine is not None:
            # Half a cell would be too far off for what is a pixel or two wide: pixels are compared
            # with the logits at their own place.
            if stride == 2:
                logits = _at_even_pixels(logits)
            else:
                logits = _bilinear(logits, (2 * rows, 2 * columns))[..., ::stride, ::stride]
        elif stride < 4:
            logits = _bilinear(logits, (rows * 4 // stride, columns * 4 // stride))
        weights = self.class_weights if class_weights is None else class_weights
        channels = self.channel_of[semantic[:, ::stride, ::stride]]
        height, width = _size(channels)
        # As rows of classes, which lie side by side where the network runs channels-last.
        cells = logits[:, :, :height, :width].permute(0, 2, 3, 1).flatten(0, 2)
        per_pixel = functional.cross_entropy(
            cells, channels.flatten(), weight=weights, ignore_index=_VOID, reduction="none"
        ).view(len(logits), -1)
        hardest = []
        for values, known in zip(per_pixel, (channels != _VOID).flatten(1), strict=True):
            # Void pixels have loss 0: they are never among the hardest.
            count = max(1, round(self.config.hard_fraction * int(known.sum())))
            hardest.append(values.topk(count, sorted=False).values.mean())
        return torch.stack(hardest).mean()


def _at_even_pixels(x: Tensor) -> Tensor:
    """Return every other pixel, from the first, of a map enlarged twice: a fraction of the work."""
    result: Tensor = _EvenPixels.apply(x)
    return result


class _EvenPixels(Function):
    """A quarter of the cell before and three quarters of its own, down and right.

    Written out, since gradients of slices are maps of zeros, one for each.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ANN401
        for axis in (2, 3):
            x = _mixed(x, axis, to=1, at=0)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, up: Tensor) -> Tensor:  # noqa: ANN401
        for axis in (3, 2):
            up = _mixed(up, axis, to=0, at=1)
        return up


def _mixed(x: Tensor, axis: int, *, to: int, at: int) -> Tensor:
    """Return three quarters of each cell, and a quarter added from ``at`` on to ``to`` on."""
    rest = x.shape[axis] - 1
    mixed = x * 0.75
    mixed.narrow(axis, to, rest).add_(x.narrow(axis, at, rest), alpha=0.25)
    mixed.narrow(axis, 0, 1).add_(x.narrow(axis, 0, 1), alpha=0.25)
    return mixed


def _bilinear(x: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


def _size(x: Tensor) -> tuple[int, int]:
    height, width = x.shape[-2:]
    return height, width
