"""Measure objects, tracks and links in one pass over labelled video."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import ID_BITS, LabelSpace, MapSequence
from mapt_bench.statistics.frame_objects import FrameObjects, Links, find_links, find_objects
from mapt_bench.statistics.statistics_report import (
    DataStatistics,
    Distribution,
    LinkStatistics,
    TrackStatistics,
)

__all__ = ["TAUS", "measure_statistics"]

TAUS = (1, 2, 3, 5)
"""Default temporal intervals in frames."""

_NO_FRAME = "no frame could be read"
_NO_OBJECT = "no object is visible"
_NO_GAP = "no track has a gap"

_Rows = list[NDArray[np.float64]]


def measure_statistics(
    sequences: Iterable[MapSequence],
    labels: LabelSpace,
    *,
    taus: tuple[int, ...] = TAUS,
    advance: Callable[[int], None] = lambda frames: None,
) -> DataStatistics:
    """Measure labelled video. The documentation of the statistics defines each quantity.

    Frames are read once, in order. Memory holds the pixels of objects in the last ``max(taus)``
    frames, and a few numbers per object and frame.

    Args:
        sequences: Maps. Unreadable frames keep their place and are omitted.
        labels: Label space; its thing classes are tracked.
        taus: Temporal intervals in frames.
        advance: Called with each number of frames done.

    Raises:
        ConfigError: If an interval is below 1, or given twice.
    """
    if not taus or min(taus) < 1 or len(set(taus)) < len(taus):
        raise ConfigError(
            f"temporal intervals are {taus}; expected different numbers of frames, 1 or more"
        )
    gathered = _Gathered(links={tau: [] for tau in sorted(taus)})
    for sequence in sequences:
        _follow(sequence, labels, gathered, advance)
    return _summary(gathered, labels)


@dataclass(slots=True)
class _Gathered:
    """Numbers of all sequences. The first column of each table is the class."""

    links: dict[int, list[Links]]
    sequences: int = 0
    unread: int = 0
    masks: _Rows = field(
        default_factory=list
    )  # one table per frame: class, area, share of the frame
    lengths: _Rows = field(default_factory=list)  # class, frames
    gaps: _Rows = field(default_factory=list)  # class, frames


def _follow(
    sequence: MapSequence,
    labels: LabelSpace,
    gathered: _Gathered,
    advance: Callable[[int], None],
) -> None:
    gathered.sequences += 1
    recent: deque[FrameObjects | None] = deque(maxlen=max(gathered.links))
    sightings: dict[int, list[int]] = {}  # number of visible frames of each track, and the last one
    moment = 0
    for index in range(len(sequence.frame_names)):
        try:
            objects = find_objects(sequence.read(index), labels)
        except DataError:
            gathered.unread += 1
            recent.append(None)
            advance(1)
            continue
        _note_masks(objects, gathered)
        _note_links(objects, recent, gathered)
        _note_sightings(objects, moment, sightings, gathered)
        recent.append(objects)
        moment += 1
        advance(1)
    lengths = [(code >> ID_BITS, count) for code, (count, _) in sightings.items()]
    gathered.lengths.append(np.array(lengths, dtype=np.float64).reshape(-1, 2))


def _note_masks(objects: FrameObjects, gathered: _Gathered) -> None:
    columns = (objects.classes, objects.areas, objects.areas / objects.frame_px)
    gathered.masks.append(np.stack(columns, axis=1).astype(np.float64))


def _note_links(
    objects: FrameObjects, recent: deque[FrameObjects | None], gathered: _Gathered
) -> None:
    for tau, links in gathered.links.items():
        earlier = recent[-tau] if tau <= len(recent) else None
        if earlier is not None:
            links.append(find_links(earlier, objects))


def _note_sightings(
    objects: FrameObjects, moment: int, sightings: dict[int, list[int]], gathered: _Gathered
) -> None:
    for code in objects.codes.tolist():
        seen = sightings.setdefault(code, [0, moment - 1])
        absent = moment - seen[1] - 1
        if absent:
            gathered.gaps.append(np.array([[code >> ID_BITS, absent]], dtype=np.float64))
        seen[:] = seen[0] + 1, moment


def _summary(gathered: _Gathered, labels: LabelSpace) -> DataStatistics:
    masks = np.concatenate([np.empty((0, 3)), *gathered.masks])
    present = [number for number in labels.thing_ids if (masks[:, 0] == number).any()]
    return DataStatistics(
        sequence_count=gathered.sequences,
        frame_count=len(gathered.masks),
        unread_count=gathered.unread,
        taus=tuple(gathered.links),
        overall=_of_classes(None, "all", labels.thing_ids, gathered),
        classes=tuple(
            _of_classes(number, labels.by_id(number).name, (number,), gathered)
            for number in present
        ),
    )


def _of_classes(
    class_id: int | None, name: str, members: tuple[int, ...], gathered: _Gathered
) -> TrackStatistics:
    masks = _rows_of(gathered.masks, 3, members)
    lengths = _rows_of(gathered.lengths, 2, members)
    gaps = _rows_of(gathered.gaps, 2, members)
    counts = [int(np.isin(frame[:, 0], members).sum()) for frame in gathered.masks]
    return TrackStatistics(
        class_id=class_id,
        name=name,
        track_count=len(lengths),
        objects=Distribution.of(counts, _NO_FRAME),
        area=Distribution.of(masks[:, 1], _NO_OBJECT),
        area_share=Distribution.of(masks[:, 2], _NO_OBJECT),
        length=Distribution.of(lengths[:, 1], _NO_OBJECT),
        gap=Distribution.of(gaps[:, 1], _NO_GAP),
        intervals=tuple(_of_links(tau, links, members) for tau, links in gathered.links.items()),
    )


def _rows_of(rows: _Rows, width: int, members: tuple[int, ...]) -> NDArray[np.float64]:
    table = np.concatenate([np.empty((0, width)), *rows])
    return table[np.isin(table[:, 0], members)]


def _of_links(tau: int, links: list[Links], members: tuple[int, ...]) -> LinkStatistics:
    classes = np.concatenate([np.empty(0), *(entry.classes for entry in links)])
    is_member = np.isin(classes, members)

    def pooled(name: str) -> NDArray[np.float64]:
        values = np.concatenate([np.empty(0), *(getattr(entry, name) for entry in links)])
        return values[is_member]

    count = int(is_member.sum())
    no_link = f"no track is visible in two frames that are {tau} apart"
    alone = f"no object with a link over {tau} has another of its class in the earlier frame"
    over_neighbour = pooled("over_neighbour")
    return LinkStatistics(
        tau=tau,
        link_count=count,
        right_share=float(pooled("is_right").mean()) if count else None,
        wrong_share=float(pooled("is_wrong").mean()) if count else None,
        displacement=Distribution.of(pooled("displacement"), no_link),
        over_size=Distribution.of(pooled("over_size"), no_link),
        over_neighbour=Distribution.of(
            over_neighbour[~np.isnan(over_neighbour)], alone if count else no_link
        ),
        overlap=Distribution.of(pooled("overlap"), no_link),
        undefined=None if count else no_link,
    )
