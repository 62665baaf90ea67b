"""The plan of the main job: what each part is worth, on the same segments."""

from collections.abc import Sequence
from dataclasses import replace

from mapt_bench.baselines.rows import DEFAULT_MEMORY, row_name
from mapt_bench.baselines.thresholds import DEFAULT_THRESHOLDS, ThresholdsName
from mapt_bench.errors import ConfigError, nearest
from mapt_bench.experiments.plans.network_weights import MaptWeights, NetworkWeights
from mapt_bench.experiments.plans.plan import Cell, Plan, Skip
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.experiments.plans.variants import (
    BASELINES,
    EXACT_FLOW,
    HAND_MADE,
    HAND_MADE_FUSIONS,
    NETWORK_FLOWS,
    ORACLE,
    ORACLE_IN_VIEW,
    UNLINKED,
    flow_of,
    flow_variant,
    mapt_fusions,
    mapt_heads,
    mapt_switch,
    trained_variant,
    with_added,
    with_and_without_memory,
    with_memory,
    with_settings,
)

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
) -> Plan:
    """Plan the ablation of cues, fusion orders, flows and memory on the same segments.

    With MAPT: its heads, alone and together, and the baselines are each run without and with
    memory; the orders of fusion, the flows in place of the motion head and parts switched off are
    run with memory. Differences are taken to both heads with memory, if to no other row. Without
    MAPT the cues that need no network take its place, and the reference is ``both``.

    Unlinked segments are the floor, true identities the ceiling, and the true flow, where videos
    know it, the ceiling of propagation. A flow network without weights has no row and is listed as
    skipped.

    Networks that were trained without a part have a table of their own: each with the segments
    that it finds itself, and on those that all share.

    Args:
        memory: Frames that a lost track is kept for in the rows with memory.
        mapt: Weights of MAPT; ``None`` runs what needs none.
        flow_weights: Of the flow networks that can run.
        switches: Parts of MAPT to switch off, one row each; see
            :data:`~mapt_bench.mapt_switches.SWITCHES`.
        trained: Networks of the second table; the first is what the others are compared with.
        segments: Names of what is linked, a table each; see
            :class:`~mapt_bench.experiments.plans.plan.Cell`.
        shared_segments: Those on which the networks of the second table are run, besides the
            segments of their own name.
        thresholds: Which thresholds the rows run with.
        reference: The row that differences are taken to.
        left_out: Flow networks that could run; those that do not are listed as skipped.
        added: Rows that run besides those of the plan; whole trackers link what they find.

    Raises:
        ConfigError: If ``memory`` is below 1, a flow is given weights twice, switches are asked
            for without MAPT, or there is no row of the name of the reference.
    """
    if memory < 1:
        raise ConfigError(
            f"memory is {memory}; the rows with memory need 1 frame or more (each row is also "
            "run without memory)"
        )
    if switches and mapt is None:
        raise ConfigError("there is no MAPT in which to switch anything off; give its weights")
    ordered = in_order(flow_weights)
    rows = (
        _hand_made_rows(ordered, memory)
        if mapt is None
        else _mapt_rows(mapt, ordered, switches, memory)
    )
    every = with_added((UNLINKED, *rows, ORACLE_IN_VIEW, ORACLE), added)
    variants = with_settings(every, thresholds)
    both = HAND_MADE[2] if mapt is None else with_memory(mapt_heads(mapt)[2], memory)
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
        skipped=(
            *flows_left_out(left_out, variants),
            *(
                Skip(flow, f"needs weights; give --flow-weights {flow}=FILE")
                for flow in NETWORK_FLOWS
                if flow not in {weights.name for weights in flow_weights} | {*left_out}
            ),
        ),
    )


def in_order(flow_weights: Sequence[NetworkWeights]) -> list[NetworkWeights]:
    """Sort weights as tables list their flows, however they were given."""
    known = list(NETWORK_FLOWS)
    return sorted(
        flow_weights,
        key=lambda weights: (
            known.index(weights.name) if weights.name in known else len(known),
            weights.name,
        ),
    )


def flows_left_out(names: Sequence[str], variants: Sequence[Variant]) -> tuple[Skip, ...]:
    """Return skips for shipped flow networks without a row: they run only if they are named."""
    rows = {flow_of(variant) for variant in variants}
    return tuple(
        Skip(name, f"takes several times as long as other rows; --flow-weights {name} runs it")
        for name in names
        if name not in rows
    )


def _row_called(text: str, variants: Sequence[Variant], memory: int) -> str:
    """Return the name of the row that a text means, in whatever spelling."""
    names = [variant.name for variant in variants]
    if text in names:
        return text
    try:
        name = row_name(text, memory=memory)
    except ConfigError as problem:
        raise ConfigError(f"there is no row {text!r}; {nearest(text, names)}") from problem
    if name not in names:
        raise ConfigError(f"there is no row {name!r}; {nearest(name, names)}; --add adds one")
    return name


def _mapt_rows(
    mapt: MaptWeights,
    flows: Sequence[NetworkWeights],
    switches: Sequence[str],
    memory: int,
) -> list[Variant]:
    if not (mapt.has_motion and mapt.has_appearance):
        raise ConfigError(
            f"the weights {mapt.name} lack a head; an ablation needs both: give others, and these "
            "as --trained"
        )
    _, looks, both = HAND_MADE
    crossed = (
        *BASELINES,
        replace(looks, label="hand-made appearance", group="baseline"),
        replace(both, label="DIS + hand-made appearance", group="baseline"),
        *mapt_heads(mapt),
    )
    with_memory_alone = [
        *mapt_fusions(mapt),
        flow_variant("flow:dis"),
        flow_variant("flow:dis", looks="+mapt", mapt=mapt),
    ]
    for weights in flows:
        with_memory_alone += [
            flow_variant(weights.name, weights),
            flow_variant(weights.name, weights, looks="+mapt", mapt=mapt),
        ]
    with_memory_alone += [mapt_switch(mapt, switch) for switch in switches]
    exact = EXACT_FLOW.associator
    with_memory_alone += [flow_variant(exact), flow_variant(exact, looks="+mapt", mapt=mapt)]
    return [row for variant in crossed for row in with_and_without_memory(variant, memory)] + [
        with_memory(variant, memory) for variant in with_memory_alone
    ]


def _hand_made_rows(flows: Sequence[NetworkWeights], memory: int) -> list[Variant]:
    exact = EXACT_FLOW.associator
    networks = [
        flow_variant(weights.name, weights, looks=looks)
        for weights in flows
        for looks in ("", "+appearance")
    ]
    every = (
        *BASELINES,
        *HAND_MADE,
        *HAND_MADE_FUSIONS,
        *networks,
        flow_variant(exact),
        flow_variant(exact, looks="+appearance"),
    )
    return [row for variant in every for row in with_and_without_memory(variant, memory)]
