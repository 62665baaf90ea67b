"""How objects move, overlap, crowd and vanish in labelled video: measured on any maps."""

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
