"""The regression gate: limits, the changes between two results, and the verdict."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mapt_bench.compare._comparable import check_comparable, origin_notes, over_common_classes
from mapt_bench.errors import ConfigError, DataError, nearest
from mapt_bench.results.result_files import RUN, ResultFile, ResultRow, load_result
from mapt_bench.results.result_views import HEADLINE, score_kind

__all__ = ["BrokenLimit", "Change", "Comparison", "Limit", "Missing", "compare_results"]

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
"""Decimals of a change: a drop of exactly 0.5 points must not exceed a limit of 0.5 points."""


@dataclass(frozen=True)
class Limit:
    """A change of a score that is not accepted.

    Attributes:
        score: Name of the score, for example ``"PAT"``.
        relation: ``<``, ``<=``, ``>`` or ``>=``.
        threshold: Change in percentage points for shares, in counts for ``IDSW`` and ``Frag``, in
            seconds for ``seconds_per_frame``.
    """

    score: str
    relation: str
    threshold: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a limit from text: the score, a relation, and a number.

        Raises:
            ConfigError: If the text has another form.

        Example:
            >>> Limit.parse("PAT<-0.5")
            Limit(score='PAT', relation='<', threshold=-0.5)
        """
        found = _GRAMMAR.fullmatch(text)
        if found is None:
            raise ConfigError(
                f"{text!r} is not a limit; expected SCORE, one of < <= > >=, and a number: "
                "'PAT<-0.5' fails if PAT drops by more than 0.5 percentage points, "
                "'IDSW>5' fails if there are more than 5 new identity switches"
            )
        return cls(found["score"], found["relation"], float(found["threshold"]))

    def check_known(self, scores: Iterable[str]) -> None:
        """Refuse a limit on a score that the results lack.

        Raises:
            ConfigError: If the score is unknown. The message suggests the nearest.
        """
        known = set(scores)
        if self.score not in known:
            raise ConfigError(
                f"the limit {self} is on a score that these results lack; "
                f"{nearest(self.score, known)}"
            )

    def is_broken_by(self, change: float) -> bool:
        """Return whether a change (current minus baseline, in the limit's unit) exceeds the limit.

        Example:
            >>> Limit.parse("PAT<-0.5").is_broken_by((0.615 - 0.620) * 100)
            False
        """
        return _RELATIONS[self.relation](round(change, _ROUNDING), self.threshold)

    def __str__(self) -> str:
        return f"{self.score}{self.relation}{self.threshold:g}"


_FEWEST_SEQUENCES = 5
"""With fewer common sequences, improved sequences are not counted."""


@dataclass(frozen=True)
class Change:
    """One score of one row in both results.

    Attributes:
        row: Label of the prediction or variant.
        score: Name of the score.
        baseline: Value in the baseline. Shares are fractions, ``None`` is undefined.
        current: Value in the current result.
        common: Both values over the classes of both results. ``None`` if they are the same as
            ``baseline`` and ``current``.
        better: Number of sequences with a better score. ``None`` with fewer than 5 common
            sequences, or for a score without direction.
        worse: Number of sequences with a worse score.
    """

    row: str
    score: str
    baseline: float | None
    current: float | None
    common: tuple[float | None, float | None] | None = None
    better: int | None = None
    worse: int | None = None

    @property
    def difference(self) -> float | None:
        """Current minus baseline over the classes of both, a fraction for shares.

        ``None`` if one of them is undefined.
        """
        baseline, current = self.common or (self.baseline, self.current)
        return None if baseline is None or current is None else current - baseline

    @property
    def in_limit_unit(self) -> float | None:
        """The difference in percentage points for shares, else in the unit of the score."""
        if self.difference is None:
            return None
        return self.difference * (100 if score_kind(self.score).unit == "percent" else 1)

    def to_dict(self) -> dict[str, Any]:
        """Return all fields and the difference as plain data for JSON."""
        return {
            "row": self.row,
            "score": self.score,
            "baseline": self.baseline,
            "current": self.current,
            "over_common_classes": None
            if self.common is None
            else dict(zip(("baseline", "current"), self.common, strict=True)),
            "difference": self.difference,
            "sequences_better": self.better,
            "sequences_worse": self.worse,
        }


@dataclass(frozen=True)
class Missing:
    """A row, score or sequence that the baseline has and the current result lacks.

    Attributes:
        row: Label of the prediction or variant.
        score: Missing or undefined score, or ``None``.
        sequence: Missing sequence, or ``None``. If both are ``None``, the row is missing.
    """

    row: str
    score: str | None = None
    sequence: str | None = None

    def __str__(self) -> str:
        if self.score is not None:
            return f"{self.row}: {self.score} has a value in the baseline and none now"
        if self.sequence is not None:
            return f"{self.row}: sequence {self.sequence} is missing"
        return f"{self.row} is missing"


@dataclass(frozen=True)
class BrokenLimit:
    """A limit that a row exceeds, or that could not be checked in any row.

    Attributes:
        limit: The limit.
        row: Row that exceeds it. ``None`` if no row has the score in both results.
        change: Change of the score, in the limit's unit.
    """

    limit: Limit
    row: str | None
    change: float | None

    def __str__(self) -> str:
        if self.row is None or self.change is None:
            return (
                f"limit {self.limit} could not be checked: "
                f"no row has {self.limit.score} in both results"
            )
        unit = score_kind(self.limit.score).difference_unit
        change = round(self.change, 2) or round(self.change, 6)
        return f"{self.row}: {self.limit.score} changed by {change:+g} {unit}, limit {self.limit}"


@dataclass(frozen=True)
class Comparison:
    """All differences between two results, and the verdict.

    Attributes:
        baseline: Path of the baseline.
        current: Path of the current result.
        changes: One entry for each row and score of either result.
        limits: Limits that were checked.
        broken: Exceeded limits.
        missing: Rows, scores and sequences that only the baseline has.
        added: Rows and sequences that only the current result has.
        notes: Remarks that help to read the differences.
    """

    baseline: Path
    current: Path
    changes: tuple[Change, ...]
    limits: tuple[Limit, ...]
    broken: tuple[BrokenLimit, ...]
    missing: tuple[Missing, ...]
    added: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def is_passed(self) -> bool | None:
        """Whether no limit is exceeded and nothing is missing.

        ``None`` if nothing is missing and no limit was given: then nothing was checked.
        """
        if self.broken or self.missing:
            return False
        return True if self.limits else None

    def to_dict(self) -> dict[str, Any]:
        """Return the result of schema ``mapt-bench/comparison/2``; differences are fractions."""
        return {
            "schema": "mapt-bench/comparison/2",
            "baseline": str(self.baseline),
            "current": str(self.current),
            "passed": self.is_passed,
            "changes": [change.to_dict() for change in self.changes],
            "limits": [str(limit) for limit in self.limits],
            "broken": [
                {
                    "limit": str(entry.limit),
                    "row": entry.row,
                    "score": entry.limit.score,
                    "change": entry.change,
                    "unit": score_kind(entry.limit.score).difference_unit,
                    "message": str(entry),
                }
                for entry in self.broken
            ],
            "missing": [
                {
                    "row": entry.row,
                    "score": entry.score,
                    "sequence": entry.sequence,
                    "message": str(entry),
                }
                for entry in self.missing
            ],
            "added": list(self.added),
            "notes": list(self.notes),
        }


def compare_results(
    baseline: Path | str,
    current: Path | str,
    *,
    limits: Sequence[Limit] = (),
    common_classes: bool = False,
) -> Comparison:
    """Compare two result files row by row and score by score.

    Rows are matched by name. Two evaluations of one prediction each are matched with any names.
    Values are those of the results. If the results are averaged over different classes,
    differences use the classes of both, and a note says so. Without limits, the comparison fails
    only if something is missing.

    Args:
        baseline: One or several evaluations, or a run (its file or folder).
        current: The same kind of result.
        limits: Limits for the changes, checked in every row.
        common_classes: Whether values also use the classes of both results.

    Raises:
        ConfigError: If a limit names a score that both results lack.
        DataError: If a file is not a result, or the two cannot be compared: they differ in the
            kind of result, PAT protocol, label space, segments, or rule for missing frames.
    """
    before, after = load_result(baseline), load_result(current)
    pairs = _pair(before, after)
    check_comparable([(old, new) for _, old, new in pairs], before, after)
    common, notes = _over_common_classes(pairs)
    changes = tuple(
        _change(score, pair, over_common)
        for pair, over_common in zip(common if common_classes else pairs, common, strict=True)
        for score in _in_order({**pair[1].scores, **pair[2].scores})
    )
    known = {
        score for file in (before, after) for row in file.rows.values() for score in row.scores
    }
    for limit in limits:
        limit.check_known(known)
    return Comparison(
        baseline=before.path,
        current=after.path,
        changes=changes,
        limits=tuple(limits),
        broken=tuple(entry for limit in limits for entry in _broken(limit, changes)),
        missing=tuple(_missing(before, pairs, changes)),
        added=tuple(_added(after, pairs)),
        notes=(*origin_notes(before, after), *notes),
    )


_Pair = tuple[str, ResultRow, ResultRow]


def _pair(before: ResultFile, after: ResultFile) -> list[_Pair]:
    if (before.schema == RUN) != (after.schema == RUN):
        raise DataError(
            f"{before.path} has schema {before.schema}, this has {after.schema}; "
            "compare a run with a run, or an evaluation with an evaluation",
            where=after.path,
        )
    if before.schema != RUN and len(before.rows) == len(after.rows) == 1:
        [old], [new] = before.rows.values(), after.rows.values()
        return [(old.label, old, new)]
    return [
        (old.label, old, after.rows[name])
        for name, old in before.rows.items()
        if name in after.rows
    ]


def _over_common_classes(pairs: Sequence[_Pair]) -> tuple[list[_Pair], tuple[str, ...]]:
    widened: list[_Pair] = []
    notes: dict[str, None] = {}
    for name, old, new in pairs:
        old_row, new_row, note = over_common_classes(old, new)
        widened.append((name, old_row, new_row))
        if note is not None:
            notes[note] = None
    return widened, tuple(notes)


def _in_order(scores: Iterable[str]) -> list[str]:
    """Return scores in the order of tables: headline scores first."""
    names = list(scores)
    return [name for name in HEADLINE if name in names] + [n for n in names if n not in HEADLINE]


def _change(score: str, pair: _Pair, over_common: _Pair) -> Change:
    name, old, new = pair
    _, old_common, new_common = over_common
    own = old.scores.get(score), new.scores.get(score)
    common = old_common.scores.get(score), new_common.scores.get(score)
    better, worse = _count_sequences(score, old_common.sequences, new_common.sequences)
    return Change(name, score, *own, common if common != own else None, better, worse)


def _count_sequences(
    score: str,
    old: Mapping[str, Mapping[str, float | None]],
    new: Mapping[str, Mapping[str, float | None]],
) -> tuple[int | None, int | None]:
    """Return the numbers of common sequences with a better and with a worse score."""
    direction = score_kind(score).higher_is_better
    steps = []
    for sequence, entry in old.items():
        was, now = entry.get(score), new.get(sequence, {}).get(score)
        if was is not None and now is not None:
            steps.append(now - was)
    if direction is None or len(steps) < _FEWEST_SEQUENCES:
        return None, None
    rises, falls = sum(step > 0 for step in steps), sum(step < 0 for step in steps)
    return (rises, falls) if direction else (falls, rises)


def _broken(limit: Limit, changes: Sequence[Change]) -> list[BrokenLimit]:
    checked = [
        (change.row, amount)
        for change in changes
        if change.score == limit.score and (amount := change.in_limit_unit) is not None
    ]
    if not checked:
        # A gate without any check must not pass.
        return [BrokenLimit(limit, None, None)]
    return [
        BrokenLimit(limit, row, amount) for row, amount in checked if limit.is_broken_by(amount)
    ]


def _missing(
    before: ResultFile, pairs: Sequence[_Pair], changes: Sequence[Change]
) -> list[Missing]:
    paired = {old.name for _, old, _ in pairs}
    found = [Missing(row.label) for name, row in before.rows.items() if name not in paired]
    found += [
        Missing(change.row, score=change.score)
        for change in changes
        if change.baseline is not None and change.current is None
    ]
    found += [
        Missing(name, sequence=sequence)
        for name, old, new in pairs
        for sequence in old.sequences
        if sequence not in new.sequences
    ]
    return found


def _added(after: ResultFile, pairs: Sequence[_Pair]) -> list[str]:
    paired = {new.name for _, _, new in pairs}
    rows = [row.label for name, row in after.rows.items() if name not in paired]
    sequences = [
        f"{name}: sequence {sequence}"
        for name, old, new in pairs
        for sequence in new.sequences
        if sequence not in old.sequences
    ]
    return rows + sequences
