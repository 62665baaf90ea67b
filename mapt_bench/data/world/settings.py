"""What a world video is drawn from: a kind, a seed, and how hard it is made."""

from dataclasses import dataclass
from typing import Literal

from mapt_bench.errors import ConfigError

__all__ = ["MIN_SIZE", "Family", "Kind", "WorldSettings"]

Kind = Literal["street", "crowd"]
Family = Literal["seen", "held-out"]

MIN_SIZE = (96, 160)
"""Smallest height and width in pixels: below, distant people come to less than four pixels."""


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
        family: Which textures, shapes and speeds things have: those of training or others.
        speed: Multiple of real-like speeds, of things and camera.
        spacing: Multiple of real-like distances between things of a class; below 1 is closer.
        similarity: Share of the things of a class that look alike on purpose, 0..1.
        gap: Frames for which an occluder hides a thing whole, wherever one is placed on purpose; 0
            places none.
        wash: How far colours and textures of things fade into one grey, 0..1.
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

    def __post_init__(self) -> None:
        least_height, least_width = MIN_SIZE
        if self.height < least_height or self.width < least_width:
            raise ConfigError(
                f"a world video of {self.width}x{self.height} pixels is too small; expected "
                f"{least_width}x{least_height} or more"
            )
        if self.gap >= self.frames - 2:
            raise ConfigError(
                f"a gap of {self.gap} frames does not fit into {self.frames} frames; expected at "
                f"most {self.frames - 3}, so that things are seen before and after"
            )
