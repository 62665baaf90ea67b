"""Tables as text: on a terminal, and as CSV, LaTeX or Markdown in files."""

import csv
import errno
import io
import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, get_args

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from mapt_bench.errors import ConfigError, nearest
from mapt_bench.files import write_text, write_together
from mapt_bench.reports.tables import (
    RANGES,
    UNDEFINED,
    Cell,
    Column,
    Estimate,
    Table,
    joined_tables,
)

__all__ = [
    "TableFormat",
    "escape_markdown",
    "make_console",
    "plain_text",
    "print_table",
    "render_folder",
    "render_table",
    "render_tables",
    "write_table",
    "write_table_folder",
    "write_tables",
]

_GAP = 2
"""Blank columns between two cells: one of padding, one that rich adds."""

_UNFOLDED = 10_000
_UNKNOWN_WIDTH = 100
"""Width of a console that never wraps, so that rows stay on one line in logs and pipes."""


class _Console(Console):
    """A console that raises an error for a closed pipe. The console of rich exits with 1."""

    def on_broken_pipe(self) -> None:
        """Raise what rich has caught."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def make_console() -> Console:
    """Return a console on stdout. Printing to a closed pipe raises ``BrokenPipeError``."""
    console = _Console(highlight=False)
    if not console.width:  # COLUMNS=0 says that it is unknown
        console.width = _UNKNOWN_WIDTH
    return console


def print_table(table: Table, console: Console | None = None) -> None:
    """Print a table to stdout, or to another console.

    Colour and bold need a terminal and an environment without ``NO_COLOR``. On a terminal, a wide
    table is split into parts, which repeat the first column. Otherwise lines are not split.

    Raises:
        BrokenPipeError: If stdout is a closed pipe.
    """
    console = console or make_console()
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
    """Return the output of :func:`print_table` without a terminal.

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
    """Divide columns into parts that fit. Each part begins with the first column.

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


TableFormat = Literal["csv", "latex", "markdown", "text"]

_SUFFIXES: dict[str, TableFormat] = {
    ".csv": "csv",
    ".tex": "latex",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
}

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\texttt{\char34}",
    "`": r"\textasciigrave{}",
    "–": "--",  # noqa: RUF001
    "→": r"$\to$",
    "τ": r"$\tau$",
    "×": r"$\times$",  # noqa: RUF001
    "Δ": r"$\Delta$",
    **{character: f"\\{character}" for character in "&%$#_"},
}


def render_table(table: Table, table_format: TableFormat) -> str:
    """Return a table as text in one of the formats.

    Args:
        table: The table.
        table_format: ``"csv"`` (raw values), ``"latex"`` (needs the booktabs package),
            ``"markdown"`` (GitHub) or ``"text"`` (as in a terminal without colour).

    Raises:
        ConfigError: If the format is unknown.
    """
    renderers: dict[str, Callable[[Table], str]] = {
        "csv": _csv,
        "latex": _latex,
        "markdown": _markdown,
        "text": plain_text,
    }
    if table_format not in renderers:
        raise ConfigError(
            f"no table format {table_format!r}; {nearest(table_format, get_args(TableFormat))}"
        )
    return renderers[table_format](table)


def write_table(table: Table, path: Path, table_format: TableFormat | None = None) -> None:
    """Write one table. The suffix selects the format, unless it is given.

    Raises:
        ConfigError: If no format is given and the suffix is unknown.
        DataError: If the file cannot be written.
    """
    write_text(path, render_table(table, table_format or _format_of(path)))


def write_tables(
    tables: Sequence[Table], path: Path, table_format: TableFormat | None = None
) -> list[Path]:
    """Write several tables, all or none, and return the written files.

    Raises:
        ConfigError: If no format is given and the suffix is unknown.
        DataError: If a file cannot be written.
    """
    texts = render_tables(tables, path, table_format)
    write_together(texts)
    return list(texts)


def render_tables(
    tables: Sequence[Table], path: Path, table_format: TableFormat | None = None
) -> dict[Path, str]:
    """Return the text of several tables by file.

    A LaTeX, Markdown or text file has all tables. A CSV file has the tables of one name: those of
    the first name are ``path``, and those of another name are a file beside it, ``path`` with this
    name added.

    Raises:
        ConfigError: If no format is given and the suffix is unknown.
    """
    chosen = table_format or _format_of(path)
    if chosen != "csv":
        return {path: "\n".join(render_table(table, chosen) for table in tables)}
    files = [table for table in joined_tables(tables) if table.columns]
    return {
        path.with_name(f"{path.stem}-{table.name}{path.suffix}") if at else path: _csv(table)
        for at, table in enumerate(files)
    }


def render_folder(
    tables: Sequence[Table], folder: Path, latex: Iterable[Table] | None = None
) -> dict[Path, str]:
    """Return the text of the files of a folder of tables, by path.

    Args:
        tables: Tables. Each name has a CSV file. ``tables.md`` has all of them.
        folder: The folder.
        latex: Tables of ``tables.tex``. ``None`` for all.
    """
    texts = {folder / f"{table.name}.csv": _csv(table) for table in joined_tables(tables)}
    texts |= render_tables(tables, folder / "tables.md")
    return texts | render_tables(tables if latex is None else list(latex), folder / "tables.tex")


def write_table_folder(
    tables: Sequence[Table], folder: Path, latex: Iterable[Table] | None = None
) -> list[Path]:
    """Write a folder of tables (see :func:`render_folder`), all files or none.

    Raises:
        DataError: If a file cannot be written.
    """
    texts = render_folder(tables, folder, latex)
    write_together(texts)
    return list(texts)


def _format_of(path: Path) -> TableFormat:
    found = _SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise ConfigError(
            f"the suffix {path.suffix!r} names no table format; "
            f"use one of {', '.join(_SUFFIXES)} or name the format",
            where=path,
        )
    return found


def _csv(table: Table) -> str:
    """Return values as CSV, in the units of the heading and with all digits.

    An interval has two columns. Undefined values are empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heading: list[str] = []
    for column in table.columns:
        ends = (" low", " high") if column.kind in RANGES else ("",)
        heading.extend(f"{column.name}{end}{_csv_unit(column)}" for end in ends)
    writer.writerow(map(_csv_text, heading))
    for row in table.rows:
        values: list[object] = []
        for cell, column in zip(row, table.columns, strict=True):
            if column.kind in RANGES:
                ends_of = cell if isinstance(cell, tuple) else (None, None)
                values.extend(_csv_value(end, column) for end in ends_of)
            else:
                values.append(_csv_value(cell, column))
        writer.writerow(values)
    return text.getvalue()


_PERCENT = frozenset({"percent", "range", "points"})
"""Kinds of columns with fractions, which are shown times 100."""


def _csv_unit(column: Column) -> str:
    if column.kind not in _PERCENT or column.name.endswith("%"):
        return ""
    return " (points)" if column.kind == "points" else " (%)"


def _csv_text(text: str) -> str:
    """Return text that a spreadsheet does not take for a formula: an apostrophe marks it as text.

    Example:
        >>> _csv_text("=1+1"), _csv_text("sort"), _csv_text("-0.5")
        ("'=1+1", 'sort', '-0.5')
    """
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


_FORMULA = ("=", "+", "-", "@")
"""Characters that begin a formula in a spreadsheet."""


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _csv_value(cell: Cell, column: Column) -> object:
    if cell is None or isinstance(cell, str | tuple):
        return _csv_text(cell) if isinstance(cell, str) else cell or ""
    if column.kind in _PERCENT:
        return float(f"{100 * cell:.13g}")
    is_whole = isinstance(cell, Estimate) and column.kind == "count" and cell.is_integer()
    return int(cell) if is_whole else cell


def _value_columns(table: Table) -> list[Column]:
    """Return the columns without intervals, which share the cell of their value."""
    return [
        column for at, column in enumerate(table.columns) if not at or column.kind not in RANGES
    ]


def _joined(table: Table, escape: Callable[[str], str], bold: str) -> list[list[str]]:
    """Return escaped cells, best values in bold, each interval in the cell of its value."""
    best = table.best_cells()
    rows = []
    for row, texts in enumerate(table.texts()):
        cells: list[str] = []
        for at, (text, column) in enumerate(zip(texts, table.columns, strict=True)):
            if not at or column.kind not in RANGES:
                cells.append(bold % escape(text) if (row, at) in best else escape(text))
            elif text != UNDEFINED:
                cells[-1] += f" {escape(text)}"
        rows.append(cells)
    return rows


def _latex(table: Table) -> str:
    lines = [_latex_row(cells) for cells in _joined(table, _escape_latex, r"\textbf{%s}")]
    columns = _value_columns(table)
    alignment = "".join("l" if column.kind == "text" else "r" for column in columns)
    heading = _latex_row([_latex_heading(column) for column in columns])
    body = [r"\toprule", heading, r"\midrule", *lines, r"\bottomrule"]
    notes = [rf"  \par\footnotesize {_escape_latex(note)}" for note in table.footnotes]
    return "\n".join(
        [
            r"% This table needs \usepackage{booktabs}.",
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{_escape_latex(table.title)}}}",
            rf"  \begin{{tabular}}{{{alignment}}}",
            *(f"    {line}" for line in body),
            r"  \end{tabular}",
            *notes,
            r"\end{table}",
            "",
        ]
    )


def _latex_row(cells: Sequence[str]) -> str:
    # LaTeX takes a bracket or star at the beginning for an argument of the command before.
    guard = "{}" if cells[0].startswith(("[", "*")) else ""
    return guard + " & ".join(cells) + r" \\"


_ARROWS = {True: r" $\uparrow$", False: r" $\downarrow$", None: ""}


def _latex_heading(column: Column) -> str:
    """Return the heading with an arrow in the direction of better values."""
    return _escape_latex(column.name) + _ARROWS[column.higher_is_better]


def _escape_latex(text: str) -> str:
    # Two hyphens in a row would become a dash.
    texts = re.split(r"(?<=-)(?=-)", text)
    return "{}".join("".join(_LATEX.get(each, each) for each in part) for part in texts)


def _markdown(table: Table) -> str:
    columns = _value_columns(table)
    rows = _joined(table, escape_markdown, "**%s**")
    rules = ["---" if column.kind == "text" else "---:" for column in columns]
    heading = [escape_markdown(column.name) for column in columns]
    lines = [f"**{escape_markdown(table.title)}**", ""]
    lines += [f"| {' | '.join(cells)} |" for cells in (heading, rules, *rows)]
    for note in table.footnotes:
        lines += ["", escape_markdown(note)]
    return "\n".join([*lines, ""])


def escape_markdown(text: str) -> str:
    """Return text without Markdown markup, for a cell or a line."""
    # A bracket is part of a link only if a bracket, parenthesis or colon follows it.
    escaped = re.sub(r"[\\`*_|<>~$]|\](?=[\[(:])|&(?=#?\w+;)", r"\\\g<0>", text)
    return re.sub(r"^(\d*)([#+.)-])(?= )", r"\1\\\2", escaped)
