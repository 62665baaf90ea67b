"""The process that measures one network: request in, one line of JSON out."""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mapt_bench.profiling.selection import find_target
from mapt_bench.profiling.sizes import InputSize

__all__ = ["measured"]


def measured(request: dict[str, Any]) -> dict[str, Any]:
    """Run a network as asked for; see :func:`mapt_bench.profiling.measure.measure`."""
    torch.set_num_threads(request["threads"])
    start = peak_mib()
    target = find_target(request["target"])
    size = InputSize.parse(request["size"])
    module = _with_weights((target.build_timed or target.build)())
    inputs = target.example(module, size, request["instances"])
    times = []
    with torch.inference_mode():
        for _ in range(request["warm_up"] + request["repeats"]):
            began = time.perf_counter()
            module(*inputs)
            times.append(1000 * (time.perf_counter() - began))
    return {
        "milliseconds": times[request["warm_up"] :],
        "peak_mib": peak_mib(),
        "start_mib": start,
        "device": "cpu",
        "threads": torch.get_num_threads(),
    }


def peak_mib() -> float:
    """Return the most memory this process ever held, in MiB."""
    status = Path("/proc/self/status")
    if status.is_file():  # ru_maxrss would count what the parent held when it started this one
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def _with_weights(module: nn.Module) -> nn.Module:
    """Give weights that lie on the meta device small values: zeros would stay unmapped memory."""
    if any(tensor.is_meta for tensor in module.state_dict().values()):
        module = module.to_empty(device="cpu")
        with torch.no_grad():
            for weights in module.parameters():
                weights.uniform_(-0.01, 0.01)
    return module


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measured(json.loads(sys.argv[1]))) + "\n")
