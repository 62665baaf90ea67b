"""Statistics of labelled video: motion, overlap, crowding and gaps of objects in any maps."""

from mapt_bench.statistics._measure import TAUS, measure_statistics
from mapt_bench.statistics.statistics_report import (
    QUANTILES,
    DataStatistics,
    Distribution,
    LinkStatistics,
    TrackStatistics,
)

__all__ = [
    "QUANTILES",
    "TAUS",
    "DataStatistics",
    "Distribution",
    "LinkStatistics",
    "TrackStatistics",
    "measure_statistics",
]
