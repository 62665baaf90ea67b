"""Components of a trained network removed at inference, to measure their contribution.

The network was trained with the component. To measure a component removed in training, train a
network without it.
"""

import copy
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import nn

from mapt_bench.errors import ConfigError
from mapt_bench.mapt_switches import SWITCHES, check_switch
from mapt_bench.model.appearance import AppearanceHead
from mapt_bench.model.motion import MotionHead
from mapt_bench.model.network import MaptNetwork

__all__ = ["SWITCHES", "check_switch", "switched"]

_Network = TypeVar("_Network", bound=MaptNetwork)
_CLOSED = -1e4
"""Of a gate: what no softmax gives any weight."""


def switched(network: _Network, name: str) -> _Network:
    """Return a copy of a trained network with one component removed.

    Args:
        network: Stays as it is.
        name: One of :data:`SWITCHES`.

    Raises:
        ConfigError: If there is no such switch, or the network lacks the part.
    """
    check_switch(name)
    changed = copy.deepcopy(network)
    _CHANGES[name](changed)
    changed.switches = (*network.switches, name)
    return changed


def _no_gate(network: MaptNetwork) -> None:
    _zero(_gate_of(network))


def _single_dilation(network: MaptNetwork) -> None:
    gate = _gate_of(network)
    _zero(gate)
    with torch.no_grad():
        gate.bias[1:] = _CLOSED  # type: ignore[index]  # a convolution with bias


def _no_offsets(network: MaptNetwork) -> None:
    head = _motion_of(network)
    if not head.config.deformable:
        raise ConfigError("the motion head of this network has no offsets to switch off")
    for convolution in head.offset:
        _zero(convolution)
    head.follows_match = False


def _difference_alone(network: MaptNetwork) -> None:
    head = _motion_of(network)
    alone = head.config.cue != "difference+present" or head.matcher is not None
    if alone or not isinstance(head.context, nn.Conv2d):
        raise ConfigError(
            f"the offsets of this network are found from its cue {head.config.cue!r}, in which "
            "there is nothing beside the difference to switch off"
        )
    with torch.no_grad():
        head.context.weight[:, head.config.map_channels :] = 0


def _static(network: MaptNetwork) -> None:
    head = _appearance_of(network)
    if head.is_static:
        raise ConfigError("this network makes embeddings without propagated features already")
    head.is_static = True


_CHANGES: Mapping[str, Callable[[MaptNetwork], None]] = {
    "no-gate": _no_gate,
    "single-dilation": _single_dilation,
    "no-offsets": _no_offsets,
    "difference-alone": _difference_alone,
    "static": _static,
}


def _motion_of(network: MaptNetwork) -> MotionHead:
    if network.motion is None:
        raise ConfigError("this network has no motion head in which to switch anything off")
    return network.motion


def _gate_of(network: MaptNetwork) -> nn.Conv2d:
    gate = _motion_of(network).gate
    if gate is None:
        raise ConfigError("the motion head of this network has no gate to switch off")
    return gate


def _appearance_of(network: MaptNetwork) -> AppearanceHead:
    if network.appearance is None:
        raise ConfigError("this network has no appearance head in which to switch anything off")
    return network.appearance


def _zero(module: nn.Module) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
