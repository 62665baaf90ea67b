"""The names of the associators, and what may be known of each before it is built."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mapt_bench.baselines.exact_flow import TrueFlow
from mapt_bench.baselines.flow_sources import FlowOptions
from mapt_bench.baselines.settings import TrackerSettings
from mapt_bench.labels import PanopticMap
from mapt_bench.tracking import Associator
from mapt_bench.tracking.sharing import NOTHING_SHARED, Share

__all__ = ["REGISTRY", "AssociatorEntry", "AssociatorOptions", "TrackerEntry", "Truth", "register"]

Truth = Callable[[int], PanopticMap]
"""Returns the true map of the frame at a position of the video."""


@dataclass(frozen=True)
class AssociatorOptions:
    """What an associator is built from.

    Attributes:
        memory: Frames that a lost track is kept for.
        pair: Pairing interval in frames.
        truth: Ground truth, for those that need it.
        settings: Thresholds.
        flow: Weights and device of the network, for those that have one.
        true_flow: True flow of the video, for those that need it.
        looks: Weights and device of MAPT, for those that carry masks along a flow and ask MAPT how
            segments look.
        share: Where work that trackers of the same video have in common is done once.
    """

    memory: int
    pair: int
    truth: Truth | None
    settings: TrackerSettings
    flow: FlowOptions = field(default_factory=FlowOptions)
    true_flow: TrueFlow | None = None
    looks: FlowOptions = field(default_factory=FlowOptions)
    share: Share = NOTHING_SHARED


@dataclass(frozen=True, kw_only=True)
class TrackerEntry:
    """What is known of a tracker before it is built.

    Attributes:
        name: Its name in a row.
        summary: One line.
        needs_images: Whether frames must have images.
        supports_pair: Whether a pairing interval other than 1 means anything.
        supports_memory: Whether it can keep lost tracks.
        needs_truth: Whether it is an upper bound that looks at the ground truth.
        needs_true_flow: Whether it is an upper bound that knows how every pixel moved.
        needs_weights: Whether it has a network, and so needs weights.
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
        build: Makes one.
        settings: Names of the fields of :class:`~mapt_bench.baselines.settings.TrackerSettings`
            that it uses.
        parts: Functions that ``build`` looks up by name; their code decides results as well.
    """

    build: Callable[[AssociatorOptions], Associator]
    settings: frozenset[str] = frozenset()
    parts: tuple[Callable[..., object], ...] = ()


REGISTRY: dict[str, AssociatorEntry] = {}
"""Entries by name, filled by :func:`register`."""

_Builder = Callable[[AssociatorOptions], Associator]


def register(
    name: str,
    summary: str,
    *,
    needs_images: bool = False,
    needs_truth: bool = False,
    supports_pair: bool = False,
    supports_memory: bool = False,
    needs_weights: bool = False,
    settings: Iterable[str] = (),
) -> Callable[[_Builder], _Builder]:
    """Enter a function that builds an associator under a name.

    Args:
        name: What it is asked for by.
        summary: One line for listings.
        needs_images: Whether frames must have images.
        needs_truth: Whether it looks at the ground truth.
        supports_pair: Whether a pairing interval other than 1 means anything.
        supports_memory: Whether it can keep lost tracks.
        needs_weights: Whether it has a network.
        settings: Names of the thresholds that it uses.

    Raises:
        ValueError: If the name is taken.
    """

    def enter(build: _Builder) -> _Builder:
        if name in REGISTRY:
            raise ValueError(f"an associator named {name!r} is registered already")
        REGISTRY[name] = AssociatorEntry(
            name=name,
            summary=summary,
            needs_images=needs_images,
            needs_truth=needs_truth,
            supports_pair=supports_pair,
            supports_memory=supports_memory,
            build=build,
            needs_weights=needs_weights,
            settings=frozenset(settings),
        )
        return build

    return enter
