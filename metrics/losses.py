"""Error decomposition: how many points of PAT and STQ each kind of mistake costs.

The repairs of :mod:`mapt_bench.metrics.repairs` undo kinds of mistake, one or several at a time.
The published formulas score every repaired prediction. The share of a kind is its Shapley value
(Shapley 1953): its gain, averaged over all orders of repair. Causes inside a kind divide its share
by their Owen values (Owen 1977). So all shares add up to what the prediction lacks.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import combinations
from math import factorial
from operator import add, or_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError, ProtocolError
from mapt_bench.labels import LabelSpace
from mapt_bench.metrics.arithmetic import Additive, Array
from mapt_bench.metrics.mistakes import KINDS, Mistake
from mapt_bench.metrics.overlap import SequenceOverlap
from mapt_bench.metrics.pat import PatTerms, PatVariant, pat_values
from mapt_bench.metrics.pat_counter import count_pat_terms
from mapt_bench.metrics.repairs import Repairs, bit
from mapt_bench.metrics.stq import StqTerms, count_stq, stq_values

__all__ = [
    "LOSS_SCORES",
    "KindLoss",
    "LossSums",
    "Losses",
    "count_losses",
    "count_losses_of_all",
    "decompose",
    "pool_losses",
    "shares",
]

LOSS_SCORES = ("PAT", "PQ", "TQ", "STQ", "AQ", "SQ")
"""Scores that are decomposed."""

_KIND_BITS = [reduce(or_, map(bit, causes)) for causes in KINDS.values()]
_ALL = reduce(or_, _KIND_BITS)


def _subsets(parts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield each union of disjoint sets, with the number of its parts."""
    for count in range(len(parts) + 1):
        for chosen in combinations(parts, count):
            yield sum(chosen), count


def _coalitions() -> tuple[int, ...]:
    """Return all sets of mistakes in which at most one kind is repaired in part."""
    found = set()
    for at, causes in enumerate(KINDS.values()):
        others = _KIND_BITS[:at] + _KIND_BITS[at + 1 :]
        inside = [part for part, _ in _subsets([bit(cause) for cause in causes])]
        found |= {outer | part for outer, _ in _subsets(others) for part in inside}
    return tuple(sorted(found))


_COALITIONS = _coalitions()
_ROW = {coalition: row for row, coalition in enumerate(_COALITIONS)}


@dataclass(frozen=True, eq=False, kw_only=True)
class _Terms(Additive):
    """Terms of all scores. Leading axes are sets of repaired mistakes."""

    stq: StqTerms
    pat: PatTerms


@dataclass(frozen=True, eq=False, kw_only=True)
class LossSums(Additive):
    """Sums of one or more sequences, from which losses are computed. Adding them pools sequences.

    Attributes:
        terms: Terms of the scores under each set of repairs, ``float64``.
        entries: ``int64`` of shape ``(mistakes,)``: wrong entries of the overlap tables.
        pixels: ``int64`` of shape ``(mistakes,)``: their pixels.
    """

    terms: _Terms
    entries: NDArray[np.int64]
    pixels: NDArray[np.int64]


def count_losses(overlap: SequenceOverlap, variant: PatVariant) -> LossSums:
    """Score one sequence under every set of repairs that the shares need.

    Args:
        overlap: Joined tables of the sequence.
        variant: Variant of PAT, PQ and TQ.
    """
    repairs = Repairs(overlap)

    def terms_without(repaired: int) -> _Terms:
        table = repairs.table(repaired)
        return _Terms(stq=count_stq(table).terms(), pat=count_pat_terms(table, variant))

    shape = terms_without(0)
    found = {0: shape.to_vector()}
    for repaired in {coalition & repairs.active for coalition in _COALITIONS} - {0}:
        found[repaired] = terms_without(repaired).to_vector()
    return LossSums(
        terms=shape.from_vector(np.stack([found[each & repairs.active] for each in _COALITIONS])),
        entries=repairs.entries,
        pixels=repairs.pixels,
    )


def count_losses_of_all(overlaps: Iterable[SequenceOverlap], variant: PatVariant) -> LossSums:
    """Return the sums of several sequences together, at least one. See :func:`count_losses`."""
    return reduce(add, (count_losses(overlap, variant) for overlap in overlaps))


def shares(groups: Sequence[Sequence[int]], value: Mapping[int, Array]) -> dict[int, Array]:
    """Return the Owen value of each player. Those of a group add up to its Shapley value.

    Args:
        groups: Players of each group. A player is an integer with one bit.
        value: Value of each coalition that holds at most one group in part. A coalition is the
            sum of its players.

    Returns:
        Share of each player. All shares together are the value of all players less that of none.

    Example:
        >>> game = {0: np.array(0.0), 1: np.array(1.0), 2: np.array(2.0), 3: np.array(6.0)}
        >>> {player: float(share) for player, share in shares([[1], [2]], game).items()}
        {1: 2.5, 2: 3.5}
    """
    whole = [sum(group) for group in groups]
    found: dict[int, Array] = {}
    for at, group in enumerate(groups):
        outside = list(_subsets(whole[:at] + whole[at + 1 :]))
        for player in group:
            share = np.zeros_like(value[0], dtype=np.float64)
            for inner, few in _subsets([other for other in group if other != player]):
                for outer, many in outside:
                    weight = _weight(few, len(group)) * _weight(many, len(groups))
                    gain = value[outer | inner | player] - value[outer | inner]
                    share = share + weight * gain
            found[player] = share
    return found


def _weight(before: int, players: int) -> float:
    """Return the share of the orders in which a player comes right after a set of others."""
    return factorial(before) * factorial(players - before - 1) / factorial(players)


_Points = dict[str, float | None]


@dataclass(frozen=True)
class KindLoss:
    """Loss by one kind of mistake, or by one cause inside a kind. Scores are fractions.

    Attributes:
        entries: Wrong entries: triples of frame, ground-truth segment and predicted segment.
        pixels: Pixels of these entries.
        gain: Gain of each score if only this is repaired. It can be negative.
        share: Shapley value of a kind, Owen value of a cause, for each score. The shares of all
            kinds add up to the perfect score less the score; those of the causes to their kind's.
        causes: Causes inside a kind, by name. Empty for a kind without, and for a cause.

    ``gain`` and ``share`` are ``None`` where the score is undefined for the ground truth itself.
    """

    entries: int
    pixels: int
    gain: _Points
    share: _Points
    causes: Mapping[str, "KindLoss"] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {
            "entries": self.entries,
            "pixels": self.pixels,
            "gain": self.gain,
            "share": self.share,
            **(
                {"causes": {name: cause.to_dict() for name, cause in self.causes.items()}}
                if self.causes
                else {}
            ),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "KindLoss":
        """Build a loss from the data of :meth:`to_dict`."""
        causes = {name: cls.from_dict(cause) for name, cause in data.get("causes", {}).items()}
        fields = {name: data[name] for name in ("entries", "pixels", "gain", "share")}
        return cls(**fields, causes=causes)


@dataclass(frozen=True)
class Losses:
    """Where the points of a prediction were lost.

    Attributes:
        pat: Variant of PAT, PQ and TQ.
        score: Each of :data:`LOSS_SCORES`, as a fraction. ``None`` if undefined. PAT is 0 here if
            PQ and TQ are both 0.
        perfect: Each score after all repairs, as a fraction. 1 for the headline variant.
        kinds: Loss of each kind, in the order of :data:`~mapt_bench.metrics.mistakes.KINDS`.
    """

    pat: str
    score: _Points
    perfect: _Points
    kinds: Mapping[str, KindLoss]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data, the field ``losses`` of results."""
        return {
            "pat": self.pat,
            "score": self.score,
            "perfect": self.perfect,
            "kinds": {name: kind.to_dict() for name, kind in self.kinds.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Losses":
        """Build losses from the data of :meth:`to_dict`.

        Raises:
            DataError: If a field is missing or has another form.
        """
        try:
            kinds = {name: KindLoss.from_dict(kind) for name, kind in data["kinds"].items()}
            return cls(data["pat"], data["score"], data["perfect"], kinds)
        except (KeyError, TypeError, AttributeError) as problem:
            raise DataError(
                f"losses lack or garble a field ({problem}); evaluate again with --losses"
            ) from problem


def pool_losses(
    sums: Iterable[LossSums],
    labels: LabelSpace,
    variant: PatVariant,
    classes: NDArray[np.bool_] | None = None,
) -> Losses:
    """Return the losses of a data set. The arguments are those of :func:`decompose`.

    Raises:
        ProtocolError: If there is no sequence.
    """
    parts = list(sums)
    if not parts:
        raise ProtocolError("there is no sequence to pool; give at least one")
    return decompose(reduce(add, parts), labels, variant, classes)


def decompose(
    sums: LossSums,
    labels: LabelSpace,
    variant: PatVariant,
    classes: NDArray[np.bool_] | None = None,
) -> Losses:
    """Return the loss by each kind of mistake.

    Args:
        sums: Sums of a sequence or a pooled data set, counted for the same variant.
        labels: Label space.
        variant: Variant of PAT, PQ and TQ.
        classes: ``(classes,)`` classes that PAT and PQ are averaged over. By default, each
            repaired prediction uses the variant's own.
    """
    scores = {
        **stq_values(sums.terms.stq),
        **{
            name: values
            for name, values in pat_values(sums.terms.pat, labels, variant, classes).items()
            if name in ("PAT", "PQ", "TQ")
        },
    }
    values = np.stack([scores[name] for name in LOSS_SCORES], axis=-1)
    undefined = np.isnan(values[_ROW[_ALL]])
    values = np.where(undefined, np.nan, np.nan_to_num(values))
    value = {coalition: values[row] for coalition, row in _ROW.items()}
    share = shares([[bit(cause) for cause in causes] for causes in KINDS.values()], value)

    def loss_of(mistakes: Sequence[Mistake], causes: Mapping[str, KindLoss]) -> KindLoss:
        whole = sum(map(bit, mistakes))
        return KindLoss(
            entries=int(sums.entries[list(mistakes)].sum()),
            pixels=int(sums.pixels[list(mistakes)].sum()),
            gain=_points(value[whole] - value[0]),
            share=_points(np.sum([share[bit(each)] for each in mistakes], axis=0)),
            causes=causes,
        )

    return Losses(
        pat=variant.name,
        score=_points(value[0]),
        perfect=_points(value[_ALL]),
        kinds={
            name: loss_of(
                mistakes,
                {each.name.lower(): loss_of([each], {}) for each in mistakes}
                if len(mistakes) > 1
                else {},
            )
            for name, mistakes in KINDS.items()
        },
    )


def _points(values: Array) -> _Points:
    return {
        name: None if np.isnan(value) else float(value)
        for name, value in zip(LOSS_SCORES, values, strict=True)
    }
