"""What an experiment runs: variants of trackers under temporal intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mapt_bench.data.stress import Stress
from mapt_bench.errors import ConfigError
from mapt_bench.experiments.variants import (
    BASELINES,
    DIS_FLOWS,
    EXACT_FLOWS,
    FUSIONS,
    HEADS,
    NETWORK_FLOWS,
    ORACLE,
    UNLINKED,
    Traits,
    Variant,
    network_variants,
    with_and_without_memory,
)
from mapt_bench.experiments.weights import FlowWeights

__all__ = [
    "DEFAULT_TAUS",
    "DROP",
    "Cell",
    "Plan",
    "Series",
    "Skip",
    "Sweep",
    "ablation_plan",
    "interval_plan",
]

DROP = "drop"
"""The stressor that leaves frames out; its cells are those of the sweep with dropped frames."""

DEFAULT_TAUS = (1, 2, 3, 5)
"""Intervals of a sweep: those of the experiments that the paper invites."""

_MEMORY = 10


@dataclass(frozen=True, slots=True)
class Cell:
    """One variant under one condition.

    Attributes:
        variant: What is run.
        drop: Only every ``drop``-th frame exists, for the tracker and the truth alike.
        pair: The tracker pairs frame t with frame t - ``pair``.
        stress: What is done to the videos; ``None`` leaves them as they are.
    """

    variant: Variant
    drop: int = 1
    pair: int = 1
    stress: Stress | None = None


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

    def __post_init__(self) -> None:
        names = [variant.name for variant in self.variants]
        if len(names) != len(set(names)):
            raise ConfigError(f"variants of a plan need names of their own; found {names}")


_TraitsOf = Callable[[str], Traits]


def ablation_plan(
    traits_of: _TraitsOf, *, memory: int = _MEMORY, flow_weights: Sequence[FlowWeights] = ()
) -> Plan:
    """Plan the ablation of cues, fusion orders, flows and memory on the same segments.

    Copying, IoU, SORT, ByteTrack, the cues (motion, appearance, both), the orders of fusion and
    the flows are each run without and with memory, wherever memory means something. Motion first
    is how ``both`` fuses, and DIS is the flow of ``motion`` and ``both``: the rows that say so
    share their cells. A flow network without weights has no row and is listed as skipped.
    Unlinked segments are the floor, true identities the ceiling, and the true flow, where videos
    know it, the ceiling of propagation. Differences are taken to ``both``
    without memory, the fusion of the paper.

    Args:
        traits_of: Says of an associator's name what it supports.
        memory: Frames that a lost track is kept for in the rows with memory.
        flow_weights: Of the flow networks that can run.

    Raises:
        ConfigError: If ``memory`` is below 1, or a flow is given weights twice.
    """
    if memory < 1:
        raise ConfigError(
            f"memory is {memory}; the rows with memory need 1 frame or more (each row is also "
            "run without memory)"
        )
    networks = [row for weights in _in_order(flow_weights) for row in network_variants(weights)]
    variants = [UNLINKED]
    for variant in (*BASELINES, *HEADS, *FUSIONS, *DIS_FLOWS, *networks, *EXACT_FLOWS):
        variants += with_and_without_memory(variant, traits_of(variant.associator), memory)
    variants.append(ORACLE)
    given = {weights.flow for weights in flow_weights}
    return Plan(
        experiment="ablate",
        variants=tuple(variants),
        cells=tuple(Cell(variant) for variant in variants),
        reference="both",
        skipped=tuple(
            Skip(flow, f"needs weights; give --flow-weights {flow}=FILE")
            for flow in NETWORK_FLOWS
            if flow not in given
        ),
    )


def _in_order(flow_weights: Sequence[FlowWeights]) -> list[FlowWeights]:
    """Sort weights as tables list their flows, however they were given."""
    known = list(NETWORK_FLOWS)
    return sorted(
        flow_weights,
        key=lambda weights: (
            known.index(weights.flow) if weights.flow in known else len(known),
            weights.flow,
        ),
    )


def interval_plan(
    traits_of: _TraitsOf,
    *,
    drop: Sequence[int] | None = DEFAULT_TAUS,
    pair: Sequence[int] | None = DEFAULT_TAUS,
    memory: int = 0,
    flow_weights: Sequence[FlowWeights] = (),
) -> Plan:
    """Plan the sweeps over temporal intervals: dropped frames, pairing intervals, or both.

    With dropped frames every tracker runs; with a pairing interval those that have one, next to
    the references. Copying the last masks, the oracle and, where videos know it, propagation by
    the true flow are in every interval of both sweeps.
    Interval 1 of the two sweeps is the same cell.

    Args:
        traits_of: Says of an associator's name what it supports.
        drop: Intervals of the sweep with dropped frames; ``None`` leaves it out.
        pair: Intervals of the sweep with pairing intervals; ``None`` leaves it out.
        memory: Frames that a lost track is kept for, in every row that has memory.
        flow_weights: Of flow networks that run too, their flow alone, next to ``motion``.

    Raises:
        ConfigError: If there is no sweep, a flow is given weights twice, or an interval or the
            memory is out of range.
    """
    if memory < 0:
        raise ConfigError(f"memory is {memory}; expected 0 frames or more")
    if drop is None and pair is None:
        raise ConfigError("there is nothing to sweep; give intervals for --drop or --pair")
    copy, *baselines = BASELINES
    networks = [network_variants(weights)[0] for weights in _in_order(flow_weights)]
    chosen = [
        replace(copy, group="reference"),
        *baselines,
        *HEADS,
        *networks,
        EXACT_FLOWS[0],
        ORACLE,
    ]
    variants = [
        replace(variant, memory=memory)
        if traits_of(variant.associator).supports_memory
        else variant
        for variant in chosen
    ]
    sweeps: list[Sweep] = []
    if drop is not None:
        sweeps.append(Sweep("drop", _checked("drop", drop), _names(variants)))
    if pair is not None:
        paired = [
            variant
            for variant in variants
            if variant.group == "reference" or traits_of(variant.associator).supports_pair
        ]
        sweeps.append(Sweep("pair", _checked("pair", pair), _names(paired)))
        variants = variants if drop is not None else paired
    cells = {
        Cell(variant, drop=tau) if sweep.kind == "drop" else Cell(variant, pair=tau): None
        for sweep in sweeps
        for tau in sweep.taus
        for variant in variants
        if variant.name in sweep.variants
    }
    return Plan(
        experiment="sweep-interval",
        variants=tuple(variants),
        cells=tuple(cells),
        reference="copy",
        sweeps=tuple(sweeps),
    )


def _names(variants: Sequence[Variant]) -> tuple[str, ...]:
    return tuple(variant.name for variant in variants)


def _checked(name: str, taus: Sequence[int]) -> tuple[int, ...]:
    if not taus or min(taus) < 1 or len(set(taus)) != len(taus):
        raise ConfigError(
            f"the intervals of --{name} are {list(taus)}; expected different whole numbers "
            "of frames, 1 or more"
        )
    return tuple(sorted(taus))
