"""Experiments: plans of cells, run one by one, gone on with where they stopped, one result each."""

from mapt_bench.experiments.engine.runner import run_plan, skips_of_stress, unit_count
from mapt_bench.experiments.experiment import run_experiment
from mapt_bench.experiments.plans.ablation_plan import ablation_plan
from mapt_bench.experiments.plans.interval_plan import DEFAULT_TAUS, interval_plan
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
from mapt_bench.experiments.plans.source import DataSource, folder_source, suite_source
from mapt_bench.experiments.plans.stress_plan import DEFAULT_LEVELS, stress_plan
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.experiments.plans.variants import added_variant
from mapt_bench.experiments.plans.weights import (
    MaptWeights,
    NetworkWeights,
    read_flow_weights,
    read_mapt_weights,
    shipped_flow_files,
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
    "Cell",
    "DataSource",
    "MaptWeights",
    "NetworkWeights",
    "Plan",
    "SegmentSource",
    "Skip",
    "Sweep",
    "Variant",
    "ablation_plan",
    "added_variant",
    "folder_source",
    "interval_plan",
    "parse_segments",
    "read_flow_weights",
    "read_mapt_weights",
    "run_experiment",
    "run_plan",
    "run_result",
    "shipped_flow_files",
    "skips_of_stress",
    "stress_plan",
    "suite_source",
    "unit_count",
]
