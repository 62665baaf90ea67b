"""How objects move, overlap, crowd and vanish in labelled video: measured on any maps."""

from mapt_bench.statistics.distribution import QUANTILES, Distribution
from mapt_bench.statistics.measure import TAUS, measure_statistics
from mapt_bench.statistics.report import DataStatistics, LinkStatistics, TrackStatistics

__all__ = [
    "QUANTILES",
    "TAUS",
    "DataStatistics",
    "Distribution",
    "LinkStatistics",
    "TrackStatistics",
    "measure_statistics",
]
