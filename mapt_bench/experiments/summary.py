"""The summary of a run: one row a variant and interval, with intervals and paired differences."""

from collections.abc import Mapping, Sequence
from typing import Any

from mapt_bench.experiments.result_tables import result_tables
from mapt_bench.experiments.runner import CellOutcome, RunOutcome
from mapt_bench.experiments.statistics import INTERVAL_SCORES, Comparisons
from mapt_bench.metrics.uncertainty import ScoreStatistics

__all__ = ["summary_rows"]

_RESAMPLES = 2000
_RESAMPLES_UNDER_STRESS = 500
"""Fewer, since a stress test has hundreds of cells."""

_Row = dict[str, Any]
_Entry = Mapping[str, Any]


def summary_rows(outcome: RunOutcome, entries: Sequence[_Entry], pat_protocol: str) -> list[_Row]:
    """Return the rows of the summary, table by table.

    Intervals and paired differences to the reference row of the same table are bootstrapped over
    sequences; p values are corrected (Holm) for all comparisons of the run. Which tables there are
    says :func:`~mapt_bench.experiments.result_tables.result_tables`, and
    :class:`~mapt_bench.experiments.statistics.Comparisons` what is compared.

    Args:
        outcome: What was run.
        entries: The cells of the result, in the order of ``outcome.cells``.
        pat_protocol: Which PAT is the headline.
    """
    comparisons = Comparisons(
        ScoreStatistics(
            outcome.source.labels,
            pat_protocol=pat_protocol,
            names=INTERVAL_SCORES,
            seed=outcome.seed,
            resamples=_RESAMPLES_UNDER_STRESS if outcome.plan.series else _RESAMPLES,
        ),
        "the run",
    )
    rows = []
    for table in result_tables(outcome):
        for at in table.positions:
            cell = outcome.cells[at]
            row = _row(cell, entries[at], table.condition)
            if not cell.failures:
                row["intervals"] = comparisons.intervals(cell)
                row["differences"] = comparisons.differences(cell, table.reference)
            rows.append(row)
    comparisons.correct()
    return rows


def _row(cell: CellOutcome, entry: _Entry, condition: _Row) -> _Row:
    variant = cell.cell.variant
    return {
        "variant": variant.name,
        "label": variant.label,
        "group": variant.group,
        **variant.describe(),
        "thresholds": variant.thresholds,
        **condition,
        "cell": cell.key,
        "n_sequences": len(entry["per_sequence"]),
        **{name: entry[name] for name in ("status", "scores", "matches", "links", "cost")},
        "intervals": {},
        "differences": None,
    }
