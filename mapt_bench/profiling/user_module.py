"""Anybody's module as a target: ``package.module:build``."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mapt_bench.errors import ConfigError
from mapt_bench.profiling.sizes import InputSize
from mapt_bench.profiling.targets import Target
from mapt_bench.user_code import attribute_of

__all__ = ["user_target"]


def user_target(name: str) -> Target:
    """Return a target for a module that is not part of this package.

    Args:
        name: ``package.module:attribute``, looked for in the current folder too. The attribute is
            a module, or something that returns one when called without arguments. Its example
            input is one image, or what its method ``example_inputs(height, width, instances)``
            returns.

    Raises:
        ConfigError: If it is not found, cannot be imported or built, or is no module.
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


def _example(module: nn.Module, size: InputSize, instances: int) -> tuple[Tensor, ...]:
    own = getattr(module, "example_inputs", None)
    if not callable(own):
        return (torch.zeros(size.shape),)
    given = own(size.height, size.width, instances)
    return (given,) if isinstance(given, Tensor) else tuple(given)


def _module(found: object, name: str) -> nn.Module:
    built = found
    if callable(found) and not isinstance(found, nn.Module):
        built = _called(found, name)
    if not isinstance(built, nn.Module):
        raise ConfigError(
            f"{name!r} gives a {type(built).__name__}; expected a torch.nn.Module, or something "
            "that returns one"
        )
    return built


def _called(factory: Callable[[], object], name: str) -> object:
    try:
        return factory()
    except Exception as problem:  # whatever somebody's code does when it is called
        raise ConfigError(
            f"{name!r} cannot be called without arguments: {type(problem).__name__}: {problem}; "
            "give them defaults"
        ) from problem
