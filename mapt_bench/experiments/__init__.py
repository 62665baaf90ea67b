"""Experiments: plans made of cells. Runs resume where they stopped."""

from mapt_bench.experiments.engine.runner import Progress, no_progress, run_plan
from mapt_bench.experiments.engine.schedule import Schedule
from mapt_bench.experiments.experiment_config import (
    AblationConfig,
    ExperimentConfig,
    StressConfig,
    SweepConfig,
)
from mapt_bench.experiments.plans.ablation_plan import ablation_plan
from mapt_bench.experiments.plans.data_source import DataSource, folder_source, suite_source
from mapt_bench.experiments.plans.network_weights import (
    MaptWeights,
    NetworkWeights,
    read_flow_weights,
    read_mapt_weights,
    shipped_flow_files,
)
from mapt_bench.experiments.plans.plan import Cell, Plan, Skip, Sweep
from mapt_bench.experiments.plans.segment_sources import (
    FOUND_BY_MAPT,
    MILD_NOISE,
    NOISY,
    SAVED,
    SEGMENTS_FORM,
    SegmentSource,
    parse_segments,
)
from mapt_bench.experiments.plans.sweep_plans import (
    DEFAULT_LEVELS,
    DEFAULT_TAUS,
    interval_plan,
    stress_plan,
)
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.experiments.plans.variants import added_variant
from mapt_bench.experiments.run_experiment import (
    check_config,
    run_ablation,
    run_experiment,
    run_stress,
    run_sweep,
)
from mapt_bench.experiments.summaries.run_result import run_result

__all__ = [
    "DEFAULT_LEVELS",
    "DEFAULT_TAUS",
    "FOUND_BY_MAPT",
    "MILD_NOISE",
    "NOISY",
    "SAVED",
    "SEGMENTS_FORM",
    "AblationConfig",
    "Cell",
    "DataSource",
    "ExperimentConfig",
    "MaptWeights",
    "NetworkWeights",
    "Plan",
    "Progress",
    "Schedule",
    "SegmentSource",
    "Skip",
    "StressConfig",
    "Sweep",
    "SweepConfig",
    "Variant",
    "ablation_plan",
    "added_variant",
    "check_config",
    "folder_source",
    "interval_plan",
    "no_progress",
    "parse_segments",
    "read_flow_weights",
    "read_mapt_weights",
    "run_ablation",
    "run_experiment",
    "run_plan",
    "run_result",
    "run_stress",
    "run_sweep",
    "shipped_flow_files",
    "stress_plan",
    "suite_source",
]
