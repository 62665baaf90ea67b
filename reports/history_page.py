"""The history of scores as tables, as a plot, and as one HTML page without any request."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment

from mapt_bench.reports.plot_style import MARKERS, PALETTE, STYLE, save_figure
from mapt_bench.reports.score_tables import score_column
from mapt_bench.reports.tables import Cell, Column, Table, format_cell, printable
from mapt_bench.results.result_views import score_kind
from mapt_bench.results.run_folders import RESULTS

__all__ = ["history_page", "history_tables", "plot_history"]

History = Mapping[str, Any]
"""A history as plain data, schema ``mapt-bench/history/1``."""

_MOST_LINES = 12
"""Rows in a plot. More lines cannot be told apart."""

_SHORT = 10
"""Shown characters of a revision, as git shortens them."""


def history_tables(history: History) -> list[Table]:
    """Return the scores of each result, one table per score, and the changes."""
    tables = []
    for score in history["scores"]:
        columns = [Column("revision"), Column("date")]
        columns += [Column(row, score_column(score).kind) for row in history["rows"]]
        lines: list[tuple[Cell, ...]] = [
            (
                _revision(point),
                str(point["created"] or "")[:10],
                *(point["scores"].get(row, {}).get(score) for row in history["rows"]),
            )
            for point in history["points"]
        ]
        tables.append(Table(f"History of {score}", tuple(columns), tuple(lines)))
    changes = tuple(
        (
            _revision(change),
            change["row"],
            change["score"],
            *(format_cell(change[side], score_column(change["score"]).kind) for side in _SIDES),
            _step(change),
            {True: "worse", False: "better", None: ""}[change["is_worse"]],
        )
        for change in history["changes"]
    )
    if changes:
        names = ("revision", "row", "score", "before", "after", "change", "")
        columns = [Column(name, "number" if name in _NUMBERS else "text") for name in names]
        tables.append(Table("Revisions at which a score changed", tuple(columns), changes))
    return tables


_SIDES = ("from", "to")
_NUMBERS = ("before", "after", "change")


def _revision(entry: Mapping[str, Any]) -> str:
    path = Path(entry["path"])
    # The result of every run has the same file name.
    name = entry["revision"] or (path.parent.name if path.name == RESULTS else path.name)
    is_hash = len(name) == 40 and all(letter in "0123456789abcdef" for letter in name)
    return str(name[:_SHORT] if is_hash else name)


def _step(change: Mapping[str, Any]) -> str:
    if score_kind(change["score"]).unit == "percent":
        return format_cell(change["difference"], "points")
    return f"{change['difference']:+g}"


def plot_history(history: History, path: Path) -> None:
    """Write a plot of every score over the results.

    Args:
        history: A history of schema ``mapt-bench/history/1``.
        path: File to write, PNG or SVG by its suffix.

    Raises:
        DataError: If the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    points, scores = history["points"], history["scores"]
    shown = history["rows"][:_MOST_LINES]
    with rc_context(STYLE):
        figure = Figure(figsize=(8, 2.6 * max(1, len(scores))), layout="constrained")
        for at, score in enumerate(scores):
            axes = figure.add_subplot(len(scores), 1, at + 1)
            factor = 100 if score_kind(score).unit == "percent" else 1
            for place, row in enumerate(shown):
                values = [point["scores"].get(row, {}).get(score) for point in points]
                axes.plot(
                    range(len(points)),
                    [float("nan") if value is None else factor * value for value in values],
                    color=PALETTE[place % len(PALETTE)],
                    marker=MARKERS[place % len(MARKERS)],
                    label=printable(row),
                )
            axes.set_ylabel(f"{score}, %" if factor == 100 else score)
            axes.set_xticks(range(len(points)))
            names = [printable(_revision(point)) for point in points]
            axes.set_xticklabels(names, rotation=45, ha="right", fontsize=7)
            if at == 0 and shown:
                axes.legend(fontsize=7, ncols=2)
        save_figure(figure, path)


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>History of scores</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.4 system-ui, sans-serif; margin: 1rem auto; max-width: 60rem; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-size: .9rem; }
caption { text-align: left; font-weight: 600; }
th, td { padding: .2rem .6rem; border-bottom: 1px solid #8888; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
img { max-width: 100%; background: #fff; }
</style></head><body>
<h1>History of scores</h1>
<p>{{ points }} results. {{ changes }} changes of a score.</p>
<img alt="Scores over revisions; the tables below hold the numbers" src="data:image/png;base64,{{
picture }}">
{% for note in notes %}<p>Note: {{ note }}</p>
{% endfor %}{% for table in tables %}<div class="wide"><table><caption>{{ table.title }}</caption>
<thead><tr>{% for column in table.columns %}<th scope="col">{{ column.name }}</th>{% endfor
%}</tr></thead>
<tbody>{% for row in table.cells %}<tr>{% for cell in row %}<td class="{{ cell[1] }}">{{ cell[0]
}}</td>{% endfor %}</tr>
{% endfor %}</tbody></table></div>
{% endfor %}</body></html>
"""


def history_page(history: History, picture: bytes) -> str:
    """Return one HTML page with the plot and all tables.

    Args:
        history: A history of schema ``mapt-bench/history/1``.
        picture: The plot as PNG.
    """
    tables = [
        {
            "title": table.title,
            "columns": table.columns,
            "cells": [
                [
                    (text, "text" if column.kind == "text" else "number")
                    for text, column in zip(row, table.columns, strict=True)
                ]
                for row in table.texts()
            ],
        }
        for table in history_tables(history)
    ]
    return (
        Environment(autoescape=True)
        .from_string(_PAGE)
        .render(
            points=len(history["points"]),
            changes=len(history["changes"]),
            notes=[printable(note) for note in history["notes"]],
            tables=tables,
            picture=base64.b64encode(picture).decode(),
        )
    )
