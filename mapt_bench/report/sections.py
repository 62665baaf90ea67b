"""Sections of the report: what to show of runs and evaluations, ready for the template."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mapt_bench.errors import MaptBenchError
from mapt_bench.report.blocks import Block, Section, TableView, table_view
from mapt_bench.report.findings import (
    WorstSequences,
    cost_table,
    data_sentences,
    explained,
    failed_table,
    losses_in_words,
    part_losses,
    plain_rows,
    split_sentences,
    worst_sequences,
    worst_table,
)
from mapt_bench.report.gallery import Gallery, Picture, Replay, evaluation_pictures
from mapt_bench.report.provenance import evaluate_command, provenance_tables, run_command
from mapt_bench.report.result_charts import (
    condition_charts,
    cost_charts,
    difference_chart,
    loss_charts,
    network_charts,
    recovery_charts,
    score_chart,
    step_charts,
)
from mapt_bench.report.scored_sequences import cell_sequences, label_space_of, run_slices
from mapt_bench.report.suite_notes import name_notes, with_levels
from mapt_bench.reports import evaluation_headline, part_tables, tables_of_all_parts
from mapt_bench.reports.cost_tables import cost_tables as report_tables
from mapt_bench.reports.difference_tables import paired_tables
from mapt_bench.reports.headline import headline_tables
from mapt_bench.reports.loss_tables import losses_table
from mapt_bench.reports.score_tables import evaluation_tables
from mapt_bench.reports.sentences import part_findings, run_findings
from mapt_bench.reports.slice_tables import slices_table, weakest_slices
from mapt_bench.reports.step_tables import step_sentences
from mapt_bench.reports.tables import Table
from mapt_bench.results.result_views import Part, row_interval, row_name, run_parts

__all__ = ["evaluation_sections", "network_sections", "run_sections"]

Run = Mapping[str, Any]
Row = Mapping[str, Any]


def _opened(tables: Iterable[Table]) -> tuple[TableView, ...]:
    return tuple(table_view(table, is_open=True) for table in tables)


def _closed(tables: Iterable[Table]) -> tuple[TableView, ...]:
    return tuple(table_view(table) for table in tables)


_SUMMARY, _CONDITIONS, _CLAIMS = "Summary", "Stress and sweeps", "Claims"
_LOSSES, _SLICES, _WORST = "Where the points were lost", "Slices", "Worst first"
_STEPS = "Steps of the fusion"
_COST, _PROVENANCE = "Cost", "Provenance and protocol"

_SECTION_OF = {
    **dict.fromkeys(("scores", "differences", "skipped"), _SUMMARY),
    **dict.fromkeys(("by_level", "errors_by_level", "by_interval"), _CONDITIONS),
    **dict.fromkeys(("fusion_PAT", "fusion_IDSW"), _CONDITIONS),
    **dict.fromkeys(("break_points", "recovery_precision"), _CONDITIONS),
    "claims": _CLAIMS,
    **dict.fromkeys(("losses", "losses_by_kind"), _LOSSES),
    **dict.fromkeys(("step_scores", "step_mistakes", "by_step"), _STEPS),
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
    """

    part: Part
    worst: Sequence[WorstSequences]
    pictures: tuple[Picture, ...]
    slices: tuple[str, list[dict[str, Any]]]
    is_alone: bool
    tables: dict[str, list[Table]] = field(init=False)

    def __post_init__(self) -> None:
        found: dict[str, list[Table]] = {}
        for table in part_tables(self.part):
            found.setdefault(_SECTION_OF.get(table.name, _SLICES), []).append(table)
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
            for table in headline_tables(self.part.run)
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
    views = [
        _PartView(
            part,
            found,
            tuple(pictures.of(found, count)),
            _own_slices(part, folder, found),
            len(parts) == 1,
        )
        for part, found in zip(parts, worst, strict=True)
    ]
    shared = tables_of_all_parts(run)
    found = [
        _summary(run, views, [table for table in shared if table.name == "skipped"]),
        _losses(views),
        Section(_STEPS, tuple(map(_by_step, views))),
        Section(_SLICES, tuple(map(_slices, views))),
        Section(
            _WORST,
            tuple(map(_worst, views)),
            (
                *name_notes(run, (each.table for found in worst for each in found)),
                *pictures.missing(),
            ),
        ),
        Section(_CONDITIONS, tuple(map(_by_condition, views))),
        _cost(run, views, cost),
        _of_tables(_CLAIMS, [table for table in shared if table.name == "claims"]),
        _provenance(run, run_command(run)),
    ]
    return [section for section in found if section.has_content]


def _of_tables(heading: str, tables: Iterable[Table], command: str = "") -> Section:
    """Return a section of tables that show without a click."""
    return Section(heading, (Block(tables=_opened(tables)),), command=command)


_FEW = 6
"""Largest number of skipped rows that show without a click."""


def _summary(run: Run, views: Sequence[_PartView], skipped: Sequence[Table]) -> Section:
    failed = failed_table(run)
    is_short = all(len(table.rows) <= _FEW for table in skipped)
    shared = (
        *_opened([] if failed is None else [failed]),
        *(table_view(table, is_open=is_short) for table in skipped),
    )
    missing = [text for each in run_findings(run) if not each.segments for text in each.sentences]
    is_alone = len(views) == 1
    return Section(
        _SUMMARY,
        (
            *(_summary_of_part(view, missing if is_alone else ()) for view in views),
            Block(
                texts=(*(() if is_alone else missing), *data_sentences(run)),
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
            *others,
            *rest,
            *_tracks_to_see_first(view.pictures),
        ),
        charts=tuple(charts),
        tables=(
            *_opened(explained(tables)),
            *_closed(view.tables.get(_SUMMARY, [])),
        ),
    )


def _tracks_to_see_first(pictures: Sequence[Picture]) -> list[str]:
    """Return the first track to look at."""
    first = next((each for each in pictures if each.track), None)
    return [] if first is None else [f"Look first at {first.track} in {first.place}. {first.text}"]


def _losses(views: Sequence[_PartView]) -> Section:
    """Return the section on lost points of a run."""
    blocks = [
        _losses_block(view.title, found, view.tables.get(_LOSSES, []))
        for view in views
        if (found := part_losses(view.part))
    ]
    return Section(_LOSSES, tuple(blocks), (_LOSSES_NOTE,) if blocks else ())


_LOSSES_NOTE = (
    "Points lost: the Shapley share of a kind of mistake. All shares add up to the perfect score "
    "minus the score. It is the mean gain of a repair over all orders of repairs, so also after "
    "other repairs. Columns named alone: the gain if only this kind is repaired. "
    "Linking causes the mistakes of the kind identity. The other kinds come from the segments."
)


def _losses_block(title: str, found: Mapping[str, Row], by_kind: Sequence[Table] = ()) -> Block:
    """Return stacked bars, and a table with gains and causes."""
    return Block(
        title,
        tuple(losses_in_words(found)),
        charts=tuple(loss_charts(found)),
        tables=(
            *_opened(table for table in by_kind if table.name == "losses_by_kind"),
            *_closed(losses_table(name, losses) for name, losses in found.items()),
        ),
    )


def _by_step(view: _PartView) -> Block:
    """Return which step of a fusion makes which mistake where."""
    steps = view.part.run.get("steps") or []
    tables = view.tables.get(_STEPS, [])
    return Block(
        view.title,
        tuple(step_sentences(steps)),
        charts=tuple(step_charts(steps)),
        tables=(*_opened(tables[:1]), *_closed(tables[1:])),
    )


def _slices(view: _PartView) -> Block:
    table = slices_table(*view.slices)
    tables = with_levels(view.tables.get(_SLICES, []), view.part.run)
    return Block(
        view.title,
        tuple(weakest_slices(*view.slices)),
        charts=tuple(recovery_charts(view.part)),
        tables=_closed([*([table] if table else []), *tables]),
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
        tables=_opened(each.table for each in view.worst),
    )


def _by_condition(view: _PartView) -> Block:
    return Block(
        view.title,
        charts=tuple(condition_charts(view.part)),
        tables=_closed(view.tables.get(_CONDITIONS, [])),
    )


def _cost(run: Run, views: Sequence[_PartView], cost: Row | None) -> Section:
    """Return time, operations and memory against score, as far as they are known."""
    blocks = []
    for view in views:
        table = cost_table(view.part)
        names = {str(row[0]) for each in view.headlines() for row in each.rows}
        charts = cost_charts(view.part, names, cost) if view.is_plain else []
        tables = _closed([] if table is None else [table])
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
    return Section(_COST, tuple(blocks), tuple(notes))


def network_sections(cost: Row) -> list[Section]:
    """Return the sections of a FLOPs report of schema ``mapt-bench/cost/1``."""
    tables = report_tables(cost)
    block = Block(
        charts=tuple(network_charts(cost)),
        tables=_opened(table for table in tables if table.name != "claims"),
    )
    found = [
        Section(_COST, (block,)),
        _of_tables(_CLAIMS, [table for table in tables if table.name == "claims"]),
        _of_tables(_PROVENANCE, provenance_tables(cost)),
    ]
    return [section for section in found if section.has_content]


def _provenance(result: Row, command: str) -> Section:
    return _of_tables(_PROVENANCE, provenance_tables(result), command)


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
    first = [text for block in worst.blocks for text in _tracks_to_see_first(block.pictures)]
    summary = Block(
        texts=(*(text for each in headline.findings for text in each.sentences), *first),
        charts=(*score_chart(part, names), *difference_chart(part, names)),
        tables=(
            *_opened(
                explained(replace(each, title=each.title or "Scores") for each in headline.tables)
            ),
            *_closed([tables[0], *paired_tables(evaluations)]),
        ),
    )
    found = [
        Section(_SUMMARY, (summary,), headline.notes),
        Section(_LOSSES, (_losses_block("", losses),), (_LOSSES_NOTE,))
        if losses
        else Section(_LOSSES),
        _slices_of(evaluations, tables[1:]),
        worst,
        *(
            replace(each, heading=f"{each.heading} of {evaluation['name']}")
            if len(evaluations) > 1
            else each
            for evaluation in evaluations
            for each in [_provenance(evaluation, evaluate_command(evaluation))]
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
        _SLICES,
        (Block(texts=texts, tables=_closed([*by_properties, *kept])),),
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
        tables = _opened([] if table is None else [table])
        title = f"Of {name}" if len(evaluations) > 1 else ""
        blocks.append(Block(title, pictures=tuple(pictures), tables=tables))
    return Section(_WORST, tuple(blocks), tuple(notes))
