"""The grammar of rows: one name for a tracker with its memory and settings, in every command.

    NAME[+memory[=N]][,SETTING=VALUE...]

``sort``, ``both+memory``, ``mapt+memory=20,lost_probability=0.6``, ``mapt+memory,switch=static``,
``mapt+memory,oracle=motion``, ``mapt:appearance,weights=mine.safetensors`` and
``my_module:MyAssociator+memory`` are rows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Literal

from mapt_bench.baselines.registry import (
    AssociatorEntry,
    associator_entry,
    associator_names,
    flow_tracker_names,
    is_associator,
    mapt_tracker_names,
)
from mapt_bench.baselines.thresholds import (
    LEAST_SCORE,
    ORACLE,
    Setting,
    ThresholdsName,
    TrackerSettings,
    parse_setting,
    thresholds_named,
)
from mapt_bench.baselines.tracker_options import (
    AssociatorOptions,
    linker_settings,
    two_step_settings,
)
from mapt_bench.baselines.user_trackers import UserTracker, plugin_names, user_tracker
from mapt_bench.code_closure import not_followed
from mapt_bench.errors import ConfigError, nearest, whole_number
from mapt_bench.mapt_switches import check_switch
from mapt_bench.weights import shipped_weights

__all__ = [
    "DEFAULT_MEMORY",
    "ROW_FORM",
    "Row",
    "ThresholdsOrigin",
    "check_settings",
    "parse_row",
    "reads_truth",
    "row_name",
    "thresholds_of",
    "tracker_entry",
]

ThresholdsOrigin = Literal["tuned", "published", "own", "none"]

DEFAULT_MEMORY = 10
"""Frames that a lost track is kept for in a row that says ``+memory`` and no number."""

ROW_FORM = "NAME[+memory[=N]][,SETTING=VALUE...]"

_MEMORY = "+memory"
_SWITCH, _WEIGHTS = "switch", "weights"
_ELSEWHERE = {
    "memory": "write it as NAME+memory=N",
    "pair": "the pairing interval is the same for all rows of a table; use --pair",
}
"""What is no setting, and how to ask for it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as its name describes it.

    Attributes:
        tracker: Name of the tracker, for example ``"flow:dis+mapt"`` or ``"my_module:Mine"``.
        memory: Frames that a lost track is kept for; 0 without memory.
        settings: What the row changes about its tracker, sorted by name. Tuned thresholds are a
            property of the table and stand below these.
        switches: Parts of MAPT that are removed at inference, sorted.
        weights: Name or file of the weights of the tracker's network, as the user wrote it;
            ``None`` takes those of the command.
    """

    tracker: str
    memory: int = 0
    settings: tuple[Setting, ...] = ()
    switches: tuple[str, ...] = ()
    weights: str | None = None

    def __str__(self) -> str:
        """Return the canonical spelling, which :func:`parse_row` reads back."""
        words = [f"{name}={_spelled(value)}" for name, value in self.settings]
        words += [f"{_SWITCH}={switch}" for switch in self.switches]
        words += [] if self.weights is None else [f"{_WEIGHTS}={self.weights}"]
        return ",".join((f"{self.tracker}{_memory_words(self.memory)}", *sorted(words)))


def row_name(text: str, *, memory: int = DEFAULT_MEMORY) -> str:
    """Return the canonical spelling of a row.

    Example:
        >>> row_name("sort+memory=10,sort_iou_threshold=0.30")
        'sort+memory,sort_iou_threshold=0.3'
    """
    return str(parse_row(text, memory=memory))


def parse_row(text: str, *, memory: int = DEFAULT_MEMORY) -> Row:
    """Read a row.

    Args:
        text: ``NAME[+memory[=N]][,SETTING=VALUE...]``. NAME is a tracker of this package, an entry
            point of the group ``mapt_bench.trackers``, or ``package.module:Class``. A setting is a
            threshold of the tracker (of a user's tracker an argument of its class), ``switch=NAME``
            for a part of MAPT that is removed, or ``weights=NAME|FILE``.
        memory: Frames that ``+memory`` without a number stands for.

    Raises:
        ConfigError: If the text has another form, the tracker or a setting is unknown, a value is
            out of range, or the tracker has no memory.
        TrackerError: If a user's tracker fails while it is examined.

    Example:
        >>> parse_row("both+memory").memory, parse_row("both").memory
        (10, 0)
    """
    head, *rest = text.strip().split(",")
    tracker, plus, number = head.partition(_MEMORY)
    if plus and number and not number.startswith("="):
        tracker, plus, number = head, "", ""  # such as sort+memoryless: a name that is not known
    entry = tracker_entry(tracker)
    frames = _frames(text, plus, number, memory)
    if plus and not entry.supports_memory:
        raise ConfigError(f"row {text!r}: {_no_memory(entry)}")
    switches, weights, settings = _settings(text, rest, entry)
    return Row(tracker, frames, settings, switches, weights)


@not_followed
def tracker_entry(name: str) -> AssociatorEntry | UserTracker:
    """Return what is known of a tracker before it is built.

    Args:
        name: As in a row, without memory and settings.

    Raises:
        ConfigError: If there is no tracker of that name, or it cannot be imported.
        TrackerError: If a user's tracker fails while it is examined.
    """
    if is_associator(name):
        return associator_entry(name)
    if ":" in name or name in plugin_names():
        return user_tracker(name)
    if name in shipped_weights():
        raise ConfigError(
            f"{name!r} is a name of weights, not of a tracker; write mapt,weights={name}"
        )
    known = [*associator_names(), *mapt_tracker_names(), *flow_tracker_names(), *plugin_names()]
    head, _, tail = name.partition("=")[0].rpartition("+")
    hint = nearest(name, known)
    if is_associator(head) and get_close_matches(f"+{tail}", [_MEMORY], cutoff=0.6):
        hint = f"did you mean {f'{head}{_MEMORY}'!r}? {nearest('', known)}"
    module, dot, attribute = name.rpartition(".")
    if dot and module:
        hint = f"did you mean '{module}:{attribute}'? {nearest('', known)}"
    raise ConfigError(
        f"unknown tracker {name!r}; {hint}; or package.module:Class. A row is {ROW_FORM}"
    )


def thresholds_of(tracker: str, asked: ThresholdsName) -> ThresholdsOrigin:
    """Return where a tracker's thresholds come from when a command asks for some.

    Args:
        tracker: Its name.
        asked: What the command asks for.

    Returns:
        ``"tuned"`` where the shipped file or the given one has the tracker; ``"published"`` where
        it does not, or where the published ones are asked for; ``"own"`` for a user's tracker that
        was not tuned; ``"none"`` where there are no thresholds.
    """
    entry = tracker_entry(tracker)
    if tracker in thresholds_named(asked):
        return "tuned"
    if isinstance(entry, UserTracker):
        return "own"
    if not entry.settings:
        return "none"
    return "published"


def reads_truth(tracker: str, settings: Sequence[Setting]) -> bool:
    """Return whether a tracker with these settings reads the ground truth.

    Args:
        tracker: Its name.
        settings: Its settings.
    """
    entry = tracker_entry(tracker)
    if isinstance(entry, UserTracker):
        return False
    return entry.needs_truth or any(name in ORACLE and value for name, value in settings)


def check_settings(tracker: str, settings: Sequence[Setting]) -> None:
    """Refuse settings that a tracker does not have, or whose values are out of range.

    Args:
        tracker: Its name.
        settings: For example from a thresholds file.

    Raises:
        ConfigError: If a name is unknown or a value is out of range.
    """
    _checked(tracker, dict(settings), tracker_entry(tracker))


def _frames(text: str, plus: str, number: str, memory: int) -> int:
    if not plus:
        return 0
    if not number:
        return memory
    digits = number.removeprefix("=")
    if whole_number(digits.removeprefix("-")) is None:
        raise ConfigError(f"row {text!r}: memory is {digits!r}; expected +memory=N, N in frames")
    if int(digits) < 0:
        raise ConfigError(f"row {text!r}: memory is {digits}; expected 0 frames or more")
    return int(digits)


def _no_memory(entry: AssociatorEntry | UserTracker) -> str:
    if isinstance(entry, UserTracker):
        return (
            f"tracker {entry.name!r} has no memory: its class takes no argument 'memory'; omit "
            "+memory, or add the argument"
        )
    return f"tracker {entry.name!r} has no memory; omit +memory"


def _settings(
    text: str, words: list[str], entry: AssociatorEntry | UserTracker
) -> tuple[tuple[str, ...], str | None, tuple[Setting, ...]]:
    """Return switches, weights and settings of a row."""
    switches: set[str] = set()
    found: dict[str, str | int | float] = {}
    for word in words:
        name, equals, value = word.strip().partition("=")
        if not (name and equals and value):
            raise ConfigError(
                f"row {text!r}: {word!r} is no setting; expected SETTING=VALUE, as in "
                f"sort,sort_iou_threshold=0.4; a row is {ROW_FORM}"
            )
        if name == _SWITCH and isinstance(entry, AssociatorEntry) and entry.uses_mapt:
            check_switch(value)
            switches.add(value)
            continue
        if name in found:
            raise ConfigError(f"row {text!r} gives {name} twice; keep one")
        is_text = name == _WEIGHTS and not isinstance(entry, UserTracker)
        found[name] = value if is_text else parse_setting(f"{name}={value}")[1]
    weights = None if isinstance(entry, UserTracker) else found.pop(_WEIGHTS, None)
    if weights is not None and not entry.needs_weights:
        raise ConfigError(f"row {text!r}: tracker {entry.name!r} has no weights")
    settings = _checked(text, found, entry)
    return tuple(sorted(switches)), None if weights is None else str(weights), settings


def _checked(
    text: str, found: dict[str, str | int | float], entry: AssociatorEntry | UserTracker
) -> tuple[Setting, ...]:
    for name, value in found.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"row {text!r}: {name} is {value}; expected a number")
        if name in _ELSEWHERE and not isinstance(entry, UserTracker):
            raise ConfigError(f"row {text!r}: {name} is no setting; {_ELSEWHERE[name]}")
    if isinstance(entry, UserTracker):
        for name in set(found) & set(_ELSEWHERE):
            raise ConfigError(f"row {text!r}: {name} is no setting; {_ELSEWHERE[name]}")
        entry.check(found)
        return tuple(sorted(found.items()))
    for name in found:
        known = sorted({*entry.settings, LEAST_SCORE})
        if name not in known:
            raise ConfigError(
                f"tracker {entry.name!r} has no setting {name!r}; {nearest(name, known)}"
            )
    checked = TrackerSettings.from_mapping(found)
    for is_learned in (False, True):  # the ranges of the fusion's settings
        two_step_settings(AssociatorOptions(0, 1, None, checked), is_learned=is_learned)
    linker_settings(AssociatorOptions(0, 1, None, checked))
    floats = {field.name for field in fields(TrackerSettings) if isinstance(field.default, float)}
    values = {name: getattr(checked, name) for name in found}
    return tuple(
        sorted((name, float(value) if name in floats else value) for name, value in values.items())
    )


def _memory_words(memory: int) -> str:
    if memory == 0:
        return ""
    return _MEMORY if memory == DEFAULT_MEMORY else f"{_MEMORY}={memory}"


def _spelled(value: str | int | float) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
