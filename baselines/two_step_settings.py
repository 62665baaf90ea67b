"""From the settings of all trackers to those of the two-step fusion."""

from mapt_bench.baselines.registry import AssociatorOptions
from mapt_bench.tracking import TwoStepSettings
from mapt_bench.tracking.two_step import Order

__all__ = ["two_step_settings"]


def two_step_settings(
    options: AssociatorOptions, order: Order = "motion-first", *, is_learned: bool = False
) -> TwoStepSettings:
    """Return what the fusion is told.

    Args:
        options: Of an associator.
        order: Which cue decides first.
        is_learned: Whether embeddings are learned: their cosines are spread otherwise than those of
            histograms, so they have a threshold of their own.

    Raises:
        ConfigError: If a value is out of its range.
    """
    given = options.settings
    threshold = given.embedding_threshold if is_learned else given.appearance_threshold
    return TwoStepSettings(
        order=order,
        second_step=given.second_step,
        proximity=given.proximity,
        motion_threshold=given.motion_threshold,
        appearance_threshold=threshold,
        motion_weight=given.motion_weight,
        joint_threshold=given.joint_threshold,
        gallery_size=given.gallery_size,
        lost_margin=given.lost_margin,
        pair=options.pair,
        memory=options.memory,
    )
