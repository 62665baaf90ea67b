"""How a result came about: versions, commit, machine. Everything that may explain a difference."""

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from mapt_bench import __version__

__all__ = ["provenance"]

_PACKAGES = (
    *("numpy", "scipy", "opencv-python-headless", "pyspng", "pycocotools"),
    *("torch", "torchvision", "fvcore"),
)


def provenance(*, threads: int = 1, device: str = "cpu") -> dict[str, object]:
    """Describe the code and the machine that make a result.

    Args:
        threads: Worker processes or threads used.
        device: Where models ran.

    Returns:
        JSON-ready facts. ``created`` (UTC) is the only entry that changes between two runs of the
        same code on the same machine. ``git_commit`` is null outside a checkout.
    """
    return {
        "mapt_bench": __version__,
        "git_commit": _git_commit(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "processor_count": os.cpu_count(),
        "device": device,
        "threads": threads,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _version(package: str) -> str | None:
    # The distribution's metadata is read, so that naming a version imports nothing heavy.
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed command
            ["git", "-C", str(root), "rev-parse", "HEAD"],  # noqa: S607 - git of the user's path
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
