"""Where tasks run: the interface, and the processes of this machine."""

import multiprocessing
import os
import pickle
import signal
import socket
import threading
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from multiprocessing.connection import wait as wait_for_any
from multiprocessing.process import BaseProcess
from typing import Any, NoReturn, Protocol, Self, TypeVar, runtime_checkable

from mapt_bench.errors import ConfigError, DataError

__all__ = ["Lost", "Processes", "RemoteWorkers", "Workers", "end_with_parent"]

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

_PORTIONS_A_WORKER = 4
_EXIT_CODE = 1
_TERMINATED = 128 + signal.SIGTERM
_SECONDS_TO_TIDY = 10.0
_SIGNALS = 64  # most that are read at once, a byte each


class Workers(Protocol):
    """Run tasks, each in some worker. Results do not depend on the kind or number of workers."""

    def run(
        self,
        start: Callable[[], Callable[[_Task], _Result]],
        tasks: Sequence[_Task],
        *,
        together: Callable[[_Task], Hashable] | None = None,
    ) -> Iterator[tuple[int, _Result]]:
        """Yield the position and the result of each task as soon as it is done.

        Args:
            start: Called once in each worker that gets a task. Returns the function that does a
                task, which may cache data between tasks.
            tasks: Tasks that can be pickled, as ``start`` can. The first begin first.
            together: Returns equal keys for consecutive tasks that share cached data.

        Raises:
            DataError: If a worker ended before its task was done.
        """
        ...


@dataclass(frozen=True, slots=True)
class Lost:
    """A task without a result, because every worker that ran it ended.

    Attributes:
        reason: What happened and what to do.
    """

    reason: str


@runtime_checkable
class RemoteWorkers(Workers, Protocol):
    """Workers that do not share files with this process."""

    def run_each(
        self,
        start: Callable[[], Callable[..., _Result]],
        tasks: Sequence[Any],
        *,
        after: Sequence[int | None] = (),
        gpu: Collection[int] = (),
    ) -> Iterator[tuple[int, _Result | Lost]]:
        """Yield the position and the result of each task. A lost task does not end the others.

        Args:
            start: As for :meth:`Workers.run`.
            tasks: As for :meth:`Workers.run`.
            after: Position of another task for each task, or ``None``. The function that does a
                task gets the result of that other task as its second argument.
            gpu: Positions of the tasks that need a GPU.
        """
        ...


class Processes:
    """Workers in a pool of processes. With one job, tasks run in this process.

    Processes start when they are first needed, and serve all calls of :meth:`run` until
    :meth:`close`. They keep the data that the last call cached, if the next one starts alike.

    Args:
        jobs: Number of processes, 1 or more.

    Raises:
        ConfigError: If there is less than one.
    """

    def __init__(self, jobs: int = 1) -> None:
        if jobs < 1:
            raise ConfigError(f"-j is {jobs}; expected 1 worker process or more")
        self.jobs = jobs
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        """Return the workers."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the processes."""
        self.close()

    def close(self) -> None:
        """End the processes, after the tasks in progress."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def begin(self, prepare: Callable[[], None]) -> None:
        """Start the processes before there are tasks. With one job, do nothing.

        Args:
            prepare: Called once in each process, such as to import packages. It must not raise.

        Raises:
            DataError: If a process ended at once.
        """
        if self.jobs > 1 and self._pool is None:
            with self._broken_pool_closed():
                pool = self._opened(prepare)
                for _ in range(self.jobs):  # each of them starts a process
                    pool.submit(_do_nothing)

    def run(
        self,
        start: Callable[[], Callable[[_Task], _Result]],
        tasks: Sequence[_Task],
        *,
        together: Callable[[_Task], Hashable] | None = None,
    ) -> Iterator[tuple[int, _Result]]:
        """Yield the position and the result of each task; see :meth:`Workers.run`.

        With several jobs, the tasks begin at the call.
        """
        if self.jobs == 1 or len(tasks) < 2:
            return _done_here(start, tasks)
        with self._broken_pool_closed():
            pool, session = self._opened(), pickle.dumps(start)
            waiting = {
                pool.submit(_do_in_process, session, [tasks[at] for at in portion]): portion
                for portion in _portions(tasks, self.jobs, together)
            }
        return self._gathered(waiting)

    def _opened(self, prepare: Callable[[], None] | None = None) -> ProcessPoolExecutor:
        if self._pool is None:
            # Workers are spawned, because forks of a process with threads (BLAS, OpenCV) may hang.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                self.jobs, mp_context=context, initializer=_enter_process, initargs=(prepare,)
            )
        return self._pool

    def _gathered(
        self, waiting: dict[Future[list[_Result]], tuple[int, ...]]
    ) -> Iterator[tuple[int, _Result]]:
        try:
            with self._broken_pool_closed():
                while waiting:
                    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield from zip(waiting.pop(future), future.result(), strict=True)
        finally:
            for future in waiting:
                future.cancel()

    @contextmanager
    def _broken_pool_closed(self) -> Iterator[None]:
        """Close the pool if a process has ended, so that the next call starts others.

        Raises:
            DataError: If a process has ended, also one without a task.
        """
        try:
            yield
        except BrokenProcessPool as problem:
            self.close()
            raise DataError(
                "a worker process ended before its work was done; if it was out of memory, "
                "run the same command again with fewer workers, which resumes a run; if a "
                "script starts the workers, it needs the guard if __name__ == '__main__':"
            ) from problem


def _done_here(
    start: Callable[[], Callable[[_Task], _Result]], tasks: Sequence[_Task]
) -> Iterator[tuple[int, _Result]]:
    if tasks:
        do = start()
        yield from ((at, do(task)) for at, task in enumerate(tasks))


_session: list[tuple[bytes, Callable[[Any], Any]]] = []
"""What starts the session of this process, and the function that does its tasks; at most one."""


def _enter_process(prepare: Callable[[], None] | None) -> None:
    end_with_parent()
    if prepare is not None:
        prepare()


def _do_nothing() -> None:
    pass


def _do_in_process(start: bytes, tasks: Sequence[Any]) -> list[Any]:
    try:
        if not _session or _session[0][0] != start:
            _session.clear()  # the caches of two sessions may not fit into memory together
            _session.append((start, pickle.loads(start)()))  # noqa: S301 - of our own parent
        do = _session[0][1]
        return [do(task) for task in tasks]
    except WorkerEnd:  # the pool would catch it, and wait for the next task
        _session.clear()  # which removes temporary files
        os._exit(_TERMINATED)


def _portions(
    tasks: Sequence[_Task], jobs: int, together: Callable[[_Task], Hashable] | None
) -> list[tuple[int, ...]]:
    """Split tasks into portions that share data, small enough to keep every worker busy."""
    if together is None:
        return [(at,) for at in range(len(tasks))]
    most = max(1, len(tasks) // (_PORTIONS_A_WORKER * jobs))
    groups = groupby(range(len(tasks)), key=lambda at: together(tasks[at]))
    return [portion for _, group in groups for portion in _in_pieces(group, most)]


def _in_pieces(positions: Iterator[int], most: int) -> Iterator[tuple[int, ...]]:
    while piece := tuple(islice(positions, most)):
        yield piece


def end_with_parent() -> None:
    """End this process as soon as its parent process has ended, for any reason.

    Use it as the initializer of process pools. Otherwise the workers of a killed parent would run
    or wait for ever. SIGTERM ends it too: the main thread has ten seconds to remove its temporary
    files. It does nothing in a process that ``multiprocessing`` did not start.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        signals, told = socket.socketpair()
        told.setblocking(False)
        signal.signal(signal.SIGTERM, _exit)
        signal.set_wakeup_fd(told.detach(), warn_on_full_buffer=False)
        threading.Thread(target=_end_after, args=(parent, signals), daemon=True).start()


class WorkerEnd(SystemExit):
    """The end of a worker by SIGTERM, unlike ``sys.exit`` of a user's code."""


def _exit(number: int, frame: object) -> NoReturn:
    del number, frame
    raise WorkerEnd(_TERMINATED)


def _end_after(parent: BaseProcess, signals: socket.socket) -> None:
    """End this process after its parent, or some time after SIGTERM.

    The exception alone may not end it: the main thread may be deep in a computation, code that it
    calls may catch the exception, and a signal that comes just before the thread waits for a lock
    is seen only after the wait. There is no after if the process that had the lock was killed.
    """
    while wait_for_any([parent.sentinel, signals]) == [signals]:
        if signal.SIGTERM in signals.recv(_SIGNALS):
            parent.join(_SECONDS_TO_TIDY)
            os._exit(_TERMINATED)
    os._exit(_EXIT_CODE)
