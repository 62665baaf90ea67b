"""Runs a plan; what is done is never done again."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mapt_bench.errors import ConfigError, DataError, TrackerError
from mapt_bench.experiments.engine._workers import Failure, Work, outcomes
from mapt_bench.experiments.engine.run_folder import claim_folder, read_unit
from mapt_bench.experiments.engine.schedule import Schedule, ScheduledCell, schedule_plan
from mapt_bench.experiments.engine.unit import UnitResult
from mapt_bench.experiments.plans.plan import Cell, Plan, Series, Skip
from mapt_bench.experiments.plans.source import DataSource
from mapt_bench.metrics import LinkEvents, SequenceSums

__all__ = ["CellOutcome", "Progress", "RunOutcome", "no_progress", "run_plan"]

Progress = Callable[[Schedule], AbstractContextManager[Callable[[int], None]]]
"""Shows how far a run is: gets the schedule, and yields a function that takes units done."""


@dataclass(frozen=True)
class CellOutcome:
    """What came of a cell.

    Attributes:
        cell: What was run.
        key: Its content key.
        units: Results by ``(sequence index, phase)``, in that order; without the failed ones.
        failures: Reasons by ``(sequence index, phase)``.
    """

    cell: Cell
    key: str
    units: Mapping[tuple[int, int], UnitResult]
    failures: Mapping[tuple[int, int], Failure]

    def sums(self) -> dict[int, list[SequenceSums]]:
        """Return, for each sequence, the sums of each phase."""
        found: dict[int, list[SequenceSums]] = {}
        for (sequence, _), unit in self.units.items():
            found.setdefault(sequence, []).append(unit.sums)
        return found

    def links_by_sequence(self) -> dict[int, LinkEvents]:
        """Return the link events of each sequence, all phases together."""
        found: dict[int, list[LinkEvents]] = {}
        for (sequence, _), unit in self.units.items():
            found.setdefault(sequence, []).append(unit.links)
        return {sequence: LinkEvents.joined(parts) for sequence, parts in found.items()}

    def links(self) -> LinkEvents:
        """Return the link events of all sequences."""
        return LinkEvents.joined(unit.links for unit in self.units.values())

    def frames(self, sequence: int) -> int:
        """Return how many frames of a sequence were scored, all phases together."""
        return sum(unit.frames for (index, _), unit in self.units.items() if index == sequence)


@dataclass(frozen=True)
class RunOutcome:
    """What came of a plan; ``computed`` counts the units that were not done before."""

    plan: Plan
    source: DataSource
    seed: int
    cells: tuple[CellOutcome, ...]
    skipped: tuple[Skip, ...]
    computed: int

    @property
    def series(self) -> tuple[Series, ...]:
        """Those of the plan that were run at some level, and not skipped."""
        cells = [cell.cell for cell in self.cells]
        return tuple(each for each in self.plan.series if any(map(each.level_of, cells)))

    @property
    def exit_code(self) -> int:
        """0, or the gravest code among the failures."""
        return max((failure.exit_code for failure in self._failures), default=0)

    @property
    def failure_kind(self) -> str:
        """Kind of the gravest failure: of those with the same code, a bug of the program first."""
        kinds = {each.kind for each in self._failures if each.exit_code == self.exit_code}
        if "bug" in kinds:
            return "bug"
        codes = {TrackerError.exit_code: TrackerError, ConfigError.exit_code: ConfigError}
        return codes.get(self.exit_code, DataError).kind

    @property
    def _failures(self) -> list[Failure]:
        return [found for cell in self.cells for found in cell.failures.values()]


@contextmanager
def no_progress(schedule: Schedule) -> Iterator[Callable[[int], None]]:
    """Show nothing of a schedule and its progress."""
    yield lambda units: None


def run_plan(
    plan: Plan,
    source: DataSource,
    folder: Path,
    *,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress = no_progress,
) -> RunOutcome:
    """Run every cell of a plan that is not done yet.

    Segments of a video under a stress are found once and archived; each unit (a cell on one
    sequence, in one phase of the dropped frames) is written to its own file as soon as it is done.
    A failed unit is not kept, so that the next run tries it again.

    Args:
        plan: What to run.
        source: Videos and segments.
        folder: The run; made if need be, gone on with if it is of the same plan and data.
        seed: Of segment order and noise.
        jobs: Worker processes; results do not depend on it.
        progress: Opened with the schedule before work begins; gets the number of units done.

    Raises:
        ConfigError: If ``jobs`` is below 1 or the folder holds a run of another plan or data.
        DataError: If the folder cannot be written, or no segments can be found.
    """
    if jobs < 1:
        raise ConfigError(f"{jobs} workers; expected 1 or more")
    schedule = schedule_plan(plan, source, seed)
    claim_folder(folder, plan, source, seed)
    units = schedule.units()
    found: dict[tuple[str, int, int], UnitResult | Failure] = {}
    for unit in units:
        kept = read_unit(folder, unit, source.labels)
        if kept is not None:
            found[unit.place] = kept
    todo = [unit for unit in units if unit.place not in found]
    with progress(schedule) as advance:
        advance(len(found))
        for unit, outcome in outcomes(Work(source, folder, seed), todo, jobs):
            found[unit.place] = outcome
            advance(1)
    return RunOutcome(
        plan=plan,
        source=source,
        seed=seed,
        cells=tuple(_gather(cell, found) for cell in schedule.cells),
        skipped=schedule.skipped,
        computed=sum(isinstance(found[unit.place], UnitResult) for unit in todo),
    )


def _gather(
    scheduled: ScheduledCell, found: Mapping[tuple[str, int, int], UnitResult | Failure]
) -> CellOutcome:
    units: dict[tuple[int, int], UnitResult] = {}
    failures: dict[tuple[int, int], Failure] = {}
    for unit in scheduled.units():
        outcome, where = found[unit.place], (unit.sequence, unit.phase)
        if isinstance(outcome, Failure):
            failures[where] = outcome
        else:
            units[where] = outcome
    return CellOutcome(scheduled.cell, scheduled.key, units, failures)
