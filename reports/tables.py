"""Tables of results, with raw values.

A cell has the raw value. Fractions are converted to percent only for text, so CSV and JSON have all
digits. :mod:`mapt_bench.reports.table_formats` converts tables to text.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from mapt_bench.errors import printable

__all__ = [
    "RANGES",
    "UNDEFINED",
    "Cell",
    "Column",
    "Estimate",
    "Kind",
    "Standing",
    "Table",
    "format_cell",
    "joined_tables",
    "printable",
    "with_content",
]

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


Standing = Literal["above", "below", "reference", "open"]
"""What paired tests say of a value: established above or below that of the reference of the tests,
the value of the reference itself, or not established to differ."""

_SIDES = {"above": 1, "reference": 0, "below": -1}


class Estimate(float):
    """A value with what is known of its uncertainty.

    Attributes:
        interval: Lower and upper end of its confidence interval, ``None`` without one.
        standing: What paired tests say of it, ``None`` without a test.
    """

    def __new__(
        cls,
        value: float,
        interval: tuple[float, float] | None = None,
        standing: Standing | None = None,
    ) -> "Estimate":
        """Return the value with its interval and its standing."""
        made = super().__new__(cls, value)
        made.interval, made.standing = interval, standing
        return made

    interval: tuple[float, float] | None
    standing: Standing | None


UNDEFINED = "–"  # noqa: RUF001 - an en dash, as papers print it


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Heading.
        kind: Kind of the cells, which decides their text.
        higher_is_better: Whether the best value of the column is the highest (True) or the lowest
            (False). ``None`` for no best value.
        priority: Columns with the lowest priority are dropped first if a table is too wide. Of
            equal columns, the last is dropped first.
    """

    name: str
    kind: Kind = "text"
    higher_is_better: bool | None = None
    priority: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", printable(self.name))


@dataclass(frozen=True)
class Table:
    """Rows of cells under typed columns.

    Texts become printable: control characters of names are shown as escapes, see
    :func:`~mapt_bench.errors.printable`.

    Attributes:
        title: Title, one line.
        columns: Columns, at least one.
        rows: Rows of cells, one cell per column.
        footnotes: Lines below the table: reasons of undefined cells, units, protocol.
        references: Indices of reference rows, which never have the best value, for example the
            oracle.
        name: Short, stable name of the table's file, for example ``"scores"``. Tables with one
            name share a file.
        keys: Columns that only the file has, and their value in every row of this table, for
            example ``(("segments", "groundtruth"),)``.

    Raises:
        ValueError: If a row has another number of cells.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    footnotes: tuple[str, ...] = ()
    references: frozenset[int] = field(default_factory=frozenset)
    name: str = "table"
    keys: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        rows = tuple(
            tuple(printable(cell) if isinstance(cell, str) else cell for cell in row)
            for row in self.rows
        )
        object.__setattr__(self, "title", printable(self.title))
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "footnotes", tuple(map(printable, self.footnotes)))
        object.__setattr__(self, "keys", tuple((k, printable(value)) for k, value in self.keys))
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
        """Return (row, column) of the best values, at most one in a column.

        A column has a best value if it has a direction and at least two rows that can be best. It
        has none if another of these rows ties: if it has the same text, or

        - with paired tests: if it is not established that the two rows differ,
        - without tests: if it lies within the confidence interval of the best.

        In a table with tests or intervals, columns without them have no best value.
        """
        best: set[tuple[int, int]] = set()
        texts = self.texts()
        judged = {at for at in range(len(self.columns)) if self._is_judged(at)}
        for at, column in enumerate(self.columns):
            if column.higher_is_better is None or (judged and at not in judged):
                continue
            competing = self._competing(at)
            if len(competing) < 2:
                continue
            choose = max if column.higher_is_better else min
            winner = choose(competing, key=lambda row, of=competing: of[row])  # type: ignore[misc]
            ties = self._is_open if self._has_test(at) else self._is_near
            if not any(
                texts[row][at] == texts[winner][at] or ties(winner, row, at)
                for row in competing
                if row != winner
            ):
                best.add((winner, at))
        return frozenset(best)

    @property
    def has_tests(self) -> bool:
        """Whether values have paired tests, which decide on the best values."""
        return any(map(self._has_test, range(len(self.columns))))

    def unjudged_columns(self) -> list[str]:
        """Return the columns without tests and intervals, in a table with some."""
        judged = [self._is_judged(at) for at in range(len(self.columns))]
        return [
            column.name
            for column, is_judged in zip(self.columns, judged, strict=True)
            if any(judged) and not is_judged and column.higher_is_better is not None
        ]

    def _competing(self, at: int) -> dict[int, float]:
        """Return the values of a column that can be the best, by row."""
        return {
            row: value
            for row, cells in enumerate(self.rows)
            if row not in self.references and (value := _number(cells[at])) is not None
        }

    def _is_judged(self, at: int) -> bool:
        """Return whether values of a column have paired tests or confidence intervals."""
        if self.columns[at].higher_is_better is None:
            return False
        rows = range(len(self.rows))
        return self._has_test(at) or any(self._interval(row, at) for row in rows)

    def _has_test(self, at: int) -> bool:
        """Return whether values of a column were tested against that of the reference."""
        standings = {self._standing(row, at) for row in range(len(self.rows))}
        return bool(standings - {None, "reference"})

    def _standing(self, row: int, at: int) -> Standing | None:
        cell = self.rows[row][at]
        return cell.standing if isinstance(cell, Estimate) else None

    def _is_open(self, winner: int, row: int, at: int) -> bool:
        """Return whether tests leave it open that two values differ."""
        sides = [_SIDES.get(self._standing(each, at) or "open") for each in (winner, row)]
        return None in sides or sides[0] == sides[1]

    def _is_near(self, winner: int, row: int, at: int) -> bool:
        """Return whether a value lies within the confidence interval of the best."""
        low, high = self._interval(winner, at) or (math.inf, -math.inf)
        value = _number(self.rows[row][at])
        return value is not None and low <= value <= high

    def _interval(self, row: int, at: int) -> tuple[float, float] | None:
        """Return the confidence interval of a value, in the cell or in the next column."""
        cells = self.rows[row]
        cell = cells[at]
        if isinstance(cell, Estimate) and cell.interval:
            return cell.interval
        has_next = at + 1 < len(cells) and self.columns[at + 1].kind in RANGES
        beside = cells[at + 1] if has_next else None
        return beside if isinstance(beside, tuple) else None

    def of_columns(self, kept: Sequence[int]) -> "Table":
        """Return the table with some of its columns only.

        Args:
            kept: Their positions, in order.
        """
        return replace(
            self,
            columns=tuple(self.columns[at] for at in kept),
            rows=tuple(tuple(row[at] for at in kept) for row in self.rows),
        )

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


def with_content(tables: Iterable[Table]) -> list[Table]:
    """Return tables without rows and columns of dashes only, and omit tables without values.

    The first column names the rows and always stays. Reference rows keep their mark.
    """
    found = []
    for table in tables:
        columns = [
            at
            for at in range(len(table.columns))
            if not at or any(not _is_empty(row[at]) for row in table.rows)
        ]
        rows = [
            at
            for at, row in enumerate(table.rows)
            if len(row) == 1 or any(not _is_empty(cell) for cell in row[1:])
        ]
        if rows and (len(columns) > 1 or len(table.columns) == 1):
            found.append(_selected(table, rows, columns))
    return found


def _is_empty(cell: Cell) -> bool:
    return cell in (None, "", UNDEFINED) or (isinstance(cell, float) and math.isnan(cell))


def _selected(table: Table, rows: list[int], columns: list[int]) -> Table:
    return replace(
        table,
        columns=tuple(table.columns[at] for at in columns),
        rows=tuple(tuple(table.rows[at][column] for column in columns) for at in rows),
        references=frozenset(rows.index(at) for at in table.references if at in rows),
    )


def joined_tables(tables: Iterable[Table]) -> list[Table]:
    """Return one table per name: key columns, then every column that a table of the name has.

    Columns of one name and of two kinds stay apart, because they have two units. Cells of columns
    that a table lacks are undefined. Title, footnotes and references are those
    of the first table with the name.
    """
    groups: dict[str, list[Table]] = {}
    for table in tables:
        groups.setdefault(table.name, []).append(table)
    return [_joined(members) for members in groups.values()]


def _joined(tables: list[Table]) -> Table:
    columns: dict[_Place, Column] = {}
    for table in tables:
        for key, _ in table.keys:
            columns.setdefault((key, -1, "text"), Column(key))
    for table in tables:
        for place, column in zip(_places(table), table.columns, strict=True):
            columns.setdefault(place, column)
    rows = []
    for table in tables:
        given: dict[_Place, Cell] = {(key, -1, "text"): value for key, value in table.keys}
        for row in table.rows:
            found = given | dict(zip(_places(table), row, strict=True))
            rows.append(tuple(found.get(place) for place in columns))
    return replace(tables[0], columns=tuple(columns.values()), rows=tuple(rows), keys=())


_Place = tuple[str, int, Kind]


def _places(table: Table) -> list[_Place]:
    """Return the name of each column, how often it occurs before, and its kind."""
    names = [column.name for column in table.columns]
    return [
        (column.name, names[:at].count(column.name), column.kind)
        for at, column in enumerate(table.columns)
    ]


def format_cell(cell: Cell, kind: Kind) -> str:
    """Return a cell as text.

    Example:
        >>> format_cell(0.6265, "percent"), format_cell(-0.005, "points"), format_cell(3, "integer")
        ('62.65', '-0.50', '3')
        >>> format_cell((0.5, 0.75), "range")
        '[50.00, 75.00]'
        >>> format_cell((0, 64), "count range"), format_cell(448.5, "count")
        ('[0, 64]', '448.5')
        >>> format_cell(-0.00001, "percent")  # zero has no sign
        '0.00'
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
        return f"{100 * value:z.2f}"
    if kind == "points":
        return f"{100 * value:+.2f}" if round(100 * value, 2) else "0.00"
    if kind == "integer":
        return f"{value:z.0f}"
    if kind == "count":
        return f"{value:z.0f}" if value == round(value) else f"{value:z.1f}"
    if kind == "decimal":
        return f"{value:z.2f}"
    return _plain_number(value)


def _number(cell: Cell) -> float | None:
    if cell is None or isinstance(cell, str | tuple) or not math.isfinite(cell):
        return None
    return float(cell)


def _plain_number(value: float) -> str:
    """Return a number as text: whole, with two decimals or, below one, with three digits."""
    if value == round(value):
        return f"{value:z.0f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"
