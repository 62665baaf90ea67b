"""Pools of processes: they serve many calls, and a killed owner takes its workers along."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from mapt_bench.errors import DataError
from mapt_bench.workers import Processes, end_with_parent, processes

_OWNER = """
import sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from os import getpid
from mapt_bench.workers import end_with_parent

if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=end_with_parent)
    print(pool.submit(getpid).result(), flush=True)
    pool.submit(time.sleep, 600)
    time.sleep(600)
"""


def _lives(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see processes")
def test_a_busy_worker_ends_with_its_killed_owner(tmp_path):
    script = tmp_path / "owner.py"
    script.write_text(_OWNER)
    owner = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    try:
        worker = int(owner.stdout.readline())
        assert _lives(worker)
    finally:
        owner.kill()
        owner.communicate()
    end = time.monotonic() + 60
    while _lives(worker) and time.monotonic() < end:
        time.sleep(0.02)
    assert not _lives(worker)


def test_a_process_that_nobody_started_goes_on():
    end_with_parent()


def test_workers_of_pools_watch_their_parent(monkeypatch):
    watched = []
    monkeypatch.setattr(processes, "end_with_parent", lambda: watched.append(True))
    processes._enter_process(lambda: watched.append("prepared"))
    processes._enter_process(None)
    assert watched == [True, "prepared", True]


class Session:
    """Counts its tasks, so that a test sees whether it goes on."""

    def __init__(self, name):
        self.name, self.done = name, 0

    def __call__(self, task):
        self.done += 1
        return self.name, task, self.done, os.getpid()


def fail_on(task):
    raise DataError(f"no {task}")


def failing():
    return fail_on


def end_at(task):
    os._exit(9)


def ending():
    return end_at


def test_calls_that_start_alike_share_processes_and_sessions():
    with Processes(2) as workers:
        first = list(workers.run(partial(Session, "a"), range(8)))
        again = list(workers.run(partial(Session, "a"), range(8)))
        other = list(workers.run(partial(Session, "b"), range(8)))
    assert sorted((at, name, task) for at, (name, task, *_) in first) == [
        (at, "a", at) for at in range(8)
    ]
    pids = {pid for _, (*_, pid) in [*first, *again, *other]}
    assert os.getpid() not in pids
    assert len(pids) <= 2
    assert max(done for _, (*_, done, _) in [*first, *again]) > 4  # it went on counting
    assert {name for _, (name, *_) in other} == {"b"}
    assert sum(done == 1 for _, (*_, done, _) in other) == len({pid for _, (*_, pid) in other})


def test_tasks_begin_at_the_call_and_processes_before_it(tmp_path):
    with Processes(2) as workers:
        workers.begin(partial(write_name, tmp_path))
        waiting = workers.run(partial(Writer, tmp_path), range(2))
        end = time.monotonic() + 60
        while len(list(tmp_path.glob("task*"))) < 2 and time.monotonic() < end:
            time.sleep(0.02)
        assert len(list(tmp_path.glob("task*"))) == 2
        assert sorted(waiting) == [(0, None), (1, None)]
    assert 1 <= len(list(tmp_path.glob("prepared*"))) <= 2


def write_name(folder):
    (folder / f"prepared-{os.getpid()}").write_text("")


class Writer:
    def __init__(self, folder):
        self.folder = folder

    def __call__(self, task):
        (self.folder / f"task-{task}").write_text("")


def test_an_error_of_a_task_leaves_the_processes_to_the_next_call():
    with Processes(2) as workers:
        with pytest.raises(DataError, match="no "):
            list(workers.run(failing, range(4)))
        assert len(list(workers.run(partial(Session, "a"), range(4)))) == 4


def test_after_a_process_has_ended_others_start():
    with Processes(2) as workers:
        with pytest.raises(DataError, match="a worker process ended"):
            list(workers.run(ending, range(4)))
        assert len(list(workers.run(partial(Session, "a"), range(4)))) == 4


def test_a_process_that_ended_between_two_calls_is_named_and_others_start():
    with Processes(2) as workers:
        (_, (*_, worker)), *_ = workers.run(partial(Session, "a"), range(4))
        os.kill(worker, signal.SIGKILL)
        end = time.monotonic() + 60
        while not workers._pool._broken and time.monotonic() < end:
            time.sleep(0.02)
        with pytest.raises(DataError, match="a worker process ended"):
            workers.run(partial(Session, "a"), range(4))
        assert len(list(workers.run(partial(Session, "a"), range(4)))) == 4


def sleeping():
    return sleep_and_name


def sleep_and_name(seconds):
    time.sleep(seconds)
    return os.getpid()


def test_a_waiting_process_that_is_killed_ends_the_busy_one():
    with Processes(2) as workers:
        workers.begin(os.getpid)
        results = workers.run(sleeping, [0, 600])
        _, waiting = next(results)
        time.sleep(1)  # until it waits for a task, and has the lock of the queue
        os.kill(waiting, signal.SIGKILL)
        with pytest.raises(DataError, match="a worker process ended"):
            next(results)


def stay(told, patience):
    """Catch what ends a process, for as long as its parent lives."""
    processes._SECONDS_TO_TIDY = patience
    end_with_parent()
    told.send("ready")
    while True:
        with suppress(BaseException):
            time.sleep(600)
            told.send("slept")


def test_sigterm_ends_a_process_that_catches_everything():
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=stay, args=(theirs, 0.1), daemon=True)
    process.start()
    try:
        assert ours.recv() == "ready"
        process.terminate()
        process.join(60)
        assert process.exitcode == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.join()


def test_a_process_that_ends_at_once_is_named(monkeypatch):
    def submit(pool, *task):
        raise BrokenProcessPool("a child process terminated abruptly")

    with Processes(2) as workers:
        with monkeypatch.context() as patch:
            patch.setattr(ProcessPoolExecutor, "submit", submit)
            with pytest.raises(DataError, match="a worker process ended"):
                workers.begin(os.getpid)
        assert len(list(workers.run(partial(Session, "a"), range(4)))) == 4


def test_one_job_runs_here_and_starts_nothing():
    workers = Processes()
    workers.begin(lambda: pytest.fail("started"))
    found = list(workers.run(partial(Session, "a"), range(3)))
    assert found == [(at, ("a", at, at + 1, os.getpid())) for at in range(3)]
    assert list(workers.run(lambda: pytest.fail("started"), [])) == []
