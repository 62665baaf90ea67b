"""Units done one after the other, or in a pool of processes; the results are the same."""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from mapt_bench.errors import DataError, MaptBenchError
from mapt_bench.experiments.run_folder import write_unit
from mapt_bench.experiments.schedule import Unit
from mapt_bench.experiments.source import DataSource
from mapt_bench.experiments.threads import one_thread
from mapt_bench.experiments.unit import UnitResult, run_unit

__all__ = ["Failure", "Work", "outcomes"]

_CRASH = 70


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a unit has no result, and what exit code that asks for."""

    reason: str
    exit_code: int


@dataclass(frozen=True)
class Work:
    """What every worker needs; sent to each once."""

    source: DataSource
    archives: tuple[Path, ...]
    folder: Path

    def do(self, unit: Unit) -> UnitResult | Failure:
        """Run a unit and write its result down."""
        try:
            with one_thread(networks=unit.variant.weights is not None):
                result = run_unit(
                    unit.variant,
                    self.source.videos[unit.sequence],
                    self.archives[unit.sequence],
                    self.source.labels,
                    drop=unit.drop,
                    phase=unit.phase,
                    pair=unit.pair,
                )
        except MaptBenchError as problem:
            place = f"{problem.where}: " if problem.where else ""
            return Failure(f"{place}{problem.message}", problem.exit_code)
        except Exception as problem:  # one broken cell must not lose the others
            return Failure(f"{type(problem).__name__}: {problem}", _CRASH)
        write_unit(self.folder, unit, result)
        return result


_work_of_process: list[Work] = []


def _enter_process(work: Work) -> None:
    _work_of_process[:] = [work]


def _do_in_process(unit: Unit) -> UnitResult | Failure:
    return _work_of_process[0].do(unit)


def outcomes(
    work: Work, units: Sequence[Unit], jobs: int
) -> Iterator[tuple[Unit, UnitResult | Failure]]:
    """Yield each unit with its outcome as it is done.

    Raises:
        DataError: If a worker process was ended from outside, or a result cannot be written.
    """
    if jobs == 1 or len(units) < 2:
        for unit in units:
            yield unit, work.do(unit)
        return
    # Spawned, because forks of a process with threads (BLAS, OpenCV) may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(jobs, len(units)), mp_context=context, initializer=_enter_process, initargs=(work,)
    ) as pool:
        waiting: dict[Future[UnitResult | Failure], Unit] = {
            pool.submit(_do_in_process, unit): unit for unit in units
        }
        try:
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield waiting.pop(future), future.result()
        except BrokenProcessPool as problem:
            raise DataError(
                "a worker process ended before its work was done: for want of memory (run the same "
                "again to go on, with fewer workers), or because a script starts workers without "
                "the guard if __name__ == '__main__':",
                where=work.folder,
            ) from problem
        finally:
            pool.shutdown(cancel_futures=True)
