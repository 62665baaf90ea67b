"""Measurements in processes of their own: a request in, an answer out, both JSON."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

__all__ = ["TASKS", "answer", "ask"]

TASKS = ("turns", "memory", "tracking", "training")


def ask(task: str, request: dict[str, Any]) -> dict[str, Any]:
    """Have something measured in a fresh process.

    Raises:
        ClickException: If it fails; the error has the last line of its output.
    """
    threads = str(request["threads"])
    # Threads that wait actively keep each other from a processor that others use too.
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OMP_WAIT_POLICY": "passive",
    }
    script = Path(__file__).resolve().parents[1] / "model.py"
    done = subprocess.run(
        [sys.executable, str(script), "--worker", task, "--request", json.dumps(request)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it was killed; is there enough memory?"])[-1]
        raise click.ClickException(f"{task} of {request['config']} cannot be measured: {last}")
    answered: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answered


def answer(task: str, request: dict[str, Any]) -> dict[str, Any]:
    """Measure in this process, which should have run nothing else."""
    # Here, not above: the process that asks needs no torch.
    if task == "training":
        from model_speed.training import measure_training

        return measure_training(request)
    from model_speed.frames import measure_memory, measure_tracking, measure_turns

    tasks = {"turns": measure_turns, "memory": measure_memory, "tracking": measure_tracking}
    return tasks[task](request)
