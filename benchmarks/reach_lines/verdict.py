"""Whether a line is reached: all of its conditions hold, some do not, or it cannot be said."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from mapt_bench.reports.tables import Table
from reach_lines.seed_run import Measured

State = Literal["reached", "not reached", "undefined"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a line asks for.

    Attributes:
        text: What was found, put so that it reads as the reason for a failure.
        holds: ``None`` where it cannot be said; ``text`` is then the reason.
    """

    text: str
    holds: bool | None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of what has to be reached.

    Attributes:
        name: In two or three words.
        wanted: What it asks for.
        state: Whether it is reached.
        reasons: Why it is not, or why that cannot be said.
        table: The numbers.
    """

    name: str
    wanted: str
    state: State
    reasons: tuple[str, ...]
    table: Table

    def to_dict(self) -> dict[str, object]:
        """Return the same, ready for JSON."""
        return {
            "name": self.name,
            "wanted": self.wanted,
            "state": self.state,
            "reasons": list(self.reasons),
            "table": self.table.to_dict(),
        }


def judge(conditions: Iterable[Condition]) -> tuple[State, tuple[str, ...]]:
    """Return the state of a line, and each reason once.

    What fails decides, whatever cannot be said beside it.
    """
    every = list(conditions)
    failed = [each.text for each in every if each.holds is False]
    unknown = [each.text for each in every if each.holds is None]
    if failed:
        return "not reached", tuple(dict.fromkeys(failed))
    return ("undefined", tuple(dict.fromkeys(unknown))) if unknown else ("reached", ())


def average(found: Sequence[Measured]) -> Measured:
    """Return the mean over training seeds; undefined where one is."""
    for each in found:
        if each.value is None:
            return Measured(None, reason=each.reason)
    return Measured(math.fsum(each.value or 0 for each in found) / len(found))


def at_least(what: str, found: Measured, bound: float) -> Condition:
    """Ask that a fraction is no less than a bound."""
    if found.value is None:
        return Condition(found.reason or f"{what} is undefined", None)
    return Condition(
        f"{what} is {100 * found.value:.2f}, below {100 * bound:.2f}", found.value >= bound
    )


def at_most(what: str, found: Measured, bound: float) -> Condition:
    """Ask that a fraction is no more than a bound."""
    if found.value is None:
        return Condition(found.reason or f"{what} is undefined", None)
    return Condition(
        f"{what} is {100 * found.value:.2f}, above {100 * bound:.2f}", found.value <= bound
    )


def above(what: str, found: Measured, other_name: str, other: Measured) -> Condition:
    """Ask that a fraction is more than another."""
    for each in (found, other):
        if each.value is None:
            return Condition(each.reason or f"{what} is undefined", None)
    mine, theirs = float(found.value or 0), float(other.value or 0)
    return Condition(
        f"{what} is {100 * mine:.2f}, not above the {100 * theirs:.2f} of {other_name}",
        mine > theirs,
    )


def interval_above_zero(what: str, found: Measured) -> Condition:
    """Ask that the whole interval of a difference is above zero."""
    return _with_interval(what, found, lambda low, _: low > 0)


def interval_not_below_zero(what: str, found: Measured) -> Condition:
    """Ask that the interval of a difference is not wholly below zero."""
    return _with_interval(what, found, lambda _, high: high >= 0)


def _with_interval(what: str, found: Measured, holds: Callable[[float, float], bool]) -> Condition:
    if found.interval is None:
        return Condition(found.reason or f"{what} has no interval", None)
    low, high = found.interval
    return Condition(
        f"{what} has the confidence interval [{100 * low:.2f}, {100 * high:.2f}]",
        holds(low, high),
    )
