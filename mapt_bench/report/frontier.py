"""The sections of a frontier of PAT against STQ."""

from collections.abc import Mapping
from typing import Any

from mapt_bench.report.blocks import Block, Section, table_view
from mapt_bench.report.charts import Point, scatter
from mapt_bench.report.provenance import provenance_tables, run_command, setup_lines
from mapt_bench.report.svg import Chart
from mapt_bench.reports.frontier_tables import (
    frontier_points,
    frontier_sentences,
    frontier_tables,
)

__all__ = ["frontier_sections"]

Row = Mapping[str, Any]


def frontier_sections(result: Row) -> list[Section]:
    """Return the sections of a frontier.

    Args:
        result: Schema ``mapt-bench/frontier/1``.
    """
    first, *others = frontier_tables(result)
    summary = Block(
        texts=tuple(frontier_sentences(result)),
        charts=(*_of_all(result), *(_of_tracker(each) for each in result["trackers"])),
        tables=(table_view(first, is_open=True), *map(table_view, others)),
    )
    provenance = {**result["provenance"], "data": result["data"]}
    tables = provenance_tables({"provenance": provenance})
    return [
        Section("Frontier of PAT against STQ", (summary,)),
        Section(
            "Provenance and protocol",
            (Block(tables=tuple(table_view(each, is_open=True) for each in tables)),),
            command=run_command(result),
            setup=setup_lines(result),
        ),
    ]


def _of_all(result: Row) -> list[Chart]:
    """Return a chart of the setting of each tracker that is nearest to both its maxima."""
    points = []
    for each in result["trackers"]:
        scores = each["trials"][each["nearest"]]["scores"]
        points.append(Point(str(each["tracker"]), 100 * scores["STQ"], 100 * scores["PAT"]))
    caption = (
        "PAT over STQ of each tracker, with the setting that is nearest to both its maxima. Up and "
        "to the right is better."
    )
    return [scatter(points, "STQ (%)", "PAT (%)", caption)] if len(points) > 1 else []


def _of_tracker(entry: Row) -> Chart:
    """Return a chart of the settings on the frontier of a tracker."""
    points = [
        Point(f"setting {number}", stq, pat)
        for number, (stq, pat, is_on) in enumerate(frontier_points(entry))
        if is_on
    ]
    caption = (
        f"The frontier of {entry['tracker']}: none of its {len(entry['trials'])} settings is "
        "better in one score and no worse in the other. The tables have the settings."
    )
    return scatter(points, "STQ (%)", "PAT (%)", caption)
