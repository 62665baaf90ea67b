"""The plan of an experiment: its rows, its cells, and the conditions that they run under."""

from dataclasses import dataclass
from typing import Literal

from mapt_bench.baselines.thresholds import ThresholdsName
from mapt_bench.errors import ConfigError
from mapt_bench.experiments.plans.segment_sources import OWN_SEGMENTS
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.metrics.scorer import WINDOWS
from mapt_bench.stress import Stress

__all__ = ["DROP", "Cell", "Plan", "Series", "Skip", "Sweep"]

DROP = "drop"
"""The stressor that drops frames. Its cells are the same as in the sweep with dropped frames."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One variant under one condition.

    Attributes:
        variant: The row.
        drop: Only every ``drop``-th frame exists, for the tracker and for the ground truth.
        pair: The tracker pairs frame t with frame t - ``pair``.
        stress: Stress of the videos. ``None`` leaves them unchanged.
        segments: Name of the segments to link. ``None`` is the first source of the data. Whole
            trackers have their own detections: :data:`OWN_SEGMENTS`.
    """

    variant: Variant
    drop: int = 1
    pair: int = 1
    stress: Stress | None = None
    segments: str | None = None

    def __post_init__(self) -> None:
        if self.variant.is_whole:
            object.__setattr__(self, "segments", OWN_SEGMENTS)


@dataclass(frozen=True, slots=True)
class Sweep:
    """One sweep over temporal intervals.

    Attributes:
        kind: Meaning of the interval: dropped frames, or pairing interval.
        taus: Intervals in frames, ascending.
        variants: Names of the variants in the sweep.
    """

    kind: Literal["drop", "pair"]
    taus: tuple[int, ...]
    variants: tuple[str, ...]

    def tau_of(self, cell: Cell) -> int | None:
        """Return the interval of a cell in this sweep, ``None`` if it is not part of it."""
        tau, other = (cell.drop, cell.pair) if self.kind == "drop" else (cell.pair, cell.drop)
        belongs = (
            other == 1
            and cell.stress is None
            and tau in self.taus
            and cell.variant.name in self.variants
        )
        return tau if belongs else None


@dataclass(frozen=True, slots=True)
class Series:
    """One stressor at several levels. Level 0 is no stress, and belongs to every series.

    Attributes:
        stressor: Name of the stressor.
        stresses: One stress for each level, ascending.
    """

    stressor: str
    stresses: tuple[Stress, ...]

    def cell(self, variant: Variant, stress: Stress | None, segments: str | None = None) -> Cell:
        """Return the cell of a variant under a stress. Cells with dropped frames have phases."""
        if stress is not None and self.stressor == DROP:
            return Cell(variant, drop=int(stress.value), segments=segments)
        return Cell(variant, stress=stress, segments=segments)

    def level_of(self, cell: Cell) -> int | None:
        """Return the level of a cell in this series, ``None`` if it is not part of it."""
        levels = (None, *self.stresses)
        found = [each for each in levels if self.cell(cell.variant, each, cell.segments) == cell]
        if not found:
            return None
        return 0 if found[0] is None else found[0].level


@dataclass(frozen=True, slots=True)
class Skip:
    """A tracker or sequence that cannot run, with the reason. No sequence means all of them."""

    tracker: str
    reason: str
    sequence: str | None = None

    def to_dict(self) -> dict[str, str]:
        """Return plain data for JSON."""
        base = {"tracker": self.tracker, "reason": self.reason}
        return base if self.sequence is None else {**base, "sequence": self.sequence}


@dataclass(frozen=True, slots=True)
class Plan:
    """An experiment: its rows and its cells.

    Attributes:
        experiment: For example ``"ablate"``, ``"sweep-interval"`` or ``"stress-occlusion"``.
        variants: Rows in the order of tables.
        cells: All cells, each once.
        reference: Name of the variant that paired differences are taken to, or ``None``.
        sweeps: Sweeps over temporal intervals. Empty for an ablation.
        skipped: Trackers without a row, because weights are missing or were not requested.
        series: One series for each stressor of a stress test.
        thresholds: Thresholds of the command. A row may have others, and says so.
        by: Factors by which links are counted for each step of a fusion, names of
            :data:`~mapt_bench.metrics.step_links.BY_FACTORS`. Empty for no such counts.
        vpq_windows: Window sizes of VPQ in frames.

    Raises:
        ConfigError: If two variants have the same name.
    """

    experiment: str
    variants: tuple[Variant, ...]
    cells: tuple[Cell, ...]
    reference: str | None
    sweeps: tuple[Sweep, ...] = ()
    skipped: tuple[Skip, ...] = ()
    series: tuple[Series, ...] = ()
    thresholds: ThresholdsName = "published"
    by: tuple[str, ...] = ()
    vpq_windows: tuple[int, ...] = WINDOWS

    def __post_init__(self) -> None:
        names = [variant.name for variant in self.variants]
        if len(names) != len(set(names)):
            raise ConfigError(f"variants of a plan need distinct names; found {names}")

    @property
    def is_ablation(self) -> bool:
        """Whether no cell has a stress, dropped frames, or another pairing interval than 1."""
        return not self.sweeps and not self.series

    @property
    def has_networks(self) -> bool:
        """Whether a row runs a network."""
        return any(each.weights or each.mapt for each in self.variants)
