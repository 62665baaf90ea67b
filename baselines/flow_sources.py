"""All flow sources by name. Networks, and with them torch, are imported only when one is built."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mapt_bench.baselines.exact_flow import ExactFlow, TrueFlow
from mapt_bench.baselines.flow import DisFlow
from mapt_bench.baselines.flow_files import FlowFiles
from mapt_bench.code_closure import not_followed
from mapt_bench.errors import ConfigError, nearest
from mapt_bench.tracking.propagation import FlowSource
from mapt_bench.weights import DEFAULT_NARROW_FLOWNET2, shipped, shipped_weights, weights_file

if TYPE_CHECKING:
    from mapt_bench.baselines.flow_networks import Estimate

__all__ = [
    "FLOW_PREFIX",
    "FlowEntry",
    "FlowOptions",
    "build_flow_source",
    "describe_flow",
    "flow_entry",
    "flow_names",
]

FLOW_PREFIX = "flow:"
"""What the name of every flow source begins with."""

_PTLFLOW = f"{FLOW_PREFIX}ptlflow/"


@dataclass(frozen=True, kw_only=True)
class FlowOptions:
    """What a flow source is built from.

    Attributes:
        weights: File with a network's weights; for ``flow:files``, the folder of flow files.
        random_weights: Whether an untrained network is wanted.
        seed: Of untrained weights.
        device: Where a network runs, for example ``"cpu"`` or ``"cuda"``.
        height: Rows that ``flow:dis`` scales frames down to.
        true_flow: Of the video at hand, for ``flow:exact``.
        switches: Parts of MAPT that are switched off, see
            :data:`~mapt_bench.mapt_switches.SWITCHES`.
    """

    weights: Path | None = None
    random_weights: bool = False
    seed: int = 0
    device: str = "cpu"
    height: int = 192
    true_flow: TrueFlow | None = field(default=None, compare=False)
    switches: tuple[str, ...] = ()

    @property
    def asks_for_weights(self) -> bool:
        """Whether it says anything about weights."""
        return self.weights is not None or self.random_weights


@dataclass(frozen=True)
class FlowEntry:
    """A flow source that can be asked for.

    Attributes:
        name: What it is asked for by.
        summary: One line.
        takes: What ``weights`` must name: the file of a network's weights, a folder of flow files,
            or nothing at all.
        needs_images: Whether frames must have images.
        build: Makes one.
        needs_true_flow: Whether it is an upper bound that is told the truth.
        ships: Name of the shipped weights that run where no others are given.
    """

    name: str
    summary: str
    takes: Literal["weights", "folder", "nothing"]
    needs_images: bool
    build: Callable[[FlowOptions], FlowSource]
    needs_true_flow: bool = False
    ships: str | None = None

    @property
    def needs_weights(self) -> bool:
        """Whether it is a network: it wants a file of weights, or leave to be untrained."""
        return self.takes == "weights"

    def weights_of(self, options: FlowOptions) -> Path | None:
        """Return the file of the weights that would run: the given one, or the one that ships.

        Returns:
            ``None`` for untrained networks, if there are no weights, and if it is no network.

        Raises:
            ConfigError: If a name was given, and no weights of that name ship.
        """
        if not self.needs_weights or options.random_weights:
            return None
        if options.weights is not None:
            return weights_file(options.weights)
        if self.ships is None or self.ships not in shipped_weights():
            return None
        return shipped(self.ships).path

    def check(self, options: FlowOptions) -> None:
        """Refuse options that do not suit this source; no weights are read.

        Raises:
            ConfigError: If weights are missing and untrained ones were not asked for, both were
                given, or either makes no sense here.
        """
        given, untrained = options.weights is not None, options.random_weights
        if untrained and not self.needs_weights:
            raise ConfigError(f"{self.name} is no network; leave --random-weights away")
        if given and untrained:
            raise ConfigError(
                f"{self.name} was given weights and --random-weights; leave one of them away"
            )
        if self.takes == "nothing" and given:
            raise ConfigError(f"{self.name} has no weights; leave --weights away")
        if self.takes == "folder" and not given:
            raise ConfigError(f"{self.name} needs --weights FOLDER, the folder of flow files")
        if self.needs_weights and not untrained and self.weights_of(options) is None:
            raise ConfigError(
                f"{self.name} needs trained weights: give --weights FILE; an untrained network, "
                "whose flow means nothing, must be asked for with --random-weights"
            )


def describe_flow(name: str, options: FlowOptions) -> str:
    """Return a name for the output of a run; it says so when weights are untrained.

    Example:
        >>> describe_flow("flow:raft-small", FlowOptions(random_weights=True))
        'flow:raft-small (UNTRAINED: random weights, seed 0)'
    """
    if options.random_weights:
        return f"{name} (UNTRAINED: random weights, seed {options.seed})"
    return name if options.weights is None else f"{name} ({options.weights})"


def flow_names() -> tuple[str, ...]:
    """Names that :func:`flow_entry` knows; ``flow:ptlflow/MODEL`` stands for many."""
    return (*_ENTRIES, f"{_PTLFLOW}MODEL")


@not_followed
def flow_entry(name: str) -> FlowEntry:
    """Return what is known of a flow source before it is built.

    Args:
        name: One of :func:`flow_names`, with the name of a model of ptlflow for ``MODEL``.

    Raises:
        ConfigError: If no source has that name; the message suggests the nearest.
    """
    model = name.removeprefix(_PTLFLOW)
    if name.startswith(_PTLFLOW) and model and model != "MODEL":
        return FlowEntry(
            name,
            f"{model} of the package ptlflow",
            "weights",
            needs_images=True,
            build=_network(name),
        )
    if name not in _ENTRIES:
        raise ConfigError(f"unknown flow {name!r}; {nearest(name, flow_names())}")
    return _ENTRIES[name]


def build_flow_source(
    name: str,
    *,
    weights: Path | None = None,
    random_weights: bool = False,
    seed: int = 0,
    device: str = "cpu",
    height: int = 192,
    true_flow: TrueFlow | None = None,
) -> FlowSource:
    """Build a flow source.

    Args:
        name: See :func:`flow_entry`.
        weights: File with a network's weights; for ``flow:files``, the folder of flow files.
        random_weights: Whether an untrained network is wanted.
        seed: Of untrained weights.
        device: Where a network runs, for example ``"cpu"`` or ``"cuda"``.
        height: Rows that ``flow:dis`` scales frames down to.
        true_flow: Of the video at hand, for ``flow:exact``.

    Raises:
        ConfigError: If the name is unknown, options do not suit, the device is not there, a
            package is missing, or the true flow is.
        DataError: If weights or files cannot be used.

    Example:
        >>> build_flow_source("flow:dis").needs_images
        True
    """
    entry = flow_entry(name)
    options = FlowOptions(
        weights=weights,
        random_weights=random_weights,
        seed=seed,
        device=device,
        height=height,
        true_flow=true_flow,
    )
    entry.check(options)
    return entry.build(options)


def _dis(options: FlowOptions) -> FlowSource:
    return DisFlow(height=options.height)


def _files(options: FlowOptions) -> FlowSource:
    if options.weights is None:
        raise ConfigError("flow:files needs the folder of flow files")
    return FlowFiles(options.weights)


def _exact(options: FlowOptions) -> FlowSource:
    if options.true_flow is None:
        raise ConfigError("flow:exact needs the true flow of a video, which only drawn ones have")
    return ExactFlow(options.true_flow)


def _network(name: str) -> Callable[[FlowOptions], FlowSource]:
    def build(options: FlowOptions) -> FlowSource:
        from mapt_bench.baselines.flow_networks import NetworkFlow

        resolved = replace(options, weights=flow_entry(name).weights_of(options))
        return NetworkFlow(_estimate(name, resolved), device=options.device)

    return build


@lru_cache(maxsize=1)
def _estimate(name: str, options: FlowOptions) -> "Estimate":
    """Build a network, or take the last one again: every video has a tracker of its own."""
    from mapt_bench.baselines import flow_networks

    device = flow_networks.usable_device(options.device)
    if name == "flow:flownet2":
        return flow_networks.flownet2_estimate(options.weights, seed=options.seed, device=device)
    if name == "flow:flownet2-narrow":
        return flow_networks.narrow_flownet2_estimate(
            options.weights, seed=options.seed, device=device
        )
    if name.startswith(_PTLFLOW):
        model = name.removeprefix(_PTLFLOW)
        return flow_networks.ptlflow_estimate(
            model, options.weights, seed=options.seed, device=device
        )
    size = name.removeprefix("flow:raft-")
    return flow_networks.raft_estimate(size, options.weights, seed=options.seed, device=device)


_ENTRIES = {
    entry.name: entry
    for entry in (
        FlowEntry("flow:dis", "DIS, no network (Kroeger et al. 2016)", "nothing", True, _dis),
        *(
            FlowEntry(name, summary, "weights", True, _network(name))
            for name, summary in (
                ("flow:flownet2", "FlowNet2 (Ilg et al. 2017)"),
                ("flow:raft-small", "small RAFT (Teed and Deng 2020)"),
                ("flow:raft-large", "RAFT (Teed and Deng 2020)"),
            )
        ),
        FlowEntry(
            "flow:flownet2-narrow",
            "narrow FlowNet2, trained here on the drawn world",
            "weights",
            True,
            _network("flow:flownet2-narrow"),
            ships=DEFAULT_NARROW_FLOWNET2,
        ),
        FlowEntry("flow:files", "flow files from t to t-1 on disk", "folder", False, _files),
        FlowEntry(
            "flow:exact",
            "the true flow of a drawn video: the ceiling of propagation",
            "nothing",
            False,
            _exact,
            needs_true_flow=True,
        ),
    )
}
