"""Trackers that a user wrote: ``package.module:Class``, or an entry point of a package.

An *associator* has ``start(info)`` and ``associate(frame, segments)``; it links the segments of a
segmenter. A *whole tracker* has ``start(info)`` and ``step(frame)``; it finds its own segments.
"""

import inspect
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.baselines.registry import TrackerEntry
from mapt_bench.errors import ConfigError, DataError, MaptBenchError, TrackerError, a_type, nearest
from mapt_bench.labels import ID_LIMIT, Frame, PanopticMap, VideoInfo
from mapt_bench.tracking import Association, Associator, FrameSegments, Tracker
from mapt_bench.tracking.loop import UserCode, blamed
from mapt_bench.user_code import attribute_of, failure_of, running, source_fingerprint

__all__ = ["ENTRY_POINT_GROUP", "UserTracker", "plugin_names", "user_tracker", "wrapped_tracker"]

ENTRY_POINT_GROUP = "mapt_bench.trackers"
"""Installed packages offer trackers under this group; each leads to a tracker class."""

_FORM = "package.module:Class"
_ASSOCIATOR, _WHOLE = "associate", "step"
_MEMORY, _PAIR = "memory", "pair"
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, kw_only=True)
class UserTracker(TrackerEntry):
    """What is known of a user's tracker before it is built.

    Attributes:
        factory: The class, or a function that returns a tracker.
        is_whole: Whether it finds its own segments, rather than linking given ones.
        parameters: Names of the arguments that its settings may set.
        takes_anything: Whether it takes settings of any name.
        fingerprint: Hash of its source, see :func:`~mapt_bench.user_code.source_fingerprint`.
    """

    factory: Callable[..., object]
    is_whole: bool
    parameters: tuple[str, ...]
    takes_anything: bool
    fingerprint: str

    def check(self, settings: Mapping[str, Any]) -> None:
        """Refuse settings that its class does not take, or the lack of one that it needs.

        Raises:
            ConfigError: If a name is unknown, or an argument without a default is missing.
        """
        for name in settings:
            if name not in self.parameters and not self.takes_anything:
                raise ConfigError(
                    f"tracker {self.name!r} has no setting {name!r}; settings are the arguments "
                    f"of its class; {nearest(name, self.parameters)}"
                )
        try:
            _signature(self.factory).bind(**settings, **self._given(0, 1))
        except TypeError as problem:
            raise ConfigError(
                f"tracker {self.name!r} cannot be built: {problem}; give the argument a default, "
                f"or write it in the row, as in {self.name},NAME=VALUE"
            ) from problem

    def build(
        self, settings: Mapping[str, Any], *, memory: int = 0, pair: int = 1
    ) -> Associator | Tracker:
        """Build one.

        Args:
            settings: Arguments of its class.
            memory: Frames that a lost track is kept for; passed on if the class takes it.
            pair: Pairing interval in frames; passed on if the class takes it.

        Raises:
            ConfigError: If settings do not fit, or what is built is no such tracker.
            TrackerError: If its own code fails.
        """
        self.check(settings)
        built = _built(self.name, self.factory, {**settings, **self._given(memory, pair)})
        if _is_whole(self.name, built) != self.is_whole:
            raise ConfigError(f"{self.name!r} builds trackers of two kinds; write two functions")
        return _WholeTracker(self.name, built) if self.is_whole else _Linker(self.name, built)

    def _given(self, memory: int, pair: int) -> dict[str, int]:
        return {
            **({_MEMORY: memory} if self.supports_memory else {}),
            **({_PAIR: pair} if self.supports_pair else {}),
        }


def plugin_names() -> tuple[str, ...]:
    """Names of the trackers that installed packages offer, sorted."""
    return tuple(sorted(_points(entry_points)))


@lru_cache(maxsize=1)
def _points(installed: Callable[..., Iterable[EntryPoint]]) -> dict[str, EntryPoint]:
    """Return the offered trackers by name. Searching all packages is slow, so it is done once."""
    return {point.name: point for point in installed(group=ENTRY_POINT_GROUP)}


def user_tracker(name: str) -> UserTracker:
    """Import a user's tracker and say what it is.

    A class that takes an argument ``memory`` supports ``+memory``, and one that takes ``pair`` a
    pairing interval. ``needs_images = False`` on the class says that it reads no images.

    Args:
        name: ``package.module:Class``, looked for in the current folder too, or the name of an
            entry point of the group ``mapt_bench.trackers``.

    Raises:
        ConfigError: If it is not found, cannot be imported, or is not a tracker.
        TrackerError: If its own code fails.
    """
    points = {} if ":" in name else _points(entry_points)
    if name in points:
        found, module = _of_entry_point(points[name]), points[name].module
    else:
        found = attribute_of(name, kind="tracker", form=_FORM)
        module = name.partition(":")[0]
    if not callable(found):
        raise ConfigError(
            f"{name!r} is an object of type {type(found).__name__}; expected a tracker class, "
            f"{_FORM}"
        )
    with blamed(name, None):
        hash(found)  # the key of what is known of it
    return _examined(name, found, module)


def wrapped_tracker(tracker: object) -> Associator | Tracker:
    """Return a user's tracker object with the checks that trackers have when named.

    Args:
        tracker: Object with ``start(info)``, and ``associate(frame, segments)`` or ``step(frame)``.

    Raises:
        ConfigError: If it is neither an associator nor a whole tracker, or could be both.
    """
    name = f"{type(tracker).__module__}:{type(tracker).__qualname__}"
    return _WholeTracker(name, tracker) if _is_whole(name, tracker) else _Linker(name, tracker)


@lru_cache(maxsize=32)
def _examined(name: str, found: Callable[..., object], module: str) -> UserTracker:
    """Return what is known of a class or function; a function is called to see what it builds."""
    with blamed(name, None):
        parameters = _signature(found).parameters.values()
        shown = found if _has_method(found) else _called(name, found)
        needs_images = getattr(shown, "needs_images", True)
        summary = (inspect.getdoc(found) or "a tracker of the user").partition("\n")[0]
    named = tuple(each.name for each in parameters if each.kind in _NAMED)
    return UserTracker(
        name=name,
        summary=summary,
        # A property says nothing before the tracker is built: then images count as read.
        needs_images=needs_images if isinstance(needs_images, bool) else True,
        supports_pair=_PAIR in named,
        supports_memory=_MEMORY in named,
        factory=found,
        is_whole=_is_whole(name, shown),
        parameters=tuple(each for each in named if each not in (_MEMORY, _PAIR)),
        takes_anything=any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters),
        fingerprint=source_fingerprint(module),
    )


def _called(name: str, found: Callable[..., object]) -> object:
    """Return what a function of the user builds.

    Raises:
        ConfigError: If it needs arguments.
        TrackerError: If its code fails.
    """
    try:
        _signature(found).bind()
    except TypeError as problem:
        kind = "class without step and associate" if isinstance(found, type) else "function"
        raise ConfigError(
            f"{name!r} is a {kind} that cannot be called without arguments ({problem}); expected "
            "a tracker class, or a function without arguments that returns a tracker"
        ) from problem
    return _built(name, found, {})


def _of_entry_point(point: EntryPoint) -> object:
    try:
        with running():
            return point.load()
    except Exception as problem:  # whatever a user's module may raise
        raise ConfigError(
            f"tracker {point.name!r} is offered as {point.value!r}, which cannot be imported: "
            f"{failure_of(problem)}; repair or remove that package"
        ) from problem


def _signature(factory: Callable[..., object]) -> inspect.Signature:
    try:
        return inspect.signature(factory)
    except ValueError:  # some classes written in C have no signature
        return inspect.Signature()


def _built(name: str, factory: Callable[..., object], arguments: Mapping[str, Any]) -> object:
    try:
        with running():
            return factory(**arguments)
    except MaptBenchError:
        raise
    except Exception as problem:  # whatever a user's code may raise
        raise TrackerError(
            f"tracker {name!r} could not be built: {failure_of(problem)}"
        ) from problem


def _has_method(found: object) -> bool:
    return any(callable(getattr(found, word, None)) for word in (_ASSOCIATOR, _WHOLE))


def _is_whole(name: str, found: object) -> bool:
    """Return whether a class or an instance is a whole tracker, rather than an associator.

    Raises:
        ConfigError: If it is neither, or could be both.
    """
    with blamed(name, None):
        links, steps, starts = (
            callable(getattr(found, word, None)) for word in (_ASSOCIATOR, _WHOLE, "start")
        )
    if links and steps:
        raise ConfigError(
            f"{name!r} has both associate and step; an associator links given segments, a whole "
            "tracker finds its own; rename one of the two methods"
        )
    if not (links or steps) or not starts:
        raise ConfigError(
            f"{name!r} is no tracker: it lacks "
            f"{'start' if links or steps else 'step and associate'}; a whole tracker has "
            "start(info) and step(frame) -> PanopticMap, an associator start(info) and "
            "associate(frame, segments) -> Association"
        )
    return steps


class _WholeTracker(UserCode):
    """A user's whole tracker: it gets a copy of each image, which others read as well."""

    def __init__(self, name: str, tracker: Any) -> None:  # noqa: ANN401 - checked before
        super().__init__(name)
        self._tracker = tracker
        self.needs_images = _needs_images(name, tracker)
        self.delay = _delay(name, tracker)
        self._owed = 0

    def start(self, info: VideoInfo) -> None:
        """Start the user's tracker."""
        with blamed(self.name, info.name):
            self._tracker.start(info)
        self._video = info.name
        self._owed = 0

    def step(self, frame: Frame) -> PanopticMap | None:
        """Return what the user's tracker returns; the loop checks it."""
        with blamed(self.name, f"{self._video}/{frame.name}"):
            found: PanopticMap | None = self._tracker.step(_own_frame(frame))
        self._owed += found is None
        return found

    def finish(self) -> Sequence[PanopticMap]:
        """Return the last maps of a user's tracker with a delay, and at most one too many."""
        with blamed(self.name, self._video):
            return list(islice(self._tracker.finish(), self._owed + 1))


class _Linker(UserCode):
    """A user's associator: what it returns is checked, and what it gets belongs to others too."""

    def __init__(self, name: str, associator: Any) -> None:  # noqa: ANN401 - checked before
        super().__init__(name)
        self._associator = associator
        self.needs_images = _needs_images(name, associator)
        self.delay = _delay(name, associator)
        self._waiting: deque[tuple[FrameSegments, str]] = deque()

    def start(self, info: VideoInfo) -> None:
        """Start the user's associator."""
        with blamed(self.name, info.name):
            self._associator.start(info)
        self._video = info.name
        self._waiting.clear()

    def associate(self, frame: Frame, segments: FrameSegments) -> Association | None:
        """Return what the user's associator decides.

        Raises:
            DataError: If it is no decision about these segments.
            TrackerError: If the user's code fails.
        """
        where = f"{self._video}/{frame.name}"
        with blamed(self.name, where):
            found = self._associator.associate(_own_frame(frame), _read_only(segments))
        self._waiting.append((segments, where))
        if found is None and len(self._waiting) <= self.delay:
            return None
        return _checked(self.name, found, *self._waiting.popleft())

    def finish(self) -> list[Association]:
        """Return the last decisions of a user's associator with a delay."""
        owed, self._waiting = list(self._waiting), deque()
        with blamed(self.name, self._video):
            rest = list(islice(self._associator.finish(), len(owed) + 1))  # it may never end
        if len(rest) != len(owed):
            number = len(rest) if len(rest) < len(owed) else f"more than {len(owed)}"
            raise DataError(
                f"tracker {self.name}: finish returned {number} decisions; expected "
                f"{len(owed)}, one for each frame that was not returned yet",
                where=self._video,
            )
        return [_checked(self.name, found, *each) for found, each in zip(rest, owed, strict=True)]


def _needs_images(name: str, tracker: object) -> bool:
    with blamed(name, None):
        return bool(getattr(tracker, "needs_images", True))


def _delay(name: str, tracker: object) -> int:
    """Return the delay of a user's tracker in frames; 0 where it states none."""
    with blamed(name, None):
        delay = getattr(tracker, "delay", 0)
        ends = callable(getattr(tracker, "finish", None))
        if isinstance(delay, bool) or not isinstance(delay, int) or delay < 0:
            raise ConfigError(
                f"tracker {name!r} has a delay of {delay!r}; expected 0 frames or more"
            )
    if delay and not ends:
        raise ConfigError(
            f"tracker {name!r} has a delay of {delay} frames and no method finish(); add one that "
            "returns what the last frames are owed"
        )
    return delay


def _own_frame(frame: Frame) -> Frame:
    return Frame(frame.index, frame.name, frame.image.copy if frame.has_image else None)


def _read_only(segments: FrameSegments) -> FrameSegments:
    embeddings = segments.embeddings
    return replace(
        segments,
        stuff=_locked(segments.stuff),
        index_map=_locked(segments.index_map),
        class_ids=_locked(segments.class_ids),
        scores=_locked(segments.scores),
        embeddings=None if embeddings is None else _locked(embeddings),
    )


def _locked(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _checked(name: str, found: object, segments: FrameSegments, where: str) -> Association:
    """Return what a user's associator decided, in values that nothing after this can trip over.

    Raises:
        DataError: If it is no decision about these segments.
        TrackerError: If it cannot be read, such as an object with a property that raises.
    """
    with blamed(name, where):
        if not isinstance(found, Association):
            raise _refused(f"{a_type(found)}; expected an Association")
        ids = _ids_of(found, segments)
        steps, ages = _listed_of(found, "steps"), _listed_of(found, "ages")
        if {len(steps), len(ages)} - {0, segments.count}:
            raise _refused(
                f"{len(steps)} steps and {len(ages)} ages; expected {segments.count} of each, one "
                "a segment, or none"
            )
        for step in steps:
            if not isinstance(step, str):
                raise _refused(f"steps with {a_type(step)}; expected texts, such as 'new'")
        return Association(ids, tuple(map(str, steps)), tuple(map(_age, ages)))


def _refused(found: str) -> DataError:
    return DataError(f"associate returned {found}")


def _listed_of(found: Association, name: str) -> Sequence[object]:
    values: object = getattr(found, name)
    if not isinstance(values, tuple | list | np.ndarray) or getattr(values, "ndim", 1) != 1:
        raise _refused(f"{name} that are {a_type(values)}; expected a tuple, one value a segment")
    return list(values)


def _age(age: object) -> int:
    if not isinstance(age, int | np.integer):
        raise _refused(f"ages with {a_type(age)}; expected whole numbers of frames")
    return int(age)


def _ids_of(found: Association, segments: FrameSegments) -> NDArray[np.int64]:
    ids = np.asarray(found.ids)
    if ids.shape != (segments.count,) or not (np.issubdtype(ids.dtype, np.integer) or not ids.size):
        raise _refused(
            f"ids of shape {ids.shape} and type {ids.dtype}; expected {segments.count} whole "
            "numbers, one a segment"
        )
    if (ids == 0).any():
        raise _refused("id 0; expected ids from 1 upwards, or a negative one to drop a segment")
    if (ids >= ID_LIMIT).any():
        raise _refused(
            f"id {ids.max()}; expected ids up to {ID_LIMIT - 1}; number the tracks from 1 upwards"
        )
    given = list(zip(segments.class_ids.tolist(), ids.tolist(), strict=True))
    twice = [number for kind, number in given if number > 0 and given.count((kind, number)) > 1]
    if twice:
        raise _refused(
            f"id {twice[0]} for two segments of one class; expected an id of its own for each, or "
            "a negative one to drop a segment"
        )
    return ids.astype(np.int64)
