"""Sentences on what a result shows, computed from its paired statistics. Each states one fact.

A difference is established if its confidence interval excludes 0 and its p value, corrected for
all comparisons of its score in the run, is not above 1 minus the level of the interval.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mapt_bench.errors import counted
from mapt_bench.reports.finding import LEAD, Finding
from mapt_bench.reports.loss_sentences import loss_sentences, lost_points
from mapt_bench.reports.paired_verdicts import is_established
from mapt_bench.reports.rankings import NAMED_AT_MOST, ORACLE, extreme, joined, percent, ranking
from mapt_bench.reports.step_tables import step_sentences
from mapt_bench.results.result_views import (
    Part,
    is_reference,
    row_interval,
    row_name,
    row_score,
    run_parts,
)

__all__ = [
    "NAMED",
    "SWEEP_WORDS",
    "evaluation_findings",
    "part_findings",
    "run_findings",
]

NAMED = (
    *("mapt", "mapt:motion", "mapt:appearance", "mapt:paper", "sort", "bytetrack"),
    *("oc-sort", "deep-oc-sort", "bot-sort", "flow:dis", "both", "iou", "copy", "appearance"),
    *("motion", "mapt:appearance-first", "mapt:simultaneous", "flow:dis+mapt"),
)
"""Trackers in the order in which headline tables and sentences take them."""

SWEEP_WORDS = {"drop": "frame skip", "pair": "pairing interval"}
"""Kinds of temporal intervals in words."""

_FEWEST_SEQUENCES = 5

Run = Mapping[str, Any]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class _Lead:
    """Paired difference in PAT of the reference to another row, positive if the reference leads.

    Attributes:
        name: Name of the other row.
        points: Difference in percentage points.
        low: Lower end of its confidence interval.
        high: Upper end.
        p_values: The p value, and the same corrected for all comparisons of the run. ``None`` if
            there is none.
        is_established: Whether the difference is established.
        is_established_alone: Whether it would be as the only comparison of the run.
        is_reference: Whether the other row is a reference, for example the oracle.
    """

    name: str
    points: float
    low: float
    high: float
    p_values: tuple[float | None, float | None]
    is_established: bool
    is_established_alone: bool
    is_reference: bool

    @property
    def amount(self) -> str:
        """Size of the difference with its confidence interval, without sign."""
        ends = (self.low, self.high) if self.points >= 0 else (-self.high, -self.low)
        return f"{abs(self.points):.2f} PAT [{ends[0]:z.2f}, {ends[1]:z.2f}]"


def run_findings(run: Run) -> list[Finding]:
    """Return what a run shows: what won, which differences are established, what costs most.

    Each part has a finding. One sentence says why there are no confidence intervals.
    """
    found = [part_findings(part) for part in run_parts(run)]
    why = _missing_intervals(run["summary"])
    missing = f"No confidence intervals, so no difference is established: {why}."
    found += [Finding("", (missing,))] if why else []
    return [each for each in found if each.sentences]


def part_findings(part: Part) -> Finding:
    """Return what the rows of one part show, without the reason of missing intervals."""
    if part.run.get("stressors"):
        sentences = _stress_sentences(part)
    else:
        sentences = [*_best_sentences(part), *_part_sentences(part), *loss_sentences(part)]
        sentences += step_sentences(part.run.get("steps") or [])
    return Finding(part.words, tuple(sentences))


def _part_sentences(part: Part) -> list[str]:
    """Return the sentences on rows that may be compared."""
    rows: Sequence[Row] = part.run["summary"]
    kinds = dict.fromkeys(found[0] for row in rows if (found := row_interval(row)))
    if kinds:
        return [sentence for kind in kinds for sentence in _sweep_sentences(rows, kind)]
    leads = _leads(rows)
    if not leads:
        return []
    subject = str(next(row["differences"]["reference"] for row in rows if row.get("differences")))
    others = [lead for lead in leads if not lead.is_reference]
    oracle = [lead for lead in leads if lead.name == ORACLE]
    return [
        *_comparison(subject, others),
        *(f"The oracle leads {subject} by {lead.amount}." for lead in oracle),
    ]


def _best_sentences(part: Part) -> list[str]:
    """Return which row has the highest PAT, the next, and whether the difference is established.

    Rows of a sweep are compared at one temporal interval only, so that a sweep has no best row.
    """
    rows: Sequence[Row] = part.run["summary"]
    own = [row for row in rows if not is_reference(row) and row_score(row, "PAT") is not None]
    if not own or any(row_interval(row) for row in rows):
        return []
    ranked = sorted(own, key=_pat, reverse=True)
    found = ranking([(row_name(row), _pat(row)) for row in ranked], "row")
    if len(found) > 1:
        found += _is_real(ranked[0], ranked[1], rows)
    oracle = [row for row in rows if row_name(row) == ORACLE and row_score(row, "PAT") is not None]
    if oracle and not _leads(oracle):
        found.append(f"The oracle has {100 * _pat(oracle[0]):.2f}.")
    return found


def _is_real(best: Row, second: Row, rows: Iterable[Row]) -> list[str]:
    """Return a sentence on whether the difference of two rows is established.

    None if the rows of the part have no paired differences.
    """
    for row, other in ((best, second), (second, best)):
        reference = (row.get("differences") or {}).get("reference")
        leads = _leads([row]) if reference == row_name(other) else []
        if leads and leads[0].is_established:
            return [f"{LEAD} is established."]
        alone, corrected = leads[0].p_values if leads else (None, None)
        if alone is not None and corrected is not None and leads[0].is_established_alone:
            return [
                f"{LEAD} is not established: p is {alone:.2g} for it alone, and {corrected:.2g} "
                "corrected for the other comparisons."
            ]
        if leads:
            return [f"{LEAD} is not established: it can be chance."]
    references = [each["differences"]["reference"] for each in rows if _leads([each])]
    if not references:
        return []
    return [f"{LEAD} was not tested: tests compare rows with {references[0]}."]


def _comparison(subject: str, leads: Sequence[_Lead], place: str = "") -> list[str]:
    """Return which rows the subject beats, which beat it, and which differences are open.

    Args:
        subject: Name of the reference.
        leads: Its differences to other rows.
        place: Start of each sentence, for example ``"At frame skip 5, "``.
    """
    beaten = [lead for lead in leads if lead.is_established and lead.points > 0]
    ahead = [lead for lead in leads if lead.is_established and lead.points <= 0]
    unclear = [lead for lead in leads if not lead.is_established]
    found = [f"{place}{subject} beats {_with_amounts(beaten)}."] if beaten else []
    found += [f"{place}{subject} trails {_with_amounts(ahead)}."] if ahead else []
    if unclear:
        no = f"{place}no" if place else "No"
        found.append(
            f"{no} difference of {subject} from {_names(unclear)} is established after correction."
        )
        near = sum(lead.is_established_alone for lead in unclear)
        words = "would be established without the correction"
        found += [f"{_of_these(near, len(unclear))} {words}."] if near else []
    return found


def _of_these(near: int, count: int) -> str:
    return "It" if count == 1 else f"{near} of these {count}"


def _with_amounts(leads: Sequence[_Lead]) -> str:
    named = [f"{lead.name} by {lead.amount}" for lead in leads[:NAMED_AT_MOST]]
    return joined(named, len(leads) - len(named))


def _names(leads: Sequence[_Lead]) -> str:
    named = [lead.name for lead in leads[:NAMED_AT_MOST]]
    return joined(named, len(leads) - len(named))


def _pat(row: Row) -> float:
    return row_score(row, "PAT") or 0.0


def _leads(rows: Iterable[Row]) -> list[_Lead]:
    """Return the differences of the reference to all rows that have an interval, by importance."""
    found = []
    for row in rows:
        entry = ((row.get("differences") or {}).get("scores") or {}).get("PAT") or {}
        lead = _lead(row_name(row), entry, is_reference=is_reference(row))
        if lead is not None:
            found.append(lead)
    return sorted(found, key=lambda lead: _importance(lead.name))


def _lead(name: str, entry: Row, *, is_reference: bool) -> _Lead | None:
    interval = entry.get("interval") or {}
    if interval.get("low") is None:
        return None
    return _Lead(
        name=name,
        points=-100 * entry["difference"],
        low=-100 * interval["high"],
        high=-100 * interval["low"],
        p_values=(entry.get("p_value"), entry.get("p_adjusted")),
        is_established=is_established(entry),
        is_established_alone=is_established(entry, p="p_value"),
        is_reference=is_reference,
    )


def _importance(name: str) -> tuple[bool, int]:
    """Return a key that sorts rows with memory first, then in the order of :data:`NAMED`."""
    base, plus, _ = name.partition("+memory")
    return not plus, NAMED.index(base) if base in NAMED else len(NAMED)


def _missing_intervals(rows: Iterable[Row]) -> str | None:
    """Return why no PAT of the rows has a confidence interval, ``None`` if some have."""
    reasons: dict[str, None] = {}
    for row in rows:
        interval = (row.get("intervals") or {}).get("PAT") or {}
        if interval.get("low") is not None:
            return None
        if interval.get("reason"):
            reasons[str(interval["reason"])] = None
    return next(iter(reasons), None)


def _sweep_sentences(rows: Sequence[Row], kind: str) -> list[str]:
    """Return how much the rows lose over a temporal interval, and who leads at its end."""
    words = SWEEP_WORDS.get(kind, kind)
    by_tau: dict[int, dict[str, Row]] = {}
    for row in rows:
        found = row_interval(row)
        if found and found[0] == kind and row_score(row, "PAT") is not None:
            by_tau.setdefault(found[1], {})[row_name(row)] = row
    if len(by_tau) < 2:
        return []
    first, last = by_tau[min(by_tau)], by_tau[max(by_tau)]
    references = {name for name, row in last.items() if is_reference(row)}
    ends = {name: _pat(row) for name, row in last.items() if name in first}
    falls = {name: _pat(first[name]) - pat for name, pat in ends.items()}
    worst, best = extreme(falls, references, max), extreme(ends, references, max)
    if worst is None or best is None:
        return []
    leads = [lead for lead in _leads(last.values()) if not lead.is_reference]
    named = [row["differences"]["reference"] for row in last.values() if row.get("differences")]
    place = f"At {words} {max(by_tau)}, "
    lose = worst.in_words("most", "loses" if len(worst.names) == 1 else "lose")
    have = "has" if len(best.names) == 1 else "have"
    return [
        f"From {words} {min(by_tau)} to {max(by_tau)}, {lose}.",
        f"{place}{best.who} {have} the highest PAT{best.among}, {best.value}.",
        *(f"The reference {name} has {percent(ends[name])}." for name in best.beyond),
        *(_comparison(named[0], leads, place) if leads else []),
    ]


def _stress_sentences(part: Part) -> list[str]:
    """Return, for each stressor, which rows lose least and most at its highest level."""
    found = []
    for stressor in part.run["stressors"]:
        name = stressor["name"]
        rows = [row for row in part.run["summary"] if row["stress"]["stressor"] == name]
        levels = sorted({int(row["stress"]["level"]) for row in rows})
        at = {(row_name(row), int(row["stress"]["level"])): row for row in rows}
        references = {row_name(row) for row in rows if is_reference(row)}
        losses = {
            variant: _pat(at[variant, 0]) - _pat(row)
            for (variant, level), row in at.items()
            if level == levels[-1] > 0
            and (variant, 0) in at
            and None not in (row_score(row, "PAT"), row_score(at[variant, 0], "PAT"))
        }
        least, most = extreme(losses, references, min), extreme(losses, references, max)
        if least is not None:
            found.append(f"{name} at level {levels[-1]} costs {least.in_words('least')}.")
        if least is not None and most is not None and most.names != least.names:
            found.append(f"It costs {most.in_words('most')}.")
    return found


def evaluation_findings(evaluations: Sequence[Row]) -> list[Finding]:
    """Return what evaluations show: what limits PAT, or how predictions differ.

    Args:
        evaluations: Results of schema ``mapt-bench/evaluation/2``, one per prediction.
    """
    if len(evaluations) == 1:
        [only] = evaluations
        losses = only.get("losses")
        lost = lost_points(f"Prediction {only['name']}", losses) if losses else []
        found = [*_limiting_factor(only), *lost, *_extreme_sequences(only)]
    else:
        found = _leading_prediction(evaluations)
    count = max(len(each.get("per_sequence") or {}) for each in evaluations)
    why = _missing_intervals(evaluations)
    if not any(each.get("intervals") for each in evaluations):
        few = f"{counted(count, 'sequence')}; an interval needs at least {_FEWEST_SEQUENCES}"
        why = few if count < _FEWEST_SEQUENCES else "add --intervals"
    found += [f"No confidence intervals: {why}."] if why else []
    return [Finding("", tuple(found))]


def _limiting_factor(evaluation: Row) -> list[str]:
    pat, pq, tq = (evaluation["scores"].get(name) for name in ("PAT", "PQ", "TQ"))
    if pat is None or pq is None or tq is None:
        return []
    parts = f"PQ {100 * pq:.2f} and TQ {100 * tq:.2f}"
    if round(pq - tq, 4) == 0:
        return [f"PAT {100 * pat:.2f} is the harmonic mean of {parts}."]
    lower = "tracking (TQ)" if tq < pq else "segmentation (PQ)"
    return [f"PAT {100 * pat:.2f} is the harmonic mean of {parts}: {lower} limits it."]


def _extreme_sequences(evaluation: Row) -> list[str]:
    values = {
        str(name): float(entry["PAT"])
        for name, entry in (evaluation.get("per_sequence") or {}).items()
        if entry.get("PAT") is not None
    }
    if len(values) < 2:
        return []
    low, high = extreme(values, (), min), extreme(values, (), max)
    if low is None or high is None:
        return []
    if low.value == high.value:
        return [f"PAT is {low.value} on each sequence."]
    return [
        f"The lowest PAT of a sequence is {low.value} ({low.first}), "
        f"the highest {high.value} ({high.first})."
    ]


def _leading_prediction(evaluations: Sequence[Row]) -> list[str]:
    scores = {str(each["name"]): each["scores"].get("PAT") for each in evaluations}
    known = {name: float(value) for name, value in scores.items() if value is not None}
    found = []
    if len(known) > 1:
        ranked = sorted(known.items(), key=lambda each: -each[1])
        found += ranking(ranked, "prediction")
    leads = [
        lead
        for each in evaluations
        if (
            lead := _lead(
                str(each["name"]),
                ((each.get("differences") or {}).get("scores") or {}).get("PAT") or {},
                is_reference=False,
            )
        )
    ]
    return [*found, *_comparison(str(evaluations[0]["name"]), leads)]
