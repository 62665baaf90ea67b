"""The registry of flow sources: add one with :func:`register_flow`, find and build one by name.

Each source is registered in its own module: ``flow_without_network.py`` and ``flow_files.py`` need
no torch. ``flow_network_sources.py`` imports networks, and with them torch, when one is built.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mapt_bench.baselines.tracker_options import FlowOptions, TrueFlow
from mapt_bench.code_closure import not_followed
from mapt_bench.errors import ConfigError, nearest
from mapt_bench.tracking.propagation import FlowSource
from mapt_bench.weights import shipped, shipped_weights, weights_file

__all__ = [
    "FLOW_PREFIX",
    "PTLFLOW",
    "FlowEntry",
    "build_flow_source",
    "flow_entry",
    "flow_names",
    "register_flow",
    "register_flow_family",
]

FLOW_PREFIX = "flow:"
"""Prefix of the name of every flow source."""

PTLFLOW = f"{FLOW_PREFIX}ptlflow/"
"""Prefix of the names of the models of ptlflow."""

_Builder = Callable[[FlowOptions], FlowSource]


@dataclass(frozen=True)
class FlowEntry:
    """A registered flow source.

    Attributes:
        name: Its name.
        summary: One line for listings.
        takes: What ``weights`` must name: the file of a network's weights, a folder of flow files,
            or nothing.
        needs_images: Whether frames must have images.
        build: Builds one.
        needs_true_flow: Whether it is an upper bound that reads the ground-truth flow.
        ships: Name of the shipped weights that run where no others are given.
        parts: Functions that ``build`` calls and does not name. Their code decides results as well.
    """

    name: str
    summary: str
    takes: Literal["weights", "folder", "nothing"]
    needs_images: bool
    build: _Builder
    needs_true_flow: bool = False
    ships: str | None = None
    parts: tuple[Callable[..., object], ...] = ()

    @property
    def needs_weights(self) -> bool:
        """Whether it is a network, which needs a weights file or random weights."""
        return self.takes == "weights"

    def weights_of(self, options: FlowOptions) -> Path | None:
        """Return the weights file that would run: the given one, or the shipped one.

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
        """Refuse options that do not suit this source. No weights are read.

        Raises:
            ConfigError: If weights are missing and random ones were not asked for, if both were
                given, or if the source takes neither.
        """
        given, untrained = options.weights is not None, options.random_weights
        if untrained and not self.needs_weights:
            raise ConfigError(f"{self.name} is no network; omit --random-weights")
        if given and untrained:
            raise ConfigError(
                f"{self.name} was given weights and --random-weights; omit one of them"
            )
        if self.takes == "nothing" and given:
            raise ConfigError(f"{self.name} has no weights; omit --weights")
        if self.takes == "folder" and not given:
            raise ConfigError(f"{self.name} needs --weights FOLDER, the folder of flow files")
        if self.needs_weights and not untrained and self.weights_of(options) is None:
            raise ConfigError(
                f"{self.name} needs trained weights: give --weights FILE. To run an untrained "
                "network, whose flow is meaningless, give --random-weights"
            )


_REGISTRY: dict[str, FlowEntry] = {}
_FAMILIES: dict[str, Callable[[str], FlowEntry]] = {}


@not_followed
def register_flow(
    name: str,
    summary: str,
    *,
    takes: Literal["weights", "folder", "nothing"] = "nothing",
    needs_images: bool = True,
    needs_true_flow: bool = False,
    ships: str | None = None,
    parts: tuple[Callable[..., object], ...] = (),
) -> Callable[[_Builder], _Builder]:
    """Register the decorated function as the builder of a flow source.

    Args:
        name: Its name; it begins with :data:`FLOW_PREFIX`.
        summary: One line for listings.
        takes: What ``weights`` must name.
        needs_images: Whether frames must have images.
        needs_true_flow: Whether it reads the ground-truth flow.
        ships: Name of its shipped weights.
        parts: Functions that the builder calls and does not name.

    Raises:
        ValueError: If the name is taken.
    """

    def enter(build: _Builder) -> _Builder:
        if name in _REGISTRY:
            raise ValueError(f"a flow source named {name!r} is registered already")
        _REGISTRY[name] = FlowEntry(
            name, summary, takes, needs_images, build, needs_true_flow, ships, parts
        )
        return build

    return enter


@not_followed
def register_flow_family(prefix: str, entry_of: Callable[[str], FlowEntry]) -> None:
    """Register flow sources whose names share a prefix and end in a model that the user names.

    Args:
        prefix: Common beginning of the names.
        entry_of: Describes the source of a whole name.
    """
    _FAMILIES[prefix] = entry_of


def flow_names() -> tuple[str, ...]:
    """Return the names that :func:`flow_entry` knows; ``flow:ptlflow/MODEL`` stands for many."""
    return (*_REGISTRY, *(f"{prefix}MODEL" for prefix in _FAMILIES))


@not_followed
def flow_entry(name: str) -> FlowEntry:
    """Return what is known of a flow source before it is built.

    Args:
        name: One of :func:`flow_names`, with the name of a model of ptlflow for ``MODEL``.

    Raises:
        ConfigError: If no source has that name; the message suggests the nearest.
    """
    if name in _REGISTRY:
        return _REGISTRY[name]
    for prefix, entry_of in _FAMILIES.items():
        if name.startswith(prefix) and name not in (prefix, f"{prefix}MODEL"):
            return entry_of(name)
    raise ConfigError(f"unknown flow {name!r}; {nearest(name, flow_names())}")


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
        weights: File with a network's weights. For ``flow:files``, the folder of flow files.
        random_weights: Whether an untrained network is wanted.
        seed: Seed of untrained weights.
        device: Where a network runs, for example ``"cpu"`` or ``"cuda"``.
        height: Rows that ``flow:dis`` scales frames down to, in pixels.
        true_flow: True flow of the video, for ``flow:exact``.

    Raises:
        ConfigError: If the name is unknown, options do not suit, the device or a package is
            missing, or the ground-truth flow is.
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
