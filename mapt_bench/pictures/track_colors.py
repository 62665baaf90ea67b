"""Colours of identities.

An identity has one colour everywhere. Identities that occur together have distinct colours.
"""

import colorsys
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import ID_BITS, ID_LIMIT
from mapt_bench.metrics.track_table import TrackTable

__all__ = [
    "CROWD",
    "INK",
    "MISSED",
    "PAPER",
    "Color",
    "Palette",
    "identity_color",
]


Color = tuple[int, int, int]
"""RGB in 0..255."""

PAPER: Color = (255, 255, 255)
INK: Color = (28, 28, 32)
CROWD: Color = (150, 150, 150)
MISSED: Color = (176, 176, 182)

_GOLDEN_RATIO = 0.61803398875
_CLASS_TURN = 0.27
_SHADES = ((0.88, 1.0), (0.58, 1.0), (0.95, 0.72))
"""Saturation and value. The next pair is used after a full set of hues."""
_HUES_A_SHADE = 13

_TRIES = len(_SHADES) * _HUES_A_SHADE
_FAR = 150.0
_RECENT = 5


def identity_color(code: int) -> Color:
    """Return the colour of a code ``class << 24 | id``.

    Hues of successive identities differ by the golden ratio of the colour circle, so that they are
    well separated. After thirteen hues, saturation and brightness change, too.

    Example:
        >>> identity_color(13 << 24 | 1) == identity_color(13 << 24 | 1)
        True
        >>> identity_color(13 << 24 | 1) == identity_color(13 << 24 | 2)
        False
    """
    number, class_id = code & (ID_LIMIT - 1), code >> ID_BITS
    hue = (number * _GOLDEN_RATIO + class_id * _CLASS_TURN) % 1.0
    saturation, value = _SHADES[number // _HUES_A_SHADE % len(_SHADES)]
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


class Palette:
    """Colours of the identities of one prediction.

    The first identity that matches a ground-truth track gets the colour of the track. So a correct
    prediction looks like the ground truth, and each change of colour along an object is an error.
    All other identities get colours that differ from those of the tracks and from the previous
    identity of the object.

    Args:
        table: Tracks and their matches.
    """

    def __init__(self, table: TrackTable) -> None:
        lenders = _lenders(table)
        self._lent = [identity_color(track) for track in lenders.values()]
        self._colors = {code: identity_color(track) for code, track in lenders.items()}
        recent: deque[Color] = deque(maxlen=_RECENT)
        for frame, row in np.argwhere(table.partner.T >= 0):
            code, before = int(table.partner[row, frame]), int(table.before[row, frame])
            if code not in self._colors:
                followed = [self._colors[before]] if before >= 0 else []
                self._colors[code] = _unlike(code, [*self._lent, *followed, *recent])
                recent.append(self._colors[code])

    def color(self, code: int) -> Color:
        """Return the colour of a code. It never changes."""
        if code not in self._colors:  # it matches no track
            self._colors[code] = _unlike(code, self._lent)
        return self._colors[code]


def _lenders(table: TrackTable) -> dict[int, int]:
    """Return the track that gives an identity its colour. Both occur at most once."""
    lenders: dict[int, int] = {}
    lent: set[int] = set()
    for frame, row in np.argwhere(table.partner.T >= 0):
        track, code = int(table.codes[row]), int(table.partner[row, frame])
        if code not in lenders and track not in lent:
            lenders[code] = track
            lent.add(track)
    return lenders


def _unlike(code: int, others: Sequence[Color]) -> Color:
    """Return a colour that is far from all others. The search starts at the code's own colour.

    If there is none, return the colour with the largest distance to the nearest other.
    """
    head, number = code & ~(ID_LIMIT - 1), code & (ID_LIMIT - 1)
    candidates = [identity_color(head | (number + turn) % ID_LIMIT) for turn in range(_TRIES)]
    if not others:
        return candidates[0]
    distances = _distances(candidates, others).min(axis=1)
    far = np.flatnonzero(distances >= _FAR)
    return candidates[int(far[0] if len(far) else distances.argmax())]


def _distances(left: Sequence[Color], right: Sequence[Color]) -> NDArray[np.float64]:
    """Return perceptual distances: the Euclidean distance weighted by mean red."""
    one, other = np.array(left, dtype=float)[:, None], np.array(right, dtype=float)[None]
    red = (one[..., 0] + other[..., 0]) / 512
    weights = np.stack([2 + red, np.full_like(red, 4), 3 - red], axis=-1)
    distances: NDArray[np.float64] = np.sqrt((weights * (one - other) ** 2).sum(axis=-1))
    return distances
