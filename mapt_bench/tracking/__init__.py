"""The tracker protocol, segments and their archives, and two-step association."""

from mapt_bench.tracking.loop import TrackerRun, run_tracker
from mapt_bench.tracking.propagation import FlowSource, FlowWarp, Propagation, StandStill
from mapt_bench.tracking.protocol import (
    Association,
    Associator,
    BatchSegmenter,
    FrameCues,
    FrameSegments,
    LateAssociator,
    LateTracker,
    Segmenter,
    SegmentTracker,
    Tracker,
)
from mapt_bench.tracking.two_step import (
    Embedder,
    LastingEmbedder,
    TwoStepAssociator,
    TwoStepSettings,
)

__all__ = [
    "Association",
    "Associator",
    "BatchSegmenter",
    "Embedder",
    "FlowSource",
    "FlowWarp",
    "FrameCues",
    "FrameSegments",
    "LastingEmbedder",
    "LateAssociator",
    "LateTracker",
    "Propagation",
    "SegmentTracker",
    "Segmenter",
    "StandStill",
    "Tracker",
    "TrackerRun",
    "TwoStepAssociator",
    "TwoStepSettings",
    "run_tracker",
]
