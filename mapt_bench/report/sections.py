"""Sections of the report: what to show of runs and evaluations, ready for the template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mapt_bench.errors import MaptBenchError
from mapt_bench.report.blocks import Block, Section, table_view
from mapt_bench.report.findings import (
    WorstSequences,
    cost_table,
    explained,
    failed_table,
    interval_sentences,
    part_losses,
    plain_rows,
    split_sentences,
    worst_sequences,
)
from mapt_bench.report.gallery import Gallery, Picture, Replay
from mapt_bench.report.provenance import provenance_tables, run_command
from mapt_bench.report.result_charts import (
    condition_charts,
    cost_charts,
    difference_chart,
    network_charts,
    recovery_charts,
    score_chart,
    step_charts,
)
from mapt_bench.report.scored_sequences import cell_sequences, label_space_of, run_slices
from mapt_bench.report.section_blocks import (
    CLAIMS,
    CONDITIONS,
    COST,
    LOSSES,
    LOSSES_NOTE,
    PROVENANCE,
    SLICES,
    STEPS,
    SUMMARY,
    WORST,
    closed,
    losses_block,
    of_tables,
    opened,
    provenance_section,
    tracks_to_see_first,
)
from mapt_bench.report.suite_notes import name_notes, with_levels
from mapt_bench.reports import part_tables, tables_of_all_parts
from mapt_bench.reports.cost_sentences import cost_sentences
from mapt_bench.reports.cost_tables import cost_tables as report_tables
from mapt_bench.reports.headline import headline_tables, rows_shown
from mapt_bench.reports.sentences import part_findings, run_findings
from mapt_bench.reports.slice_tables import slices_table, weakest_slices
from mapt_bench.reports.step_tables import step_sentences
from mapt_bench.reports.tables import Table
from mapt_bench.results.result_views import Part, row_interval, row_name, run_parts

__all__ = ["network_sections", "run_sections"]

Run = Mapping[str, Any]
Row = Mapping[str, Any]


_SECTION_OF = {
    **dict.fromkeys(("scores", "differences", "skipped"), SUMMARY),
    **dict.fromkeys(("by_level", "errors_by_level", "by_interval"), CONDITIONS),
    **dict.fromkeys(("fusion_PAT", "fusion_IDSW"), CONDITIONS),
    **dict.fromkeys(("break_points", "recovery_precision"), CONDITIONS),
    "claims": CLAIMS,
    **dict.fromkeys(("losses", "losses_by_kind"), LOSSES),
    **dict.fromkeys(("step_scores", "step_mistakes", "by_step"), STEPS),
}
"""Section of each table, by name. All others are slices."""


@dataclass(frozen=True)
class _PartView:
    """One part of a run, with what its sections share.

    Attributes:
        part: The part.
        worst: Its worst sequences, one entry for each condition.
        pictures: Pictures of the worst sequences.
        slices: Name of the reference row and its slices, empty without a run folder.
        is_alone: Whether it is the only part of the run.
        rows_shown: Most rows of each headline table.
    """

    part: Part
    worst: Sequence[WorstSequences]
    pictures: tuple[Picture, ...]
    slices: tuple[str, list[dict[str, Any]]]
    is_alone: bool
    rows_shown: int
    tables: dict[str, list[Table]] = field(init=False)

    def __post_init__(self) -> None:
        found: dict[str, list[Table]] = {}
        for table in part_tables(self.part):
            found.setdefault(_SECTION_OF.get(table.name, SLICES), []).append(table)
        object.__setattr__(self, "tables", found)

    @property
    def place(self) -> str:
        """Heading of its blocks."""
        return f"On {self.part.words}" if self.part.words else ""

    @property
    def title(self) -> str:
        """Heading of its blocks after the summary, which names the only segments of a run."""
        return "" if self.is_alone else self.place

    @property
    def is_plain(self) -> bool:
        """Whether its rows differ in the tracker only, so that all can be compared."""
        swept = any(row_interval(row) for row in self.part.run["summary"])
        return not self.part.run.get("stressors") and not swept

    def headlines(self) -> list[Table]:
        """Return the headline tables with titles that do not repeat the segments."""
        return [
            replace(table, title=table.title.removesuffix(self.part.ending))
            if table.title != self.part.words
            else replace(table, title="Scores")
            for table in headline_tables(self.part.run, rows=self.rows_shown)
        ]


def run_sections(
    run: Run,
    folder: Path | None,
    gallery: int,
    replay: Replay | None = None,
    cost: Row | None = None,
) -> list[Section]:
    """Return the sections of a run that have content.

    Args:
        run: A result of schema ``mapt-bench/run/1``.
        folder: Run folder, which has the overlap tables. ``None`` if it is unknown.
        gallery: Largest number of sequences with pictures.
        replay: Tracks sequences again for pictures of frames, see
            :mod:`mapt_bench.report.gallery`.
        cost: FLOPs report of schema ``mapt-bench/cost/1``, for operations beside scores.
    """
    parts = run_parts(run)
    worst = [worst_sequences(part) for part in parts]
    pictures = Gallery(run, folder, gallery, replay)
    count = sum(map(len, worst))
    most = rows_shown(len(headline_tables(run)))
    views = [
        _PartView(
            part,
            found,
            tuple(pictures.of(found, count)),
            _own_slices(part, folder, found),
            len(parts) == 1,
            most,
        )
        for part, found in zip(parts, worst, strict=True)
    ]
    shared = tables_of_all_parts(run)
    found = [
        _summary(run, views, [table for table in shared if table.name == "skipped"]),
        _losses(views),
        Section(STEPS, tuple(map(_by_step, views))),
        Section(SLICES, tuple(map(_slices, views))),
        Section(
            WORST,
            tuple(map(_worst, views)),
            (
                *name_notes(run, (each.table for found in worst for each in found)),
                *pictures.missing(),
            ),
        ),
        Section(CONDITIONS, tuple(map(_by_condition, views))),
        _cost(run, views, cost),
        of_tables(CLAIMS, [table for table in shared if table.name == "claims"]),
        provenance_section(run, run_command(run)),
    ]
    return [section for section in found if section.has_content]


_FEW = 6
"""Largest number of skipped rows that show without a click."""


def _summary(run: Run, views: Sequence[_PartView], skipped: Sequence[Table]) -> Section:
    failed = failed_table(run)
    is_short = all(len(table.rows) <= _FEW for table in skipped)
    shared = (
        *opened([] if failed is None else [failed]),
        *(table_view(table, is_open=is_short) for table in skipped),
    )
    missing = [text for each in run_findings(run) if not each.segments for text in each.sentences]
    is_alone = len(views) == 1
    return Section(
        SUMMARY,
        (
            *(_summary_of_part(view, missing if is_alone else ()) for view in views),
            Block(
                texts=(*(() if is_alone else missing), *interval_sentences(run)),
                tables=shared,
            ),
        ),
    )


def _summary_of_part(view: _PartView, missing: Sequence[str]) -> Block:
    """Return the answer on one part.

    Args:
        view: The part.
        missing: Why there are no confidence intervals.
    """
    tables, charts = view.headlines(), []
    if view.is_plain:
        names = {str(row[0]) for table in tables for row in table.rows}
        charts = [*score_chart(view.part, names), *difference_chart(view.part, names)]
    lead, others = part_findings(view.part).around_lead()
    rest = [text for text in missing if text not in (*lead, *others)]
    return Block(
        view.place,
        (
            *lead,
            *split_sentences(view.part),
            *cost_sentences(view.part),
            *others,
            *rest,
            *tracks_to_see_first(view.pictures),
        ),
        charts=tuple(charts),
        tables=(
            *opened(explained(tables)),
            *closed(view.tables.get(SUMMARY, [])),
        ),
    )


def _losses(views: Sequence[_PartView]) -> Section:
    """Return the section on lost points of a run."""
    blocks = [
        losses_block(view.title, found, view.tables.get(LOSSES, []))
        for view in views
        if (found := part_losses(view.part))
    ]
    return Section(LOSSES, tuple(blocks), (LOSSES_NOTE,) if blocks else ())


def _by_step(view: _PartView) -> Block:
    """Return which step of a fusion makes which mistake where."""
    steps = view.part.run.get("steps") or []
    tables = view.tables.get(STEPS, [])
    return Block(
        view.title,
        tuple(step_sentences(steps)),
        charts=tuple(step_charts(steps)),
        tables=(*opened(tables[:1]), *closed(tables[1:])),
    )


def _slices(view: _PartView) -> Block:
    table = slices_table(*view.slices)
    tables = with_levels(view.tables.get(SLICES, []), view.part.run)
    names = [str(row[0]) for each in view.headlines()[:1] for row in each.rows]
    return Block(
        view.title,
        tuple(weakest_slices(*view.slices)),
        charts=tuple(recovery_charts(view.part, names)),
        tables=closed([*([table] if table else []), *tables]),
    )


def _own_slices(
    part: Part, folder: Path | None, worst: Sequence[WorstSequences]
) -> tuple[str, list[dict[str, Any]]]:
    """Return the reference row of a part and its slices, if the run folder has its work units.

    In a stress test, these are slices of the unchanged videos.
    """
    if folder is None or not worst:
        return "", []
    name = row_name(worst[0].row)
    row = next((row for row in plain_rows(part) if row_name(row) == name), worst[0].row)
    cell = folder / "cells" / str(row.get("cell"))
    try:
        return name, run_slices(cell_sequences(cell, label_space_of(part.run)))
    except MaptBenchError:
        return name, []  # the gallery names what cannot be read


def _worst(view: _PartView) -> Block:
    return Block(
        view.title,
        tuple(each.sentence for each in view.worst),
        view.pictures,
        tables=opened(each.table for each in view.worst),
    )


def _by_condition(view: _PartView) -> Block:
    return Block(
        view.title,
        charts=tuple(condition_charts(view.part)),
        tables=closed(view.tables.get(CONDITIONS, [])),
    )


def _cost(run: Run, views: Sequence[_PartView], cost: Row | None) -> Section:
    """Return time, operations and memory against score, as far as they are known."""
    blocks = []
    for view in views:
        table = cost_table(view.part)
        names = {str(row[0]) for each in view.headlines() for row in each.rows}
        charts = cost_charts(view.part, names, cost) if view.is_plain else []
        tables = closed([] if table is None else [table])
        blocks.append(Block(view.title, charts=tuple(charts), tables=tables))
    has_tables = any(block.tables for block in blocks)
    note = (run.get("protocol") or {}).get("seconds_per_frame")
    notes = [f"ms/frame: {note}."] if note and has_tables else []
    if cost is not None:
        notes.append(
            "Operations do not include detection, which is the same for all rows that link the "
            "same segments."
        )
    elif has_tables:
        notes.append(
            "To show operations and memory, pass the result of mapt-bench flops --measure --json "
            "FILE to mapt-bench report as well."
        )
    return Section(COST, tuple(blocks), tuple(notes))


def network_sections(cost: Row) -> list[Section]:
    """Return the sections of a FLOPs report of schema ``mapt-bench/cost/1``."""
    tables = report_tables(cost)
    block = Block(
        charts=tuple(network_charts(cost)),
        tables=opened(table for table in tables if table.name != "claims"),
    )
    found = [
        Section(COST, (block,)),
        of_tables(CLAIMS, [table for table in tables if table.name == "claims"]),
        of_tables(PROVENANCE, provenance_tables(cost)),
    ]
    return [section for section in found if section.has_content]
