"""The regression gate: the changes between two results, and whether limits accept them."""

from mapt_bench.compare._comparison import (
    BrokenLimit,
    Change,
    Comparison,
    Limit,
    Missing,
    compare_results,
)

__all__ = ["BrokenLimit", "Change", "Comparison", "Limit", "Missing", "compare_results"]
