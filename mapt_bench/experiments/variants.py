"""The rows of experiments: which trackers, what they are called, and what question they answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mapt_bench.experiments.weights import FlowWeights

__all__ = [
    "BASELINES",
    "DIS_FLOWS",
    "EXACT_FLOWS",
    "FUSIONS",
    "HEADS",
    "NETWORK_FLOWS",
    "ORACLE",
    "UNLINKED",
    "Group",
    "Setting",
    "Traits",
    "Variant",
    "network_variants",
    "with_and_without_memory",
]

Group = Literal["reference", "baseline", "heads", "fusion", "flow"]
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
        weights: Of its flow network; ``None`` where it has none.
    """

    name: str
    label: str
    group: Group
    associator: str
    memory: int | None = None
    settings: tuple[Setting, ...] = ()
    weights: FlowWeights | None = None


UNLINKED = Variant("unlinked", "unlinked", "reference", "unlinked")
ORACLE = Variant("oracle", "oracle", "reference", "oracle")
EXACT_FLOWS = (
    Variant("flow:exact", "true flow", "reference", "flow:exact"),
    Variant(
        "flow:exact+appearance", "true flow + appearance", "reference", "flow:exact+appearance"
    ),
)
"""What propagation could reach: told how every pixel moved, they compete for nothing."""
BASELINES = (
    Variant("copy", "copy", "baseline", "copy"),
    Variant("iou", "IoU", "baseline", "iou"),
    Variant("sort", "SORT", "baseline", "sort"),
    Variant("bytetrack", "ByteTrack", "baseline", "bytetrack"),
)
HEADS = (
    Variant("motion", "motion", "heads", "motion"),
    Variant("appearance", "appearance", "heads", "appearance"),
    Variant("both", "both (motion first)", "heads", "both"),
)
FUSIONS = (
    Variant("appearance-first", "appearance first", "fusion", "both:appearance-first"),
    Variant("simultaneous", "simultaneous", "fusion", "both:simultaneous"),
)
# The motion cue without a network *is* DIS, so these two rows are asked for by the names of the
# heads: they share the heads' cells, and nothing is run twice.
DIS_FLOWS = (
    Variant("flow:dis", "DIS (= motion)", "flow", "motion"),
    Variant("flow:dis+appearance", "DIS + appearance (= both)", "flow", "both"),
)
NETWORK_FLOWS = {
    "flow:raft-small": "RAFT-small",
    "flow:raft-large": "RAFT-large",
    "flow:flownet2": "FlowNet2",
}
"""Networks that an ablation has rows for, given weights, and how tables call them."""


def network_variants(weights: FlowWeights) -> tuple[Variant, Variant]:
    """Return the rows of a flow network: its flow alone, and then appearance for what is left."""
    flow = weights.flow
    label = NETWORK_FLOWS.get(flow, flow.removeprefix("flow:"))
    looks = f"{flow}+appearance"
    return (
        Variant(flow, label, "flow", flow, weights=weights),
        Variant(looks, f"{label} + appearance", "flow", looks, weights=weights),
    )


def with_and_without_memory(variant: Variant, traits: Traits, memory: int) -> Sequence[Variant]:
    """Return a row without memory and the same with it, or the row alone if it has no memory."""
    if not traits.supports_memory:
        return (variant,)
    with_memory = replace(
        variant, name=f"{variant.name}+memory", label=f"{variant.label} + memory", memory=memory
    )
    return (replace(variant, memory=0), with_memory)
