"""Flow networks by name. Networks, and with them torch, are imported only when one is built."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from mapt_bench.baselines.flow_sources import (
    PTLFLOW,
    FlowEntry,
    flow_entry,
    register_flow,
    register_flow_family,
)
from mapt_bench.baselines.tracker_options import FlowOptions
from mapt_bench.tracking.propagation import FlowSource
from mapt_bench.weights import DEFAULT_NARROW_FLOWNET2

if TYPE_CHECKING:
    from torch import device as Device  # noqa: N812 - it is a class

    from mapt_bench.baselines.flow_networks import Estimate

    _Loader = Callable[[FlowOptions, Device], Estimate]

__all__: list[str] = []


def _network(name: str, load: "_Loader", options: FlowOptions) -> FlowSource:
    """Build the flow source of a network.

    Args:
        name: Name of the source.
        load: Loads the network onto a device.
        options: Weights, those that ship if it names none, and device.
    """
    from mapt_bench.baselines.flow_networks import NetworkFlow

    resolved = replace(options, weights=flow_entry(name).weights_of(options))
    return NetworkFlow(_loaded(load, resolved), device=options.device)


@lru_cache(maxsize=1)
def _loaded(load: "_Loader", options: FlowOptions) -> "Estimate":
    """Load a network, or return the last one again: every video has a tracker of its own."""
    from mapt_bench.devices import usable_device

    return load(options, usable_device(options.device))


def _register(
    name: str, summary: str, *, ships: str | None = None
) -> Callable[["_Loader"], "_Loader"]:
    """Register a flow network by the function that loads it."""

    def enter(load: "_Loader") -> "_Loader":
        build = partial(_network, name, load)
        register_flow(name, summary, takes="weights", ships=ships, parts=(load,))(build)
        return load

    return enter


@_register("flow:flownet2", "FlowNet2 (Ilg et al. 2017)")
def _flownet2(options: FlowOptions, device: "Device") -> "Estimate":
    from mapt_bench.baselines.flow_networks import flownet2_estimate

    return flownet2_estimate(options.weights, seed=options.seed, device=device)


@_register("flow:raft-small", "small RAFT (Teed and Deng 2020)")
def _raft_small(options: FlowOptions, device: "Device") -> "Estimate":
    from mapt_bench.baselines.flow_networks import raft_estimate

    return raft_estimate("small", options.weights, seed=options.seed, device=device)


@_register("flow:raft-large", "RAFT (Teed and Deng 2020)")
def _raft_large(options: FlowOptions, device: "Device") -> "Estimate":
    from mapt_bench.baselines.flow_networks import raft_estimate

    return raft_estimate("large", options.weights, seed=options.seed, device=device)


@_register(
    "flow:flownet2-narrow",
    "narrow FlowNet2, trained by this project on the synthetic world",
    ships=DEFAULT_NARROW_FLOWNET2,
)
def _narrow_flownet2(options: FlowOptions, device: "Device") -> "Estimate":
    from mapt_bench.baselines.flow_networks import narrow_flownet2_estimate

    return narrow_flownet2_estimate(options.weights, seed=options.seed, device=device)


def _ptlflow(model: str, options: FlowOptions, device: "Device") -> "Estimate":
    from mapt_bench.baselines.flow_networks import ptlflow_estimate

    return ptlflow_estimate(model, options.weights, seed=options.seed, device=device)


@lru_cache(maxsize=64)
def _ptlflow_entry(name: str) -> FlowEntry:
    model = name.removeprefix(PTLFLOW)
    build = partial(_network, name, partial(_ptlflow, model))
    summary = f"{model} of the package ptlflow"
    return FlowEntry(name, summary, "weights", needs_images=True, build=build, parts=(_ptlflow,))


register_flow_family(PTLFLOW, _ptlflow_entry)
