"""Trackers that propagate masks along an optical flow: ``flow:NAME``, by every flow source.

``flow:NAME+appearance`` adds hand-crafted appearance for what the flow does not link, and
``flow:NAME+mapt`` adds MAPT's appearance.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from mapt_bench.baselines import flow_files, flow_network_sources, flow_without_network
from mapt_bench.baselines.flow_sources import PTLFLOW, FlowEntry, flow_entry, flow_names
from mapt_bench.baselines.histograms import shared_histograms
from mapt_bench.baselines.mapt_trackers import mapt_over, mapt_weights
from mapt_bench.baselines.registry import AssociatorEntry, register_entry, register_family
from mapt_bench.baselines.search_spaces import (
    APPEARANCE_SPACE,
    FUSION_SPACE,
    LEARNED_SPACE,
    MOTION_SPACE,
    SearchSpace,
)
from mapt_bench.baselines.thresholds import APPEARANCE, FUSION, LEARNED, MOTION
from mapt_bench.baselines.tracker_options import (
    AssociatorOptions,
    FlowOptions,
    MaptOptions,
    two_step_settings,
)
from mapt_bench.errors import ConfigError, nearest
from mapt_bench.tracking import Associator, FlowWarp, TwoStepAssociator
from mapt_bench.tracking.sharing import SharedFlow

__all__ = ["SOURCES"]

SOURCES = (flow_without_network, flow_files, flow_network_sources)
"""The modules whose import registers flow sources. Name the module of a new source here."""


@dataclass(frozen=True)
class _Variant:
    """What is added to a flow.

    Attributes:
        suffix: End of the name.
        appearance: Which appearance links the segments that the flow does not link.
        summary: End of the summary.
        settings: Settings that it adds.
        search: What it adds to the search space.
    """

    suffix: str
    appearance: Literal["none", "histograms", "mapt"]
    summary: str
    settings: tuple[str, ...]
    search: SearchSpace


_VARIANTS = {
    each.suffix: each
    for each in (
        _Variant("", "none", "", (), {}),
        _Variant(
            "+appearance",
            "histograms",
            ", then appearance",
            (*APPEARANCE, *FUSION),
            {**APPEARANCE_SPACE, **FUSION_SPACE},
        ),
        _Variant(
            "+mapt",
            "mapt",
            ", then MAPT's appearance",
            (*LEARNED, *FUSION),
            {**LEARNED_SPACE, **FUSION_SPACE},
        ),
    )
}


def _build(source: FlowEntry, variant: _Variant, options: AssociatorOptions) -> Associator:
    """Build two-step fusion over a flow source."""
    given = replace(options.flow, height=options.settings.flow_height)
    source.check(given)
    what = (source.name, given)  # these decide a flow, apart from the video
    warp = FlowWarp(SharedFlow(source.build(given), what, options.share))
    if variant.appearance == "mapt":
        return mapt_over(warp, options)
    embedder = shared_histograms(options.share) if variant.appearance == "histograms" else None
    return TwoStepAssociator(warp, embedder, two_step_settings(options))


def _weights(
    source: FlowEntry, variant: _Variant, flow: FlowOptions, mapt: MaptOptions
) -> Mapping[str, Path]:
    found = source.weights_of(flow)
    return {
        **({} if found is None else {"tracker": found}),
        **({"appearance": mapt_weights(mapt)} if variant.appearance == "mapt" else {}),
    }


def _entry(source: FlowEntry, variant: _Variant) -> AssociatorEntry:
    has_appearance = variant.appearance != "none"
    by_mapt = variant.appearance == "mapt"
    return AssociatorEntry(
        name=f"{source.name}{variant.suffix}",
        summary=f"masks warped by {source.summary}{variant.summary}",
        needs_images=source.needs_images or has_appearance,
        supports_pair=source.takes != "folder",
        supports_memory=True,
        build=partial(_build, source, variant),
        settings=frozenset(
            {
                *MOTION,
                *variant.settings,
                *(("flow_height",) if source.name == "flow:dis" else ()),
            }
        ),
        search={**MOTION_SPACE, **variant.search},
        needs_weights=source.needs_weights,
        needs_true_flow=source.needs_true_flow,
        parts=(source.build, *source.parts, *((mapt_over,) if by_mapt else ())),
        flow=source.name,
        uses_mapt=by_mapt,
        is_variant=has_appearance,
        weights_of=partial(_weights, source, variant),
    )


def _ptlflow_entry(name: str) -> AssociatorEntry:
    flow, plus, added = name.partition("+")
    variant = _VARIANTS.get(f"{plus}{added}")
    if variant is None:
        known = [f"{flow}{suffix}" for suffix in _VARIANTS]
        raise ConfigError(f"unknown tracker {name!r}; {nearest(name, known)}")
    return _entry(flow_entry(flow), variant)


for _name in flow_names():
    if not _name.startswith(PTLFLOW):
        for _each in _VARIANTS.values():
            register_entry(_entry(flow_entry(_name), _each))
register_family(f"{PTLFLOW}MODEL", _ptlflow_entry)
