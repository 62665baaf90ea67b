"""Networks of the FLOPs report by name: those of this package, and modules of other code."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from mapt_bench.baselines.flownet2 import FlowNet2, NarrowWidth, narrow_flownet2
from mapt_bench.errors import ConfigError, a_type
from mapt_bench.model import MOTION_DESIGNS, MotionConfig, MotionHead
from mapt_bench.profiling._mapt_networks import register_mapt
from mapt_bench.profiling.flops_settings import TARGETS, InputSize, Target, check_target, register
from mapt_bench.user_code import attribute_of, failure_of, running

__all__ = ["find_target", "find_targets", "user_target"]


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
            notes=(f"{name} pads each side to the next multiple of 64; the count includes this",),
        )
    )


_register_flownet2(
    "flownet2", "optical flow network that the paper compares with (Ilg et al. 2017)", FlowNet2
)
_register_flownet2(
    "flownet2-narrow",
    "FlowNet2 with few channels, for one CPU thread",
    lambda: narrow_flownet2(NarrowWidth()),
)


_MATCH_MULTIPLE = 32
"""Sides of images that a motion head with matching takes are multiples of this many pixels."""


class _MotionStep(nn.Module):
    """One further frame of the motion head. The feature map of the earlier frame is stored."""

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
                f"motion-head is the design {design}; its widths were fitted to the FLOPs of the "
                "paper, which does not state the widths",
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
            notes=(f"{name} is the trunk without pooling and classifier",),
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

register_mapt()


def user_target(name: str) -> Target:
    """Return a target for a module that is not part of this package.

    Args:
        name: ``package.module:attribute``, also searched in the current folder. The attribute is a
            module, or a function without arguments that returns one. The example input is one
            image in the precision of the weights, or the result of the module's
            ``example_inputs(height, width, instances)``, see :meth:`Arguments.of`.

    Raises:
        ConfigError: If the name is not found, cannot be imported or built, or is not a module.
    """
    found = attribute_of(name, kind="network", form="package.module:build")

    def build() -> nn.Module:
        return _module(found, name).eval()

    first = build()
    return Target(
        name=name,
        summary=f"module {type(first).__name__} of {name.partition(':')[0]}",
        build=build,
        example=_example,
        parts={child: (child,) for child, _ in first.named_children()},
        takes_shape=True,
        has_instances=hasattr(first, "example_inputs"),
    )


def _example(module: nn.Module, size: InputSize, instances: int) -> object:
    own = getattr(module, "example_inputs", None)
    if callable(own):
        return own(size.height, size.width, instances)
    weights = (each for each in module.state_dict().values() if each.is_floating_point())
    first = next(weights, None)
    return torch.zeros(size.shape, dtype=None if first is None else first.dtype)


def _module(found: object, name: str) -> nn.Module:
    built = found
    if callable(found) and not isinstance(found, nn.Module):
        built = _called(found, name)
    if not isinstance(built, nn.Module):
        raise ConfigError(
            f"{name!r} is or returns {a_type(built)}; expected a torch.nn.Module, or a function "
            "that returns one"
        )
    # Its copies on several devices do the same.
    return built.module if isinstance(built, nn.DataParallel) else built


def _called(factory: Callable[[], object], name: str) -> object:
    try:
        with running():
            return factory()
    except Exception as problem:  # user code may raise anything
        raise ConfigError(
            f"{name!r} could not be built: {failure_of(problem)}; it is called without arguments"
        ) from problem


def find_target(name: str) -> Target:
    """Return the target with a name, or the target for ``package.module:build``.

    Raises:
        ConfigError: If there is none. The message suggests the nearest.
    """
    known = check_target(name)
    return TARGETS[known] if known in TARGETS else user_target(known)


def find_targets(names: Sequence[str]) -> list[Target]:
    """Return the targets of some names, without repetition. No names mean all networks.

    Raises:
        ConfigError: If a name has no target.
    """
    if not names:
        return list(TARGETS.values())
    found = {target.name: target for target in map(find_target, names)}
    return list(found.values())
