"""A chart of values in a grid, darker where they are higher."""

from collections.abc import Sequence

from mapt_bench.report.svg import (
    Chart,
    Drawing,
    Shape,
    chart_of,
    shape,
    short,
    text,
    values_in_words,
    width_of,
)

__all__ = ["heat_map"]

_ROW, _TOP = 26, 24
_PALEST, _DARKEST = 0.06, 0.5
"""Opacity of the lowest and of the highest value. Text on both has enough contrast."""


def heat_map(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    row_label: str,
    column_label: str,
    caption: str,
) -> Chart:
    """Return a grid of values, each in its cell.

    Args:
        rows: Names of the rows.
        columns: Names of the columns.
        values: Values of each row, ``None`` where undefined.
        row_label: What rows are.
        column_label: What columns are.
        caption: Sentence below the chart.
    """
    known = [value for row in values for value in row if value is not None]
    told = "; ".join(
        f"{name}: {values_in_words(row, columns)}" for name, row in zip(rows, values, strict=True)
    )
    return chart_of(
        lambda width: _drawing(rows, columns, values, row_label, column_label, width, known),
        caption,
        f"{row_label} by {column_label}. {told}.",
    )


def _drawing(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    row_label: str,
    column_label: str,
    width: int,
    known: Sequence[float],
) -> Drawing:
    left = max(width_of(short(name, 16)) for name in rows) + 10
    step = (width - left - 4) / len(columns)
    low, high = min(known, default=0.0), max(known, default=0.0)
    shapes: list[Shape] = [text(0, 12, row_label, "start", "quiet")]
    for at, column in enumerate(columns):
        shapes.append(text(left + step * (at + 0.5), 12, short(column, 10), "middle", "quiet"))
    for place, (name, row) in enumerate(zip(rows, values, strict=True)):
        y = _TOP + _ROW * place
        shapes.append(text(left - 8, y + 17, short(name, 16), "end"))
        for at, value in enumerate(row):
            if value is None:
                continue
            share = (value - low) / (high - low) if high > low else 0.0
            x = left + step * at
            shapes.append(
                shape(
                    "rect",
                    "bar c0",
                    f"{name}, {columns[at]}: {value:z.2f}",
                    x=x + 1,
                    y=float(y),
                    width=step - 2,
                    height=float(_ROW - 2),
                    fill_opacity=f"{_PALEST + (_DARKEST - _PALEST) * share:.3f}",
                )
            )
            shapes.append(text(x + step / 2, y + 17, f"{value:z.2f}", "middle"))
    bottom = _TOP + _ROW * len(rows)
    shapes.append(text(left + step * len(columns) / 2, bottom + 16, column_label, "middle"))
    return Drawing(width, bottom + 24, tuple(shapes))
