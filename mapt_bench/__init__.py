"""Benchmark and evaluation toolkit for panoptic tracking.

The public surface lives in the sub-packages: :mod:`mapt_bench.metrics` (scores),
:mod:`mapt_bench.data` (readers and writers), :mod:`mapt_bench.evaluation` (folders in, results
out), :mod:`mapt_bench.tracking` and :mod:`mapt_bench.baselines` (trackers),
:mod:`mapt_bench.experiments` (ablations and sweeps) and :mod:`mapt_bench.reports` (tables, plots,
the gate).
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
