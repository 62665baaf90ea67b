"""The sections of an interval matrix."""

from collections.abc import Mapping
from typing import Any

from mapt_bench.report.blocks import Block, Section, table_view
from mapt_bench.report.charts import Curve, curves
from mapt_bench.report.heat_map import heat_map
from mapt_bench.report.section_blocks import provenance_section_of_data
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
        charts=tuple(
            chart for drop in result["inference"]["drop"] for chart in _charts(result, drop)
        ),
        tables=(table_view(first, is_open=True), *map(table_view, others)),
    )
    return [
        Section("Training and inference intervals", (summary,)),
        provenance_section_of_data(result),
    ]


def _charts(result: Row, drop: int) -> tuple[Chart, Chart]:
    """Return the heat map of PAT, and PAT over the inference interval with its intervals."""
    trains, infers = headings(result, drop)
    found = {(row["train"], row["infer"]): row for row in result["matrix"] if row["drop"] == drop}
    skip = "" if drop == 1 else f" One frame in {drop} is kept."
    names = [f"trained at {train}" if train[:1].isdigit() else train for train in trains]
    grid = heat_map(
        names,
        infers,
        [[_pat(found.get((train, infer))) for infer in infers] for train in trains],
        "PAT (%)",
        "inference interval (frames)",
        f"PAT by training interval (rows) and inference interval (columns).{skip}",
    )
    # An empty position keeps the adaptive interval apart: it lies at no place of the axis.
    positions = [*(each for each in infers if each.isdigit()), ""]
    positions += [each for each in infers if not each.isdigit()]
    lines = [
        Curve(
            name,
            [_pat(found.get((train, infer))) for infer in positions],
            [_span(found.get((train, infer))) for infer in positions],
        )
        for name, train in zip(names, trains, strict=True)
    ]
    lines += [
        Curve(name, [_pat(found.get((name, infer))) for infer in positions], is_reference=True)
        for name in REFERENCES
    ]
    caption = f"PAT by inference interval, one line for each training interval.{skip}"
    over = curves(lines, positions, "inference interval (frames)", "PAT (%)", caption)
    return grid, over


def _pat(row: Row | None) -> float | None:
    value = None if row is None else row_score(row, "PAT")
    return None if value is None else 100 * value


def _span(row: Row | None) -> tuple[float, float] | None:
    interval = (row or {}).get("intervals", {}).get("PAT") or {}
    return (100 * interval["low"], 100 * interval["high"]) if "low" in interval else None
