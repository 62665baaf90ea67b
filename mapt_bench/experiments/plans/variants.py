"""The rows of experiments: the tracker of each row, and the question that it answers."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from mapt_bench.baselines.registry import AssociatorEntry
from mapt_bench.baselines.rows import (
    DEFAULT_MEMORY,
    Row,
    check_settings,
    parse_row,
    reads_truth,
    thresholds_of,
    tracker_entry,
)
from mapt_bench.baselines.thresholds import Setting, ThresholdsName, settings_of
from mapt_bench.baselines.user_trackers import UserTracker
from mapt_bench.errors import ConfigError, nearest
from mapt_bench.experiments.plans.network_weights import (
    LOADED,
    MaptWeights,
    NetworkWeights,
    WeightsReader,
    shipped_flow_files,
)
from mapt_bench.experiments.plans.variant import Group, UserCode, Variant
from mapt_bench.files import file_sha256

__all__ = [
    "BASELINES",
    "EXACT_FLOW",
    "HAND_CRAFTED",
    "HAND_CRAFTED_FUSIONS",
    "NETWORK_FLOWS",
    "ORACLE",
    "ORACLE_IN_VIEW",
    "SORT_SUCCESSORS",
    "UNLINKED",
    "added_variant",
    "chosen_rows",
    "flow_of",
    "flow_variant",
    "mapt_fusions",
    "mapt_heads",
    "mapt_propagation",
    "mapt_switch",
    "trained_variant",
    "with_added",
    "with_and_without_memory",
    "with_memory",
    "with_settings",
]

UNLINKED = Variant("unlinked", "unlinked", "reference", "unlinked")
ORACLE = Variant("oracle", "oracle", "reference", "oracle")
ORACLE_IN_VIEW = Variant("oracle:in-view", "oracle, in view", "reference", "oracle:in-view")
"""Upper bound of association without memory."""
BASELINES = (
    Variant("copy", "copy", "baseline", "copy"),
    Variant("iou", "IoU", "baseline", "iou"),
    Variant("sort", "SORT", "baseline", "sort"),
    Variant("bytetrack", "ByteTrack", "baseline", "bytetrack"),
)
SORT_SUCCESSORS = (
    Variant("oc-sort", "OC-SORT", "baseline", "oc-sort"),
    Variant("deep-oc-sort", "Deep OC-SORT", "baseline", "deep-oc-sort"),
    Variant("bot-sort", "BoT-SORT", "baseline", "bot-sort"),
)
"""Baselines of ablations alone: sweeps omit them."""
HAND_CRAFTED = (
    Variant("motion", "motion", "heads", "motion"),
    Variant("appearance", "appearance", "heads", "appearance"),
    Variant("both", "both (motion first)", "heads", "both"),
)
"""The two cues without a network: DIS optical flow, and hand-crafted appearance."""
HAND_CRAFTED_FUSIONS = (
    Variant("both:appearance-first", "appearance first", "fusion", "both:appearance-first"),
    Variant("both:simultaneous", "simultaneous", "fusion", "both:simultaneous"),
)
EXACT_FLOW = Variant("flow:exact", "exact flow", "reference", "flow:exact")
"""Upper bound of propagation: it reads the ground-truth flow, so it is a reference only."""
NETWORK_FLOWS = {
    "flow:flownet2-narrow": "narrow FlowNet2",
    "flow:raft-small": "RAFT-small",
    "flow:raft-large": "RAFT-large",
    "flow:flownet2": "FlowNet2",
}
"""Flow networks with a row in the ablation, if their weights are given, and their labels."""

_FLOW_LABELS = {**NETWORK_FLOWS, "flow:dis": "DIS", "flow:exact": "exact flow"}


def mapt_heads(mapt: MaptWeights) -> tuple[Variant, Variant, Variant]:
    """Return the rows of MAPT's heads, alone and together."""
    motion, appearance, both = (
        Variant(name, label, "heads", name, mapt=mapt)
        for name, label in (
            ("mapt:motion", "MAPT motion"),
            ("mapt:appearance", "MAPT appearance"),
            ("mapt", "MAPT both"),
        )
    )
    return motion, appearance, both


def mapt_fusions(mapt: MaptWeights) -> tuple[Variant, ...]:
    """Return the rows of the paper's fusion, and of its cues in the other orders."""
    labels = {
        "mapt:paper": "MAPT, fusion of the paper",
        "mapt:appearance-first": "MAPT appearance first",
        "mapt:simultaneous": "MAPT simultaneous",
    }
    return tuple(Variant(name, label, "fusion", name, mapt=mapt) for name, label in labels.items())


def mapt_propagation(mapt: MaptWeights) -> Variant:
    """Return the row that links by the motion head's masks alone, as the rows of flows do."""
    return Variant("mapt:propagation", "MAPT propagation", "flow", "mapt:propagation", mapt=mapt)


def mapt_switch(mapt: MaptWeights, switch: str) -> Variant:
    """Return the row of MAPT with a component removed at inference, or with a setting changed.

    Args:
        mapt: Weights.
        switch: A name of :data:`~mapt_bench.mapt_switches.SWITCHES`, or ``SETTING=VALUE`` of the
            association.

    Raises:
        ConfigError: If the component or setting is unknown, or the value is out of range.
    """
    row = parse_row(f"mapt,{switch}" if "=" in switch else f"mapt,switch={switch}")
    return Variant(
        name=str(row),
        label=f"MAPT, {switch}",
        group="switch",
        associator="mapt",
        settings=row.settings,
        mapt=mapt,
        switches=row.switches,
    )


def trained_variant(mapt: MaptWeights) -> Variant:
    """Return the row of a network that was trained without a component, with all its heads.

    Raises:
        ConfigError: If it has neither a motion head nor an appearance head.
    """
    if not (mapt.has_motion or mapt.has_appearance):
        raise ConfigError(
            f"the network {mapt.name} has neither a motion head nor an appearance head; omit it"
        )
    heads = "mapt"
    if not mapt.has_motion:
        heads = "mapt:appearance"
    elif not mapt.has_appearance:
        heads = "mapt:motion"
    name = str(Row(heads, weights=mapt.name))
    return Variant(name, mapt.name, "trained", heads, mapt=mapt)


def flow_variant(
    flow: str,
    weights: NetworkWeights | None = None,
    *,
    looks: Literal["", "+appearance", "+mapt"] = "",
    mapt: MaptWeights | None = None,
) -> Variant:
    """Return the row of a flow: alone, or with appearance for the segments that it does not link.

    Args:
        flow: Name of the flow source.
        weights: Weights of its network.
        looks: Appearance: none, hand-crafted, or MAPT's.
        mapt: Weights of the MAPT that computes the appearance.
    """
    base = _FLOW_LABELS.get(flow, flow)
    added = {"": "", "+appearance": " + appearance", "+mapt": " + MAPT appearance"}[looks]
    group: Group = "reference" if flow == EXACT_FLOW.associator else "flow"
    name = f"{flow}{looks}"
    return Variant(name, f"{base}{added}", group, name, weights=weights, mapt=mapt)


def flow_of(variant: Variant) -> str | None:
    """Return the name of a row's flow source, ``None`` if it has none."""
    entry = tracker_entry(variant.associator)
    return entry.flow if isinstance(entry, AssociatorEntry) else None


def with_memory(variant: Variant, memory: int) -> Variant:
    """Return the same row with memory."""
    number = "" if memory == DEFAULT_MEMORY else f" {memory}"
    return replace(
        variant,
        name=str(replace(parse_row(variant.name), memory=memory)),
        label=f"{variant.label} + memory{number}",
        memory=memory,
    )


def with_and_without_memory(variant: Variant, memory: int) -> Sequence[Variant]:
    """Return a row without and with memory. A tracker without memory has one row."""
    if not tracker_entry(variant.associator).supports_memory:
        return (variant,)
    return (replace(variant, memory=0), with_memory(variant, memory))


def with_settings(variants: Sequence[Variant], thresholds: ThresholdsName) -> tuple[Variant, ...]:
    """Return rows with all their settings. Own settings override tuned or published ones.

    Raises:
        ConfigError: If there are no such thresholds, or they do not fit a tracker.
        DataError: If their file cannot be used.
    """
    found = []
    for variant in variants:
        settings = settings_of(variant.associator, variant.settings, thresholds)
        check_settings(variant.associator, settings)
        origin = thresholds_of(variant.associator, thresholds)
        found.append(replace(variant, settings=settings, thresholds=origin))
    return tuple(found)


def with_added(variants: Sequence[Variant], added: Sequence[Variant]) -> tuple[Variant, ...]:
    """Return the rows of a plan and the rows that the user adds, each name once."""
    known = {variant.name for variant in variants}
    new = {variant.name: variant for variant in added if variant.name not in known}
    return (*variants, *new.values())


def chosen_rows(variants: Sequence[Variant], only: Sequence[str] | None) -> tuple[Variant, ...]:
    """Return the rows that the user names, and the references that bound their scores.

    Args:
        variants: Rows of a plan with the rows that the user adds.
        only: Names of the rows to keep, in this order. ``None`` keeps all.

    Returns:
        The lower bounds, the named rows, and the upper bounds. The exact flow is an upper bound
        that runs only if it is named, because it takes long.

    Raises:
        ConfigError: If no row has one of the names.
    """
    if only is None:
        return tuple(variants)
    known = {variant.name: variant for variant in variants}
    for name in only:
        if name not in known:
            raise ConfigError(f"there is no row {name!r} to run; {nearest(name, known)}")
    bounds = [
        variant
        for variant in variants
        if variant.group == "reference" and not variant.associator.startswith(EXACT_FLOW.associator)
    ]
    first = [variant for variant in bounds if variant.associator in _LOWER_BOUNDS]
    last = [variant for variant in bounds if variant.associator not in _LOWER_BOUNDS]
    named = [known[name] for name in dict.fromkeys(only) if known[name] not in bounds]
    return (*first, *named, *last)


_LOWER_BOUNDS = (UNLINKED.associator, "copy")
"""References that stand before the other rows of a table."""


def added_variant(
    row: Row,
    *,
    mapt: Callable[[], MaptWeights | None] = lambda: None,
    flow_weights: Sequence[NetworkWeights] = (),
    reader: WeightsReader = LOADED,
) -> Variant:
    """Return a row that the user adds to an experiment.

    Args:
        row: The row.
        mapt: Returns the MAPT of the command. Called only for rows that need one.
        flow_weights: Weights of the command's flow networks.
        reader: Reads the weights that the row names.

    Raises:
        ConfigError: If the row needs weights and there are none, or the weights lack a head that
            the row uses.
        DataError: If the weights cannot be used.
    """
    entry = tracker_entry(row.tracker)
    name = str(row)
    variant = Variant(
        name=name,
        label=name,
        group="added",
        associator=row.tracker,
        memory=row.memory if entry.supports_memory else None,
        settings=row.settings,
        switches=row.switches,
    )
    if isinstance(entry, UserTracker):
        code = UserCode(entry.fingerprint, entry.is_whole, _files(row.settings))
        return replace(variant, code=code, group="whole" if entry.is_whole else "added")
    is_bound = entry.needs_true_flow or row.tracker == UNLINKED.associator
    if is_bound or reads_truth(row.tracker, row.settings):
        variant = replace(variant, group="reference")
    if entry.uses_mapt:
        # Weights in the row of a flow are those of the flow network.
        asked = row if entry.flow is None else replace(row, weights=None)
        variant = replace(variant, mapt=_mapt(asked, entry, mapt, reader))
    if entry.flow is not None and entry.needs_weights:
        variant = replace(variant, weights=_flow(row, entry.flow, flow_weights, reader))
    return variant


def _files(settings: Sequence[Setting]) -> tuple[tuple[str, str], ...]:
    """Return the hash of each file that a setting names, such as a weights file."""
    named = [(name, Path(value)) for name, value in settings if isinstance(value, str)]
    return tuple((name, file_sha256(path)) for name, path in named if path.is_file())


def _mapt(
    row: Row,
    entry: AssociatorEntry,
    default: Callable[[], MaptWeights | None],
    reader: WeightsReader,
) -> MaptWeights:
    weights = default() if row.weights is None else reader.mapt(row.weights, None)
    if weights is None:
        raise ConfigError(
            f"row {str(row)!r} needs weights of MAPT; write {row.tracker},weights=NAME|FILE, or "
            "give --weights"
        )
    heads = {"mapt:motion": "motion", "mapt:appearance": "appearance"}.get(row.tracker, "both")
    if entry.flow is not None:  # the flow takes the place of the motion head
        heads = "appearance"
    for head, is_there in (("motion", weights.has_motion), ("appearance", weights.has_appearance)):
        if heads in ("both", head) and not is_there:
            other = "appearance" if head == "motion" else "motion"
            raise ConfigError(
                f"row {str(row)!r} uses the {head} head, and the weights {weights.name} have none; "
                f"use mapt:{other}"
            )
    return weights


def _flow(
    row: Row, flow: str, given: Sequence[NetworkWeights], reader: WeightsReader
) -> NetworkWeights:
    if row.weights is not None:
        return reader.flow({flow: Path(row.weights)})[0]
    known = {weights.name: weights for weights in given}
    if flow in known:
        return known[flow]
    if flow in shipped_flow_files():
        return reader.flow({flow: shipped_flow_files()[flow]})[0]
    raise ConfigError(
        f"row {str(row)!r} needs weights; write {row.tracker},weights=FILE, or give "
        f"--flow-weights {flow}=FILE"
    )
