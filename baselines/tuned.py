"""Thresholds that were tuned on validation videos, every tracker's with the same number of trials.

``tools/tune_thresholds.py`` writes them to a file, with what was tried and the scores. Every
command runs trackers with them unless the user asks for the published ones.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from mapt_bench.baselines.settings import Setting

__all__ = [
    "DEFAULT_THRESHOLDS",
    "THRESHOLDS",
    "THRESHOLDS_FILE",
    "THRESHOLDS_SCHEMA",
    "ThresholdsName",
    "settings_of",
    "tuned_thresholds",
]

ThresholdsName = Literal["tuned", "published"]

THRESHOLDS: tuple[ThresholdsName, ThresholdsName] = ("tuned", "published")
DEFAULT_THRESHOLDS: ThresholdsName = "tuned"

THRESHOLDS_FILE = Path(__file__).with_name("thresholds.json")
THRESHOLDS_SCHEMA = "mapt-bench/thresholds/2"


def tuned_thresholds() -> dict[str, tuple[Setting, ...]]:
    """Return the settings of each associator that has tuned ones, by its name."""
    return {
        name: tuple(sorted(entry["settings"].items()))
        for name, entry in _read().get("tuned", {}).items()
    }


def settings_of(
    tracker: str, own: tuple[Setting, ...], thresholds: ThresholdsName
) -> tuple[Setting, ...]:
    """Return all settings that a tracker runs with, sorted by name.

    Args:
        tracker: Its name.
        own: Settings that its row spells out; they override the tuned ones.
        thresholds: Which thresholds apply where the row says nothing.
    """
    tuned = tuned_thresholds().get(tracker, ()) if thresholds == "tuned" else ()
    return tuple(sorted({**dict(tuned), **dict(own)}.items()))


@lru_cache(maxsize=1)
def _read() -> Mapping[str, Any]:
    if not THRESHOLDS_FILE.exists():
        return {}
    found: dict[str, Any] = json.loads(THRESHOLDS_FILE.read_text(encoding="utf-8"))
    return found
