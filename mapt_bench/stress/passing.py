"""Blocks that come from one side, keep abreast of a thing while it is hidden, and leave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError
from mapt_bench.labels import Video
from mapt_bench.stress import surfaces
from mapt_bench.stress.catalog import Stress
from mapt_bench.stress.dice import dice
from mapt_bench.stress.occluder_class import occluder_class
from mapt_bench.stress.patch import Patch
from mapt_bench.stress.spells import Spell, Track, choose_spells
from mapt_bench.stress.survey import Box, survey

__all__ = ["Passing", "frames_needed", "passing"]

_MARGIN = 0.08  # of the thing's size, and two pixels
_RIM = 2  # frames in which a block comes and goes
_TOUCHED = 0.25  # of another thing's box: what is left of it is still seen
_SEEN_AROUND = 3  # frames of a video beyond the gap


@dataclass(frozen=True)
class Passing:
    """One block for each chosen thing.

    Attributes:
        blocks: In which frames which rectangle, and a number for each block's looks.
        label: See :class:`~mapt_bench.stress.patch.Occluder`.
        code: Of their pixels in the truth.
        stress: Seeds what they look like.
        video: Name of the video, likewise.
        spells: Who is hidden when.
    """

    blocks: tuple[tuple[tuple[int, Box], ...], ...]
    label: str
    code: int
    stress: Stress
    video: str
    spells: tuple[Spell, ...]

    @property
    def is_tracked(self) -> bool:
        """Never: the blocks are stuff."""
        return False

    def patches(self, index: int) -> Sequence[Patch]:
        """Return the blocks before a frame."""
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
        return surfaces.lorry(height, width, dice(self.stress, self.video, "surface", number))


def frames_needed(stress: Stress) -> int:
    """Return the least length of a video in which a thing is seen around its absence."""
    return int(stress.value) + _SEEN_AROUND


def passing(video: Video, stress: Stress) -> Passing:
    """Hide as many things as possible, each whole for as many frames as the level says.

    Raises:
        ConfigError: If the video is too short for it.
        DataError: If the video has no truth.
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
    generator = dice(stress, info.name)
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
    """Return where a block is: beside the thing, half over it, over it, half, and beside it."""
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
