"""What trackers are built from: thresholds, memory, and the options of their networks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mapt_bench.baselines.thresholds import TrackerSettings
from mapt_bench.devices import FLOAT32
from mapt_bench.errors import ConfigError
from mapt_bench.labels import FlowField, PanopticMap
from mapt_bench.tracking import TwoStepSettings
from mapt_bench.tracking.joint_linker import LinkerSettings
from mapt_bench.tracking.oracle_steps import OracleSteps, parse_oracle_steps
from mapt_bench.tracking.sharing import NOTHING_SHARED, Share
from mapt_bench.tracking.two_step import Order

__all__ = [
    "AssociatorOptions",
    "FlowOptions",
    "MaptOptions",
    "TrueFlow",
    "Truth",
    "describe_flow",
    "linker_settings",
    "oracle_steps",
    "two_step_settings",
]

Truth = Callable[[int], PanopticMap]
"""Returns the ground truth of the frame at a position of the video."""

TrueFlow = Callable[[int], FlowField]
"""Returns the ground-truth flow of the frame at a position of the video to the frame before it."""


@dataclass(frozen=True, kw_only=True)
class FlowOptions:
    """Options of a flow source.

    Attributes:
        weights: File with the weights of a flow network. For ``flow:files``, the folder of flow
            files.
        random_weights: Whether an untrained network is wanted.
        seed: Seed of untrained weights.
        device: Where a network runs, for example ``"cpu"`` or ``"cuda"``.
        height: Rows that ``flow:dis`` scales frames down to, in pixels.
        true_flow: True flow of the video, for ``flow:exact``.
    """

    weights: Path | None = None
    random_weights: bool = False
    seed: int = 0
    device: str = "cpu"
    height: int = 192
    true_flow: TrueFlow | None = field(default=None, compare=False)

    @property
    def asks_for_weights(self) -> bool:
        """Whether weights, trained or random, were asked for."""
        return self.weights is not None or self.random_weights


@dataclass(frozen=True, kw_only=True)
class MaptOptions:
    """Options of MAPT.

    Attributes:
        weights: Name of shipped weights, or a file. ``None`` takes the shipped ones.
        device: Where the network runs, for example ``"cpu"`` or ``"cuda"``.
        precision: Precision of detections, see :data:`~mapt_bench.devices.PRECISIONS`.
        switches: Components removed at inference, see
            :data:`~mapt_bench.model.switches.SWITCHES`.
    """

    weights: Path | None = None
    device: str = "cpu"
    precision: str = FLOAT32
    switches: tuple[str, ...] = ()


@dataclass(frozen=True)
class AssociatorOptions:
    """What an associator is built from.

    Attributes:
        memory: Frames that a lost track is kept for.
        pair: Pairing interval in frames.
        truth: Function that returns the ground truth of a frame, for oracles.
        settings: Thresholds.
        flow: Options of the flow source, for ``flow:*`` trackers.
        mapt: Options of MAPT, for ``mapt*`` and ``flow:*+mapt`` trackers.
        share: Cache of work that trackers of the same video have in common.
    """

    memory: int
    pair: int
    truth: Truth | None
    settings: TrackerSettings
    flow: FlowOptions = field(default_factory=FlowOptions)
    mapt: MaptOptions = field(default_factory=MaptOptions)
    share: Share = NOTHING_SHARED


def describe_flow(name: str, options: FlowOptions) -> str:
    """Return a name for the output of a run. It says so when weights are untrained.

    Example:
        >>> describe_flow("flow:raft-small", FlowOptions(random_weights=True))
        'flow:raft-small (UNTRAINED: random weights, seed 0)'
    """
    if options.random_weights:
        return f"{name} (UNTRAINED: random weights, seed {options.seed})"
    return name if options.weights is None else f"{name} ({options.weights})"


def oracle_steps(options: AssociatorOptions) -> OracleSteps | None:
    """Return the oracle of the steps that the settings name, ``None`` if they name none.

    Raises:
        ConfigError: If a step is unknown, or there is no ground truth.
    """
    steps = parse_oracle_steps(options.settings.oracle)
    if not steps:
        return None
    if options.truth is None:
        raise ConfigError("the setting 'oracle' needs ground truth; use data that has it")
    return OracleSteps(steps, options.truth)


def linker_settings(options: AssociatorOptions) -> LinkerSettings:
    """Return the settings of the joint linker.

    Raises:
        ConfigError: If a value is out of its range.
    """
    given = options.settings
    return LinkerSettings(
        clear_overlap=given.clear_overlap,
        view_probability=given.view_probability,
        lost_probability=given.lost_probability,
        patience=given.patience,
        gallery_size=given.gallery_size,
        delay=given.delay,
        pair=options.pair,
        memory=options.memory,
    )


def two_step_settings(
    options: AssociatorOptions, order: Order = "motion-first", *, is_learned: bool = False
) -> TwoStepSettings:
    """Return the settings of two-step fusion.

    Args:
        options: Options of the associator.
        order: Which cue comes first.
        is_learned: Whether embeddings are learned. Their cosines are distributed differently from
            those of histograms, so they have a threshold of their own.

    Raises:
        ConfigError: If a value is out of its range.
    """
    given = options.settings
    threshold = given.embedding_threshold if is_learned else given.appearance_threshold
    return TwoStepSettings(
        order=order,
        second_step=given.second_step,
        proximity=given.proximity,
        motion_threshold=given.motion_threshold,
        appearance_threshold=threshold,
        motion_weight=given.motion_weight,
        joint_threshold=given.joint_threshold,
        gallery_size=given.gallery_size,
        lost_margin=given.lost_margin,
        pair=options.pair,
        memory=options.memory,
    )
