"""Tables on a terminal: coloured only there, folded to its width, whole in a pipe."""

import errno
import io
import os
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from mapt_bench.reports.tables import Table

__all__ = ["plain_text", "print_table"]

_GAP = 2
"""Blank columns between two cells: one of padding, one of rich's own."""

_UNFOLDED = 10_000
"""Columns of a console that never wraps: logs and pipes keep rows whole."""


class _Console(Console):
    """A console that leaves it to its caller what a closed pipe means; rich's own exits with 1."""

    def on_broken_pipe(self) -> None:
        """Raise what rich has caught."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def print_table(table: Table, console: Console | None = None) -> None:
    """Print a table to stdout, or to another console.

    Colour and bold need a terminal and an environment without ``NO_COLOR``. A table wider than
    the terminal goes on below itself, its first column repeated; elsewhere lines stay whole.

    Raises:
        BrokenPipeError: If whoever reads stdout has gone.
    """
    console = console or _Console(highlight=False)
    if not console.is_terminal:
        console = _Console(file=console.file, width=_UNFOLDED, color_system=None, highlight=False)
    texts = table.texts()
    best = table.best_cells()
    console.print(Text(table.title, style="bold"))
    for columns in _fold(_column_widths(table, texts), console.width) if texts else ():
        console.print(_part(table, texts, best, columns))
    for note in table.footnotes:
        console.print(Text(note, style="dim"))


def plain_text(table: Table) -> str:
    """Return what :func:`print_table` shows where there is no terminal.

    Example:
        >>> from mapt_bench.reports.tables import Column
        >>> print(plain_text(Table("t", (Column("a"), Column("PQ", "percent")), (("x", 0.5),))))
        t
        a     PQ
        ────────
        x  50.00
        <BLANKLINE>
    """
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=False, color_system=None, highlight=False)
    print_table(table, console)
    return (
        "\n".join(line.rstrip() for line in stream.getvalue().splitlines() if line.strip()) + "\n"
    )


def _part(
    table: Table,
    texts: Sequence[Sequence[str]],
    best: frozenset[tuple[int, int]],
    columns: Sequence[int],
) -> RichTable:
    part = RichTable(box=SIMPLE_HEAD, pad_edge=False, padding=(0, _GAP - 1, 0, 0), show_edge=False)
    for at in columns:
        column = table.columns[at]
        part.add_column(
            Text(column.name),
            justify="left" if column.kind == "text" else "right",
            no_wrap=column.kind != "text",
        )
    for row, cells in enumerate(texts):
        style = "dim" if row in table.references else ""
        part.add_row(
            *(Text(cells[at], style="bold green" if (row, at) in best else "") for at in columns),
            style=style,
        )
    return part


def _column_widths(table: Table, texts: Sequence[Sequence[str]]) -> list[int]:
    return [
        max([len(column.name), *(len(row[at]) for row in texts)])
        for at, column in enumerate(table.columns)
    ]


def _fold(widths: Sequence[int], width: int) -> list[list[int]]:
    """Divide columns into parts that fit, each led by the first column.

    Example:
        >>> _fold([4, 5, 5, 5], 20)
        [[0, 1, 2], [0, 3]]
    """
    parts: list[list[int]] = [[0]]
    used = widths[0]
    for at in range(1, len(widths)):
        if used + _GAP + widths[at] > width and len(parts[-1]) > 1:
            parts.append([0])
            used = widths[0]
        parts[-1].append(at)
        used += _GAP + widths[at]
    return parts
