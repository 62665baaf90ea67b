"""Run experiments: from a configuration or a plan to ``results.json``."""

from collections.abc import Collection
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

from mapt_bench.errors import ConfigError
from mapt_bench.experiments.engine.runner import (
    Advance,
    Progress,
    RunOutcome,
    no_progress,
    run_plan,
)
from mapt_bench.experiments.engine.schedule import Schedule
from mapt_bench.experiments.engine.unit_workers import import_networks
from mapt_bench.experiments.experiment_config import (
    AblationConfig,
    ExperimentConfig,
    StressConfig,
    SweepConfig,
)
from mapt_bench.experiments.matrix_config import IntervalMatrixConfig
from mapt_bench.experiments.planning import ExperimentInputs, check_config, plan_of
from mapt_bench.experiments.plans.data_source import DataSource
from mapt_bench.experiments.plans.network_weights import LOADED
from mapt_bench.experiments.plans.plan import Plan
from mapt_bench.experiments.summaries.run_result import run_result
from mapt_bench.files import write_json
from mapt_bench.workers import Processes, Workers, opened_workers

__all__ = [
    "INCOMPLETE_FILE",
    "RESULTS_FILE",
    "run_ablation",
    "run_configured",
    "run_experiment",
    "run_stress",
    "run_sweep",
]

RESULTS_FILE = "results.json"
INCOMPLETE_FILE = "results.incomplete.json"


_HERE = Processes()


def run_experiment(
    plan: Plan,
    source: DataSource,
    folder: Path,
    *,
    seed: int = 0,
    workers: Workers = _HERE,
    jobs: int = 1,
    progress: Progress = no_progress,
    command: str | None = None,
    losses: Collection[str] = (),
) -> dict[str, Any]:
    """Run a plan, or resume it, and write its result.

    ``results.json`` is written only if every cell is done. If a cell fails, the other cells still
    run. Then the result goes to ``results.incomplete.json``, which marks the failed cells, and the
    most serious failure is raised.

    Args:
        plan: The plan.
        source: Videos and segments.
        folder: Run folder.
        seed: Seed of segment order, faults and resampling.
        workers: Where units run.
        jobs: Number of processes that count losses for the summary, if the workers are a cluster.
        progress: Shows the progress of the run.
        command: Command of the same run, for ``provenance.command``. ``None`` if there is none.
        losses: Names of rows with losses, besides the reference, the best row and the oracle.

    Returns:
        The result, schema ``mapt-bench/run/1``.

    Raises:
        ConfigError: If the folder holds another run, or a cell failed because of its settings.
        DataError: If the data or the folder are unusable, or a cell failed because of its data.
        TrackerError: If a user's tracker failed in a cell.
        RuntimeError: If a cell failed because of a bug.
    """
    with ExitStack() as stack:
        shown: list[Advance] = []

        def until_summary(schedule: Schedule) -> AbstractContextManager[Advance]:
            shown.append(stack.enter_context(progress(schedule)))
            return nullcontext(shown[0])

        outcome = run_plan(plan, source, folder, seed=seed, workers=workers, progress=until_summary)
        here = workers if isinstance(workers, Processes) else stack.enter_context(Processes(jobs))
        result = run_result(outcome, losses=losses, processes=here, advance=shown[0])
    if command is not None:
        result["provenance"]["command"] = command
    if outcome.exit_code:
        write_json(folder / INCOMPLETE_FILE, result)
        raise _failure(outcome, result, folder)
    write_json(folder / RESULTS_FILE, result)
    (folder / INCOMPLETE_FILE).unlink(missing_ok=True)
    return result


def _failure(outcome: RunOutcome, result: dict[str, Any], folder: Path) -> Exception:
    failed = [cell for cell in result["cells"] if cell["status"] == "failed"]
    message = (
        f"{len(failed)} of {len(result['cells'])} cells failed, the first ({failed[0]['variant']}) "
        f"with: {failed[0]['reason']}; {INCOMPLETE_FILE} has the other cells; fix the cause, and "
        "run the same command again to resume"
    )
    return outcome.error(message, folder)


def run_ablation(config: AblationConfig, *, progress: Progress = no_progress) -> dict[str, Any]:
    """Run an ablation, or resume it, and write its run folder.

    Args:
        config: All options.
        progress: Shows the progress of the run.

    Returns:
        The result, schema ``mapt-bench/run/1``.

    Raises:
        ConfigError: If options do not go together, or the folder holds another run.
        DataError: If data, weights or the folder are unusable.
        TrackerError: If a user's tracker failed.
    """
    return run_configured(config, progress=progress)


def run_sweep(config: SweepConfig, *, progress: Progress = no_progress) -> dict[str, Any]:
    """Run a sweep over temporal intervals, or resume it, and write its run folder.

    Args:
        config: All options.
        progress: Shows the progress of the run.

    Returns:
        The result, schema ``mapt-bench/run/1``.

    Raises:
        ConfigError: If options do not go together, or the folder holds another run.
        DataError: If data, weights or the folder are unusable.
        TrackerError: If a user's tracker failed.
    """
    return run_configured(config, progress=progress)


def run_stress(config: StressConfig, *, progress: Progress = no_progress) -> dict[str, Any]:
    """Run a stress test, or resume it, and write its run folder.

    Args:
        config: All options.
        progress: Shows the progress of the run.

    Returns:
        The result, schema ``mapt-bench/run/1``.

    Raises:
        ConfigError: If options do not go together, or the folder holds another run.
        DataError: If data, weights or the folder are unusable.
        TrackerError: If a user's tracker failed.
    """
    return run_configured(config, progress=progress)


def run_configured(config: ExperimentConfig, *, progress: Progress = no_progress) -> dict[str, Any]:
    """Run the experiment of a configuration, or resume it, and write its run folder.

    Args:
        config: All options. Their class names the experiment.
        progress: Shows the progress of the run.

    Returns:
        The result, schema ``mapt-bench/run/1``.

    Raises:
        ConfigError: If options do not go together, or the folder holds another run.
        DataError: If data, weights or the folder are unusable.
        TrackerError: If a user's tracker failed.
    """
    if isinstance(config, IntervalMatrixConfig):
        raise ConfigError("an interval matrix is run by mapt_bench.intervals.matrix_run.run_matrix")
    named = check_config(config)
    config.check_device()
    with opened_workers(config.jobs, config.cluster, config.scheduler_file) as workers:
        if isinstance(workers, Processes) and named.has_networks:
            workers.begin(import_networks)  # meanwhile, this process reads weights and plans
        inputs = ExperimentInputs(config, LOADED)
        plan, placed = plan_of(config, inputs), config.with_folder()
        return run_experiment(
            plan,
            inputs.source(),
            placed.out or Path(),
            seed=config.seed,
            workers=workers,
            jobs=config.jobs,
            progress=progress,
            command=config.command_line(),
            losses=config.losses,
        )
