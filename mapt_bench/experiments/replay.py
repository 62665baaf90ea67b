"""Replay rows of a run: track a few sequences again, from the segment archives, without scores."""

from functools import cached_property
from pathlib import Path

from mapt_bench.errors import DataError
from mapt_bench.experiments.engine.schedule import Unit, schedule_plan
from mapt_bench.experiments.engine.unit_workers import Work, Worker
from mapt_bench.experiments.experiment_config import ExperimentConfig
from mapt_bench.experiments.planning import ExperimentInputs, plan_of
from mapt_bench.experiments.plans.data_source import DataSource
from mapt_bench.experiments.plans.network_weights import LOADED
from mapt_bench.experiments.plans.plan import Plan
from mapt_bench.labels import PanopticMap, Video

__all__ = ["Replay"]


class Replay:
    """Tracks sequences of a run again. Nothing is read or planned before the first call.

    Args:
        config: Options of the run, with its folder.
    """

    def __init__(self, config: ExperimentConfig) -> None:
        self._config = config

    def __call__(self, cell: str, sequence: str, frames: int) -> tuple[Video, list[PanopticMap]]:
        """Return a video, and the maps of its first frames.

        Of dropped frames, the first phase is replayed: the frames from the first one on.

        Args:
            cell: Content key of the cell. It is the same only if code, data, weights and settings
                are the same, so the maps are those that were scored.
            sequence: Name of the sequence.
            frames: Number of frames to track, 1 or more.

        Raises:
            ConfigError: If the tracker cannot be built.
            DataError: If no cell has this key any more, or the data are unusable.
            TrackerError: If a user's tracker fails.
        """
        unit = self._units.get((cell, sequence))
        if unit is None:
            raise DataError(
                f"code, data or weights have changed since sequence {sequence} was tracked; run "
                "the command of the run again, with another --out",
                where=self._config.out,
            )
        return self._worker.replay(unit, frames)

    @cached_property
    def _planned(self) -> tuple[Plan, DataSource]:
        inputs = ExperimentInputs(self._config, LOADED)
        return plan_of(self._config, inputs), inputs.source()

    @cached_property
    def _units(self) -> dict[tuple[str, str], Unit]:
        plan, source = self._planned
        return {
            (unit.key, source.videos[unit.sequence].info.name): unit
            for unit in schedule_plan(plan, source, self._config.seed).units()
            if unit.phase == 0
        }

    @cached_property
    def _worker(self) -> Worker:
        _, source = self._planned
        return Worker(Work(source, self._config.out or Path(), self._config.seed))
