"""How a contender is timed: processor and elapsed time of each repeat, and peak memory."""

import resource
import statistics
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from motion_speed.contenders import CONTENDERS, Run

if TYPE_CHECKING:
    import torch

__all__ = ["Measurement", "measure"]


@dataclass(frozen=True)
class Measurement:
    """What one contender took; times in milliseconds, memory in MiB.

    Attributes:
        gmacs: Multiply-adds of its convolutions, in units of 10^9; ``None`` if not counted.
        cpu_ms: Processor time of each repeat.
        wall_ms: Elapsed time of each repeat.
        peak_mib: Highest resident memory of the process.
        import_mib: That after imports alone.
        convolutions_cpu_ms: Processor time of its convolutions alone, where that was measured.
    """

    name: str
    gmacs: float | None
    cpu_ms: list[float]
    wall_ms: list[float]
    peak_mib: float
    import_mib: float
    convolutions_cpu_ms: float | None = None


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _repeat(run: Run, seconds: float) -> tuple[list[float], list[float]]:
    """Time a run until the seconds are over; its last result is kept, as in a loop over video."""
    kept = run()
    cpu, wall = [], []
    end = time.perf_counter() + seconds
    while len(cpu) < 3 or time.perf_counter() < end:
        cpu_start, wall_start = time.process_time(), time.perf_counter()
        kept = run()
        cpu.append((time.process_time() - cpu_start) * 1e3)
        wall.append((time.perf_counter() - wall_start) * 1e3)
    del kept
    return cpu, wall


def _convolutions_alone(network: "torch.nn.Module", run: Run) -> float:
    """Time each convolution of a network by itself, on inputs of the shapes it meets."""
    import torch

    met: list[tuple[torch.nn.Module, torch.Size]] = []
    kinds = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    hooks = [
        module.register_forward_pre_hook(lambda module, args: met.append((module, args[0].shape)))
        for module in network.modules()
        if isinstance(module, kinds)
    ]
    run()
    for hook in hooks:
        hook.remove()
    total = 0.0
    for module, shape in met:
        x = torch.rand(shape)
        total += statistics.median(_repeat(lambda module=module, x=x: module(x), 0)[0])
    return total


def measure(name: str, height: int, width: int, seconds: float) -> Measurement:
    """Time a contender in this process, which should have run nothing else."""
    import torch
    import torchvision  # noqa: F401  # imported here so that import_mib is the same for all

    torch.set_num_threads(1)
    torch.manual_seed(0)
    import_mib = _peak_mib()
    with torch.inference_mode():
        prepared = CONTENDERS[name].prepare(height, width)
        cpu, wall = _repeat(prepared.run, seconds)
        peak = _peak_mib()
        alone = None
        if prepared.network is not None:
            alone = _convolutions_alone(prepared.network, prepared.run)
    gmacs = None if prepared.macs is None else prepared.macs / 1e9
    return Measurement(name, gmacs, cpu, wall, peak, import_mib, alone)
