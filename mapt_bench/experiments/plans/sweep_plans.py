"""Plans of sweeps: over temporal intervals, and over the levels of stressors."""

from collections.abc import Sequence
from dataclasses import replace

from mapt_bench.baselines.rows import DEFAULT_MEMORY, tracker_entry
from mapt_bench.baselines.thresholds import DEFAULT_THRESHOLDS, ThresholdsName
from mapt_bench.errors import ConfigError, nearest
from mapt_bench.experiments.experiment_config import DEFAULT_LEVELS, DEFAULT_TAUS, FAILURES
from mapt_bench.experiments.plans.ablation_plan import flows_left_out, in_order
from mapt_bench.experiments.plans.network_weights import MaptWeights, NetworkWeights
from mapt_bench.experiments.plans.plan import Cell, Plan, Series, Sweep
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.experiments.plans.variants import (
    BASELINES,
    EXACT_FLOW,
    HAND_CRAFTED,
    HAND_CRAFTED_FUSIONS,
    ORACLE,
    chosen_rows,
    flow_variant,
    mapt_fusions,
    mapt_heads,
    with_added,
    with_and_without_memory,
    with_memory,
    with_settings,
)
from mapt_bench.stress import LEVEL_COUNT, STRESS_KINDS, Stress, StressEntry, stress_entries

__all__ = ["DEFAULT_STRESSORS", "FAILURE_LEVELS", "interval_plan", "stress_plan"]


def interval_plan(
    *,
    drop: Sequence[int] | None = DEFAULT_TAUS,
    pair: Sequence[int] | None = DEFAULT_TAUS,
    memory: int = 0,
    mapt: MaptWeights | None = None,
    flow_weights: Sequence[NetworkWeights] = (),
    thresholds: ThresholdsName = DEFAULT_THRESHOLDS,
    left_out: Sequence[str] = (),
    added: Sequence[Variant] = (),
    only: Sequence[str] | None = None,
) -> Plan:
    """Plan the sweeps over temporal intervals: dropped frames, pairing intervals, or both.

    All trackers run with dropped frames. With pairing intervals, the references run, and the
    trackers that support one. Each interval of both sweeps has the references: copying the last
    masks, the oracle and, on synthetic videos, propagation by the ground-truth flow. Interval 1 is
    the same cell in both sweeps.

    Args:
        drop: Intervals of the sweep with dropped frames. ``None`` omits it.
        pair: Intervals of the sweep with pairing intervals. ``None`` omits it.
        memory: Track memory in frames, in every row that supports memory.
        mapt: Weights of MAPT, with one row for each head, for both, and for the fusion of the
            paper. ``None`` plans the cues without MAPT.
        flow_weights: Weights of flow networks, with one row each.
        thresholds: Thresholds of the rows.
        left_out: Flow networks with shipped weights. Those without a row are listed as skipped.
        added: Further rows, each with its own memory.
        only: Names of the rows to run, in this order, besides the bounds. ``None`` runs all.

    Raises:
        ConfigError: If there is no sweep, a flow has weights twice, or an interval or the memory
            is out of range.
    """
    if memory < 0:
        raise ConfigError(f"memory is {memory}; expected 0 frames or more")
    if drop is None and pair is None:
        raise ConfigError("there is nothing to sweep; give intervals for --drop or --pair")
    rows = _rows(memory, mapt, flow_weights)
    variants = with_settings(chosen_rows(with_added(rows, added), only), thresholds)
    sweeps: list[Sweep] = []
    if drop is not None:
        sweeps.append(Sweep("drop", _checked("drop", drop), _names(variants)))
    if pair is not None:
        paired = tuple(
            variant
            for variant in variants
            if variant.group == "reference" or tracker_entry(variant.associator).supports_pair
        )
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
        variants=variants,
        cells=tuple(cells),
        reference=variants[0].name,
        thresholds=thresholds,
        sweeps=tuple(sweeps),
        skipped=flows_left_out(left_out, variants) if only is None else (),
    )


def _rows(
    memory: int,
    mapt: MaptWeights | None,
    flow_weights: Sequence[NetworkWeights],
) -> list[Variant]:
    copy, *baselines = BASELINES
    cues = HAND_CRAFTED if mapt is None else (*_heads_and_paper(mapt), flow_variant("flow:dis"))
    chosen = (
        replace(copy, group="reference"),
        *baselines,
        *cues,
        *(flow_variant(weights.name, weights) for weights in in_order(flow_weights)),
        flow_variant(EXACT_FLOW.associator),
        ORACLE,
    )
    return [with_and_without_memory(row, memory)[-1 if memory else 0] for row in chosen]


def _heads_and_paper(mapt: MaptWeights) -> tuple[Variant, ...]:
    """Return the rows of the heads, and of the paper's fusion if the weights have both heads."""
    motion, appearance, both = mapt_heads(mapt)
    paper = mapt_fusions(mapt)[:1] if mapt.has_motion and mapt.has_appearance else ()
    return (motion, appearance, *paper, both)


def _names(variants: Sequence[Variant]) -> tuple[str, ...]:
    return tuple(variant.name for variant in variants)


def _checked(name: str, taus: Sequence[int]) -> tuple[int, ...]:
    if not taus or min(taus) < 1 or len(set(taus)) != len(taus):
        raise ConfigError(
            f"the intervals of --{name} are {list(taus)}; expected distinct whole numbers of "
            "frames, 1 or more"
        )
    return tuple(sorted(taus))


DEFAULT_STRESSORS = {
    "occlusion": ("bars", "passing", "pasted"),
    FAILURES: ("speed", "passing", "look-alikes", "blur"),
}
"""Default stressors of kinds that do not run all of theirs, so that a test takes a few minutes.
The level of bars is the covered share, that of passing blocks the length of the occlusion gap.
Pasted occluders have the appearance of the objects that they hide. Failures have one stressor
for each failure signature: rapid motion, occlusion, look-alikes and blur."""

FAILURE_LEVELS = (3,)
"""Default levels of a test of failures: one, so that it has one table."""

_WITH_MEMORY = ("bytetrack", "both")
"""Rows without MAPT that run with memory, too: a box tracker, and both cues. Next to MAPT, whose
rows all have memory, they run only with memory."""


def stress_plan(
    kind: str,
    *,
    stressors: Sequence[str] = (),
    levels: Sequence[int] | None = None,
    memory: int = DEFAULT_MEMORY,
    seed: int = 0,
    mapt: MaptWeights | None = None,
    segments: Sequence[str | None] = (None,),
    thresholds: ThresholdsName = DEFAULT_THRESHOLDS,
    added: Sequence[Variant] = (),
    only: Sequence[str] | None = None,
) -> Plan:
    """Plan a stress test of one kind, or of the failure signatures of the paper.

    Every tracker runs on the unchanged videos (level 0), and with every stressor at every level.
    Copying the last masks and the oracle are the references of each level. All rows of MAPT have
    memory. Tests of occlusion and motion also have the rows of other fusion orders. A test of
    failures has only the references and the rows of MAPT, in all fusion orders. Without
    MAPT, the cues without a network replace them.

    Args:
        kind: ``"occlusion"``, ``"motion"``, ``"similarity"``, ``"image"``, or ``"failures"`` for
            stressors of several kinds.
        stressors: Names of stressors of the kind; for failures, of any kind. Empty for those of
            :data:`DEFAULT_STRESSORS` or, for other kinds, all of them.
        levels: Distinct levels, 1 to 5. ``None`` for the default levels of the kind.
        memory: Track memory in frames, for rows with memory.
        seed: Seed of the stressors.
        mapt: Weights of MAPT. A head that the weights lack has no row. ``None`` plans rows
            without MAPT.
        segments: Names of the segments to link, with separate tables; see
            :class:`~mapt_bench.experiments.plans.plan.Cell`.
        thresholds: Thresholds of the rows.
        added: Further rows. Whole trackers use their own detections.
        only: Names of the rows to run, in this order, besides the bounds. ``None`` runs all.

    Raises:
        ConfigError: If the kind or a stressor is unknown, a level is out of range or occurs twice,
            or ``memory`` is below 1.
    """
    if memory < 1:
        raise ConfigError(f"memory is {memory}; expected 1 frame or more for rows with memory")
    if levels is None:
        levels = FAILURE_LEVELS if kind == FAILURES else DEFAULT_LEVELS
    chosen = _checked_levels(levels)
    series = tuple(
        Series(entry.name, tuple(Stress(entry.name, level, seed) for level in chosen))
        for entry in _entries(kind, stressors)
    )
    every = with_added(_variants(kind, memory, mapt), added)
    variants = with_settings(chosen_rows(every, only), thresholds)
    cells = {
        each.cell(variant, stress, name): None
        for name in segments
        for each in series
        for stress in (None, *each.stresses)
        for variant in variants
    }
    return Plan(
        experiment=f"stress-{kind}",
        variants=variants,
        cells=tuple(cells),
        reference=None,
        thresholds=thresholds,
        series=series,
    )


def _checked_levels(levels: Sequence[int]) -> tuple[int, ...]:
    if not levels or len(set(levels)) != len(levels) or not set(levels) <= _known_levels():
        raise ConfigError(
            f"the levels are {list(levels)}; expected distinct levels from 1 (mild) to "
            f"{LEVEL_COUNT}; level 0, the unchanged videos, always runs"
        )
    return tuple(sorted(levels))


def _known_levels() -> set[int]:
    return set(range(1, LEVEL_COUNT + 1))


def _entries(kind: str, names: Sequence[str]) -> list[StressEntry]:
    known = {entry.name: entry for each in _kinds(kind) for entry in stress_entries(each)}
    for name in names:
        if name not in known:
            of_kind = "" if kind == FAILURES else f" of kind {kind!r}"
            raise ConfigError(f"no stressor {name!r}{of_kind}; {nearest(name, known)}")
    if len(set(names)) != len(names):
        raise ConfigError(f"a stressor occurs twice in {list(names)}; give each once")
    # A test of failures has one column for each stressor, in the order in which they are given.
    asked = names or DEFAULT_STRESSORS.get(kind) or tuple(known)
    return [known[name] for name in (asked if kind == FAILURES else known) if name in asked]


def _kinds(kind: str) -> Sequence[str]:
    """Return the kinds of the stressors that a test may have."""
    if kind == FAILURES:
        return STRESS_KINDS
    if kind not in STRESS_KINDS:
        known = (*STRESS_KINDS, FAILURES)
        raise ConfigError(f"unknown kind of stress {kind!r}; {nearest(kind, known)}")
    return (kind,)


def _variants(kind: str, memory: int, mapt: MaptWeights | None) -> tuple[Variant, ...]:
    copy, *baselines = BASELINES
    reference = replace(copy, group="reference", memory=0)
    orders = kind in ("occlusion", "motion", FAILURES)
    fusions = HAND_CRAFTED_FUSIONS if orders and mapt is None else ()
    own = () if mapt is None else _mapt_rows(mapt, memory, orders=orders)
    if kind == FAILURES:
        without = [with_memory(row, memory) for row in (*HAND_CRAFTED, *fusions)]
        return (reference, *(own or without), ORACLE)
    variants: list[Variant] = []
    for variant in (reference, *baselines, *HAND_CRAFTED, *fusions):
        rows = with_and_without_memory(variant, memory)
        first = 0 if mapt is None else 1
        variants += rows[first:] if variant.name in _WITH_MEMORY else rows[:1]
    return (*variants, *own, ORACLE)


def _mapt_rows(mapt: MaptWeights, memory: int, *, orders: bool) -> tuple[Variant, ...]:
    """Return the rows of the heads that the weights have, and of their fusion in other orders."""
    motion, appearance, both = mapt_heads(mapt)
    rows = [
        *([motion] if mapt.has_motion else []),
        *([appearance] if mapt.has_appearance else []),
    ]
    if mapt.has_motion and mapt.has_appearance:
        paper, *others = mapt_fusions(mapt)
        rows += [paper, both, *(others if orders else [])]
    return tuple(with_memory(row, memory) for row in rows)
