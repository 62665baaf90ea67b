"""Every tracker that needs no training, built from a segmenter and an associator."""

from mapt_bench.baselines.catalog import associator_entry, associator_names, build_associator
from mapt_bench.baselines.registry import AssociatorEntry
from mapt_bench.baselines.settings import TrackerSettings

__all__ = [
    "AssociatorEntry",
    "TrackerSettings",
    "associator_entry",
    "associator_names",
    "build_associator",
]
