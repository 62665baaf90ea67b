"""MAPT's own trackers by name: its two heads, alone and together, over any segments.

The network, and with it torch, is imported only when one is built.
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mapt_bench.baselines.flow_sources import FlowOptions
from mapt_bench.baselines.registry import REGISTRY, AssociatorOptions, register
from mapt_bench.baselines.two_step_settings import two_step_settings
from mapt_bench.errors import ConfigError
from mapt_bench.tracking import Associator, Segmenter
from mapt_bench.tracking.two_step import Order

if TYPE_CHECKING:
    from mapt_bench.model import MAPT

__all__ = ["mapt_segmenter", "mapt_tracker_names"]


def mapt_tracker_names() -> tuple[str, ...]:
    """Names of the associators that link by MAPT's heads."""
    return tuple(name for name, entry in REGISTRY.items() if entry.needs_weights)


def mapt_segmenter(options: FlowOptions) -> Segmenter:
    """Return what finds segments with MAPT.

    Args:
        options: Weights and device.

    Raises:
        ConfigError: If there are no weights, or they do not say what they are of.
        DataError: If they cannot be used.
    """
    from mapt_bench.model import MaptSegmenter

    return MaptSegmenter(_checked_model(options))


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
        default_memory=10,
        needs_weights=True,
    )
    def _build(options: AssociatorOptions) -> Associator:
        from mapt_bench.model import MaptAssociator

        settings = two_step_settings(options, order, is_learned=True)
        return MaptAssociator(_checked_model(options.flow), heads=heads, settings=settings)


_register("mapt", "masks carried by the motion head, then learned embeddings", "both")
_register("mapt:motion", "masks carried by the motion head alone", "motion")
_register("mapt:appearance", "learned embeddings alone, without propagated features", "appearance")
_register(
    "mapt:appearance-first", "learned embeddings, then carried masks", "both", "appearance-first"
)
_register("mapt:simultaneous", "both heads in one joint affinity", "both", "simultaneous")


def _checked_model(options: FlowOptions) -> "MAPT":
    if options.random_weights:
        raise ConfigError("mapt is not run untrained; leave --random-weights away, give --weights")
    if options.weights is None:
        raise ConfigError(
            "mapt needs trained weights: give --weights FILE, as mapt-bench train writes them"
        )
    return _model(options.weights, options.device)


@lru_cache(maxsize=2)
def _model(weights: Path, device: str) -> "MAPT":
    """Load a model, or take one of the last again: every video has a tracker of its own."""
    from mapt_bench.baselines.flow_networks import usable_device
    from mapt_bench.model import load_mapt

    return load_mapt(weights, device=usable_device(device))
