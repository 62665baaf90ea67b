"""MAPT's own trackers by name: its two heads, alone and together, over any segments.

The network, and with it torch, is imported only when one is built.
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from mapt_bench.baselines.flow_sources import FlowOptions
from mapt_bench.baselines.registry import REGISTRY, AssociatorOptions, register
from mapt_bench.baselines.settings import FUSION, LEARNED, MOTION
from mapt_bench.baselines.two_step_settings import two_step_settings
from mapt_bench.code_closure import not_followed
from mapt_bench.errors import ConfigError
from mapt_bench.labels import Frame
from mapt_bench.tracking import Associator, FrameSegments, Propagation, Segmenter
from mapt_bench.tracking.two_step import Order
from mapt_bench.weights import DEFAULT_MAPT, shipped_weights, weights_file

if TYPE_CHECKING:
    from mapt_bench.model import MAPT

__all__ = [
    "MaptParts",
    "describe_for_mapt",
    "mapt_over",
    "mapt_parts",
    "mapt_segmenter",
    "mapt_tracker_names",
    "mapt_weights",
]


def mapt_tracker_names() -> tuple[str, ...]:
    """Names of the associators that link by MAPT's heads."""
    return tuple(name for name, entry in REGISTRY.items() if entry.needs_weights)


def mapt_weights(options: FlowOptions) -> Path:
    """Return the name or file of the weights that MAPT's trackers run with some options.

    Raises:
        ConfigError: If none were given and none ship, or untrained ones were asked for.
    """
    if options.random_weights:
        raise ConfigError("mapt is not run untrained; leave --random-weights away")
    if options.weights is not None:
        return options.weights
    if DEFAULT_MAPT not in shipped_weights():
        raise ConfigError(
            "mapt needs trained weights, and this copy of the package has none: give --weights "
            "FILE, as mapt-bench train writes them"
        )
    return Path(DEFAULT_MAPT)


def mapt_segmenter(options: FlowOptions) -> Segmenter:
    """Return what finds segments with MAPT.

    Args:
        options: Weights, those that ship if it names none, and device.

    Raises:
        ConfigError: If there are no weights, or they do not say what they are of.
        DataError: If they cannot be used.
    """
    from mapt_bench.model import MaptSegmenter

    return MaptSegmenter(_checked_model(options))


@not_followed
def mapt_over(propagation: Propagation, options: AssociatorOptions) -> Associator:
    """Return MAPT's two steps with masks carried by something else than its motion head.

    Args:
        propagation: What carries masks.
        options: Of the associator; ``looks`` says which weights.

    Raises:
        ConfigError: If there are no weights, or they do not say what they are of.
        DataError: If they cannot be used.
    """
    from mapt_bench.model import MaptAssociator

    return MaptAssociator(
        _checked_model(options.looks),
        settings=two_step_settings(options, is_learned=True),
        propagation=propagation,
        share=options.share,
    )


class MaptParts(NamedTuple):
    """What there is to know of a trained MAPT before it runs.

    Attributes:
        label_space: Name of the classes that it tells apart.
        has_motion: Whether it has a motion head.
        has_appearance: Whether it has an appearance head.
    """

    label_space: str
    has_motion: bool
    has_appearance: bool


def mapt_parts(options: FlowOptions) -> MaptParts:
    """Load a MAPT and say what it has.

    Raises:
        ConfigError: If there are no weights, or they do not say what they are of.
        DataError: If they cannot be used.
    """
    model = _checked_model(options)
    return MaptParts(
        model.config.labels.name, model.motion is not None, model.appearance is not None
    )


@not_followed
def describe_for_mapt(options: FlowOptions, frame: Frame, segments: FrameSegments) -> FrameSegments:
    """Return segments with the cues that MAPT links them by; those it found itself, as they are.

    Args:
        options: Weights and device.
        frame: With its image.
        segments: Of the frame, from anybody.

    Raises:
        ConfigError: If there are no weights, or they do not say what they are of.
        DataError: If they cannot be used, or image and segments differ in size.
    """
    from mapt_bench.model.cues import MaptCues

    model = _checked_model(options)
    if segments.cues is not None and segments.cues.source == model.source:
        return segments
    return MaptCues(model).describe(frame.image, segments)


_SETTINGS = {
    "motion": MOTION,
    "appearance": LEARNED,
    "both": (*MOTION, *LEARNED, *FUSION),
}


def _register(
    name: str,
    summary: str,
    heads: Literal["motion", "appearance", "both"],
    order: Order = "motion-first",
) -> None:
    @register(
        name,
        summary,
        needs_images=True,
        supports_pair=True,
        supports_memory=True,
        needs_weights=True,
        settings=_SETTINGS[heads],
    )
    def _build(options: AssociatorOptions) -> Associator:
        from mapt_bench.model import MaptAssociator

        settings = two_step_settings(options, order, is_learned=True)
        model = _checked_model(options.flow)
        return MaptAssociator(model, heads=heads, settings=settings, share=options.share)


_register("mapt", "masks carried by the motion head, then learned embeddings", "both")
_register("mapt:motion", "masks carried by the motion head alone", "motion")
_register("mapt:appearance", "learned embeddings alone, without propagated features", "appearance")
_register(
    "mapt:appearance-first", "learned embeddings, then carried masks", "both", "appearance-first"
)
_register("mapt:simultaneous", "both heads in one joint affinity", "both", "simultaneous")


def _checked_model(options: FlowOptions) -> "MAPT":
    return _model(weights_file(mapt_weights(options)), options.device, options.switches)


@lru_cache(maxsize=8)
def _model(weights: Path, device: str, switches: tuple[str, ...]) -> "MAPT":
    """Load a model, or take one of the last again: every video has a tracker of its own."""
    from mapt_bench.baselines.flow_networks import usable_device
    from mapt_bench.model import load_mapt, switched

    if switches:
        return switched(_model(weights, device, switches[:-1]), switches[-1])
    return load_mapt(weights, device=usable_device(device))
