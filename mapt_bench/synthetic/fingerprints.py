"""Fingerprints of frozen suites: list of videos, rendered ground truth, rendered images."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np

from mapt_bench.errors import DataError
from mapt_bench.synthetic.suites import Suite, SuiteEntry, open_suite
from mapt_bench.synthetic.video import WorldVideo

__all__ = ["Fingerprint", "check_suite", "frozen_fingerprint", "suite_fingerprint"]

_FROZEN_FILE = "suites.json"
_MOST_DRAWN = 32  # videos with a rendered frame, so that a check takes seconds
_LEVELS = 0.02  # largest difference of images in grey levels


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Fingerprint of a suite: two hashes of 16 hexadecimal digits, and four numbers.

    Attributes:
        recipe: Hash of names, splits, cells, seeds and settings of all videos.
        drawing: Hash of the panoptic codes of the middle frame of every video, or of 32 videos
            spread evenly over the list.
        look: Images of the same frames: mean red, green and blue, and mean difference between
            neighbouring pixels, in grey levels. These are numbers, because other machines may round
            pixels differently.
    """

    recipe: str
    drawing: str
    look: tuple[float, float, float, float]

    def __str__(self) -> str:
        return f"{self.recipe}-{self.drawing}"


def suite_fingerprint(suite: Suite) -> Fingerprint:
    """Compute the fingerprint of a suite. This renders up to 32 frames."""
    chosen = np.unique(np.linspace(0, len(suite.entries) - 1, _MOST_DRAWN).round().astype(int))
    videos = [suite.entries[place].video for place in chosen.tolist()]
    return Fingerprint(_recipe_hash(suite.entries), *_drawing(videos))


def frozen_fingerprint(suite: Suite) -> Fingerprint:
    """Return the frozen fingerprint of a version of a suite.

    Raises:
        DataError: If that version was never frozen, or the frozen fingerprints cannot be read.
    """
    frozen = _frozen().get(f"{suite.name}-{suite.version}")
    if frozen is None:
        raise DataError(
            f"version {suite.version} of suite {suite.name!r} was never frozen; run "
            "tools/make_suites.py"
        )
    red, green, blue, step = frozen["look"]
    return Fingerprint(frozen["recipe"], frozen["drawing"], (red, green, blue, step))


def check_suite(name: str) -> Suite:
    """Open a suite and check that it matches the frozen fingerprint of its version.

    Args:
        name: One of :func:`~mapt_bench.synthetic.suites.suite_names`.

    Raises:
        ConfigError: If there is no such suite.
        DataError: If the list of videos, the ground truth or the images changed since the version
            was frozen.
    """
    suite = open_suite(name)
    frozen, found = frozen_fingerprint(suite), suite_fingerprint(suite)
    # Other videos also have other images, so report a changed list first.
    for what, was, is_now, is_same in (
        ("the list of videos", frozen.recipe, found.recipe, frozen.recipe == found.recipe),
        ("the drawing", frozen.drawing, found.drawing, frozen.drawing == found.drawing),
        ("the images", frozen.look, found.look, np.allclose(frozen.look, found.look, atol=_LEVELS)),
    ):
        if not is_same:
            raise DataError(
                f"{what} of suite {name!r} is not that of its version {suite.version} (found "
                f"{is_now}, expected {was}), so results would not be comparable; undo the change, "
                "or raise the version of the suite and run tools/make_suites.py"
            )
    return suite


@lru_cache(maxsize=1)
def _frozen() -> dict[str, dict[str, Any]]:
    path = resources.files(__package__).joinpath(_FROZEN_FILE)
    try:
        frozen: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise DataError(
            f"cannot be read ({problem}); install the package again, or run tools/make_suites.py",
            where=path,
        ) from problem
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


def _drawing(videos: Sequence[WorldVideo]) -> tuple[str, tuple[float, float, float, float]]:
    """Return the hash of the ground truth and the mean colours of the middle frames."""
    maps = hashlib.sha256()
    colors, steps = [], []
    for video in videos:  # truth and image together: they share a scene, and few are kept
        middle = video.settings.frames // 2
        maps.update(video.truth(middle).codes.astype("<u4").tobytes())
        image = video.frame(middle).image.astype(np.float64)
        colors.append(image.mean(axis=(0, 1)))
        steps.append(np.abs(np.diff(image, axis=1)).mean())
    red, green, blue = np.mean(colors, axis=0).round(3).tolist()
    return maps.hexdigest()[:16], (red, green, blue, round(float(np.mean(steps)), 3))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
