"""The gate: what changed between two results, and whether that is accepted."""

from mapt_bench.compare._comparison import (
    BrokenLimit,
    Change,
    Comparison,
    Limit,
    Missing,
    compare_results,
)

__all__ = ["BrokenLimit", "Change", "Comparison", "Limit", "Missing", "compare_results"]
