"""Slices: recall and association accuracy of objects by size, speed, crowding and class.

They are counted from overlap tables and records of the ground-truth objects in each frame.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import ID_BITS
from mapt_bench.metrics.link_events import SIGHTED, Sightings
from mapt_bench.metrics.overlap import SequenceOverlap
from mapt_bench.metrics.shares import FourCounts, count_table, share_intervals
from mapt_bench.metrics.track_table import track_sizes, tracks_of

__all__ = [
    "SLICE_BINS",
    "SightedObjects",
    "SliceCounts",
    "count_slices",
    "in_bins",
    "slice_rates",
]

SLICE_BINS: Mapping[str, Sequence[tuple[str, float]]] = {
    "object size": (
        ("under 256 px", 0),
        ("256 to 1,023 px", 256),
        ("1,024 to 9,215 px", 1024),
        ("9,216 px or more", 9216),
    ),
    "speed": (
        ("under 1 px/frame", 0),
        ("1 to 4 px/frame", 1),
        ("4 to 16 px/frame", 4),
        ("16 px/frame or more", 16),
    ),
    "visible fraction": (
        ("under 25 %", 0),
        ("25 to 50 %", 0.25),
        ("50 to 75 %", 0.5),
        ("75 % or more", 0.75),
    ),
    "nearest": (
        ("under 16 px", 0),
        ("16 to 32 px", 16),
        ("32 to 64 px", 32),
        ("64 to 128 px", 64),
        ("128 px or more", 128),
        ("alone in its class", math.inf),
    ),
    "crowd density": (("1 to 5", 0), ("6 to 10", 6), ("11 to 20", 11), ("over 20", 21)),
}
"""Ranges of each factor, with their lower ends."""

_CLASS = "class"

SliceCounts = dict[tuple[str, str], FourCounts]
"""Counts of one sequence by factor and range: segments, found segments, links, correct links."""


class SightedObjects:
    """Collects records of the ground-truth objects of a sequence, frame by frame.

    Where the speed is unknown, it is the displacement of the centre of the mask since the last
    sighting, divided by the frames between.
    """

    def __init__(self) -> None:
        self._last: dict[int, tuple[int, float, float]] = {}
        self._rows: list[tuple[int, int, float, float, float]] = []

    def add(self, frame: int, seen: Sightings, speeds: Mapping[int, float] | None = None) -> None:
        """Add a frame.

        Args:
            frame: Position of the frame, higher than all before.
            seen: Visible tracks of the frame.
            speeds: Speed in pixels per frame by code. ``None`` to take it from the masks.
        """
        places = np.array(seen.centres, dtype=np.float64).reshape(-1, 2)
        nearest = _nearest(places, np.array(seen.codes, dtype=np.int64) >> ID_BITS)
        for code, (x, y), distance in zip(seen.codes, places.tolist(), nearest, strict=True):
            before = self._last.get(code)
            speed = math.nan
            if speeds is not None:
                speed = speeds.get(code, math.nan)
            elif before is not None:
                speed = math.hypot(x - before[1], y - before[2]) / (frame - before[0])
            self._rows.append((frame, code, seen.visible(code), speed, distance))
            self._last[code] = (frame, x, y)

    def rows(self) -> NDArray[np.void]:
        """Return all records as an array of dtype ``SIGHTED``, in order of frames."""
        return np.array(self._rows, SIGHTED)


def _nearest(places: NDArray[np.float64], classes: NDArray[np.int64]) -> list[float]:
    """Return the distance of each place to the nearest other one of its class."""
    apart = places[:, None] - places
    distances = np.hypot(apart[..., 0], apart[..., 1])
    distances[classes[:, None] != classes] = np.inf
    np.fill_diagonal(distances, np.inf)
    found: list[float] = distances.min(axis=1, initial=np.inf).tolist()
    return found


@dataclass(frozen=True)
class _Segments:
    """The ground-truth segments of one sequence: one entry per track and frame."""

    factors: Mapping[str, NDArray[Any]]
    classes: NDArray[np.int64]
    is_matched: NDArray[np.bool_]
    is_linkable: NDArray[np.bool_]
    is_kept: NDArray[np.bool_]


def _segments(overlap: SequenceOverlap, objects: NDArray[np.void] | None) -> _Segments:
    tracks = tracks_of(overlap)
    seen = tracks.visible
    crowd = np.broadcast_to(seen.sum(axis=0), seen.shape)
    classes = np.broadcast_to((tracks.codes >> ID_BITS).astype(np.int64)[:, None], seen.shape)
    records = np.full((3, *seen.shape), math.nan)
    track_of = {code: row for row, code in enumerate(tracks.codes.tolist())}
    for frame, code, *facts in objects if objects is not None else ():
        if int(code) in track_of:
            records[:, track_of[int(code)], frame] = facts
    is_matched = tracks.partner >= 0
    is_linkable = is_matched & (tracks.before >= 0)
    visible, speed, nearest = (record[seen] for record in records)
    return _Segments(
        factors={
            "object size": track_sizes(overlap, tracks)[seen],
            "speed": speed,
            "visible fraction": visible,
            "nearest": nearest,
            "crowd density": crowd[seen],
        },
        classes=classes[seen],
        is_matched=is_matched[seen],
        is_linkable=is_linkable[seen],
        is_kept=(is_linkable & (tracks.partner == tracks.before))[seen],
    )


def count_slices(overlap: SequenceOverlap, objects: NDArray[np.void] | None = None) -> SliceCounts:
    """Count segments and links of one sequence in each slice.

    Args:
        overlap: Overlap tables of all frames.
        objects: Rows of dtype :data:`~mapt_bench.metrics.link_events.SIGHTED`. ``None`` if speed,
            visible fraction and distances are unknown.

    Returns:
        Counts by factor and range, those of classes by name. Segments without a known value are
        in no range.
    """
    found = _segments(overlap, objects)
    counts: SliceCounts = {}
    for factor, bins in SLICE_BINS.items():
        for label, inside in in_bins(found.factors[factor], bins):
            counts[factor, label] = _counted(found, inside)
    for entry in overlap.labels.classes:
        if entry.is_thing:
            counts[_CLASS, entry.name] = _counted(found, found.classes == entry.class_id)
    return counts


def in_bins(
    values: NDArray[Any], bins: Sequence[tuple[str, float]]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield each range with the values that lie in it. NaN lies in no range.

    Args:
        values: Any array.
        bins: Label and lower end of each range, ascending. The last one has no upper end.
    """
    ends = [*(low for _, low in bins[1:]), math.nan]
    for (label, low), end in zip(bins, ends, strict=True):
        yield label, (values >= low) & ~(values >= end)


def _counted(found: _Segments, chosen: NDArray[np.bool_]) -> FourCounts:
    parts = (chosen, found.is_matched, found.is_linkable, found.is_kept)
    segments, hits, links, kept = (int((chosen & part).sum()) for part in parts)
    return segments, hits, links, kept


def slice_rates(sequences: Sequence[SliceCounts], *, seed: int = 0) -> list[dict[str, Any]]:
    """Return recall and association accuracy in each slice, with confidence intervals.

    Args:
        sequences: Counts of the sequences, which are the unit of resampling.
        seed: Seed of the resampling.

    Returns:
        One entry for each slice that has segments: ``slice``, ``range``, ``segments``, ``recall``,
        ``recall_interval``, ``links``, ``accuracy`` and ``accuracy_interval``. Rates are fractions,
        ``None`` if undefined. Intervals are pairs, ``None`` for too few sequences.
    """
    keys = [(factor, label) for factor, bins in SLICE_BINS.items() for label, _ in bins]
    keys += dict.fromkeys(key for each in sequences for key in each if key[0] == _CLASS)
    counts = count_table(sequences, keys)
    recall = share_intervals(counts[..., 0], counts[..., 1], seed)
    accuracy = share_intervals(counts[..., 2], counts[..., 3], seed)
    totals = counts.sum(axis=0)
    return [
        {
            "slice": factor,
            "range": label,
            "segments": int(totals[at, 0]),
            "recall": recall[at][0],
            "recall_interval": recall[at][1],
            "links": int(totals[at, 2]),
            "accuracy": accuracy[at][0],
            "accuracy_interval": accuracy[at][1],
        }
        for at, (factor, label) in enumerate(keys)
        if totals[at, 0]
    ]
