"""OC-SORT and Deep OC-SORT: trackers that trust observations more than predictions."""

from dataclasses import dataclass, field
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from mapt_bench.baselines.box_trackers import Decided, Pass, TrackList
from mapt_bench.baselines.boxes import (
    OVERLAPS,
    PIXEL_NOISE,
    AreaFilter,
    Mask,
    NoiseModel,
    Outlines,
    Overlap,
    moved_boxes,
)
from mapt_bench.baselines.camera_motion import CameraMotion
from mapt_bench.baselines.histograms import SegmentAppearance, running_mean
from mapt_bench.baselines.registry import register
from mapt_bench.baselines.search_spaces import SearchSpace
from mapt_bench.baselines.tracker_options import AssociatorOptions
from mapt_bench.labels import Frame, VideoInfo
from mapt_bench.tracking import Association, Associator, FrameSegments

__all__ = [
    "AppearanceRules",
    "OcSortAssociator",
    "adaptive_weights",
    "direction_affinity",
]

_Floats = NDArray[np.float64]


def direction_affinity(
    directions: _Floats, references: _Floats, boxes: _Floats, scores: _Floats
) -> _Floats:
    """Score how well each segment lies in the direction in which each track moves.

    Args:
        directions: ``(tracks, 2)``: unit vector of x and y; zeros where it is not known.
        references: ``(tracks, 4)``: box from which the track's way to a segment is measured.
        boxes: ``(segments, 4)``.
        scores: ``(segments,)`` in ``[0, 1]``: weights of the segments.

    Returns:
        ``(tracks, segments)`` in ``[-0.5, 0.5]``: 0.5 straight ahead, -0.5 straight behind, 0
        where a direction is not known.

    Example:
        >>> ahead = np.array([[1.0, 0]])
        >>> here, there = np.array([[0.0, 0, 2, 2]]), np.array([[5.0, 0, 7, 2], [0, 9, 2, 11]])
        >>> direction_affinity(ahead, here, there, np.ones(2)).round(3)
        array([[0.5, 0. ]])
    """
    ways = _unit(_centres(boxes)[None, :] - _centres(references)[:, None])
    cosines = np.clip((ways * directions[:, None]).sum(axis=2), -1, 1)
    affinity: _Floats = (0.5 - np.arccos(cosines) / np.pi) * scores
    return affinity


def _centres(boxes: _Floats) -> _Floats:
    centres: _Floats = (boxes[..., :2] + boxes[..., 2:]) / 2
    return centres


def _unit(vectors: _Floats) -> _Floats:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: _Floats = vectors / (lengths + 1e-6)
    return unit


def adaptive_weights(
    cosines: _Floats, allowed: NDArray[np.bool_], *, weight: float, most_bonus: float
) -> _Floats:
    """Weight appearance by how clearly it tells a track or a segment from the others.

    The bonus of a track is the difference between its best and its second best cosine, that of a
    segment likewise. Half of each is added.

    Args:
        cosines: ``(tracks, segments)``.
        allowed: ``bool`` of the same shape: pairs that may match.
        weight: Weight without a bonus.
        most_bonus: Greatest difference that counts.

    Returns:
        ``(tracks, segments)``.

    Example:
        >>> cosines = np.array([[0.9, 0.2], [0.3, 0.3]])
        >>> everything = np.ones((2, 2), dtype=bool)
        >>> adaptive_weights(cosines, everything, weight=0.75, most_bonus=0.5).round(3)
        array([[1.25, 1.05],
               [1.  , 0.8 ]])
    """
    usable = np.where(allowed, cosines, -np.inf)
    of_tracks = _leads(usable, most_bonus)[:, None]
    of_segments = _leads(usable.T, most_bonus)[None, :]
    weights: _Floats = weight + (of_tracks + of_segments) / 2
    return weights


def _leads(usable: _Floats, most: float) -> _Floats:
    """Return how far the best of each row is above the second best; 0 without a second."""
    if usable.shape[1] < 2:
        return np.zeros(len(usable))
    second, best = np.partition(usable, -2, axis=1)[:, -2:].T
    has_both = np.isfinite(second)
    leads = np.subtract(best, second, out=np.zeros(len(usable)), where=has_both)
    capped: _Floats = np.minimum(leads, most)
    return capped


@dataclass(frozen=True, kw_only=True)
class AppearanceRules:
    """How Deep OC-SORT uses appearance.

    Attributes:
        weight: Weight of a cosine next to an overlap, without a bonus.
        most_bonus: Greatest difference of cosines that counts as a bonus.
        smoothing: Share of the old embedding that a segment of score 1 leaves, in ``[0, 1]``.
    """

    weight: float = 0.75
    most_bonus: float = 0.5
    smoothing: float = 0.95


@dataclass
class _Past:
    """Observations of a track.

    Attributes:
        box: The latest box, moved with the camera since.
        mask: Mask inside the latest box; ``None`` where overlaps are those of boxes.
        recent: Boxes of the latest frames in which it was matched, by frame, moved with the
            camera since. The first observation is not among them, as in the released code.
        direction: Unit vector in which it moves; zeros where it is not known.
        embedding: Smoothed embedding; empty without appearance.
    """

    box: _Floats
    mask: Mask | None
    embedding: _Floats
    recent: dict[int, _Floats] = field(default_factory=dict)
    direction: _Floats = field(default_factory=lambda: np.zeros(2))

    def reference(self, now: int, frames: int) -> _Floats:
        """Return the box of ``frames`` frames ago, the next younger one, or the latest."""
        seen = [frame for frame in self.recent if now - frames <= frame < now]
        return self.recent[min(seen)] if seen else self.box


class OcSortAssociator:
    """OC-SORT (Cao et al. 2022); with appearance and camera motion Deep OC-SORT (Maggiolino 2023).

    A Kalman filter predicts boxes as in SORT. Three parts put observations first. *Momentum*: the
    direction between two observations is added to the overlap. *Recovery*: a second pass compares
    what is left with the last observation instead of the prediction. *Re-update*: when a lost
    track is recovered, its filter returns to the last observation and is updated along a straight
    line from there to the new one.

    Segments of low score are dropped. New tracks are confirmed at once, because every pixel of a
    panoptic map needs a label in its frame.

    Args:
        threshold: Least overlap of a match, in ``[0, 1]``.
        high_score: Least score of a segment, in ``[0, 1]``; others are dropped.
        direction_weight: Weight of the direction next to the overlap.
        direction_frames: Frames between the two observations of a direction, 1 or more.
        overlap: What overlaps are measured on.
        memory: Frames that a lost track is kept for. OC-SORT uses 30.
        noise: Noise of the filter.
        appearance: How appearance is used; ``None`` is OC-SORT.
        describe: Describes segments; needed with ``appearance``.
        camera: Finds the motion of the camera; ``None`` is a camera at rest.
    """

    def __init__(
        self,
        *,
        threshold: float = 0.3,
        high_score: float = 0.6,
        direction_weight: float = 0.2,
        direction_frames: int = 3,
        overlap: Overlap = "box",
        memory: int = 30,
        noise: NoiseModel = PIXEL_NOISE,
        appearance: AppearanceRules | None = None,
        describe: SegmentAppearance | None = None,
        camera: CameraMotion | None = None,
    ) -> None:
        self.threshold = threshold
        self.high_score = high_score
        self.direction_weight = direction_weight
        self.direction_frames = direction_frames
        self.overlap = overlap
        self.memory = memory
        self.appearance = appearance
        self._noise = noise
        self._describe = SegmentAppearance() if describe is None else describe
        self._camera = camera
        self._reset()

    def _reset(self) -> None:
        self._tracks = TrackList(self.memory)
        self._now = AreaFilter(self._noise)
        self._when_seen = AreaFilter(self._noise)
        self._past: list[_Past] = []

    @property
    def needs_images(self) -> bool:
        """Whether the camera's motion or appearance is read from images."""
        return self._camera is not None or self.appearance is not None

    def start(self, info: VideoInfo) -> None:
        """Forget all tracks."""
        self._reset()
        if self._camera is not None:
            self._camera.start()

    def associate(self, frame: Frame, segments: FrameSegments) -> Association:
        """Give the segments of the next frame an identity, or drop them."""
        now = frame.index
        self._forget(now)
        if self._camera is not None:
            self._follow(self._camera.step(frame, segments))
        self._now.stop_vanishing()
        self._now.predict()
        outlines = Outlines(segments, self.overlap)
        embeddings = self._embeddings(frame, segments)
        strong = segments.scores >= self.high_score
        passes = self._passes(now, segments, outlines, embeddings, strong)
        decided = self._tracks.decide(now, segments.class_ids, passes, strong)
        self._observe(now, decided, outlines, embeddings, segments.scores)
        return decided.association

    def _forget(self, now: int) -> None:
        kept = self._tracks.forget(now)
        self._now.keep(kept)
        self._when_seen.keep(kept)
        self._past = list(compress(self._past, kept))

    def _follow(self, camera: _Floats) -> None:
        """Move all that is known of the tracks with the camera."""
        self._now.follow_camera(camera)
        self._when_seen.follow_camera(camera)
        for past in self._past:
            past.box = moved_boxes(past.box[None], camera)[0]
            past.recent = {
                frame: moved_boxes(box[None], camera)[0] for frame, box in past.recent.items()
            }

    def _embeddings(self, frame: Frame, segments: FrameSegments) -> _Floats:
        if self.appearance is None:
            return np.zeros((segments.count, 0))
        return self._describe.describe(frame, segments)[0]

    def _passes(
        self,
        now: int,
        segments: FrameSegments,
        outlines: Outlines,
        embeddings: _Floats,
        strong: NDArray[np.bool_],
    ) -> tuple[Pass, Pass]:
        """Return the first round, by predicted boxes, and that of recovery, by last boxes."""
        masks = [past.mask for past in self._past if past.mask is not None]
        allowed = self._tracks.same_class(segments.class_ids) & strong
        near = outlines.iou(self._now.boxes, masks)
        affinity = near + self.direction_weight * direction_affinity(
            _rows([past.direction for past in self._past], 2),
            _rows([past.reference(now, self.direction_frames) for past in self._past], 4),
            outlines.boxes,
            segments.scores,
        )
        if self.appearance is not None:
            known = _rows([past.embedding for past in self._past], embeddings.shape[1])
            cosines = known @ embeddings.T
            affinity += cosines * adaptive_weights(
                cosines,
                allowed,
                weight=self.appearance.weight,
                most_bonus=self.appearance.most_bonus,
            )
        last = outlines.iou(_rows([past.box for past in self._past], 4), masks)
        return (
            Pass.gated_after("box", affinity, allowed, near >= self.threshold),
            Pass.gated_after("last-box", last, allowed, last >= self.threshold),
        )

    def _observe(
        self,
        now: int,
        decided: Decided,
        outlines: Outlines,
        embeddings: _Floats,
        scores: _Floats,
    ) -> None:
        """Update matched tracks and start new ones."""
        boxes = outlines.boxes
        for track, segment, gap in zip(
            decided.tracks.tolist(), decided.segments, decided.gaps, strict=True
        ):
            if gap > 1:
                self._replay(track, boxes[segment], gap)
        if decided.segments:
            self._now.update(decided.tracks, boxes[decided.segments])
        self._when_seen.put(decided.tracks, self._now.picked(decided.tracks))
        for bank in (self._now, self._when_seen):
            bank.add(boxes[decided.begun])
        for track, segment in zip(decided.tracks.tolist(), decided.segments, strict=True):
            past = self._past[track]
            if past.recent:
                before = past.reference(now, self.direction_frames)
                past.direction = _unit(_centres(boxes[segment]) - _centres(before))
            past.embedding = self._smoothed(past.embedding, embeddings[segment], scores[segment])
            self._record(past, now, outlines, segment)
        self._past += [
            _Past(boxes[k], outlines.masks[k] if outlines.masks else None, embeddings[k])
            for k in decided.begun
        ]

    def _replay(self, track: int, box: _Floats, gap: int) -> None:
        """Update a track's filter along a straight line from its last observation to a new one.

        The new observation itself follows once more, like that of every other track: the released
        code does so.
        """
        which = np.array([track])
        virtual = self._when_seen.picked(which)
        start = self._past[track].box
        for step in range(1, gap + 1):
            virtual.stop_vanishing()
            virtual.predict()
            virtual.update(np.array([0]), (start + step / gap * (box - start))[None])
        self._now.put(which, virtual)

    def _record(self, past: _Past, now: int, outlines: Outlines, segment: int) -> None:
        past.box = outlines.boxes[segment]
        past.mask = outlines.masks[segment] if outlines.masks else None
        past.recent[now] = past.box
        oldest = now + 1 - self.direction_frames
        past.recent = {frame: box for frame, box in past.recent.items() if frame >= oldest}

    def _smoothed(self, old: _Floats, new: _Floats, score: float) -> _Floats:
        """Return the running mean of embeddings. Segments of low score change it less."""
        if self.appearance is None:
            return old
        trust = (score - self.high_score) / max(1 - self.high_score, 1e-9)
        return running_mean(old, new, 1 - (1 - self.appearance.smoothing) * min(trust, 1.0))


def _rows(arrays: list[_Floats], size: int) -> _Floats:
    return np.array(arrays).reshape(-1, size)


_SPACE: SearchSpace = {
    "sort_iou_threshold": (0.05, 0.6),
    "high_score": (0.3, 0.9),
    "overlap": tuple(OVERLAPS),
    "direction_weight": (0.0, 0.6),
    "direction_frames": (1, 5),
}


def _built(
    options: AssociatorOptions,
    appearance: AppearanceRules | None = None,
    describe: SegmentAppearance | None = None,
    camera: CameraMotion | None = None,
) -> Associator:
    given = options.settings
    return OcSortAssociator(
        threshold=given.sort_iou_threshold,
        high_score=given.high_score,
        direction_weight=given.direction_weight,
        direction_frames=given.direction_frames,
        overlap=given.overlap,
        memory=options.memory,
        appearance=appearance,
        describe=describe,
        camera=camera,
    )


@register(
    "oc-sort",
    "SORT with momentum, recovery and re-update from observations (Cao et al. 2022)",
    supports_memory=True,
    settings=(
        *("sort_iou_threshold", "high_score", "overlap"),
        *("direction_weight", "direction_frames"),
    ),
    search=_SPACE,
)
def _oc_sort(options: AssociatorOptions) -> Associator:
    return _built(options)


@register(
    "deep-oc-sort",
    "OC-SORT with camera motion and adaptive appearance (Maggiolino et al. 2023)",
    needs_images=True,
    supports_memory=True,
    settings=(
        *("sort_iou_threshold", "high_score", "overlap"),
        *("direction_weight", "direction_frames"),
        *("appearance_weight", "appearance_bonus", "appearance_smoothing"),
    ),
    search={
        **_SPACE,
        "appearance_weight": (0.0, 1.5),
        "appearance_bonus": (0.0, 1.0),
        "appearance_smoothing": (0.5, 0.98),
    },
)
def _deep_oc_sort(options: AssociatorOptions) -> Associator:
    given = options.settings
    rules = AppearanceRules(
        weight=given.appearance_weight,
        most_bonus=given.appearance_bonus,
        smoothing=given.appearance_smoothing,
    )
    return _built(options, rules, SegmentAppearance(options.share), CameraMotion(options.share))
