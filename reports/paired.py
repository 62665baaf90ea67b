"""Table of paired differences between predictions on the same sequences."""

from collections.abc import Mapping, Sequence
from typing import Any

from mapt_bench.reports.scores import HEADLINE, score_kind
from mapt_bench.reports.tables import Cell, Column, Table

__all__ = ["paired_table"]


def paired_table(paired: Sequence[Mapping[str, Any]]) -> Table:
    """Return one row a prediction and score: difference to the first, interval, p values.

    Args:
        paired: As ``mapt-bench/evaluations/1`` has it: ``name``, ``reference`` and by score
            ``difference``, ``interval``, ``p_value`` and ``p_value_holm``.
    """
    rows: list[tuple[Cell, ...]] = []
    notes: dict[str, None] = {}
    for entry in paired:
        for score in HEADLINE:
            found = entry["scores"].get(score)
            if found is None or score_kind(score).unit != "percent":
                continue
            interval = found["interval"]
            has_interval = "low" in interval
            span = (interval["low"], interval["high"]) if has_interval else None
            p_values = (found["p_value"], found["p_value_holm"])
            rows.append((entry["name"], score, found["difference"], span, *p_values))
            if has_interval:
                level = f"{100 * interval['level']:g} %"
                notes[f"Intervals: {level}, {interval['method']}, n = {interval['n']}."] = None
            else:
                notes[f"No interval of {score}: {interval['reason']}."] = None
            notes[f"p: sign-flip permutation of sequences, {found['p_method']}."] = None
    notes["p (Holm): corrected for the predictions compared by the same score."] = None
    columns = (
        Column("prediction"),
        Column("score"),
        Column("difference", "percent"),
        Column("interval", "range"),
        Column("p", "number"),
        Column("p (Holm)", "number"),
    )
    reference = paired[0]["reference"] if paired else ""
    return Table(f"Difference to {reference} in points", columns, tuple(rows), tuple(notes))
