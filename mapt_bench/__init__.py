"""Benchmark and evaluation toolkit for panoptic tracking.

The names below are the public interface: ``import mapt_bench as mb``, then ``mb.evaluate``. Each is
imported at first use, so ``import mapt_bench`` alone is fast and loads neither NumPy nor torch.
Everything else in this package is internal and may change in any version.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.3.0.dev0"

PUBLIC = {
    "AblationConfig": "mapt_bench.experiments.experiment_config",
    "Association": "mapt_bench.tracking",
    "ConfigError": "mapt_bench.errors",
    "DataError": "mapt_bench.errors",
    "EvaluationResult": "mapt_bench.evaluation",
    "FrameSegments": "mapt_bench.tracking",
    "FrontierConfig": "mapt_bench.tuning.frontier_config",
    "KittiStepWriter": "mapt_bench.data",
    "LabelSpace": "mapt_bench.labels",
    "Limit": "mapt_bench.compare",
    "PanopticMap": "mapt_bench.labels",
    "Scorer": "mapt_bench.evaluation",
    "StressConfig": "mapt_bench.experiments.experiment_config",
    "SweepConfig": "mapt_bench.experiments.experiment_config",
    "TuningConfig": "mapt_bench.tuning.tuning_config",
    "Video": "mapt_bench.labels",
    "as_panoptic_map": "mapt_bench.labels",
    "assert_no_regression": "mapt_bench.compare",
    "build_tracker": "mapt_bench.interface",
    "compare_results": "mapt_bench.compare",
    "evaluate": "mapt_bench.evaluation.streaming",
    "label_space": "mapt_bench.labels",
    "load_mapt": "mapt_bench.interface",
    "load_result": "mapt_bench.results",
    "map_of_masks": "mapt_bench.data",
    "open_maps": "mapt_bench.data",
    "open_suite": "mapt_bench.synthetic.suites",
    "open_videos": "mapt_bench.data",
    "run_ablation": "mapt_bench.experiments.running",
    "run_frontier": "mapt_bench.tuning.frontier_run",
    "run_stress": "mapt_bench.experiments.running",
    "run_sweep": "mapt_bench.experiments.running",
    "run_tracker": "mapt_bench.tracking",
    "run_tuning": "mapt_bench.tuning.tuning_run",
}
"""The module of each public name. Add a name here, and its import below."""

__all__ = ["__version__", *PUBLIC]

if TYPE_CHECKING:  # what type checkers and editors see
    from mapt_bench.compare import Limit as Limit
    from mapt_bench.compare import assert_no_regression as assert_no_regression
    from mapt_bench.compare import compare_results as compare_results
    from mapt_bench.data import KittiStepWriter as KittiStepWriter
    from mapt_bench.data import map_of_masks as map_of_masks
    from mapt_bench.data import open_maps as open_maps
    from mapt_bench.data import open_videos as open_videos
    from mapt_bench.errors import ConfigError as ConfigError
    from mapt_bench.errors import DataError as DataError
    from mapt_bench.evaluation import EvaluationResult as EvaluationResult
    from mapt_bench.evaluation import Scorer as Scorer
    from mapt_bench.evaluation.streaming import evaluate as evaluate
    from mapt_bench.experiments.experiment_config import AblationConfig as AblationConfig
    from mapt_bench.experiments.experiment_config import StressConfig as StressConfig
    from mapt_bench.experiments.experiment_config import SweepConfig as SweepConfig
    from mapt_bench.experiments.running import run_ablation as run_ablation
    from mapt_bench.experiments.running import run_stress as run_stress
    from mapt_bench.experiments.running import run_sweep as run_sweep
    from mapt_bench.interface import build_tracker as build_tracker
    from mapt_bench.interface import load_mapt as load_mapt
    from mapt_bench.labels import LabelSpace as LabelSpace
    from mapt_bench.labels import PanopticMap as PanopticMap
    from mapt_bench.labels import Video as Video
    from mapt_bench.labels import as_panoptic_map as as_panoptic_map
    from mapt_bench.labels import label_space as label_space
    from mapt_bench.results import load_result as load_result
    from mapt_bench.synthetic.suites import open_suite as open_suite
    from mapt_bench.tracking import Association as Association
    from mapt_bench.tracking import FrameSegments as FrameSegments
    from mapt_bench.tracking import run_tracker as run_tracker
    from mapt_bench.tuning.frontier_config import FrontierConfig as FrontierConfig
    from mapt_bench.tuning.frontier_run import run_frontier as run_frontier
    from mapt_bench.tuning.tuning_config import TuningConfig as TuningConfig
    from mapt_bench.tuning.tuning_run import run_tuning as run_tuning

else:

    def __getattr__(name: str) -> object:
        """Import a public name at its first use."""
        if name not in PUBLIC:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(PUBLIC[name]), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *__all__})
