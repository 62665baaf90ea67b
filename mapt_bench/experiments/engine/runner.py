"""Run a plan: schedule its units, hand them to workers, and gather their results by cell."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mapt_bench.errors import ConfigError, DataError, TrackerError
from mapt_bench.experiments.engine._run_folder import claim_folder, claim_setup, read_unit
from mapt_bench.experiments.engine.schedule import Schedule, ScheduledCell, schedule_plan
from mapt_bench.experiments.engine.unit import UnitResult
from mapt_bench.experiments.engine.unit_workers import BUG, Failure, Work, outcomes
from mapt_bench.experiments.plans.data_source import DataSource
from mapt_bench.experiments.plans.plan import Cell, Plan, Series, Skip
from mapt_bench.metrics import LinkEvents, SequenceSums
from mapt_bench.workers import Processes, Workers

__all__ = [
    "Advance",
    "CellOutcome",
    "CellWork",
    "NamedProgress",
    "Progress",
    "RunOutcome",
    "no_named_progress",
    "no_progress",
    "of_schedule",
    "run_plan",
    "spread",
]

Advance = Callable[[int], None]
"""Takes the number of steps that are done since the last call."""

Progress = Callable[[Schedule], AbstractContextManager[Advance]]
"""Shows the progress of a run: takes the schedule, and yields a function that takes done steps.

:func:`run_plan` makes ``schedule.step_count`` steps, and the summary ``schedule.summary_steps``.
"""

NamedProgress = Callable[[str, int], AbstractContextManager[Advance]]
"""Shows the progress of one part of a run: takes a description and the number of steps, and yields
a function that takes done steps."""

CellWork = tuple[str, tuple[tuple[int, int], ...]]
"""Key of a cell, and the ``(sequence index, phase)`` of its units."""

_Item = TypeVar("_Item")


def spread(items: Iterable[_Item], count: int, steps: int, advance: Advance) -> Iterator[_Item]:
    """Yield items, and spread a number of steps evenly over them.

    Args:
        items: Items of some work.
        count: Number of items.
        steps: Number of steps of the whole work.
        advance: Takes done steps.
    """
    for at, item in enumerate(items):
        yield item
        advance(steps * (at + 1) // count - steps * at // count)


@dataclass(frozen=True)
class CellOutcome:
    """Results of a cell.

    Attributes:
        cell: The cell.
        key: Content key of the cell.
        units: Results of successful units by ``(sequence index, phase)``, in this order.
        failures: Failures by ``(sequence index, phase)``.
    """

    cell: Cell
    key: str
    units: Mapping[tuple[int, int], UnitResult]
    failures: Mapping[tuple[int, int], Failure]

    @property
    def work(self) -> CellWork:
        """Key and places of the units. Cells with equal work have equal results.

        The key alone is not enough: long intervals skip short sequences.
        """
        return self.key, tuple(self.units)

    def sums(self) -> dict[int, list[SequenceSums]]:
        """Return the sums of each phase, by sequence."""
        found: dict[int, list[SequenceSums]] = {}
        for (sequence, _), unit in self.units.items():
            found.setdefault(sequence, []).append(unit.sums)
        return found

    def links_by_sequence(self) -> dict[int, LinkEvents]:
        """Return the link events of all phases together, by sequence."""
        found: dict[int, list[LinkEvents]] = {}
        for (sequence, _), unit in self.units.items():
            found.setdefault(sequence, []).append(unit.links)
        return {sequence: LinkEvents.joined(parts) for sequence, parts in found.items()}

    def links(self) -> LinkEvents:
        """Return the link events of all sequences."""
        return LinkEvents.joined(unit.links for unit in self.units.values())

    def maps(self, sequence: int) -> str:
        """Return the hash of the predicted maps of a sequence, of several phases one hash of all.

        See :attr:`UnitResult.maps`.
        """
        found = [unit.maps for (index, _), unit in self.units.items() if index == sequence]
        if len(found) == 1:
            return found[0]
        return hashlib.blake2b(" ".join(found).encode(), digest_size=16).hexdigest()

    def frames(self, sequence: int) -> int:
        """Return the number of scored frames of a sequence in all phases."""
        return sum(unit.frames for (index, _), unit in self.units.items() if index == sequence)


@dataclass(frozen=True)
class RunOutcome:
    """Results of a plan. ``computed`` is the number of units that were not done before."""

    plan: Plan
    source: DataSource
    seed: int
    cells: tuple[CellOutcome, ...]
    skipped: tuple[Skip, ...]
    computed: int

    @property
    def series(self) -> tuple[Series, ...]:
        """Series of the plan that ran at some level above 0."""
        cells = [cell.cell for cell in self.cells]
        return tuple(each for each in self.plan.series if any(map(each.level_of, cells)))

    @property
    def exit_code(self) -> int:
        """0, or the highest exit code of the failures."""
        return max((failure.exit_code for failure in self._failures), default=0)

    @property
    def failure_kind(self) -> str:
        """Kind of the first failure with this exit code."""
        kinds = (each.kind for each in self._failures if each.exit_code == self.exit_code)
        return next(kinds, DataError.kind)

    def error(self, message: str, folder: Path) -> Exception:
        """Return the error of the failures with this exit code, to be raised.

        Args:
            message: What failed, and what to do.
            folder: Run folder.
        """
        if self.failure_kind == BUG:
            return RuntimeError(f"{folder}: {message}")
        kinds = {each.kind: each for each in (ConfigError, TrackerError)}
        return kinds.get(self.failure_kind, DataError)(message, where=folder)

    def raise_failure(self, folder: Path, *, what: str = "", kept: str = "work is") -> None:
        """Raise an error if there is a failure, for runs that need every cell.

        It is about the first failure with :attr:`exit_code`, which decides the class of the error.

        Args:
            folder: Run folder.
            what: What the failed variant is, for messages, such as ``"trial "``.
            kept: What is kept of the run, with its verb.

        Raises:
            Exception: That of :meth:`error`.
        """
        places = (
            (cell.cell.variant.name, sequence, failure)
            for cell in self.cells
            for (sequence, _), failure in cell.failures.items()
            if failure.exit_code == self.exit_code
        )
        for name, sequence, failure in places:
            raise self.error(
                f"{what}{name} failed on sequence {self.source.videos[sequence].info.name}: "
                f"{failure.reason}; finished {kept} kept: fix the cause and run the same command "
                "again to resume",
                folder,
            )

    @property
    def _failures(self) -> list[Failure]:
        return [found for cell in self.cells for found in cell.failures.values()]


@contextmanager
def no_progress(schedule: Schedule) -> Iterator[Advance]:
    """Show no progress."""
    yield lambda units: None


@contextmanager
def no_named_progress(description: str, total: int) -> Iterator[Advance]:
    """Show no progress of a part."""
    yield lambda steps: None


def of_schedule(progress: NamedProgress, description: str) -> Progress:
    """Return what shows the progress of the units of a plan as one part of a run."""
    return lambda schedule: progress(description, schedule.step_count)


_HERE = Processes()


def run_plan(
    plan: Plan,
    source: DataSource,
    folder: Path,
    *,
    seed: int = 0,
    workers: Workers = _HERE,
    progress: Progress = no_progress,
    setup: Mapping[str, Any] | None = None,
) -> RunOutcome:
    """Run all cells of a plan that are not done yet.

    The segments of a video under a stress are computed once and archived. A unit is a cell on one
    sequence, in one phase of the dropped frames. Each unit is written to its own file as soon as
    it is done. A failed unit is not kept, so the next run tries it again.

    Args:
        plan: The plan.
        source: Videos and segments.
        folder: Run folder. It is created, or an existing run is resumed. A run of the same plan
            with fewer rows gets the new rows.
        seed: Seed of segment order and faults.
        workers: Where units run. Results do not depend on it.
        progress: Called with the schedule before work begins. Gets the numbers of done steps.
        setup: What the folder is a run of, where several plans share it. ``None`` is this plan.

    Raises:
        ConfigError: If the folder holds another run.
        DataError: If the folder cannot be written, segments cannot be computed, or a worker process
            was killed.
    """
    schedule = schedule_plan(plan, source, seed)
    if setup is None:
        claim_folder(folder, plan, source, seed)
    else:
        claim_setup(folder, setup)
    units = schedule.units()
    found: dict[tuple[str, int, int], UnitResult | Failure] = {}
    for unit in units:
        kept = read_unit(folder, unit, source.labels)
        if kept is not None:
            found[unit.place] = kept
    todo = [unit for unit in units if unit.place not in found]
    with progress(schedule) as advance:
        opened = {unit.segments_place for unit in units if unit.place in found}
        advance(len(found) + len(opened))
        for unit, outcome in outcomes(Work(source, folder, seed), todo, workers):
            if outcome is not None:
                found[unit.place] = outcome
            advance((outcome is not None) + (unit.segments_place not in opened))
            opened.add(unit.segments_place)
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
