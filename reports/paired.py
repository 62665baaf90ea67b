"""Tables of paired differences between predictions on the same sequences."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mapt_bench.reports.evaluation import interval_notes
from mapt_bench.reports.scores import HEADLINE, score_kind
from mapt_bench.reports.tables import Cell, Column, Table

__all__ = ["paired_tables"]

Entry = Mapping[str, Any]


def paired_tables(evaluations: Sequence[Entry]) -> list[Table]:
    """Return the differences in points and those in counts, one row a prediction and score.

    Each row holds the prediction's own score and that of the reference, their difference over the
    classes of both, its confidence interval and p values. A footnote says where the difference
    is not that of the two scores beside it.

    Args:
        evaluations: As ``mapt-bench/evaluations/2`` has them; those with ``differences`` count.
    """
    scores = {str(entry["name"]): entry["scores"] for entry in evaluations}
    compared = [entry for entry in evaluations if entry.get("differences")]
    found = [_table(compared, scores, "percent"), _table(compared, scores, "count")]
    return [table for table in found if table.rows]


def _table(
    compared: Sequence[Entry], scores: Mapping[str, Entry], unit: Literal["percent", "count"]
) -> Table:
    rows: list[tuple[Cell, ...]] = []
    notes: dict[str, None] = {}
    for entry in compared:
        block = entry["differences"]
        shown = [name for name in HEADLINE if name in block["scores"]]
        for score in (name for name in shown if score_kind(name).unit == unit):
            found = block["scores"][score]
            interval = found["interval"]
            span = (interval["low"], interval["high"]) if "low" in interval else None
            own = entry["scores"].get(score), scores.get(block["reference"], {}).get(score)
            p_values = (found["p_value"], found["p_adjusted"])
            rows.append((entry["name"], score, *own, found["difference"], span, *p_values))
            notes |= dict.fromkeys(interval_notes([{"intervals": {score: interval}}]))
            notes[f"p: sign-flip permutation of sequences, {found['p_method']}."] = None
        if block["note"] is not None and unit == "percent":
            notes[f"{entry['name']}: {block['note']}."] = None
        family = block["family"]
        notes[
            f"p ({family['correction']}): corrected for all {family['comparisons']} comparisons, "
            "of differences and of counts."
        ] = None
    reference = str(compared[0]["differences"]["reference"]) if compared else ""
    words = {"percent": "points", "count": "counts"}
    columns = (
        Column("prediction"),
        Column("score"),
        Column("own", unit),
        Column("reference", unit),
        Column("difference", "points" if unit == "percent" else "count"),
        Column("interval", "range" if unit == "percent" else "count range"),
        Column("p", "number"),
        Column("p (Holm)", "number"),
    )
    return Table(f"Difference to {reference} in {words[unit]}", columns, tuple(rows), tuple(notes))
