"""Tracks matched frame by frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import LabelSpace
from mapt_bench.metrics.matching import segment_table
from mapt_bench.metrics.overlap import FrameOverlap, SequenceOverlap, join_frames
from mapt_bench.metrics.pq import panoptic_matches

__all__ = ["TrackTable", "match_tracks", "track_sizes", "tracks_of"]


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


def track_sizes(overlap: SequenceOverlap, tracks: TrackTable) -> NDArray[np.int64]:
    """Return the pixels of each ground-truth track in each frame: ``(tracks, frames)``.

    Args:
        overlap: Joined overlap tables of a sequence.
        tracks: Its tracks, from :func:`tracks_of`.
    """
    table = segment_table(overlap)
    size = np.zeros((overlap.gt.count, overlap.frame_count), dtype=np.int64)
    size[table.gt_of, table.gt_unit] = table.gt_pixels
    row_of = {code: row for row, code in enumerate(overlap.gt.codes.tolist())}
    return size[[row_of[code] for code in tracks.codes.tolist()]]


def _last_before(partner: NDArray[np.int64]) -> NDArray[np.int64]:
    before = np.full_like(partner, -1)
    for frame in range(1, partner.shape[1]):
        latest = partner[:, frame - 1]
        before[:, frame] = np.where(latest >= 0, latest, before[:, frame - 1])
    return before
