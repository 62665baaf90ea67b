"""Benchmark and evaluation toolkit for panoptic tracking.

The public surface lives in the sub-packages: :mod:`mapt_bench.metrics` (scores),
:mod:`mapt_bench.data` (readers and writers), :mod:`mapt_bench.evaluation` (folders in, results
out), :mod:`mapt_bench.tracking` and :mod:`mapt_bench.baselines` (trackers),
:mod:`mapt_bench.experiments` (ablations and sweeps) and :mod:`mapt_bench.reports` (tables, plots,
the gate).
"""

from pathlib import Path

__version__ = "0.1.0"

__all__ = ["__version__"]

# In a checkout three sub-packages lie beside this folder, not in it (see pyproject.toml). When
# Python starts in the checkout's root, this folder shadows an installed wheel, so the root joins
# the search path of the package.
_checkout = Path(__file__).resolve().parent.parent
if (_checkout / "pyproject.toml").is_file() and (_checkout / "metrics").is_dir():
    __path__.append(str(_checkout))
