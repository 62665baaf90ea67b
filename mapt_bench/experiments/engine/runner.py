"""Run a plan: one unit after the other or in a pool of processes. Finished units are kept."""

import hashlib
import multiprocessing
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any, TypeVar

from mapt_bench.baselines.rows import tracker_entry
from mapt_bench.errors import ConfigError, DataError, MaptBenchError, TrackerError
from mapt_bench.experiments.engine._run_folder import (
    claim_folder,
    claim_setup,
    keep_objects,
    read_unit,
    write_unit,
)
from mapt_bench.experiments.engine.schedule import Schedule, ScheduledCell, Unit, schedule_plan
from mapt_bench.experiments.engine.shared import Library, SharedVideo
from mapt_bench.experiments.engine.unit import (
    UnitResult,
    one_thread,
    run_unit,
    start_tracking,
)
from mapt_bench.experiments.plans.data_source import DataSource
from mapt_bench.experiments.plans.plan import Cell, Plan, Series, Skip
from mapt_bench.labels import PanopticMap, Video
from mapt_bench.metrics import LinkEvents, SequenceSums
from mapt_bench.orphans import end_with_parent
from mapt_bench.provenance import provenance

__all__ = [
    "Advance",
    "CellOutcome",
    "Failure",
    "Progress",
    "RunOutcome",
    "Work",
    "no_progress",
    "outcomes",
    "run_plan",
    "spread",
]

_CRASH = 70
_BUG = "bug"

_PORTIONS_A_WORKER = 4


@dataclass(frozen=True, slots=True)
class Failure:
    """Reason why a unit has no result.

    Attributes:
        reason: Error message and place.
        exit_code: Exit code of the command line.
        kind: Kind of the error, see :class:`~mapt_bench.errors.MaptBenchError`, or ``"bug"``.
    """

    reason: str
    exit_code: int
    kind: str = _BUG


@dataclass(frozen=True)
class Work:
    """Data that every worker needs. Each worker gets it once."""

    source: DataSource
    folder: Path
    seed: int


class Worker:
    """Runs units one after the other. Consecutive units of a video share its frames and work."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._library = Library(work.source, work.folder, work.seed)

    def do(self, unit: Unit) -> UnitResult | Failure:
        """Run a unit and write its result.

        Raises:
            ConfigError: If the stress cannot be applied to the video.
            DataError: If the video or its segments are unusable, or a result cannot be written.
        """
        with one_thread(networks=self._runs_networks(unit)):
            shared = self._video(unit)
            outcome = self._outcome(unit, shared)
        if isinstance(outcome, Failure):
            return outcome
        result = replace(outcome, provenance=provenance(threads=1))
        keep_objects(self._work.folder, unit, shared)
        write_unit(self._work.folder, unit, result)
        return result

    def replay(self, unit: Unit, frames: int) -> tuple[Video, list[PanopticMap]]:
        """Track the first frames of a unit again, without scores.

        Returns:
            The video with its existing frames, and their maps.

        Raises:
            ConfigError: If the tracker cannot be built.
            DataError: If the video or its segments are unusable.
            TrackerError: If a user's tracker fails.
        """
        with one_thread(networks=self._runs_networks(unit)):
            kept, run = start_tracking(
                unit.variant,
                self._video(unit),
                segments=unit.segments,
                drop=unit.drop,
                phase=unit.phase,
                pair=unit.pair,
            )
            return kept, list(islice(run.maps(), frames))

    def _video(self, unit: Unit) -> SharedVideo:
        return self._library.video(unit.sequence, unit.stress, unit.segments, key=unit.segments_key)

    def _outcome(self, unit: Unit, shared: SharedVideo) -> UnitResult | Failure:
        try:
            return run_unit(
                unit.variant,
                shared,
                self._work.source.labels,
                segments=unit.segments,
                drop=unit.drop,
                phase=unit.phase,
                pair=unit.pair,
            )
        except MaptBenchError as problem:
            place = f"{problem.where}: " if problem.where else ""
            return Failure(f"{place}{problem.message}", problem.exit_code, problem.kind)
        except Exception as problem:  # a failing cell must not stop the others
            notes = "".join(f"; {note}" for note in getattr(problem, "__notes__", ()))
            return Failure(f"{type(problem).__name__}: {problem}{notes}", _CRASH)

    def _runs_networks(self, unit: Unit) -> bool:
        variant, segments = unit.variant, self._work.source.segments_named(unit.segments)
        if variant.code is not None and _imports_torch(variant.associator):
            return True
        return any(each is not None for each in (variant.weights, variant.mapt, segments.mapt))


def _imports_torch(tracker: str) -> bool:
    """Return whether the code of a user's tracker has imported torch."""
    try:
        tracker_entry(tracker)
    except MaptBenchError:
        return False  # run_unit reports the error
    return "torch" in sys.modules


_worker_of_process: list[Worker] = []


def _enter_process(work: Work) -> None:
    end_with_parent()
    _worker_of_process[:] = [Worker(work)]


def _do_in_process(units: Sequence[Unit]) -> list[UnitResult | Failure]:
    return [_worker_of_process[0].do(unit) for unit in units]


def _portions(units: Sequence[Unit], jobs: int) -> list[tuple[Unit, ...]]:
    """Split units into portions of one video each, small enough to keep every worker busy."""
    most = max(1, len(units) // (_PORTIONS_A_WORKER * jobs))
    groups = groupby(units, key=lambda unit: (unit.sequence, unit.stress))
    return [portion for _, group in groups for portion in _in_pieces(group, most)]


def _in_pieces(units: Iterator[Unit], most: int) -> Iterator[tuple[Unit, ...]]:
    while piece := tuple(islice(units, most)):
        yield piece


def outcomes(
    work: Work, units: Sequence[Unit], jobs: int
) -> Iterator[tuple[Unit, UnitResult | Failure]]:
    """Yield each unit with its outcome as soon as it is done.

    Raises:
        DataError: If a worker process was killed, or a result cannot be written.
    """
    if jobs == 1 or len(units) < 2:
        worker = Worker(work)
        for unit in units:
            yield unit, worker.do(unit)
        return
    portions = _portions(units, jobs)
    # Workers are spawned, because forks of a process with threads (BLAS, OpenCV) may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(jobs, len(portions)), mp_context=context, initializer=_enter_process, initargs=(work,)
    ) as pool:
        waiting: dict[Future[list[UnitResult | Failure]], tuple[Unit, ...]] = {
            pool.submit(_do_in_process, portion): portion for portion in portions
        }
        try:
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield from zip(waiting.pop(future), future.result(), strict=True)
        except BrokenProcessPool as problem:
            raise DataError(
                "a worker process ended before its work was done; if it was out of memory, run the "
                "same command again with fewer workers to resume; if a script starts the workers, "
                "it needs the guard if __name__ == '__main__':",
                where=work.folder,
            ) from problem
        finally:
            pool.shutdown(cancel_futures=True)


Advance = Callable[[int], None]
"""Takes the number of steps that are done since the last call."""

Progress = Callable[[Schedule], AbstractContextManager[Advance]]
"""Shows the progress of a run: takes the schedule, and yields a function that takes done steps.

:func:`run_plan` makes ``schedule.step_count`` steps, and the summary ``schedule.summary_steps``.
"""

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
        if self.failure_kind == _BUG:
            return RuntimeError(f"{folder}: {message}")
        kinds = {each.kind: each for each in (ConfigError, TrackerError)}
        return kinds.get(self.failure_kind, DataError)(message, where=folder)

    @property
    def _failures(self) -> list[Failure]:
        return [found for cell in self.cells for found in cell.failures.values()]


@contextmanager
def no_progress(schedule: Schedule) -> Iterator[Advance]:
    """Show no progress."""
    yield lambda units: None


def run_plan(
    plan: Plan,
    source: DataSource,
    folder: Path,
    *,
    seed: int = 0,
    jobs: int = 1,
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
        jobs: Number of worker processes. Results do not depend on it.
        progress: Called with the schedule before work begins. Gets the numbers of done steps.
        setup: What the folder is a run of, where several plans share it. ``None`` is this plan.

    Raises:
        ConfigError: If ``jobs`` is below 1, or the folder holds another run.
        DataError: If the folder cannot be written, or segments cannot be computed.
    """
    if jobs < 1:
        raise ConfigError(f"jobs is {jobs}; expected 1 worker process or more")
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
        for unit, outcome in outcomes(Work(source, folder, seed), todo, jobs):
            found[unit.place] = outcome
            advance(1 + (unit.segments_place not in opened))
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
