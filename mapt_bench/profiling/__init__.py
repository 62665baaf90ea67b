"""Cost of networks: FLOPs by two independent counters, and measured latency and memory."""

from collections.abc import Callable
from typing import Any

from mapt_bench.profiling.flops_settings import FlopsSettings, MeasureSettings

__all__ = ["FlopsSettings", "MeasureSettings", "make_flops_report"]


def make_flops_report(
    settings: FlopsSettings, advance: Callable[[int], None] = lambda steps: None
) -> dict[str, Any]:
    """Count the operations of networks with two counters, and measure latency and memory.

    Args:
        settings: Settings of the report.
        advance: Called after every step.

    Returns:
        JSON of schema ``mapt-bench/cost/1``. A row with a non-empty ``uncounted`` is incomplete
        and has no ``gmacs``. ``problems`` lists unexplained differences of the two counts.

    Raises:
        ConfigError: If a target fails, or does not accept a size.
    """
    from mapt_bench.profiling._flops_report import report_of  # imports torch

    return report_of(settings, advance)
