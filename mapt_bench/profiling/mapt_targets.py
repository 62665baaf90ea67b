"""The whole of MAPT as targets: one a configuration, its parts as rows."""

import torch
from torch import Tensor, nn

from mapt_bench.model import MaptConfig, mapt_config, mapt_config_names
from mapt_bench.profiling.mapt_step import BOX_SHARE, MaptStepCost, example_step
from mapt_bench.profiling.sizes import InputSize
from mapt_bench.profiling.targets import Target, register

__all__: list[str] = []

_PARTS = (
    *("backbone", "fpn", "semantic", "proposals", "boxes", "masks", "motion", "appearance"),
    "fusion",
)
_SUMMARIES = {
    "mapt-compact": "MAPT for small and thin things, for one thread of a CPU",
    "mapt-regnety8gf": "MAPT as published: one more frame of a video",
    "mapt-s8": "the same with the motion head at stride 8",
    "mapt-small": "MAPT on RegNetY-400MF, with narrow heads",
    "mapt-tiny": "MAPT on a small network of our own, for one thread of a CPU",
}


def _build(config: MaptConfig, form: str) -> nn.Module:
    # Drawing random weights needs numbers, so torchvision's trunks cannot be built on meta.
    state = torch.get_rng_state()
    try:
        return MaptStepCost(config, form).eval().to("meta")
    finally:
        torch.set_rng_state(state)


def _example(config: MaptConfig, size: InputSize, instances: int) -> tuple[Tensor, ...]:
    return example_step(config, size.height, size.width, instances)


def _register_configuration(name: str) -> None:
    config = mapt_config(name)
    register(
        Target(
            name=name,
            summary=_SUMMARIES.get(name, f"MAPT, configuration {name}"),
            build=lambda: _build(config, "operator"),
            build_timed=lambda: _build(config, "auto"),
            example=lambda _, size, instances: _example(config, size, instances),
            parts={part: (part,) for part in _PARTS},
            rest="preparation",
            smallest=32,
            has_instances=True,
            notes=(
                f"{name} is counted with {config.instance.proposals_after[1]} proposals (all that "
                "its configuration lets through) and the given number of instances, each a box of "
                f"1/{BOX_SHARE} of the image's sides; sides are padded to multiples of 32",
            ),
        )
    )


for _name in mapt_config_names():
    _register_configuration(_name)
