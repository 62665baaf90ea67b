"""Experiments: plans made of cells. Runs resume where they stopped.

Each name is imported at first use, so that a command can complete names and report wrong options
without importing the readers, stressors and trackers that only a run needs.
"""

import importlib
from typing import TYPE_CHECKING

_MODULES = {
    "engine.runner": (
        "Progress",
        "no_progress",
        "run_plan",
    ),
    "engine.schedule": ("Schedule",),
    "experiment_config": (
        "DEFAULT_LEVELS",
        "DEFAULT_TAUS",
        "FOUND_BY_MAPT",
        "SEGMENTS_FORM",
        "AblationConfig",
        "ExperimentConfig",
        "StressConfig",
        "SweepConfig",
    ),
    "plan_file": ("MOST_CELLS", "PlanFile", "PlannedRun", "read_plan"),
    "plan_rows": ("memory_of", "name_in_plan", "name_in_run", "names_by_plan"),
    "plan_settings": ("PLAN_SCHEMA", "ReportSettings", "plan_text"),
    "plan_state": ("state_of_runs",),
    "plans.ablation_plan": ("ablation_plan",),
    "plans.data_source": (
        "DataSource",
        "folder_source",
        "suite_source",
    ),
    "plans.network_weights": (
        "MaptWeights",
        "NetworkWeights",
        "read_flow_weights",
        "read_mapt_weights",
        "shipped_flow_files",
    ),
    "plans.plan": (
        "Cell",
        "Plan",
        "Skip",
        "Sweep",
    ),
    "plans.segment_sources": ("MILD_NOISE", "NOISY", "SAVED", "SegmentSource", "parse_segments"),
    "plans.sweep_plans": ("interval_plan", "stress_plan"),
    "plans.variant": ("Variant",),
    "plans.variants": ("added_variant",),
    "replay": ("Replay",),
    "planning": ("ExperimentInputs", "check_config", "plan_of"),
    "running": (
        "INCOMPLETE_FILE",
        "run_ablation",
        "run_configured",
        "run_experiment",
        "run_stress",
        "run_sweep",
    ),
    "summaries.run_result": ("run_result",),
}
"""The names of this package by their module. Add a name here, and its import below."""

_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [*_HOME]

if TYPE_CHECKING:  # what type checkers and editors see
    from mapt_bench.experiments.engine.runner import Progress as Progress
    from mapt_bench.experiments.engine.runner import no_progress as no_progress
    from mapt_bench.experiments.engine.runner import run_plan as run_plan
    from mapt_bench.experiments.engine.schedule import Schedule as Schedule
    from mapt_bench.experiments.experiment_config import DEFAULT_LEVELS as DEFAULT_LEVELS
    from mapt_bench.experiments.experiment_config import DEFAULT_TAUS as DEFAULT_TAUS
    from mapt_bench.experiments.experiment_config import FOUND_BY_MAPT as FOUND_BY_MAPT
    from mapt_bench.experiments.experiment_config import SEGMENTS_FORM as SEGMENTS_FORM
    from mapt_bench.experiments.experiment_config import AblationConfig as AblationConfig
    from mapt_bench.experiments.experiment_config import ExperimentConfig as ExperimentConfig
    from mapt_bench.experiments.experiment_config import StressConfig as StressConfig
    from mapt_bench.experiments.experiment_config import SweepConfig as SweepConfig
    from mapt_bench.experiments.plan_file import MOST_CELLS as MOST_CELLS
    from mapt_bench.experiments.plan_file import PlanFile as PlanFile
    from mapt_bench.experiments.plan_file import PlannedRun as PlannedRun
    from mapt_bench.experiments.plan_file import read_plan as read_plan
    from mapt_bench.experiments.plan_rows import memory_of as memory_of
    from mapt_bench.experiments.plan_rows import name_in_plan as name_in_plan
    from mapt_bench.experiments.plan_rows import name_in_run as name_in_run
    from mapt_bench.experiments.plan_rows import names_by_plan as names_by_plan
    from mapt_bench.experiments.plan_settings import PLAN_SCHEMA as PLAN_SCHEMA
    from mapt_bench.experiments.plan_settings import ReportSettings as ReportSettings
    from mapt_bench.experiments.plan_settings import plan_text as plan_text
    from mapt_bench.experiments.plan_state import state_of_runs as state_of_runs
    from mapt_bench.experiments.planning import ExperimentInputs as ExperimentInputs
    from mapt_bench.experiments.planning import check_config as check_config
    from mapt_bench.experiments.planning import plan_of as plan_of
    from mapt_bench.experiments.plans.ablation_plan import ablation_plan as ablation_plan
    from mapt_bench.experiments.plans.data_source import DataSource as DataSource
    from mapt_bench.experiments.plans.data_source import folder_source as folder_source
    from mapt_bench.experiments.plans.data_source import suite_source as suite_source
    from mapt_bench.experiments.plans.network_weights import MaptWeights as MaptWeights
    from mapt_bench.experiments.plans.network_weights import NetworkWeights as NetworkWeights
    from mapt_bench.experiments.plans.network_weights import read_flow_weights as read_flow_weights
    from mapt_bench.experiments.plans.network_weights import read_mapt_weights as read_mapt_weights
    from mapt_bench.experiments.plans.network_weights import (
        shipped_flow_files as shipped_flow_files,
    )
    from mapt_bench.experiments.plans.plan import Cell as Cell
    from mapt_bench.experiments.plans.plan import Plan as Plan
    from mapt_bench.experiments.plans.plan import Skip as Skip
    from mapt_bench.experiments.plans.plan import Sweep as Sweep
    from mapt_bench.experiments.plans.segment_sources import MILD_NOISE as MILD_NOISE
    from mapt_bench.experiments.plans.segment_sources import NOISY as NOISY
    from mapt_bench.experiments.plans.segment_sources import SAVED as SAVED
    from mapt_bench.experiments.plans.segment_sources import SegmentSource as SegmentSource
    from mapt_bench.experiments.plans.segment_sources import parse_segments as parse_segments
    from mapt_bench.experiments.plans.sweep_plans import interval_plan as interval_plan
    from mapt_bench.experiments.plans.sweep_plans import stress_plan as stress_plan
    from mapt_bench.experiments.plans.variant import Variant as Variant
    from mapt_bench.experiments.plans.variants import added_variant as added_variant
    from mapt_bench.experiments.replay import Replay as Replay
    from mapt_bench.experiments.running import INCOMPLETE_FILE as INCOMPLETE_FILE
    from mapt_bench.experiments.running import run_ablation as run_ablation
    from mapt_bench.experiments.running import run_configured as run_configured
    from mapt_bench.experiments.running import run_experiment as run_experiment
    from mapt_bench.experiments.running import run_stress as run_stress
    from mapt_bench.experiments.running import run_sweep as run_sweep
    from mapt_bench.experiments.summaries.run_result import run_result as run_result

else:

    def __getattr__(name: str) -> object:
        """Import a name at its first use."""
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = found
        return found
