"""Frozen suites: whether the list of videos, and what is drawn, are still what they were."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np

from mapt_bench.data.world.suites import Suite, SuiteEntry, open_suite
from mapt_bench.errors import DataError

__all__ = ["Fingerprint", "check_suite", "frozen_fingerprint", "suite_fingerprint"]

_FROZEN_FILE = "suites.json"
_MOST_DRAWN = 32  # videos of which a frame is drawn, so that a check takes seconds


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a suite is, in two hashes of 16 hexadecimal digits.

    Attributes:
        recipe: Of names, halves, cells, seeds and settings of all videos.
        drawing: Of the panoptic codes of the middle frame of every video, or of 32 of them that
            are spread evenly over the list.
    """

    recipe: str
    drawing: str

    def __str__(self) -> str:
        return f"{self.recipe}-{self.drawing}"


def suite_fingerprint(suite: Suite) -> Fingerprint:
    """Work out the fingerprint of a suite: draws up to 32 frames."""
    return Fingerprint(_recipe_hash(suite.entries), _drawing_hash(suite.entries))


def frozen_fingerprint(suite: Suite) -> Fingerprint:
    """Return the fingerprint that a version of a suite was frozen with.

    Raises:
        DataError: If that version was never frozen.
    """
    frozen = _frozen().get(f"{suite.name}-{suite.version}")
    if frozen is None:
        raise DataError(
            f"version {suite.version} of suite {suite.name!r} was never frozen; run "
            "docs/make_suites.py"
        )
    return Fingerprint(frozen["recipe"], frozen["drawing"])


def check_suite(name: str) -> Suite:
    """Open a suite and make sure that it is what its version says.

    Args:
        name: One of :func:`~mapt_bench.data.world.suites.suite_names`.

    Raises:
        ConfigError: If there is no such suite.
        DataError: If the list of videos or the drawing changed since the version was frozen.
    """
    suite = open_suite(name)
    frozen, found = frozen_fingerprint(suite), suite_fingerprint(suite)
    # Other videos are drawn otherwise: of the two changes the list is the one to tell.
    for what, was, is_now in (
        ("the list of videos", frozen.recipe, found.recipe),
        ("the drawing", frozen.drawing, found.drawing),
    ):
        if was != is_now:
            raise DataError(
                f"{what} of suite {name!r} is not that of its version {suite.version} (found "
                f"{is_now}, expected {was}), so results would not be comparable; undo the change, "
                "or raise the version of the suite and run docs/make_suites.py"
            )
    return suite


@lru_cache(maxsize=1)
def _frozen() -> dict[str, dict[str, str]]:
    text = resources.files(__package__).joinpath(_FROZEN_FILE).read_text(encoding="utf-8")
    frozen: dict[str, dict[str, str]] = json.loads(text)
    return frozen


def _recipe_hash(entries: Sequence[SuiteEntry]) -> str:
    rows = [_recipe(entry) for entry in entries]
    return _digest(json.dumps(rows, sort_keys=True).encode())


def _recipe(entry: SuiteEntry) -> dict[str, Any]:
    return {
        "name": entry.video.name,
        "half": entry.half,
        "cell": dict(entry.cell),
        "settings": asdict(entry.video.settings),
    }


def _drawing_hash(entries: Sequence[SuiteEntry]) -> str:
    chosen = np.unique(np.linspace(0, len(entries) - 1, _MOST_DRAWN).round().astype(int))
    maps = hashlib.sha256()
    for place in chosen.tolist():
        video = entries[place].video
        maps.update(video.truth(video.settings.frames // 2).codes.astype("<u4").tobytes())
    return maps.hexdigest()[:16]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
