"""Tracking measures of thing classes: MOTSA, sMOTSA, MOTSP, IDSW, Frag, IDF1 and HOTA.

CLEAR MOT on masks: Bernardin and Stiefelhagen 2008; Voigtlaender et al. 2019 (MOTS). Identity
measures: Ristani et al. 2016 (arXiv:1609.01775). HOTA is in ``_hota.py``. All are computed as
TrackEval computes them.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import LabelSpace, label_space
from mapt_bench.metrics._hota import HotaCounter, HotaScores, HotaSums
from mapt_bench.metrics.arithmetic import Additive, Array, Block, BlockValue
from mapt_bench.metrics.assignment import best_pairs
from mapt_bench.metrics.detections import (
    ClassDetections,
    ClassTracks,
    assign_pairs,
    detections_of_class,
)
from mapt_bench.metrics.matching import SegmentTable
from mapt_bench.metrics.overlap import SegmentKinds
from mapt_bench.metrics.pair_sums import PairSums

__all__ = [
    "ClassTrackingSums",
    "ClearSums",
    "IdentitySums",
    "TrackingCounter",
    "TrackingSums",
    "class_measures",
    "class_values",
    "sequence_tracking_block",
    "tracking_block",
]

_MOSTLY_TRACKED = 0.8
_PARTLY_TRACKED = 0.2


@dataclass(frozen=True, eq=False, kw_only=True)
class ClearSums(Additive):
    """Sums of the CLEAR measures, each of shape ``()``, or ``(...)`` for many selections.

    Attributes:
        tp: Matches with an IoU of one half or more.
        fp: Predicted masks without a match.
        fn: Ground-truth masks without a match.
        switches: Matches with another track than the last match in any earlier frame.
        fragments: Interruptions: a track is matched again after frames without a match.
        mostly_tracked: Ground-truth tracks matched in more than 80 % of their frames.
        partly_tracked: Ground-truth tracks matched in 20 to 80 % of their frames.
        mostly_lost: Ground-truth tracks matched in fewer frames.
        iou_sum: Sum of the IoU of matches.
    """

    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    fn: NDArray[np.int64]
    switches: NDArray[np.int64]
    fragments: NDArray[np.int64]
    mostly_tracked: NDArray[np.int64]
    partly_tracked: NDArray[np.int64]
    mostly_lost: NDArray[np.int64]
    iou_sum: NDArray[np.float64]


class ClearCounter:
    """Sums up the CLEAR measures over one class of one sequence, part by part.

    Args:
        tracks: Tracks of the class.
    """

    def __init__(self, tracks: ClassTracks) -> None:
        self._length = np.zeros(len(tracks.gt), dtype=np.int64)
        self._tracked = np.zeros(len(tracks.gt), dtype=np.int64)
        self._pred_count = self._switches = self._fragments = 0
        self._active = 0  # frames with masks on both sides
        self._kept: set[tuple[int, int]] = set()  # tracks matched in the last active frame
        none = np.zeros(0, dtype=np.int64)
        self._last = none, none, none  # of each track: track, partner and rank of its last match
        self._iou = [np.zeros(0)]

    def add(self, detections: ClassDetections) -> None:
        """Count the next frames."""
        # Frames where either side is empty are passed over by the reference without a trace: what
        # was tracked before them counts as tracked just before the next frame.
        active = np.intersect1d(detections.gt_frame, detections.pred_frame)
        rank = self._active + np.searchsorted(active, detections.pair_frame)
        gt_track = detections.gt_track[detections.pair_gt]
        pred_track = detections.pred_track[detections.pair_pred]
        matched = self._match(detections, rank, gt_track, pred_track)

        order = np.flatnonzero(matched)
        track = np.concatenate([self._last[0], gt_track[order]])
        moment = np.concatenate([self._last[2], rank[order]])
        by_track = np.lexsort((moment, track))
        track, moment = track[by_track], moment[by_track]
        partner = np.concatenate([self._last[1], pred_track[order]])[by_track]
        same = track[1:] == track[:-1]
        self._switches += int((same & (partner[1:] != partner[:-1])).sum())
        self._fragments += int((same & (moment[1:] != moment[:-1] + 1)).sum())
        is_last = np.append(~same, np.ones(min(len(track), 1), dtype=np.bool_))
        self._last = track[is_last], partner[is_last], moment[is_last]

        count = len(self._length)
        self._length += np.bincount(detections.gt_track, minlength=count)
        self._tracked += np.bincount(gt_track[order], minlength=count)
        self._pred_count += len(detections.pred_track)
        self._iou.append(detections.iou[order])
        if active.size:
            self._active += len(active)
            last = order[rank[order] == self._active - 1]
            self._kept = set(zip(gt_track[last].tolist(), pred_track[last].tolist(), strict=True))

    def _match(
        self,
        detections: ClassDetections,
        rank: NDArray[np.int64],
        gt_track: NDArray[np.int64],
        pred_track: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """Match masks at an IoU of one half or more. Pairs of the previous frame have priority."""
        allowed = detections.iou >= 0.5 - np.finfo(float).eps

        def score(pairs: NDArray[np.int64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
            now = rank[pairs[0]]
            kept = self._kept
            if now > self._active:
                first, end = np.searchsorted(rank, [now - 1, now])  # pairs are in order of frames
                before = first + np.flatnonzero(chosen[first:end])
                kept = set(zip(gt_track[before].tolist(), pred_track[before].tolist(), strict=True))
            pair_tracks = zip(gt_track[pairs].tolist(), pred_track[pairs].tolist(), strict=True)
            continued = np.array([tracks in kept for tracks in pair_tracks])
            return 1000.0 * continued + detections.iou[pairs]

        return assign_pairs(detections, allowed, score)

    def sums(self) -> ClearSums:
        """Return the sums so far."""
        length = self._length[self._length > 0]
        tracked = self._tracked[self._length > 0] / length
        mostly = int((tracked > _MOSTLY_TRACKED).sum())
        at_least_partly = int((tracked >= _PARTLY_TRACKED).sum())
        iou = np.concatenate(self._iou)
        return ClearSums(
            tp=_count(len(iou)),
            fp=_count(self._pred_count - len(iou)),
            fn=_count(int(length.sum()) - len(iou)),
            switches=_count(self._switches),
            fragments=_count(self._fragments),
            mostly_tracked=_count(mostly),
            partly_tracked=_count(at_least_partly - mostly),
            mostly_lost=_count(len(length) - at_least_partly),
            iou_sum=np.asarray(iou.sum(), dtype=np.float64),
        )


def _count(value: int) -> NDArray[np.int64]:
    return np.asarray(value, dtype=np.int64)


@dataclass(frozen=True, eq=False, kw_only=True)
class IdentitySums(Additive):
    """Masks under the best one-to-one assignment of whole tracks, at an IoU of one half or more.

    Attributes:
        tp: Masks of tracks assigned to each other that match.
        fp: Other predicted masks.
        fn: Other ground-truth masks.
    """

    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    fn: NDArray[np.int64]


class IdentityCounter:
    """Sums up the identity measures over one class of one sequence, part by part.

    Args:
        tracks: Tracks of the class.
    """

    def __init__(self, tracks: ClassTracks) -> None:
        self._tracks = max(len(tracks.pred), 1)
        self._gt_count = self._pred_count = 0
        self._together = PairSums()

    def add(self, detections: ClassDetections) -> None:
        """Count the next frames."""
        matching = detections.iou >= 0.5
        gt_track = detections.gt_track[detections.pair_gt[matching]]
        pred_track = detections.pred_track[detections.pair_pred[matching]]
        self._together.add(gt_track * self._tracks + pred_track, np.ones(len(gt_track)))
        self._gt_count += len(detections.gt_track)
        self._pred_count += len(detections.pred_track)

    def sums(self) -> IdentitySums:
        """Return the sums so far."""
        together = self._together.values
        # Every frame two assigned tracks spend together saves one miss and one false alarm, so the
        # cheapest assignment is the one with the most frames together.
        assigned = best_pairs(*np.divmod(self._together.keys, self._tracks), together)
        tp = int(together[assigned].sum())
        return IdentitySums(
            tp=_count(tp), fp=_count(self._pred_count - tp), fn=_count(self._gt_count - tp)
        )


_PUBLISHED_NAMES = {"person": "pedestrian"}
"""KITTI MOTS and TrackEval use the name pedestrian for the class person of the STEP data sets."""

_PUBLISHED_SPACES = ("kitti-step", "motchallenge-step")
"""Built-in label spaces whose blocks have the published names, as in the golden cases."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ClassTrackingSums(Additive):
    """Sums of the tracking measures of one thing class."""

    hota: HotaSums
    clear: ClearSums
    identity: IdentitySums


@dataclass(frozen=True, eq=False, kw_only=True)
class TrackingSums(Additive):
    """The sums of every thing class, in the order of ``labels.thing_ids``."""

    classes: tuple[ClassTrackingSums, ...]


class TrackingCounter:
    """Sums up one sequence, part by part, in two passes; see :class:`HotaCounter`.

    Args:
        labels: Label space.
        sides: Distinct codes of ground truth and prediction in the sequence.
        empty: Frame and code of the objects of both sides with an empty mask, ``(m, 2)``.
    """

    def __init__(
        self,
        labels: LabelSpace,
        sides: tuple[SegmentKinds, SegmentKinds],
        empty: tuple[NDArray[np.int64], NDArray[np.int64]],
    ) -> None:
        self._tracks = {one: ClassTracks.of(sides, empty, one) for one in labels.thing_ids}
        self._hota = {one: HotaCounter(tracks) for one, tracks in self._tracks.items()}
        self._clear = {one: ClearCounter(tracks) for one, tracks in self._tracks.items()}
        self._identity = {one: IdentityCounter(tracks) for one, tracks in self._tracks.items()}

    def detections(self, table: SegmentTable) -> dict[int, ClassDetections]:
        """Return the masks of each thing class in some frames."""
        return {
            one: detections_of_class(table, one, tracks) for one, tracks in self._tracks.items()
        }

    def measure(self, detections: Mapping[int, ClassDetections]) -> None:
        """Count the next frames, for all but the matches of HOTA."""
        for one, found in detections.items():
            self._hota[one].measure(found)
            self._clear[one].add(found)
            self._identity[one].add(found)

    def match(self, detections: Mapping[int, ClassDetections]) -> None:
        """Count the matches of HOTA in the next frames, after all frames have been measured."""
        for one, found in detections.items():
            self._hota[one].match(found)

    def sums(self) -> TrackingSums:
        """Return the sums of all frames."""
        return TrackingSums(
            classes=tuple(
                ClassTrackingSums(
                    hota=self._hota[one].sums(),
                    clear=self._clear[one].sums(),
                    identity=self._identity[one].sums(),
                )
                for one in self._tracks
            )
        )


def tracking_block(sums: TrackingSums, labels: LabelSpace) -> Block:
    """Return the measures per class and, for several classes, averaged and pooled over them."""
    per_class = {
        name: class_measures(part) for name, part in zip(_names(labels), sums.classes, strict=True)
    }
    block: Block = {"per_class": dict(per_class)}
    if len(per_class) > 1:
        block["class_averaged"] = _class_average(list(per_class.values()))
        block["detection_averaged"] = class_measures(reduce(add, sums.classes))
    return block


def sequence_tracking_block(sums: TrackingSums, labels: LabelSpace) -> Block:
    """Return the measures per class of one sequence.

    In a sequence without ground-truth masks, MOTSA and sMOTSA are 0 for any prediction, as in
    TrackEval. Over a data set, such false positives count.
    """
    block: Block = {}
    for name, part in zip(_names(labels), sums.classes, strict=True):
        entry = class_measures(part)
        if part.clear.tp + part.clear.fn == 0:
            entry["MOTSA"] = entry["sMOTSA"] = 0.0
        block[name] = entry
    return block


def _names(labels: LabelSpace) -> list[str]:
    names = [labels.by_id(class_id).name for class_id in labels.thing_ids]
    is_published = any(labels == label_space(name) for name in _PUBLISHED_SPACES)
    return [_PUBLISHED_NAMES.get(name, name) for name in names] if is_published else names


def class_measures(sums: ClassTrackingSums) -> Block:
    """Return HOTA, CLEAR and identity measures of one class: 0 without masks, LocA 1."""
    return {
        **{name: float(value) for name, value in class_values(sums).items()},
        **_hota_counts(sums.hota),
        **_clear_counts(sums.clear),
        "IDTP": int(sums.identity.tp),
        "IDFP": int(sums.identity.fp),
        "IDFN": int(sums.identity.fn),
    }


_SHARES: Mapping[str, Callable[[ClassTrackingSums], Array]] = {
    "HOTA": lambda sums: HotaScores(sums.hota).hota.mean(axis=-1),
    "DetA": lambda sums: HotaScores(sums.hota).deta.mean(axis=-1),
    "AssA": lambda sums: HotaScores(sums.hota).assa.mean(axis=-1),
    "DetRe": lambda sums: HotaScores(sums.hota).det_re.mean(axis=-1),
    "DetPr": lambda sums: HotaScores(sums.hota).det_pr.mean(axis=-1),
    "AssRe": lambda sums: HotaScores(sums.hota).ass_re.mean(axis=-1),
    "AssPr": lambda sums: HotaScores(sums.hota).ass_pr.mean(axis=-1),
    "LocA": lambda sums: HotaScores(sums.hota).loca.mean(axis=-1),
    "MOTSA": lambda sums: _less_errors(sums.clear, sums.clear.tp),
    "sMOTSA": lambda sums: _less_errors(sums.clear, sums.clear.iou_sum),
    "MOTSP": lambda sums: sums.clear.iou_sum / np.maximum(1, sums.clear.tp),
    "IDF1": lambda sums: _identity_share(sums.identity, fp=0.5, fn=0.5),
    "IDP": lambda sums: _identity_share(sums.identity, fp=1, fn=0),
    "IDR": lambda sums: _identity_share(sums.identity, fp=0, fn=1),
}


def class_values(sums: ClassTrackingSums, names: Collection[str] | None = None) -> dict[str, Array]:
    """Return the measures that are shares, with one value per selection, ``(...)``.

    Args:
        sums: Sums of one class. Leading axes are selections of sequences.
        names: Requested measures. ``None`` for all. Only these are computed.
    """
    return {name: _SHARES[name](sums) for name in (_SHARES if names is None else names)}


def _less_errors(clear: ClearSums, matches: Array | NDArray[np.int64]) -> Array:
    """Return matches less false positives and switches, per ground-truth mask."""
    # The reference never divides by less than 1: a class without anything scores 0.
    quotient: Array = (matches - (clear.fp + clear.switches)) / np.maximum(1, clear.tp + clear.fn)
    return quotient


def _identity_share(identity: IdentitySums, *, fp: float, fn: float) -> Array:
    """Return the share of identity matches, with these weights of the errors."""
    share: Array = identity.tp / np.maximum(1, identity.tp + fp * identity.fp + fn * identity.fn)
    return share


def _hota_counts(sums: HotaSums) -> Block:
    scores = HotaScores(sums)
    return {
        "HOTA_per_alpha": scores.hota.tolist(),
        "DetA_per_alpha": scores.deta.tolist(),
        "AssA_per_alpha": scores.assa.tolist(),
        "HOTA_TP": sums.tp.tolist(),
        "HOTA_FN": sums.fn.tolist(),
        "HOTA_FP": sums.fp.tolist(),
    }


def _clear_counts(sums: ClearSums) -> Block:
    return {
        "TP": int(sums.tp),
        "FP": int(sums.fp),
        "FN": int(sums.fn),
        "IDSW": int(sums.switches),
        "Frag": int(sums.fragments),
        "MT": int(sums.mostly_tracked),
        "PT": int(sums.partly_tracked),
        "ML": int(sums.mostly_lost),
    }


def _class_average(entries: Sequence[Block]) -> Block:
    """Average real numbers over all classes, also empty ones, and add counts."""
    return {name: _combine([entry[name] for entry in entries], name) for name in entries[0]}


def _combine(values: list[BlockValue], name: str) -> BlockValue:
    array = np.array(values)
    if name in {"HOTA_TP", "HOTA_FN", "HOTA_FP"} or array.dtype.kind == "i":
        return array.sum(axis=0).tolist()  # type: ignore[no-any-return]
    return array.mean(axis=0).tolist()  # type: ignore[no-any-return]
