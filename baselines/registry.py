"""The names of the associators, and what may be known of each before it is built."""

from collections.abc import Callable
from dataclasses import dataclass, field

from mapt_bench.baselines.exact_flow import TrueFlow
from mapt_bench.baselines.flow_sources import FlowOptions
from mapt_bench.baselines.settings import TrackerSettings
from mapt_bench.labels import PanopticMap
from mapt_bench.tracking import Associator
from mapt_bench.tracking.sharing import NOTHING_SHARED, Share

__all__ = ["REGISTRY", "AssociatorEntry", "AssociatorOptions", "Truth", "register"]

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


@dataclass(frozen=True)
class AssociatorEntry:
    """A registered associator.

    Attributes:
        name: What it is asked for by.
        summary: One line.
        needs_images: Whether frames must have images.
        needs_truth: Whether it is an upper bound that looks at the ground truth.
        supports_pair: Whether a pairing interval other than 1 means anything.
        supports_memory: Whether lost tracks can be kept.
        default_memory: Frames that lost tracks are kept for unless told otherwise.
        build: Makes one.
        needs_weights: Whether it has a network, and so must be given weights or leave to be
            untrained.
        needs_true_flow: Whether it is an upper bound that is told how every pixel moved.
        parts: Functions that ``build`` looks up by name; their code decides results as well.
    """

    name: str
    summary: str
    needs_images: bool
    needs_truth: bool
    supports_pair: bool
    supports_memory: bool
    default_memory: int
    build: Callable[[AssociatorOptions], Associator]
    needs_weights: bool = False
    needs_true_flow: bool = False
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
    default_memory: int | None = None,
    needs_weights: bool = False,
) -> Callable[[_Builder], _Builder]:
    """Enter a function that builds an associator under a name.

    Args:
        name: What it is asked for by.
        summary: One line for listings.
        needs_images: Whether frames must have images.
        needs_truth: Whether it looks at the ground truth.
        supports_pair: Whether a pairing interval other than 1 means anything.
        default_memory: Frames that lost tracks are kept for unless told otherwise; ``None`` where
            memory means nothing.
        needs_weights: Whether it has a network.

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
            supports_memory=default_memory is not None,
            default_memory=default_memory or 0,
            build=build,
            needs_weights=needs_weights,
        )
        return build

    return enter
