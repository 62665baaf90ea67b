"""Peak memory of code in a child process."""

import subprocess
import sys
from pathlib import Path

import pytest

_PEAK = """
import sys
from pathlib import Path
status = Path("/proc/self/status").read_text()
sys.stdout.write(next(l.split()[1] for l in status.splitlines() if l.startswith("VmHWM:")))
"""


def peak_mb(code: str, *arguments: object) -> float:
    """Run code in a process of its own, and return the most memory it held, in MB (10**6 bytes).

    Args:
        code: Python source.
        arguments: Become ``sys.argv[1:]``.
    """
    if not Path("/proc/self/status").is_file():
        pytest.skip("peak memory is read from /proc")
    command = [sys.executable, "-c", code + _PEAK, *map(str, arguments)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return int(answer.stdout) * 1024 / 1e6
