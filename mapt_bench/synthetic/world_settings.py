"""Settings of a synthetic video: its kind, its seed, the factors that make it hard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, TypeVar, get_args

from mapt_bench.errors import ConfigError, nearest

__all__ = [
    "FACTORS",
    "FRAME_SECONDS",
    "MAX_SIZE",
    "MIN_SIZE",
    "Cell",
    "Factor",
    "Family",
    "Kind",
    "Level",
    "WorldSettings",
    "cell_code",
    "even_choice",
    "even_count",
    "even_share",
    "full_factorial",
    "screening_design",
]

Kind = Literal["street", "crowd"]
Family = Literal["varied", "shifted"]
"""Source of appearance, shapes and gaits.

``"varied"`` samples all of them for each video from continuous ranges. ``"shifted"`` is a domain
shift: fixed tables that share nothing with them, another camera and other light.
"""

FRAME_SECONDS = 0.1
"""Seconds between two frames at realistic speed: ten frames per second, as in KITTI."""

MIN_SIZE = (96, 160)
"""Smallest height and width in pixels. Below it, distant people have less than four pixels."""

MAX_SIZE = (2160, 3840)
"""Largest height and width in pixels. At this size, cached frames take four gigabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSettings:
    """All settings that decide a synthetic video.

    Attributes:
        kind: ``"street"``: a camera drives along a street. ``"crowd"``: many people on a square.
        seed: Seed of all random numbers.
        frames: Number of frames.
        height: Pixels.
        width: Pixels.
        labels: Label space; ``"motchallenge-step"`` for crowds only.
        family: Source of appearance, shapes and gaits, see :data:`Family`.
        speed: Factor on realistic speeds of things and camera.
        spacing: Factor on realistic distances between things of a class; below 1 is closer.
        similarity: Share of the things of a class that are look-alikes, 0..1.
        gap: Approximate number of frames for which planned occluders hide things completely; 0
            plans none.
        wash: How far colours and textures of things fade into one grey, 0..1.
        objects: Number of tracked things of the whole video; ``None`` samples it.

    Raises:
        ConfigError: If a setting is out of range, or two settings are incompatible.
    """

    kind: Kind
    seed: int
    frames: int = 20
    height: int = 192
    width: int = 624
    labels: str = "kitti-step"
    family: Family = "varied"
    speed: float = 1.0
    spacing: float = 1.0
    similarity: float = 0.3
    gap: int = 0
    wash: float = 0.0
    objects: int | None = None

    def __post_init__(self) -> None:
        _check_choice("kind", self.kind, get_args(Kind))
        _check_choice("family", self.family, get_args(Family))
        _check_choice("label space", self.labels, _LABELS[self.kind], f" of a {self.kind}")
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ConfigError(f"{name} {value} is out of range; expected {least} to {most}")
        least_height, least_width = MIN_SIZE
        if self.height < least_height or self.width < least_width:
            raise ConfigError(
                f"a synthetic video of {self.width}x{self.height} pixels is too small; expected "
                f"{least_width}x{least_height} or more"
            )
        most_height, most_width = MAX_SIZE
        if self.height > most_height or self.width > most_width:
            raise ConfigError(
                f"a synthetic video of {self.width}x{self.height} pixels is too large; expected at "
                f"most {most_width}x{most_height}"
            )
        if self.gap and self.gap > self.frames - 4:
            raise ConfigError(
                f"a gap of {self.gap} frames does not fit into {self.frames} frames; expected at "
                f"most {max(self.frames - 4, 0)}, so that things are seen before and after"
            )


_LABELS = {"street": ("kitti-step",), "crowd": ("kitti-step", "motchallenge-step")}

_RANGES = {
    "seed": (0, 2**63 - 1),
    "frames": (1, 1000),
    "speed": (0.1, 10.0),
    "spacing": (0.25, 4.0),
    "similarity": (0.0, 1.0),
    "gap": (0, 60),
    "wash": (0.0, 1.0),
    "objects": (0, 60),
}


def _check_choice(what: str, found: str, known: tuple[str, ...], whose: str = "") -> None:
    if found not in known:
        raise ConfigError(f"unknown {what} {found!r}{whose}; {nearest(found, known)}")


T = TypeVar("T")

# Roberts 2018, "The Unreasonable Effectiveness of Quasirandom Sequences": the shares of the
# sequence R2 in two dimensions, as parts of 2**32; a whole number of seeds stays exact.
_STEPS = (3242174889, 2447445414)
_WHOLE = 1 << 32


def even_share(seed: int, dimension: int = 0) -> float:
    """Return a number in 0..1. The numbers of consecutive seeds are evenly spread.

    Args:
        seed: 0 or more.
        dimension: 0 or 1: two independent sequences.
    """
    return (seed * _STEPS[dimension] + _WHOLE // 2) % _WHOLE / _WHOLE


def even_choice(seed: int, weights: Mapping[T, float]) -> tuple[T, float]:
    """Choose by weight. Among consecutive seeds, each choice is as frequent as its weight.

    Args:
        seed: 0 or more.
        weights: Weight of each choice; they add up to 1.

    Returns:
        The choice, and a number in 0..1 that is evenly spread over the seeds with this choice.
    """
    start = 0.0
    share = even_share(seed)
    for choice, weight in weights.items():
        within = (share - start) / weight
        if within < 1:
            return choice, within
        start += weight
    return choice, 1.0  # the weights add up to a little less than 1


def even_count(seed: int, counts: Sequence[int]) -> int:
    """Choose a count. Among consecutive seeds, all counts are equally frequent.

    Args:
        seed: 0 or more.
        counts: Counts to choose from.
    """
    return counts[int(even_share(seed, 1) * len(counts))]


Level = Literal["low", "high"]
Cell = Mapping[str, Level]
"""Level of each factor by name."""

_PLACKETT_BURMAN_12 = "++-+++---+-"


@dataclass(frozen=True, slots=True)
class Factor:
    """One factor that makes videos hard.

    Attributes:
        setting: The field of :class:`WorldSettings` that it sets.
        low: Its value at the low level.
        high: Its value at the high level.
    """

    setting: str
    low: float
    high: float

    def value(self, level: Level) -> float:
        """Return the value of a level."""
        return self.low if level == "low" else self.high


FACTORS: dict[str, Factor] = {
    "displacement": Factor("speed", 1.25, 2.5),
    "neighbour_distance": Factor("spacing", 0.5, 1.0),
    "similarity": Factor("similarity", 0.3, 0.9),
    "gap_length": Factor("gap", 3, 8),
}
"""The factors by name. A level is that of the quantity: a low neighbour distance is harder."""


def cell_code(cell: Cell) -> str:
    """Return a short name of a cell: the initial of each factor, 0 for low and 1 for high.

    Example:
        >>> cell_code({"displacement": "high", "neighbour_distance": "low"})
        'd1n0'
    """
    return "".join(f"{name[0]}{int(level == 'high')}" for name, level in cell.items())


def full_factorial() -> tuple[Cell, ...]:
    """Return all sixteen cells."""
    levels: tuple[Level, Level] = ("low", "high")
    return tuple(
        dict(zip(FACTORS, chosen, strict=True)) for chosen in product(levels, repeat=len(FACTORS))
    )


def screening_design() -> tuple[tuple[Kind, Cell], ...]:
    """Return twelve runs in which kind and factors are balanced, also in pairs.

    Plackett and Burman 1946, "The Design of Optimum Multifactorial Experiments": eleven cyclic
    shifts of one row, and a row of low levels. The first column is the kind, the next ones are the
    factors.
    """
    row = _PLACKETT_BURMAN_12
    rows = [row[-shift:] + row[:-shift] if shift else row for shift in range(len(row))]
    runs: list[tuple[Kind, Cell]] = []
    for signs in (*rows, "-" * len(row)):
        cell: dict[str, Level] = {
            name: "high" if sign == "+" else "low"
            for name, sign in zip(FACTORS, signs[1:], strict=False)
        }
        runs.append(("street" if signs[0] == "+" else "crowd", cell))
    return tuple(runs)
