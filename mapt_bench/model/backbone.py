"""The backbone: an image as features at strides 4, 8, 16 and 32."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

from mapt_bench.checkpoints import load_strictly, read_state_dict, without_prefix
from mapt_bench.errors import ConfigError
from mapt_bench.model.config import BackboneConfig, Norm
from mapt_bench.model.conv_layers import ConvNorm, MakeNorm, trunk_norm

__all__ = ["Backbone", "build_backbone", "load_imagenet", "prepare_images"]

COARSEST = 32
"""Pixels to a cell of the coarsest level: images are padded to multiples of it."""


class Backbone(nn.Module):
    """A trunk whose four stages are all wanted.

    Its parameters have the names that they have in torchvision's classifiers.

    Args:
        stem: To stride 2.
        stages: To strides 4, 8, 16 and 32.
        channels: Of the stem and of each stage.

    Attributes:
        channels: Of each level, finest first.
    """

    def __init__(self, stem: nn.Module, stages: nn.Sequential, channels: Sequence[int]) -> None:
        super().__init__()
        self.stem = stem
        self.trunk_output = stages
        self.channels = tuple(channels)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the five levels, strides 2 to 32, finest first.

        Args:
            images: Normalised, of shape ``(batch, 3, height, width)``, both multiples of 32: as
                :func:`prepare_images` returns them.
        """
        x = self.stem(images)
        levels = [x]
        for stage in self.trunk_output:
            x = stage(x)
            levels.append(x)
        return levels


def build_backbone(config: BackboneConfig, *, norm: Norm) -> Backbone:
    """Return a backbone with random weights.

    Example:
        >>> import torch
        >>> backbone = build_backbone(BackboneConfig(name="tiny"), norm="group")
        >>> [tuple(level.shape) for level in backbone(torch.zeros(1, 3, 64, 96))]
        [(1, 16, 32, 48), (1, 32, 16, 24), (1, 64, 8, 12), (1, 96, 4, 6), (1, 128, 2, 3)]
    """
    if config.name == "tiny":
        return _tiny(config, trunk_norm(norm))
    network = models.get_model(config.name, weights=None, norm_layer=trunk_norm(norm))
    # The last convolution of a block has the channels of its stage.
    channels = [stage[-1].f.c.out_channels for stage in network.trunk_output]
    stem_channels = network.stem[0].out_channels
    return Backbone(network.stem, network.trunk_output, (stem_channels, *channels))


def load_imagenet(backbone: Backbone, path: Path) -> None:
    """Put the weights of torchvision's classifier into a backbone.

    Args:
        backbone: A RegNetY with batch norm, trained or frozen.
        path: A file of the state dict that torchvision offers for the network; its classifier is
            left aside.

    Raises:
        ConfigError: If the backbone is one that torchvision has no weights for.
        DataError: If the file is damaged, or holds the weights of another network.
    """
    expected = backbone.state_dict()
    if not any(name.endswith("running_mean") for name in expected):
        raise ConfigError(
            "this backbone has group norm, and ImageNet weights come with batch norm; set norm to"
            " frozen-batch (for small batches) or batch",
            where=path,
        )
    tensors = {
        name: values
        for name, values in without_prefix(read_state_dict(path), expected, where=path).items()
        if not name.startswith("fc.")
        # A count that frozen norms do not have.
        and (name in expected or not name.endswith("num_batches_tracked"))
    }
    load_strictly(backbone, tensors, where=path)


def prepare_images(images: Tensor, *, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Normalise images, and pad them at the bottom and right with zeros to multiples of 32.

    Args:
        images: RGB in ``[0, 1]`` of shape ``(batch, 3, height, width)``.
        mean: RGB, taken off.
        std: RGB, divided by.

    Example:
        >>> import torch
        >>> prepare_images(torch.ones(1, 3, 375, 1242), mean=(0, 0, 0), std=(1, 1, 1)).shape
        torch.Size([1, 3, 384, 1248])
    """
    shape = (1, 3, 1, 1)
    normalised = (images - images.new_tensor(mean).view(shape)) / images.new_tensor(std).view(shape)
    height, width = images.shape[-2:]
    return functional.pad(normalised, (0, -width % COARSEST, 0, -height % COARSEST))


class _Residual(nn.Module):
    """Two 3x3 convolutions around which the input passes."""

    def __init__(self, channels: int, norm: MakeNorm) -> None:
        super().__init__()
        self.first = ConvNorm(channels, channels, 3, norm=norm)
        self.second = ConvNorm(channels, channels, 3, norm=norm, activation=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(x + self.second(self.first(x)), 0.01)


def _tiny(config: BackboneConfig, norm: MakeNorm) -> Backbone:
    def stage(in_channels: int, channels: int, depth: int) -> nn.Sequential:
        stride = ConvNorm(in_channels, channels, 3, norm=norm, stride=2)
        return nn.Sequential(stride, *(_Residual(channels, norm) for _ in range(depth)))

    in_channels = (config.stem_channels, *config.widths[:-1])
    stages = map(stage, in_channels, config.widths, config.depths)
    stem = stage(3, config.stem_channels, config.stem_depth)
    return Backbone(stem, nn.Sequential(*stages), (config.stem_channels, *config.widths))
