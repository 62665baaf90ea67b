"""Painted occluders: bars and poles that stand still, and blocks that pass in front of things."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError
from mapt_bench.labels import Video
from mapt_bench.stress.catalog import Stress
from mapt_bench.stress.occlusion import Patch, occluder_class
from mapt_bench.stress.tracked_things import Box, Spell, Track, choose_spells, survey

__all__ = [
    "Passing",
    "Standing",
    "bars",
    "frames_needed",
    "paint_lorry",
    "paint_pole",
    "paint_wall",
    "passing",
    "poles",
]

_Image = NDArray[np.uint8]

_LORRY_PAINTS = ((206, 204, 196), (62, 92, 128), (150, 62, 52), (84, 110, 84), (196, 168, 96))


def paint_wall(height: int, width: int, generator: np.random.Generator) -> _Image:
    """Paint a pillar of blocks, lit from one side.

    Args:
        height: Pixels.
        width: Pixels.
        generator: Random generator.

    Returns:
        ``uint8`` RGB of shape ``(height, width, 3)``.
    """
    course = max(3, round(height / 20))
    brick = 2 * course
    row, column = np.mgrid[:height, :width]
    course_of = row // course
    across = column + (course_of % 2) * course
    shade = generator.uniform(0.86, 1.06, (height // course + 2, width // brick + 3))
    image = np.array((168, 158, 144)) * shade[course_of, across // brick][..., None]
    joint = (row % course == 0) | (across % brick == 0)
    image[joint] *= 0.82
    image *= _light(width, 0.25)[:, None]
    return _finished(image, generator, 4)


def paint_pole(height: int, width: int, generator: np.random.Generator) -> _Image:
    """Paint a round metal pole; arguments and result are those of :func:`paint_wall`."""
    tone = generator.uniform(0.85, 1.1)
    image = np.ones((height, width, 1)) * np.array((122, 126, 130)) * tone
    image *= _light(width, 0.55)[:, None]
    return _finished(image, generator, 3)


def paint_lorry(height: int, width: int, generator: np.random.Generator) -> _Image:
    """Paint the body of a lorry; arguments and result are those of :func:`paint_wall`."""
    paint = np.array(_LORRY_PAINTS[generator.integers(len(_LORRY_PAINTS))])
    image = np.ones((height, width, 1)) * paint
    image *= np.linspace(1.08, 0.86, height)[:, None, None]
    rib = max(4, round(height / 6))
    image[:, ::rib] *= 0.9
    stripe = slice(round(0.42 * height), round(0.5 * height))
    image[stripe] = 0.4 * image[stripe] + 0.6 * (235 - paint)
    edge = max(1, round(height / 24))
    image[:edge] *= 0.7
    image[:, :edge] *= 0.7
    image[:, -edge:] *= 0.7
    _undercarriage(image, height, width)
    return _finished(image, generator, 3)


def _undercarriage(image: NDArray[np.float64], height: int, width: int) -> None:
    """Darken the lowest sixth and paint wheels."""
    top = height - max(1, round(height / 6))
    image[top:] = (46, 46, 50)
    radius = height / 9
    row, column = np.ogrid[:height, :width]
    for x in (0.2 * width, 0.8 * width):
        distance = np.hypot(row - (height - 1 - radius), column - x)
        image[distance < radius] = (24, 24, 26)
        image[distance < radius / 2] = (120, 120, 122)


def _light(width: int, strength: float) -> NDArray[np.float64]:
    """Return the brightness across a round surface, brightest at a third of the width."""
    x = (np.arange(width) + 0.5) / width
    return 1 + strength * (0.6 - 3.2 * (x - 0.35) ** 2)


def _finished(image: NDArray[np.float64], generator: np.random.Generator, noise: float) -> _Image:
    rough = image + generator.normal(0, noise, (*image.shape[:2], 1))
    return np.rint(np.clip(rough, 0, 255)).astype(np.uint8)


_POLE_WIDTH = 0.01  # of the frame's width
_BAR_PERIOD = 0.5  # of the frame's height
_WIDTHS_TRIED = 24
_GOLDEN_RATIO = 0.61803398875

Surface = Callable[[int, int, np.random.Generator], NDArray[np.uint8]]


@dataclass(frozen=True)
class Standing:
    """Strips over the whole height of every frame.

    Attributes:
        strips: First column and width of each strip, the nearest last.
        height: Height of the frame in pixels.
        label: See :class:`~mapt_bench.stress.occlusion.Occluder`.
        code: Code of their pixels in the ground truth.
        surface: Paints a strip.
        stress: Seeds their appearance.
        video: Name of the video, which seeds it too.
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
        """Always false: the strips are stuff."""
        return False

    def patches(self, index: int) -> Sequence[Patch]:
        """Return the strips, the same in front of every frame."""
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
            self.surface(self.height, width, self.stress.generator(self.video, "surface", number))
            for number, (_, width) in enumerate(self.strips)
        )


def bars(video: Video, stress: Stress) -> Standing:
    """Cover a share of the pixels of tracked things by evenly spaced bars.

    Raises:
        DataError: If the video has no ground truth.
    """
    columns = survey(video).columns
    if not columns.any():
        columns = np.ones_like(columns)
    period = max(4.0, _BAR_PERIOD * video.info.height)
    offset = stress.generator(video.info.name).random() * period
    low, high = 0.0, period
    tried = []
    for _ in range(_WIDTHS_TRIED):
        width = (low + high) / 2
        strips = _evenly(columns.size, period, offset, width)
        share = sum(int(columns[left : left + size].sum()) for left, size in strips) / columns.sum()
        tried.append((abs(share - stress.value / 100), width, strips))
        low, high = (width, high) if share < stress.value / 100 else (low, width)
    return _standing(video, stress, min(tried)[2], ("wall", "building"), paint_wall)


def poles(video: Video, stress: Stress) -> Standing:
    """Put poles in front of a video. A stronger level keeps the poles of the weaker ones."""
    width = video.info.width
    size = min(width, max(2, round(_POLE_WIDTH * width)))
    start = stress.generator(video.info.name).random()
    # Multiples of the golden ratio fill the gaps evenly.
    lefts = (int((start + k * _GOLDEN_RATIO) % 1 * width) for k in range(int(stress.value)))
    strips = tuple((left, min(size, width - left)) for left in lefts)
    return _standing(video, stress, strips, ("pole", "building"), paint_pole)


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


_MARGIN = 0.08  # of the thing's size, plus two pixels
_RIM = 2  # frames in which a block comes and goes
_TOUCHED = 0.25  # of another thing's box: the rest stays visible
_SEEN_AROUND = 3  # frames of a video beyond the gap


@dataclass(frozen=True)
class Passing:
    """One block for each chosen thing.

    Attributes:
        blocks: For each block, pairs of a frame and the rectangle in it.
        label: See :class:`~mapt_bench.stress.occlusion.Occluder`.
        code: Code of their pixels in the ground truth.
        stress: Seeds their appearance.
        video: Name of the video, which seeds it too.
        spells: The things that are hidden, and their frames.
    """

    blocks: tuple[tuple[tuple[int, Box], ...], ...]
    label: str
    code: int
    stress: Stress
    video: str
    spells: tuple[Spell, ...]

    @property
    def is_tracked(self) -> bool:
        """Always false: the blocks are stuff."""
        return False

    def patches(self, index: int) -> Sequence[Patch]:
        """Return the blocks in front of a frame."""
        return self._by_frame.get(index, ())

    @cached_property
    def _by_frame(self) -> dict[int, list[Patch]]:
        found: dict[int, list[Patch]] = {}
        for number, block in enumerate(self.blocks):
            for frame, box in block:
                mask = np.ones((box.height, box.width), dtype=bool)
                paint = partial(self._painted, number, box.height, box.width)
                found.setdefault(frame, []).append(Patch(box.top, box.left, mask, self.code, paint))
        return found

    def _painted(self, number: int, height: int, width: int) -> NDArray[np.uint8]:
        return paint_lorry(height, width, self.stress.generator(self.video, "surface", number))


def frames_needed(stress: Stress) -> int:
    """Return the least number of frames in which a thing is visible before and after its gap."""
    return int(stress.value) + _SEEN_AROUND


def passing(video: Video, stress: Stress) -> Passing:
    """Hide as many things as possible completely, each for the number of frames of the level.

    Raises:
        ConfigError: If the video is too short.
        DataError: If the video has no ground truth.
    """
    info = video.info
    gap = int(stress.value)
    if info.frame_count < frames_needed(stress):
        raise ConfigError(
            f"level {stress.level} of 'passing' hides things for {gap} frames, but the video has "
            f"{info.frame_count}; expected at least {frames_needed(stress)} frames; "
            "choose a lower level or longer videos",
            where=info.name,
        )
    generator = stress.generator(info.name)
    found = survey(video)
    sides = {code: int(generator.integers(2)) * 2 - 1 for code in sorted(found.tracks)}

    def footprint(spell: Spell, track: Track) -> Mapping[int, Box]:
        return _block(spell, track, sides[spell.code])

    spells = choose_spells(found, lambda _: gap, footprint, generator, touched=_TOUCHED)
    blocks = tuple(
        tuple(sorted(footprint(spell, found.tracks[spell.code]).items(), key=lambda item: item[0]))
        for spell in spells
    )
    label, code = occluder_class(video, ("truck", "building"))
    return Passing(blocks, label, code, stress, info.name, spells)


def _block(spell: Spell, track: Track, side: int) -> dict[int, Box]:
    """Return the rectangles of a block: beside the thing, half over it, over it, half, beside."""
    block = {}
    for frame in range(spell.start - _RIM, spell.stop + _RIM):
        if frame in track:
            box = track[frame]
            whole = box.grown(_MARGIN * box.width + 2, _MARGIN * box.height + 2)
            away = max(spell.start - frame, frame - spell.stop + 1, 0)
            direction = side if frame < spell.start else -side
            block[frame] = _moved(whole, round(direction * away * whole.width / _RIM))
    return block


def _moved(box: Box, across: int) -> Box:
    return Box(box.top, box.left + across, box.bottom, box.right + across)
