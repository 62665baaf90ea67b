"""The plan of the ablation: the value of each cue and component, on the same segments."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from mapt_bench.baselines.rows import DEFAULT_MEMORY, row_name
from mapt_bench.baselines.thresholds import DEFAULT_THRESHOLDS, ThresholdsName
from mapt_bench.errors import ConfigError, nearest
from mapt_bench.experiments.plans.network_weights import MaptWeights, NetworkWeights
from mapt_bench.experiments.plans.oracle_rows import with_oracle_rows
from mapt_bench.experiments.plans.plan import Cell, Plan, Skip
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.experiments.plans.variants import (
    BASELINES,
    EXACT_FLOW,
    HAND_CRAFTED,
    HAND_CRAFTED_FUSIONS,
    NETWORK_FLOWS,
    ORACLE,
    ORACLE_IN_VIEW,
    SORT_SUCCESSORS,
    UNLINKED,
    chosen_rows,
    flow_of,
    flow_variant,
    mapt_fusions,
    mapt_heads,
    mapt_propagation,
    mapt_switch,
    trained_variant,
    with_added,
    with_and_without_memory,
    with_memory,
    with_settings,
)
from mapt_bench.metrics.step_links import BY_FACTORS

__all__ = ["ablation_plan", "flows_left_out", "in_order"]


def ablation_plan(
    *,
    memory: int = DEFAULT_MEMORY,
    mapt: MaptWeights | None = None,
    flow_weights: Sequence[NetworkWeights] = (),
    switches: Sequence[str] = (),
    trained: Sequence[MaptWeights] = (),
    segments: Sequence[str | None] = (None,),
    shared_segments: Sequence[str | None] = (),
    thresholds: ThresholdsName = DEFAULT_THRESHOLDS,
    reference: str | None = None,
    left_out: Sequence[str] = (),
    added: Sequence[Variant] = (),
    every_memory: bool = False,
    only: Sequence[str] | None = None,
    by: Sequence[str] = (),
) -> Plan:
    """Plan the ablation of cues, fusion orders, flows and memory on the same segments.

    All rows run with memory. Copying and MAPT's heads, alone and together, also run without it.
    Differences are taken to both heads with memory by default. Without MAPT, the cues without a
    network replace it, and the default reference is ``both``.

    Unlinked segments are the lower bound, ground-truth identities the upper bound. The ground-truth
    flow of synthetic videos is the upper bound of propagation. A flow network without weights has
    no row and is listed as skipped.

    Networks that were trained without a component have separate tables: on their own detections,
    and on shared segments.

    Args:
        memory: Track memory in frames, for rows with memory.
        mapt: Weights of MAPT. ``None`` plans rows without MAPT.
        flow_weights: Weights of the flow networks to run.
        switches: Components of MAPT to remove at inference, one row each; see
            :data:`~mapt_bench.mapt_switches.SWITCHES`.
        trained: Networks of the separate tables. The first one is their reference.
        segments: Names of the segments to link, one table each; see
            :class:`~mapt_bench.experiments.plans.plan.Cell`.
        shared_segments: Names of the segments that all networks of the separate tables link,
            besides their own detections.
        thresholds: Thresholds of the rows.
        reference: Row that differences are taken to.
        left_out: Flow networks with shipped weights. Those without a row are listed as skipped.
        added: Further rows. Whole trackers use their own detections.
        every_memory: Whether the other baselines and fusions also run without memory.
        only: Names of the rows to run, in this order, besides the bounds. ``None`` runs all.
        by: Factors by which links are counted for each step of a fusion. With any, each fusion has
            rows in which ground truth replaces its steps.

    Raises:
        ConfigError: If ``memory`` is below 1, a flow has weights twice, there are switches but no
            MAPT, no row has the name of the reference, a factor is unknown, or there are factors
            but no fusion.
    """
    if memory < 1:
        raise ConfigError(
            f"memory is {memory}; expected 1 frame or more for the rows with memory (each row also "
            "runs without memory)"
        )
    if switches and mapt is None:
        raise ConfigError("--switch removes a component of MAPT, and there is none; give --weights")
    for name in by:
        if name not in BY_FACTORS:
            raise ConfigError(f"--by names {name!r}; {nearest(name, BY_FACTORS)}")
    ordered = in_order(flow_weights)
    rows = (
        _rows_without_mapt(ordered, memory, every_memory)
        if mapt is None
        else _mapt_rows(mapt, ordered, switches, memory, every_memory)
    )
    every = with_added((UNLINKED, *rows, ORACLE_IN_VIEW, ORACLE), added)
    chosen = chosen_rows(every, only)
    variants = with_settings(with_oracle_rows(chosen) if by else chosen, thresholds)
    both = HAND_CRAFTED[2] if mapt is None else with_memory(mapt_heads(mapt)[2], memory)
    if reference is None and only and both.name not in only:
        reference = only[0]
    against = both.name if reference is None else _row_called(reference, variants, memory)
    networks = with_settings(
        [with_memory(trained_variant(each), memory) for each in trained], thresholds
    )
    own = [Cell(row, segments=each.name) for row, each in zip(networks, trained, strict=True)]
    return Plan(
        experiment="ablate",
        variants=(*variants, *networks),
        cells=(
            *dict.fromkeys(
                Cell(variant, segments=name) for name in segments for variant in variants
            ),
            *own,
            *(Cell(row, segments=name) for name in shared_segments for row in networks),
        ),
        reference=against,
        thresholds=thresholds,
        by=tuple(by),
        skipped=() if only is not None else _flows_without_row(left_out, variants, flow_weights),
    )


def _flows_without_row(
    left_out: Sequence[str], variants: Sequence[Variant], flow_weights: Sequence[NetworkWeights]
) -> tuple[Skip, ...]:
    """Return skips for the flow networks of an ablation without a row."""
    has_weights = {weights.name for weights in flow_weights} | {*left_out}
    return (
        *flows_left_out(left_out, variants),
        *(
            Skip(flow, f"needs weights; give --flow-weights {flow}=FILE")
            for flow in NETWORK_FLOWS
            if flow not in has_weights
        ),
    )


def in_order(flow_weights: Sequence[NetworkWeights]) -> list[NetworkWeights]:
    """Sort weights in the order of their flows in tables."""
    known = list(NETWORK_FLOWS)
    return sorted(
        flow_weights,
        key=lambda weights: (
            known.index(weights.name) if weights.name in known else len(known),
            weights.name,
        ),
    )


def flows_left_out(names: Sequence[str], variants: Sequence[Variant]) -> tuple[Skip, ...]:
    """Return skips for shipped flow networks without a row: they run only if requested."""
    rows = {flow_of(variant) for variant in variants}
    return tuple(
        Skip(name, f"takes several times as long as other rows; add --flow-weights {name}")
        for name in names
        if name not in rows
    )


def _row_called(text: str, variants: Sequence[Variant], memory: int) -> str:
    """Return the canonical name of a row of the plan."""
    names = [variant.name for variant in variants]
    if text in names:
        return text
    try:
        name = row_name(text, memory=memory)
    except ConfigError as problem:
        raise ConfigError(f"there is no row {text!r}; {nearest(text, names)}") from problem
    if name not in names:
        raise ConfigError(
            f"there is no row {name!r}; {nearest(name, names)}; or add it with --add {name}"
        )
    return name


def _mapt_rows(
    mapt: MaptWeights,
    flows: Sequence[NetworkWeights],
    switches: Sequence[str],
    memory: int,
    every_memory: bool,
) -> list[Variant]:
    if not (mapt.has_motion and mapt.has_appearance):
        raise ConfigError(
            f"the weights {mapt.name} lack a head, and an ablation needs both heads; give other "
            f"--weights, and these as --trained {mapt.name}"
        )
    _, appearance, both = HAND_CRAFTED
    crossed = (
        *BASELINES,
        *SORT_SUCCESSORS,
        replace(appearance, label="hand-crafted appearance", group="baseline"),
        replace(both, label="DIS + hand-crafted appearance", group="baseline"),
        *mapt_heads(mapt),
        *mapt_fusions(mapt),
        mapt_propagation(mapt),
    )
    memory_only = [
        flow_variant("flow:dis"),
        flow_variant("flow:dis", looks="+mapt", mapt=mapt),
    ]
    for weights in flows:
        memory_only += [
            flow_variant(weights.name, weights),
            flow_variant(weights.name, weights, looks="+mapt", mapt=mapt),
        ]
    memory_only += [mapt_switch(mapt, switch) for switch in switches]
    exact = EXACT_FLOW.associator
    memory_only += [flow_variant(exact), flow_variant(exact, looks="+mapt", mapt=mapt)]
    without = {"copy", *(head.name for head in mapt_heads(mapt))}
    return _with_memory(crossed, memory, None if every_memory else without) + [
        with_memory(variant, memory) for variant in memory_only
    ]


def _with_memory(
    variants: Sequence[Variant], memory: int, without: Collection[str] | None
) -> list[Variant]:
    """Return the rows with memory, and some of them (``None``: all) without memory as well."""
    return [
        row
        for variant in variants
        for row in with_and_without_memory(variant, memory)
        if row.memory or without is None or variant.name in without
    ]


def _rows_without_mapt(
    flows: Sequence[NetworkWeights], memory: int, every_memory: bool
) -> list[Variant]:
    exact = EXACT_FLOW.associator
    networks = [
        flow_variant(weights.name, weights, looks=looks)
        for weights in flows
        for looks in ("", "+appearance")
    ]
    every = (
        *BASELINES,
        *SORT_SUCCESSORS,
        *HAND_CRAFTED,
        *HAND_CRAFTED_FUSIONS,
        *networks,
        flow_variant(exact),
        flow_variant(exact, looks="+appearance"),
    )
    without = {"copy", *(cue.name for cue in HAND_CRAFTED)}
    return _with_memory(every, memory, None if every_memory else without)
