"""What an experiment runs: variants of trackers under temporal intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mapt_bench.errors import ConfigError

__all__ = [
    "DEFAULT_TAUS",
    "Cell",
    "Group",
    "Plan",
    "Setting",
    "Sweep",
    "Traits",
    "Variant",
    "ablation_plan",
    "interval_plan",
]

DEFAULT_TAUS = (1, 2, 3, 5)
"""Intervals of a sweep: those of the experiments that the paper invites."""

_MEMORY = 10

Group = Literal["reference", "baseline", "heads", "fusion"]
Setting = tuple[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Traits:
    """What a plan has to know of an associator.

    Attributes:
        supports_memory: Whether lost tracks can be kept.
        supports_pair: Whether a pairing interval other than 1 means anything.
    """

    supports_memory: bool
    supports_pair: bool


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of an experiment.

    Attributes:
        name: Unique in its plan, for example ``"both+memory"``.
        label: How tables and plots call it.
        group: Which question it belongs to; rows of ``"reference"`` compete for nothing.
        associator: Name of the associator that links the segments.
        memory: Frames that a lost track is kept for; ``None`` where the associator has no memory.
        settings: Settings of the associator that are not its defaults.
    """

    name: str
    label: str
    group: Group
    associator: str
    memory: int | None = None
    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """One variant under one condition.

    Attributes:
        variant: What is run.
        drop: Only every ``drop``-th frame exists, for the tracker and the truth alike.
        pair: The tracker pairs frame t with frame t - ``pair``.
    """

    variant: Variant
    drop: int = 1
    pair: int = 1


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
        belongs = other == 1 and tau in self.taus and cell.variant.name in self.variants
        return tau if belongs else None


@dataclass(frozen=True, slots=True)
class Plan:
    """An experiment: its rows and its cells.

    Attributes:
        experiment: ``"ablate"`` or ``"sweep-interval"``.
        variants: In the order of tables.
        cells: Everything there is to run, each once.
        reference: Name of the variant that paired differences are taken to.
        sweeps: None of an ablation.

    Raises:
        ConfigError: If two variants share a name.
    """

    experiment: str
    variants: tuple[Variant, ...]
    cells: tuple[Cell, ...]
    reference: str
    sweeps: tuple[Sweep, ...] = ()

    def __post_init__(self) -> None:
        names = [variant.name for variant in self.variants]
        if len(names) != len(set(names)):
            raise ConfigError(f"variants of a plan need names of their own; found {names}")


_REFERENCES = (
    Variant("unlinked", "unlinked", "reference", "unlinked"),
    Variant("oracle", "oracle", "reference", "oracle"),
)
_BASELINES = (
    Variant("copy", "copy", "baseline", "copy"),
    Variant("iou", "IoU", "baseline", "iou"),
    Variant("sort", "SORT", "baseline", "sort"),
    Variant("bytetrack", "ByteTrack", "baseline", "bytetrack"),
)
_HEADS = (
    Variant("motion", "motion", "heads", "motion"),
    Variant("appearance", "appearance", "heads", "appearance"),
    Variant("both", "both (motion first)", "heads", "both"),
)
_FUSIONS = (
    Variant("appearance-first", "appearance first", "fusion", "both:appearance-first"),
    Variant("simultaneous", "simultaneous", "fusion", "both:simultaneous"),
)

_TraitsOf = Callable[[str], Traits]


def ablation_plan(traits_of: _TraitsOf, *, memory: int = _MEMORY) -> Plan:
    """Plan the ablation of cues, fusion orders and memory on the same segments.

    Copying, IoU, SORT, ByteTrack, the cues (motion, appearance, both) and the orders of fusion
    are each run without and with memory, wherever memory means something. Motion first is how
    ``both`` fuses, so it is one row and not two. Unlinked segments are the floor, true identities
    the ceiling. Differences are taken to ``both`` without memory, the fusion of the paper.

    Args:
        traits_of: Says of an associator's name what it supports.
        memory: Frames that a lost track is kept for in the rows with memory.

    Raises:
        ConfigError: If ``memory`` is below 1.
    """
    if memory < 1:
        raise ConfigError(
            f"memory is {memory}; the rows with memory need 1 frame or more (each row is also "
            "run without memory)"
        )
    variants = [_REFERENCES[0]]
    for variant in (*_BASELINES, *_HEADS, *_FUSIONS):
        variants.extend(_with_and_without(variant, traits_of(variant.associator), memory))
    variants.append(_REFERENCES[1])
    return Plan(
        experiment="ablate",
        variants=tuple(variants),
        cells=tuple(Cell(variant) for variant in variants),
        reference="both",
    )


def _with_and_without(variant: Variant, traits: Traits, memory: int) -> list[Variant]:
    if not traits.supports_memory:
        return [variant]
    with_memory = replace(
        variant, name=f"{variant.name}+memory", label=f"{variant.label} + memory", memory=memory
    )
    return [replace(variant, memory=0), with_memory]


def interval_plan(
    traits_of: _TraitsOf,
    *,
    drop: Sequence[int] | None = DEFAULT_TAUS,
    pair: Sequence[int] | None = DEFAULT_TAUS,
    memory: int = 0,
) -> Plan:
    """Plan the sweeps over temporal intervals: dropped frames, pairing intervals, or both.

    With dropped frames every tracker runs; with a pairing interval those that have one, next to
    the references. Copying the last masks and the oracle are in every interval of both sweeps.
    Interval 1 of the two sweeps is the same cell.

    Args:
        traits_of: Says of an associator's name what it supports.
        drop: Intervals of the sweep with dropped frames; ``None`` leaves it out.
        pair: Intervals of the sweep with pairing intervals; ``None`` leaves it out.
        memory: Frames that a lost track is kept for, in every row that has memory.

    Raises:
        ConfigError: If there is no sweep, or an interval or the memory is out of range.
    """
    if memory < 0:
        raise ConfigError(f"memory is {memory}; expected 0 frames or more")
    if drop is None and pair is None:
        raise ConfigError("there is nothing to sweep; give intervals for --drop or --pair")
    references = (replace(_BASELINES[0], group="reference"), _REFERENCES[1])
    chosen = [references[0], *_BASELINES[1:], *_HEADS, references[1]]
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
