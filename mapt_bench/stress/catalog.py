"""The stressors by name: the effect of each on a video, and the meaning of its five levels."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, get_args

import numpy as np

from mapt_bench.errors import ConfigError, nearest

__all__ = [
    "LEVEL_COUNT",
    "STRESS_KINDS",
    "Stress",
    "StressEntry",
    "StressKind",
    "stress_entries",
    "stress_entry",
]

StressKind = Literal["occlusion", "motion", "similarity", "image"]

STRESS_KINDS: tuple[StressKind, ...] = get_args(StressKind)
"""The difficulties that stressors add."""

LEVEL_COUNT = 5
"""Levels are numbered from 1 (mild) to this."""


@dataclass(frozen=True, slots=True)
class StressEntry:
    """One stressor.

    Attributes:
        name: For example ``"bars"``.
        kind: The difficulty that it adds.
        summary: One line for help texts and captions.
        levels: Its setting at levels 1 to 5, in ``unit``.
        unit: For example ``"frames"``.
        meaning: Meaning of the number.
        needs_images: Whether it changes only images, so that it cannot act on masks without images.
        world_only: Whether it needs synthetic video, which it generates again with other settings.
    """

    name: str
    kind: StressKind
    summary: str
    levels: tuple[float, float, float, float, float]
    unit: str
    meaning: str
    needs_images: bool = False
    world_only: bool = False


_ENTRIES = {
    entry.name: entry
    for entry in (
        StressEntry(
            "bars",
            "occlusion",
            "vertical bars that stand still over the whole height of the frame",
            (10, 25, 40, 60, 80),
            "% of the things' area",
            "share of the pixels of all tracked things in the video that the bars cover",
        ),
        StressEntry(
            "poles",
            "occlusion",
            "many thin poles that stand still over the whole height of the frame",
            (4, 8, 16, 24, 32),
            "poles",
            "number of poles, each 1 % of the frame's width, at least 2 pixels",
        ),
        StressEntry(
            "passing",
            "occlusion",
            "blocks that pass in front of tracked things and hide each completely, once",
            (1, 3, 6, 10, 20),
            "frames",
            "consecutive frames in which no pixel of a chosen thing is visible",
        ),
        StressEntry(
            "pasted",
            "occlusion",
            "cut-outs of other things of the video, pasted over tracked things for some frames",
            (20, 40, 60, 80, 100),
            "% of the thing",
            "share of a chosen thing's pixels that its cut-out covers",
        ),
        StressEntry(
            "drop",
            "motion",
            "only every tau-th frame is kept",
            (2, 3, 5, 7, 10),
            "frames apart",
            "distance tau between kept frames, for the tracker and the ground truth",
        ),
        StressEntry(
            "speed",
            "motion",
            "things and camera move faster",
            (1.5, 2, 3, 4, 6),
            "times the speed",
            "factor on the speeds of the synthetic video",
            world_only=True,
        ),
        StressEntry(
            "shake",
            "motion",
            "the camera shakes from frame to frame",
            (1, 2, 4, 8, 12),
            "% of the height",
            "largest shift of a frame in each direction, in whole pixels",
        ),
        StressEntry(
            "blur",
            "motion",
            "motion blur: things along their own motion, the rest horizontally",
            (2, 4, 7, 10, 15),
            "% of the height",
            "length of the blur, in pixels along the motion",
            needs_images=True,
        ),
        StressEntry(
            "look-alikes",
            "similarity",
            "more things of a class share one appearance",
            (20, 40, 60, 80, 100),
            "% of the other things made look-alikes",
            "share of the things of a class outside groups of look-alikes that join one",
            world_only=True,
        ),
        StressEntry(
            "washed-palette",
            "similarity",
            "colours and textures of all things fade into one grey",
            (20, 40, 60, 80, 100),
            "% faded",
            "how far the remaining colour and texture fade; shape and shading stay",
            world_only=True,
        ),
        StressEntry(
            "washed",
            "similarity",
            "tracked things lose colour and detail and fade into one grey",
            (20, 40, 60, 80, 100),
            "% faded",
            "how far they fade into the mean grey of all things in the frame",
            needs_images=True,
        ),
        StressEntry(
            "noise",
            "image",
            "sensor noise",
            (8, 16, 32, 48, 64),
            "grey levels",
            "standard deviation of Gaussian noise, of 255",
            needs_images=True,
        ),
        StressEntry(
            "exposure",
            "image",
            "exposure alternates between frames",
            (0.5, 1, 1.5, 2, 3),
            "stops",
            "largest change to brighter and to darker; one stop is a factor of 2 in light",
            needs_images=True,
        ),
        StressEntry(
            "fog",
            "image",
            "fog that thickens with distance",
            (200, 100, 60, 35, 20),
            "metres of visibility",
            "visibility: the distance at which 5 % of the contrast remains",
            needs_images=True,
        ),
        StressEntry(
            "rain",
            "image",
            "rain streaks",
            (10, 25, 50, 90, 150),
            "streaks in 10,000 pixels",
            "number of streaks in a frame per 10,000 pixels",
            needs_images=True,
        ),
        StressEntry(
            "jpeg",
            "image",
            "JPEG compression",
            (50, 30, 15, 8, 4),
            "JPEG quality",
            "from 1 to 100; lower is coarser",
            needs_images=True,
        ),
    )
}


def stress_entries(kind: str) -> tuple[StressEntry, ...]:
    """Return the stressors of a kind.

    Raises:
        ConfigError: If there is no such kind; the message suggests the nearest.

    Example:
        >>> [entry.name for entry in stress_entries("occlusion")]
        ['bars', 'poles', 'passing', 'pasted']
    """
    if kind not in STRESS_KINDS:
        raise ConfigError(f"unknown kind of stress {kind!r}; {nearest(kind, STRESS_KINDS)}")
    return tuple(entry for entry in _ENTRIES.values() if entry.kind == kind)


def stress_entry(name: str) -> StressEntry:
    """Return a stressor by name.

    Raises:
        ConfigError: If there is no such stressor; the message suggests the nearest.

    Example:
        >>> stress_entry("passing").levels
        (1, 3, 6, 10, 20)
    """
    if name not in _ENTRIES:
        raise ConfigError(f"unknown stressor {name!r}; {nearest(name, _ENTRIES)}")
    return _ENTRIES[name]


@dataclass(frozen=True, slots=True)
class Stress:
    """A stressor at a level.

    Attributes:
        name: One of the stressors.
        level: 1 (mild) to 5.
        seed: Seed of all random numbers. They depend on it, on the name of the video and on the
            stressor, not on the level.

    Raises:
        ConfigError: If there is no such stressor, or the level or the seed is out of range.
    """

    name: str
    level: int
    seed: int = 0

    def __post_init__(self) -> None:
        entry = stress_entry(self.name)
        if not 1 <= self.level <= LEVEL_COUNT:
            meanings = ", ".join(f"{value:g}" for value in entry.levels)
            raise ConfigError(
                f"level {self.level} of {self.name!r}; expected 1 to {LEVEL_COUNT} "
                f"({meanings} {entry.unit})"
            )
        if self.seed < 0:
            raise ConfigError(f"seed {self.seed} of {self.name!r}; expected 0 or more")

    @property
    def entry(self) -> StressEntry:
        """The stressor."""
        return stress_entry(self.name)

    @property
    def value(self) -> float:
        """What the stressor is set to, in ``entry.unit``.

        Example:
            >>> Stress("passing", 3).value
            6
        """
        return self.entry.levels[self.level - 1]

    @property
    def label(self) -> str:
        """The level in words.

        Example:
            >>> Stress("bars", 2).label
            "25 % of the things' area"
        """
        unit = self.entry.unit
        if self.value == 1 and unit in {"frames", "stops"}:
            unit = unit.removesuffix("s")
        if unit.endswith("quality"):
            return f"{unit} {self.value:g}"
        return f"{self.value:g} {unit}"

    def generator(self, video: str, *purpose: object) -> np.random.Generator:
        """Return a random generator for one purpose, the same in every process.

        Its seed depends on the seed and the name of the stress, not on the level: all levels place
        the same occluders, for example, in different sizes.

        Args:
            video: Name of the video.
            purpose: What the numbers are for, for example the index of a frame.

        Example:
            >>> rain = (Stress("rain", level) for level in (1, 5))
            >>> mild, strong = (stress.generator("0001", 7).random() for stress in rain)
            >>> mild == strong
            True
        """
        words = "\0".join(map(str, (self.seed, self.name, video, *purpose)))
        # A hash of these words, because Python salts its own hash in each process.
        seed = sha256(words.encode("utf-8", "surrogateescape")).digest()[:16]
        return np.random.default_rng(int.from_bytes(seed, "big"))
