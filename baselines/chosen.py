"""Thresholds that were chosen on validation videos, every tracker's with the same number of trials.

They lie in a file that ``tools/tune_thresholds.py`` writes, with what was tried and what it gave.
Experiments run them; a tracker by itself keeps the published ones unless it is asked for these.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from mapt_bench.baselines.settings import Setting

__all__ = ["THRESHOLDS_FILE", "THRESHOLDS_SCHEMA", "chosen_thresholds"]

THRESHOLDS_FILE = Path(__file__).with_name("thresholds.json")
THRESHOLDS_SCHEMA = "mapt-bench/thresholds/1"


def chosen_thresholds() -> dict[str, tuple[Setting, ...]]:
    """Return the settings of each associator that has chosen ones, by its name."""
    return {
        name: tuple(sorted(entry["settings"].items()))
        for name, entry in _read().get("chosen", {}).items()
    }


@lru_cache(maxsize=1)
def _read() -> Mapping[str, Any]:
    if not THRESHOLDS_FILE.exists():
        return {}
    found: dict[str, Any] = json.loads(THRESHOLDS_FILE.read_text(encoding="utf-8"))
    return found
