"""The registry of trackers: add one with :func:`register`, find and build one by name.

To add an associator to the package, decorate the function that builds it, in its own module::

    @register("mine", "links by ...", supports_memory=True, settings=("iou_threshold",))
    def _mine(options: AssociatorOptions) -> Associator:
        return MyAssociator(options.settings.iou_threshold, memory=options.memory)

and name the module in ``baselines/__init__.py``. A tracker in a package of yours needs no change
here: see :mod:`~mapt_bench.baselines.user_trackers`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mapt_bench.baselines.search_spaces import SearchSpace, check_space
from mapt_bench.baselines.thresholds import TrackerSettings
from mapt_bench.baselines.tracker_options import (
    AssociatorOptions,
    FlowOptions,
    MaptOptions,
    TrueFlow,
    Truth,
)
from mapt_bench.code_closure import not_followed
from mapt_bench.errors import ConfigError, nearest
from mapt_bench.tracking import Associator
from mapt_bench.tracking.sharing import NOTHING_SHARED, Share

__all__ = [
    "AssociatorEntry",
    "TrackerEntry",
    "associator_entry",
    "associator_names",
    "build_associator",
    "flow_tracker_names",
    "is_associator",
    "mapt_tracker_names",
    "register",
    "register_entry",
    "register_family",
]

WeightsOf = Callable[[FlowOptions, MaptOptions], Mapping[str, Path]]
"""Returns the weights that a tracker runs with, a name or a file, by their role."""


def _no_weights(flow: FlowOptions, mapt: MaptOptions) -> Mapping[str, Path]:
    return {}


@dataclass(frozen=True, kw_only=True)
class TrackerEntry:
    """Properties of a tracker that are known before it is built.

    Attributes:
        name: Its name in a row.
        summary: One line for listings.
        needs_images: Whether frames must have images.
        supports_pair: Whether it supports a pairing interval other than 1.
        supports_memory: Whether it can keep lost tracks.
        needs_truth: Whether it is an upper bound that reads the ground truth.
        needs_true_flow: Whether it is an upper bound that reads the ground-truth flow.
        needs_weights: Whether the command must give weights, or shipped ones are used.
    """

    name: str
    summary: str
    needs_images: bool
    supports_pair: bool
    supports_memory: bool
    needs_truth: bool = False
    needs_true_flow: bool = False
    needs_weights: bool = False


@dataclass(frozen=True, kw_only=True)
class AssociatorEntry(TrackerEntry):
    """A registered associator.

    Attributes:
        build: Builds one.
        settings: Names of the fields of :class:`~mapt_bench.baselines.thresholds.TrackerSettings`
            that it uses.
        search: Values that ``mapt-bench tune`` may give to these settings.
        parts: Functions that ``build`` finds by name. Their code decides results as well.
        flow: Name of its flow source; ``None`` if it has none.
        uses_mapt: Whether MAPT computes one of its cues.
        uses_linker: Whether it links by a fitted linker, a file beside the weights of MAPT.
        is_variant: Whether it adds a cue to another registered tracker. Listings omit variants.
        weights_of: Returns the weights that it runs with, by role: ``"tracker"`` for its main
            network, ``"appearance"`` for MAPT's appearance beside a flow.
    """

    build: Callable[[AssociatorOptions], Associator]
    settings: frozenset[str] = frozenset()
    search: SearchSpace = field(default_factory=dict, hash=False)
    parts: tuple[Callable[..., object], ...] = ()
    flow: str | None = None
    uses_mapt: bool = False
    uses_linker: bool = False
    is_variant: bool = False
    weights_of: WeightsOf = _no_weights


_REGISTRY: dict[str, AssociatorEntry] = {}
_FAMILIES: dict[str, Callable[[str], AssociatorEntry]] = {}

_Builder = Callable[[AssociatorOptions], Associator]


@not_followed
def register(
    name: str,
    summary: str,
    *,
    needs_images: bool = False,
    needs_truth: bool = False,
    supports_pair: bool = False,
    supports_memory: bool = False,
    settings: Iterable[str] = (),
    search: SearchSpace | None = None,
    uses_mapt: bool = False,
    uses_linker: bool = False,
    weights_of: WeightsOf = _no_weights,
) -> Callable[[_Builder], _Builder]:
    """Register the decorated function as the builder of an associator.

    Args:
        name: Name of the tracker in rows.
        summary: One line for listings.
        needs_images: Whether frames must have images.
        needs_truth: Whether it reads the ground truth.
        supports_pair: Whether it supports a pairing interval other than 1.
        supports_memory: Whether it can keep lost tracks.
        settings: Names of the thresholds that it uses.
        search: Values that ``mapt-bench tune`` may give to them, see
            :mod:`~mapt_bench.baselines.search_spaces`.
        uses_mapt: Whether MAPT computes its cues; then it needs weights of MAPT.
        uses_linker: Whether it links by a fitted linker, a file beside the weights of MAPT.
        weights_of: Returns the weights that it runs with, by role.

    Raises:
        ConfigError: If the search space has another form, or names no setting of the tracker.
        ValueError: If the name is taken.
    """
    names = frozenset(settings)

    def enter(build: _Builder) -> _Builder:
        register_entry(
            AssociatorEntry(
                name=name,
                summary=summary,
                needs_images=needs_images,
                needs_truth=needs_truth,
                supports_pair=supports_pair,
                supports_memory=supports_memory,
                build=build,
                needs_weights=uses_mapt,
                settings=names,
                search=check_space(name, search or {}, names),
                uses_mapt=uses_mapt,
                uses_linker=uses_linker,
                weights_of=weights_of,
            )
        )
        return build

    return enter


@not_followed
def register_entry(entry: AssociatorEntry) -> None:
    """Register an associator that is described already.

    Raises:
        ValueError: If the name is taken.
    """
    if entry.name in _REGISTRY:
        raise ValueError(f"an associator named {entry.name!r} is registered already")
    _REGISTRY[entry.name] = entry


@not_followed
def register_family(pattern: str, entry_of: Callable[[str], AssociatorEntry]) -> None:
    """Register associators whose names end in something that only the user knows.

    Args:
        pattern: Common beginning of the names and the word for their end in capital letters, for
            example ``"flow:ptlflow/MODEL"``.
        entry_of: Describes the associator of a whole name.

    Raises:
        ValueError: If the pattern is taken.
    """
    if pattern in _FAMILIES:
        raise ValueError(f"a family {pattern!r} is registered already")
    _FAMILIES[pattern] = entry_of


def associator_names() -> tuple[str, ...]:
    """Return the names of the associators that need nothing but data, in registration order."""
    return tuple(
        name for name, each in _REGISTRY.items() if each.flow is None and not each.uses_mapt
    )


def mapt_tracker_names() -> tuple[str, ...]:
    """Return the names of the associators that link by MAPT's heads alone."""
    return tuple(name for name, each in _REGISTRY.items() if each.flow is None and each.uses_mapt)


def flow_tracker_names() -> tuple[str, ...]:
    """Return the names of the associators over a flow source.

    Each has two variants: ``+appearance`` adds hand-crafted appearance, and ``+mapt`` adds MAPT's.
    """
    plain = (name for name, each in _REGISTRY.items() if each.flow and not each.is_variant)
    return (*plain, *_FAMILIES)


def is_associator(name: str) -> bool:
    """Return whether a name belongs to this package rather than to a user's tracker.

    Names such as ``flow:anything`` belong to this package, even if nothing is registered there.
    """
    prefix, colon, _ = name.partition(":")
    known = {each.partition(":")[0] for each in (*_REGISTRY, *_FAMILIES) if ":" in each}
    return name in _REGISTRY or (bool(colon) and prefix in known)


@not_followed
def associator_entry(name: str) -> AssociatorEntry:
    """Return what is known of an associator before it is built.

    Args:
        name: A registered name, for example ``"sort"`` or ``"flow:dis+mapt"``.

    Raises:
        ConfigError: If no associator has that name; the message suggests the nearest.
    """
    if name in _REGISTRY:
        return _REGISTRY[name]
    for pattern, entry_of in _FAMILIES.items():
        if name != pattern and name.startswith(pattern.rpartition("/")[0] + "/"):
            return entry_of(name)
    known = (*associator_names(), *mapt_tracker_names(), *flow_tracker_names())
    raise ConfigError(f"unknown tracker {name!r}; {nearest(name, known)}")


def build_associator(
    name: str,
    *,
    memory: int | None = None,
    pair: int = 1,
    truth: Truth | None = None,
    flow: FlowOptions | None = None,
    true_flow: TrueFlow | None = None,
    mapt: MaptOptions | None = None,
    share: Share = NOTHING_SHARED,
    **settings: float | str,
) -> Associator:
    """Build an associator.

    Args:
        name: A registered name, see :func:`associator_entry`.
        memory: Frames that a lost track is kept for. ``None`` is 0, or nothing where the tracker
            has no memory.
        pair: Pairing interval in frames: ``t`` is compared with the state of ``t - pair``.
        truth: Function that returns the ground truth of a frame, for the oracle.
        flow: Options of the flow source, for ``flow:*`` trackers.
        true_flow: True flow from a frame of the video to the one before, for ``flow:exact``.
        mapt: Options of MAPT, for ``mapt*`` and ``flow:*+mapt`` trackers. The shipped weights run
            unless others are given.
        share: Cache of work that trackers of the same video have in common.
        **settings: Fields of :class:`~mapt_bench.baselines.thresholds.TrackerSettings`.

    Raises:
        ConfigError: If the name or a setting is unknown, a value is out of range, the tracker does
            not support an option, the oracle has no ground truth, ``flow:exact`` has no
            ground-truth flow, or a network has no weights and ``random_weights`` is not set.
        DataError: If weights or flow files cannot be used.
    """
    entry = associator_entry(name)
    flow = FlowOptions() if flow is None else flow
    mapt = MaptOptions() if mapt is None else mapt
    _check_weights(entry, flow, mapt)
    if memory is not None and not entry.supports_memory:
        raise ConfigError(f"tracker {name!r} has no memory; omit +memory")
    if memory is not None and memory < 0:
        raise ConfigError(f"memory is {memory}; expected 0 frames or more")
    if pair < 1:
        raise ConfigError(f"the pairing interval is {pair}; expected 1 frame or more")
    if pair != 1 and not entry.supports_pair:
        raise ConfigError(f"tracker {name!r} has no pairing interval; omit --pair, or drop frames")
    if entry.needs_truth and truth is None:
        raise ConfigError(f"tracker {name!r} needs ground truth; use data that has it")
    if entry.needs_true_flow and true_flow is None:
        raise ConfigError(f"tracker {name!r} needs the ground-truth flow; use a synthetic video")
    return entry.build(
        AssociatorOptions(
            memory=memory or 0,
            pair=pair,
            truth=truth,
            settings=TrackerSettings.from_mapping(settings),
            flow=replace(flow, true_flow=true_flow),
            mapt=mapt,
            share=share,
        )
    )


def _check_weights(entry: AssociatorEntry, flow: FlowOptions, mapt: MaptOptions) -> None:
    if flow.random_weights and entry.uses_mapt and entry.flow is None:
        raise ConfigError(f"{entry.name} does not run untrained; omit --random-weights")
    if (flow.asks_for_weights and entry.flow is None) or (
        mapt.weights is not None and not entry.uses_mapt
    ):
        raise ConfigError(
            f"tracker {entry.name!r} has no weights; they belong to flow:NAME and mapt"
        )
