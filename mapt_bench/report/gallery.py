"""Pictures of the tracks that cost most: timelines, and the frames before and after a mistake.

A track costs the frames in which it is visible without its most frequent identity. Pictures need
the maps at the paths that a result names. The page says why pictures are missing.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError, MaptBenchError, counted
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, Video
from mapt_bench.metrics.overlap import SequenceOverlap
from mapt_bench.pictures import (
    Prediction,
    TrackTable,
    VideoComparison,
    open_predictions,
    open_video,
    track_timeline,
    tracks_of,
)
from mapt_bench.report.findings import WorstSequences
from mapt_bench.report.table_slices import cell_overlaps, label_space_of
from mapt_bench.reports.tables import printable

__all__ = ["DEFAULT_PICTURES", "Image", "Picture", "evaluation_pictures", "run_pictures"]

DEFAULT_PICTURES = 4
"""Sequences with pictures, for each run and each prediction."""

_TRACKS = 8
"""Largest number of tracks of a timeline."""

_FRAME_WIDTH = 480
"""Width of a frame in pixels; small frames are enlarged."""

_COLORS = 128


@dataclass(frozen=True)
class Image:
    """An image of the page: its data as an address, its content in words, and its size."""

    source: str
    alt: str
    width: int
    height: int


@dataclass(frozen=True)
class Picture:
    """Images of one sequence, with a title and a sentence on what they show."""

    title: str
    text: str
    images: tuple[Image, ...]


def evaluation_pictures(
    evaluation: Mapping[str, Any], most: int
) -> tuple[list[Picture], list[str]]:
    """Return pictures of the sequences with the lowest PAT, or why there are none.

    Args:
        evaluation: A result of schema ``mapt-bench/evaluation/2``.
        most: Largest number of sequences.

    Returns:
        Pictures, and sentences on what is missing.
    """
    if not most:
        return [], []
    name = str(evaluation["name"])
    inputs = (evaluation.get("provenance") or {}).get("inputs") or {}
    gt, pred = (
        str((inputs.get(side) or {}).get("path") or "") for side in ("ground_truth", "predictions")
    )
    if not gt or not pred:
        return [], [f"No pictures of {name}: the result does not say where its maps are."]
    pats = {
        str(sequence): float(entry["PAT"])
        for sequence, entry in (evaluation.get("per_sequence") or {}).items()
        if entry.get("PAT") is not None
    }
    worst = sorted(pats, key=lambda sequence: pats[sequence])[:most]
    dataset = (evaluation.get("protocol") or {}).get("dataset")
    pictures = []
    for sequence in worst:
        try:
            video, labels, _ = open_video(
                Path(gt), None if len(pats) == 1 else sequence, dataset, None
            )
            (prediction,) = open_predictions([Path(pred)], video, labels)
            pictures.append(_worst_picture(video, prediction, f"{name}, sequence {sequence}"))
        except MaptBenchError as problem:
            return pictures, [f"No pictures of {name}, sequence {printable(sequence)}: {problem}."]
    return pictures, []


def run_pictures(
    run: Mapping[str, Any], folder: Path | None, worst: Sequence[WorstSequences], most: int
) -> tuple[list[Picture], list[str]]:
    """Return timelines of the sequences that cost most in a run, or why there are none.

    Timelines need the overlap tables in the cells of the run folder. A run keeps no maps, so that
    there are no frames.

    Args:
        run: A result of schema ``mapt-bench/run/1``.
        folder: Run folder. ``None`` if it is unknown.
        worst: Worst sequences of each part of the run.
        most: Largest number of sequences.

    Returns:
        Pictures, and sentences on what is missing.
    """
    if not most or not worst:
        return [], []
    if folder is None or not (folder / "cells").is_dir():
        return [], ["No timelines of tracks: the folder of the result has no cells of a run."]
    pictures: list[Picture] = []
    for each in worst:
        cell = folder / "cells" / str(each.row.get("cell"))
        costly = [
            str(row[0]) for row in each.table.rows if isinstance(row[-1], float) and row[-1] > 0
        ]
        for sequence in costly[: max(most // len(worst), 1)]:
            try:
                overlap = _overlap(cell, sequence, label_space_of(run))
            except MaptBenchError as problem:
                return pictures, [f"No timeline of sequence {sequence}: {problem}."]
            ending = f" on {each.words}" if each.words else ""
            title = f"{each.row['variant']}{ending}, sequence {sequence}"
            pictures.append(_timeline(overlap, title, sequence))
    return pictures, [
        "A run keeps overlap tables and no maps. To see frames, write the maps with mapt-bench "
        "track, and pass them to mapt-bench show."
    ]


def _overlap(cell: Path, sequence: str, label_space_name: str) -> SequenceOverlap:
    """Return the overlap tables of a sequence from the work units of a cell."""
    for name, overlap in cell_overlaps(cell, label_space_name):
        if printable(name) == sequence:
            return overlap
    raise DataError("has no work unit of the sequence", where=cell)


def _timeline(overlap: SequenceOverlap, title: str, sequence: str) -> Picture:
    """Return the timeline of a row, which lost to the oracle by linking: mislinked tracks first."""
    table, labels = tracks_of(overlap), overlap.labels
    mislinked = table.frames_mislinked
    order = _worst_tracks(table, mislinked if mislinked.any() else table.frames_lost)
    if not order:
        return Picture(printable(title), _FAULTLESS, ())
    _, after = _mistake(table, order[0])
    text = _sentence(table, order[0], labels, str(after))
    picture = track_timeline(f"sequence {sequence}", table, order, labels)
    return Picture(printable(title), text, (_image(picture, _in_words(table, order, labels)),))


_FAULTLESS = "Every track keeps one identity in all its frames."


def _worst_tracks(table: TrackTable, cost: NDArray[np.int64]) -> list[int]:
    """Return the tracks with the highest cost. Of equals, those with most identity switches."""
    switches = table.switched.sum(axis=1)
    order: list[int] = np.lexsort((-switches, -cost))[:_TRACKS].tolist()
    return [track for track in order if cost[track]]


def _sentence(table: TrackTable, track: int, labels: LabelSpace, frame: str) -> str:
    lost, visible = int(table.frames_lost[track]), int(table.visible[track].sum())
    _, after = _mistake(table, track)
    return printable(
        f"Look at {_track_name(table, track, labels)}: {counted(lost, 'frame')} of {visible} "
        f"without its most frequent identity. In frame {frame}, "
        f"{_what_happened(table, track, after)}."
    )


def _worst_picture(video: Video, prediction: Prediction, title: str) -> Picture:
    """Return the timeline of the tracks that cost most, and the frames around a mistake.

    Args:
        video: Video with ground truth.
        prediction: Prediction for all its frames.
        title: Title of the picture.

    Raises:
        DataError: If a map cannot be read.
    """
    whole = VideoComparison(video, [prediction], range(video.info.frame_count))
    (table,) = whole.tables
    order = _worst_tracks(table, table.frames_lost)
    if not order:
        return Picture(printable(title), _FAULTLESS, ())
    before, after = _mistake(table, order[0])
    scale = _FRAME_WIDTH / video.info.width
    strip = VideoComparison(video, [prediction], sorted({before, after}), scale).strip()
    labels = video.info.labels
    names = [video.info.frame_names[at] for at in (before, after)]
    return Picture(
        printable(title),
        _sentence(table, order[0], labels, names[1]),
        (
            _image(strip, f"Frames {names[0]} and {names[1]}, ground truth above prediction"),
            _image(whole.timeline(order), _in_words(table, order, labels)),
        ),
    )


def _mistake(table: TrackTable, track: int) -> tuple[int, int]:
    """Return the frame before the first mistake of a track, and that of the mistake.

    The first identity switch comes first, then the first frame without a match.
    """
    switched = np.flatnonzero(table.switched[track])
    if len(switched):
        after = int(switched[0])
        matched = np.flatnonzero(table.partner[track][:after] >= 0)
        return int(matched[-1]), after
    lost = np.flatnonzero(table.visible[track] & (table.partner[track] < 0))
    after = int(lost[0]) if len(lost) else int(np.flatnonzero(table.visible[track])[0])
    return max(after - 1, 0), after


def _what_happened(table: TrackTable, track: int, frame: int) -> str:
    partner, before = int(table.partner[track, frame]), int(table.before[track, frame])
    if partner < 0:
        return "no segment of its class matches it"
    numbers = [code & (ID_LIMIT - 1) for code in (before, partner)]
    return f"its identity changes from {numbers[0]} to {numbers[1]}"


def _track_name(table: TrackTable, track: int, labels: LabelSpace) -> str:
    code = int(table.codes[track])
    return f"{labels.by_id(code >> ID_BITS).name} {code & (ID_LIMIT - 1)}"


def _in_words(table: TrackTable, order: Sequence[int], labels: LabelSpace) -> str:
    told = [
        f"{_track_name(table, track, labels)}: {int(table.visible[track].sum())} frames, "
        f"{int((table.partner[track] >= 0).sum())} matched, "
        f"identity changes: {int(table.switched[track].sum())}"
        for track in order
    ]
    return f"Timeline of the tracks that cost most. {'; '.join(told)}."


def _image(picture: NDArray[np.uint8], alt: str) -> Image:
    """Return a picture as a PNG with few colours."""
    from PIL import Image as Pillow

    reduced = Pillow.fromarray(picture).quantize(_COLORS, dither=Pillow.Dither.NONE)
    data = io.BytesIO()
    reduced.save(data, format="PNG", optimize=True)
    text = base64.b64encode(data.getvalue()).decode()
    height, width = picture.shape[:2]
    return Image(f"data:image/png;base64,{text}", printable(alt), width, height)
