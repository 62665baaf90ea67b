"""The changes between two results: matched rows, changed scores, and missing or new parts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mapt_bench.compare._comparable import over_common_classes
from mapt_bench.errors import DataError
from mapt_bench.results.result_files import BY_NAME, ResultFile, ResultRow
from mapt_bench.results.result_views import HEADLINE, ROUNDING, score_kind

__all__ = ["Change", "Missing", "Pair", "added_parts", "changes_of", "missing_parts", "pair_rows"]

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
    def is_improvement(self) -> bool:
        """Whether the score is better now. Times and memory never count."""
        kind, difference = score_kind(self.score), self.difference
        if difference is None or kind.higher_is_better is None or kind.is_measured:
            return False
        return difference > ROUNDING if kind.higher_is_better else difference < -ROUNDING

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
        kind: Whether the part is absent, or a score without a value.
    """

    row: str
    score: str | None = None
    sequence: str | None = None
    kind: Literal["missing", "undefined"] = "missing"

    def __str__(self) -> str:
        if self.score is not None and self.kind == "undefined":
            return f"{self.row}: {self.score} has a value in the baseline and is undefined now"
        if self.score is not None:
            return f"{self.row}: {self.score} is missing"
        if self.sequence is not None:
            return f"{self.row}: sequence {self.sequence} is missing"
        return f"{self.row} is missing"


@dataclass(frozen=True)
class Pair:
    """A row of both results.

    Attributes:
        row: Label of the row.
        old: Row of the baseline.
        new: Row of the current result.
        old_common: Row of the baseline, averaged over the classes of both.
        new_common: Row of the current result, averaged over the classes of both.
    """

    row: str
    old: ResultRow
    new: ResultRow
    old_common: ResultRow
    new_common: ResultRow


def pair_rows(before: ResultFile, after: ResultFile) -> tuple[list[Pair], tuple[str, ...]]:
    """Match the rows of two results.

    Returns:
        The matched rows, and notes on different names and on averages over different classes.

    Raises:
        DataError: If the two are results of different kinds.
    """
    pairs = []
    notes: dict[str, None] = {}
    for name, old, new in _matched(before, after):
        old_row, new_row, note = over_common_classes(old, new)
        pairs.append(Pair(name, old, new, old_row, new_row))
        if new.label != name:
            notes[f"the baseline is {name}, the current result is {new.label}"] = None
        if note is not None:
            notes[note] = None
    return pairs, tuple(notes)


def _matched(before: ResultFile, after: ResultFile) -> list[tuple[str, ResultRow, ResultRow]]:
    by_name = [BY_NAME.get(file.schema) for file in (before, after)]
    if by_name[0] != by_name[1]:
        raise DataError(
            f"{before.path} has schema {before.schema}, this has {after.schema}; "
            "compare a run with a run, or an evaluation with an evaluation",
            where=after.path,
        )
    if by_name[0] is None and len(before.rows) == len(after.rows) == 1:
        [old], [new] = before.rows.values(), after.rows.values()
        return [(old.label, old, new)]
    return [
        (old.label, old, after.rows[name])
        for name, old in before.rows.items()
        if name in after.rows
    ]


def changes_of(pair: Pair, *, common_classes: bool) -> Iterator[Change]:
    """Yield the change of each score of a row, headline scores first.

    Args:
        pair: Matched rows.
        common_classes: Whether values also use the classes of both results.
    """
    old, new = (pair.old_common, pair.new_common) if common_classes else (pair.old, pair.new)
    for score in _in_order({**old.scores, **new.scores}):
        own = old.scores.get(score), new.scores.get(score)
        common = pair.old_common.scores.get(score), pair.new_common.scores.get(score)
        better, worse = _count_sequences(
            score, pair.old_common.sequences, pair.new_common.sequences
        )
        yield Change(pair.row, score, *own, common if common != own else None, better, worse)


def _in_order(scores: Iterable[str]) -> list[str]:
    """Return scores in the order of tables: headline scores first."""
    names = list(scores)
    return [name for name in HEADLINE if name in names] + [n for n in names if n not in HEADLINE]


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
    rises, falls = (sum(step * sign > ROUNDING for step in steps) for sign in (1, -1))
    return (rises, falls) if direction else (falls, rises)


def missing_parts(
    before: ResultFile, pairs: Sequence[Pair], changes: Sequence[Change]
) -> Iterator[Missing]:
    """Yield rows, scores and sequences of the baseline that the current result lacks."""
    paired = {pair.old.name for pair in pairs}
    for name, row in before.rows.items():
        if name not in paired:
            yield Missing(row.label)
    present = {pair.row: pair.new.scores for pair in pairs}
    for change in changes:
        if change.baseline is None or change.current is not None:
            continue
        if score_kind(change.score).is_measured:
            continue  # the gate does not depend on measured times unless a limit is on them
        has_key = change.score in present[change.row]
        yield Missing(change.row, score=change.score, kind="undefined" if has_key else "missing")
    for pair in pairs:
        for sequence in pair.old.sequences:
            if sequence not in pair.new.sequences:
                yield Missing(pair.row, sequence=sequence)


def added_parts(after: ResultFile, pairs: Sequence[Pair]) -> Iterator[str]:
    """Yield rows, scores and sequences that only the current result has."""
    paired = {pair.new.name for pair in pairs}
    for name, row in after.rows.items():
        if name not in paired:
            yield row.label
    for pair in pairs:
        for score in pair.new.scores:
            if score not in pair.old.scores and not score_kind(score).is_measured:
                yield f"{pair.row}: score {score}"
        for sequence in pair.new.sequences:
            if sequence not in pair.old.sequences:
                yield f"{pair.row}: sequence {sequence}"
