"""A scheduler and two workers on this machine, each a process that a test may kill."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.cluster_work import TRACES

import mapt_bench

TESTS = Path(__file__).parents[1]
SEARCHED = os.pathsep.join(map(str, (TESTS, Path(mapt_bench.__file__).parents[1])))
"""Where Python of other processes finds the helpers of tests and the package under test."""

DASK = Path(sys.executable).with_name("dask")
HOSTILE = ("types", "random", "operator", "struct", "json", "pickle", "numpy", "msgpack")
"""Modules in the workers' folder that are named like those of others. Each leaves a trace."""


class Lab:
    """A cluster in a folder: its scheduler file, traces of its workers, and its processes.

    Its processes end where its ``with`` block ends.
    """

    def __init__(self, folder):
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.traces = folder / "traces"
        self.hostile = folder / "hostile"
        self.processes = []
        for made in (self.traces, self.hostile):
            made.mkdir()
        for name in HOSTILE:
            text = f"open({str(self.traces / 'executed')!r}, 'a').write('{name} ')\n"
            (self.hostile / f"{name}.py").write_text(text)

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.stop()

    def start(self, *words, before=(), **variables):
        """Start a process of Dask in the hostile folder; words before it may be given."""
        outside = {name: text for name, text in os.environ.items() if name != "PYTHONSAFEPATH"}
        process = subprocess.Popen(
            [*before, DASK, *words, "--scheduler-file", str(self.file), "--no-dashboard"],
            cwd=self.hostile,
            env={
                **outside,
                "PYTHONPATH": SEARCHED,
                "PYTHONSAFEPATH": "1",
                "OMP_NUM_THREADS": "1",
                TRACES: str(self.traces),
                **variables,
            },
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / f"{words[0]}.log").open("a"),
        )
        self.processes.append(process)
        return process

    def start_scheduler(self):
        process = self.start("scheduler", "--host", "127.0.0.1", "--port", "0")
        wait_for(self.file.exists)
        return process

    def stop(self):
        for process in self.processes:
            process.kill()  # the workers of a killed nanny end with it
            process.wait()


def seeing(*binds):
    """Return words before a command, for which files or folders lie at other places, too.

    Skip the test where that is not allowed.

    Args:
        binds: Pairs of a file or folder and the place at which the command finds it.
    """
    mounts = [f"mount --bind '{source}' '{place}'" for source, place in binds]
    words = ["unshare", "-r", "-m", "sh", "-c", " && ".join([*mounts, 'exec "$@"']), "sh"]
    try:
        works = subprocess.run([*words, "true"], check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        works = False
    if not works:
        pytest.skip("no mount namespace for a worker of its own, with unshare -r -m")
    return words


def wait_for(holds, seconds=120):
    """Wait until something holds; no test depends on how long it takes."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
