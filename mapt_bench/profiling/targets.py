"""What a ledger can be kept of: networks by name, and anybody's module.

A target says how its network is built, what an example input is, and which submodules form its
parts. Parts of MAPT join here as they are built.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from mapt_bench.baselines.flownet2 import FlowNet2, NarrowWidth, narrow_flownet2
from mapt_bench.errors import ConfigError
from mapt_bench.model import MOTION_DESIGNS, MotionConfig, MotionHead
from mapt_bench.profiling.counted import WHOLE
from mapt_bench.profiling.sizes import InputSize

__all__ = ["TARGETS", "ExampleInput", "Target", "register"]

ExampleInput = Callable[[nn.Module, InputSize, int], tuple[Tensor, ...]]
"""Returns the arguments of ``forward`` for an image size and a number of instances."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A network that can be costed.

    Attributes:
        name: ``model`` of its rows.
        summary: One line for people.
        build: Returns the network in ``eval()`` mode; its weights need no values, and may lie on
            the meta device. If it matters, built from operators that both counts see.
        example: Returns an input of zeros on the CPU.
        parts: Paths of submodules by the name of the part they form.
        whole: Name of the row that holds everything.
        rest: Name of the part for what lies outside all others.
        multiple: What height and width must be multiples of.
        smallest: Least height and width that it accepts.
        build_timed: Like ``build``, with the operators that are fastest; for measuring.
        has_instances: Whether its cost depends on the number of instances.
        takes_shape: Whether batch and channels may be chosen.
        notes: Said below the table.
    """

    name: str
    summary: str
    build: Callable[[], nn.Module]
    example: ExampleInput
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    whole: str = WHOLE
    rest: str = "rest"
    multiple: int = 1
    smallest: int = 1
    build_timed: Callable[[], nn.Module] | None = None
    has_instances: bool = False
    takes_shape: bool = False
    notes: tuple[str, ...] = ()

    def parts_of(self, module: nn.Module) -> dict[str, tuple[str, ...]]:
        """Return the parts that a built network has, with the paths that are there."""
        paths = {path for path, each in module.named_modules() if not isinstance(each, nn.Identity)}
        found = {
            part: tuple(path for path in named if path in paths)
            for part, named in self.parts.items()
        }
        return {part: named for part, named in found.items() if named}

    def check_size(self, size: InputSize) -> None:
        """Refuse a size that the network cannot take.

        Raises:
            ConfigError: If it is too small, no multiple of what it must be, or a whole shape.
        """
        if size.lead is not None and not self.takes_shape:
            raise ConfigError(
                f"{size} gives batch and channels, which are fixed for {self.name}; give "
                f"{size.height}x{size.width}",
                where="--input",
            )
        if min(size.height, size.width) < self.smallest:
            raise ConfigError(
                f"{size} is too small for {self.name}; each side needs {self.smallest} pixels or "
                "more",
                where="--input",
            )
        if size.height % self.multiple or size.width % self.multiple:
            up = [-(-side // self.multiple) * self.multiple for side in (size.height, size.width)]
            raise ConfigError(
                f"{size} does not fit {self.name}, which needs multiples of {self.multiple}; the "
                f"next is {up[0]}x{up[1]}",
                where="--input",
            )


TARGETS: dict[str, Target] = {}
"""Targets by name, in the order of tables."""


def register(target: Target) -> None:
    """Add a target.

    Raises:
        ValueError: If the name is taken.
    """
    if target.name in TARGETS:
        raise ValueError(f"there already is a target {target.name!r}")
    TARGETS[target.name] = target


def _pair_in_one(_: nn.Module, size: InputSize, instances: int) -> tuple[Tensor, ...]:
    return (torch.zeros(1, 3, 2, size.height, size.width),)


def _register_flownet2(name: str, summary: str, build: Callable[[], FlowNet2]) -> None:
    def on_meta() -> nn.Module:
        with torch.device("meta"):
            return build().eval()

    networks = ("flownetc", "flownets_1", "flownets_2", "flownets_d", "flownetfusion")
    register(
        Target(
            name=name,
            summary=summary,
            build=on_meta,
            example=_pair_in_one,
            parts={network: (network,) for network in networks},
            notes=(f"{name} pads each side to the next multiple of 64, and is counted so",),
        )
    )


_register_flownet2(
    "flownet2", "the optical flow network that the paper compares with (Ilg et al. 2017)", FlowNet2
)
_register_flownet2(
    "flownet2-narrow",
    "the same with few channels, for one thread of a CPU",
    lambda: narrow_flownet2(NarrowWidth()),
)


_MATCH_MULTIPLE = 32
"""Sides of images that a motion head with matching takes are multiples of this many pixels."""


class _MotionStep(nn.Module):
    """What the motion head does for one more frame: the earlier frame's map is kept, not redone."""

    def __init__(self, config: MotionConfig, form: str) -> None:
        super().__init__()
        self.head = MotionHead(config, form=form)

    def forward(
        self, kept: Tensor, semantic: Tensor, masks: Tensor, images: Tensor | None = None
    ) -> Sequence[Tensor]:
        found: Sequence[Tensor] = self.head(kept, self.head.reduce(semantic, images), masks)
        return found


def _motion_input(config: MotionConfig, size: InputSize, instances: int) -> tuple[Tensor, ...]:
    height, width = size.height // config.stride, size.width // config.stride
    inputs = (
        torch.zeros(1, config.map_channels, height, width),
        torch.zeros(1, config.in_channels, height, width),
        torch.zeros(1, instances, height, width),
    )
    if config.match_channels is None:
        return inputs
    return (*inputs, torch.zeros(1, 3, size.height, size.width))


def _register_motion_head(design: str, *, is_default: bool) -> None:
    config = MOTION_DESIGNS[design]
    parts: dict[str, tuple[str, ...]] = {
        "reduce": ("head.reduction",),
        "context": ("head.context",),
        "offsets": ("head.offset",),
        "gate": ("head.gate",),
        "fuse": ("head.fuse",),
    }
    multiple = config.stride
    if config.match_channels is not None:
        parts["match"] = ("head.matcher", "head.join")
        multiple = _MATCH_MULTIPLE
    register(
        Target(
            name="motion-head" if is_default else f"motion-head:{design}",
            summary=f"motion head of MAPT, design {design}",
            build=lambda: _MotionStep(config, "operator").eval(),
            build_timed=lambda: _MotionStep(config, "auto").eval(),
            example=lambda _, size, instances: _motion_input(config, size, instances),
            parts=parts,
            rest="propagate",
            multiple=multiple,
            smallest=multiple,
            has_instances=True,
            notes=(
                f"motion-head is the design {design}; its widths were fitted to the figure of the "
                "paper, which states none",
            )
            if is_default
            else (),
        )
    )


for _design in MOTION_DESIGNS:
    _register_motion_head(_design, is_default=MOTION_DESIGNS[_design] == MotionConfig())


def _images(_: nn.Module, size: InputSize, instances: int) -> tuple[Tensor, ...]:
    return (torch.zeros(size.shape),)


def _two_images(_: nn.Module, size: InputSize, instances: int) -> tuple[Tensor, ...]:
    return torch.zeros(size.shape), torch.zeros(size.shape)


def _trunk(name: str) -> nn.Module:
    from torchvision import models

    network = models.get_model(name, weights=None)
    return nn.Sequential(network.stem, network.trunk_output).eval()


def _register_trunk(name: str, summary: str) -> None:
    register(
        Target(
            name=name,
            summary=summary,
            build=lambda: _trunk(name),
            example=_images,
            whole="trunk",
            notes=(f"{name} is the trunk alone, without pooling and classifier",),
        )
    )


_register_trunk("regnet_y_8gf", "backbone of MAPT (torchvision's RegNetY-8.0GF)")
_register_trunk("regnet_y_400mf", "small backbone (torchvision's RegNetY-400MF)")


def _raft(name: str) -> nn.Module:
    from torchvision import models

    network: nn.Module = models.get_model(name, weights=None)
    return network.eval()


def _register_raft(name: str, torchvision_name: str) -> None:
    register(
        Target(
            name=name,
            summary=f"optical flow, 12 updates (torchvision's {torchvision_name})",
            build=lambda: _raft(torchvision_name),
            example=_two_images,
            parts={
                "features": ("feature_encoder",),
                "context": ("context_encoder",),
                "updates": ("update_block",),
                "masks": ("mask_predictor",),
            }
            if name == "raft-large"
            else {
                "features": ("feature_encoder",),
                "context": ("context_encoder",),
                "updates": ("update_block",),
            },
            rest="correlation and lookups",
            multiple=8,
            smallest=128,
        )
    )


_register_raft("raft-small", "raft_small")
_register_raft("raft-large", "raft_large")
