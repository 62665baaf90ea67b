"""Workers on a Dask cluster. Dask schedules, retries and moves data; this module hands tasks over.

Workers need not share files with the client: tasks, cached data and results travel through Dask.
Paths become absolute, and paths inside this package become those of the worker's own copy.
"""

import importlib
import logging
import os
import uuid
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import dask
from dask.utils import parse_timedelta
from distributed import Client, Future, KilledWorker, LocalCluster, as_completed
from distributed.client import CancelledError
from distributed.comm import CommClosedError

from mapt_bench import __version__
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.files import parse_json, read_bytes
from mapt_bench.workers.named_files import NamedFiles, check_files, differing_files
from mapt_bench.workers.processes import Lost
from mapt_bench.workers.sessions import (
    GPU,
    Raised,
    SessionPlugin,
    check_identity,
    do_task,
    greet,
    identity,
    offered_gpus,
    packed,
)

__all__ = ["Cluster", "connected"]

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

_RETRIES = 3
_ROUNDS = 4
_TIMEOUT = "distributed.comm.timeouts.connect"
_TIMEOUT_VARIABLE = "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"
_LOCAL = "local"
_START_WORKER = "PYTHONSAFEPATH=1 dask worker"
"""Without the variable, Python runs modules in the folder in which a worker starts."""

_SCHEDULER_FILE = 10**7  # bytes; a longer file is read in part, and refused
_SESSIONS = "mapt_bench.workers.sessions"


@contextmanager
def connected(
    cluster: str | None, scheduler_file: Path | None, jobs: int | None = None
) -> Iterator["Cluster"]:
    """Yield a connected cluster whose workers have the versions of this process.

    Args:
        cluster: Address of the scheduler, or ``"local"`` for a new cluster on this machine.
        scheduler_file: File with the address, if ``cluster`` is ``None``.
        jobs: Workers of a new cluster. ``None`` is one for each processor.

    Raises:
        ConfigError: If workers have other versions.
        DataError: If there is no scheduler, or no worker.
    """
    with ExitStack() as stack:
        if cluster == _LOCAL:
            address = stack.enter_context(_local_cluster(jobs)).scheduler_address
        else:
            address = cluster or _address_in(scheduler_file or Path())
        client = stack.enter_context(_client(address))
        found = Cluster(client, address)
        found.check_workers()
        yield found


def _local_cluster(jobs: int | None) -> Any:  # noqa: ANN401 - Dask has no types
    return LocalCluster(
        n_workers=jobs or os.cpu_count() or 1,
        threads_per_worker=1,
        processes=True,
        dashboard_address=":0",
        memory_limit=None,
        resources={GPU: 1},  # its workers share the GPUs of this machine
        silence_logs=logging.CRITICAL,
    )


def _address_in(file: Path) -> str:
    """Return the address in a file that ``dask scheduler --scheduler-file`` wrote."""
    remedy = f"start the scheduler with: dask scheduler --scheduler-file {file}"
    try:
        document = parse_json(read_bytes(file, _SCHEDULER_FILE)[0])
    except FileNotFoundError as problem:
        raise DataError(f"there is no scheduler file; {remedy}", where=file) from problem
    except OSError as problem:
        reason = problem.strerror or "it cannot be read"
        raise DataError(f"is not a scheduler file ({reason}); {remedy}", where=file) from problem
    except ValueError as problem:
        raise DataError(
            f"is not a scheduler file (no JSON: {problem}); {remedy}", where=file
        ) from (problem)
    found = document.get("address") if isinstance(document, dict) else None
    if not isinstance(found, str):
        raise DataError(
            f"is not a scheduler file (expected an 'address' with a text); {remedy}", where=file
        )
    return found


def _client(address: str) -> Any:  # noqa: ANN401 - Dask has no types
    seconds = parse_timedelta(dask.config.get(_TIMEOUT))
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # errors below say more
    try:
        return Client(address, timeout=seconds, set_as_default=False)
    except (OSError, ValueError) as problem:
        raise DataError(
            f"no scheduler answers after {seconds:g} s; check that it runs (dask scheduler), that "
            "host and port are those that it prints, and that no firewall is between; to wait "
            f"longer, set {_TIMEOUT_VARIABLE}=120s",
            where=address,
        ) from problem


class Cluster:
    """Workers of a Dask cluster.

    Args:
        client: Connected client.
        address: Address of the scheduler, for messages.
    """

    def __init__(self, client: Any, address: str) -> None:  # noqa: ANN401 - Dask has no types
        self._client = client
        self._address = address

    def check_workers(self) -> None:
        """Wait for the first worker, and compare the versions of all workers with this process.

        Raises:
            ConfigError: If a worker has other versions, or lacks this package.
            DataError: If there is no worker.
        """
        seconds = parse_timedelta(dask.config.get(_TIMEOUT))
        try:
            self._client.wait_for_workers(1, timeout=seconds)
        except TimeoutError as problem:
            raise DataError(
                f"the scheduler has no worker after {seconds:g} s; start one with: {_START_WORKER} "
                f"{self._address} --nthreads 1; to wait longer, set {_TIMEOUT_VARIABLE}=600s",
                where=self._address,
            ) from problem
        # A function of Python itself, because a worker that lacks this package gets no other.
        self._on_workers(importlib.import_module, _SESSIONS)
        ours = identity()
        for worker, found in self._on_workers(greet).items():
            check_identity(worker, found, ours)

    def run(
        self,
        start: Callable[[], Callable[[_Task], _Result]],
        tasks: Sequence[_Task],
        *,
        together: Callable[[_Task], Hashable] | None = None,
    ) -> Iterator[tuple[int, _Result]]:
        """Yield the position and the result of each task; see :class:`Workers`."""
        for at, result in self.run_each(start, tasks):
            if isinstance(result, Lost):
                raise DataError(result.reason, where=self._address)
            yield at, result

    def run_each(
        self,
        start: Callable[[], Callable[..., _Result]],
        tasks: Sequence[Any],
        *,
        after: Sequence[int | None] = (),
        gpu: Collection[int] = (),
    ) -> Iterator[tuple[int, _Result | Lost]]:
        """Yield the position and the result of each task; see :class:`RemoteWorkers`.

        A task whose worker ends is run by another worker, at most three times. A task that fails
        for another reason than its input, such as a file system that is away, is retried as often.

        Raises:
            ConfigError: If no worker offers a GPU, or a worker has other versions.
            DataError: If a worker lacks a file or has another one, or the scheduler ended.
        """
        if not tasks:
            return
        if gpu:
            self._check_gpu()
        files = NamedFiles()
        opened, parts = packed(start, files), [packed(task, files) for task in tasks]
        marks = files.marks()
        self._check_files(marks)
        plugin = partial(SessionPlugin, start=opened, versions=identity(), marks=marks)
        submission = _Submission(self._client, plugin, parts, after, gpu=gpu)
        try:
            with submission:
                yield from submission.results()
        except (CommClosedError, CancelledError) as problem:
            raise DataError(
                "the scheduler ended or cannot be reached any more; finished work units are kept; "
                "start a scheduler and run the same command again to resume",
                where=self._address,
            ) from problem

    def _check_gpu(self) -> None:
        if not any(self._on_workers(offered_gpus).values()):
            raise ConfigError(
                f"no worker offers a GPU; start workers with: {_START_WORKER} {self._address} "
                f"--nthreads 1 --resources {GPU}=1"
            )

    def _check_files(self, marks: Mapping[str, str]) -> None:
        """Check that the workers of now have the files that tasks read."""
        for worker, differing in self._on_workers(differing_files, marks).items():
            check_files(worker, differing, len(marks))

    def _on_workers(self, function: Callable[..., Any], *arguments: object) -> dict[str, Any]:
        """Return what a function returns on each worker, by address of the worker."""
        with self._reported():
            found: dict[str, Any] = self._client.run(function, *arguments, on_error="return")
        for worker, result in found.items():
            if isinstance(result, ModuleNotFoundError):
                raise _lacks_module(worker, result) from result
            if isinstance(result, BaseException):
                raise result
        return found

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except (CommClosedError, TimeoutError) as problem:
            raise DataError(
                "the scheduler or a worker ended while it was asked for its versions; run the "
                "same command again",
                where=self._address,
            ) from problem


def _lacks_module(worker: str, problem: ModuleNotFoundError) -> ConfigError:
    return ConfigError(
        f"worker {worker} lacks the module {problem.name!r}, which this machine has; install "
        f"mapt-bench {__version__} with the extra [cluster], and your own trackers and "
        "models, in the environment of the workers"
    )


class _Submission:
    """Tasks on a cluster, and the session that does them in each worker.

    Args:
        client: Connected client.
        plugin: Makes what brings a session of a name to each worker.
        tasks: Packed tasks.
        after: Position of the task whose result another task needs.
        gpu: Positions of the tasks that need a GPU.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - Dask has no types
        plugin: Callable[[str], SessionPlugin],
        tasks: Sequence[bytes],
        after: Sequence[int | None],
        *,
        gpu: Collection[int],
    ) -> None:
        self._client, self._tasks = client, tasks
        self._after = after or [None] * len(tasks)
        self._needed = {first for first in self._after if first is not None}
        self._gpu = frozenset(gpu)
        self._name = f"mapt-bench-{uuid.uuid4().hex[:16]}"
        self._plugin = plugin(self._name)
        self._futures: dict[int, Future] = {}
        self._begun: Counter[int] = Counter()

    def __enter__(self) -> None:
        self._client.subscribe_topic(self._name, lambda event: self._count(event[1]))
        self._client.register_plugin(self._plugin, name=self._name)

    def __exit__(self, *problem: object) -> None:
        self._client.cancel([*self._futures.values()])
        self._futures.clear()
        with suppress(Exception):  # the scheduler may be gone
            self._client.unregister_worker_plugin(self._name)
            self._client.unsubscribe_topic(self._name)

    def _count(self, position: int) -> None:
        self._begun[position] += 1

    def results(self) -> Iterator[tuple[int, Any]]:
        """Yield the position and the result of each task.

        Dask gives up a task when the workers that it was assigned to ended four times, even if it
        only waited there. Such a task is submitted again.
        """
        todo = [*range(len(self._tasks))]
        for last in range(_ROUNDS - 1, -1, -1):
            killed: dict[int, str] = {}
            for at, outcome in self._round(todo):
                if isinstance(outcome, KilledWorker):
                    killed[at] = outcome.last_worker.address
                else:
                    yield at, outcome
            todo = []
            for at, worker in sorted(killed.items()):
                first = self._after[at]
                ran = max(self._begun[at], self._begun[first] if first in killed else 0)
                if last and ran <= _RETRIES:
                    todo.append(at)
                else:
                    yield at, _lost(worker)

    def _round(self, positions: Sequence[int]) -> Iterator[tuple[int, Any]]:
        """Submit tasks, and yield their results or :class:`KilledWorker`."""
        found: dict[int, Future] = {}
        for is_first, on_gpu in product((True, False), repeat=2):
            alike = [at for at in positions if (self._after[at] is None) == is_first]
            found |= self._submitted([at for at in alike if (at in self._gpu) == on_gpu])
        places = {future.key: at for at, future in found.items()}
        done = as_completed(
            found.values(), with_results=True, raise_errors=False, loop=self._client.loop
        )
        del found
        for future, outcome in done:
            at = places[future.key]
            if at not in self._needed:
                self._futures.pop(at, None)  # the cluster may forget the result
            yield at, _checked(outcome[1] if future.status == "error" else outcome)

    def _submitted(self, positions: Sequence[int]) -> dict[int, Future]:
        if not positions:
            return {}
        stage = "work" if self._after[positions[0]] is None else "units"
        keys = [f"{stage}-{self._name}-{at}-{uuid.uuid4().hex}" for at in positions]
        firsts = [
            self._futures.get(-1 if first is None else first)
            for first in (self._after[at] for at in positions)
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # archives of segments are large, and are meant to be
            futures = self._client.map(
                partial(do_task, self._name),
                positions,
                [self._tasks[at] for at in positions],
                firsts,
                key=keys,
                retries=_RETRIES,
                resources={GPU: 1} if positions[0] in self._gpu else None,
                pure=False,
            )
        found = dict(zip(positions, futures, strict=True))
        self._futures.update(found)
        return found


def _checked(outcome: object) -> object:
    """Return a result or :class:`KilledWorker`, and raise every other exception."""
    if isinstance(outcome, Raised):
        raise outcome.problem
    if isinstance(outcome, ModuleNotFoundError):
        raise _lacks_module("of the cluster", outcome) from outcome
    if isinstance(outcome, BaseException) and not isinstance(outcome, KilledWorker):
        raise outcome
    return outcome


def _lost(worker: str) -> Lost:
    return Lost(
        f"its worker ended {_RETRIES + 1} times, the last was {worker}; most often its memory was "
        "too small; start workers with more memory each, and run the same command again to resume"
    )
