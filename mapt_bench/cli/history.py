"""``mapt-bench history``: scores over several results, and where they changed."""

import tempfile
from pathlib import Path

import click

from mapt_bench.cli.options import checked_output, emit_json, json_option, path_type, print_line
from mapt_bench.compare import Order, score_history
from mapt_bench.errors import counted
from mapt_bench.files import write_together
from mapt_bench.reports.table_formats import make_console, print_table
from mapt_bench.reports.terminal import fitting_columns, line_width

__all__ = ["command"]

_EPILOG = """\b
Examples:
  mapt-bench history runs
  mapt-bench history v1.json v2.json --scores PAT,IDSW --html history.html
"""


@click.command("history", epilog=_EPILOG)
@click.argument("results", type=path_type, nargs=-1, required=True, metavar="RESULT...")
@click.option(
    "--scores",
    metavar="NAMES",
    default="",
    help="Follow these scores, separated by commas. Default: PAT,STQ. Example: --scores PAT,IDSW",
)
@click.option(
    "--row",
    "rows",
    multiple=True,
    metavar="NAME",
    help="Follow this row; * fits any text. Repeatable. Default: all rows. Example: --row 'mapt*'",
)
@click.option(
    "--order",
    type=click.Choice(["date", "revision", "given"]),
    default="date",
    show_default=True,
    help="Order the results by date, by the text of the revision, or as given.",
)
@click.option(
    "--html",
    "html_file",
    type=path_type,
    metavar="FILE",
    callback=checked_output,
    help="Write one HTML page with plot and tables.",
)
@click.option(
    "--png",
    "png_file",
    type=path_type,
    metavar="FILE",
    callback=checked_output,
    help="Write the plot as PNG.",
)
@json_option
def command(
    results: tuple[Path, ...],
    scores: str,
    rows: tuple[str, ...],
    order: Order,
    html_file: Path | None,
    png_file: Path | None,
    json_file: str | None,
) -> int:
    """Show scores over several results, and the revisions at which they changed.

    RESULT is a file that evaluate wrote, a run, a baseline, or a folder that holds these. Results
    that cannot be compared are shown, but no change is reported between them.
    """
    names = tuple(name.strip() for name in scores.split(",") if name.strip())
    history = score_history(results, scores=names, rows=rows, order=order)
    data = history.to_dict()
    if html_file is not None or png_file is not None:
        _write_pictures(data, html_file, png_file)
    if not emit_json(json_file, data):
        # Imported here, because pandas and Matplotlib start slowly.
        from mapt_bench.reports.history_page import history_tables

        console = make_console()
        width = line_width(console)
        for table in history_tables(data):
            kept = fitting_columns(table, table.texts(), width)
            print_table(table.of_columns(kept), console)
            if hidden := len(table.columns) - len(kept):
                print_line(
                    f"note: {counted(hidden, 'row')} more, too wide for this table: choose rows "
                    "with --row, or write --html FILE"
                )
        for note in history.notes:
            print_line(f"note: {note}")
    return 0


def _write_pictures(data: dict[str, object], html_file: Path | None, png_file: Path | None) -> None:
    from mapt_bench.reports.history_page import history_page, plot_history

    with tempfile.TemporaryDirectory() as folder:
        picture = png_file or Path(folder) / "history.png"
        plot_history(data, picture)
        if html_file is not None:
            write_together({html_file: history_page(data, picture.read_bytes())})
