"""Pictures of the tracks that cost most: timelines, and the frames before and after a mistake.

A track costs the frames in which it is visible without its most frequent identity. Pictures of
evaluations need the maps at the paths that a result names. A run keeps no maps: its experiment
tracks the worst sequences again, and keeps the pictures in the run folder. The page says why
pictures are missing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError, MaptBenchError, counted, listed
from mapt_bench.files import write_bytes
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, PanopticMap, Video
from mapt_bench.pictures import (
    Prediction,
    TrackTable,
    VideoComparison,
    open_predictions,
    open_video,
    tracks_of,
)
from mapt_bench.report.findings import WorstSequences
from mapt_bench.report.images import Image, images_of_frames, jpeg
from mapt_bench.report.scored_sequences import ScoredSequence, cell_sequences, label_space_of
from mapt_bench.report.svg import Chart
from mapt_bench.report.timelines import timeline_chart
from mapt_bench.reports.tables import printable
from mapt_bench.results.result_views import row_name

__all__ = ["DEFAULT_PICTURES", "Gallery", "Picture", "Replay", "evaluation_pictures"]

Replay = Callable[[str, str, int], tuple[Video, Sequence[PanopticMap]]]
"""Takes the key of a cell, the name of a sequence and a number of frames, and returns the video and
the maps of its first frames."""

DEFAULT_PICTURES = 4
"""Sequences with pictures, for each run and each prediction."""

_TRACKS = 8
"""Largest number of tracks of a timeline."""


@dataclass(frozen=True)
class Picture:
    """Images of one sequence.

    Attributes:
        by: What made the prediction: a row with its condition, or a folder of predictions.
        sequence: Name of the sequence.
        track: The track that costs most. Empty if none costs anything.
        text: What happens to the track.
        images: Images of frames.
        timeline: Timeline of the tracks that cost most, ``None`` if none costs anything.
        reason: By which measured loss the sequence and the track were chosen.
    """

    by: str
    sequence: str
    track: str
    text: str
    images: tuple[Image, ...]
    timeline: Chart | None = None
    reason: str = ""

    @property
    def title(self) -> str:
        """Heading of the pictures."""
        return f"Sequence {self.sequence}, {self.by}"

    @property
    def place(self) -> str:
        """Sequence and row, for sentences."""
        return f"sequence {self.sequence}, {self.by}"


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
    for rank, sequence in enumerate(worst, 1):
        lost = f"by the lowest PAT ({100 * pats[sequence]:.2f})"
        chosen = _chosen_sequence(rank, len(pats), lost)
        try:
            video, labels, _ = open_video(
                Path(gt), None if len(pats) == 1 else sequence, dataset, None
            )
            (prediction,) = open_predictions([Path(pred)], video, labels)
            names = (f"prediction {name}", sequence)
            pictures.append(_worst_picture(video, prediction, names, chosen))
        except MaptBenchError as problem:
            return pictures, [f"No pictures of {name}, sequence {printable(sequence)}: {problem}."]
    return pictures, []


class Gallery:
    """Pictures of the sequences that cost most in a run.

    Timelines need the overlap tables in the cells of the run folder. Frames are kept in the run
    folder. Missing frames are tracked again.

    Args:
        run: A result of schema ``mapt-bench/run/1``.
        folder: Run folder. ``None`` if it is unknown.
        most: Largest number of sequences.
        replay: Tracks a sequence again. ``None`` to show only frames that the run folder has.
    """

    def __init__(
        self, run: Mapping[str, Any], folder: Path | None, most: int, replay: Replay | None = None
    ) -> None:
        self._labels = label_space_of(run)
        self._folder = folder if folder is not None and (folder / "cells").is_dir() else None
        self._most = most
        self._frames = _FramesOfRun(folder or Path(), replay)
        self._problems: dict[str, None] = {}

    def of(self, worst: Sequence[WorstSequences], conditions: int) -> list[Picture]:
        """Return the pictures of some worst sequences.

        Args:
            worst: Worst sequences of one part of the run, one entry for each condition.
            conditions: Number of entries of all parts, which share the number of pictures.
        """
        pictures: list[Picture] = []
        for each in worst if self._most else ():
            if self._folder is None:
                why = "the folder of the result has no cells of a run"
                self._problems[f"No pictures of tracks: {why}."] = None
                break
            cell = self._folder / "cells" / str(each.row.get("cell"))
            costly = _costly(each)[: max(self._most // conditions, 1)]
            for rank, (sequence, lost) in enumerate(costly, 1):
                points = f"by PAT lost against {each.bound} ({100 * lost:.2f} points)"
                chosen = _chosen_sequence(rank, each.sequence_count, points)
                try:
                    found = _scored(cell, sequence, self._labels)
                except MaptBenchError as problem:
                    self._problems[f"No timeline of sequence {sequence}: {problem}."] = None
                    break
                pictures.append(_run_picture(found, each, self._frames, chosen))
        return pictures

    def missing(self) -> list[str]:
        """Return sentences on missing pictures."""
        return [*self._problems, *self._frames.missing()]


def _costly(worst: WorstSequences) -> list[tuple[str, float]]:
    """Return the sequences with a loss, and the loss as a share."""
    return [
        (str(row[0]), row[-1])
        for row in worst.table.rows
        if isinstance(row[-1], float) and row[-1] > 0
    ]


def _chosen_sequence(rank: int, count: int, loss: str) -> str:
    return printable(f"The sequence is number {rank} of {count} {loss}.")


def _chosen_track(cost: NDArray[np.int64], track: int, unit: str) -> str:
    return (
        f"The track is number 1 of {len(cost)} in the sequence by {unit} "
        f"({counted(int(cost[track]), 'frame')})."
    )


_LOST = "frames in which it is visible without its most frequent identity"
_MISLINKED = "frames in which it is matched, but not by its most frequent identity"


def _scored(cell: Path, sequence: str, label_space_name: str) -> ScoredSequence:
    """Return a sequence from the work units of a cell."""
    for found in cell_sequences(cell, label_space_name, only=sequence):
        return found
    raise DataError("has no work unit of the sequence", where=cell)


_REPLAYED_FRAMES = 160
"""Frames that are tracked again for one page, over all rows. A limit of time would make the page
depend on how busy the machine is."""


@dataclass
class _FramesOfRun:
    """Pictures of frames of a run. New ones are kept in the run folder.

    Attributes:
        folder: Run folder.
        replay: Tracks a sequence again, or ``None``.
    """

    folder: Path
    replay: Replay | None
    _absent: dict[str, list[str]] = field(default_factory=dict)
    _replayed: int = 0

    def strip(
        self, rows: Mapping[str, str], found: ScoredSequence, track: int, frames: tuple[int, int]
    ) -> bytes | None:
        """Return a picture of a track in two frames as a JPEG: ground truth above some rows.

        Args:
            rows: Cell of each row, by name.
            found: The sequence.
            track: Code of the track.
            frames: Positions of the two frames.
        """
        count = (frames[1] + 1) * len(rows)
        if self._replayed + count > _REPLAYED_FRAMES:
            self._lacks(found, f"a page tracks at most {_REPLAYED_FRAMES} frames again")
            return None
        self._replayed += count
        named = "-".join((*rows.values(), *map(str, (found.position, track, *frames))))
        file = self.folder / "gallery" / f"{named}.jpg"
        if file.is_file():
            return file.read_bytes()
        if self.replay is None:
            self._lacks(found, "run the command of the run again with its --out to add them")
            return None
        try:
            picture = self._painted(self.replay, rows, found, track, frames)
        except MaptBenchError as problem:
            self._lacks(found, str(problem))
            return None
        data = jpeg(picture)
        write_bytes(file, data)
        return data

    def _painted(
        self,
        replay: Replay,
        rows: Mapping[str, str],
        found: ScoredSequence,
        track: int,
        frames: tuple[int, int],
    ) -> NDArray[np.uint8]:
        predictions = []
        # Those of the first row, as in its timeline: an identity has one colour in both.
        tracks: TrackTable | None = tracks_of(found.overlap)
        for row, cell in rows.items():
            video, maps = replay(cell, found.name, frames[1] + 1)
            predictions.append(Prediction(printable(row), maps.__getitem__, tracks))
            tracks = None
        return _around(video, predictions, track, frames)

    def _lacks(self, found: ScoredSequence, reason: str) -> None:
        names = self._absent.setdefault(reason, [])
        if found.name not in names:
            names.append(found.name)

    def missing(self) -> list[str]:
        """Return sentences on the missing frames."""
        return [
            f"No frames of sequence {listed(names)}: {reason}."
            for reason, names in self._absent.items()
        ]


def _run_picture(
    found: ScoredSequence, worst: WorstSequences, frames: _FramesOfRun, chosen: str
) -> Picture:
    """Return the frames around a mistake of a row, and the timeline of its costly tracks.

    The row lost to the oracle by linking: mislinked tracks come first.
    """
    table, labels = tracks_of(found.overlap), found.overlap.labels
    cost, unit = table.frames_mislinked, _MISLINKED
    if not cost.any():
        cost, unit = table.frames_lost, _LOST
    order = _worst_tracks(table, cost)
    names = printable(f"tracked by {worst.subject}"), printable(found.name)
    if not order:
        return Picture(*names, "", _FAULTLESS, (), reason=chosen)
    places = _mistake(table, order[0])
    rows = {row_name(each): str(each.get("cell")) for each in worst.rows_shown}
    strip = frames.strip(rows, found, int(table.codes[order[0]]), places)
    words = f"ground truth above {listed(rows)}"
    return Picture(
        *names,
        printable(_track_name(table, order[0], labels)),
        _sentence(table, order[0], str(places[1])),
        (() if strip is None else tuple(images_of_frames(strip, _in_frames(places, words)))),
        _timeline(table, order, labels),
        f"{chosen} {_chosen_track(cost, order[0], unit)}",
    )


def _in_frames(frames: Sequence[object], words: str) -> list[str]:
    """Return what the picture of each frame shows. A track that starts wrong has one frame only."""
    return [f"Frame {frame}, {words}" for frame in dict.fromkeys(frames)]


_FAULTLESS = "Every track keeps one identity in all its frames."


def _worst_tracks(table: TrackTable, cost: NDArray[np.int64]) -> list[int]:
    """Return the tracks with the highest cost. Of equals, those with most identity switches."""
    switches = table.switched.sum(axis=1)
    order: list[int] = np.lexsort((-switches, -cost))[:_TRACKS].tolist()
    return [track for track in order if cost[track]]


def _sentence(table: TrackTable, track: int, frame: str) -> str:
    visible = int(table.visible[track].sum())
    kept = visible - int(table.frames_lost[track])
    _, after = _mistake(table, track)
    if not (table.partner[track] >= 0).any():
        frames = f"any of its {visible} frames" if visible > 1 else "its only frame"
        return f"No segment of its class matches it in {frames}."
    return printable(
        f"It is visible in {counted(visible, 'frame')}. "
        f"Its most frequent identity covers only {kept} of them. "
        f"In frame {frame}, {_what_happened(table, track, after)}."
    )


def _worst_picture(
    video: Video, prediction: Prediction, names: tuple[str, str], chosen: str
) -> Picture:
    """Return the timeline of the tracks that cost most, and the frames around a mistake.

    Args:
        video: Video with ground truth.
        prediction: Prediction for all its frames.
        names: What made the prediction, and the name of the sequence.
        chosen: Why the sequence was chosen.

    Raises:
        DataError: If a map cannot be read.
    """
    whole = VideoComparison(video, [prediction], range(video.info.frame_count))
    (table,) = whole.tables
    order = _worst_tracks(table, table.frames_lost)
    by, sequence = map(printable, names)
    if not order:
        return Picture(by, sequence, "", _FAULTLESS, (), reason=chosen)
    before, after = _mistake(table, order[0])
    same_colors = replace(prediction, tracks=table)
    strip = _around(video, [same_colors], int(table.codes[order[0]]), (before, after))
    labels = video.info.labels
    frames = [video.info.frame_names[at] for at in (before, after)]
    return Picture(
        by,
        sequence,
        printable(_track_name(table, order[0], labels)),
        _sentence(table, order[0], frames[1]),
        tuple(images_of_frames(jpeg(strip), _in_frames(frames, "ground truth above prediction"))),
        _timeline(table, order, labels),
        f"{chosen} {_chosen_track(table.frames_lost, order[0], _LOST)}",
    )


def _around(
    video: Video, predictions: Sequence[Prediction], track: int, frames: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return the surroundings of a track in two frames: ground truth above predictions."""
    return VideoComparison(video, predictions, sorted(set(frames)), focus=track).strip()


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


def _timeline(table: TrackTable, order: Sequence[int], labels: LabelSpace) -> Chart:
    names = [printable(_track_name(table, track, labels)) for track in order]
    return timeline_chart(table, order, names, _in_words(table, order, labels))


def _in_words(table: TrackTable, order: Sequence[int], labels: LabelSpace) -> str:
    told = [
        f"{_track_name(table, track, labels)}: {int(table.visible[track].sum())} frames, "
        f"{int((table.partner[track] >= 0).sum())} matched, "
        f"identity changes: {int(table.switched[track].sum())}"
        for track in order
    ]
    return f"Timeline of the tracks that cost most. {'; '.join(told)}."
