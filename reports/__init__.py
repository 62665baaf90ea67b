"""Tables and plots of results. This package reads results only, not the code that computes them.

The names below render whole results. :mod:`~mapt_bench.reports.tables` and
:mod:`~mapt_bench.reports.table_formats` have the classes and functions of all tables.
"""

from mapt_bench.reports._cost_plots import write_cost_plots
from mapt_bench.reports._run_tables import (
    part_tables,
    run_tables,
    stress_tables,
    tables_of_all_parts,
)
from mapt_bench.reports._stress_plots import write_stress_plots
from mapt_bench.reports.headline import evaluation_headline, run_headline
from mapt_bench.reports.plots import write_plots
from mapt_bench.reports.training_plots import plot_training

__all__ = [
    "evaluation_headline",
    "part_tables",
    "plot_training",
    "run_headline",
    "run_tables",
    "stress_tables",
    "tables_of_all_parts",
    "write_cost_plots",
    "write_plots",
    "write_stress_plots",
]
