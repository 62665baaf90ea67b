"""What sections of runs and of evaluations share: headings, blocks and tables."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mapt_bench.report.blocks import Block, Section, TableView, table_view
from mapt_bench.report.findings import losses_in_words
from mapt_bench.report.gallery import Picture
from mapt_bench.report.provenance import provenance_tables, run_command, setup_lines
from mapt_bench.report.result_charts import loss_charts
from mapt_bench.reports.loss_tables import losses_table
from mapt_bench.reports.tables import Table

__all__ = [
    "CLAIMS",
    "CONDITIONS",
    "COST",
    "LOSSES",
    "LOSSES_NOTE",
    "PROVENANCE",
    "SLICES",
    "STEPS",
    "SUMMARY",
    "WORST",
    "closed",
    "losses_block",
    "of_tables",
    "opened",
    "provenance_section",
    "provenance_section_of_data",
    "tracks_to_see_first",
]

Row = Mapping[str, Any]

SUMMARY, CONDITIONS, CLAIMS = "Summary", "Stress and sweeps", "Claims"
LOSSES, SLICES, WORST = "Where the points were lost", "Slices", "Worst first"
STEPS = "Steps of the fusion"
COST, PROVENANCE = "Cost", "Provenance and protocol"


def opened(tables: Iterable[Table]) -> tuple[TableView, ...]:
    """Return tables that show without a click."""
    return tuple(table_view(table, is_open=True) for table in tables)


def closed(tables: Iterable[Table]) -> tuple[TableView, ...]:
    """Return folded tables."""
    return tuple(table_view(table) for table in tables)


def of_tables(heading: str, tables: Iterable[Table]) -> Section:
    """Return a section of tables that show without a click."""
    return Section(heading, (Block(tables=opened(tables)),))


def tracks_to_see_first(pictures: Sequence[Picture]) -> list[str]:
    """Return the first track to look at."""
    first = next((each for each in pictures if each.track), None)
    return [] if first is None else [f"Look first at {first.track} in {first.place}. {first.text}"]


LOSSES_NOTE = (
    "Points lost: the Shapley share of a kind of mistake. All shares add up to the perfect score "
    "minus the score. It is the mean gain of a repair over all orders of repairs, so also after "
    "other repairs. Columns named alone: the gain if only this kind is repaired. "
    "Linking causes the mistakes of the kind identity. The other kinds come from the segments."
)


def losses_block(
    title: str, found: Mapping[str, Row], by_kind: Sequence[Table] = (), *, noun: str = "Row"
) -> Block:
    """Return sentences, stacked bars, and tables with gains and causes.

    Args:
        title: Heading of the block.
        found: Losses by name.
        by_kind: Tables of all names.
        noun: What has the names, ``"Row"`` or ``"Prediction"``.
    """
    return Block(
        title,
        tuple(losses_in_words(found, noun)),
        charts=tuple(loss_charts(found)),
        tables=(
            *opened(table for table in by_kind if table.name == "losses_by_kind"),
            *closed(losses_table(name, losses) for name, losses in found.items()),
        ),
    )


def provenance_section(result: Row, command: str) -> Section:
    """Return the section on what is needed to get the same numbers again."""
    tables = opened(provenance_tables(result))
    return Section(PROVENANCE, (Block(tables=tables),), command=command, setup=setup_lines(result))


def provenance_section_of_data(result: Row) -> Section:
    """Return the provenance section of a result with data and weights beside the provenance."""
    beside = {"data": result["data"], "weights": _weights_of(result)}
    joined = {**result, "provenance": {**result["provenance"], **beside}}
    return provenance_section(joined, run_command(result))


def _weights_of(result: Row) -> dict[str, str]:
    """Return the SHA-256 of the weights of a result, of the whole or of its trackers, by name."""
    whole = result.get("weights")
    found = {str(whole["name"]): str(whole["sha256"])} if whole else {}
    for tracker in result.get("trackers", ()):
        found |= tracker["weights"]
    return found
