"""Latency and peak memory, measured in a separate process for each network.

The numbers are specific to one machine and its state. A separate process has a peak memory of its
own, and its allocator holds no memory of other networks.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mapt_bench.devices import CPU, described_device, peak_of_gpu, synchronise, usable_device
from mapt_bench.errors import ConfigError, DataError, reason_of
from mapt_bench.profiling.flops_settings import InputSize, MeasureSettings
from mapt_bench.profiling.network_catalog import find_target
from mapt_bench.user_code import running

__all__ = ["Measurement", "measure", "measured", "peak_mib"]


@dataclass(frozen=True)
class Measurement:
    """Result of a measurement.

    Attributes:
        milliseconds: Latency of each timed pass.
        peak_mib: Peak memory of the process, in MiB (2**20 bytes).
        start_mib: Peak memory before the network was built (Python and torch), in MiB.
        device: Device of the network, with the model of a GPU.
        threads: Threads of torch.
        gpu_peak_mib: Peak memory of torch on a GPU, in MiB; ``None`` on the CPU.
    """

    milliseconds: tuple[float, ...]
    peak_mib: float
    start_mib: float
    device: str
    threads: int
    gpu_peak_mib: float | None = None

    def to_dict(self, settings: MeasureSettings) -> dict[str, Any]:
        """Return median, quartiles (range below 4 passes), settings and memory, for JSON."""
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
            "gpu_peak_mib": self.gpu_peak_mib,
        }


def measure(
    target: str,
    size: InputSize,
    *,
    instances: int,
    settings: MeasureSettings,
    device: str = CPU,
) -> Measurement:
    """Measure latency and peak memory of a network in a new process.

    Args:
        target: Name of a target, or ``package.module:build``.
        size: Input size.
        instances: Number of instances in each frame.
        settings: Passes and threads.
        device: Where it runs: ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.

    Raises:
        ConfigError: If the network fails.
        DataError: If the memory of a GPU runs out.
    """
    request = {
        "target": target,
        "size": str(size),
        "instances": instances,
        "warm_up": settings.warm_up,
        "repeats": settings.repeats,
        "threads": settings.threads,
        "device": device,
    }
    done = subprocess.run(  # noqa: S603 - this Python, a module of this package
        [sys.executable, "-m", "mapt_bench.profiling._measurement", json.dumps(request)],
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {}
    if "milliseconds" not in answer:
        last = (done.stderr.strip().splitlines() or ["it was killed; is there enough memory?"])[-1]
        reason = answer.get("failure", last)
        message = f"{target} cannot be measured on an input of {size}: {reason}"
        if device != CPU and "OutOfMemoryError" in reason:
            raise DataError(f"{message}; choose a smaller --input, or --device {CPU}")
        raise ConfigError(message)
    return Measurement(
        milliseconds=tuple(answer["milliseconds"]),
        peak_mib=answer["peak_mib"],
        start_mib=answer["start_mib"],
        device=answer["device"],
        threads=answer["threads"],
        gpu_peak_mib=answer["gpu_peak_mib"],
    )


def measured(request: dict[str, Any]) -> dict[str, Any]:
    """Measure a network in this process; see :func:`measure`.

    Args:
        request: ``target``, ``size``, ``instances``, ``warm_up``, ``repeats``, ``threads`` and
            ``device``.

    Returns:
        ``milliseconds``, ``peak_mib``, ``start_mib``, ``device``, ``threads`` and
        ``gpu_peak_mib``.
    """
    torch.set_num_threads(request["threads"])
    start = peak_mib()
    target = find_target(request["target"])
    size = InputSize.parse(request["size"])
    device = usable_device(request["device"])
    module = _with_weights((target.build_timed or target.build)())
    example = target.arguments(module, size, request["instances"]).to(str(device))
    module = module.to(device)
    times = []
    with torch.inference_mode():
        for _ in range(request["warm_up"] + request["repeats"]):
            synchronise(device)
            began = time.perf_counter()
            module(*example.positional, **example.keywords)
            synchronise(device)
            times.append(1000 * (time.perf_counter() - began))
    return {
        "milliseconds": times[request["warm_up"] :],
        "peak_mib": peak_mib(),
        "start_mib": start,
        "device": described_device(request["device"]),
        "threads": torch.get_num_threads(),
        "gpu_peak_mib": peak_of_gpu(device),
    }


def peak_mib() -> float:
    """Return the peak memory of this process, in MiB."""
    status = Path("/proc/self/status")
    if status.is_file():  # ru_maxrss would include the parent's memory at the start
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def _with_weights(module: nn.Module) -> nn.Module:
    """Give weights on the meta device small values. Zeros would not be mapped to memory."""
    if any(tensor.is_meta for tensor in module.state_dict().values()):
        module = module.to_empty(device="cpu")
        with torch.no_grad():
            for weights in module.parameters():
                weights.uniform_(-0.01, 0.01)
    return module


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        with running():  # the answer must be alone on the last line
            return measured(request)
    except Exception as problem:  # a network may raise anything
        return {"failure": reason_of(problem)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_answer(json.loads(sys.argv[1]))) + "\n")
