"""Which predicted identity covers which true track, frame by frame: what a timeline shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import LabelSpace
from mapt_bench.metrics import FrameOverlap
from mapt_bench.metrics.matching import segment_table
from mapt_bench.metrics.overlap import join_frames
from mapt_bench.metrics.pq import panoptic_matches

__all__ = ["TrackTable", "match_tracks"]


@dataclass(frozen=True, eq=False, slots=True)
class TrackTable:
    """The true tracks of some frames and who covers them. Rows are tracks, columns frames.

    Attributes:
        codes: ``uint32`` of shape ``(t,)``: true codes, in order of first appearance.
        visible: ``bool`` of shape ``(t, f)``: the track has pixels in the frame.
        partner: ``int64`` of shape ``(t, f)``: predicted code that matches the track, -1 for none.
        before: ``int64`` of shape ``(t, f)``: its last partner in an earlier frame, -1 for none.
    """

    codes: NDArray[np.uint32]
    visible: NDArray[np.bool_]
    partner: NDArray[np.int64]
    before: NDArray[np.int64]

    @property
    def switched(self) -> NDArray[np.bool_]:
        """``(t, f)``: matched by another identity than at the last match, however long ago."""
        known = (self.partner >= 0) & (self.before >= 0)
        switched: NDArray[np.bool_] = known & (self.partner != self.before)
        return switched


def match_tracks(overlaps: Sequence[FrameOverlap], labels: LabelSpace) -> TrackTable:
    """Match segments as panoptic quality does and line them up by true track.

    Args:
        overlaps: Overlap table of each frame, in order of time.
        labels: Label space of both sides.

    Returns:
        One row a true track; crowd and void are no tracks. A match is the same class and an IoU
        above one half (Kirillov et al. 2019), void left out of the union.
    """
    overlap = join_frames(list(overlaps), labels)
    table = segment_table(overlap)
    is_track = overlap.gt.is_thing & ~overlap.gt.is_crowd
    shape = (overlap.gt.count, len(overlaps))
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
