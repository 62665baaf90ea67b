"""Every tracker that is not MAPT, and the registry that finds all trackers by name."""

# In this order trackers are listed.
from mapt_bench.baselines import bounds, box_trackers

# isort: split
from mapt_bench.baselines import bot_sort, oc_sort

# isort: split
from mapt_bench.baselines import cue_trackers, flow_trackers, mapt_trackers
from mapt_bench.baselines.registry import (
    AssociatorEntry,
    associator_entry,
    associator_names,
    build_associator,
)
from mapt_bench.baselines.thresholds import TrackerSettings

__all__ = [
    "TRACKERS",
    "AssociatorEntry",
    "TrackerSettings",
    "associator_entry",
    "associator_names",
    "build_associator",
]

TRACKERS = (bounds, box_trackers, oc_sort, bot_sort, cue_trackers, flow_trackers, mapt_trackers)
"""The modules whose import registers trackers. Name the module of a new tracker here."""
