"""The sections of an interval matrix."""

from collections.abc import Mapping
from typing import Any

from mapt_bench.report.blocks import Block, Section, table_view
from mapt_bench.report.charts import Curve, curves
from mapt_bench.report.provenance import provenance_tables, run_command
from mapt_bench.report.svg import Chart
from mapt_bench.reports.interval_matrix import (
    REFERENCES,
    headings,
    matrix_findings,
    matrix_tables,
)
from mapt_bench.results.result_views import row_score

__all__ = ["matrix_sections"]

Row = Mapping[str, Any]


def matrix_sections(result: Row) -> list[Section]:
    """Return the sections of an interval matrix.

    Args:
        result: Schema ``mapt-bench/interval-matrix/1``.
    """
    first, *others = matrix_tables(result)
    summary = Block(
        texts=tuple(matrix_findings(result)),
        charts=tuple(_curves(result, drop) for drop in result["inference"]["drop"]),
        tables=(table_view(first, is_open=True), *map(table_view, others)),
    )
    tables = provenance_tables({"provenance": {**result["provenance"], "data": result["data"]}})
    return [
        Section("Training and inference intervals", (summary,)),
        Section(
            "Provenance and protocol",
            (Block(tables=tuple(table_view(each, is_open=True) for each in tables)),),
            command=run_command(result),
        ),
    ]


def _curves(result: Row, drop: int) -> Chart:
    """Return a chart of PAT over the inference interval, with a line per training interval."""
    trains, infers = headings(result, drop)
    found = {(row["train"], row["infer"]): row for row in result["matrix"] if row["drop"] == drop}
    lines = [
        Curve(
            f"trained at {train}" if train[:1].isdigit() else train,
            [_pat(found.get((train, infer))) for infer in infers],
            [_span(found.get((train, infer))) for infer in infers],
        )
        for train in trains
    ]
    for name in REFERENCES:
        bound = _pat(found.get((name, "1")))
        lines.append(Curve(name, [bound] * len(infers), is_reference=True))
    skip = "" if drop == 1 else f" Every {drop}th frame of a video is kept."
    caption = f"PAT by inference interval, one line for each training interval.{skip}"
    return curves(lines, infers, "inference interval (frames)", "PAT (%)", caption)


def _pat(row: Row | None) -> float | None:
    value = None if row is None else row_score(row, "PAT")
    return None if value is None else 100 * value


def _span(row: Row | None) -> tuple[float, float] | None:
    interval = (row or {}).get("intervals", {}).get("PAT") or {}
    return (100 * interval["low"], 100 * interval["high"]) if "low" in interval else None
