"""Training-free trackers in two steps: copied or warped masks, hand-crafted appearance, or both.

``copy``, ``motion``, ``appearance``, ``both``, ``both:appearance-first`` and
``both:simultaneous`` share :class:`~mapt_bench.tracking.TwoStepAssociator` with MAPT.
"""

from mapt_bench.baselines.flow_without_network import DisFlow
from mapt_bench.baselines.histograms import shared_histograms
from mapt_bench.baselines.registry import register
from mapt_bench.baselines.search_spaces import (
    APPEARANCE_SPACE,
    FUSION_SPACE,
    JOINT_SPACE,
    MOTION_SPACE,
)
from mapt_bench.baselines.thresholds import APPEARANCE, FUSION, MOTION
from mapt_bench.baselines.tracker_options import AssociatorOptions, FlowOptions, two_step_settings
from mapt_bench.tracking import Associator, FlowWarp, StandStill, TwoStepAssociator
from mapt_bench.tracking.sharing import SharedFlow
from mapt_bench.tracking.two_step import Order

__all__: list[str] = []


@register(
    "copy",
    "the last masks are copied and matched by mask IoU",
    supports_pair=True,
    supports_memory=True,
    settings=MOTION,
    search=MOTION_SPACE,
)
def _copy(options: AssociatorOptions) -> Associator:
    return TwoStepAssociator(StandStill(), None, two_step_settings(options))


@register(
    "appearance",
    "hand-crafted colour and texture embeddings matched by cosine",
    needs_images=True,
    supports_pair=True,
    supports_memory=True,
    settings=APPEARANCE,
    search=APPEARANCE_SPACE,
)
def _appearance(options: AssociatorOptions) -> Associator:
    return TwoStepAssociator(None, shared_histograms(options.share), two_step_settings(options))


@register(
    "motion",
    "masks warped by DIS optical flow and matched by mask proximity",
    needs_images=True,
    supports_pair=True,
    supports_memory=True,
    settings=(*MOTION, "flow_height"),
    search=MOTION_SPACE,
)
def _motion(options: AssociatorOptions) -> Associator:
    return TwoStepAssociator(_flow_warp(options), None, two_step_settings(options))


def _register_both(name: str, order: Order, summary: str) -> None:
    last = JOINT_SPACE if order == "simultaneous" else FUSION_SPACE

    @register(
        name,
        summary,
        needs_images=True,
        supports_pair=True,
        supports_memory=True,
        settings=(*MOTION, *APPEARANCE, *FUSION, "flow_height"),
        search={**MOTION_SPACE, **APPEARANCE_SPACE, **last},
    )
    def _both(options: AssociatorOptions) -> Associator:
        return TwoStepAssociator(
            _flow_warp(options),
            shared_histograms(options.share),
            two_step_settings(options, order),
        )


_register_both("both", "motion-first", "motion, then appearance for the remaining segments")
_register_both(
    "both:appearance-first",
    "appearance-first",
    "appearance, then motion for the remaining segments",
)
_register_both("both:simultaneous", "simultaneous", "motion and appearance in one joint affinity")


def _flow_warp(options: AssociatorOptions) -> FlowWarp:
    height = options.settings.flow_height
    what = ("flow:dis", FlowOptions(height=height))
    return FlowWarp(SharedFlow(DisFlow(height=height), what, options.share))
