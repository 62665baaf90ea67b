"""Independent work in one process or several."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TypeVar

from mapt_bench.errors import DataError
from mapt_bench.orphans import end_with_parent

__all__ = ["in_processes"]

_Result = TypeVar("_Result")


def in_processes(
    work: Sequence[Callable[[], _Result]], jobs: int, where: Path
) -> Iterator[_Result]:
    """Yield the result of every piece of work as it is done, in whatever order.

    Args:
        work: Must pickle if ``jobs`` is more than 1.
        jobs: Worker processes; 1 works here.
        where: What the work is for, for messages.

    Raises:
        DataError: If a worker process was ended from outside.
    """
    if jobs == 1 or len(work) < 2:
        yield from (piece() for piece in work)
        return
    # Spawned, because forks of a process with threads (BLAS, OpenCV) may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(jobs, len(work)), mp_context=context, initializer=end_with_parent
    ) as pool:
        futures = [pool.submit(piece) for piece in work]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as problem:
            raise DataError(
                "a worker process ended before its work was done, perhaps for want of memory; run "
                "the same again to go on, with fewer workers",
                where=where,
            ) from problem
        finally:
            pool.shutdown(cancel_futures=True)
