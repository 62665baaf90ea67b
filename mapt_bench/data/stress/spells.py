"""Who is hidden when: spells of things that leave each other alone."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mapt_bench.data.stress.survey import Box, Survey

__all__ = ["Spell", "Track", "choose_spells"]

Track = Mapping[int, Box]
"""The box of a thing in each frame in which it is seen."""

Footprint = Callable[["Spell", Track], Mapping[int, Box]]
"""Which rectangle of each frame the occluder of a spell can hide."""


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
    footprint: Footprint,
    generator: np.random.Generator,
) -> tuple[Spell, ...]:
    """Choose as many things as fit, each for one spell.

    A thing is seen in every frame of its spell, in the one before and in the one after. Whatever
    hides one of the chosen things leaves all the others free at all times, so that each is hidden
    for its spell and no longer.

    Args:
        found: The things.
        length_of: How long a thing is to be hidden.
        footprint: What an occluder may hide.
        generator: Decides the order of things, and the middle of each spell, before anything else:
            lengths do not change them.
    """
    codes = sorted(found.tracks)
    order = generator.permutation(len(codes))
    middles = generator.random(len(codes))
    chosen: list[tuple[Spell, Mapping[int, Box]]] = []
    for place in order.tolist():
        code = codes[place]
        track = found.tracks[code]
        others = [(found.tracks[spell.code], prints) for spell, prints in chosen]
        for spell in _spells(code, track, length_of(track), middles[place]):
            prints = footprint(spell, track)
            if all(_apart(track, prints, *other) for other in others):
                chosen.append((spell, prints))
                break
    return tuple(spell for spell, _ in chosen)


def _spells(code: int, track: Track, length: int, middle: float) -> Iterator[Spell]:
    """Yield the possible spells of a thing, nearest to the middle asked for first."""
    frames = np.array(sorted(track))
    # frames[k + 1] to frames[k + length] is a spell if no frame lacks from one before to one after.
    is_whole = frames[length + 1 :] - frames[: max(0, frames.size - length - 1)] == length + 1
    starts = frames[: is_whole.size][is_whole] + 1
    wanted = frames[0] + middle * (frames[-1] - frames[0])
    for start in starts[np.argsort(np.abs(starts + (length - 1) / 2 - wanted), kind="stable")]:
        yield Spell(code, int(start), length)


def _apart(
    track: Track, prints: Mapping[int, Box], other: Track, other_prints: Mapping[int, Box]
) -> bool:
    """Whether neither thing is touched by what hides the other."""
    return not (_touches(prints, other) or _touches(other_prints, track))


def _touches(prints: Mapping[int, Box], track: Track) -> bool:
    return any(frame in track and box.meets(track[frame]) for frame, box in prints.items())
