"""A table of results, once, and the forms it is shown in.

A cell holds the raw value: fractions stay fractions until they are printed, so that CSV and JSON
lose nothing. The textual forms live in :mod:`mapt_bench.reports.table_formats`.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["RANGES", "UNDEFINED", "Cell", "Column", "Kind", "Table", "format_cell"]

Kind = Literal[
    "text", "percent", "points", "count", "integer", "number", "decimal", "range", "count range"
]
"""``percent`` and ``range`` hold fractions, ``points`` a signed difference of fractions; a
``count`` may be a mean of counts; ``decimal`` always has two decimals. A column of a range stands
behind the column of the value whose interval it holds."""

RANGES = frozenset({"range", "count range"})
"""Kinds of columns whose cells are intervals."""

Cell = str | int | float | tuple[float, float] | None
"""``None`` is undefined; a pair is an interval (see :data:`RANGES`)."""

UNDEFINED = "–"  # noqa: RUF001 - an en dash, as papers print it


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Heading.
        kind: How cells are printed.
        higher_is_better: Whether the best value of the column is the highest (True), the lowest
            (False), or none is best (None).
    """

    name: str
    kind: Kind = "text"
    higher_is_better: bool | None = None


@dataclass(frozen=True)
class Table:
    """Rows of cells under typed columns.

    Attributes:
        title: One line that says what is shown.
        columns: At least one.
        rows: Each as long as ``columns``.
        footnotes: Printed below the table: reasons of undefined cells, units, protocol.
        references: Indices of rows that are shown for orientation and do not compete for the
            best value, for example the oracle.

    Raises:
        ValueError: If a row is not as long as ``columns``.
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
        """Return every cell as people read it: percent with two decimals, undefined as a dash.

        Counts of one column have the same number of decimals: none, or one if any is a mean.
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
        """Return (row, column) of the best values: all of those that print alike.

        A column has a best value if it has a direction and at least two rows compete in it.
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
        """Return title, column names, rows of raw values and footnotes, ready for JSON."""
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
    """Return a cell as people read it.

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
    """Whole numbers as such, others with two decimals or, below one, three digits."""
    if value == round(value):
        return f"{value:.0f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"
