"""Ground truth in the place of one or more steps of a fusion, to measure what each step costs."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError, DataError, nearest
from mapt_bench.labels import ID_BITS, ID_LIMIT, Frame, PanopticMap, VideoInfo
from mapt_bench.tracking._tracks import Track
from mapt_bench.tracking.affinity import assign
from mapt_bench.tracking.protocol import FrameSegments

__all__ = ["ORACLE_STEPS", "OracleSteps", "parse_oracle_steps", "true_tracks"]

ORACLE_STEPS = ("motion", "appearance", "memory")
"""Steps of a fusion: the first step on tracks in view, the second one, and all on lost tracks."""

_NONE = -1
"""No object."""

_TRUE, _FALSE = 2.0, -2.0
"""Affinities above and below all thresholds, which lie in ``[-1, 1]``."""


def parse_oracle_steps(text: str) -> tuple[str, ...]:
    """Read names of steps with ``+`` between them; an empty text is no step.

    Raises:
        ConfigError: If a name is unknown or given twice.

    Example:
        >>> parse_oracle_steps("memory+motion")
        ('motion', 'memory')
    """
    names = text.split("+") if text else []
    for name in names:
        if name not in ORACLE_STEPS:
            raise ConfigError(
                f"oracle is {text!r}; {nearest(name, ORACLE_STEPS)}; join several with +"
            )
        if names.count(name) > 1:
            raise ConfigError(f"oracle is {text!r}, which names {name} twice; keep one")
    return tuple(name for name in ORACLE_STEPS if name in names)


class OracleSteps:
    """Decides by ground truth in the place of some steps of a fusion.

    An object belongs to the track that was last on it. The oracle continues this track with the
    object, and links nothing else. So it repairs no earlier mistake of another step.

    Args:
        steps: Names of :data:`ORACLE_STEPS`.
        truth: Returns the ground truth of the frame at a position of the video.
    """

    def __init__(self, steps: Iterable[str], truth: Callable[[int], PanopticMap]) -> None:
        self.steps = frozenset(steps)
        self._truth = truth
        self._info: VideoInfo | None = None
        self._clear()

    def _clear(self) -> None:
        self._objects: list[int] = []
        self._object_of: dict[int, int] = {}
        self._owner: dict[int, int] = {}

    def start(self, info: VideoInfo) -> None:
        """Forget everything and prepare for a video."""
        self._info = info
        self._clear()

    def look(self, frame: Frame, segments: FrameSegments) -> None:
        """Find the object of each segment: one to one by mask IoU, across classes.

        Raises:
            DataError: If ground truth and segments differ in size.
        """
        if self._info is None:
            raise RuntimeError("start() must be called before look()")
        truth = self._truth(frame.index)
        found = true_tracks(truth, segments, self._info.labels.is_thing_table, frame.name)
        self._objects = [found.get(segment, _NONE) for segment in range(segments.count)]

    def true_pairs(self, tracks: Sequence[Track], segments: Sequence[int]) -> NDArray[np.bool_]:
        """Return whether each track belongs to the object of each segment: ``(tracks, segments)``.

        Args:
            tracks: Tracks of the fusion.
            segments: Positions of segments in the frame of the last :meth:`look`.
        """
        ids = [track.track_id for track in tracks]
        of_tracks = np.array(
            [
                known if self._owner.get(known := self._object_of.get(each, _NONE)) == each else -2
                for each in ids
            ],
            dtype=np.int64,
        )
        of_segments = np.array([self._objects[each] for each in segments], dtype=np.int64)
        is_same: NDArray[np.bool_] = of_tracks[:, None] == of_segments[None, :]
        return is_same & (of_segments >= 0)[None, :]

    def instead(
        self,
        step: str,
        affinity: NDArray[np.float64],
        tracks: Sequence[Track],
        is_lost: NDArray[np.bool_],
        segments: Sequence[int] | None = None,
    ) -> NDArray[np.float64]:
        """Return an affinity in which the rows that the oracle decides follow the ground truth.

        Args:
            step: Step of tracks in view; lost tracks are of the step ``"memory"``.
            affinity: ``(tracks, segments)``.
            tracks: Tracks of the rows.
            is_lost: ``(tracks,)``: whether each is lost.
            segments: Segments of the columns, by position in the frame. ``None`` for all.
        """
        of_view, of_lost = step in self.steps, "memory" in self.steps
        rows = (of_view & ~is_lost) | (of_lost & is_lost)
        columns = range(affinity.shape[1]) if segments is None else segments
        true = self.true_pairs(tracks, columns)
        decided: NDArray[np.float64] = np.where(true, _TRUE, _FALSE)
        return np.where(rows[:, None], decided, affinity)

    def observe(self, track_id: int, segment: int) -> None:
        """Record that a track continues with a segment of the frame of the last :meth:`look`."""
        found = self._objects[segment]
        if found != _NONE:
            self._object_of[track_id] = found
            self._owner[found] = track_id

    def merge(self, kept_id: int, other_id: int) -> None:
        """Record that a track continues as another one, which ends."""
        found = self._object_of.get(other_id, _NONE)
        if found != _NONE:
            self._object_of[kept_id] = found
            if self._owner.get(found) == other_id:
                self._owner[found] = kept_id


def true_tracks(
    truth: PanopticMap, segments: FrameSegments, is_thing: NDArray[np.bool_], where: str
) -> dict[int, int]:
    """Match segments and ground-truth tracks of a frame one to one by mask IoU, across classes.

    Args:
        truth: Ground truth of the frame.
        segments: Segments of the frame.
        is_thing: Whether each class is a thing, by class id.
        where: Name of the frame, for messages.

    Returns:
        Code of the track of each matched segment, by position of the segment.

    Raises:
        DataError: If ground truth and segments differ in size.
    """
    track_codes, iou = _iou_with_truth(truth.codes, segments, is_thing, where)
    pairs = assign(iou, np.ones(iou.shape, dtype=bool), threshold=1e-9)
    return {segment: int(track_codes[row]) for row, segment in pairs}


def _iou_with_truth(
    codes: NDArray[np.uint32], segments: FrameSegments, is_thing: NDArray[np.bool_], where: str
) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
    """Return the codes of ground-truth tracks ``(n,)``, and their IoU ``(n, segments)``."""
    if codes.shape != segments.shape:
        raise DataError(
            f"segments are {segments.shape[0]}x{segments.shape[1]} and ground truth is "
            f"{codes.shape[0]}x{codes.shape[1]} (height x width); both must have the same size",
            where=where,
        )
    is_track = is_thing[codes >> np.uint32(ID_BITS)] & ((codes & np.uint32(ID_LIMIT - 1)) > 0)
    track_codes, tracks = np.unique(codes[is_track], return_inverse=True)
    width = segments.count + 1
    covering = segments.index_map[is_track].astype(np.int64) + 1
    shared = np.bincount(tracks * width + covering, minlength=len(track_codes) * width)
    table = shared.reshape(len(track_codes), width)
    areas = np.bincount(segments.index_map.ravel() + 1, minlength=width)[1:]
    overlap = table[:, 1:].astype(np.float64)
    return track_codes, overlap / np.maximum(table.sum(axis=1)[:, None] + areas - overlap, 1)
