"""Plans of stress tests: trackers under stressors at rising levels."""

from collections.abc import Sequence
from dataclasses import replace

from mapt_bench.baselines.rows import DEFAULT_MEMORY
from mapt_bench.baselines.thresholds import DEFAULT_THRESHOLDS, ThresholdsName
from mapt_bench.errors import ConfigError, nearest
from mapt_bench.experiments.plans.plan import Plan, Series
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.experiments.plans.variants import (
    BASELINES,
    HAND_MADE,
    HAND_MADE_FUSIONS,
    ORACLE,
    with_added,
    with_and_without_memory,
    with_settings,
)
from mapt_bench.stress import LEVEL_COUNT, Stress, StressEntry, stress_entries

__all__ = ["DEFAULT_LEVELS", "DEFAULT_STRESSORS", "stress_plan"]

DEFAULT_LEVELS = (1, 3, 5)
"""Levels of a stress test unless others are asked for."""

DEFAULT_STRESSORS = {"occlusion": ("bars", "passing", "pasted")}
"""Kinds of which not every stressor runs by default, so that a test takes a few minutes. Bars go by
the share that they cover, passing blocks by the length of the gap; what is pasted looks like what
it hides."""

_WITH_MEMORY = ("bytetrack", "both")
"""Rows that are run with memory too: a tracker of boxes, and both cues."""


def stress_plan(
    kind: str,
    *,
    stressors: Sequence[str] = (),
    levels: Sequence[int] = DEFAULT_LEVELS,
    memory: int = DEFAULT_MEMORY,
    seed: int = 0,
    thresholds: ThresholdsName = DEFAULT_THRESHOLDS,
    added: Sequence[Variant] = (),
) -> Plan:
    """Plan a stress test of one kind.

    Every tracker runs on the videos as they are (level 0), and under every stressor at every
    level. Copying the last masks and the oracle are the references of each level. Under occlusion
    the orders of fusion are run too.

    Args:
        kind: ``"occlusion"``, ``"motion"``, ``"similarity"`` or ``"image"``.
        stressors: Names of stressors of the kind; those of :data:`DEFAULT_STRESSORS` or, for
            other kinds, all of them unless given.
        levels: Different levels, 1 to 5.
        memory: Frames that a lost track is kept for in the rows with memory.
        seed: Of everything random in the stressors.
        thresholds: Which thresholds the rows run with.
        added: Rows that run besides those of the plan.

    Raises:
        ConfigError: If the kind or a stressor is unknown, a level is out of range or given twice,
            or ``memory`` is below 1.
    """
    if memory < 1:
        raise ConfigError(f"memory is {memory}; the rows with memory need 1 frame or more")
    chosen = _checked_levels(levels)
    series = tuple(
        Series(entry.name, tuple(Stress(entry.name, level, seed) for level in chosen))
        for entry in _entries(kind, stressors)
    )
    variants = with_settings(with_added(_variants(kind, memory), added), thresholds)
    cells = {
        each.cell(variant, stress): None
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
            f"the levels are {list(levels)}; expected different ones of 1 (mild) to {LEVEL_COUNT}; "
            "level 0, the videos as they are, is always run"
        )
    return tuple(sorted(levels))


def _known_levels() -> set[int]:
    return set(range(1, LEVEL_COUNT + 1))


def _entries(kind: str, names: Sequence[str]) -> list[StressEntry]:
    known = {entry.name: entry for entry in stress_entries(kind)}
    for name in names:
        if name not in known:
            raise ConfigError(f"no stressor {name!r} of kind {kind!r}; {nearest(name, known)}")
    if len(set(names)) != len(names):
        raise ConfigError(f"a stressor is given twice in {list(names)}; name each once")
    chosen = names or DEFAULT_STRESSORS.get(kind) or tuple(known)
    return [entry for name, entry in known.items() if name in chosen]


def _variants(kind: str, memory: int) -> tuple[Variant, ...]:
    copy, *baselines = BASELINES
    orders = HAND_MADE_FUSIONS if kind == "occlusion" else ()
    variants: list[Variant] = []
    for variant in (replace(copy, group="reference"), *baselines, *HAND_MADE, *orders):
        rows = with_and_without_memory(variant, memory)
        variants += rows if variant.name in _WITH_MEMORY else rows[:1]
    return (*variants, ORACLE)
