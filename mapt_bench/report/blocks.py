"""Building blocks of the page: sections, their blocks, and tables as the template shows them."""

from dataclasses import dataclass

from mapt_bench.report.gallery import Picture
from mapt_bench.report.svg import Chart
from mapt_bench.reports.tables import RANGES, UNDEFINED, Table, printable

__all__ = ["Block", "CellView", "Section", "TableView", "table_view"]


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

    @property
    def has_row_names(self) -> bool:
        """Whether the first column has names of trackers."""
        return self.columns[0][0] in ("variant", "tracker")


@dataclass(frozen=True)
class Block:
    """Content of a section: all of it, or what concerns one source of segments or prediction.

    Attributes:
        title: Heading. Empty for none.
        texts: Sentences of a list.
        pictures: Pictures with their captions, see :mod:`mapt_bench.report.gallery`.
        charts: Charts.
        tables: Tables.
    """

    title: str = ""
    texts: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[TableView, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", printable(self.title))
        object.__setattr__(self, "texts", tuple(map(printable, self.texts)))

    @property
    def has_content(self) -> bool:
        """Whether there is anything to show below the heading."""
        return bool(self.texts or self.pictures or self.charts or self.tables)


@dataclass(frozen=True)
class Section:
    """A section of a part of the page.

    Attributes:
        heading: Heading.
        blocks: Content, one block for each source of segments or prediction.
        notes: Small print.
        command: Command to copy, empty for none.
        setup: Lines to copy before the command.
    """

    heading: str
    blocks: tuple[Block, ...] = ()
    notes: tuple[str, ...] = ()
    command: str = ""
    setup: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(each for each in self.blocks if each.has_content))
        object.__setattr__(self, "notes", tuple(map(printable, self.notes)))
        object.__setattr__(self, "setup", tuple(map(printable, self.setup)))
        for name in ("heading", "command"):
            object.__setattr__(self, name, printable(getattr(self, name)))

    @property
    def has_content(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.blocks or self.notes or self.command)

    @property
    def has_pictures(self) -> bool:
        """Whether there are pictures, which need a legend."""
        return any(block.pictures for block in self.blocks)

    @property
    def has_frames(self) -> bool:
        """Whether pictures show frames above their timelines."""
        return any(each.images for block in self.blocks for each in block.pictures)


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
