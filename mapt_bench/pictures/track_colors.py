"""Tracks matched frame by frame, and the colours of their identities.

An identity has one colour everywhere. Identities that occur together have distinct colours.
"""

import colorsys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace
from mapt_bench.metrics import FrameOverlap
from mapt_bench.metrics.matching import segment_table
from mapt_bench.metrics.overlap import SequenceOverlap, join_frames
from mapt_bench.metrics.pq import panoptic_matches

__all__ = [
    "CROWD",
    "INK",
    "MISSED",
    "PAPER",
    "Color",
    "Palette",
    "TrackTable",
    "identity_color",
    "match_tracks",
    "tracks_of",
]


@dataclass(frozen=True, eq=False, slots=True)
class TrackTable:
    """Ground-truth tracks and their matched predictions. Rows are tracks, columns are frames.

    Attributes:
        codes: ``uint32`` of shape ``(t,)``: ground-truth codes, in order of first appearance.
        visible: ``bool`` of shape ``(t, f)``: the track has pixels in the frame.
        partner: ``int64`` of shape ``(t, f)``: matched predicted code, -1 for none.
        before: ``int64`` of shape ``(t, f)``: last matched code in an earlier frame, -1 for none.
    """

    codes: NDArray[np.uint32]
    visible: NDArray[np.bool_]
    partner: NDArray[np.int64]
    before: NDArray[np.int64]

    @property
    def switched(self) -> NDArray[np.bool_]:
        """``(t, f)``: the matched identity differs from that of the last match."""
        known = (self.partner >= 0) & (self.before >= 0)
        switched: NDArray[np.bool_] = known & (self.partner != self.before)
        return switched

    @property
    def frames_lost(self) -> NDArray[np.int64]:
        """``(t,)``: frames in which the track is visible without its most frequent identity."""
        kept = [
            max(np.unique(row[row >= 0], return_counts=True)[1], default=0) for row in self.partner
        ]
        lost: NDArray[np.int64] = self.visible.sum(axis=1) - np.array(kept, dtype=np.int64)
        return lost

    @property
    def frames_mislinked(self) -> NDArray[np.int64]:
        """``(t,)``: frames in which the track is matched by another identity than mostly."""
        unmatched = (self.visible & (self.partner < 0)).sum(axis=1)
        mislinked: NDArray[np.int64] = self.frames_lost - unmatched
        return mislinked

    def selected(self, rows: Sequence[int]) -> "TrackTable":
        """Return some tracks, in the given order."""
        at = np.asarray(rows, dtype=np.int64)
        return TrackTable(self.codes[at], self.visible[at], self.partner[at], self.before[at])


def match_tracks(overlaps: Sequence[FrameOverlap], labels: LabelSpace) -> TrackTable:
    """Match segments of frames, see :func:`tracks_of`.

    Args:
        overlaps: Overlap table of each frame, in temporal order.
        labels: Label space of both sides.
    """
    return tracks_of(join_frames(list(overlaps), labels))


def tracks_of(overlap: SequenceOverlap) -> TrackTable:
    """Match segments as in panoptic quality, and group the matches by ground-truth track.

    Args:
        overlap: Joined overlap tables of a sequence.

    Returns:
        One row per ground-truth track. Crowd and void are not tracks. A match has the same class
        and an IoU above 0.5, with void excluded from the union (Kirillov et al. 2019).
    """
    table = segment_table(overlap)
    is_track = overlap.gt.is_thing & ~overlap.gt.is_crowd
    shape = (overlap.gt.count, overlap.frame_count)
    visible = np.zeros(shape, dtype=bool)
    visible[table.gt_of, table.gt_unit] = True
    partner = np.full(shape, -1, dtype=np.int64)
    matches = panoptic_matches(table)
    gt, pred = matches.gt_segment, matches.pred_segment
    partner[table.gt_of[gt], table.gt_unit[gt]] = overlap.pred.codes[table.pred_of[pred]]

    rows = np.flatnonzero(is_track)
    rows = rows[np.argsort(visible[rows].argmax(axis=1), kind="stable")]
    visible, partner = visible[rows], partner[rows]
    return TrackTable(overlap.gt.codes[rows], visible, partner, _last_before(partner))


def _last_before(partner: NDArray[np.int64]) -> NDArray[np.int64]:
    before = np.full_like(partner, -1)
    for frame in range(1, partner.shape[1]):
        latest = partner[:, frame - 1]
        before[:, frame] = np.where(latest >= 0, latest, before[:, frame - 1])
    return before


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
