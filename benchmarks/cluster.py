"""Measure a cluster: sizes of work units, a calculation from them, efficiency, tasks per second.

    python benchmarks/cluster.py
    python benchmarks/cluster.py --data KITTI_STEP --json cluster.json

The units are those of ``mapt-bench ablate``. Sizes are CPU time, which other programs do not
change, and bytes. From the sizes follows how long 40 variants and 3 seeds on the 9 sequences of
KITTI-STEP's validation split take. Efficiency is the wall time in one process, divided by that on n
workers of a local cluster and by n: measure it on a machine that has nothing else to do. CPU
efficiency is the same of the CPU time of all processes, which other programs change little.
"""

import heapq
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import click
import psutil
from rich.console import Console
from rich.table import Table
from speed.measure import machine

from mapt_bench.experiments import AblationConfig, DataSource, Plan, run_plan
from mapt_bench.experiments.engine.schedule import Unit, schedule_plan
from mapt_bench.experiments.engine.unit_workers import Work, Worker
from mapt_bench.experiments.plans.network_weights import LOADED
from mapt_bench.experiments.running import ExperimentInputs, plan_of
from mapt_bench.workers import opened_workers
from mapt_bench.workers.named_files import NamedFiles
from mapt_bench.workers.sessions import packed

_EMPTY_TASKS = 2000

_KITTI_FRAMES = (233, 270, 800, 390, 294, 340, 106, 209, 339)
"""Frames of the sequences of KITTI-STEP's validation split."""

_VARIANTS, _SEEDS, _WORKERS = 40, 3, (1, 8, 64)


@click.command()
@click.option("--suite", default="tiny", show_default=True, help="Suite to measure on.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder to measure on instead.")
@click.option("--segments", help="Segments to link, as in ablate.")
@click.option("--only", type=click.Choice(["sizes", "efficiency", "scheduler"]), help="Measure it.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures.")
def main(
    suite: str, data: Path | None, segments: str | None, only: str | None, json_file: Path | None
) -> None:
    """Measure and print."""
    config = AblationConfig(suite=None if data else suite, data=data, segments=segments)
    inputs = ExperimentInputs(config, LOADED)
    plan, source = plan_of(config, inputs), inputs.source()
    measured: dict[str, Callable[[], dict[str, Any]]] = {
        "sizes": partial(_sizes, plan, source),
        "efficiency": partial(_efficiency, plan, source),
        "scheduler": _scheduler,
    }
    found = {name: measure() for name, measure in measured.items() if only in (None, name)}
    found["machine"] = {**machine(), "load": os.getloadavg()[0], "data": source.name}
    for name, figures in found.items():
        _show(name, figures)
    if json_file is not None:
        json_file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def _sizes(plan: Plan, source: DataSource) -> dict[str, Any]:
    """Return CPU time of segments and units in milliseconds a frame, and bytes that travel."""
    units = schedule_plan(plan, source, 0).units()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        worker = Worker(Work(source, run, 0))
        timed = [*_timed(worker, units)]
        archives = [path.stat().st_size for path in run.glob("segments/**/*.npz")]
        results = [path.stat().st_size for path in run.glob("cells/*/*.json")]
    frames = sum(video.info.frame_count for video in source.videos)
    kinds = len(source.segments)
    of_units = sorted(ms for _, ms in timed)
    of_segments = sum(ms for ms, _ in timed) / (frames * kinds)
    return {
        "units": len(units),
        "rows": len(plan.variants),
        "segments, CPU ms a frame": of_segments,
        "unit, CPU ms a frame: median": median(of_units),
        "unit, CPU ms a frame: mean": sum(of_units) / len(of_units),
        "unit, CPU ms a frame: largest": of_units[-1],
        "archive, bytes a frame": sum(archives) / (frames * max(1, kinds)),
        "result, bytes": sum(results) / len(results),
        "task, bytes": max(len(packed(unit, NamedFiles())) for unit in units),
        "session, bytes a frame": len(packed(source, NamedFiles())) / frames,
        **{
            f"KITTI-STEP, {count} workers: hours": _makespan(of_segments, of_units, count) / 3.6e6
            for count in _WORKERS
        },
    }


def _makespan(of_segments: float, of_units: Sequence[float], workers: int) -> float:
    """Return the milliseconds of all seeds side by side, each task on the first idle worker.

    The segments of all sequences come first, as on a cluster, and a unit waits for those of its
    sequence.

    Args:
        of_segments: Milliseconds a frame of segments.
        of_units: The same of each measured unit. Variants take them in turn, evenly spaced.
        workers: Number of workers.
    """
    idle = [0.0] * workers
    ready: dict[tuple[int, int], float] = {}
    places = [(seed, frames) for seed in range(_SEEDS) for frames in _KITTI_FRAMES]
    for place in places:
        ready[place] = heapq.heappop(idle) + place[1] * of_segments
        heapq.heappush(idle, ready[place])
    last = max(idle)
    rows = [of_units[at * len(of_units) // _VARIANTS] for at in range(_VARIANTS)]
    for place in sorted(places, key=ready.__getitem__):
        for row in rows:
            ended = max(heapq.heappop(idle), ready[place]) + place[1] * row
            heapq.heappush(idle, ended)
            last = max(last, ended)
    return last


def _timed(worker: Worker, units: list[Unit]) -> Iterator[tuple[float, float]]:
    """Yield CPU milliseconds of new segments, and milliseconds a frame of the unit."""
    for unit in units:
        began = time.process_time()
        if unit.segments_key and not _own(unit):
            worker.find_segments(unit)
        found = time.process_time()
        outcome = worker.do(unit)
        ended = time.process_time()
        yield 1000 * (found - began), 1000 * (ended - found) / getattr(outcome, "frames", 1)


def _own(unit: Unit) -> bool:
    return unit.segments == "own"


def _efficiency(plan: Plan, source: DataSource) -> dict[str, Any]:
    """Return wall and CPU seconds of a run in one process and on 1 and 2 ready workers."""
    found: dict[str, Any] = {}
    for name, count in (("one process", 1), ("1 worker", 1), ("2 workers", 2)):
        cluster = None if name == "one process" else "local"
        with opened_workers(count, cluster) as workers, tempfile.TemporaryDirectory() as folder:
            first = replace(plan, cells=plan.cells[::4])  # workers import what units need
            run_plan(first, source, Path(folder) / "first", workers=workers)
            cpu, began = _cpu_seconds(), time.monotonic()
            run_plan(plan, source, Path(folder) / "run", workers=workers)
            seconds, cpu = time.monotonic() - began, _cpu_seconds() - cpu
        found[f"{name}, s"], found[f"{name}, CPU s"] = seconds, cpu
        found[f"{name}, speed-up"] = found["one process, s"] / seconds
        found[f"{name}, efficiency"] = found["one process, s"] / (count * seconds)
        found[f"{name}, CPU efficiency"] = found["one process, CPU s"] / cpu
    return found


def _cpu_seconds() -> float:
    """Return the CPU time of this process and of all that it started."""
    own = psutil.Process()
    return sum(sum(each.cpu_times()[:2]) for each in (own, *own.children(recursive=True)))


def _empty() -> Callable[[int], int]:
    return abs


def _scheduler() -> dict[str, Any]:
    """Return how many empty tasks a second the scheduler hands out to two workers."""
    with opened_workers(2, "local") as workers:
        list(workers.run(_empty, range(10)))  # workers are ready
        began = time.monotonic()
        list(workers.run(_empty, range(_EMPTY_TASKS)))
        return {"tasks a second": _EMPTY_TASKS / (time.monotonic() - began)}


def _show(name: str, figures: dict[str, Any]) -> None:
    table = Table(name, "", title=None)
    for what, value in figures.items():
        table.add_row(what, f"{value:,.4g}" if isinstance(value, float) else f"{value}")
    Console().print(table)


if __name__ == "__main__":
    main()
