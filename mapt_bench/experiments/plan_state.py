"""The state of a plan before it runs: its cells, how many are done, and how long the rest takes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from mapt_bench.experiments.engine._run_folder import read_unit
from mapt_bench.experiments.engine.schedule import Schedule, ScheduledCell, Unit, schedule_plan
from mapt_bench.experiments.experiment_config import ExperimentConfig
from mapt_bench.experiments.planning import ExperimentInputs, plan_of
from mapt_bench.experiments.plans.data_source import DataSource
from mapt_bench.experiments.plans.network_weights import LOADED

__all__ = ["STATE_SCHEMA", "state_of_runs"]

STATE_SCHEMA = "mapt-bench/plan-state/1"

_PAUSE = 20
"""A gap between two finished units that is this many times the median is a pause of the run."""


def state_of_runs(
    configs: Mapping[str, ExperimentConfig], advance: Callable[[int], None] = lambda _runs: None
) -> dict[str, Any]:
    """Return the cells of runs, how many are done, and an estimate of the remaining time.

    This reads weights and data, but runs no tracker and writes no file.

    Args:
        configs: Options of each run by its name. A run without a folder has nothing done.
        advance: Called with the number of runs that were looked at.

    Returns:
        Schema ``mapt-bench/plan-state/1``: for each run its cells, with the work units of each,
        those that are done, and what is skipped. ``seconds_left`` is the number of remaining
        frames times the time between finished units per frame, over all runs; pauses are left out.
        It is ``None`` if fewer than two units are done.

    Raises:
        ConfigError: If options do not go together.
        DataError: If data or weights are unusable, or nothing can run.
    """
    states = {}
    for name, config in configs.items():
        states[name] = _RunState.of(config)
        advance(1)
    pace = _pace(states.values())
    runs = [state.to_dict(name, pace) for name, state in states.items()]
    frames = sum(state.frames_left for state in states.values())
    return {
        "schema": STATE_SCHEMA,
        "runs": runs,
        "cells": sum(len(run["cells"]) for run in runs),
        "units": sum(run["units"] for run in runs),
        "done": sum(run["done"] for run in runs),
        "seconds_left": _seconds(frames, pace),
    }


@dataclass(frozen=True)
class _RunState:
    """The units of one run, and the time at which each was finished."""

    config: ExperimentConfig
    source: DataSource
    schedule: Schedule
    finished: Mapping[tuple[str, int, int], float]

    @classmethod
    def of(cls, config: ExperimentConfig) -> "_RunState":
        inputs = ExperimentInputs(config, LOADED)
        plan, source = plan_of(config, inputs), inputs.source()
        schedule = schedule_plan(plan, source, config.seed)
        finished = {} if config.out is None else _finished(config.out, schedule, source)
        return cls(config, source, schedule, finished)

    def frames_of(self, unit: Unit) -> int:
        """Return the number of frames that the unit tracks."""
        frames = self.source.videos[unit.sequence].info.frame_count
        return len(range(unit.phase, frames, unit.drop))

    @property
    def frames_left(self) -> int:
        """Number of frames of units that are not done."""
        units = self.schedule.units()
        return sum(self.frames_of(unit) for unit in units if unit.place not in self.finished)

    def gaps(self) -> Iterator[tuple[float, int]]:
        """Yield the time between finished units, in seconds, with the frames of the later one."""
        units = [unit for unit in self.schedule.units() if unit.place in self.finished]
        units.sort(key=lambda unit: self.finished[unit.place])
        for before, after in pairwise(units):
            gap = self.finished[after.place] - self.finished[before.place]
            yield gap, self.frames_of(after)

    def to_dict(self, name: str, pace: float | None) -> dict[str, Any]:
        """Return plain data for JSON."""
        cells = [self._cell(each) for each in self.schedule.cells]
        return {
            "name": name,
            "experiment": self.config.experiment,
            "data": self.source.name,
            "seed": self.config.seed,
            "folder": None if self.config.out is None else str(self.config.out),
            "units": len(self.schedule.units()),
            "done": len(self.finished),
            "seconds_left": _seconds(self.frames_left, pace),
            "cells": cells,
            "skipped": [skip.to_dict() for skip in self.schedule.skipped],
        }

    def _cell(self, scheduled: ScheduledCell) -> dict[str, Any]:
        cell, units = scheduled.cell, list(scheduled.units())
        stress = cell.stress
        return {
            "key": scheduled.key,
            "variant": cell.variant.name,
            "segments": self.source.segments_named(cell.segments).name,
            "drop": cell.drop,
            "pair": cell.pair,
            "stress": None if stress is None else {"name": stress.name, "level": stress.level},
            "units": len(units),
            "done": sum(unit.place in self.finished for unit in units),
        }


def _finished(
    folder: Path, schedule: Schedule, source: DataSource
) -> dict[tuple[str, int, int], float]:
    """Return the time at which each unit of a run folder was finished, in seconds."""
    return {
        unit.place: (folder / "cells" / unit.file).stat().st_mtime
        for unit in schedule.units()
        if read_unit(folder, unit, source.labels) is not None
    }


def _pace(states: Iterable[_RunState]) -> float | None:
    """Return the seconds per frame of finished units, ``None`` without an estimate."""
    gaps = [gap for state in states for gap in state.gaps()]
    if not gaps:
        return None
    longest = _PAUSE * median(gap for gap, _ in gaps)
    kept = [(gap, frames) for gap, frames in gaps if gap <= longest]
    return sum(gap for gap, _ in kept) / sum(frames for _, frames in kept)


def _seconds(frames: int, pace: float | None) -> float | None:
    return None if pace is None else frames * pace
