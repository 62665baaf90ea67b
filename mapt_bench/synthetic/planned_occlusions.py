"""Full occlusions on purpose: who starts where, so that one hides the other for some frames."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.scene import Sight, View

__all__ = ["Candidates", "Encounter", "find_encounter", "is_close"]

Floats = NDArray[np.float64]

_SEEN_BEFORE_AND_AFTER = 2
_MARGIN = 0.03  # metres: bodies are rounder than the rectangles they are measured by


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Ways that one thing could go; one of them is chosen.

    Attributes:
        position: ``(n, frames, 2)`` metres.
        heading: ``(n, frames)`` radians.
        half_size: Half width and half length in metres.
    """

    position: Floats
    heading: Floats
    half_size: tuple[float, float]


class Encounter(NamedTuple):
    """One thing hides another.

    Attributes:
        target: Position among the candidates of who is hidden.
        occluder: Position among the candidates of who hides.
        frames: For how many frames.
    """

    target: int
    occluder: int
    frames: int


def is_close(frames: int, gap: int) -> bool:
    """Whether a thing is hidden for about as many frames as it should be."""
    return abs(frames - gap) <= max(1, gap // 4)


def find_encounter(
    rng: np.random.Generator,
    view: View,
    targets: Candidates,
    occluders: Candidates,
    *,
    gap: int,
    farthest: float,
) -> Encounter | None:
    """Choose the ways by which a thing vanishes whole once, and comes back.

    Args:
        rng: Chooses among ways that are equally good.
        view: The camera.
        targets: Who is to be hidden.
        occluders: Who is to hide it; high enough wherever it is wide enough.
        gap: Frames for which it should be hidden.
        farthest: Metres beyond which a sighting before or after does not count.

    Returns:
        The encounter of nearly that many frames; ``None`` if there is none.
    """
    target = view.sight(targets.position, targets.heading, targets.half_size)
    occluder = view.sight(occluders.position, occluders.heading, occluders.half_size)
    hidden = _spread(occluder, 0).covers(_spread(target, 1), _MARGIN)
    count = hidden.sum(axis=-1)
    first = hidden.argmax(axis=-1)
    last = hidden.shape[-1] - 1 - hidden[..., ::-1].argmax(axis=-1)
    is_seen = view.is_inside(target) & (target.ahead < farthest)
    seen = np.concatenate([np.zeros((*is_seen.shape[:-1], 1)), is_seen.cumsum(axis=-1)], axis=-1)
    rows = np.arange(len(seen))[:, np.newaxis]
    before = seen[rows, first]
    after = seen[rows, -1] - seen[rows, last + 1]
    # What leaves the image while it is hidden would be away for longer than was asked for.
    inside = seen[rows, last + 1] - seen[rows, first]
    is_good = (count == last - first + 1) & (inside == count) & (count > 0)
    is_good &= np.minimum(before, after) >= _SEEN_BEFORE_AND_AFTER
    miss = np.where(is_good, np.abs(count - gap), np.inf)
    if not np.isfinite(miss).any() or not is_close(gap + int(miss.min()), gap):
        return None
    best = np.argwhere(miss == miss.min())
    row, column = best[rng.integers(len(best))].tolist()
    return Encounter(row, column, int(count[row, column]))


def _spread(sight: Sight, axis: int) -> Sight:
    """Add an axis, so that each of one kind meets each of the other."""
    return Sight(
        np.expand_dims(sight.ahead, axis),
        np.expand_dims(sight.left, axis),
        np.expand_dims(sight.right, axis),
        np.expand_dims(sight.is_ahead, axis),
    )
