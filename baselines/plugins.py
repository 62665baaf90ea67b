"""Trackers that somebody else wrote: ``package.module:Class``, or an entry point."""

import inspect
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

from mapt_bench.errors import ConfigError, MaptBenchError, TrackerError
from mapt_bench.tracking import Tracker
from mapt_bench.user_code import attribute_of

__all__ = ["ENTRY_POINT_GROUP", "load_tracker", "plugin_names"]

ENTRY_POINT_GROUP = "mapt_bench.trackers"
"""Installed packages offer trackers under this group; each leads to a tracker class."""


def plugin_names() -> tuple[str, ...]:
    """Names of the trackers that installed packages offer, sorted."""
    return tuple(sorted({point.name for point in entry_points(group=ENTRY_POINT_GROUP)}))


def load_tracker(name: str) -> Tracker:
    """Build a tracker that is not part of this package.

    Args:
        name: ``package.module:Class``, looked for in the current folder too, or the name of an
            entry point of the group ``mapt_bench.trackers``. The class (or any function) is
            called without arguments and must return something with ``start`` and ``step``.

    Raises:
        ConfigError: If it is not found, cannot be imported, or is no tracker.
        TrackerError: If its own code fails while it is built.
    """
    points = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    factory = _from_entry_point(points[name]) if name in points else _from_path(name)
    try:
        inspect.signature(factory).bind()
    except TypeError as problem:
        raise ConfigError(
            f"tracker {name!r} must be built without arguments, but {problem}; give it defaults"
        ) from problem
    except ValueError:  # some classes written in C tell no signature: building will show
        pass
    try:
        tracker = factory()
    except MaptBenchError:
        raise
    except Exception as problem:  # whatever a user's code may raise
        raise TrackerError(
            f"tracker {name!r} could not be built: {type(problem).__name__}: {problem}"
        ) from problem
    lacking = [word for word in ("start", "step") if not callable(getattr(tracker, word, None))]
    if lacking or not isinstance(tracker, Tracker):
        raise ConfigError(
            f"{name!r} is no tracker: it lacks {' and '.join(lacking)}; a tracker has "
            "start(info) and step(frame) -> PanopticMap"
        )
    return tracker


def _from_entry_point(point: EntryPoint) -> Callable[[], object]:
    try:
        found = point.load()
    except Exception as problem:  # whatever somebody's module may raise
        raise ConfigError(
            f"tracker {point.name!r} is offered as {point.value!r}, which cannot be imported: "
            f"{problem}; repair or remove that package"
        ) from problem
    return _callable(found, point.name)


def _from_path(name: str) -> Callable[[], object]:
    return _callable(attribute_of(name, kind="tracker", form="package.module:Class"), name)


def _callable(found: object, name: str) -> Callable[[], object]:
    if not callable(found):
        raise ConfigError(f"{name!r} is a {type(found).__name__}; expected a tracker class")
    return found
