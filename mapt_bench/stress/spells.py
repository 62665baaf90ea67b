"""Who is hidden when: spells of things that leave each other alone."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mapt_bench.stress.survey import Box, Survey

__all__ = ["Spell", "Track", "choose_spells"]

Track = Mapping[int, Box]
"""The box of a thing in each frame in which it is seen."""

Prints = Mapping[int, Box]
"""Which rectangle of a frame an occluder can hide."""


@dataclass(frozen=True, slots=True)
class Spell:
    """Frames in which a thing is hidden.

    Attributes:
        code: The thing.
        start: First of the frames.
        length: Number of frames.
    """

    code: int
    start: int
    length: int

    @property
    def stop(self) -> int:
        """Frame after the last."""
        return self.start + self.length


def choose_spells(
    found: Survey,
    length_of: Callable[[Track], int],
    footprint: Callable[[Spell, Track], Prints],
    generator: np.random.Generator,
    *,
    touched: float,
) -> tuple[Spell, ...]:
    """Choose as many things as fit, each for one spell.

    A thing is seen in every frame of its spell, in the one before and in the one after. Whatever
    hides one of the chosen things leaves the others alone, or nearly so.

    Args:
        found: The things.
        length_of: How long a thing is to be hidden.
        footprint: What an occluder may hide.
        generator: Decides the order of things, and the middle of each spell, before anything else:
            lengths do not change them.
        touched: Share of a thing's box, 0..1, that what hides another thing may cover.
    """
    codes = sorted(found.tracks)
    order = generator.permutation(len(codes))
    middles = generator.random(len(codes))
    chosen: list[tuple[Spell, Track, Prints]] = []
    for place in order.tolist():
        code = codes[place]
        track = found.tracks[code]
        for spell in _spells(code, track, length_of(track), middles[place]):
            prints = footprint(spell, track)
            if not any(
                _hides(prints, other_track, touched) or _hides(other_prints, track, touched)
                for _, other_track, other_prints in chosen
            ):
                chosen.append((spell, track, prints))
                break
    return tuple(spell for spell, _, _ in chosen)


def _spells(code: int, track: Track, length: int, middle: float) -> Iterator[Spell]:
    """Yield the possible spells of a thing, nearest to the middle asked for first."""
    frames = np.array(sorted(track))
    # frames[k + 1] to frames[k + length] is a spell if no frame lacks from one before to one after.
    is_whole = frames[length + 1 :] - frames[: max(0, frames.size - length - 1)] == length + 1
    starts = frames[: is_whole.size][is_whole] + 1
    wanted = frames[0] + middle * (frames[-1] - frames[0])
    for start in starts[np.argsort(np.abs(starts + (length - 1) / 2 - wanted), kind="stable")]:
        yield Spell(code, int(start), length)


def _hides(prints: Prints, track: Track, touched: float) -> bool:
    """Whether rectangles cover too much of a thing in some frame."""
    return any(
        box.shared_px(track[frame]) > touched * track[frame].width * track[frame].height
        for frame, box in prints.items()
        if frame in track
    )
