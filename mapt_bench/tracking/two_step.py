"""MAPT's two-step fusion of a motion cue and an appearance cue, with its other orders."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError, check_range, nearest
from mapt_bench.labels import Frame, VideoInfo
from mapt_bench.tracking._tracks import Track, TrackBank
from mapt_bench.tracking.affinity import PROXIMITIES, Proximity, assign, mask_proximity
from mapt_bench.tracking.masks import mask_stride, soft_masks
from mapt_bench.tracking.oracle_steps import OracleSteps
from mapt_bench.tracking.propagation import Propagation
from mapt_bench.tracking.protocol import Association, FrameSegments

__all__ = [
    "ORDERS",
    "SECOND_STEPS",
    "Embedder",
    "LastingEmbedder",
    "Order",
    "SecondStep",
    "TwoStepAssociator",
    "TwoStepSettings",
    "fuse",
]

Order = Literal["motion-first", "appearance-first", "simultaneous"]
"""Which cue decides first; ``simultaneous`` solves one assignment over both."""

ORDERS: tuple[Order, ...] = get_args(Order)

SecondStep = Literal["other-cue", "both-cues"]
"""Cue that links the segments that the first cue does not link."""

SECOND_STEPS: tuple[SecondStep, ...] = get_args(SecondStep)

_Affinity = NDArray[np.float64]
_Matches = dict[int, tuple[int, str]]
_Replace = Callable[[str, _Affinity], _Affinity]


@runtime_checkable
class Embedder(Protocol):
    """Computes appearance embeddings of segments."""

    @property
    def needs_images(self) -> bool:
        """Whether :attr:`Frame.image` is read."""
        ...

    def start(self, info: VideoInfo) -> None:
        """Forget everything and prepare for a video."""
        ...

    def embed(self, frame: Frame, segments: FrameSegments) -> NDArray[np.float32]:
        """Return one unit-length row a segment: ``float32`` of shape ``(n, dims)``."""
        ...


@runtime_checkable
class LastingEmbedder(Embedder, Protocol):
    """An embedder with separate embeddings for consecutive and non-consecutive frames.

    Tracks in view are compared by the former, lost tracks by the latter: after an occlusion gap
    the frame before shows the occluder.
    """

    def embed_alone(self, frame: Frame, segments: FrameSegments) -> NDArray[np.float32]:
        """Return embeddings independent of the frame before, shaped like those of :meth:`embed`."""
        ...


@dataclass(frozen=True, kw_only=True)
class TwoStepSettings:
    """Settings of two-step fusion.

    Attributes:
        order: Which cue comes first.
        second_step: Cue that links the remaining segments: ``"other-cue"``, as published, or
            ``"both-cues"``, their joint affinity, so that look-alikes must also be near.
            ``simultaneous`` ignores it, and so does fusion without one of the cues.
        proximity: Measure of mask proximity.
        motion_threshold: Least proximity of a match by motion, in ``[0, 1]``.
        appearance_threshold: Least cosine similarity of a match by appearance, in ``[-1, 1]``;
            0.5 suits learned embeddings.
        motion_weight: Share of motion in the joint affinity, in ``[0, 1]``.
        joint_threshold: Least joint affinity of ``simultaneous`` and ``both-cues``, in ``[0, 1]``.
            Each cue is rescaled so that its own threshold lies at 0.5.
        pair: Pairing interval in frames, 1 or more.
        longest_pair: Longest interval, where that of each frame is given; 0 is ``pair``.
        memory: Frames that a lost track is kept for, 0 or more.
        gallery_size: Embeddings kept of a track for its recovery, 1 or more.
        lost_margin: Subtracted from both affinities of a lost track, in ``[0, 1]``. A segment is
            more likely to continue a track in view than a lost one.

    Raises:
        ConfigError: If a value lies outside its range.
    """

    order: Order = "motion-first"
    second_step: SecondStep = "other-cue"
    proximity: Proximity = "iou"
    motion_threshold: float = 0.3
    appearance_threshold: float = 0.5
    motion_weight: float = 0.5
    joint_threshold: float = 0.5
    pair: int = 1
    longest_pair: int = 0
    memory: int = 0
    gallery_size: int = 5
    lost_margin: float = 0.0

    def __post_init__(self) -> None:
        for name, known in (
            ("order", ORDERS),
            ("second_step", SECOND_STEPS),
            ("proximity", PROXIMITIES),
        ):
            value = getattr(self, name)
            if value not in known:
                raise ConfigError(f"{name} is {value!r}; {nearest(str(value), known)}")
        for name, least, most in (
            ("motion_threshold", 0, 1),
            ("appearance_threshold", -1, 1),
            ("motion_weight", 0, 1),
            ("joint_threshold", 0, 1),
            ("pair", 1, math.inf),
            ("longest_pair", 0, math.inf),
            ("memory", 0, math.inf),
            ("gallery_size", 1, math.inf),
            ("lost_margin", 0, 1),
        ):
            check_range(name, getattr(self, name), least, most)


def fuse(
    motion: _Affinity | None,
    appearance: _Affinity | None,
    same_class: NDArray[np.bool_],
    settings: TwoStepSettings,
    *,
    replace: _Replace = lambda step, affinity: affinity,
) -> _Matches:
    """Match tracks to segments by one cue after the other, or by both at once.

    Args:
        motion: ``(tracks, segments)`` proximity in ``[0, 1]``, of lost tracks less their margin;
            ``None`` where the cue is off.
        appearance: ``(tracks, segments)`` cosine in ``[-1, 1]``, of lost tracks less their margin;
            ``None`` where the cue is off.
        same_class: ``bool`` of the same shape; only these pairs may match.
        settings: Order, second step and thresholds.
        replace: Returns the affinity that a step decides by, from its name and its own affinity.

    Returns:
        For each matched segment its track and the step that decided: ``"motion"``,
        ``"appearance"`` or ``"joint"``.
    """
    cues = [
        ("motion", motion, settings.motion_threshold),
        ("appearance", appearance, settings.appearance_threshold),
    ]
    if settings.order == "appearance-first":
        cues.reverse()
    if motion is not None and appearance is not None:
        joint = ("joint", _joint(motion, appearance, settings), settings.joint_threshold)
        if settings.order == "simultaneous":
            cues = [joint]
        elif settings.second_step == "both-cues":
            cues[1] = joint
    open_pairs = same_class.copy()
    matches: _Matches = {}
    for step, affinity, threshold in cues:
        if affinity is None:
            continue
        decisive = replace(step, affinity)
        for track, segment in assign(decisive, open_pairs, threshold=threshold):
            matches[segment] = (track, step)
            open_pairs[track, :] = False
            open_pairs[:, segment] = False
    return matches


def _joint(motion: _Affinity, appearance: _Affinity, settings: TwoStepSettings) -> _Affinity:
    weight = settings.motion_weight
    near = _rescaled(motion, settings.motion_threshold, 0.0)
    alike = _rescaled(appearance, settings.appearance_threshold, -1.0)
    return weight * near + (1 - weight) * alike


def _rescaled(affinity: _Affinity, threshold: float, lowest: float) -> _Affinity:
    """Stretch ``lowest``..threshold..1 piecewise to 0..0.5..1."""
    below = (affinity - lowest) / max(threshold - lowest, 1e-9)
    above = (affinity - threshold) / max(1 - threshold, 1e-9)
    return np.where(affinity < threshold, 0.5 * below, 0.5 + 0.5 * above)


class TwoStepAssociator:
    """Links segments by motion and appearance.

    Args:
        propagation: Propagates earlier masks to the present frame. ``None`` removes the motion cue.
        embedder: Computes embeddings. ``None`` removes the appearance cue.
        settings: Order, thresholds, pairing interval, memory.
        stride: Pixels to a side of a cell of masks; that of
            :func:`~mapt_bench.tracking.masks.mask_stride` if not given.
        oracle: Ground truth in the place of some steps. ``None`` for a fusion without it.

    Raises:
        ConfigError: If it has neither cue.
    """

    def __init__(
        self,
        propagation: Propagation | None,
        embedder: Embedder | None,
        settings: TwoStepSettings | None = None,
        *,
        stride: int | None = None,
        oracle: OracleSteps | None = None,
    ) -> None:
        if propagation is None and embedder is None:
            raise ConfigError("an associator needs a propagation, an embedder, or both")
        self.propagation = propagation
        self.embedder = embedder
        self.settings = TwoStepSettings() if settings is None else settings
        self._bank = self._new_bank()
        self._frames: dict[int, Frame] = {}
        self._given_stride = stride
        self._oracle = oracle
        self._stride = 1
        self._size = (0, 0)

    @property
    def needs_images(self) -> bool:
        """Whether either cue reads images."""
        parts = (self.propagation, self.embedder)
        return any(part is not None and part.needs_images for part in parts)

    def start(self, info: VideoInfo) -> None:
        """Forget all tracks and prepare for a video."""
        self._bank = self._new_bank()
        self._frames = {}
        self._size = (info.height, info.width)
        self._stride = self._given_stride or mask_stride(info.height, info.width)
        for part in (self.propagation, self.embedder):
            if part is not None:
                part.start(info)
        if self._oracle is not None:
            self._oracle.start(info)

    def associate(
        self, frame: Frame, segments: FrameSegments, *, pair: int | None = None
    ) -> Association:
        """Give every segment of the next frame an identity.

        Args:
            frame: The frame.
            segments: Of the frame.
            pair: Pairing interval of this frame; ``None`` is that of the settings.
        """
        now = frame.index
        self._bank.pair = self.settings.pair if pair is None else pair
        self._frames[now] = frame
        tracks = list(self._bank.candidates(now))
        present = self._present_masks(segments)
        carried = self._carried_masks(tracks, frame)
        embeddings = self._embeddings(frame, segments)
        is_lost = np.array([self._bank.is_lost(track, now) for track in tracks], dtype=bool)
        margin = self.settings.lost_margin * is_lost[:, None]
        motion = appearance = None
        if present is not None and carried is not None:
            motion = mask_proximity(carried, present, kind=self.settings.proximity) - margin
        if embeddings is not None:
            appearance = self._similarity(tracks, embeddings, now, is_lost) - margin
        classes = np.array([track.class_id for track in tracks], dtype=np.int64)
        same_class = classes[:, None] == segments.class_ids[None, :]
        if self._oracle is None:
            matches = fuse(motion, appearance, same_class, self.settings)
        else:
            self._oracle.look(frame, segments)
            matches = fuse(
                motion,
                appearance,
                same_class,
                self.settings,
                replace=partial(self._oracle.instead, tracks=tracks, is_lost=is_lost),
            )

        association = self._record(tracks, matches, segments, now, present, embeddings)
        if carried is not None:
            self._bank.carry_on(tracks, now, carried)
        self._forget(now)
        return association

    def _record(
        self,
        tracks: list[Track],
        matches: _Matches,
        segments: FrameSegments,
        now: int,
        present: NDArray[np.float32] | None,
        embeddings: NDArray[np.float32] | None,
    ) -> Association:
        """Update matched tracks, start new ones, and return the decisions."""
        ids = np.zeros(segments.count, dtype=np.int64)
        steps: list[str] = []
        ages: list[int] = []
        for segment, class_id in enumerate(segments.class_ids.tolist()):
            mask = None if present is None else present[segment]
            embedding = None if embeddings is None else embeddings[segment]
            if segment in matches:
                index, step = matches[segment]
                track = tracks[index]
                ages.append(now - track.last_seen)
                self._bank.observe(track, now, mask, embedding)
            else:
                track, step = self._bank.begin(class_id, now, mask, embedding), "new"
                ages.append(0)
            ids[segment] = track.track_id
            if self._oracle is not None:
                self._oracle.observe(track.track_id, segment)
            steps.append(step)
        return Association(ids, tuple(steps), tuple(ages))

    def _embeddings(self, frame: Frame, segments: FrameSegments) -> NDArray[np.float32] | None:
        """Return embeddings ``(n, 2, dims)``: for consecutive and non-consecutive frames."""
        if self.embedder is None:
            return None
        embeddings = self.embedder.embed(frame, segments)
        alone = embeddings
        if isinstance(self.embedder, LastingEmbedder):
            alone = self.embedder.embed_alone(frame, segments)
        return np.stack((embeddings, alone), axis=1)

    @property
    def _longest_pair(self) -> int:
        return max(self.settings.pair, self.settings.longest_pair)

    def _new_bank(self) -> TrackBank:
        return TrackBank(
            pair=self.settings.pair,
            longest_pair=self._longest_pair,
            memory=self.settings.memory,
            gallery_size=self.settings.gallery_size,
        )

    def _present_masks(self, segments: FrameSegments) -> NDArray[np.float32] | None:
        if self.propagation is None:
            return None
        return soft_masks(segments.index_map, segments.count, self._stride)

    def _carried_masks(self, tracks: list[Track], frame: Frame) -> NDArray[np.float32] | None:
        """Return the masks of the tracks' reference states, propagated to the present frame."""
        if self.propagation is None:
            return None
        groups: dict[int, list[int]] = {}
        for index, track in enumerate(tracks):
            reference = track.reference_frame(frame.index, self._bank.pair)
            groups.setdefault(reference, []).append(index)
        height, width = (-(-side // self._stride) for side in self._size)
        carried = np.zeros((len(tracks), height, width), dtype=np.float32)
        for reference, members in groups.items():
            states = np.stack([tracks[index].masks[reference] for index in members])
            carried[members] = self.propagation.propagate(states, self._frames[reference], frame)
        return carried

    def _similarity(
        self,
        tracks: list[Track],
        embeddings: NDArray[np.float32],
        now: int,
        is_lost: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """Return the cosine of each segment with the best reference embedding of each track."""
        similarity = np.zeros((len(tracks), len(embeddings)))
        for index, track in enumerate(tracks):
            references = np.stack(self._bank.reference_embeddings(track, now))
            face = int(is_lost[index])
            cosines = embeddings[:, face].astype(np.float64) @ references[:, face].T
            similarity[index] = cosines.max(axis=1)
        return similarity

    def _forget(self, now: int) -> None:
        self._bank.forget_before(now)
        oldest = now + 1 - self._longest_pair
        self._frames = {index: kept for index, kept in self._frames.items() if index >= oldest}
