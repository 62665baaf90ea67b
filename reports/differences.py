"""Tables of paired differences: between the rows of a run, and between predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from mapt_bench.errors import counted
from mapt_bench.reports.evaluation import interval_cell, interval_column, interval_notes
from mapt_bench.reports.groups import halves, of_group
from mapt_bench.reports.tables import Cell, Column, Table
from mapt_bench.results.rows import row_interval, row_name
from mapt_bench.results.scores import HEADLINE, score_kind

__all__ = ["differences_table", "differences_tables", "paired_tables"]

_SHOWN = ("PAT", "TQ", "AssA", "STQ")

Run = Mapping[str, Any]
Row = Mapping[str, Any]


def differences_tables(run: Run) -> list[Table]:
    """Return the differences over all videos and, of an ablation, over each half by itself.

    Where no difference has an interval there is no table.
    """
    tables = [differences_table(run)] if _compared(run) else []
    if any(row_interval(row) for row in run["summary"]):
        return tables  # those of the halves of a sweep stand in results.json
    for half in halves(run):
        of_half = of_group(run, half)
        if _compared(of_half):
            table = differences_table(of_half)
            tables.append(replace(table, title=f"{table.title}, {half.heading}"))
    return tables


def differences_table(run: Run) -> Table:
    """Return the paired differences to the run's reference row, with intervals and p values.

    Every difference is taken over the same sequences and classes, within one temporal interval;
    a footnote says where the scores are averaged over other classes. p is that of
    the sign-flip permutation test, corrected by Holm for all comparisons of the run, or of the
    group of videos.
    """
    compared = _compared(run)
    shown = [
        name for name in _SHOWN if any(name in row["differences"]["scores"] for row in compared)
    ]
    columns = [Column("variant")]
    for name in shown:
        columns += [Column(name, "points"), interval_column(name)]
        columns.append(Column(f"{name} p", "number"))
    cells = []
    for row in compared:
        interval = row_interval(row)
        label = row_name(row) + (f", {interval[0]} {interval[1]}" if interval else "")
        line: list[Cell] = [label]
        for name in shown:
            found = row["differences"]["scores"].get(name) or {}
            line.append(found.get("difference"))
            line.append(interval_cell({"intervals": {name: found.get("interval")}}, name))
            line.append(found.get("p_adjusted"))
        cells.append(tuple(line))
    against = {str(row["differences"]["reference"]): None for row in compared}
    families = {_family(row["differences"]): None for row in compared}
    notes = [
        f"Percentage points on the same sequences; p: sign flips, corrected by Holm{family}."
        for family in families
    ]
    counts = {
        int(entry["n"])
        for row in compared
        for entry in row["differences"]["scores"].values()
        if entry.get("p_method") == "exact"
    }
    notes += [
        f"With {counted(n, 'sequence')} no p is below {2 / 2**n:.2g} even before the correction."
        for n in sorted(counts)
    ]
    notes += [
        f"{row_name(row)}: {row['differences']['note']}."
        for row in compared
        if row["differences"].get("note")
    ]
    return Table(f"Differences to {', '.join(against)}", tuple(columns), tuple(cells), tuple(notes))


def _family(differences: Mapping[str, Any]) -> str:
    """Return which comparisons p is corrected for, where it is stated."""
    family = differences.get("family")
    return f" for the {family['comparisons']} comparisons of {family['of']}" if family else ""


def _compared(run: Run) -> list[Row]:
    """Return the rows with at least one paired difference that has an interval."""
    return [
        row
        for row in run["summary"]
        if any(
            (entry.get("interval") or {}).get("low") is not None
            for entry in (row.get("differences") or {}).get("scores", {}).values()
        )
    ]


def paired_tables(evaluations: Sequence[Row]) -> list[Table]:
    """Return the differences in points and those in counts, one row a prediction and score.

    Each row holds the prediction's own score and that of the reference, their difference over the
    classes of both, its confidence interval and p values. A footnote says where the difference
    is not that of the two scores beside it.

    Args:
        evaluations: As ``mapt-bench/evaluations/2`` has them; those with ``differences`` count.
    """
    scores = {str(entry["name"]): entry["scores"] for entry in evaluations}
    compared = [entry for entry in evaluations if entry.get("differences")]
    found = [_paired_table(compared, scores, "percent"), _paired_table(compared, scores, "count")]
    return [table for table in found if table.rows]


def _paired_table(
    compared: Sequence[Row], scores: Mapping[str, Row], unit: Literal["percent", "count"]
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
