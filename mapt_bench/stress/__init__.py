"""Stressors: changes of any video in five levels. The ground truth follows each change."""

from mapt_bench.stress._stressors import (
    least_frames,
    occluder_label,
    stress_video,
    stressor,
)
from mapt_bench.stress.catalog import (
    LEVEL_COUNT,
    STRESS_KINDS,
    Stress,
    StressEntry,
    StressKind,
    stress_entries,
    stress_entry,
)
from mapt_bench.stress.frame_motion import DroppedVideo
from mapt_bench.stress.known_objects import visible_fractions

__all__ = [
    "LEVEL_COUNT",
    "STRESS_KINDS",
    "DroppedVideo",
    "Stress",
    "StressEntry",
    "StressKind",
    "least_frames",
    "occluder_label",
    "stress_entries",
    "stress_entry",
    "stress_video",
    "stressor",
    "visible_fractions",
]
