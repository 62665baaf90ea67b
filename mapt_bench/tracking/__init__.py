"""What a tracker is, what it is made of, and how segments are kept and linked."""

from mapt_bench.tracking.protocol import (
    Association,
    Associator,
    Segmenter,
    SegmentTracker,
    Tracker,
)
from mapt_bench.tracking.segments import FrameSegments

__all__ = [
    "Association",
    "Associator",
    "FrameSegments",
    "SegmentTracker",
    "Segmenter",
    "Tracker",
]
