"""The joint linker: motion first, strictly; then calibrated probabilities from both cues."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError, check_range
from mapt_bench.labels import Frame, VideoInfo
from mapt_bench.tracking.affinity import assign, mask_proximity
from mapt_bench.tracking.comparison import (
    Candidate,
    LinkTrack,
    Rows,
    SegmentViews,
    View,
    link_table,
    person_classes,
)
from mapt_bench.tracking.courses import CameraMotion, Place, Sighting, camera_motion
from mapt_bench.tracking.link_model import LinkModel, LinkTable, Stage
from mapt_bench.tracking.masks import mask_stride, soft_masks
from mapt_bench.tracking.oracle_steps import OracleSteps
from mapt_bench.tracking.propagation import Propagation, propagated
from mapt_bench.tracking.protocol import Association, FrameSegments
from mapt_bench.tracking.two_step import Embedder, LastingEmbedder

__all__ = ["JointLinker", "LinkerSettings"]


@dataclass(frozen=True, kw_only=True)
class LinkerSettings:
    """Settings of the joint linker.

    Attributes:
        clear_overlap: Least IoU of a propagated mask with a segment that links them at once, in
            ``[0, 1]``; 1 leaves all to the networks.
        view_probability: Least probability that links a track in view, in ``[0, 1]``.
        lost_probability: Least probability that links a lost track, in ``[0, 1]``.
        patience: Frames in which a new track may still turn out to be a lost one, 0 or more.
        gallery_size: Latest embeddings kept of a track, 1 or more.
        delay: Frames by which decisions are returned late, 0 or more.
        pair: Pairing interval in frames, 1 or more.
        longest_pair: Longest interval, where that of each frame is given; 0 is ``pair``.
        memory: Frames that a lost track is kept for, 0 or more.

    Raises:
        ConfigError: If a value lies outside its range.
    """

    clear_overlap: float = 0.5
    view_probability: float = 0.5
    lost_probability: float = 0.5
    patience: int = 3
    gallery_size: int = 5
    delay: int = 0
    pair: int = 1
    longest_pair: int = 0
    memory: int = 0

    def __post_init__(self) -> None:
        for name in ("clear_overlap", "view_probability", "lost_probability"):
            check_range(name, getattr(self, name), 0, 1)
        for name, least in (
            ("patience", 0),
            ("gallery_size", 1),
            ("delay", 0),
            ("pair", 1),
            ("longest_pair", 0),
            ("memory", 0),
        ):
            check_range(name, getattr(self, name), least)


_Value = TypeVar("_Value")
_Match = tuple[int, str]
"""Position of a track and the step that linked it."""


class JointLinker:
    """Links segments in three steps: clear overlap, tracks in view, lost tracks.

    Args:
        model: Fitted networks. Its cues decide which of the next two are used.
        propagation: Propagates masks; ``None`` without motion.
        embedder: Computes embeddings; ``None`` without appearance.
        settings: Thresholds, memory, delay.
        stride: Pixels to a side of a cell of masks; that of
            :func:`~mapt_bench.tracking.masks.mask_stride` if not given.
        oracle: Ground truth in the place of some steps. ``None`` for a linker without it.

    Raises:
        ConfigError: If a cue of the model is missing.
    """

    def __init__(
        self,
        model: LinkModel,
        propagation: Propagation | None,
        embedder: Embedder | None,
        settings: LinkerSettings | None = None,
        *,
        stride: int | None = None,
        oracle: OracleSteps | None = None,
    ) -> None:
        if (propagation is None) != (model.cues == "appearance"):
            raise ConfigError(f"a linker by {model.cues!r} cues got the wrong propagation")
        if (embedder is None) != (model.cues == "motion"):
            raise ConfigError(f"a linker by {model.cues!r} cues got the wrong embedder")
        self.model = model
        self.propagation = propagation
        self.embedder = embedder
        self.settings = LinkerSettings() if settings is None else settings
        self._given_stride = stride
        self._pair = self.settings.pair
        self._longest_pair = max(self.settings.pair, self.settings.longest_pair)
        self._oracle = oracle
        self._clear()

    def _clear(self) -> None:
        self._tracks: list[LinkTrack] = []
        self._given = 0
        self._frames: dict[int, Frame] = {}
        self._queue: deque[tuple[int, Association]] = deque()
        self._stride = 1
        self._size = (0, 0)
        self._persons: frozenset[int] = frozenset()

    @property
    def needs_images(self) -> bool:
        """Whether either cue reads images."""
        parts = (self.propagation, self.embedder)
        return any(part is not None and part.needs_images for part in parts)

    @property
    def delay(self) -> int:
        """Frames by which decisions are returned late."""
        return self.settings.delay

    def start(self, info: VideoInfo) -> None:
        """Forget all tracks and prepare for a video."""
        self._clear()
        self._size = (info.height, info.width)
        self._stride = self._given_stride or mask_stride(info.height, info.width)
        self._persons = person_classes(info.labels)
        for part in (self.propagation, self.embedder, self._oracle):
            if part is not None:
                part.start(info)

    def associate(
        self, frame: Frame, segments: FrameSegments, *, pair: int | None = None
    ) -> Association | None:
        """Link the segments of the next frame.

        Args:
            frame: The frame.
            segments: Of the frame.
            pair: Pairing interval of this frame; ``None`` is that of the settings.

        Returns:
            The decisions on the frame ``delay`` frames earlier; ``None`` while there is none.
        """
        now = frame.index
        self._pair = self.settings.pair if pair is None else pair
        self._frames[now] = frame
        if self._oracle is not None:
            self._oracle.look(frame, segments)
        views = self._views(frame, segments)
        rows = self._rows(frame, views)
        matches = self._link_view(rows, views, now)
        lost = self._link_lost(rows, matches, views, now)
        self._record(rows, matches, lost, views, now)
        self._forget(now)
        return self._queue.popleft()[1] if len(self._queue) > self.settings.delay else None

    def finish(self) -> list[Association]:
        """Return the decisions on the frames that were not returned yet."""
        rest = [association for _, association in self._queue]
        self._queue.clear()
        return rest

    def _views(self, frame: Frame, segments: FrameSegments) -> SegmentViews:
        masks = embeddings = None
        if self.propagation is not None:
            masks = soft_masks(segments.index_map, segments.count, self._stride)
        if self.embedder is not None:
            near = self.embedder.embed(frame, segments)
            alone = near
            if isinstance(self.embedder, LastingEmbedder):
                alone = self.embedder.embed_alone(frame, segments)
            embeddings = np.stack((near, alone), axis=1)
        return SegmentViews.of(segments, masks, embeddings, self._stride)

    def _rows(self, frame: Frame, views: SegmentViews) -> Rows:
        """Return the tracks that may go on, with their masks and places in this frame."""
        now, pair = frame.index, self._pair
        kept = self._longest_pair + self.settings.memory
        kept += self.settings.patience if self.settings.memory else 0
        self._tracks = [track for track in self._tracks if now - track.last_seen <= kept]
        groups: dict[int, list[int]] = {}
        for index, track in enumerate(self._tracks):
            groups.setdefault(track.reference_frame(now, pair), []).append(index)
        expected: list[Place | None] = [None] * len(self._tracks)
        height, width = (-(-side // self._stride) for side in self._size)
        carried = None
        if self.propagation is not None:
            carried = np.zeros((len(self._tracks), height, width), dtype=np.float32)
        speeds = [0.0]
        for reference, members in groups.items():
            camera = CameraMotion.still()
            if self.propagation is not None and carried is not None and views.masks is not None:
                states = np.stack([self._tracks[index].masks[reference] for index in members])
                carried[members], displacement = propagated(
                    self.propagation, states, self._frames[reference], frame, self._stride
                )
                background = views.masks.sum(axis=0) < 0.05
                camera = camera_motion(displacement, background, self._stride)
                speeds.append(camera.speed)
            for index in members:
                course = self._tracks[index].course
                expected[index] = course.predicted(reference, now - reference, camera)
        is_lost = np.array([now - track.last_seen > pair for track in self._tracks], dtype=bool)
        places = [place for place in expected if place is not None]
        return Rows(list(self._tracks), places, carried, is_lost, max(speeds))

    def _table(
        self, rows: Rows, columns: Sequence[Candidate], views: SegmentViews, now: int
    ) -> LinkTable:
        return link_table(
            rows,
            columns,
            views,
            now=now,
            pair=self._pair,
            reach=self._longest_pair + self.settings.memory,
            persons=self._persons,
        )

    def _link_view(self, rows: Rows, views: SegmentViews, now: int) -> dict[int, _Match]:
        """Link tracks in view: by clear overlap, then by probability."""
        in_view = np.flatnonzero(~rows.is_lost).tolist()
        part = rows.part(in_view)
        clear = self._clear_matches(part, views)
        matches = {segment: (in_view[row], "motion") for row, segment in clear}
        taken = {row for row, _ in clear}
        left = [row for row in range(len(in_view)) if row not in taken]
        columns = [Candidate(k, now) for k in range(len(views.class_ids)) if k not in matches]
        table = self._table(part.part(left), columns, views, now)
        for row, column in self._assigned("view", table, part.part(left), columns):
            matches[columns[column].segment] = in_view[left[row]], "joint"
        return matches

    def _clear_matches(self, rows: Rows, views: SegmentViews) -> list[tuple[int, int]]:
        """Return pairs of track and segment whose overlap leaves no doubt."""
        if rows.carried is None or views.masks is None:
            return []
        overlap = mask_proximity(rows.carried, views.masks, kind="iou")
        classes = np.array([track.class_id for track in rows.tracks], dtype=np.int64)
        same_class = classes[:, None] == views.class_ids[None, :]
        if self._oracle is not None:
            overlap = self._oracle.instead("motion", overlap, rows.tracks, rows.is_lost)
        return assign(overlap, same_class, threshold=max(self.settings.clear_overlap, 1e-6))

    def _link_lost(
        self, rows: Rows, matches: dict[int, _Match], views: SegmentViews, now: int
    ) -> list[tuple[int, Candidate]]:
        """Link lost tracks to segments without a track, and to those of tentative tracks."""
        lost = np.flatnonzero(rows.is_lost).tolist()
        if not lost:
            return []
        columns = self._lost_columns(rows, matches, views, now)
        table = self._table(rows.part(lost), columns, views, now)
        pairs = self._assigned("lost", table, rows.part(lost), columns)
        return [(lost[row], columns[column]) for row, column in pairs]

    def _lost_columns(
        self, rows: Rows, matches: dict[int, _Match], views: SegmentViews, now: int
    ) -> list[Candidate]:
        columns = []
        for segment in range(len(views.class_ids)):
            if segment not in matches:
                columns.append(Candidate(segment, now))
            else:
                track = rows.tracks[matches[segment][0]]
                if now <= track.tentative_until:
                    columns.append(Candidate(segment, track.born))
        return columns

    def _assigned(
        self, stage: Stage, table: LinkTable, rows: Rows, columns: Sequence[Candidate]
    ) -> list[tuple[int, int]]:
        """Return the pairs of rows and columns that a stage links."""
        least = getattr(self.settings, f"{stage}_probability")
        probabilities = self.model.stages[stage].probabilities(table)
        if self._oracle is not None:
            which = [column.segment for column in columns]
            given = "appearance", probabilities, rows.tracks, rows.is_lost, which
            probabilities = self._oracle.instead(*given)
        return assign(probabilities, table.allowed, threshold=max(least, 1e-6))

    def _record(
        self,
        rows: Rows,
        matches: dict[int, _Match],
        lost: Sequence[tuple[int, Candidate]],
        views: SegmentViews,
        now: int,
    ) -> None:
        """Update and begin tracks, and queue the decisions on this frame."""
        late: list[tuple[LinkTrack, LinkTrack]] = []
        matches = dict(matches)
        for index, candidate in lost:
            if candidate.segment in matches:
                late.append((rows.tracks[index], rows.tracks[matches[candidate.segment][0]]))
            else:
                matches[candidate.segment] = index, "recovered"
        may_return = {
            track.class_id for track, gone in zip(rows.tracks, rows.is_lost, strict=True) if gone
        }
        found: list[tuple[int, str, int]] = []
        for segment, class_id in enumerate(views.class_ids.tolist()):
            match = matches.get(segment)
            if match is None:
                track, step, age = self._begun(class_id, now, class_id in may_return), "new", 0
                self._observe(track, None, segment, views, now)
            else:
                track, step = rows.tracks[match[0]], match[1]
                age = now - track.last_seen
                self._observe(track, rows.expected[match[0]], segment, views, now)
            found.append((track.track_id, step, age))
        self._carry_on(rows, now)
        self._queue.append((now, _association(found)))
        for kept, tentative in late:
            self._merge(kept, tentative)

    def _begun(self, class_id: int, now: int, may_return: bool) -> LinkTrack:
        self._given += 1
        track = LinkTrack(self._given, class_id, born=now, last_seen=now)
        if may_return:
            track.tentative_until = now + self.settings.patience
        self._tracks.append(track)
        return track

    def _observe(
        self,
        track: LinkTrack,
        expected: Place | None,
        segment: int,
        views: SegmentViews,
        now: int,
    ) -> None:
        box, area = views.boxes[segment], float(views.areas[segment])
        sighting = Sighting(now, area, float(box[3] - box[1]), float(views.scores[segment]))
        frames = now - track.reference_frame(now, self._pair)
        track.course.observe(sighting, box, expected, frames)
        if self._oracle is not None:
            self._oracle.observe(track.track_id, segment)
        track.last_seen = now
        if views.masks is not None:
            track.masks[now] = views.masks[segment]
        if views.embeddings is not None:
            track.remember(View(now, area, views.embeddings[segment]), self.settings.gallery_size)

    def _carry_on(self, rows: Rows, now: int) -> None:
        """Let tracks that were not seen move on."""
        for index, track in enumerate(rows.tracks):
            if track.last_seen < now:
                track.course.places[now] = rows.expected[index]
                if rows.carried is not None:
                    track.masks[now] = rows.carried[index]

    def _merge(self, kept: LinkTrack, tentative: LinkTrack) -> None:
        """Let a lost track go on as the tentative track that it turned out to be."""
        lost_since = kept.last_seen
        kept.last_seen = tentative.last_seen
        kept.masks = tentative.masks
        kept.course.places = tentative.course.places
        kept.course.sightings += tentative.course.sightings
        kept.course.updates = tentative.course.updates
        for view in tentative.views:
            kept.remember(view, self.settings.gallery_size)
        # States are kept for the frames since the tentative track began, not since its own birth.
        kept.born = max(kept.born, tentative.born)
        self._tracks.remove(tentative)
        if self._oracle is not None:
            self._oracle.merge(kept.track_id, tentative.track_id)
        is_first = True
        for position, (frame, association) in enumerate(self._queue):
            where = np.flatnonzero(association.ids == tentative.track_id)
            if not where.size:
                continue
            segment = int(where[0])
            changed = replace(
                association,
                ids=_changed(association.ids, segment, kept.track_id),
                steps=_changed_in(association.steps, segment, "late"),
            )
            if is_first:
                ages = _changed_in(association.ages, segment, frame - lost_since)
                changed = replace(changed, ages=ages)
                is_first = False
            self._queue[position] = frame, changed

    def _forget(self, now: int) -> None:
        oldest = now + 1 - self._longest_pair
        for track in self._tracks:
            track.masks = {frame: mask for frame, mask in track.masks.items() if frame >= oldest}
            track.course.forget_before(oldest)
        self._frames = {index: kept for index, kept in self._frames.items() if index >= oldest}


def _association(found: Sequence[tuple[int, str, int]]) -> Association:
    return Association(
        np.array([each[0] for each in found], dtype=np.int64),
        tuple(each[1] for each in found),
        tuple(each[2] for each in found),
    )


def _changed(ids: NDArray[np.int64], at: int, value: int) -> NDArray[np.int64]:
    ids = ids.copy()
    ids[at] = value
    return ids


def _changed_in(values: tuple[_Value, ...], at: int, value: _Value) -> tuple[_Value, ...]:
    return (*values[:at], value, *values[at + 1 :])
