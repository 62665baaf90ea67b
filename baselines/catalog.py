"""All associators, by name: those of the registry, and one for every flow source."""

from dataclasses import replace
from pathlib import Path

from mapt_bench.baselines.box_tracks import ByteTrackAssociator, SortAssociator
from mapt_bench.baselines.embedding import HistogramEmbedder
from mapt_bench.baselines.exact_flow import TrueFlow
from mapt_bench.baselines.flow import DisFlow
from mapt_bench.baselines.flow_sources import FLOW_PREFIX, FlowOptions, flow_entry, flow_names
from mapt_bench.baselines.iou import IouAssociator
from mapt_bench.baselines.mapt_entries import mapt_over, mapt_tracker_names, mapt_weights
from mapt_bench.baselines.oracle import OracleAssociator
from mapt_bench.baselines.registry import (
    REGISTRY,
    AssociatorEntry,
    AssociatorOptions,
    Truth,
    register,
)
from mapt_bench.baselines.settings import FUSION, LEARNED, MOTION, TrackerSettings
from mapt_bench.baselines.two_step_settings import two_step_settings
from mapt_bench.baselines.unlinked import UnlinkedAssociator
from mapt_bench.code_closure import not_followed
from mapt_bench.errors import ConfigError, nearest
from mapt_bench.tracking import Associator, FlowWarp, StandStill, TwoStepAssociator
from mapt_bench.tracking.propagation import Propagation
from mapt_bench.tracking.sharing import NOTHING_SHARED, Share, SharedEmbedder, SharedFlow
from mapt_bench.tracking.two_step import Embedder, Order

__all__ = [
    "associator_entry",
    "associator_names",
    "build_associator",
    "flow_tracker_names",
    "is_associator",
    "weights_of_appearance",
    "weights_of_associator",
]

_APPEARANCE = ("appearance_threshold", "gallery_size", "lost_margin")
_WITH_APPEARANCE = "+appearance"
_WITH_MAPT = "+mapt"


def associator_names() -> tuple[str, ...]:
    """Names of the associators that need nothing but data, in the order of registration."""
    return tuple(name for name, entry in REGISTRY.items() if not entry.needs_weights)


def flow_tracker_names() -> tuple[str, ...]:
    """Names of the associators over a chosen flow.

    Each may end in ``+appearance``, for hand-made appearance, or ``+mapt``, for MAPT's.
    """
    return flow_names()


def is_associator(name: str) -> bool:
    """Whether :func:`associator_entry` is the place to look for a name."""
    family, colon, _ = name.partition(":")
    return name in REGISTRY or (bool(colon) and f"{family}:" in _families())


def _families() -> set[str]:
    """What names with variants begin with: no tracker of a user has such a name."""
    return {FLOW_PREFIX, *(f"{name.partition(':')[0]}:" for name in REGISTRY if ":" in name)}


@not_followed
def associator_entry(name: str) -> AssociatorEntry:
    """Return what is known of an associator before it is built.

    Args:
        name: One of :func:`associator_names`, :func:`flow_tracker_names` or
            :func:`~mapt_bench.baselines.mapt_entries.mapt_tracker_names`.

    Raises:
        ConfigError: If no associator has that name; the message suggests the nearest.
    """
    if name.startswith(FLOW_PREFIX):
        return _flow_associator(name)
    if name not in REGISTRY:
        known = (*associator_names(), *mapt_tracker_names(), *flow_tracker_names())
        raise ConfigError(f"unknown tracker {name!r}; {nearest(name, known)}")
    return REGISTRY[name]


def weights_of_associator(name: str, flow: FlowOptions) -> Path | None:
    """Return the name or file of the weights that an associator of this name links by.

    Args:
        name: As :func:`associator_entry` knows it.
        flow: Weights as the user gave them; where there are none, those that ship are meant.

    Returns:
        ``None`` for those without a network and for untrained ones.

    Raises:
        ConfigError: If no associator has that name, or it needs weights and there are none.
    """
    if name in mapt_tracker_names():
        return mapt_weights(flow)
    if not name.startswith(FLOW_PREFIX):
        return None
    return flow_entry(_flow_of(name)).weights_of(flow)


def weights_of_appearance(name: str) -> Path | None:
    """Return the name of the weights that a flow tracker ending in ``+mapt`` tells looks by.

    They are those that ship unless :func:`build_associator` is given others.

    Returns:
        ``None`` for all other trackers.

    Raises:
        ConfigError: If none ship.
    """
    by_mapt = name.startswith(FLOW_PREFIX) and name.endswith(_WITH_MAPT)
    return mapt_weights(FlowOptions()) if by_mapt else None


def build_associator(
    name: str,
    *,
    memory: int | None = None,
    pair: int = 1,
    truth: Truth | None = None,
    flow: FlowOptions | None = None,
    true_flow: TrueFlow | None = None,
    looks: FlowOptions | None = None,
    share: Share = NOTHING_SHARED,
    **settings: float | str,
) -> Associator:
    """Build an associator.

    Args:
        name: As :func:`associator_entry` knows it.
        memory: Frames that a lost track is kept for; ``None`` is 0, or nothing where the tracker
            has no memory.
        pair: Pairing interval in frames: ``t`` is compared with the state of ``t - pair``.
        truth: True map of a frame of the video, for the oracle.
        flow: Weights and device of a ``flow:`` or ``mapt`` tracker; MAPT's are those that ship
            unless others are given.
        true_flow: True flow from a frame of the video to the one before, for ``flow:exact``.
        looks: Weights and device of MAPT, for a ``flow:`` tracker that ends in ``+mapt``.
        share: Where work that trackers of the same video have in common is done once.
        **settings: Fields of :class:`~mapt_bench.baselines.settings.TrackerSettings`.

    Raises:
        ConfigError: If the name or a setting is unknown, a value is out of range, the tracker has
            no such switch, the oracle is given no truth or ``flow:exact`` no true flow, or a
            network neither weights nor leave to be untrained.
        DataError: If weights or flow files cannot be used.
    """
    entry = associator_entry(name)
    chosen_flow = FlowOptions() if flow is None else flow
    has_weights = entry.needs_weights or name.startswith(FLOW_PREFIX)
    if chosen_flow.asks_for_weights and not has_weights:
        raise ConfigError(
            f"tracker {name!r} has no weights; they belong to {FLOW_PREFIX}NAME and mapt"
        )
    if memory is not None and not entry.supports_memory:
        raise ConfigError(f"tracker {name!r} has no memory; omit +memory")
    if memory is not None and memory < 0:
        raise ConfigError(f"memory is {memory}; expected 0 frames or more")
    if pair < 1:
        raise ConfigError(f"the pairing interval is {pair}; expected 1 frame or more")
    if pair != 1 and not entry.supports_pair:
        raise ConfigError(f"tracker {name!r} has no pairing interval; omit --pair, or drop frames")
    if entry.needs_truth and truth is None:
        raise ConfigError(f"tracker {name!r} needs ground truth; give data that has it")
    if entry.needs_true_flow and true_flow is None:
        raise ConfigError(f"tracker {name!r} needs the true flow; give a video that knows it")
    thresholds = TrackerSettings.from_mapping(settings)
    return entry.build(
        AssociatorOptions(
            memory or 0,
            pair,
            truth,
            thresholds,
            chosen_flow,
            true_flow,
            FlowOptions() if looks is None else looks,
            share,
        )
    )


def _two_step(
    options: AssociatorOptions,
    propagation: Propagation | None,
    embedder: Embedder | None,
    order: Order = "motion-first",
) -> Associator:
    return TwoStepAssociator(propagation, embedder, two_step_settings(options, order))


@register("unlinked", "every segment is a track of its own: the floor")
def _unlinked(options: AssociatorOptions) -> Associator:
    return UnlinkedAssociator()


@register(
    "copy",
    "the last masks are copied and matched by mask IoU",
    supports_pair=True,
    supports_memory=True,
    settings=MOTION,
)
def _copy(options: AssociatorOptions) -> Associator:
    return _two_step(options, StandStill(), None)


@register(
    "iou",
    "boxes matched greedily by IoU (Bochinski et al. 2017)",
    supports_memory=True,
    settings=("iou_threshold",),
)
def _iou(options: AssociatorOptions) -> Associator:
    return IouAssociator(threshold=options.settings.iou_threshold, memory=options.memory)


@register(
    "sort",
    "Kalman filter, Hungarian on box IoU (Bewley et al. 2016)",
    supports_memory=True,
    settings=("sort_iou_threshold",),
)
def _sort(options: AssociatorOptions) -> Associator:
    return SortAssociator(threshold=options.settings.sort_iou_threshold, memory=options.memory)


@register(
    "bytetrack",
    "Kalman filter, two passes by score (Zhang et al. 2022)",
    supports_memory=True,
    settings=("high_score", "low_score", "first_pass_iou", "second_pass_iou"),
)
def _bytetrack(options: AssociatorOptions) -> Associator:
    given = options.settings
    return ByteTrackAssociator(
        high_score=given.high_score,
        low_score=given.low_score,
        first_iou=given.first_pass_iou,
        second_iou=given.second_pass_iou,
        memory=options.memory,
    )


@register(
    "appearance",
    "hand-made colour and texture embeddings matched by cosine",
    needs_images=True,
    supports_pair=True,
    supports_memory=True,
    settings=_APPEARANCE,
)
def _appearance(options: AssociatorOptions) -> Associator:
    return _two_step(options, None, _histograms(options))


@register(
    "motion",
    "masks warped by DIS optical flow and matched by mask proximity",
    needs_images=True,
    supports_pair=True,
    supports_memory=True,
    settings=(*MOTION, "flow_height"),
)
def _motion(options: AssociatorOptions) -> Associator:
    return _two_step(options, _flow_warp(options), None)


def _register_both(name: str, order: Order, summary: str) -> None:
    @register(
        name,
        summary,
        needs_images=True,
        supports_pair=True,
        supports_memory=True,
        settings=(*MOTION, *_APPEARANCE, *FUSION, "flow_height"),
    )
    def _both(options: AssociatorOptions) -> Associator:
        return _two_step(options, _flow_warp(options), _histograms(options), order)


_register_both("both", "motion-first", "motion, then appearance for what is left over")
_register_both(
    "both:appearance-first", "appearance-first", "appearance, then motion for what is left over"
)
_register_both("both:simultaneous", "simultaneous", "motion and appearance in one joint affinity")


def _flow_warp(options: AssociatorOptions) -> FlowWarp:
    height = options.settings.flow_height
    what = ("flow:dis", FlowOptions(height=height))
    return FlowWarp(SharedFlow(DisFlow(height=height), what, options.share))


def _histograms(options: AssociatorOptions) -> Embedder:
    return SharedEmbedder(HistogramEmbedder(), "histograms", options.share)


def _flow_of(name: str) -> str:
    return name.removesuffix(_WITH_APPEARANCE).removesuffix(_WITH_MAPT)


def _flow_associator(name: str) -> AssociatorEntry:
    """Describe two-step fusion over a flow that is asked for by name."""
    flow = _flow_of(name)
    source = flow_entry(flow)
    looks, by_mapt = name.endswith(_WITH_APPEARANCE), name.endswith(_WITH_MAPT)

    def build(options: AssociatorOptions) -> Associator:
        given = replace(
            options.flow, height=options.settings.flow_height, true_flow=options.true_flow
        )
        source.check(given)
        what = (flow, given)  # its options decide a flow, but for the video
        warp = FlowWarp(SharedFlow(source.build(given), what, options.share))
        if by_mapt:
            return mapt_over(warp, options)
        return _two_step(options, warp, _histograms(options) if looks else None)

    settings = {*MOTION, *(("flow_height",) if flow == "flow:dis" else ())}
    if looks or by_mapt:
        settings |= {*(LEARNED if by_mapt else _APPEARANCE), *FUSION}
    return AssociatorEntry(
        name=name,
        summary=f"masks warped by {source.summary}"
        + (", then appearance" if looks else ", then MAPT's appearance" if by_mapt else ""),
        needs_images=source.needs_images or looks or by_mapt,
        needs_truth=False,
        supports_pair=source.takes != "folder",
        supports_memory=True,
        build=build,
        settings=frozenset(settings),
        needs_weights=source.needs_weights,
        needs_true_flow=source.needs_true_flow,
        parts=(source.build, mapt_over) if by_mapt else (source.build,),
    )


@register("oracle", "true identities for the segments found: the ceiling", needs_truth=True)
def _oracle(options: AssociatorOptions) -> Associator:
    return OracleAssociator(_truth(options))


@register(
    "oracle:in-view",
    "true identities from one frame to the next: the ceiling without memory",
    needs_truth=True,
)
def _oracle_in_view(options: AssociatorOptions) -> Associator:
    return OracleAssociator(_truth(options), memory=0)


def _truth(options: AssociatorOptions) -> Truth:
    if options.truth is None:
        raise ConfigError("the oracle needs ground truth")
    return options.truth
