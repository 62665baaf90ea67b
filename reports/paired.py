"""Tables of paired differences between predictions on the same sequences."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mapt_bench.reports.scores import HEADLINE, score_kind
from mapt_bench.reports.tables import Cell, Column, Table

__all__ = ["paired_tables"]

Entry = Mapping[str, Any]


def paired_tables(paired: Sequence[Entry]) -> list[Table]:
    """Return the differences in points and those in counts, one row a prediction and score.

    Each row holds the difference to the first prediction, its interval and p values. The footnote
    tells for how many comparisons, those of both tables, p (Holm) is corrected.

    Args:
        paired: As ``mapt-bench/evaluations/1`` has it: ``name``, ``reference`` and by score
            ``difference``, ``interval``, ``p_value`` and ``p_value_holm``.
    """
    tests = sum(
        found["p_value"] is not None for entry in paired for found in entry["scores"].values()
    )
    corrected = f"p (Holm): corrected for all {tests} comparisons, of differences and of counts."
    found = [_table(paired, "percent", corrected), _table(paired, "count", corrected)]
    return [table for table in found if table.rows]


def _table(paired: Sequence[Entry], unit: Literal["percent", "count"], corrected: str) -> Table:
    rows: list[tuple[Cell, ...]] = []
    notes: dict[str, None] = {}
    for entry in paired:
        for score in HEADLINE:
            found = entry["scores"].get(score)
            if found is None or score_kind(score).unit != unit:
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
    notes[corrected] = None
    columns = (
        Column("prediction"),
        Column("score"),
        Column("difference", "points" if unit == "percent" else "count"),
        Column("interval", "range" if unit == "percent" else "count range"),
        Column("p", "number"),
        Column("p (Holm)", "number"),
    )
    reference = paired[0]["reference"] if paired else ""
    words = {"percent": "points", "count": "counts"}
    return Table(f"Difference to {reference} in {words[unit]}", columns, tuple(rows), tuple(notes))
