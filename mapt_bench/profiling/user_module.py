"""Anybody's module as a target: ``package.module:build``."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from mapt_bench.errors import ConfigError, nearest
from mapt_bench.profiling.sizes import InputSize
from mapt_bench.profiling.targets import Target

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
    found = _attribute(name)

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


def _attribute(name: str) -> object:
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        raise ConfigError(f"{name!r} is no module; expected package.module:build")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as problem:
        if problem.name and f"{module_name}.".startswith(f"{problem.name}."):
            raise ConfigError(
                f"there is no module {problem.name!r} for {name!r}, neither installed nor in the "
                "current folder",
                where=here,
            ) from problem
        raise ConfigError(
            f"module {module_name!r} needs {problem.name!r}, which is not installed"
        ) from problem
    except Exception as problem:  # whatever somebody's code does when it is imported
        raise ConfigError(
            f"module {module_name!r} cannot be imported: {type(problem).__name__}: {problem}"
        ) from problem
    if not hasattr(module, attribute):
        public = [word for word in vars(module) if not word.startswith("_")]
        raise ConfigError(
            f"module {module_name!r} has no {attribute!r}; {nearest(attribute, public)}",
            where=module.__file__,
        )
    found: object = getattr(module, attribute)
    return found


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
