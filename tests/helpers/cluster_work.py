"""Work for clusters in tests: sessions and trackers that workers import, some of them deadly."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from mapt_bench.errors import DataError
from mapt_bench.tracking import Association

TRACES = "CLUSTER_TRACES"
"""Environment variable of workers with a folder for traces."""


def traces():
    return Path(os.environ[TRACES])


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def doubling():
    return lambda task, first=0: 2 * task + first


def reading():
    """A session that returns the size of a file."""
    return lambda path: len(path.read_bytes())


def reading_slowly(path):
    """A session that knows a file and returns its size, each time after a moment."""

    def read(moment):
        time.sleep(moment)
        return len(path.read_bytes())

    return read


def refusing():
    def refuse(task):
        with (traces() / "refused").open("a") as trace:
            trace.write("x")
        raise DataError("is unusable", where=f"task {task}")

    return refuse


def sleeping():
    return time.sleep


class Each:
    """Gives every segment a new identity."""

    needs_images = False

    def start(self, info):
        self.name, self.count = info.name, 0

    def associate(self, frame, segments):
        ids = self.count + np.arange(1, segments.count + 1)
        self.count += segments.count
        return Association(ids)


class DiesOnce(Each):
    """Kills its worker on its way through sequence a, the first time."""

    def associate(self, frame, segments):
        trace = traces() / "died"
        if self.name == "a" and frame.index == 2 and not trace.exists():
            trace.touch()
            die()
        return super().associate(frame, segments)


class DiesAlways(Each):
    """Kills its worker on its way through sequence a, every time."""

    def associate(self, frame, segments):
        if self.name == "a" and frame.index == 2:
            with (traces() / "deaths").open("a") as trace:
                trace.write("x")
            die()
        return super().associate(frame, segments)


class Slow(Each):
    """Takes a second for sequence b."""

    def start(self, info):
        super().start(info)
        time.sleep(1.0 * (info.name == "b"))
