"""What a world video is drawn from: a kind, a seed, and how hard it is made."""

from dataclasses import dataclass
from typing import Literal, get_args

from mapt_bench.errors import ConfigError, nearest

__all__ = ["FRAME_SECONDS", "MAX_SIZE", "MIN_SIZE", "Family", "Kind", "WorldSettings"]

Kind = Literal["street", "crowd"]
Family = Literal["seen", "held-out", "varied", "shifted"]
"""Source of appearance, shapes and gaits.

``"seen"`` and ``"held-out"`` are the fixed tables of version 1 of the suites. ``"varied"`` samples
them for each video from continuous ranges. ``"shifted"`` has the tables of ``"held-out"`` under
another camera and another light.
"""

FRAME_SECONDS = 0.1
"""Time between two frames at real-like speed: ten frames a second, as KITTI has them."""

MIN_SIZE = (96, 160)
"""Smallest height and width in pixels: below, distant people come to less than four pixels."""

MAX_SIZE = (2160, 3840)
"""Largest height and width in pixels: the frames that are kept come to four gigabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSettings:
    """Everything that decides a world video.

    Attributes:
        kind: ``"street"``: a camera drives along a street. ``"crowd"``: many people on a square.
        seed: Of everything random.
        frames: Length.
        height: Pixels.
        width: Pixels.
        labels: Label space; ``"motchallenge-step"`` for crowds only.
        family: Source of appearance, shapes and gaits, see :data:`Family`.
        speed: Multiple of real-like speeds, of things and camera.
        spacing: Multiple of real-like distances between things of a class; below 1 is closer.
        similarity: Share of the things of a class that look alike on purpose, 0..1.
        gap: About how many frames an occluder hides a thing whole, where one can be placed on
            purpose; 0 places none.
        wash: How far colours and textures of things fade into one grey, 0..1.
        objects: Tracked things of the whole video; ``None`` draws a number.

    Raises:
        ConfigError: If a setting is out of its range, or two do not go together.
    """

    kind: Kind
    seed: int
    frames: int = 20
    height: int = 128
    width: int = 416
    labels: str = "kitti-step"
    family: Family = "seen"
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
                f"a world video of {self.width}x{self.height} pixels is too small; expected "
                f"{least_width}x{least_height} or more"
            )
        most_height, most_width = MAX_SIZE
        if self.height > most_height or self.width > most_width:
            raise ConfigError(
                f"a world video of {self.width}x{self.height} pixels is too large; expected at "
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
