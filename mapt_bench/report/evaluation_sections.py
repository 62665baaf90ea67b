"""Sections of the report on evaluations, ready for the template."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mapt_bench.report.blocks import Block, Section
from mapt_bench.report.findings import explained, worst_table
from mapt_bench.report.gallery import evaluation_pictures
from mapt_bench.report.provenance import evaluate_command
from mapt_bench.report.result_charts import difference_chart, score_chart
from mapt_bench.report.section_blocks import (
    LOSSES,
    LOSSES_NOTE,
    SLICES,
    SUMMARY,
    WORST,
    closed,
    losses_block,
    opened,
    provenance_section,
    tracks_to_see_first,
)
from mapt_bench.reports import evaluation_headline
from mapt_bench.reports.difference_tables import paired_tables
from mapt_bench.reports.score_tables import evaluation_tables
from mapt_bench.reports.slice_tables import slices_table, weakest_slices
from mapt_bench.reports.tables import Table
from mapt_bench.results.result_views import Part

__all__ = ["evaluation_sections"]

Row = Mapping[str, Any]


def evaluation_sections(evaluations: Sequence[Row], gallery: int) -> list[Section]:
    """Return the sections of evaluations that have content, for one row per prediction.

    Args:
        evaluations: Results of schema ``mapt-bench/evaluation/2``.
        gallery: Largest number of sequences with pictures, for each prediction.
    """
    headline = evaluation_headline(evaluations)
    names = {str(each["name"]) for each in evaluations}
    rows = [{**each, "variant": str(each["name"])} for each in evaluations]
    part = Part("", False, {"summary": rows, "experiment": "evaluate"}, True)
    tables = evaluation_tables(evaluations)
    losses = {str(each["name"]): each["losses"] for each in evaluations if each.get("losses")}
    worst = _worst_of(evaluations, gallery)
    first = [text for block in worst.blocks for text in tracks_to_see_first(block.pictures)]
    summary = Block(
        texts=(*(text for each in headline.findings for text in each.sentences), *first),
        charts=(*score_chart(part, names), *difference_chart(part, names)),
        tables=(
            *opened(
                explained(replace(each, title=each.title or "Scores") for each in headline.tables)
            ),
            *closed([tables[0], *paired_tables(evaluations)]),
        ),
    )
    found = [
        Section(SUMMARY, (summary,), headline.notes),
        Section(LOSSES, (losses_block("", losses, noun="Prediction"),), (LOSSES_NOTE,))
        if losses
        else Section(LOSSES),
        _slices_of(evaluations, tables[1:]),
        worst,
        *(
            replace(each, heading=f"{each.heading} of {evaluation['name']}")
            if len(evaluations) > 1
            else each
            for evaluation in evaluations
            for each in [provenance_section(evaluation, evaluate_command(evaluation))]
        ),
    ]
    return [section for section in found if section.has_content]


def _slices_of(evaluations: Sequence[Row], tables: Sequence[Table]) -> Section:
    """Return the slices of predictions: by properties of objects, class and sequence."""
    named = [(str(each["name"]), each.get("slices") or []) for each in evaluations]
    by_properties = [table for each in named if (table := slices_table(*each)) is not None]
    kept = [table for table in tables if table.rows]
    texts = tuple(sentence for each in named for sentence in weakest_slices(*each))
    note = "For slices by properties of the objects, evaluate with --slices."
    return Section(
        SLICES,
        (Block(texts=texts, tables=closed([*by_properties, *kept])),),
        () if by_properties else (note,),
    )


def _worst_of(evaluations: Sequence[Row], gallery: int) -> Section:
    blocks: list[Block] = []
    notes: list[str] = []
    for each in evaluations:
        name = str(each["name"])
        pictures, missing = evaluation_pictures(each, gallery)
        notes += missing
        table = worst_table(name, each.get("per_sequence") or {}, {})
        tables = opened([] if table is None else [table])
        title = f"Of {name}" if len(evaluations) > 1 else ""
        blocks.append(Block(title, pictures=tuple(pictures), tables=tables))
    return Section(WORST, tuple(blocks), tuple(notes))
