"""Run an interval matrix: fine-tune heads, run them at all inference intervals, and compare."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mapt_bench.baselines.thresholds import describe_thresholds
from mapt_bench.devices import DeviceSettings
from mapt_bench.experiments.engine._run_folder import claim_setup
from mapt_bench.experiments.engine.runner import (
    NamedProgress,
    no_named_progress,
    of_schedule,
    run_plan,
)
from mapt_bench.experiments.matrix_config import IntervalMatrixConfig
from mapt_bench.experiments.matrix_plan import matrix_plan
from mapt_bench.experiments.planning import TUNES_MAPT, ExperimentInputs, check_config
from mapt_bench.experiments.plans.network_weights import (
    LOADED,
    MaptWeights,
    read_mapt_weights,
)
from mapt_bench.files import write_json
from mapt_bench.intervals.matrix_heads import (
    TrainingVideos,
    train_heads,
    training_videos,
)
from mapt_bench.intervals.matrix_result import matrix_result
from mapt_bench.workers import Processes, opened_workers

__all__ = ["RESULTS_FILE", "run_matrix"]

RESULTS_FILE = "results.json"


def run_matrix(
    config: IntervalMatrixConfig, *, progress: NamedProgress = no_named_progress
) -> dict[str, Any]:
    """Run an interval matrix, or resume it, and write ``results.json`` of its run folder.

    Heads are fine-tuned in processes of this machine, also if a cluster tracks. They run on the
    device of the options, or on the CPU if that device is the one of a cluster's machines.

    Args:
        config: All options.
        progress: Shows the progress of its parts.

    Returns:
        The result, schema ``mapt-bench/interval-matrix/1``.

    Raises:
        ConfigError: If options do not go together, or the folder holds another run.
        DataError: If data, weights or the folder are unusable.
    """
    check_config(config)
    config.check_device()
    placed = config.with_folder()
    folder = placed.out or Path()
    inputs = ExperimentInputs(placed, LOADED)
    given = inputs.needed_mapt(TUNES_MAPT)
    source, training = inputs.source(), training_videos(placed)
    on = placed.settings_here()
    setup = _setup(placed, given, source.describe(), training, on)
    claim_setup(folder, setup)
    with ExitStack() as stack:
        workers = stack.enter_context(
            opened_workers(placed.jobs, placed.cluster, placed.scheduler_file)
        )
        is_here = isinstance(workers, Processes)
        here = workers if is_here else stack.enter_context(Processes(placed.jobs))
        trained = train_heads(placed, given.path, training, folder, here, progress, on=on)
        heads = {
            (each.interval, each.seed): read_mapt_weights(str(each.weights), each.name)
            for each in trained
        }
        plan, places = matrix_plan(placed, given, heads)
        outcome = run_plan(
            plan,
            source,
            folder,
            seed=placed.seed,
            workers=workers,
            progress=of_schedule(progress, "interval matrix"),
            setup=setup,
        )
        outcome.raise_failure(folder)
        with progress("statistics", 1) as advance:
            result = matrix_result(placed, outcome, places, setup)
            advance(1)
    write_json(folder / RESULTS_FILE, result)
    return result


def _setup(
    config: IntervalMatrixConfig,
    given: MaptWeights,
    data: Mapping[str, Any],
    training: TrainingVideos,
    on: DeviceSettings,
) -> dict[str, Any]:
    """Return what must not change when the run is resumed, ready for JSON."""
    return {
        "experiment": config.experiment,
        "weights": {"name": given.name, "sha256": given.sha256},
        "training": {
            "data": training.description,
            "intervals": list(config.train_intervals),
            "seeds": list(config.train_seeds),
            "steps": config.train_steps,
            "taus": list(config.taus),
            **on.identity(),
        },
        "inference": {"pair": list(config.pair), "drop": list(config.drop)},
        "target": config.target,
        "tracker": config.tracker,
        "memory": config.memory,
        "thresholds": describe_thresholds(config.thresholds),
        "vpq_windows": list(config.vpq_windows),
        "seed": config.seed,
        "data": dict(data),
    }
