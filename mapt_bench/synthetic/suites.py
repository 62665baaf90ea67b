"""Suites: frozen lists of world videos to train on, to choose by, and to report on."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from mapt_bench.errors import ConfigError, nearest
from mapt_bench.synthetic.hardness import (
    FACTORS,
    Cell,
    cell_code,
    full_factorial,
    screening_design,
)
from mapt_bench.synthetic.settings import Family, Kind, WorldSettings
from mapt_bench.synthetic.video import WorldVideo

__all__ = ["Half", "Suite", "SuiteEntry", "calibration_entries", "open_suite", "suite_names"]

Half = Literal["real-like", "hard"]

KINDS: tuple[Kind, Kind] = ("street", "crowd")

_SEEDS_EACH = 2_000_000


@dataclass(frozen=True, slots=True)
class SuiteEntry:
    """One video of a suite.

    Attributes:
        video: Drawn when it is read.
        half: Whether it is like real video or harder in stated ways.
        cell: Level of each factor of :data:`~mapt_bench.synthetic.hardness.FACTORS` for videos of
            a factorial; empty for others.
    """

    video: WorldVideo
    half: Half
    cell: Cell = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """Which kind of scene it is."""
        return self.video.settings.kind


@dataclass(frozen=True, slots=True)
class Suite:
    """A list of videos that never changes while its version stays.

    Attributes:
        name: One of :func:`suite_names`.
        version: Grows whenever the list or the drawing changes.
        entries: The videos and what is known of them, ordered by name.
    """

    name: str
    version: int
    entries: tuple[SuiteEntry, ...]

    @property
    def videos(self) -> tuple[WorldVideo, ...]:
        """The videos, by name."""
        return tuple(entry.video for entry in self.entries)

    @property
    def frame_count(self) -> int:
        """Frames of all videos."""
        return sum(entry.video.settings.frames for entry in self.entries)


def suite_names() -> tuple[str, ...]:
    """Return the names of all suites."""
    return tuple(_RECIPES)


def open_suite(name: str) -> Suite:
    """Return a suite; nothing is drawn yet.

    Args:
        name: One of :func:`suite_names`.

    Raises:
        ConfigError: If there is no such suite; the nearest is suggested.

    Example:
        >>> [video.name for video in open_suite("tiny").videos][0]
        'tiny-crowd-hard-d0n0s1g0'
    """
    if name not in _RECIPES:
        raise ConfigError(f"unknown suite {name!r}; {nearest(name, _RECIPES)}")
    recipe = _RECIPES[name]
    first_seed = (list(_RECIPES).index(name) + 1) * _SEEDS_EACH
    entries = recipe.draw(_Seeds(name, first_seed))
    return Suite(name, recipe.version, tuple(sorted(entries, key=lambda entry: entry.video.name)))


@dataclass(slots=True)
class _Seeds:
    """Hands out the seeds of one suite; no other suite has any of them."""

    suite: str
    next_seed: int

    def entry(
        self, label: str, half: Half, settings: WorldSettings, cell: Cell | None = None
    ) -> SuiteEntry:
        """Return the video of the next seed, named after its suite, kind and half."""
        made = replace(settings, seed=self.next_seed)
        self.next_seed += 1
        short = "real" if half == "real-like" else "hard"
        name = f"{self.suite}-{made.kind}-{short}-{label}"
        return SuiteEntry(WorldVideo(made, name), half, cell or {})

    def real_like(
        self, count: int, lengths: Iterable[int], family: Family = "held-out"
    ) -> list[SuiteEntry]:
        """Return so many real-like videos of each kind, lengths in turn."""
        frames = tuple(lengths)
        entries = []
        for kind in KINDS:
            for number in range(count):
                settings = WorldSettings(
                    kind=kind,
                    seed=0,
                    frames=frames[number % len(frames)],
                    gap=_REAL_LIKE_GAPS[number % len(_REAL_LIKE_GAPS)],
                    family=family,
                )
                entries.append(self.entry(f"{number:03d}", "real-like", settings))
        return entries

    def hard(
        self,
        kind: Kind,
        cell: Cell,
        frames: int,
        *,
        family: Family = "held-out",
        label: str = "",
        objects: int | None = None,
    ) -> SuiteEntry:
        """Return a video of a cell of the factorial."""
        values = {FACTORS[name].setting: FACTORS[name].value(level) for name, level in cell.items()}
        settings = WorldSettings(
            kind=kind,
            seed=0,
            frames=frames,
            family=family,
            speed=values["speed"],
            spacing=values["spacing"],
            similarity=values["similarity"],
            gap=int(values["gap"]),
            objects=objects,
        )
        return self.entry(cell_code(cell) + label, "hard", settings, cell)


def calibration_entries(family: Family, count: int) -> list[SuiteEntry]:
    """Return real-like streets of no suite, drawn as those of suites are.

    Args:
        family: Of textures, shapes and speeds.
        count: How many.
    """
    seeds = _Seeds("calibration", _SEEDS_EACH // 2)
    return seeds.real_like(count, (16, 20, 24, 30), family)[:count]  # streets come first


_REAL_LIKE_GAPS = (0, 0, 3, 0, 0, 6)  # frames: most real occlusions are short and not on purpose


def _train(seeds: _Seeds) -> list[SuiteEntry]:
    """Real-like and hard videos, their settings drawn from ranges that hold all cells."""
    rng = np.random.default_rng(0)
    entries = []
    for number in range(400):
        settings = WorldSettings(kind=KINDS[number % 2], seed=0, frames=16)
        if number % 4 < 2:
            half: Half = "real-like"
            settings = replace(
                settings,
                similarity=round(rng.uniform(0.2, 0.5), 3),
                gap=int(rng.choice(_REAL_LIKE_GAPS)),
            )
        else:
            half = "hard"
            settings = replace(
                settings,
                speed=round(float(np.exp(rng.uniform(np.log(1.1), np.log(3.0)))), 3),
                spacing=round(rng.uniform(0.45, 1.1), 3),
                similarity=round(rng.uniform(0.2, 0.95), 3),
                gap=int(rng.integers(2, 10)),
            )
        entries.append(seeds.entry(f"{number:03d}", half, settings))
    return entries


def _val(seeds: _Seeds) -> list[SuiteEntry]:
    """Laid out like bench, smaller, of the family of train: what chooses must not see the other.

    Kind is a fifth factor: the product of the four others (a half fraction of resolution V).
    """
    entries = seeds.real_like(16, (16, 20, 24, 30), "seen")
    for cell in full_factorial():
        kind = KINDS[sum(level == "high" for level in cell.values()) % 2]
        entries.append(seeds.hard(kind, cell, 24, family="seen"))
    return entries


def _bench(seeds: _Seeds) -> list[SuiteEntry]:
    """What is reported: 64 real-like videos, and two of each kind for every cell."""
    entries = seeds.real_like(32, range(16, 31, 2))
    for kind in KINDS:
        for cell in full_factorial():
            for number, frames in ((1, 24), (2, 30)):
                entries.append(seeds.hard(kind, cell, frames, label=f"-{number}"))
    return entries


def _quick(seeds: _Seeds) -> list[SuiteEntry]:
    """The default of the main job: drawn like bench, its hard half twelve balanced cells."""
    entries = seeds.real_like(6, (16, 20, 24))
    for number, (kind, cell) in enumerate(screening_design()):
        entries.append(seeds.hard(kind, cell, (20, 24)[number % 2]))
    return entries


def _tiny(seeds: _Seeds) -> list[SuiteEntry]:
    """For continuous integration: seconds, one video of each kind and half."""
    cell: Cell = {
        "displacement": "low",
        "neighbour_distance": "low",
        "similarity": "high",
        "gap_length": "low",
    }
    entries = seeds.real_like(1, (10,))
    return entries + [seeds.hard(kind, cell, 12, objects=10) for kind in KINDS]


def _stress(seeds: _Seeds) -> list[SuiteEntry]:
    """Mild videos that stress tests start from: nothing is hidden on purpose."""
    return [
        seeds.entry(
            f"{number:03d}",
            "real-like",
            WorldSettings(kind=kind, seed=0, frames=24, family="held-out"),
        )
        for kind in KINDS
        for number in range(6)
    ]


@dataclass(frozen=True, slots=True)
class _Recipe:
    version: int
    draw: Callable[[_Seeds], list[SuiteEntry]]


# The order decides on seeds: add new suites at the end.
_RECIPES: Mapping[str, _Recipe] = {
    "train": _Recipe(1, _train),
    "val": _Recipe(1, _val),
    "bench": _Recipe(1, _bench),
    "quick": _Recipe(1, _quick),
    "tiny": _Recipe(1, _tiny),
    "stress": _Recipe(1, _stress),
}
