"""What an experiment runs: variants of trackers under temporal intervals."""

from dataclasses import dataclass
from typing import Literal

from mapt_bench.baselines.thresholds import ThresholdsName
from mapt_bench.errors import ConfigError
from mapt_bench.experiments.plans.segment_sources import OWN_SEGMENTS
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.stress import Stress

__all__ = ["DROP", "Cell", "Plan", "Series", "Skip", "Sweep"]

DROP = "drop"
"""The stressor that leaves frames out; its cells are those of the sweep with dropped frames."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One variant under one condition.

    Attributes:
        variant: What is run.
        drop: Only every ``drop``-th frame exists, for the tracker and the truth alike.
        pair: The tracker pairs frame t with frame t - ``pair``.
        stress: What is done to the videos; ``None`` leaves them as they are.
        segments: Name of what is linked, where the data have several kinds of segments; ``None``
            is the first. Whole trackers link what they find themselves: :data:`OWN_SEGMENTS`.
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
        kind: What the interval means.
        taus: Intervals in frames, ascending.
        variants: Names of the variants that take part.
    """

    kind: Literal["drop", "pair"]
    taus: tuple[int, ...]
    variants: tuple[str, ...]

    def tau_of(self, cell: Cell) -> int | None:
        """Return the interval at which a cell stands in this sweep, ``None`` if it does not."""
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
    """One stressor at rising levels; level 0 is no stress and belongs to every series.

    Attributes:
        stressor: Its name.
        stresses: One a level, ascending.
    """

    stressor: str
    stresses: tuple[Stress, ...]

    def cell(self, variant: Variant, stress: Stress | None) -> Cell:
        """Return the cell of a variant under one of the stresses; dropped frames have phases."""
        if stress is not None and self.stressor == DROP:
            return Cell(variant, drop=int(stress.value))
        return Cell(variant, stress=stress)

    def level_of(self, cell: Cell) -> int | None:
        """Return the level at which a cell stands in this series, ``None`` if it does not."""
        levels = (None, *self.stresses)
        found = [each for each in levels if self.cell(cell.variant, each) == cell]
        if not found:
            return None
        return 0 if found[0] is None else found[0].level


@dataclass(frozen=True, slots=True)
class Skip:
    """Something that cannot be run, and why; ``sequence`` is ``None`` where it is all of them."""

    tracker: str
    reason: str
    sequence: str | None = None

    def to_dict(self) -> dict[str, str]:
        """Return what there is to say, ready for JSON."""
        base = {"tracker": self.tracker, "reason": self.reason}
        return base if self.sequence is None else {**base, "sequence": self.sequence}


@dataclass(frozen=True, slots=True)
class Plan:
    """An experiment: its rows and its cells.

    Attributes:
        experiment: For example ``"ablate"``, ``"sweep-interval"`` or ``"stress-occlusion"``.
        variants: In the order of tables.
        cells: Everything there is to run, each once.
        reference: Name of the variant that paired differences are taken to; ``None`` for none.
        sweeps: None of an ablation.
        skipped: Trackers that have no row because something was not given.
        series: Of a stress test, one a stressor.
        thresholds: Which thresholds the command asked for; rows say which they run with.

    Raises:
        ConfigError: If two variants share a name.
    """

    experiment: str
    variants: tuple[Variant, ...]
    cells: tuple[Cell, ...]
    reference: str | None
    sweeps: tuple[Sweep, ...] = ()
    skipped: tuple[Skip, ...] = ()
    series: tuple[Series, ...] = ()
    thresholds: ThresholdsName = "published"

    def __post_init__(self) -> None:
        names = [variant.name for variant in self.variants]
        if len(names) != len(set(names)):
            raise ConfigError(f"variants of a plan need names of their own; found {names}")

    @property
    def is_ablation(self) -> bool:
        """Whether every cell is of the videos as they are, every frame paired with the last."""
        return not self.sweeps and not self.series
