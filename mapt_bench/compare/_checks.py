"""The check of one limit: which rows and sequences exceed it, and whether that may be noise."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mapt_bench.compare._changes import Pair
from mapt_bench.compare._limits import PREDICTIONS, Allowed, Limit
from mapt_bench.results.result_files import ResultFile
from mapt_bench.results.result_views import score_kind

__all__ = ["BrokenLimit", "LimitCheck"]


@dataclass(frozen=True)
class BrokenLimit:
    """A limit that a row exceeds, or that could not be checked in any row.

    Attributes:
        limit: The limit.
        row: Row that exceeds it. ``None`` if no row has the score in both results.
        amount: Change or value of the score in the limit's unit. ``None`` if it is undefined.
        sequence: Sequence that exceeds it. ``None`` is all sequences together.
        interval: Paired confidence interval of the change in the limit's unit, of a noise-aware
            limit.
    """

    limit: Limit
    row: str | None
    amount: float | None
    sequence: str | None = None
    interval: tuple[float, float] | None = None

    def __str__(self) -> str:
        score = self.limit.score
        if self.row is None:
            return f"limit {self.limit} could not be checked: no row has {score} in both results"
        place = self.row if self.sequence is None else f"{self.row}, sequence {self.sequence}"
        if score == PREDICTIONS:
            return f"{place}: the predictions differ, limit {self.limit}"
        if self.amount is None:
            return f"{place}: {score} is undefined, limit {self.limit}"
        span = "" if self.interval is None else f" [{_text(self.interval[0])}, "
        span += "" if self.interval is None else f"{_text(self.interval[1])}]"
        if self.limit.of == "value":
            return f"{place}: {score} is {_text(self.amount)} {self.limit.unit}, limit {self.limit}"
        change = f"{_text(self.amount, '+')}{span} {self.limit.unit}"
        return f"{place}: {score} changed by {change}, limit {self.limit}"

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain data for JSON."""
        finite = self.amount is not None and math.isfinite(self.amount)
        return {
            "limit": str(self.limit),
            "row": self.row,
            "sequence": self.sequence,
            "score": self.limit.score,
            "amount": self.amount if finite else None,
            "unit": self.limit.unit,
            "interval": None if self.interval is None else list(self.interval),
            "message": str(self),
        }


def _text(amount: float, sign: str = "") -> str:
    return format(round(amount, 2) or round(amount, 6), f"{sign}g")


@dataclass(frozen=True)
class _Place:
    """A score at a row and sequence: in the baseline and now, over the classes of both."""

    pair: Pair | None
    row: str
    sequence: str | None
    baseline: float | None
    current: float | None
    own: float | None


class LimitCheck:
    """A limit and the rows that it is checked in.

    Args:
        limit: The limit.
        pairs: Rows of both results.
        after: The current result. Its new rows are checked, too, against lowest and highest values.
        allowed: Kinds of missing and new parts that do not fail the gate.

    Attributes:
        notes: Remarks of :meth:`broken`, for example that a change is within noise.
    """

    def __init__(
        self, limit: Limit, pairs: Sequence[Pair], after: ResultFile, allowed: Sequence[Allowed]
    ) -> None:
        self.limit, self.notes = limit, list[str]()
        self._pairs = [pair for pair in pairs if limit.scope.has_row(pair.old.name)]
        paired = {pair.new.name for pair in pairs}
        self._added = [
            row
            for name, row in after.rows.items()
            if name not in paired and limit.scope.has_row(name)
        ]
        self._may_be_undefined = "undefined" in allowed

    def broken(self) -> list[BrokenLimit]:
        """Return the rows and sequences that exceed the limit."""
        limit, found, checked = self.limit, [], 0
        if limit.score == PREDICTIONS:
            return self._other_predictions()
        for place in self._places():
            amount = _amount(limit, place)
            if amount is None:
                if limit.of == "value" and not self._may_be_undefined:
                    checked += 1
                    found.append(BrokenLimit(limit, place.row, None, place.sequence))
                continue
            checked += 1
            if limit.is_broken_by(amount):
                found += self._beyond_noise(place, amount)
        # A gate without any check must not pass.
        return found if checked else [BrokenLimit(limit, None, None)]

    def _other_predictions(self) -> list[BrokenLimit]:
        known = [pair for pair in self._pairs if pair.old.predictions and pair.new.predictions]
        if not known:
            return [BrokenLimit(self.limit, None, None)]
        return [
            BrokenLimit(self.limit, pair.row, None, sequence)
            for pair in known
            for sequence, was in pair.old.predictions.items()
            if self.limit.scope.has_predictions(sequence)
            if pair.new.predictions.get(sequence, was) != was
        ]

    def _places(self) -> Iterator[_Place]:
        score, scope = self.limit.score, self.limit.scope
        for pair in self._pairs:
            if scope.sequence is None:
                common = (pair.old_common.scores.get(score), pair.new_common.scores.get(score))
                yield _Place(pair, pair.row, None, *common, pair.new.scores.get(score))
                continue
            for name in filter(scope.has_sequence, pair.new.sequences):
                old = pair.old_common.sequences.get(name, {}).get(score)
                new = pair.new_common.sequences[name].get(score)
                yield _Place(pair, pair.row, name, old, new, pair.new.sequences[name].get(score))
        for row in self._added:
            if scope.sequence is None:
                yield _Place(None, row.label, None, None, None, row.scores.get(score))
            for name in filter(scope.has_sequence, row.sequences):
                yield _Place(None, row.label, name, None, None, row.sequences[name].get(score))

    def _beyond_noise(self, place: _Place, amount: float) -> list[BrokenLimit]:
        """Return the broken limit, unless it is noise-aware and the change may be chance."""
        broken = BrokenLimit(self.limit, place.row, amount, place.sequence)
        if not self.limit.is_noise_aware or place.pair is None:
            return [broken]
        interval, reason = _paired_interval(self.limit, place.pair)
        if interval is None:
            self.notes.append(
                f"{place.row}: no interval for the noise-aware limit {self.limit} ({reason}); the "
                "change alone decides"
            )
            return [broken]
        broken = replace(broken, interval=interval)
        if all(map(self.limit.is_broken_by, interval)):
            return [broken]
        self.notes.append(f"within noise: {broken}; its interval reaches the limit")
        return []


def _amount(limit: Limit, place: _Place) -> float | None:
    """Return what a limit is compared with, in the limit's unit."""
    scale = 100 if score_kind(limit.score).unit == "percent" else 1
    if limit.of == "value":
        return None if place.own is None else place.own * scale
    if place.baseline is None or place.current is None:
        return None
    change = (place.current - place.baseline) * scale
    if limit.of == "change" or change == 0:
        return change
    if place.baseline == 0:
        return math.copysign(math.inf, change)
    return 100 * change / abs(place.baseline * scale)


def _paired_interval(limit: Limit, pair: Pair) -> tuple[tuple[float, float] | None, str]:
    """Return the 95 % interval of a change in the limit's unit, or the reason why there is none.

    The units are the changes of the common sequences. A change of a share is the mean over
    sequences, a change of a count is the sum.
    """
    # Imported here, because only noise-aware limits need NumPy.
    from mapt_bench.metrics.bootstrap import bootstrap_interval

    score = limit.score
    steps = []
    for sequence, entry in pair.old_common.sequences.items():
        was, now = entry.get(score), pair.new_common.sequences.get(sequence, {}).get(score)
        if was is not None and now is not None:
            steps.append(now - was)
    if not steps:
        return None, f"no common sequence has {score}"
    is_share = score_kind(score).unit == "percent"
    scale = 100.0 if is_share else float(len(steps))
    if limit.of == "percent":
        whole = abs(pair.old_common.scores.get(score) or 0.0)
        if not whole:
            return None, f"{score} is 0 in the baseline"
        scale = (100.0 if is_share else 100.0 * scale) / whole
    found = bootstrap_interval(steps, lambda some: scale * sum(some) / len(some))
    if found.low is None or found.high is None:
        return None, found.reason or "no interval"
    return (found.low, found.high), ""
