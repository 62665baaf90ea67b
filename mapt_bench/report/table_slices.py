"""Slices of a row of a run: recall and association accuracy by size, speed, crowding and class.

They are computed from the overlap tables and the records of objects in the run folder, so that they
exist for real data too.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError
from mapt_bench.labels import ID_BITS, LabelSpace, label_space
from mapt_bench.metrics.bootstrap import bootstrap_intervals
from mapt_bench.metrics.link_events import SIGHTED, unpack_rows
from mapt_bench.metrics.matching import segment_table
from mapt_bench.metrics.overlap import ENTRY, SequenceOverlap
from mapt_bench.pictures import tracks_of
from mapt_bench.reports.tables import Cell, Column, Table, printable

__all__ = ["ScoredSequence", "cell_sequences", "label_space_of", "slices_table", "weakest_slices"]

_SIZES = (("under 256 px", 0), ("256 to 1,023 px", 256), ("1,024 to 9,215 px", 1024))
_SIZE_BINS = (*_SIZES, ("9,216 px or more", 9216))
_SPEED_BINS = (
    ("under 1 px/frame", 0),
    ("1 to 4 px/frame", 1),
    ("4 to 16 px/frame", 4),
    ("16 px/frame or more", 16),
)
_VISIBLE_BINS = (
    ("under 25 %", 0),
    ("25 to 50 %", 0.25),
    ("50 to 75 %", 0.5),
    ("75 % or more", 0.75),
)
_NEAREST_BINS = (
    ("under 16 px", 0),
    ("16 to 32 px", 16),
    ("32 to 64 px", 32),
    ("64 to 128 px", 64),
    ("128 px or more", 128),
    ("alone in its class", math.inf),
)
_CROWD_BINS = (("1 to 5", 0), ("6 to 10", 6), ("11 to 20", 11), ("over 20", 21))


@dataclass(frozen=True)
class ScoredSequence:
    """One sequence of a cell, from its work unit.

    Attributes:
        name: Name of the sequence.
        position: Position of the sequence in the data.
        overlap: Overlap tables of all frames.
        seconds: Time of the tracker on each frame.
        objects: Rows of dtype :data:`~mapt_bench.metrics.link_events.SIGHTED`, the ground-truth
            objects of each frame. ``None`` if the run folder has none.
    """

    name: str
    position: int
    overlap: SequenceOverlap
    seconds: tuple[float, ...]
    objects: NDArray[np.void] | None = None


def cell_sequences(
    cell: Path, label_space_name: str, *, only: str | None = None
) -> Iterator[ScoredSequence]:
    """Yield each sequence of a cell without dropped frames.

    Args:
        cell: Folder of the cell in the run folder.
        label_space_name: Name of the label space.
        only: Name of the only sequence to yield, as tables show it. ``None`` for all.

    Raises:
        ConfigError: If the label space is unknown.
        DataError: If a work unit cannot be read.
    """
    labels = label_space(label_space_name)
    for file in sorted(cell.glob("*-0.json")):
        try:
            unit = json.loads(file.read_text(encoding="utf-8"))
            if only is not None and printable(str(unit["sequence"])) != only:
                continue
            rows = unpack_rows(unit["tables"], ENTRY)
            yield ScoredSequence(
                name=str(unit["sequence"]),
                position=int(file.stem.partition("-")[0]),
                overlap=SequenceOverlap.of_rows(rows, int(unit["frames"]), labels),
                seconds=tuple(map(float, unit["seconds"])),
                objects=_objects(cell.parent.parent / "objects" / f"{file.stem[:-2]}.json"),
            )
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise DataError(f"is no readable work unit ({problem})", where=file) from problem


def _objects(file: Path) -> NDArray[np.void] | None:
    """Return the objects of a sequence. Runs of older versions have none."""
    if not file.is_file():
        return None
    return unpack_rows(json.loads(file.read_text(encoding="utf-8"))["objects"], SIGHTED)


def label_space_of(run: Mapping[str, Any]) -> str:
    """Return the name of the label space of a run. Older results have none."""
    return str((run.get("protocol") or {}).get("label_space"))


@dataclass(frozen=True)
class _Segments:
    """The ground-truth segments of one sequence: one entry per track and frame."""

    size: NDArray[np.int64]
    crowd: NDArray[np.int64]
    classes: NDArray[np.int64]
    visible: NDArray[np.float64]
    speed: NDArray[np.float64]
    nearest: NDArray[np.float64]
    is_matched: NDArray[np.bool_]
    is_linkable: NDArray[np.bool_]
    is_kept: NDArray[np.bool_]


def _segments(found: ScoredSequence) -> _Segments:
    overlap = found.overlap
    tracks, table = tracks_of(overlap), segment_table(overlap)
    size = np.zeros((overlap.gt.count, overlap.frame_count), dtype=np.int64)
    size[table.gt_of, table.gt_unit] = table.gt_pixels
    row_of = {code: row for row, code in enumerate(overlap.gt.codes.tolist())}
    rows = [row_of[code] for code in tracks.codes.tolist()]
    seen = tracks.visible
    crowd = np.broadcast_to(seen.sum(axis=0), seen.shape)
    classes = np.broadcast_to((tracks.codes >> ID_BITS).astype(np.int64)[:, None], seen.shape)
    records = np.full((3, *seen.shape), math.nan)
    track_of = {code: row for row, code in enumerate(tracks.codes.tolist())}
    for frame, code, *facts in found.objects if found.objects is not None else ():
        if int(code) in track_of:
            records[:, track_of[int(code)], frame] = facts
    is_matched = tracks.partner >= 0
    is_linkable = is_matched & (tracks.before >= 0)
    return _Segments(
        size=size[rows][seen],
        crowd=crowd[seen],
        classes=classes[seen],
        visible=records[0][seen],
        speed=records[1][seen],
        nearest=records[2][seen],
        is_matched=is_matched[seen],
        is_linkable=is_linkable[seen],
        is_kept=(is_linkable & (tracks.partner == tracks.before))[seen],
    )


_Groups = Sequence[tuple[str, Callable[[_Segments], NDArray[np.bool_]]]]


def slices_table(
    subject: str, sequences: Sequence[ScoredSequence], *, seed: int = 0
) -> Table | None:
    """Return recall and association accuracy of a row in each slice, with confidence intervals.

    Args:
        subject: Name of the row, with its segments.
        sequences: The sequences, which are the unit of resampling.
        seed: Seed of the resampling.

    Returns:
        One row per slice that has segments. ``None`` without segments.
    """
    if not sequences:
        return None
    found = [_segments(each) for each in sequences]
    rows: list[tuple[Cell, ...]] = []
    for factor, groups in _slices(found, sequences[0].overlap.labels):
        recall = _rates(
            found, groups, lambda each: np.ones_like(each.is_matched), "is_matched", seed
        )
        kept = _rates(found, groups, lambda each: each.is_linkable, "is_kept", seed)
        for at, (label, _) in enumerate(groups):
            if recall[at][0]:
                rows.append((factor, label, *recall[at], *kept[at]))
    if not rows:
        return None
    columns = (
        Column("slice"),
        Column("range"),
        Column("segments", "integer"),
        Column("recall", "percent"),
        Column("recall CI", "range"),
        Column("links", "integer"),
        Column("association accuracy", "percent"),
        Column("accuracy CI", "range"),
    )
    few = len(sequences) < _FEWEST
    notes = (
        "Recall: ground-truth segments of things that a segment of their class matches with an IoU "
        "above 0.5. Association accuracy: matched segments with the identity of the track's last "
        "match. Crowd density: things in the frame. Speed: displacement of the object's centre. "
        "Nearest: distance to the centre of the nearest other object of the class.",
        *((f"No confidence intervals under {_FEWEST} sequences.",) if few else ()),
    )
    title = f"{subject}{_PROPERTIES}"
    return Table(title, columns, tuple(rows), notes, name="slices")


def weakest_slices(table: Table) -> list[str]:
    """Return where the row of a table of slices finds least, and where it links worst.

    Small slices do not count, and neither do rates that no slice falls short of.
    """
    subject = table.title.removesuffix(_PROPERTIES)
    found = []
    for count, rate, verb, things in (
        (2, 3, "finds least", "segments"),
        (5, 6, "links worst", "links"),
    ):
        rows = [row for row in table.rows if _number(row[count]) >= _FEWEST_SEGMENTS]
        weakest = min(rows, key=lambda row: _number(row[rate]), default=None)
        if weakest is not None and _number(weakest[rate]) < 1:
            share, n = 100 * _number(weakest[rate]), int(_number(weakest[count]))
            found.append(
                f"{subject} {verb} at {weakest[0]} {weakest[1]}: {share:.2f} % of {n:,} {things}."
            )
    return found


def _number(cell: Cell) -> float:
    return float(cell) if isinstance(cell, int | float) else math.inf


_FEWEST_SEGMENTS = 30
"""Fewest segments or links of a slice that a sentence names."""

_PROPERTIES = " by properties of the objects"

_FEWEST = 5
"""Fewest sequences for a confidence interval."""


def _slices(found: Sequence[_Segments], labels: LabelSpace) -> list[tuple[str, _Groups]]:
    present = sorted({class_id for each in found for class_id in each.classes.tolist()})
    classes: _Groups = [
        (
            printable(labels.by_id(class_id).name),
            partial(_within, "classes", class_id, class_id + 1),
        )
        for class_id in present
    ]
    return [
        ("object size", _binned(_SIZE_BINS, "size")),
        ("speed", _binned(_SPEED_BINS, "speed")),
        ("visible fraction", _binned(_VISIBLE_BINS, "visible")),
        ("nearest", _binned(_NEAREST_BINS, "nearest")),
        ("crowd density", _binned(_CROWD_BINS, "crowd")),
        ("class", classes),
    ]


def _binned(bins: Sequence[tuple[str, float]], field: str) -> _Groups:
    ends = [*(low for _, low in bins[1:]), math.nan]
    return [
        (label, partial(_within, field, low, end))
        for (label, low), end in zip(bins, ends, strict=True)
    ]


def _within(field: str, low: float, end: float, segments: _Segments) -> NDArray[np.bool_]:
    """Return which segments are in a range. An end of NaN is none. Unknown values are in none."""
    values: NDArray[np.float64] = getattr(segments, field)
    return (values >= low) & ~(values >= end)


def _rates(
    found: Sequence[_Segments],
    groups: _Groups,
    counted: Callable[[_Segments], NDArray[np.bool_]],
    hit: str,
    seed: int,
) -> list[tuple[int, float | None, tuple[float, float] | None]]:
    """Return count, share and confidence interval of each group."""
    masks = [[chosen(each) & counted(each) for _, chosen in groups] for each in found]
    totals = np.array([[mask.sum() for mask in of_one] for of_one in masks], dtype=np.int64)
    hits = np.array(
        [
            [getattr(each, hit)[mask].sum() for mask in of_one]
            for each, of_one in zip(found, masks, strict=True)
        ],
        dtype=np.int64,
    )

    def shares(chosen: Sequence[int]) -> NDArray[np.float64]:
        rows = np.asarray(chosen)
        n = totals[rows].sum(axis=0)
        return np.where(n > 0, hits[rows].sum(axis=0) / np.maximum(n, 1), math.nan)

    def of_counts(units: Sequence[int], counts: NDArray[np.int64]) -> NDArray[np.float64]:
        rows = np.asarray(units)
        n = counts @ totals[rows]
        return np.where(n > 0, counts @ hits[rows] / np.maximum(n, 1), math.nan)

    intervals = bootstrap_intervals(range(len(found)), shares, of_counts=of_counts, seed=seed)
    values = shares(range(len(found)))
    return [
        (
            int(totals[:, at].sum()),
            None if math.isnan(values[at]) else float(values[at]),
            None if each.low is None or each.high is None else (float(each.low), float(each.high)),
        )
        for at, each in enumerate(intervals)
    ]
