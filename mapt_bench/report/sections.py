"""Sections of the report: what to show of runs and evaluations, ready for the template."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mapt_bench.errors import MaptBenchError
from mapt_bench.report.charts import Chart
from mapt_bench.report.findings import (
    WorstSequences,
    cost_tables,
    evaluate_command,
    failed_table,
    largest_losses,
    provenance_tables,
    run_command,
    run_losses,
    worst_sequences,
    worst_table,
)
from mapt_bench.report.gallery import Picture, Replay, evaluation_pictures, run_pictures
from mapt_bench.report.result_charts import (
    condition_charts,
    cost_charts,
    difference_chart,
    loss_charts,
    network_charts,
    recovery_charts,
    score_chart,
)
from mapt_bench.report.table_slices import (
    cell_sequences,
    label_space_of,
    slices_table,
    weakest_slices,
)
from mapt_bench.reports import evaluation_headline, run_headline, run_tables, stress_tables
from mapt_bench.reports.cost_tables import cost_tables as report_tables
from mapt_bench.reports.difference_tables import paired_tables
from mapt_bench.reports.headline import Headline
from mapt_bench.reports.loss_tables import losses_table
from mapt_bench.reports.score_tables import evaluation_tables
from mapt_bench.reports.tables import RANGES, UNDEFINED, Table, printable
from mapt_bench.results.result_views import Part, row_interval, run_parts

__all__ = [
    "Section",
    "TableView",
    "evaluation_sections",
    "network_sections",
    "run_sections",
    "table_view",
]

Run = Mapping[str, Any]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class CellView:
    """A cell as text, with its confidence interval, and whether it is the best of its column."""

    text: str
    interval: str = ""
    is_best: bool = False


@dataclass(frozen=True)
class TableView:
    """A table for the template.

    Attributes:
        title: Caption.
        columns: Name, whether it has numbers, and an arrow in the direction of better values.
        rows: Cells of each row.
        references: Indices of reference rows.
        notes: Lines below the table.
        is_open: Whether the table shows without a click.
    """

    title: str
    columns: tuple[tuple[str, bool, str], ...]
    rows: tuple[tuple[CellView, ...], ...]
    references: frozenset[int]
    notes: tuple[str, ...]
    is_open: bool = False


@dataclass(frozen=True)
class Section:
    """A section of a part.

    Attributes:
        heading: Heading.
        texts: Paragraphs.
        charts: Charts.
        tables: Tables.
        notes: Small print.
        pictures: Pictures with their captions, see :mod:`mapt_bench.report.gallery`.
        command: Command to copy, empty for none.
    """

    heading: str
    texts: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[TableView, ...] = ()
    notes: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    command: str = ""

    def __post_init__(self) -> None:
        for name in ("texts", "notes"):
            object.__setattr__(self, name, tuple(map(printable, getattr(self, name))))
        for name in ("heading", "command"):
            object.__setattr__(self, name, printable(getattr(self, name)))

    @property
    def has_content(self) -> bool:
        """Whether there is anything to show."""
        return bool(
            self.texts or self.charts or self.tables or self.notes or self.pictures or self.command
        )


_ARROWS = {True: "↑", False: "↓", None: ""}


def table_view(table: Table, *, is_open: bool = False) -> TableView:
    """Return a table for the template. An interval joins the cell of its value."""
    best = table.best_cells()
    kept = [at for at, column in enumerate(table.columns) if not at or column.kind not in RANGES]
    rows = []
    for row, texts in enumerate(table.texts()):
        cells = []
        for at in kept:
            follows = at + 1 < len(texts) and at + 1 not in kept
            interval = texts[at + 1] if follows and texts[at + 1] != UNDEFINED else ""
            cells.append(CellView(texts[at], interval, (row, at) in best))
        rows.append(tuple(cells))
    columns = tuple(
        (column.name, column.kind != "text", _ARROWS[column.higher_is_better])
        for column in (table.columns[at] for at in kept)
    )
    return TableView(table.title, columns, tuple(rows), table.references, table.footnotes, is_open)


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
    tables = stress_tables(run) if run.get("stressors") else run_tables(run)
    by_section: dict[str, list[Table]] = {}
    for table in tables:
        by_section.setdefault(_SECTION_OF.get(table.name, _SLICES), []).append(table)
    headline, worst = run_headline(run), worst_sequences(run)
    losses, pictures = run_losses(run), _worst(run, folder, worst, gallery, replay)
    slices = list(_own_slices(run, folder, worst))
    found = [
        _summary(run, headline, by_section.get(_SUMMARY, []), _tracks_to_see_first(pictures)),
        _losses(losses, by_section.get(_LOSSES, [])),
        Section(
            _SLICES,
            texts=tuple(sentence for table in slices for sentence in weakest_slices(table)),
            charts=tuple(recovery_charts(run)),
            tables=_closed([*slices, *by_section.get(_SLICES, [])]),
        ),
        pictures,
        Section(
            "Stress and sweeps",
            charts=tuple(condition_charts(run)),
            tables=_closed(by_section.get(_CONDITIONS, [])),
        ),
        _cost(run, headline, cost),
        Section("Claims", tables=_opened(by_section.get(_CLAIMS, []))),
        _provenance(run, run_command(run)),
    ]
    return [section for section in found if section.has_content]


_SUMMARY, _SLICES, _CONDITIONS, _CLAIMS = "summary", "Slices", "conditions", "claims"
_LOSSES = "Where the points were lost"

_SECTION_OF = {
    **dict.fromkeys(("scores", "differences", "skipped"), _SUMMARY),
    **dict.fromkeys(("by_level", "errors_by_level", "fusion", "by_interval"), _CONDITIONS),
    **dict.fromkeys(("break_points", "recovery_precision"), _CONDITIONS),
    "claims": _CLAIMS,
    **dict.fromkeys(("losses", "losses_by_kind"), _LOSSES),
}
"""Section of each table, by name. All others are slices."""


def _opened(tables: Iterable[Table]) -> tuple[TableView, ...]:
    return tuple(table_view(table, is_open=True) for table in tables)


def _closed(tables: Iterable[Table]) -> tuple[TableView, ...]:
    return tuple(table_view(table) for table in tables)


def _tracks_to_see_first(pictures: Section) -> list[str]:
    """Return the first track to look at, for each row with pictures."""
    first: dict[str, str] = {}
    for each in pictures.pictures:
        if each.track:
            text = f"Look first at {each.track} of {each.title}: {each.text}"
            first.setdefault(each.title.partition(", sequence ")[0], text)
    return list(first.values())


def _summary(run: Run, headline: Headline, tables: Sequence[Table], more: Sequence[str]) -> Section:
    charts: list[Chart] = []
    is_plain = not run.get("stressors") and not any(row_interval(row) for row in run["summary"])
    if is_plain:
        for part, table in zip(run_parts(run), headline.tables, strict=False):
            names = {str(row[0]) for row in table.rows}
            charts += [*score_chart(part, names), *difference_chart(part, names)]
    skipped = [table for table in tables if table.name == "skipped"]
    failed = failed_table(run)
    is_short = all(len(table.rows) <= _FEW for table in skipped)
    return Section(
        "Summary",
        texts=(*headline.sentences, *more),
        charts=tuple(charts),
        tables=(
            *_opened([] if failed is None else [failed]),
            *_opened(map(_titled, headline.tables)),
            *_closed(table for table in tables if table.name != "skipped"),
            *(table_view(table, is_open=is_short) for table in skipped),
        ),
        notes=headline.notes,
    )


_FEW = 6
"""Largest number of skipped rows that show without a click."""


def _titled(table: Table) -> Table:
    """Return a headline table with a title that also works alone."""
    if not table.title:
        return replace(table, title="Scores")
    return (
        table if table.title.startswith("PAT") else replace(table, title=f"Scores: {table.title}")
    )


def _losses(found: Mapping[str, Row], by_kind: Sequence[Table] = ()) -> Section:
    """Return the section on lost points: stacked bars, and a table with gains and causes."""
    if not found:
        return Section(_LOSSES)
    return Section(
        _LOSSES,
        texts=tuple(largest_losses(found)),
        charts=tuple(loss_charts(found)),
        tables=(
            *_opened(table for table in by_kind if table.name == "losses_by_kind"),
            *_closed(losses_table(name, losses) for name, losses in found.items()),
        ),
        notes=(
            "Lost: the Shapley share of a kind of mistake. All shares add up to the perfect score "
            "less the score. Gain: the rise of the score if this kind alone is repaired.",
        ),
    )


def _own_slices(run: Run, folder: Path | None, worst: Sequence[WorstSequences]) -> Iterable[Table]:
    """Yield the slices of the reference row of each part, if the run folder has its work units."""
    for each in worst if folder is not None else ():
        cell = (folder or Path()) / "cells" / str(each.row.get("cell"))
        try:
            found = list(cell_sequences(cell, label_space_of(run)))
        except MaptBenchError:
            continue  # the gallery names what cannot be read
        table = slices_table(each.subject, found)
        if table is not None:
            yield table


def _with_pictures(
    evaluations: Sequence[Row], tables: tuple[TableView, ...], gallery: int
) -> Section:
    pictures: list[Picture] = []
    notes: list[str] = []
    for each in evaluations:
        found, missing = evaluation_pictures(each, gallery)
        pictures += found
        notes += missing
    return Section(_WORST, tables=tables, pictures=tuple(pictures), notes=tuple(notes))


_WORST = "Worst first"


def _worst(
    run: Run,
    folder: Path | None,
    worst: Sequence[WorstSequences],
    gallery: int,
    replay: Replay | None,
) -> Section:
    pictures, notes = run_pictures(run, folder, worst, gallery, replay)
    return Section(
        _WORST,
        texts=tuple(each.sentence for each in worst),
        tables=_opened(each.table for each in worst),
        pictures=tuple(pictures),
        notes=tuple(notes),
    )


def _cost(run: Run, headline: Headline, cost: Row | None) -> Section:
    """Return time, operations and memory against score, as far as they are known."""
    tables, charts = cost_tables(run), []
    parts = () if run.get("stressors") else run_parts(run)
    for part, table in zip(parts, headline.tables, strict=False):
        if not any(row_interval(row) for row in part.run["summary"]):
            charts += cost_charts(part, {str(row[0]) for row in table.rows}, cost)
    note = (run.get("protocol") or {}).get("seconds_per_frame")
    notes = [f"ms/frame: {note}."] if note and tables else []
    if cost is not None:
        notes.append(
            "Operations do not include detection, which is the same for all rows that link the "
            "same segments."
        )
    elif tables:
        notes.append(
            "To show operations and memory, pass the result of mapt-bench flops --measure --json "
            "FILE to mapt-bench report as well."
        )
    return Section("Cost", charts=tuple(charts), tables=_closed(tables), notes=tuple(notes))


def network_sections(cost: Row) -> list[Section]:
    """Return the sections of a FLOPs report of schema ``mapt-bench/cost/1``."""
    tables = report_tables(cost)
    found = [
        Section(
            "Cost",
            charts=tuple(network_charts(cost)),
            tables=_opened(table for table in tables if table.name != "claims"),
        ),
        Section("Claims", tables=_opened(table for table in tables if table.name == "claims")),
        Section("Provenance and protocol", tables=_opened(provenance_tables(cost))),
    ]
    return [section for section in found if section.has_content]


def _provenance(result: Row, command: str) -> Section:
    tables = provenance_tables(result)
    return Section("Provenance and protocol", command=command, tables=_opened(tables))


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
    slices = [table for table in tables[1:] if table.rows]
    losses = {str(each["name"]): each["losses"] for each in evaluations if each.get("losses")}
    worst = [
        table
        for each in evaluations
        if (table := worst_table(str(each["name"]), each.get("per_sequence") or {}, {}, None))
    ]
    pictures = _with_pictures(evaluations, _opened(worst), gallery)
    found = [
        Section(
            "Summary",
            texts=(*headline.sentences, *_tracks_to_see_first(pictures)),
            charts=(*score_chart(part, names), *difference_chart(part, names)),
            tables=(
                *_opened(headline.tables),
                *_closed([tables[0], *paired_tables(evaluations)]),
            ),
            notes=headline.notes,
        ),
        _losses(losses),
        Section(_SLICES, tables=_closed(slices)),
        pictures,
        *(
            replace(each, heading=f"{each.heading}: {evaluation['name']}")
            if len(evaluations) > 1
            else each
            for evaluation in evaluations
            for each in [_provenance(evaluation, evaluate_command(evaluation))]
        ),
    ]
    return [section for section in found if section.has_content]
