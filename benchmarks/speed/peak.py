"""Peak memory of one evaluation: ``python peak.py GT PRED FRAMES`` in a process of its own."""

import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mapt_bench.labels import label_space
from speed.contenders import evaluate


def peak_mb() -> float:
    """Return the most memory this process ever held, in MB (10**6 bytes)."""
    status = Path("/proc/self/status")
    if status.is_file():  # ru_maxrss would count what the parent held when it started this one
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    evaluate(Path(sys.argv[1]), Path(sys.argv[2]), label_space("kitti-step"), int(sys.argv[3]))
    sys.stdout.write(f"{peak_mb()}\n")
