"""Tracking quality, TQ (Fong et al. 2022, "Panoptic nuScenes", section on PAT)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.metrics.arithmetic import Additive, number_keys
from mapt_bench.metrics.overlap import SequenceOverlap
from mapt_bench.metrics.pair_sums import PairSums

__all__ = [
    "TrackCounter",
    "TrackSums",
    "count_tracks",
]


@dataclass(frozen=True, eq=False, kw_only=True)
class TrackSums(Additive):
    """Sums of TQ.

    Attributes:
        quality: Sum over ground-truth tracks of their quality, each in ``[0, 1]``.
        track_count: Ground-truth tracks.
    """

    quality: float
    track_count: int


class TrackCounter:
    """Sums up the quality of the ground-truth tracks of one sequence, part by part.

    Args:
        pred_tube: ``(rows of overlap.pred,)`` identity of each code, negative for none.
        min_pixels: A track or an identity counts in a frame only with more pixels than this.
        single_precision: Divide in ``float32``, as the released code does.
    """

    def __init__(
        self,
        pred_tube: NDArray[np.int64],
        *,
        min_pixels: int = 0,
        single_precision: bool = False,
    ) -> None:
        self._pred_tube = pred_tube
        self._min_pixels = min_pixels
        self._single_precision = single_precision
        self._tube_count = int(pred_tube.max(initial=-1)) + 1
        none = np.zeros(0, dtype=np.int64)
        self._last = none, none  # of each track: row and partner in the last frame
        self._length = self._switches = none
        self._lifetime = np.zeros(self._tube_count, dtype=np.int64)
        self._together = PairSums()

    def add(self, overlap: SequenceOverlap) -> None:
        """Count the next frames, given their entries without ground-truth void and crowd."""
        partners = _partners(overlap, self._pred_tube, self._min_pixels, self._single_precision)
        gt_count = overlap.gt.count
        length = np.bincount(partners.gt, minlength=gt_count)
        has = partners.partner >= 0
        self._together.add(
            partners.gt[has] * max(self._tube_count, 1) + partners.partner[has],
            np.ones(np.count_nonzero(has)),
        )
        self._lifetime += partners.lifetime

        gt = np.concatenate([self._last[0], partners.gt])
        order = np.argsort(gt, kind="stable")
        gt = gt[order]
        partner = np.concatenate([self._last[1], partners.partner])[order]
        same_track = gt[1:] == gt[:-1]
        switch = same_track & ((partner[:-1] < 0) | (partner[:-1] != partner[1:]))
        switches = np.bincount(gt[1:][switch], minlength=gt_count)
        is_last = np.append(~same_track, np.ones(min(len(gt), 1), dtype=np.bool_))
        self._last = gt[is_last], partner[is_last]
        if self._length.size:
            length, switches = self._length + length, self._switches + switches
        self._length, self._switches = length, switches

    def sums(self) -> TrackSums:
        """Return the sums so far."""
        length, together = self._length, self._together.values
        pair_gt, pair_tube = np.divmod(self._together.keys, max(self._tube_count, 1))
        lifetime = self._lifetime[pair_tube]
        # An identity that never exceeds the minimum has a lifetime of 0.
        alone = np.where(lifetime > 0, lifetime - together, 0)
        association = np.bincount(
            pair_gt, weights=together**2 / (length[pair_gt] + alone), minlength=len(length)
        )
        seen = length > 0
        steadiness = 1 - self._switches[seen] / np.maximum(length[seen] - 1, 1)
        quality = np.sqrt(association[seen] / length[seen] * steadiness)
        return TrackSums(quality=float(quality.sum()), track_count=int(seen.sum()))


def count_tracks(
    overlap: SequenceOverlap,
    pred_tube: NDArray[np.int64],
    *,
    min_pixels: int = 0,
    single_precision: bool = False,
) -> TrackSums:
    """Sum up the quality of the tracks of a whole sequence, see :class:`TrackCounter`."""
    counter = TrackCounter(pred_tube, min_pixels=min_pixels, single_precision=single_precision)
    counter.add(overlap)
    return counter.sums()


@dataclass(frozen=True, eq=False, slots=True)
class _Partners:
    """The partner of each track in each frame where it is visible, ordered by track, then frame.

    Attributes:
        gt: ``int64`` of shape ``(n,)``: track.
        partner: ``int64`` of shape ``(n,)``: identity of the partner, -1 for none.
        lifetime: ``int64`` of shape ``(identities,)``: frames in which each identity exists.
    """

    gt: NDArray[np.int64]
    partner: NDArray[np.int64]
    lifetime: NDArray[np.int64]


def _partners(
    overlap: SequenceOverlap,
    pred_tube: NDArray[np.int64],
    min_pixels: int,
    single_precision: bool,
) -> _Partners:
    frames = max(overlap.frame_count, 1)
    tube_count = int(pred_tube.max(initial=-1)) + 1
    tube = pred_tube[overlap.pred_index]
    is_track = overlap.gt.is_thing[overlap.gt_index]
    has_tube = tube >= 0

    visible_key, visible_px = _group_sum(
        overlap.gt_index[is_track] * frames + overlap.frame[is_track], overlap.pixels[is_track]
    )
    alive_key, alive_px = _group_sum(
        tube[has_tube] * frames + overlap.frame[has_tube], overlap.pixels[has_tube]
    )
    both = is_track & has_tube
    seen_key = overlap.gt_index[both] * frames + overlap.frame[both]
    pair_key, shared = _group_sum(seen_key * max(tube_count, 1) + tube[both], overlap.pixels[both])
    seen_key, pair_tube = np.divmod(pair_key, max(tube_count, 1))
    visible = np.searchsorted(visible_key, seen_key)
    alive = np.searchsorted(alive_key, pair_tube * frames + seen_key % frames)
    union = visible_px[visible] + alive_px[alive] - shared
    if single_precision:
        matched = shared.astype(np.float32) / union.astype(np.float32) > 0.5
    else:
        matched = 2 * shared > union

    partner = np.full(len(visible_key), -1, dtype=np.int64)
    partner[visible[matched]] = pair_tube[matched]
    counted = visible_px > min_pixels
    lifetime = np.bincount(alive_key[alive_px > min_pixels] // frames, minlength=tube_count)
    return _Partners(visible_key[counted] // frames, partner[counted], lifetime)


def _group_sum(
    keys: NDArray[np.int64], pixels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    distinct, group = number_keys(keys)
    sums = np.bincount(group, weights=pixels, minlength=len(distinct))
    return distinct, sums.astype(np.int64)
