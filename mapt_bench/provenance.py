"""Provenance of a result: versions, commit, machine. It helps to explain a difference."""

import functools
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mapt_bench import __version__

__all__ = ["NAMED_REVISION", "joined_provenance", "provenance", "user_revision"]

_PACKAGES = (
    *("numpy", "scipy", "opencv-python-headless", "pyspng", "pycocotools"),
    *("torch", "torchvision", "fvcore"),
)

_WHEN = "created"

NAMED_REVISION: ContextVar[str | None] = ContextVar("revision", default=None)
"""Revision of the user's project, if the user named one."""


def provenance(*, threads: int = 1, device: str = "cpu") -> dict[str, Any]:
    """Describe the code and the machine that produce a result.

    Args:
        threads: Number of threads or worker processes.
        device: Device of the models.

    Returns:
        Plain data for JSON. Only ``created`` (UTC) changes between two runs of the same code on
        the same machine. ``git_commit`` is null outside a checkout, and ``cpu`` is null if the
        system does not name the processor.
    """
    return {
        **_surroundings(),
        "device": device,
        "threads": threads,
        _WHEN: datetime.now(UTC).isoformat(timespec="seconds"),
    }


def user_revision() -> str | None:
    """Return the revision of the user's project, which ``mapt-bench history`` orders results by.

    Returns:
        The revision of ``--revision``, or ``$GITHUB_SHA``, or the git HEAD of the current folder.
        ``None`` outside a git repository.
    """
    named = NAMED_REVISION.get() or os.environ.get("GITHUB_SHA")
    return named or _git_head(Path.cwd())


def joined_provenance(units: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the provenance of a result of several work units.

    Args:
        units: Provenance of each unit, from :func:`provenance`. At least one.

    Returns:
        Entries that are equal in all units, and the latest ``created``. An entry that differs is
        null. Then ``sets`` lists each combination of the differing entries, with its number of
        ``units`` and its latest ``created``, the most frequent first.

    Example:
        >>> old, new = ({"python": v, "device": "cpu", "created": v} for v in ("3.11", "3.12"))
        >>> joined_provenance([old, new, new])["sets"][0]
        {'units': 2, 'python': '3.12', 'created': '3.12'}
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for unit in units:
        facts = {name: value for name, value in unit.items() if name != _WHEN}
        groups.setdefault(json.dumps(facts, sort_keys=True), []).append(unit)
    sets = sorted(groups.values(), key=lambda group: (-len(group), _latest(group)))
    names = list(dict.fromkeys(name for group in sets for name in group[0]))
    differing = [
        name
        for name in names
        if name != _WHEN and any(group[0].get(name) != sets[0][0].get(name) for group in sets)
    ]
    joined = {name: None if name in differing else sets[0][0].get(name) for name in names}
    joined[_WHEN] = max(map(_latest, sets))
    if differing:
        joined["sets"] = [
            {
                "units": len(group),
                **{name: group[0].get(name) for name in differing},
                _WHEN: _latest(group),
            }
            for group in sets
        ]
    return joined


def _latest(group: Iterable[Mapping[str, Any]]) -> str:
    return max(str(unit.get(_WHEN, "")) for unit in group)


@functools.cache
def _surroundings() -> dict[str, Any]:
    """Return the entries that stay the same within a process."""
    return {
        "mapt_bench": __version__,
        "git_commit": _git_commit(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "host": platform.node(),
        "cpu": _cpu(),
        "processor_count": os.cpu_count(),
    }


def _cpu() -> str | None:
    try:  # on Linux, platform.processor() is empty
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or None


def _version(package: str) -> str | None:
    # Reading the metadata of a distribution does not import the package.
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    root = Path(__file__).resolve().parent.parent
    return _git_head(root) if (root / ".git").exists() else None


def _git_head(folder: Path) -> str | None:
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed command
            ["git", "-C", str(folder), "rev-parse", "HEAD"],  # noqa: S607 - git of the user's path
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
