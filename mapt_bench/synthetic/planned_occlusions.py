"""Planned occlusions: choose paths so that one thing hides another for some frames."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.scene import Sight, View

__all__ = ["Candidates", "Encounter", "find_encounter", "is_close"]

Floats = NDArray[np.float64]

_SEEN_BEFORE_AND_AFTER = 2
_MARGIN = 0.03  # metres: bodies are rounder than their rectangles


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Possible paths of one thing.

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
        target: Index of the chosen candidate that is hidden.
        occluder: Index of the chosen candidate that hides it.
        frames: Number of hidden frames.
    """

    target: int
    occluder: int
    frames: int


def is_close(frames: int, gap: int) -> bool:
    """Whether a thing is hidden for about the wanted number of frames."""
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
    """Choose paths on which a thing vanishes completely once, and reappears.

    Args:
        rng: Chooses among equally good paths.
        view: The camera.
        targets: Candidates to be hidden.
        occluders: Candidates that hide; high enough wherever they are wide enough.
        gap: Wanted number of hidden frames.
        farthest: Largest distance in metres at which a sighting before or after counts.

    Returns:
        The encounter of about that many frames; ``None`` if there is none.
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
    # A thing that leaves the image while it is hidden would be away for longer.
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
    """Add an axis, so that all pairs are compared."""
    return Sight(
        np.expand_dims(sight.ahead, axis),
        np.expand_dims(sight.left, axis),
        np.expand_dims(sight.right, axis),
        np.expand_dims(sight.is_ahead, axis),
    )
