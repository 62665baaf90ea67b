"""Time and memory as measured: each network in a process of its own.

Nothing here is a count: the numbers belong to one machine in one state. A process of its own lets
the peak of memory be the network's, and keeps allocators from helping each other.
"""

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from mapt_bench.errors import ConfigError
from mapt_bench.profiling.sizes import InputSize

__all__ = ["MeasureSettings", "Measurement", "measure"]


@dataclass(frozen=True, kw_only=True)
class MeasureSettings:
    """How to measure.

    Attributes:
        warm_up: Passes that are not timed.
        repeats: Passes that are.
        threads: Threads of torch.

    Raises:
        ConfigError: If a number is out of range.
    """

    warm_up: int = 1
    repeats: int = 5
    threads: int = 1

    def __post_init__(self) -> None:
        for name, least in (("warm_up", 0), ("repeats", 1), ("threads", 1)):
            value = getattr(self, name)
            if value < least:
                raise ConfigError(
                    f"--{name.replace('_', '-')} is {value}; expected {least} or more"
                )


@dataclass(frozen=True)
class Measurement:
    """What was measured.

    Attributes:
        milliseconds: Each timed pass.
        peak_mib: Most memory the process ever held, in MiB (2**20 bytes).
        start_mib: What it held before the network was built: Python and torch.
        device: Where it ran.
        threads: Of torch.
    """

    milliseconds: tuple[float, ...]
    peak_mib: float
    start_mib: float
    device: str
    threads: int

    def to_dict(self, settings: MeasureSettings) -> dict[str, Any]:
        """Return median, quartiles (range below 4 passes) and the circumstances, for JSON."""
        times = sorted(self.milliseconds)
        if len(times) >= 4:
            low, _, high = statistics.quantiles(times, n=4, method="inclusive")
        else:
            low, high = times[0], times[-1]
        return {
            "median_ms": statistics.median(times),
            "low_ms": low,
            "high_ms": high,
            "spread": "quartiles" if len(times) >= 4 else "range",
            "warm_up": settings.warm_up,
            "repeats": settings.repeats,
            "device": self.device,
            "threads": self.threads,
            "peak_mib": self.peak_mib,
            "start_mib": self.start_mib,
        }


def measure(
    target: str, size: InputSize, *, instances: int, settings: MeasureSettings
) -> Measurement:
    """Time a network and read its peak memory, in a fresh process.

    Args:
        target: Name of a target, or ``package.module:build``.
        size: Of the input.
        instances: Where it depends on them.
        settings: Passes and threads.

    Raises:
        ConfigError: If the network fails.
    """
    request = {
        "target": target,
        "size": str(size),
        "instances": instances,
        "warm_up": settings.warm_up,
        "repeats": settings.repeats,
        "threads": settings.threads,
    }
    done = subprocess.run(  # noqa: S603 - this Python, a module of this package
        [sys.executable, "-m", "mapt_bench.profiling.measured_process", json.dumps(request)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it was killed; is there enough memory?"])[-1]
        raise ConfigError(f"{target} cannot be measured on an input of {size}: {last}")
    answer = json.loads(done.stdout.splitlines()[-1])
    return Measurement(
        milliseconds=tuple(answer["milliseconds"]),
        peak_mib=answer["peak_mib"],
        start_mib=answer["start_mib"],
        device=answer["device"],
        threads=answer["threads"],
    )
