"""Rules of the gate from a YAML file such as ``gate.yaml``."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mapt_bench.compare._limits import (
    Acceptance,
    Allowed,
    GateRules,
    Limit,
    Scope,
    check_direction,
)
from mapt_bench.errors import ConfigError
from mapt_bench.files import read_text
from mapt_bench.strict_config import from_mapping, load_yaml

__all__ = ["load_gate"]


_OPTIONS = {
    "max_drop": ("max-drop", "max_rise"),
    "max_drop_percent": ("max-drop", "max_rise_percent"),
    "max_rise": ("max-rise", "max_drop"),
    "max_rise_percent": ("max-rise", "max_drop_percent"),
    "min": ("min", "max"),
    "max": ("max", "min"),
}
"""For each key with a number: its option, and the key for scores of the other direction."""


@dataclass(frozen=True)
class _Entry:
    """Limits on one score in a file. Numbers have the units of the options."""

    score: str
    row: str | None = None
    sequence: str | None = None
    max_drop: float | None = None
    max_drop_percent: float | None = None
    max_rise: float | None = None
    max_rise_percent: float | None = None
    min: float | None = None
    max: float | None = None
    exact: bool = False
    noise_aware: bool = False
    severity: Literal["error", "warning"] | None = None

    def limits(self, place: str) -> list[Limit]:
        """Return one limit for each key.

        Args:
            place: Place of the entry in the file, such as ``limits[0]``, for messages.

        Raises:
            ConfigError: If there is none, one limits an improvement, or one cannot be noise-aware.
        """
        found = [
            self._limit(f"{place}.{key}", key, number)
            for key in _OPTIONS
            if (number := getattr(self, key)) is not None
        ]
        found += [Limit.exact(self.score)] if self.exact else []
        if not found:
            raise ConfigError(
                f"the entry on {self.score} limits nothing; give it max_drop, max_rise, min, max "
                "or exact"
            )
        found = [
            replace(
                limit,
                scope=Scope(self.row, self.sequence),
                is_noise_aware=self.noise_aware,
                severity=self.severity,
            )
            for limit in found
        ]
        for limit in found:
            if problem := limit.noise_problem():
                raise ConfigError(
                    f"{place}.noise_aware is true, but the limit {limit} cannot be noise-aware: "
                    f"{problem}; give this limit an entry without noise_aware"
                )
        return found

    def _limit(self, place: str, key: str, number: float) -> Limit:
        option, opposite = _OPTIONS[key]
        if number < 0 and option not in ("min", "max"):
            raise ConfigError(f"{place} is {number:.15g}; expected a number of at least 0")
        check_direction(option, self.score, f"{place} of {self.score}", opposite)
        is_percent = key.endswith("_percent")
        return Limit.of_number(option, self.score, number, is_percent=is_percent)


@dataclass(frozen=True)
class _File:
    limits: tuple[_Entry, ...] = ()
    allow: tuple[Allowed, ...] = ()
    accepted: tuple[Acceptance, ...] = ()


def load_gate(path: Path) -> GateRules:
    """Read the rules of a gate from a YAML file.

    Args:
        path: The file, see ``docs/compare.md``.

    Raises:
        ConfigError: If the file cannot be read, is not YAML, or has an unknown key or a wrong
            value. The message names the nearest key.
    """
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(
            f"cannot be read ({problem}); give a YAML file with limits", where=path
        ) from problem
    file = from_mapping(_File, load_yaml(text, where=path), what="the gate", where=path)
    limits: list[Limit] = []
    for at, entry in enumerate(file.limits):
        try:
            limits += entry.limits(f"limits[{at}]")
        except ConfigError as problem:
            raise ConfigError(problem.message, where=path) from problem
    return GateRules(tuple(limits), file.allow, file.accepted)
