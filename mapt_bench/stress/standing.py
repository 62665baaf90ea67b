"""Occluders that stand still: bars and poles over the whole height of the frame."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import Video
from mapt_bench.stress import surfaces
from mapt_bench.stress.catalog import Stress
from mapt_bench.stress.dice import dice
from mapt_bench.stress.occluder_class import occluder_class
from mapt_bench.stress.patch import Patch
from mapt_bench.stress.survey import survey

__all__ = ["Standing", "bars", "poles"]

_POLE_WIDTH = 0.01  # of the frame's width
_BAR_PERIOD = 0.5  # of the frame's height
_BISECTIONS = 24
_GOLDEN_RATIO = 0.61803398875

Surface = Callable[[int, int, np.random.Generator], NDArray[np.uint8]]


@dataclass(frozen=True)
class Standing:
    """Strips over the whole height of every frame.

    Attributes:
        strips: First column and width of each, the nearest last.
        height: Of the frame.
        label: See :class:`~mapt_bench.stress.patch.Occluder`.
        code: Of their pixels in the truth.
        surface: Draws a strip.
        stress: Seeds what they look like.
        video: Name of the video, likewise.
    """

    strips: tuple[tuple[int, int], ...]
    height: int
    label: str
    code: int
    surface: Surface
    stress: Stress
    video: str

    @property
    def is_tracked(self) -> bool:
        """Never."""
        return False

    def patches(self, index: int) -> Sequence[Patch]:
        """Return the strips, the same before every frame."""
        return self._patches

    @cached_property
    def _patches(self) -> tuple[Patch, ...]:
        return tuple(
            Patch(
                0,
                left,
                np.ones((self.height, width), dtype=bool),
                self.code,
                partial(self._painted, number),
            )
            for number, (left, width) in enumerate(self.strips)
        )

    def _painted(self, number: int) -> NDArray[np.uint8]:
        return self._surfaces[number]

    @cached_property
    def _surfaces(self) -> tuple[NDArray[np.uint8], ...]:
        return tuple(
            self.surface(self.height, width, dice(self.stress, self.video, "surface", number))
            for number, (_, width) in enumerate(self.strips)
        )


def bars(video: Video, stress: Stress) -> Standing:
    """Cover a share of the tracked things' pixels by evenly spaced bars.

    Raises:
        DataError: If the video has no truth.
    """
    columns = survey(video).columns
    if not columns.any():
        columns = np.ones_like(columns)
    period = max(4.0, _BAR_PERIOD * video.info.height)
    offset = dice(stress, video.info.name).random() * period
    low, high = 0.0, period
    tried = []
    for _ in range(_BISECTIONS):
        width = (low + high) / 2
        strips = _evenly(columns.size, period, offset, width)
        share = sum(int(columns[left : left + size].sum()) for left, size in strips) / columns.sum()
        tried.append((abs(share - stress.value / 100), width, strips))
        low, high = (width, high) if share < stress.value / 100 else (low, width)
    return _standing(video, stress, min(tried)[2], ("wall", "building"), surfaces.wall)


def poles(video: Video, stress: Stress) -> Standing:
    """Put a number of poles before a video; those of a level stand at every stronger one too."""
    width = video.info.width
    size = min(width, max(2, round(_POLE_WIDTH * width)))
    start = dice(stress, video.info.name).random()
    # Multiples of the golden ratio fill gaps one after the other.
    lefts = (int((start + k * _GOLDEN_RATIO) % 1 * width) for k in range(int(stress.value)))
    strips = tuple((left, min(size, width - left)) for left in lefts)
    return _standing(video, stress, strips, ("pole", "building"), surfaces.pole)


def _evenly(
    frame_width: int, period: float, offset: float, width: float
) -> tuple[tuple[int, int], ...]:
    strips = []
    for centre in np.arange(offset - period, frame_width + period, period):
        first, last = (
            int(np.clip(round(centre + side * width / 2), 0, frame_width)) for side in (-1, 1)
        )
        if first < last:
            strips.append((first, last - first))
    return tuple(strips)


def _standing(
    video: Video,
    stress: Stress,
    strips: tuple[tuple[int, int], ...],
    classes: Sequence[str],
    surface: Surface,
) -> Standing:
    info = video.info
    label, code = occluder_class(video, classes)
    return Standing(strips, info.height, label, code, surface, stress, info.name)
