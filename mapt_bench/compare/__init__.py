"""The gate: what changed between two results, and whether that is accepted."""

from mapt_bench.compare.comparison import BrokenLimit, Change, Comparison, Missing, compare_results
from mapt_bench.compare.limits import Limit

__all__ = ["BrokenLimit", "Change", "Comparison", "Limit", "Missing", "compare_results"]
