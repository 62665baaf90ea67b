"""Suites: frozen lists of synthetic videos for training, validation and reported results.

Open a suite as ``NAME``, or as ``NAME@VERSION`` to state the version. Frames have 192x624 pixels.
All suites are in-domain, with an appearance sampled for each video, except ``shift`` and
``shift-val``, which have a domain shift.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from mapt_bench.errors import ConfigError, nearest
from mapt_bench.synthetic.video import WorldVideo
from mapt_bench.synthetic.world_settings import (
    FACTORS,
    Cell,
    Family,
    Kind,
    WorldSettings,
    cell_code,
    full_factorial,
    screening_design,
)

__all__ = [
    "Half",
    "Suite",
    "SuiteEntry",
    "calibration_entries",
    "is_suite",
    "open_suite",
    "suite_names",
    "train_sequence",
]

Half = Literal["real-like", "hard"]

KINDS: tuple[Kind, Kind] = ("street", "crowd")

_VERSION = 2
_SIZE = (192, 624)  # pixels
_SEEDS_EACH = 2_000_000
_FIRST_SEED = 100_000_000
_SEEDS_OF_STREAM = 1_000_000_000
_LISTED = 64  # sequences of the training stream in the suite train


@dataclass(frozen=True, slots=True)
class SuiteEntry:
    """One video of a suite.

    Attributes:
        video: Rendered when it is read.
        half: Split: realistic, or hard in stated ways.
        cell: Level of each factor for videos of a factorial, see
            :data:`~mapt_bench.synthetic.world_settings.FACTORS`; empty for others.
    """

    video: WorldVideo
    half: Half
    cell: Cell = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """Kind of the scene."""
        return self.video.settings.kind


@dataclass(frozen=True, slots=True)
class Suite:
    """A list of videos that never changes within a version.

    Attributes:
        name: One of :func:`suite_names`.
        version: Increases when the list or the rendering changes.
        entries: The videos, ordered by name.
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


def is_suite(name: str) -> bool:
    """Whether :func:`open_suite` accepts a name, with or without its version."""
    return name.removesuffix(f"@{_VERSION}") in _RECIPES


def open_suite(name: str) -> Suite:
    """Return a suite; nothing is rendered yet.

    Args:
        name: One of :func:`suite_names`, or a name with version, such as ``"bench@2"``.

    Raises:
        ConfigError: If there is no such suite or version; the message suggests the nearest.

    Example:
        >>> open_suite("tiny").videos[0].name
        'tiny-crowd-hard-d0n0s1g0'
    """
    plain, _, version = name.partition("@")
    if plain not in _RECIPES:
        raise ConfigError(f"unknown suite {name!r}; {nearest(name, _RECIPES)}")
    if not is_suite(name):
        raise ConfigError(
            f"unknown version {version!r} of suite {plain!r}; expected {plain!r} or "
            f"'{plain}@{_VERSION}' (release 0.2.0 generates version 1)"
        )
    make, family = _RECIPES[plain]
    first_seed = _FIRST_SEED + list(_RECIPES).index(plain) * _SEEDS_EACH
    entries = make(_Seeds(plain, first_seed, family))
    return Suite(plain, _VERSION, tuple(sorted(entries, key=lambda entry: entry.video.name)))


def train_sequence(index: int) -> SuiteEntry:
    """Return one sequence of the endless training stream; nothing is rendered yet.

    Streets and crowds alternate. Half of each are realistic and half are hard, with settings
    sampled from ranges that contain all cells of the factorial. An index gives the same sequence in
    any process. The first 64 are the suite ``train``.

    Args:
        index: 0 or more.

    Raises:
        ConfigError: If the index is negative.
    """
    if index < 0:
        raise ConfigError(f"training sequence {index} does not exist; expected 0 or more")
    seeds = _Seeds("train", _SEEDS_OF_STREAM + index)
    rng = np.random.default_rng([_SEEDS_OF_STREAM, index])
    return _training_entry(seeds, rng, index, f"{index:06d}")


@dataclass(slots=True)
class _Seeds:
    """Seeds of one suite. No two suites share a seed.

    Attributes:
        suite: Name of the suite.
        next_seed: Seed of the next video.
        family: Source of appearance, shapes and gaits.
    """

    suite: str
    next_seed: int
    family: Family = "varied"

    def entry(
        self, label: str, half: Half, settings: WorldSettings, cell: Cell | None = None
    ) -> SuiteEntry:
        """Return the video of the next seed, named after its suite, kind and split."""
        height, width = _SIZE
        made = replace(
            settings, seed=self.next_seed, height=height, width=width, family=self.family
        )
        self.next_seed += 1
        short = "real" if half == "real-like" else "hard"
        name = f"{self.suite}-{made.kind}-{short}-{label}"
        return SuiteEntry(WorldVideo(made, name), half, cell or {})

    def realistic(self, count: int, lengths: Iterable[int]) -> list[SuiteEntry]:
        """Return a number of realistic videos of each kind, with lengths in turn."""
        frames = tuple(lengths)
        entries = []
        for kind in KINDS:
            gaps = _GAPS[kind]
            for number in range(count):
                settings = WorldSettings(
                    kind=kind,
                    seed=0,
                    frames=frames[number % len(frames)],
                    gap=gaps[number % len(gaps)],
                )
                entries.append(self.entry(f"{number:03d}", "real-like", settings))
        return entries

    def hard(
        self,
        kind: Kind,
        cell: Cell,
        frames: int,
        *,
        label: str = "",
        objects: int | None = None,
    ) -> SuiteEntry:
        """Return a video of a cell of the factorial."""
        values = {FACTORS[name].setting: FACTORS[name].value(level) for name, level in cell.items()}
        settings = WorldSettings(
            kind=kind,
            seed=0,
            frames=frames,
            speed=values["speed"],
            spacing=values["spacing"],
            similarity=values["similarity"],
            gap=int(values["gap"]),
            objects=objects,
        )
        return self.entry(cell_code(cell) + label, "hard", settings, cell)


def calibration_entries(family: Family, count: int) -> list[SuiteEntry]:
    """Return realistic streets outside all suites, generated like those of suites.

    Args:
        family: Source of appearance, shapes and gaits.
        count: Number of videos.
    """
    seeds = _Seeds("calibration", _SEEDS_EACH // 2, family)
    return seeds.realistic(count, (16, 20, 24, 30))[:count]  # streets come first


_GAPS: dict[Kind, tuple[int, ...]] = {
    "street": (0, 0, 2, 0, 0, 0, 2, 0),  # as short as those of KITTI
    "crowd": (0, 0, 3, 0, 0, 6),  # most real occlusions are short and unplanned
}
"""Planned gaps of realistic videos in frames, in turn."""


def _training_entry(seeds: _Seeds, rng: np.random.Generator, number: int, label: str) -> SuiteEntry:
    settings = WorldSettings(kind=KINDS[number % 2], seed=0, frames=16)
    if number % 4 < 2:
        half: Half = "real-like"
        settings = replace(
            settings,
            similarity=round(rng.uniform(0.2, 0.5), 3),
            gap=int(rng.choice(_GAPS[settings.kind])),
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
    return seeds.entry(label, half, settings)


def _listed_stream(seeds: _Seeds) -> list[SuiteEntry]:
    """Return the first sequences of the training stream."""
    return [train_sequence(index) for index in range(_LISTED)]


def _val(seeds: _Seeds) -> list[SuiteEntry]:
    """Return 16 realistic videos, and one hard video for each cell.

    Kind is a fifth factor: the product of the four others (a half fraction of resolution V).
    """
    entries = seeds.realistic(8, (16, 20, 24, 30))
    for cell in full_factorial():
        kind = KINDS[sum(level == "high" for level in cell.values()) % 2]
        entries.append(seeds.hard(kind, cell, 24))
    return entries


def _bench(seeds: _Seeds) -> list[SuiteEntry]:
    """Return the videos of bench: 64 realistic ones, and two of each kind for every cell."""
    entries = seeds.realistic(32, range(16, 31, 2))
    for kind in KINDS:
        for cell in full_factorial():
            for number, frames in ((1, 24), (2, 30)):
                entries.append(seeds.hard(kind, cell, frames, label=f"-{number}"))
    return entries


def _quick(seeds: _Seeds) -> list[SuiteEntry]:
    """Return the videos of quick: like bench, with twelve balanced cells in the hard split."""
    entries = seeds.realistic(6, (16, 20, 24))
    for number, (kind, cell) in enumerate(screening_design()):
        entries.append(seeds.hard(kind, cell, (20, 24)[number % 2]))
    return entries


def _tiny(seeds: _Seeds) -> list[SuiteEntry]:
    """Return the videos of tiny, for continuous integration: one of each kind and split."""
    cell: Cell = {
        "displacement": "low",
        "neighbour_distance": "low",
        "similarity": "high",
        "gap_length": "low",
    }
    entries = seeds.realistic(1, (10,))
    return entries + [seeds.hard(kind, cell, 12, objects=10) for kind in KINDS]


def _stress(seeds: _Seeds) -> list[SuiteEntry]:
    """Return easy videos as the base of stress tests, without planned occlusions."""
    return [
        seeds.entry(
            f"{number:03d}",
            "real-like",
            WorldSettings(kind=kind, seed=0, frames=24),
        )
        for kind in KINDS
        for number in range(6)
    ]


def _shift(seeds: _Seeds) -> list[SuiteEntry]:
    """Return videos like those of bench, half as many: every cell once for each kind."""
    entries = seeds.realistic(16, range(16, 31, 2))
    for kind in KINDS:
        for number, cell in enumerate(full_factorial()):
            entries.append(seeds.hard(kind, cell, (24, 30)[number % 2]))
    return entries


def _shift_val(seeds: _Seeds) -> list[SuiteEntry]:
    """Return 8 realistic videos, and 8 hard ones with balanced factors and kinds."""
    cells = [
        cell
        for cell in full_factorial()
        if sum(level == "high" for level in cell.values()) % 2 == 0
    ]
    entries = seeds.realistic(4, (16, 20, 24, 30))
    for cell in cells:
        kind = KINDS[int(cell["displacement"] == cell["neighbour_distance"])]
        entries.append(seeds.hard(kind, cell, 24))
    return entries


# The order decides the seeds: add new suites at the end.
_RECIPES: dict[str, tuple[Callable[[_Seeds], list[SuiteEntry]], Family]] = {
    "train": (_listed_stream, "varied"),
    "val": (_val, "varied"),
    "bench": (_bench, "varied"),
    "quick": (_quick, "varied"),
    "tiny": (_tiny, "varied"),
    "stress": (_stress, "varied"),
    "shift": (_shift, "shifted"),
    "shift-val": (_shift_val, "shifted"),
}
