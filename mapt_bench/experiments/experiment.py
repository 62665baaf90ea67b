"""One experiment from plan to ``results.json``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mapt_bench.errors import ConfigError, DataError, TrackerError
from mapt_bench.experiments.engine.runner import RunOutcome, run_plan
from mapt_bench.experiments.plans.plan import Plan
from mapt_bench.experiments.plans.source import DataSource
from mapt_bench.experiments.summaries.run_result import run_result
from mapt_bench.files import write_json

__all__ = ["INCOMPLETE_FILE", "RESULTS_FILE", "run_experiment"]

RESULTS_FILE = "results.json"
INCOMPLETE_FILE = "results.incomplete.json"


def run_experiment(
    plan: Plan,
    source: DataSource,
    folder: Path,
    *,
    seed: int = 0,
    jobs: int = 1,
    advance: Callable[[int], None] = lambda units: None,
) -> dict[str, Any]:
    """Run a plan, or go on with it, and write its result.

    ``results.json`` is only ever written by a run of which every cell is done. If a cell fails,
    the others are run all the same, the result goes to ``results.incomplete.json`` with the
    failed cells marked, and the gravest failure is raised.

    Args:
        plan: What to run.
        source: Videos and segments.
        folder: Of the run.
        seed: Of segment order, noise and resampling.
        jobs: Worker processes.
        advance: Told how many more units are done.

    Returns:
        The result, schema ``mapt-bench/run/1``.

    Raises:
        ConfigError: If the folder holds another run, or a cell failed for wrong settings.
        DataError: If the data or the folder are unusable, for all or for one cell.
        TrackerError: If a user's tracker failed in a cell.
        RuntimeError: If a cell failed for a fault of the program.
    """
    outcome = run_plan(plan, source, folder, seed=seed, jobs=jobs, advance=advance)
    result = run_result(outcome)
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
        f"with: {failed[0]['reason']}; the others are done and stand in {INCOMPLETE_FILE}; fix "
        "the cause and run the same command again to resume"
    )
    kinds = {each.kind: each for each in (ConfigError, DataError, TrackerError)}
    kind = kinds.get(outcome.failure_kind)
    return RuntimeError(f"{folder}: {message}") if kind is None else kind(message, where=folder)
