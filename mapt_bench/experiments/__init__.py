"""Experiments: plans of cells, run one by one, gone on with where they stopped, one result each."""

from mapt_bench.experiments.experiment import run_experiment
from mapt_bench.experiments.plan import (
    DEFAULT_TAUS,
    Cell,
    Plan,
    Skip,
    Sweep,
    ablation_plan,
    interval_plan,
)
from mapt_bench.experiments.results import run_result
from mapt_bench.experiments.runner import run_plan, skips_of_stress, traits_of, unit_count
from mapt_bench.experiments.source import (
    DataSource,
    SegmentSource,
    folder_source,
    suite_source,
)
from mapt_bench.experiments.stress_plan import DEFAULT_LEVELS, stress_plan
from mapt_bench.experiments.variants import Variant
from mapt_bench.experiments.weights import FlowWeights, read_flow_weights

__all__ = [
    "DEFAULT_LEVELS",
    "DEFAULT_TAUS",
    "Cell",
    "DataSource",
    "FlowWeights",
    "Plan",
    "SegmentSource",
    "Skip",
    "Sweep",
    "Variant",
    "ablation_plan",
    "folder_source",
    "interval_plan",
    "read_flow_weights",
    "run_experiment",
    "run_plan",
    "run_result",
    "skips_of_stress",
    "stress_plan",
    "suite_source",
    "traits_of",
    "unit_count",
]
