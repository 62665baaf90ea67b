"""Limits of the gate, accepted regressions, and the options of limits."""

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import Literal, Self

from mapt_bench.errors import ConfigError, nearest
from mapt_bench.results.result_views import score_kind

__all__ = [
    "PREDICTIONS",
    "Acceptance",
    "Allowed",
    "GateRules",
    "Limit",
    "Scope",
    "check_direction",
    "name_fits",
]

Allowed = Literal["missing", "new", "undefined"]

PREDICTIONS = "predictions"
"""Pseudo-score of exact limits: the fingerprints of the predictions."""

_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "!=": operator.ne,
}

_GRAMMAR = re.compile(
    r"\s*(?P<score>[A-Za-z]\w*)\s*(?P<relation><=|>=|<|>)\s*(?P<threshold>[+-]?[0-9]{1,18}(\.[0-9]+)?)\s*"
)

_OPTION = re.compile(
    r"\s*(?P<score>[A-Za-z]\w*)\s*=\s*(?P<number>-?[0-9]{1,18}(\.[0-9]+)?)\s*(?P<percent>%?)\s*"
)

_ROUNDING = 9
"""Decimals of a change: a drop of exactly 0.5 points must not exceed a limit of 0.5 points."""

_OPTIONS: dict[str, tuple[Literal["change", "value"], str, int]] = {
    "max-drop": ("change", "<", -1),
    "max-rise": ("change", ">", 1),
    "min": ("value", "<", 1),
    "max": ("value", ">", 1),
}
"""For each option: what it limits, the relation that exceeds the limit, and the sign."""

_OPPOSITES = {"max-drop": "max-rise", "max-rise": "max-drop", "min": "max", "max": "min"}


def name_fits(name: str, pattern: str) -> bool:
    """Return whether a row or sequence has a name, or fits a pattern with ``*`` and ``?``."""
    # A name with brackets is not the set of characters that a pattern reads in it.
    return name == pattern or fnmatchcase(name, pattern)


@dataclass(frozen=True)
class Scope:
    """Rows and sequences of a limit or of an accepted regression.

    Attributes:
        row: Name of a row, or a pattern with ``*`` and ``?``. ``None`` is every row.
        sequence: Name or pattern of sequences. ``None`` is the score of all sequences together,
            and the predictions of every sequence.
    """

    row: str | None = None
    sequence: str | None = None

    def has_row(self, name: str) -> bool:
        """Return whether a row belongs to the scope."""
        return self.row is None or name_fits(name, self.row)

    def has_sequence(self, name: str | None) -> bool:
        """Return whether a sequence belongs to the scope; ``None`` is all of them together."""
        if name is None or self.sequence is None:
            return name is self.sequence is None
        return name_fits(name, self.sequence)

    def has_predictions(self, sequence: str) -> bool:
        """Return whether the predictions of a sequence belong to the scope."""
        # Predictions have fingerprints of sequences only, so there is nothing of all together.
        return self.sequence is None or self.has_sequence(sequence)

    def check_known(self, rows: Iterable[str], sequences: Iterable[str], what: str) -> None:
        """Refuse a pattern that fits no row or no sequence of both results.

        Raises:
            ConfigError: The message names the nearest row or sequence.
        """
        for kind, pattern, known, has in (
            ("row", self.row, set(rows), self.has_row),
            ("sequence", self.sequence, set(sequences), self.has_sequence),
        ):
            if pattern is not None and not any(map(has, known)):
                raise ConfigError(
                    f"{what} is on the {kind} {pattern!r}, which these results lack; "
                    f"{nearest(pattern, known)}"
                )

    def __str__(self) -> str:
        named = (("row", self.row), ("sequence", self.sequence))
        return "".join(f", {kind} {name}" for kind, name in named if name is not None)


@dataclass(frozen=True)
class Limit:
    """A change or a value of a score that is not accepted.

    Attributes:
        score: Name of the score, for example ``"PAT"``.
        relation: ``<``, ``<=``, ``>``, ``>=`` or ``!=``.
        threshold: In percentage points for shares, in counts for ``IDSW`` and ``Frag``, in
            seconds for ``seconds_per_frame``; in percent of the baseline if ``of`` says so.
        of: What is limited: the change (current minus baseline), the change in percent of the
            baseline, or the current value.
        scope: Rows and sequences that are checked.
        is_noise_aware: Whether the limit is exceeded only if the whole paired confidence interval
            over sequences exceeds it.
        severity: Whether an exceeded limit fails the gate. ``None``: measured times and memory
            only warn, everything else fails.
        text: The limit as the user wrote it.
    """

    score: str
    relation: str
    threshold: float
    of: Literal["change", "percent", "value"] = "change"
    scope: Scope = field(default=Scope(), repr=False)
    is_noise_aware: bool = field(default=False, repr=False)
    severity: Literal["error", "warning"] | None = field(default=None, repr=False)
    text: str = field(default="", repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a limit on a change from text: the score, a relation, and a number.

        Raises:
            ConfigError: If the text has another form.

        Example:
            >>> Limit.parse("PAT<-0.5")
            Limit(score='PAT', relation='<', threshold=-0.5, of='change')
        """
        found = _GRAMMAR.fullmatch(text)
        if found is None:
            raise ConfigError(
                f"{text!r} is not a limit; expected SCORE, one of < <= > >=, and a number: "
                "'PAT<-0.5' fails if PAT drops by more than 0.5 percentage points, "
                "'IDSW>5' fails if there are more than 5 new identity switches"
            )
        score, relation, number = found["score"], found["relation"], found["threshold"]
        if relation.startswith("<") and number[0].isdigit() and float(number) > 0:
            raise ConfigError(
                f"{text!r} fails without any change; write {score}{relation}-{number} to allow a "
                f"drop of {number}, {score}{relation}+{number} to ask for a gain, or --min "
                f"{score}={number} for the value itself"
            )
        return cls(score, relation, float(number), severity="error")

    @classmethod
    def of_option(cls, option: str, text: str) -> Self:
        """Read the value of ``--max-drop``, ``--max-rise``, ``--min`` or ``--max``.

        Args:
            option: Name of the option without dashes.
            text: ``SCORE=NUMBER``. For ``max-drop`` and ``max-rise``, ``NUMBER%`` is in percent of
                the baseline.

        Raises:
            ConfigError: If the text has another form, or the option limits an improvement.

        Example:
            >>> Limit.of_option("max-drop", "PAT=0.5")
            Limit(score='PAT', relation='<', threshold=-0.5, of='change')
        """
        of_change = _OPTIONS[option][0] == "change"
        found = _OPTION.fullmatch(text)
        # Only values can be negative, such as PTQ and MOTSA, and only changes can be in percent.
        if found is None or (found["number"].startswith("-") if of_change else found["percent"]):
            percent = " or percent of the baseline (PAT=2%)" if of_change else ""
            raise ConfigError(
                f"--{option} is {text!r}; expected SCORE=NUMBER, for example PAT=0.5: percentage "
                f"points, counts or seconds{percent}"
            )
        score, number, percent = found["score"], found["number"], found["percent"]
        other = _OPPOSITES[option]
        check_direction(option, score, f"--{option} {score}", f"--{other} {score}")
        limit = cls.of_number(option, score, float(number), is_percent=bool(percent))
        return replace(limit, text=f"{option} {score}={number}{percent}")

    @classmethod
    def of_number(cls, option: str, score: str, number: float, *, is_percent: bool = False) -> Self:
        """Return the limit that an option such as ``--max-drop`` states.

        Args:
            option: Name of the option without dashes.
            score: Name of the score.
            number: Number of the option, at least 0 for ``max-drop`` and ``max-rise``.
            is_percent: Whether it is in percent of the baseline.

        Example:
            >>> Limit.of_number("max", "seconds_per_frame", 0.00005)
            Limit(score='seconds_per_frame', relation='>', threshold=5e-05, of='value')
        """
        of, relation, sign = _OPTIONS[option]
        return cls(
            score,
            relation,
            sign * number,
            of="percent" if is_percent else of,
            text=f"{option} {score}={number:.15g}{'%' if is_percent else ''}",
        )

    @classmethod
    def exact(cls, score: str) -> Self:
        """Return the limit that any change of a score exceeds, in either direction.

        Args:
            score: Name of a score, or ``"predictions"`` for the fingerprints of predictions.
        """
        return cls(score, "!=", 0.0, text=f"exact {score}")

    @property
    def is_warning(self) -> bool:
        """Whether exceeding the limit only causes a warning."""
        if self.severity is not None:
            return self.severity == "warning"
        return score_kind(self.score).is_measured

    @property
    def unit(self) -> str:
        """Unit of the threshold, for messages."""
        if self.of == "percent":
            return "%"
        kind = score_kind(self.score)
        return "%" if self.of == "value" and kind.unit == "percent" else kind.difference_unit

    def check_known(
        self, scores: Iterable[str], rows: Iterable[str], sequences: Iterable[str]
    ) -> None:
        """Refuse a limit on a score, row or sequence that the results lack.

        Raises:
            ConfigError: The message names the nearest.
        """
        known = set(scores)
        if self.score not in known and self.score != PREDICTIONS:
            raise ConfigError(
                f"the limit {self} is on a score that these results lack; "
                f"{nearest(self.score, known)}"
            )
        if self.score == PREDICTIONS and self.relation != "!=":
            raise ConfigError(
                f"the limit {self} is on predictions, which have no number; use --exact predictions"
            )
        self.scope.check_known(rows, sequences, f"the limit {self}")

    def noise_problem(self) -> str | None:
        """Return why the limit cannot be noise-aware. ``None`` if it can, or need not."""
        if self.is_noise_aware and self.relation == "!=":
            return "any change exceeds an exact limit, whatever the interval of the change"
        if self.is_noise_aware and (self.of == "value" or self.scope.sequence is not None):
            return "the interval is of a change, over all sequences"
        return None

    def is_broken_by(self, amount: float) -> bool:
        """Return whether an amount in the limit's unit exceeds the limit.

        Example:
            >>> Limit.parse("PAT<-0.5").is_broken_by((0.615 - 0.620) * 100)
            False
        """
        return _RELATIONS[self.relation](round(amount, _ROUNDING), self.threshold)

    def __str__(self) -> str:
        return (self.text or f"{self.score}{self.relation}{self.threshold:g}") + str(self.scope)


def check_direction(option: str, score: str, given: str, instead: str) -> None:
    """Refuse a limit on an improvement.

    Args:
        option: Name of the option without dashes.
        score: Name of the score.
        given: What the user wrote, for the message.
        instead: What limits a regression, for the message.

    Raises:
        ConfigError: If the option limits an improvement of the score.
    """
    better = score_kind(score).higher_is_better
    harmless = {"max-drop": False, "min": False, "max-rise": True, "max": True}[option]
    if better is harmless:
        word = "lower" if harmless is False else "higher"
        raise ConfigError(
            f"{given} would limit an improvement, because a {word} {score} is better; use {instead}"
        )


@dataclass(frozen=True)
class Acceptance:
    """A regression that is accepted until a date.

    Attributes:
        score: Name of the score.
        reason: Why the regression is accepted. It is printed every time.
        expires: Last day on which it is accepted.
        row: Name or pattern of rows. ``None`` is every row.
        sequence: Name or pattern of sequences. ``None`` is all sequences together, for
            ``"predictions"`` every sequence.
    """

    score: str
    reason: str
    expires: date
    row: str | None = None
    sequence: str | None = None

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ConfigError(f"an accepted regression of {self.score} has no reason; give one")
        if isinstance(self.expires, datetime):
            raise ConfigError(
                f"expires is {self.expires}; expected a date without a time, such as 2027-01-31"
            )

    @property
    def scope(self) -> Scope:
        """Rows and sequences of the regression."""
        return Scope(self.row, self.sequence)

    def covers(self, score: str, row: str, sequence: str | None) -> bool:
        """Return whether it is about a score of a row and sequence."""
        if self.score != score or not self.scope.has_row(row):
            return False
        if score == PREDICTIONS and sequence is not None:
            return self.scope.has_predictions(sequence)
        return self.scope.has_sequence(sequence)

    def is_expired(self, today: date) -> bool:
        """Return whether it is no longer accepted."""
        return today > self.expires

    def __str__(self) -> str:
        return f"{self.score}{self.scope}: {self.reason} (until {self.expires.isoformat()})"


@dataclass(frozen=True)
class GateRules:
    """All rules of a gate.

    Attributes:
        limits: Limits that are checked.
        allow: Differences that do not fail the gate: parts that are ``missing``, ``new`` or
            ``undefined`` in the current result.
        accepted: Accepted regressions.
    """

    limits: tuple[Limit, ...] = ()
    allow: tuple[Allowed, ...] = ()
    accepted: tuple[Acceptance, ...] = ()

    def and_also(self, limits: Iterable[Limit], allow: Iterable[Allowed]) -> "GateRules":
        """Return these rules with more limits and more allowed differences."""
        return replace(
            self,
            limits=(*self.limits, *limits),
            allow=tuple(dict.fromkeys((*self.allow, *allow))),
        )
