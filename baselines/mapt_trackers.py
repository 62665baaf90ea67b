"""MAPT's trackers: its two heads, alone and together, over segments from any source.

The network, and with it torch, is imported only when one is built.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mapt_bench.baselines.registry import register
from mapt_bench.baselines.search_spaces import (
    FUSION_SPACE,
    JOINT_SPACE,
    LEARNED_SPACE,
    LINKER_SPACE,
    MOTION_SPACE,
    SearchSpace,
)
from mapt_bench.baselines.thresholds import FUSION, LEARNED, LINKER, MOTION, ORACLE, PAIRING
from mapt_bench.baselines.tracker_options import (
    AssociatorOptions,
    FlowOptions,
    MaptOptions,
    linker_settings,
    oracle_steps,
    two_step_settings,
)
from mapt_bench.code_closure import not_followed
from mapt_bench.devices import check_precision, usable_device
from mapt_bench.errors import ConfigError
from mapt_bench.files import file_sha256
from mapt_bench.labels import Frame
from mapt_bench.tracking import Associator, FrameSegments, Propagation
from mapt_bench.tracking.link_model import Cues, LinkModel, linker_file, read_linker
from mapt_bench.tracking.sharing import NOTHING_SHARED, Share
from mapt_bench.tracking.two_step import Order
from mapt_bench.weights import DEFAULT_MAPT, shipped_weights, weights_file

if TYPE_CHECKING:
    from mapt_bench.model import MAPT, AdaptivePair, MaptSegmenter
    from mapt_bench.model.tracker import Carrier

__all__ = [
    "MaptParts",
    "describe_for_mapt",
    "linker_hash",
    "linker_of",
    "mapt_over",
    "mapt_parts",
    "mapt_segmenter",
    "mapt_weights",
    "motion_reach",
]


def mapt_weights(options: MaptOptions) -> Path:
    """Return the name or file of the weights that MAPT runs with.

    Raises:
        ConfigError: If none were given and none ship.
    """
    if options.weights is not None:
        return options.weights
    if DEFAULT_MAPT not in shipped_weights():
        raise ConfigError(
            "mapt needs trained weights, and this copy of the package has none: give --weights "
            "FILE, which mapt-bench train writes"
        )
    return Path(DEFAULT_MAPT)


def mapt_segmenter(options: MaptOptions, share: Share = NOTHING_SHARED) -> "MaptSegmenter":
    """Return the segmenter of MAPT.

    Args:
        options: Weights, those that ship if it names none, device and precision.
        share: Cache of what MAPT sees in frames, for :func:`describe_for_mapt`.

    Raises:
        ConfigError: If there are no weights, their file names no model, or the device is not there
            or lacks the precision.
        DataError: If they cannot be used.
    """
    from mapt_bench.model import MaptSegmenter

    network = _checked_model(options)
    check_precision(network.device, options.precision)
    return MaptSegmenter(network, share, precision=options.precision)


@not_followed
def mapt_over(propagation: Propagation, options: AssociatorOptions) -> Associator:
    """Return MAPT's two-step association with another propagation than its motion head.

    Args:
        propagation: Propagates masks.
        options: Options of the associator; ``mapt`` names the weights.

    Raises:
        ConfigError: If there are no weights, or their file names no model.
        DataError: If they cannot be used.
    """
    from mapt_bench.model import MaptAssociator

    return MaptAssociator(
        _checked_model(options.mapt),
        settings=two_step_settings(options, is_learned=True),
        propagation=propagation,
        share=options.share,
    )


class MaptParts(NamedTuple):
    """Properties of a trained MAPT.

    Attributes:
        label_space: Name of its label space.
        has_motion: Whether it has a motion head.
        has_appearance: Whether it has an appearance head.
        cues: Hash of all that decides the cues of a frame. Networks with equal cues differ only in
            how they compare two frames.
    """

    label_space: str
    has_motion: bool
    has_appearance: bool
    cues: str


def mapt_parts(options: MaptOptions) -> MaptParts:
    """Load a MAPT and return its properties.

    Raises:
        ConfigError: If there are no weights, or their file names no model.
        DataError: If they cannot be used.
    """
    model = _checked_model(options)
    return MaptParts(
        model.config.labels.name,
        model.motion is not None,
        model.appearance is not None,
        model.cue_source,
    )


@not_followed
def motion_reach(options: MaptOptions) -> dict[str, object]:
    """Measure how far the offsets of a MAPT's motion head reach.

    Returns:
        ``pixels``, ``tried`` and ``found``, as in
        :class:`~mapt_bench.model.motion_reach.MotionReach`.

    Raises:
        ConfigError: If there are no weights, their file names no model, or it has no motion head.
        DataError: If they cannot be used.
    """
    from mapt_bench.model.cues import MaptCues
    from mapt_bench.model.motion_reach import measure_reach

    found = measure_reach(MaptCues(_checked_model(options)))
    return {"pixels": found.pixels, "tried": [*found.tried], "found": [*found.found]}


@not_followed
def describe_for_mapt(
    options: MaptOptions, frame: Frame, segments: FrameSegments, share: Share = NOTHING_SHARED
) -> FrameSegments:
    """Compute the cues by which MAPT links segments; its own detections have them already.

    Args:
        options: Weights and device.
        frame: The frame, with its image.
        segments: Segments of the frame, from any source.
        share: Cache of what MAPT sees in frames.

    Raises:
        ConfigError: If there are no weights, or their file names no model.
        DataError: If they cannot be used, or image and segments differ in size.
    """
    from mapt_bench.model.tracker import described

    return described(_checked_model(options), frame, segments, share)


def _weights_by_role(flow: FlowOptions, mapt: MaptOptions) -> Mapping[str, Path]:
    return {"tracker": mapt_weights(mapt)}


def linker_of(weights: Path) -> Path:
    """Return the linker file that MAPT with these weights links by.

    It lies beside the weights. Weights without one use that of the default weights: its motion
    cues fit any weights, its appearance cues only roughly.

    Args:
        weights: File, or name of shipped weights.

    Raises:
        ConfigError: If there is neither.
    """
    own = linker_file(weights_file(weights))
    if own.is_file():
        return own
    if DEFAULT_MAPT in shipped_weights():
        shipped = linker_file(weights_file(DEFAULT_MAPT))
        if shipped.is_file():
            return shipped
    raise ConfigError(
        "there is no linker for these weights; fit one with python tools/fit_linker.py --weights "
        f"{weights}",
        where=own,
    )


_LINKER_BY_MOTION: SearchSpace = {**LINKER_SPACE, "clear_overlap": (0.3, 0.9)}


_LINKER_SETTINGS: Mapping[Cues, Sequence[str]] = {
    "both": (*LINKER, "clear_overlap", *PAIRING, *ORACLE),
    "motion": (*LINKER, "clear_overlap", *PAIRING),
    "appearance": LINKER,
}


def linker_hash(weights: Path) -> str:
    """Return the SHA-256 of the linker file of weights; empty where there is none."""
    try:
        return file_sha256(linker_of(weights))
    except ConfigError:  # rows that need it say so when they are built
        return ""


_register_mapt = partial(
    register,
    needs_images=True,
    supports_pair=True,
    supports_memory=True,
    uses_mapt=True,
    weights_of=_weights_by_role,
)


def _register_linker(name: str, summary: str, cues: Cues) -> None:
    @_register_mapt(
        name,
        summary,
        uses_linker=True,
        settings=_LINKER_SETTINGS[cues],
        search=LINKER_SPACE if cues == "appearance" else _LINKER_BY_MOTION,
    )
    def _build(options: AssociatorOptions) -> Associator:
        from mapt_bench.model import MaptLinker

        return MaptLinker(
            _checked_model(options.mapt),
            _linker(linker_of(mapt_weights(options.mapt)), cues),
            settings=linker_settings(options),
            share=options.share,
            adaptive=_adaptive(options),
            oracle=oracle_steps(options),
        )


@lru_cache(maxsize=16)
def _linker(path: Path, cues: Cues) -> LinkModel:
    return read_linker(path, cues)


_register_linker(
    "mapt", "clear overlap first, then calibrated probabilities from both heads", "both"
)
_register_linker("mapt:motion", "the same linker fitted without appearance", "motion")
_register_linker("mapt:appearance", "the same linker fitted without motion", "appearance")


def _register(
    name: str,
    summary: str,
    settings: Sequence[str],
    order: Order = "motion-first",
    *,
    search: SearchSpace,
) -> None:
    @_register_mapt(name, summary, settings=settings, search=search)
    def _build(options: AssociatorOptions) -> Associator:
        from mapt_bench.model import MaptAssociator

        return MaptAssociator(
            _checked_model(options.mapt),
            settings=two_step_settings(options, order, is_learned=True),
            share=options.share,
            adaptive=_adaptive(options),
            oracle=oracle_steps(options),
        )


def _register_propagation(name: str, summary: str, carrier: "Carrier") -> None:
    @_register_mapt(name, summary, settings=(*MOTION, *PAIRING), search=MOTION_SPACE)
    def _build(options: AssociatorOptions) -> Associator:
        from mapt_bench.model import MaptAssociator

        return MaptAssociator(
            _checked_model(options.mapt),
            heads="motion",
            settings=two_step_settings(options, is_learned=True),
            carrier=carrier,
            share=options.share,
            adaptive=_adaptive(options),
        )


_register_propagation(
    "mapt:propagation",
    "the masks that the motion head carries, linked as those of a flow",
    "kernels",
)
_register_propagation(
    "mapt:displacement",
    "masks moved by the mean displacement that the motion head reads, linked as those of a flow",
    "displacement",
)


_PAPER = (*MOTION, *LEARNED, *PAIRING)
_register(
    "mapt:paper",
    "the paper's fusion: the nearest propagated mask, then the cosine of learned embeddings",
    (*_PAPER, *ORACLE),
    search={**MOTION_SPACE, **LEARNED_SPACE},
)
_register(
    "mapt:appearance-first",
    "learned embeddings, then propagated masks",
    (*_PAPER, *FUSION),
    "appearance-first",
    search={**MOTION_SPACE, **LEARNED_SPACE, **FUSION_SPACE},
)
_register(
    "mapt:simultaneous",
    "both heads in one joint affinity",
    (*_PAPER, *FUSION),
    "simultaneous",
    search={**MOTION_SPACE, **LEARNED_SPACE, **JOINT_SPACE},
)


def _adaptive(options: AssociatorOptions) -> "AdaptivePair | None":
    """Return how the interval of each frame is chosen, ``None`` if it is that of ``--pair``."""
    from mapt_bench.model import AdaptivePair

    given = options.settings
    if given.pair_target == 0:
        return None
    return AdaptivePair(target=given.pair_target, longest=given.longest_pair)


def _checked_model(options: MaptOptions) -> "MAPT":
    return _model(weights_file(mapt_weights(options)), options.device, options.switches)


@lru_cache(maxsize=8)
def _model(weights: Path, device: str, switches: tuple[str, ...]) -> "MAPT":
    """Load a model, or return a recent one again: every video has a tracker of its own."""
    from mapt_bench.model import load_mapt, switched

    if switches:
        return switched(_model(weights, device, switches[:-1]), switches[-1])
    return load_mapt(weights, device=usable_device(device))
