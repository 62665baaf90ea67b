"""Output on a terminal: the short answer of a result, and all tables with ``--full``.

The short answer has at most 40 lines. Lines are as wide as the terminal, and at most 100 columns.
Columns of tables that do not fit are dropped.
"""

import os
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from mapt_bench.errors import printable
from mapt_bench.reports.headline import ROWS_SHOWN, Headline, selection_note
from mapt_bench.reports.table_formats import make_console, print_table
from mapt_bench.reports.tables import RANGES, UNDEFINED, Column, Table

__all__ = ["MAX_LINES", "MAX_WIDTH", "fitting_columns", "print_all_tables", "print_headline"]

MAX_LINES = 40
MAX_WIDTH = 100

_GAP = 2
_FEWEST_ROWS = 3
_MOST_SENTENCES = 8
_LEAD_SENTENCES = 3
"""Sentences on the best row, the next, and whether the difference is established."""

_BEST = "*"
_NARROWEST = 8


def print_headline(
    make: Callable[[int], Headline],
    closing: str,
    console: Console | None = None,
    *,
    with_tables: bool = True,
) -> None:
    """Print the short answer of a result.

    If these are too many lines, less important sentences are omitted first, because pages have the
    same rows. Then tables get fewer rows, and the last ones are omitted.

    Args:
        make: Returns the headline with tables of at most a number of rows.
        closing: Where the rest is, besides all tables.
        console: Console. ``None`` for stdout.
        with_tables: Whether to print the headline tables.

    Raises:
        BrokenPipeError: If stdout is a closed pipe.
    """
    console = console or make_console()
    width, closing = line_width(console), printable(closing)
    for rows, sentences in _sizes():
        made = make(rows)
        headline = replace(made, findings=tuple(each.first(sentences) for each in made.findings))
        lines = _lines(headline, closing, width, with_tables=with_tables)
        if len(lines) <= MAX_LINES:
            break
    while len(lines) > MAX_LINES and len(headline.tables) > 1:
        headline = replace(headline, tables=headline.tables[:-1])
        lines = _lines(headline, closing, width, with_tables=with_tables)
    for line in lines:
        console.print(line, no_wrap=True, overflow="ignore", crop=False)


def _sizes() -> Iterator[tuple[int, int]]:
    """Yield the number of rows of each table and of sentences of each finding, most first."""
    for sentences in range(_MOST_SENTENCES, _LEAD_SENTENCES, -1):
        yield ROWS_SHOWN, sentences
    for rows in range(ROWS_SHOWN, _FEWEST_ROWS, -1):
        yield rows, _LEAD_SENTENCES
    for sentences in range(_LEAD_SENTENCES, 0, -1):
        yield _FEWEST_ROWS, sentences


def line_width(console: Console) -> int:
    """Return the width of printed lines: that of the terminal or of ``COLUMNS``, at most 100."""
    known = console.is_terminal or os.environ.get("COLUMNS", "").isdigit()
    return min(console.width, MAX_WIDTH) if known else MAX_WIDTH


def print_all_tables(tables: Iterable[Table], console: Console | None = None) -> None:
    """Print all tables with their footnotes, each footnote once.

    On a terminal, columns that do not fit are dropped, and a line names them.

    Raises:
        BrokenPipeError: If stdout is a closed pipe.
    """
    console = console or make_console()
    width = line_width(console)
    seen: set[str] = set()
    for table in tables:
        shown = _narrowed(table, console.width) if console.is_terminal else table
        print_table(replace(shown, footnotes=()), console)
        notes = [note for note in shown.footnotes if note not in seen]
        seen.update(shown.footnotes)
        for line in (line for note in notes for line in _wrapped(note, width)):
            console.print(Text(line, style="dim"), no_wrap=True, overflow="ignore", crop=False)


def _narrowed(table: Table, width: int) -> Table:
    """Return the columns that fit into a width, with a footnote that names the others."""
    kept = fitting_columns(table, table.texts(), width)
    names = [column.name for at, column in enumerate(table.columns) if at not in kept]
    if not names:
        return table
    return replace(
        table.of_columns(kept),
        footnotes=(*table.footnotes, f"Not shown, too wide: {', '.join(names)}."),
    )


def fitting_columns(table: Table, texts: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return the columns that fit into a width. Those with the lowest priority are dropped first.

    The first two columns always stay. An interval never stays without its value.
    """
    return _fitting(table.columns, _widths(table, texts), width)


def _fitting(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int]:
    kept = list(range(len(columns)))
    while len(kept) > 2 and _total(widths, kept) > width:
        kept.remove(min(kept[2:], key=lambda at: (columns[at].priority, -at)))
    return [at for at in kept if columns[at].kind not in RANGES or at - 1 in kept or at == 0]


def _widths(table: Table, texts: Sequence[Sequence[str]]) -> list[int]:
    return [
        max([cell_len(column.name), *(cell_len(row[at]) for row in texts)])
        for at, column in enumerate(table.columns)
    ]


def _total(widths: Sequence[int], kept: Sequence[int]) -> int:
    return sum(widths[at] for at in kept) + _GAP * (len(kept) - 1)


def _lines(headline: Headline, closing: str, width: int, *, with_tables: bool) -> list[Text]:
    has_best = with_tables and any(table.best_cells() for table in headline.tables)
    title = f"{headline.title}{f', {_BEST} best' if has_best else ''}"
    lines = [Text(line, style="bold") for line in _wrapped(title, width)]
    if with_tables:
        lines += _tables_lines(headline.tables, width)
    if with_tables and any(map(_ends_with_references, headline.tables)):
        note = "Rows below a blank line are references. They do not compete."
        lines += [Text(line, style="dim") for line in _wrapped(note, width)]
    lines += [Text(line) for each in headline.findings for line in _wrapped(each.text, width)]
    notes = [*headline.notes, *headline.skipped]
    lines += [Text(line, style="dim") for text in notes for line in _wrapped(text, width)]
    hidden = headline.hidden_rows if with_tables else 0
    shown = headline.row_count - hidden
    note = selection_note(shown, headline.row_count)
    rest = f"{note} All rows and all" if hidden else "All"
    text = f"{rest} tables: --full. {closing}" if with_tables else closing
    return lines + [Text(line, style="dim") for line in _wrapped(text, width)]


def _ends_with_references(table: Table) -> bool:
    """Return whether a blank line parts the references from the other rows.

    With ``--rows``, references may be anywhere.
    """
    own = len(table.rows) - len(table.references)
    return 0 < own < len(table.rows) and min(table.references) == own


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def _tables_lines(tables: Sequence[Table], width: int) -> list[Text]:
    """Return the lines of tables. Those with the same columns have them at the same places."""
    groups: dict[tuple[str, ...], list[Table]] = {}
    for table in tables:
        groups.setdefault(_names(table), []).append(table)
    layouts = {}
    for names, members in groups.items():
        texts = [_marked(table) for table in members]
        widths = [max(each) for each in zip(*map(_widths, members, texts), strict=True)]
        kept = _fitting(members[0].columns, widths, width)
        room = width - _total(widths, kept) + widths[kept[0]]
        widths[kept[0]] = min(widths[kept[0]], max(room, _NARROWEST))
        layouts[names] = kept, widths
    return [
        line for table in tables for line in _table_lines(table, width, *layouts[_names(table)])
    ]


def _names(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns)


def _table_lines(
    table: Table, width: int, kept: Sequence[int], widths: Sequence[int]
) -> Iterator[Text]:
    """Yield a title in a rule, the heading, the rows, and the references after a blank line."""
    texts = _marked(table)
    total = _total(widths, kept)
    if table.title:
        yield Text(f"── {table.title} ".ljust(total, "─")[:width], style="bold")
    heading = [column.name for column in table.columns]
    best = table.best_cells()
    yield _line([(heading[at], "bold") for at in kept], widths, kept, table)
    for row, cells in enumerate(texts):
        is_reference = row in table.references
        if is_reference and row - 1 not in table.references and row:
            yield Text("")
        plain = "dim" if is_reference else ""
        styled = [(cells[at], "bold green" if (row, at) in best else plain) for at in kept]
        yield _line(styled, widths, kept, table)


def _marked(table: Table) -> list[list[str]]:
    """Return the cells as text, the best values marked without colour too."""
    best = table.best_cells()
    marked = {at for _, at in best}
    return [
        [
            _without_dash(text, table, at)
            + ((_BEST if (row, at) in best else " ") if at in marked else "")
            for at, text in enumerate(texts)
        ]
        for row, texts in enumerate(table.texts())
    ]


def _without_dash(text: str, table: Table, at: int) -> str:
    return "" if text == UNDEFINED and table.columns[at].kind in RANGES else text


def _line(
    cells: Sequence[tuple[str, str]], widths: Sequence[int], kept: Sequence[int], table: Table
) -> Text:
    line = Text()
    for place, (at, (text, style)) in enumerate(zip(kept, cells, strict=True)):
        blank = max(widths[at] - cell_len(text), 0)
        is_left = table.columns[at].kind == "text"
        shown = text if cell_len(text) <= widths[at] else set_cell_size(text, widths[at] - 1) + "…"
        line.append(" " * (_GAP if place else 0) + ("" if is_left else " " * blank))
        line.append(shown, style=style)
        line.append(" " * blank if is_left else "")
    line.rstrip()
    return line
