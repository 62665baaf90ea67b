"""The rows of experiments: which trackers, what they are called, and what question they answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mapt_bench.baselines.settings import Setting, parse_setting
from mapt_bench.errors import ConfigError
from mapt_bench.experiments.weights import MaptWeights, NetworkWeights

__all__ = [
    "BASELINES",
    "EXACT_FLOW",
    "HAND_MADE",
    "HAND_MADE_FUSIONS",
    "NETWORK_FLOWS",
    "ORACLE",
    "ORACLE_IN_VIEW",
    "UNLINKED",
    "Group",
    "Traits",
    "Variant",
    "flow_variant",
    "mapt_fusions",
    "mapt_heads",
    "mapt_switch",
    "trained_variant",
    "with_and_without_memory",
    "with_memory",
]

Group = Literal["reference", "baseline", "heads", "fusion", "flow", "switch", "trained"]


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
        name: Unique in its plan, for example ``"mapt+memory"``.
        label: How tables and plots call it.
        group: Which question it belongs to; rows of ``"reference"`` compete for nothing.
        associator: Name of the associator that links the segments.
        memory: Frames that a lost track is kept for; ``None`` where the associator has no memory.
        settings: Settings of the associator that are not its defaults.
        weights: Of its flow network; ``None`` where it has none.
        mapt: Of the MAPT whose heads link; ``None`` where none do.
        switches: Parts of MAPT that are switched off.
    """

    name: str
    label: str
    group: Group
    associator: str
    memory: int | None = None
    settings: tuple[Setting, ...] = ()
    weights: NetworkWeights | None = None
    mapt: MaptWeights | None = None
    switches: tuple[str, ...] = ()


UNLINKED = Variant("unlinked", "unlinked", "reference", "unlinked")
ORACLE = Variant("oracle", "oracle", "reference", "oracle")
ORACLE_IN_VIEW = Variant("oracle:in-view", "oracle, in view", "reference", "oracle:in-view")
"""The ceiling of linking without memory."""
BASELINES = (
    Variant("copy", "copy", "baseline", "copy"),
    Variant("iou", "IoU", "baseline", "iou"),
    Variant("sort", "SORT", "baseline", "sort"),
    Variant("bytetrack", "ByteTrack", "baseline", "bytetrack"),
)
HAND_MADE = (
    Variant("motion", "motion", "heads", "motion"),
    Variant("appearance", "appearance", "heads", "appearance"),
    Variant("both", "both (motion first)", "heads", "both"),
)
"""The two cues without a network: DIS optical flow, and histograms of colour and direction."""
HAND_MADE_FUSIONS = (
    Variant("appearance-first", "appearance first", "fusion", "both:appearance-first"),
    Variant("simultaneous", "simultaneous", "fusion", "both:simultaneous"),
)
EXACT_FLOW = Variant("flow:exact", "true flow", "reference", "flow:exact")
"""What propagation could reach: told how every pixel moved, it competes for nothing."""
NETWORK_FLOWS = {
    "flow:flownet2-narrow": "narrow FlowNet2",
    "flow:raft-small": "RAFT-small",
    "flow:raft-large": "RAFT-large",
    "flow:flownet2": "FlowNet2",
}
"""Networks that an ablation has rows for, given weights, and how tables call them."""

_FLOW_LABELS = {**NETWORK_FLOWS, "flow:dis": "DIS", "flow:exact": "true flow"}


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


def mapt_fusions(mapt: MaptWeights) -> tuple[Variant, Variant]:
    """Return the rows of the other orders in which MAPT's cues may decide."""
    appearance_first, simultaneous = (
        Variant(
            name, f"MAPT {name.removeprefix('mapt:').replace('-', ' ')}", "fusion", name, mapt=mapt
        )
        for name in ("mapt:appearance-first", "mapt:simultaneous")
    )
    return appearance_first, simultaneous


def mapt_switch(mapt: MaptWeights, switch: str) -> Variant:
    """Return the row of MAPT with a part switched off, or with a setting changed.

    Args:
        mapt: Weights.
        switch: A name of :data:`~mapt_bench.model.switches.SWITCHES`, or ``SETTING=VALUE`` of the
            association.
    """
    row = Variant(f"mapt, {switch}", f"MAPT, {switch}", "switch", "mapt", mapt=mapt)
    if "=" in switch:
        return replace(row, settings=(parse_setting(switch),))
    return replace(row, switches=(switch,))


def trained_variant(mapt: MaptWeights) -> Variant:
    """Return the row of a network by itself, linked by all the heads that it has.

    Raises:
        ConfigError: If it has none.
    """
    if not (mapt.has_motion or mapt.has_appearance):
        raise ConfigError(f"the network {mapt.name} has no head to link by; leave it away")
    heads = "mapt"
    if not mapt.has_motion:
        heads = "mapt:appearance"
    elif not mapt.has_appearance:
        heads = "mapt:motion"
    return Variant(f"trained:{mapt.name}", mapt.name, "trained", heads, mapt=mapt)


def flow_variant(
    flow: str,
    weights: NetworkWeights | None = None,
    *,
    looks: Literal["", "+appearance", "+mapt"] = "",
    mapt: MaptWeights | None = None,
) -> Variant:
    """Return the row of a flow: alone, or with an appearance for what is left.

    Args:
        flow: Its name.
        weights: Of its network.
        looks: Which appearance: none, hand-made, or MAPT's.
        mapt: The network whose appearance is meant.
    """
    base = _FLOW_LABELS.get(flow, flow.removeprefix("flow:"))
    added = {"": "", "+appearance": " + appearance", "+mapt": " + MAPT appearance"}[looks]
    group: Group = "reference" if flow == EXACT_FLOW.associator else "flow"
    name = f"{flow}{looks}"
    return Variant(name, f"{base}{added}", group, name, weights=weights, mapt=mapt)


def with_memory(variant: Variant, memory: int) -> Variant:
    """Return a row with memory alone."""
    return replace(
        variant, name=f"{variant.name}+memory", label=f"{variant.label} + memory", memory=memory
    )


def with_and_without_memory(variant: Variant, traits: Traits, memory: int) -> Sequence[Variant]:
    """Return a row without memory and the same with it, or the row alone if it has no memory."""
    if not traits.supports_memory:
        return (variant,)
    return (replace(variant, memory=0), with_memory(variant, memory))
