"""A pool whose owner is killed takes its workers along."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from mapt_bench.workers import end_with_parent, processes

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
    monkeypatch.setattr(processes, "_session_of_process", [])
    processes._enter_process(lambda: str)
    assert watched == [True]
    assert processes._do_in_process([3, 4]) == ["3", "4"]
