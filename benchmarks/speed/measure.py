"""CPU and wall time of calls that take turns, and what machine it was."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["Contender", "Timing", "machine", "take_turns", "versions"]


@dataclass(frozen=True, slots=True)
class Contender:
    """One thing to time.

    Attributes:
        name: What it is.
        work: What it does with every frame.
        run: Does it once for all its frames.
        frame_count: Frames of one run.
        repeats: Runs.
    """

    name: str
    work: str
    run: Callable[[], object]
    frame_count: int
    repeats: int


@dataclass(frozen=True, slots=True)
class Timing:
    """What the runs of a contender took, in milliseconds a frame.

    Attributes:
        name: What it is.
        work: What it does with every frame.
        frame_count: Frames of one run.
        repeats: Runs.
        cpu_ms: Median CPU time of all threads and child processes.
        cpu_min_ms: The least of it.
        wall_ms: Median wall time.
    """

    name: str
    work: str
    frame_count: int
    repeats: int
    cpu_ms: float
    cpu_min_ms: float
    wall_ms: float


def take_turns(contenders: Sequence[Contender], progress: Callable[[str], None]) -> list[Timing]:
    """Time the contenders in turns (A B C A B C ...), so that a slow spell meets all of them.

    Each is run once on the quiet first, which fills the file cache and loads its libraries.
    """
    cpu: dict[str, list[float]] = {entry.name: [] for entry in contenders}
    wall: dict[str, list[float]] = {entry.name: [] for entry in contenders}
    for entry in contenders:
        progress(f"warming up: {entry.name}")
        entry.run()
    for turn in range(max((entry.repeats for entry in contenders), default=0)):
        for entry in contenders:
            if turn < entry.repeats:
                progress(f"turn {turn + 1}: {entry.name}")
                spent, passed = _time(entry.run)
                cpu[entry.name].append(1e3 * spent / entry.frame_count)
                wall[entry.name].append(1e3 * passed / entry.frame_count)
    return [
        Timing(
            entry.name,
            entry.work,
            entry.frame_count,
            entry.repeats,
            statistics.median(cpu[entry.name]),
            min(cpu[entry.name]),
            statistics.median(wall[entry.name]),
        )
        for entry in contenders
    ]


def _time(run: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), _cpu_seconds()
    run()
    return _cpu_seconds() - cpu, time.perf_counter() - wall


def _cpu_seconds() -> float:
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def machine() -> dict[str, str | int]:
    """Describe the processor and the system."""
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0,
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def versions(packages: Sequence[str]) -> dict[str, str | None]:
    """Return the installed version of each package, ``None`` if it is not installed."""
    found: dict[str, str | None] = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found
