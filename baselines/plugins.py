"""Trackers that somebody else wrote: ``package.module:Class``, or an entry point."""

import importlib
import inspect
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from mapt_bench.errors import ConfigError, MaptBenchError, TrackerError, nearest
from mapt_bench.tracking import Tracker

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
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        raise ConfigError(f"{name!r} is no tracker; expected package.module:Class")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as problem:
        if problem.name and (module_name + ".").startswith(problem.name + "."):
            raise ConfigError(
                f"there is no module {problem.name!r} for tracker {name!r}, neither installed "
                "nor in the current folder",
                where=here,
            ) from problem
        raise ConfigError(
            f"module {module_name!r} of tracker {name!r} needs {problem.name!r}, which is not "
            "installed"
        ) from problem
    except Exception as problem:  # whatever a user's module may raise
        raise ConfigError(
            f"module {module_name!r} of tracker {name!r} cannot be imported: "
            f"{type(problem).__name__}: {problem}"
        ) from problem
    if not hasattr(module, attribute):
        public = [word for word in vars(module) if not word.startswith("_")]
        raise ConfigError(
            f"module {module_name!r} has no {attribute!r}; {nearest(attribute, public)}",
            where=module.__file__,
        )
    return _callable(getattr(module, attribute), name)


def _callable(found: object, name: str) -> Callable[[], object]:
    if not callable(found):
        raise ConfigError(f"{name!r} is a {type(found).__name__}; expected a tracker class")
    return found
