"""Limits of a gate: how much a score may change before it fails."""

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

from mapt_bench.errors import ConfigError, nearest

__all__ = ["Limit"]

_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_GRAMMAR = re.compile(
    r"\s*(?P<score>[A-Za-z]\w*)\s*(?P<relation><=|>=|<|>)\s*(?P<threshold>[+-]?\d+(\.\d+)?)\s*"
)

_ROUNDING = 9
"""Decimals kept of a change: a drop of exactly half a point is no more than half a point."""


@dataclass(frozen=True)
class Limit:
    """A change of a score that is not accepted.

    Attributes:
        score: Name of the score, for example ``"PAT"``.
        relation: ``<``, ``<=``, ``>`` or ``>=``.
        threshold: In percentage points for shares, in counts for ``IDSW`` and ``Frag``, in
            seconds for ``seconds_per_frame``.
    """

    score: str
    relation: str
    threshold: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a limit from its one-line form.

        Raises:
            ConfigError: If the text does not have that form.

        Example:
            >>> Limit.parse("PAT<-0.5")
            Limit(score='PAT', relation='<', threshold=-0.5)
        """
        found = _GRAMMAR.fullmatch(text)
        if found is None:
            raise ConfigError(
                f"{text!r} is no limit; write SCORE, one of < <= > >=, and a number: "
                "'PAT<-0.5' fails when PAT falls by more than 0.5 percentage points, "
                "'IDSW>5' when there are more than 5 new id switches"
            )
        return cls(found["score"], found["relation"], float(found["threshold"]))

    def check_known(self, scores: Iterable[str]) -> None:
        """Refuse a limit on a score that no result has.

        Raises:
            ConfigError: With the nearest name.
        """
        known = set(scores)
        if self.score not in known:
            raise ConfigError(
                f"the limit {self} names no score of these results; {nearest(self.score, known)}"
            )

    def is_broken_by(self, change: float) -> bool:
        """Return whether a change (current minus baseline, in the limit's unit) is refused.

        Example:
            >>> Limit.parse("PAT<-0.5").is_broken_by((0.615 - 0.620) * 100)
            False
        """
        return _RELATIONS[self.relation](round(change, _ROUNDING), self.threshold)

    def __str__(self) -> str:
        return f"{self.score}{self.relation}{self.threshold:g}"
