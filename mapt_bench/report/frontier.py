"""The sections of a frontier of PAT against STQ."""

from collections.abc import Mapping
from typing import Any

from mapt_bench.report.blocks import Block, Section, table_view
from mapt_bench.report.frontier_chart import frontier_chart
from mapt_bench.report.section_blocks import provenance_section_of_data
from mapt_bench.reports.frontier_tables import frontier_sentences, frontier_tables

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
        charts=(frontier_chart(result),),
        tables=(table_view(first, is_open=True), *map(table_view, others)),
    )
    return [Section("Frontier of PAT against STQ", (summary,)), provenance_section_of_data(result)]
