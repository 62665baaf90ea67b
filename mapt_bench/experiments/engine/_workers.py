"""Units done one after the other, or in a pool of processes; the results are the same."""

import multiprocessing
import sys
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path

from mapt_bench.baselines.rows import tracker_entry
from mapt_bench.errors import DataError, MaptBenchError, TrackerError
from mapt_bench.experiments.engine.run_folder import write_unit
from mapt_bench.experiments.engine.schedule import Unit
from mapt_bench.experiments.engine.shared import Library, SharedVideo
from mapt_bench.experiments.engine.unit import UnitResult, one_thread, run_unit
from mapt_bench.experiments.plans.source import DataSource
from mapt_bench.orphans import end_with_parent
from mapt_bench.provenance import provenance

__all__ = ["Failure", "Work", "outcomes"]

_CRASH = 70

_PORTIONS_A_WORKER = 4


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a unit has no result.

    Attributes:
        reason: What went wrong, and where.
        exit_code: What the command line returns for it.
        kind: Of the error, as :class:`~mapt_bench.errors.MaptBenchError` has it; ``"bug"`` for a
            fault of the program.
    """

    reason: str
    exit_code: int
    kind: str = "bug"


@dataclass(frozen=True)
class Work:
    """What every worker needs; sent to each once."""

    source: DataSource
    folder: Path
    seed: int


class Worker:
    """Does units one after the other; those of one video in a row share what was read of it."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._library = Library(work.source, work.folder, work.seed)

    def do(self, unit: Unit) -> UnitResult | Failure:
        """Run a unit and write its result down.

        Raises:
            ConfigError: If the stress cannot be put on the video.
            DataError: If the video or its segments are unusable, or a result cannot be written.
        """
        with one_thread(networks=self._runs_networks(unit)):
            shared = self._library.video(
                unit.sequence, unit.stress, unit.segments, key=unit.segments_key
            )
            outcome = self._outcome(unit, shared)
        if isinstance(outcome, Failure):
            return outcome
        told = replace(outcome, provenance=provenance(threads=1))
        write_unit(self._work.folder, unit, told)
        return told

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
            raised = _raised_at(problem)
            return Failure(f"{place}{problem.message}{raised}", problem.exit_code, problem.kind)
        except Exception as problem:  # one broken cell must not lose the others
            return Failure(f"{type(problem).__name__}: {problem}", _CRASH)

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
        return False  # run_unit says what is wrong
    return "torch" in sys.modules


def _raised_at(problem: MaptBenchError) -> str:
    """Return which line of a user's tracker failed: the traceback stays in the worker."""
    if problem.__cause__ is None or not isinstance(problem, TrackerError):
        return ""
    last = traceback.extract_tb(problem.__cause__.__traceback__)[-1]
    return f" ({Path(last.filename).name}, line {last.lineno}, in {last.name})"


_worker_of_process: list[Worker] = []


def _enter_process(work: Work) -> None:
    end_with_parent()
    _worker_of_process[:] = [Worker(work)]


def _do_in_process(units: Sequence[Unit]) -> list[UnitResult | Failure]:
    return [_worker_of_process[0].do(unit) for unit in units]


def _portions(units: Sequence[Unit], jobs: int) -> list[tuple[Unit, ...]]:
    """Cut units into portions of one video each, small enough to keep every worker busy."""
    most = max(1, len(units) // (_PORTIONS_A_WORKER * jobs))
    groups = groupby(units, key=lambda unit: (unit.sequence, unit.stress))
    return [portion for _, group in groups for portion in _in_pieces(group, most)]


def _in_pieces(units: Iterator[Unit], most: int) -> Iterator[tuple[Unit, ...]]:
    while piece := tuple(islice(units, most)):
        yield piece


def outcomes(
    work: Work, units: Sequence[Unit], jobs: int
) -> Iterator[tuple[Unit, UnitResult | Failure]]:
    """Yield each unit with its outcome as it is done.

    Raises:
        DataError: If a worker process was ended from outside, or a result cannot be written.
    """
    if jobs == 1 or len(units) < 2:
        worker = Worker(work)
        for unit in units:
            yield unit, worker.do(unit)
        return
    portions = _portions(units, jobs)
    # Spawned, because forks of a process with threads (BLAS, OpenCV) may hang.
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
                "a worker process ended before its work was done: for want of memory (run the same "
                "again to go on, with fewer workers), or because a script starts workers without "
                "the guard if __name__ == '__main__':",
                where=work.folder,
            ) from problem
        finally:
            pool.shutdown(cancel_futures=True)
