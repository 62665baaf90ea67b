"""The parts of MAPT, each of which works alone."""

from mapt_bench.model.deform import (
    DeformForm,
    deformable_convolution,
    deformable_pyramid,
    fastest_form,
)
from mapt_bench.model.motion import MotionHead, MotionOutput, normalise_masks
from mapt_bench.model.motion_config import MOTION_DESIGNS, Cue, MotionConfig, motion_config

__all__ = [
    "MOTION_DESIGNS",
    "Cue",
    "DeformForm",
    "MotionConfig",
    "MotionHead",
    "MotionOutput",
    "deformable_convolution",
    "deformable_pyramid",
    "fastest_form",
    "motion_config",
    "normalise_masks",
]
