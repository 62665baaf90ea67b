"""From the names that people give to targets."""

from collections.abc import Sequence

from mapt_bench.baselines import associator_names
from mapt_bench.errors import ConfigError, nearest
from mapt_bench.profiling import mapt_targets  # noqa: F401  # registers the whole of MAPT
from mapt_bench.profiling.targets import TARGETS, Target
from mapt_bench.profiling.user_module import user_target

__all__ = ["find_target", "find_targets", "without_network"]

_FLOW = "flow:"
_FLOW_WITHOUT_NETWORK = ("flow:dis", "flow:files")


def without_network() -> tuple[str, ...]:
    """Return the trackers that run no network, so that there are no operations to count."""
    return (*associator_names(), *_FLOW_WITHOUT_NETWORK)


def find_target(name: str) -> Target:
    """Return the target of a name, or of ``package.module:build``.

    Raises:
        ConfigError: If there is none; the message suggests the nearest.
    """
    if name.removeprefix(_FLOW) in TARGETS:  # the tracker's name stands for its network
        return TARGETS[name.removeprefix(_FLOW)]
    if name in without_network():
        raise ConfigError(
            f"tracker {name!r} runs no network, so there are no operations to count; its cost is "
            "time alone, which every run measures (seconds_per_frame)"
        )
    ours = {_FLOW, *(f"{each.partition(':')[0]}:" for each in TARGETS)}
    if ":" in name and not any(name.startswith(prefix) for prefix in ours):
        return user_target(name)
    raise ConfigError(
        f"no network {name!r}; {nearest(name, TARGETS)}; or package.module:build of your own"
    )


def find_targets(names: Sequence[str]) -> list[Target]:
    """Return the targets of some names, each once; the default ones if there are none.

    Raises:
        ConfigError: If there is no target of a name.
    """
    if not names:
        return list(TARGETS.values())
    found = {target.name: target for target in map(find_target, names)}
    return list(found.values())
