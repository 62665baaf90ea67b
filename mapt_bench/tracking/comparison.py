"""Tracks and segments of one frame, compared: the inputs of the joint linker's networks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import LabelSpace
from mapt_bench.tracking._tracks import Track
from mapt_bench.tracking.affinity import shared_areas
from mapt_bench.tracking.courses import Course, Place
from mapt_bench.tracking.link_model import PAIR, SEGMENT, TRACK, LinkTable
from mapt_bench.tracking.masks import segment_boxes
from mapt_bench.tracking.protocol import FrameSegments

__all__ = ["Candidate", "LinkTrack", "Rows", "SegmentViews", "View", "link_table", "person_classes"]

_Values = NDArray[np.float64]

_PERSONS = ("person", "pedestrian", "rider")
_LARGEST = 3
"""Number of embeddings of the largest views that stay in a gallery beside the latest."""


class View(NamedTuple):
    """Embeddings of one observation.

    Attributes:
        frame: Frame.
        area: Pixels of the segment.
        embeddings: ``(2, dims)``: for consecutive and for non-consecutive frames.
    """

    frame: int
    area: float
    embeddings: NDArray[np.float32]


@dataclass(eq=False)
class LinkTrack(Track):
    """A track of the joint linker.

    Attributes:
        course: Movement and size.
        views: Embeddings, oldest first.
        tentative_until: Last frame in which it may still turn out to be a lost track; before its
            birth if it never may.
    """

    course: Course = field(default_factory=Course)
    views: list[View] = field(default_factory=list)
    tentative_until: int = -1

    def remember(self, view: View, gallery_size: int) -> None:
        """Add an embedding. Keep the latest, and those of the largest views."""
        self.views.append(view)
        older = self.views[:-gallery_size]
        largest = sorted(range(len(older)), key=lambda index: older[index].area)[-_LARGEST:]
        self.views = [older[index] for index in sorted(largest)] + self.views[-gallery_size:]

    def known_views(self, until: int) -> list[View]:
        """Return the embeddings at or before a frame, else the first one."""
        return [view for view in self.views if view.frame <= until] or self.views[:1]


@dataclass(frozen=True, eq=False)
class SegmentViews:
    """What is measured of the segments of a frame.

    Attributes:
        class_ids: ``(n,)``.
        scores: ``(n,)`` in ``[0, 1]``.
        areas: ``(n,)`` in pixels.
        boxes: ``(n, 4)``: left, top, right, bottom in pixels.
        centroids: ``(n, 2)``: x and y in pixels.
        at_border: ``(n,)``: 1 where the segment touches the frame's left, right or lower edge.
        masks: Soft masks ``(n, rows, columns)``, or ``None`` without motion.
        embeddings: ``(n, 2, dims)``, or ``None`` without appearance.
        stride: Pixels to a side of a cell of masks.
        frame_size: Height and width in pixels.
    """

    class_ids: NDArray[np.int64]
    scores: _Values
    areas: _Values
    boxes: _Values
    centroids: _Values
    at_border: _Values
    masks: NDArray[np.float32] | None
    embeddings: NDArray[np.float32] | None
    stride: int
    frame_size: tuple[int, int]

    @classmethod
    def of(
        cls,
        segments: FrameSegments,
        masks: NDArray[np.float32] | None,
        embeddings: NDArray[np.float32] | None,
        stride: int,
    ) -> "SegmentViews":
        """Measure the segments of a frame."""
        count, (height, width) = segments.count, segments.shape
        boxes = segment_boxes(segments.index_map, count)
        y, x = np.nonzero(segments.index_map >= 0)
        which = segments.index_map[y, x]
        areas = np.bincount(which, minlength=count).astype(np.float64)
        x_sum, y_sum = (np.bincount(which, each + 0.5, minlength=count) for each in (x, y))
        touches = (boxes[:, 0] <= 0) | (boxes[:, 2] >= width) | (boxes[:, 3] >= height)
        return cls(
            segments.class_ids,
            segments.scores,
            areas,
            boxes,
            np.stack((x_sum, y_sum), axis=1) / np.maximum(areas, 1)[:, None],
            touches.astype(np.float64),
            masks,
            embeddings,
            stride,
            (height, width),
        )


class Candidate(NamedTuple):
    """A segment that a stage links.

    Attributes:
        segment: Its position in the frame.
        born: Frame in which its own, tentative track began: the present one where it has none.
    """

    segment: int
    born: int


@dataclass(frozen=True, eq=False)
class Rows:
    """The tracks that a frame is compared with.

    Attributes:
        tracks: The tracks.
        expected: Where each is expected.
        carried: Their masks, propagated to the frame, ``(tracks, rows, columns)``; ``None``
            without motion.
        is_lost: ``(tracks,)``: whether each is lost.
        camera_speed: Median displacement of the background since the reference frame in pixels.
    """

    tracks: Sequence[LinkTrack]
    expected: Sequence[Place]
    carried: NDArray[np.float32] | None
    is_lost: NDArray[np.bool_]
    camera_speed: float

    def part(self, which: Sequence[int]) -> "Rows":
        """Return some of the tracks."""
        return Rows(
            [self.tracks[index] for index in which],
            [self.expected[index] for index in which],
            None if self.carried is None else self.carried[list(which)],
            self.is_lost[list(which)],
            self.camera_speed,
        )


def person_classes(labels: LabelSpace) -> frozenset[int]:
    """Return the classes of people: they move and change their shape differently."""
    return frozenset(each.class_id for each in labels.classes if each.name in _PERSONS)


def link_table(
    rows: Rows,
    columns: Sequence[Candidate],
    views: SegmentViews,
    *,
    now: int,
    pair: int,
    reach: int,
    persons: frozenset[int],
) -> LinkTable:
    """Compare tracks with segments.

    Args:
        rows: Tracks.
        columns: Segments.
        views: Measures of all segments of the frame.
        now: The frame.
        pair: Pairing interval in frames.
        reach: Most frames from the last observation of a track to the birth of a candidate.
        persons: Classes of people.
    """
    which = [column.segment for column in columns]
    born = np.array([column.born for column in columns], dtype=np.int64)
    seen = np.array([track.last_seen for track in rows.tracks], dtype=np.int64)
    classes = np.array([track.class_id for track in rows.tracks], dtype=np.int64)
    same_class = classes[:, None] == views.class_ids[which][None, :]
    after = born[None, :] - seen[:, None]
    allowed = same_class & (after > 0) & (after <= reach)
    pairs = {
        **_sizes(rows, which, views, now - born, now - seen),
        **_places(rows, which, views),
        **_masks(rows, which, views),
        **_cosines(rows, which, views, now - pair),
    }
    shape = len(rows.tracks), len(which)
    return LinkTable(
        np.stack([np.broadcast_to(pairs[name], shape) for name in PAIR.measured], axis=2),
        _tracks(rows, views, now - seen, persons),
        _segments(which, views, now - born, allowed, persons),
        allowed,
    )


def _tracks(
    rows: Rows, views: SegmentViews, hidden: NDArray[np.int64], persons: frozenset[int]
) -> _Values:
    height, width = views.frame_size
    frame = np.array([[0.0, 0.0, width, height]])
    boxes = np.array([place.box for place in rows.expected]).reshape(-1, 4)
    inside = _shared_boxes(boxes, frame)[:, 0] / np.maximum(_box_areas(boxes), 1e-9)
    last = np.array([track.course.sightings[-1].area for track in rows.tracks])
    carried = np.zeros(len(rows.tracks))
    if rows.carried is not None:
        carried = rows.carried.sum(axis=(1, 2), dtype=np.float64) * views.stride**2
    known = {
        "area": _log(np.array([track.course.whole_area for track in rows.tracks])),
        "hidden": _log(hidden),
        "sightings": _log(np.array([len(track.course.sightings) for track in rows.tracks])),
        "score": np.array([track.course.sightings[-1].score for track in rows.tracks]),
        "is_person": np.array([float(track.class_id in persons) for track in rows.tracks]),
        "in_frame": inside,
        "carried_share": _ratio(carried, last),
        "camera_speed": np.full(len(rows.tracks), np.log1p(rows.camera_speed)),
    }
    return np.stack([known[name] for name in TRACK.measured], axis=1)


def _segments(
    which: Sequence[int],
    views: SegmentViews,
    age: NDArray[np.int64],
    allowed: NDArray[np.bool_],
    persons: frozenset[int],
) -> _Values:
    known = {
        "area": _log(views.areas[which]),
        "score": views.scores[which],
        "at_border": views.at_border[which],
        "is_person": np.array([float(c in persons) for c in views.class_ids[which].tolist()]),
        "age": _log(age),
        "rivals": _log(allowed.sum(axis=0)),
    }
    return np.stack([known[name] for name in SEGMENT.measured], axis=1)


def _sizes(
    rows: Rows,
    which: Sequence[int],
    views: SegmentViews,
    age: NDArray[np.int64],
    hidden: NDArray[np.int64],
) -> dict[str, _Values]:
    last, whole, height = (
        np.array(values, dtype=np.float64)[:, None]
        for values in (
            [track.course.sightings[-1].area for track in rows.tracks],
            [track.course.whole_area for track in rows.tracks],
            [track.course.whole_height for track in rows.tracks],
        )
    )
    seen = np.array([len(track.course.sightings) for track in rows.tracks])
    boxes = views.boxes[which]
    return {
        "area_to_last": _ratio(views.areas[which][None, :], last),
        "area_to_whole": _ratio(views.areas[which][None, :], whole),
        "height_to_whole": _ratio((boxes[:, 3] - boxes[:, 1])[None, :], height),
        "hidden": _log(hidden)[:, None],
        "sightings": _log(seen)[:, None],
        "age": _log(age)[None, :],
    }


def _places(rows: Rows, which: Sequence[int], views: SegmentViews) -> dict[str, _Values]:
    boxes = views.boxes[which]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    expected = np.array([place.box for place in rows.expected]).reshape(-1, 4)
    middles = np.array([place.centre for place in rows.expected]).reshape(-1, 2)
    extents = np.array([place.extent for place in rows.expected])[:, None]
    spreads = np.array([place.spread for place in rows.expected])[:, None]
    apart = np.hypot(*np.moveaxis(middles[:, None] - centres[None, :], 2, 0))
    shared = _shared_boxes(expected, boxes)
    areas = _box_areas(boxes)[None, :]
    either = _box_areas(expected)[:, None] + areas - shared
    return {
        "predicted_distance": np.log1p(apart / extents),
        "predicted_deviation": np.log1p(apart / np.maximum(spreads, 1.0)),
        "box_iou": shared / np.maximum(either, 1e-9),
        "box_inside": shared / np.maximum(areas, 1e-9),
    }


def _masks(rows: Rows, which: Sequence[int], views: SegmentViews) -> dict[str, _Values]:
    names = ("mask_iou", "mask_overlap", "inside_carried", "carried_distance")
    shape = len(rows.tracks), len(which)
    if rows.carried is None or views.masks is None or 0 in shape:
        return {name: np.zeros(shape) for name in names}
    present = views.masks[which]
    shared = shared_areas(rows.carried, present)
    before = rows.carried.sum(axis=(1, 2), dtype=np.float64)[:, None]
    after = present.sum(axis=(1, 2), dtype=np.float64)[None, :]
    extents = np.array([place.extent for place in rows.expected])[:, None]
    centroids = _centroids(rows.carried, rows.expected, views.stride)
    apart = np.hypot(*np.moveaxis(centroids[:, None] - views.centroids[which][None], 2, 0))
    return {
        "mask_iou": shared / np.maximum(before + after - shared, 1e-9),
        "mask_overlap": shared / np.maximum(np.minimum(before, after), 1e-9),
        "inside_carried": shared / np.maximum(after, 1e-9),
        "carried_distance": np.log1p(apart / extents),
    }


def _centroids(masks: NDArray[np.float32], expected: Sequence[Place], stride: int) -> _Values:
    """Return centroids in pixels; the expected centre where a mask has faded."""
    areas = masks.sum(axis=(1, 2), dtype=np.float64)
    y = masks.sum(axis=2, dtype=np.float64) @ (np.arange(masks.shape[1]) + 0.5)
    x = masks.sum(axis=1, dtype=np.float64) @ (np.arange(masks.shape[2]) + 0.5)
    found = np.stack((x, y), axis=1) / np.maximum(areas, 1e-9)[:, None] * stride
    middles = np.array([place.centre for place in expected]).reshape(-1, 2)
    return np.where((areas > 0.25)[:, None], found, middles)


def _cosines(
    rows: Rows, which: Sequence[int], views: SegmentViews, until: int
) -> dict[str, _Values]:
    shape = len(rows.tracks), len(which)
    best, mean, last = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    if views.embeddings is not None:
        present = views.embeddings[which].astype(np.float64)
        for index, track in enumerate(rows.tracks):
            seen = track.known_views(until)
            gallery = np.stack([view.embeddings[1] for view in seen])
            cosines = np.sort(present[:, 1] @ gallery.T, axis=1)
            best[index], mean[index] = cosines[:, -1], cosines[:, -3:].mean(axis=1)
            face = int(rows.is_lost[index])
            last[index] = present[:, face] @ seen[-1].embeddings[face]
    return {"cosine_best": best, "cosine_mean": mean, "cosine_last": last}


def _shared_boxes(first: _Values, second: _Values) -> _Values:
    """Return the area that boxes ``(n, 4)`` and ``(m, 4)`` share: ``(n, m)``."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared: _Values = np.clip(high - low, 0, None).prod(axis=2)
    return shared


def _box_areas(boxes: _Values) -> _Values:
    areas: _Values = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return areas


def _log(values: NDArray[np.integer] | _Values) -> _Values:
    return np.log1p(np.asarray(values, dtype=np.float64))


def _ratio(value: _Values, reference: _Values) -> _Values:
    """Return the logarithm of a ratio of areas or lengths, within -4 to 4."""
    return np.clip(np.log((value + 1) / (reference + 1)), -4, 4)
