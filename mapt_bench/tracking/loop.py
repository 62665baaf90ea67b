"""The one loop that runs a tracker over a video: it checks, blames, counts and times."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice
from operator import index as whole
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError, MaptBenchError, TrackerError, a_type
from mapt_bench.faults import full_disk
from mapt_bench.labels import PanopticMap, Video, VideoInfo, check_map_classes
from mapt_bench.tracking.protocol import LateTracker, SegmentTracker, Tracker
from mapt_bench.user_code import failure_of, running

__all__ = ["Decision", "TrackerRun", "UserCode", "blamed", "run_tracker"]

_OURS = __name__.partition(".")[0]


class UserCode:
    """A wrapper of this package round a tracker of the user, which is named in its place.

    Args:
        name: ``module:Class`` of the user's tracker.
    """

    def __init__(self, name: str) -> None:
        self.name = name


class Decision(NamedTuple):
    """The identity of one segment.

    Attributes:
        frame: Position of the frame.
        class_id: Class of the segment.
        identity: Its identity.
        step: Step that gave the identity, as in :class:`~mapt_bench.tracking.Association`.
        was_lost: Whether its track was lost.
    """

    frame: int
    class_id: int
    identity: int
    step: str
    was_lost: bool


class TrackerRun:
    """One pass of a tracker over a video.

    Read :meth:`maps` to its end before you read the counts.

    Args:
        tracker: Any tracker.
        video: What it tracks.
        pair: Its pairing interval, in frames.
    """

    def __init__(self, tracker: Tracker, video: Video, *, pair: int = 1) -> None:
        self._tracker = tracker
        self._video = video
        self._pair = pair
        self._seconds: list[float] = []
        if isinstance(tracker, UserCode):
            self._name = tracker.name
        else:
            self._name = f"{type(tracker).__module__}:{type(tracker).__qualname__}"

    def maps(self) -> Iterator[PanopticMap]:
        """Yield the tracker's map of each frame, checked.

        Raises:
            DataError: If the tracker returns no map of the video's size, or an unknown class.
            TrackerError: If the tracker's own code fails. The message names the tracker, the
                sequence and the frame.
        """
        tracker, info = self._tracker, self._video.info
        is_whole = not isinstance(tracker, SegmentTracker)
        name, delay = self._name, self.delay
        with blamed(name, info.name):
            reads_images = is_whole and bool(getattr(tracker, "needs_images", True))
            tracker.start(info)
        done = 0
        for index in range(info.frame_count):
            frame = self._video.frame(index)
            if frame.has_image and reads_images:
                _ = frame.image  # the frame keeps it: reading costs the tracker no time
            with blamed(name, f"{info.name}/{frame.name}"):
                began = perf_counter()
                panoptic_map = tracker.step(frame)
                self._seconds.append(perf_counter() - began)
            if panoptic_map is None and index < delay:
                continue
            yield _checked(name, panoptic_map, info, done)
            done += 1
        for panoptic_map in self._rest(info.frame_count - done) if delay else ():
            yield _checked(name, panoptic_map, info, done)
            done += 1
        if done != info.frame_count:
            with blamed(name, info.name):
                raise DataError(
                    f"the tracker returned {done} maps of {info.frame_count} frames; expected one "
                    f"a frame: with a delay of {delay}, step returns None {delay} times, and "
                    "finish returns as many maps"
                )

    @property
    def delay(self) -> int:
        """Frames by which the tracker returns maps late."""
        with blamed(self._name, self._video.info.name):
            return whole(self._tracker.delay) if isinstance(self._tracker, LateTracker) else 0

    def _rest(self, owed: int) -> Sequence[PanopticMap]:
        """Return the maps that the tracker still owes, and at most one more."""
        if not isinstance(self._tracker, LateTracker):
            return ()
        with blamed(self._name, self._video.info.name):
            began = perf_counter()
            rest = list(islice(self._tracker.finish(), owed + 1))
            if self._seconds:
                self._seconds[-1] += perf_counter() - began
        return rest

    @property
    def matches(self) -> dict[str, int]:
        """Segments by the step that gave them their identity; empty for whole trackers."""
        counted: Counter[str] = Counter()
        if isinstance(self._tracker, SegmentTracker):
            for association in self._tracker.associations:
                counted.update(association.steps)
        return dict(sorted(counted.items()))

    def decisions(self) -> Iterator[Decision]:
        """Yield each segment with an identity, and the step that gave it; none of whole trackers.

        Associators of users may state no steps. Their segments are omitted.
        """
        if not isinstance(self._tracker, SegmentTracker):
            return
        tracker = self._tracker
        found = zip(tracker.associations, tracker.class_ids, strict=True)
        for frame, (association, classes) in enumerate(found):
            ages = association.ages or (0,) * len(association.steps)
            each = zip(classes.tolist(), association.ids.tolist(), strict=True)
            known = zip(each, association.steps, ages, strict=False)
            for (class_id, identity), step, age in known:
                if identity >= 0:
                    yield Decision(frame, class_id, identity, step, age > self._pair)

    @property
    def recovered(self) -> int:
        """Segments that got the identity of a lost track; 0 for whole trackers."""
        if not isinstance(self._tracker, SegmentTracker):
            return 0
        return sum(age > self._pair for found in self._tracker.associations for age in found.ages)

    @property
    def seconds(self) -> tuple[float, ...]:
        """Seconds a frame, images already read: of association, or of a whole tracker's step."""
        tracker = self._tracker
        seconds = tracker.seconds if isinstance(tracker, SegmentTracker) else self._seconds
        return tuple(round(value, 6) for value in seconds)


def run_tracker(tracker: Tracker, video: Video) -> Iterator[PanopticMap]:
    """Run a tracker over a video and yield its map of each frame, checked.

    Args:
        tracker: Any tracker, for example of :func:`mapt_bench.build_tracker`.
        video: Video to track.

    Raises:
        DataError: If the tracker returns no map of the video's size, or an unknown class.
        TrackerError: If the tracker's own code fails. The message names the tracker, the sequence
            and the frame.
    """
    return TrackerRun(tracker, video).maps()


@contextmanager
def blamed(name: str, where: str | None) -> Iterator[None]:
    """Name the tracker that fails, with the place. Errors with a place of their own pass unchanged.

    An error without a place, such as that of an id that does not fit into a map, gets both. What a
    user's tracker prints goes to stderr, because stdout is for results.

    Args:
        name: ``module:Class`` of the tracker.
        where: Sequence and frame.

    Raises:
        TrackerError: In place of any other exception of a user's tracker. An exception of a tracker
            of this package is a bug: it passes, with a note of the place.
    """
    is_ours = name.partition(".")[0] == _OURS
    try:
        with nullcontext() if is_ours else running():
            yield
    except Exception as problem:  # a user's code may raise anything
        if isinstance(problem, MaptBenchError) and (is_ours or _is_of_package(problem)):
            if problem.where is not None or where is None:
                raise
            named = is_ours or name in problem.message
            message = problem.message if named else f"tracker {name}: {problem.message}"
            raise type(problem)(message, where=where) from problem
        full = full_disk(problem)
        if full is not None:
            raise full from problem
        if is_ours:
            problem.add_note(f"raised by tracker {name} at {where}")
            raise
        raise TrackerError(
            f"tracker {name} failed: {failure_of(problem)}",
            where=where,
        ) from problem


def _is_of_package(problem: MaptBenchError) -> bool:
    """Return whether an error has all that is printed of it. A user's subclass may lack that."""
    return type(problem).__module__.partition(".")[0] == _OURS


def _checked(name: str, found: object, info: VideoInfo, index: int) -> PanopticMap:
    """Return the map that a tracker returned, of this package's own class.

    Args:
        name: Name of the tracker.
        found: What it returned.
        info: Description of the video.
        index: Position of the frame.

    Raises:
        DataError: If it does not fit the video.
        TrackerError: If it cannot be read, such as an object with a property that raises.
    """
    if index >= info.frame_count:
        with blamed(name, info.name):
            raise DataError(
                f"the tracker returned more than {info.frame_count} maps; expected one a frame"
            )
    with blamed(name, f"{info.name}/{info.frame_names[index]}"):
        if not isinstance(found, PanopticMap):
            raise DataError(f"step returned {a_type(found)}; expected a PanopticMap")
        codes = _codes_of(found)
        if codes.shape != (info.height, info.width):
            raise DataError(
                f"the tracker's map has {codes.shape} pixels (height, width); expected "
                f"{(info.height, info.width)}"
            )
        checked = PanopticMap(codes, _empty_of(found))
        check_map_classes(checked, info.labels, None)
        return checked


def _codes_of(found: PanopticMap) -> NDArray[np.uint32]:
    codes: object = found.codes  # a subclass, or a write past its lock, may make it anything
    if not isinstance(codes, np.ndarray):
        raise DataError(f"the codes of its map are {a_type(codes)}; expected a uint32 array")
    if codes.dtype != np.uint32:
        raise DataError(f"the codes of its map are of type {codes.dtype}; expected uint32")
    return np.asarray(codes)


def _empty_of(found: PanopticMap) -> tuple[int, ...]:
    empty = tuple(map(whole, found.empty))
    outside = [code for code in empty if not 0 <= code < _CODE_LIMIT]
    if outside:
        raise DataError(
            f"its map lists the empty code {outside[0]}; expected 0 to {_CODE_LIMIT - 1}"
        )
    return empty


_CODE_LIMIT = 1 << 32
