"""Tables of results, with raw values.

A cell has the raw value. Fractions are converted to percent only for text, so CSV and JSON have all
digits. :mod:`mapt_bench.reports.table_formats` converts tables to text.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["RANGES", "UNDEFINED", "Cell", "Column", "Kind", "Table", "format_cell"]

Kind = Literal[
    "text", "percent", "points", "count", "integer", "number", "decimal", "range", "count range"
]
"""``percent`` and ``range`` have fractions, ``points`` signed differences of fractions. A
``count`` may be a mean of counts. ``decimal`` always has two decimals. A column of intervals
follows the column of its value."""

RANGES = frozenset({"range", "count range"})
"""Kinds of columns whose cells are intervals."""

Cell = str | int | float | tuple[float, float] | None
"""``None`` is undefined. A pair is an interval (see :data:`RANGES`)."""

UNDEFINED = "–"  # noqa: RUF001 - an en dash, as papers print it


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Heading.
        kind: Kind of the cells, which decides their text.
        higher_is_better: Whether the best value of the column is the highest (True) or the lowest
            (False). ``None`` for no best value.
    """

    name: str
    kind: Kind = "text"
    higher_is_better: bool | None = None


@dataclass(frozen=True)
class Table:
    """Rows of cells under typed columns.

    Attributes:
        title: Title, one line.
        columns: Columns, at least one.
        rows: Rows of cells, one cell per column.
        footnotes: Lines below the table: reasons of undefined cells, units, protocol.
        references: Indices of reference rows, which never have the best value, for example the
            oracle.

    Raises:
        ValueError: If a row has another number of cells.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    footnotes: tuple[str, ...] = ()
    references: frozenset[int] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        for index, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"row {index} of table {self.title!r} has {len(row)} cells "
                    f"for {len(self.columns)} columns"
                )

    def texts(self) -> list[list[str]]:
        """Return all cells as text: percent with two decimals, undefined as a dash.

        The counts of a column have the same number of decimals: none, or one if any is a mean.
        """
        columns = [
            [format_cell(row[at], column.kind) for row in self.rows]
            for at, column in enumerate(self.columns)
        ]
        for at, column in enumerate(self.columns):
            if column.kind == "count" and any("." in text for text in columns[at]):
                columns[at] = [
                    text if _number(row[at]) is None else f"{row[at]:.1f}"
                    for text, row in zip(columns[at], self.rows, strict=True)
                ]
        return [list(row) for row in zip(*columns, strict=True)]

    def best_cells(self) -> frozenset[tuple[int, int]]:
        """Return (row, column) of the best values, including all values with the same text.

        A column has a best value if it has a direction and at least two rows that can be best.
        """
        best: set[tuple[int, int]] = set()
        texts = self.texts()
        for at, column in enumerate(self.columns):
            if column.higher_is_better is None:
                continue
            competing = {
                row: value
                for row, cells in enumerate(self.rows)
                if row not in self.references and (value := _number(cells[at])) is not None
            }
            if len(competing) < 2:
                continue
            choose = max if column.higher_is_better else min
            winner = choose(competing, key=lambda row, of=competing: of[row])  # type: ignore[misc]
            best |= {(row, at) for row in competing if texts[row][at] == texts[winner][at]}
        return frozenset(best)

    def to_dict(self) -> dict[str, object]:
        """Return title, column names, rows of raw values and footnotes as plain data for JSON."""
        return {
            "title": self.title,
            "columns": [column.name for column in self.columns],
            "rows": [
                [list(cell) if isinstance(cell, tuple) else cell for cell in row]
                for row in self.rows
            ],
            "footnotes": list(self.footnotes),
        }


def format_cell(cell: Cell, kind: Kind) -> str:
    """Return a cell as text.

    Example:
        >>> format_cell(0.6265, "percent"), format_cell(-0.005, "points"), format_cell(3, "integer")
        ('62.65', '-0.50', '3')
        >>> format_cell((0.5, 0.75), "range")
        '[50.00, 75.00]'
        >>> format_cell((0, 64), "count range"), format_cell(448.5, "count")
        ('[0, 64]', '448.5')
    """
    if isinstance(cell, tuple):
        end: Kind = "count" if kind == "count range" else "percent"
        return f"[{format_cell(cell[0], end)}, {format_cell(cell[1], end)}]"
    if isinstance(cell, str):
        return cell
    value = _number(cell)
    if value is None:
        return UNDEFINED
    if kind == "percent":
        return f"{100 * value:.2f}"
    if kind == "points":
        return f"{100 * value:+.2f}" if round(100 * value, 2) else "0.00"
    if kind == "integer":
        return f"{value:.0f}"
    if kind == "count":
        return f"{value:.0f}" if value == round(value) else f"{value:.1f}"
    if kind == "decimal":
        return f"{value:.2f}"
    return _plain_number(value)


def _number(cell: Cell) -> float | None:
    if cell is None or isinstance(cell, str | tuple) or not math.isfinite(cell):
        return None
    return float(cell)


def _plain_number(value: float) -> str:
    """Return a number as text: whole, with two decimals or, below one, with three digits."""
    if value == round(value):
        return f"{value:.0f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"
