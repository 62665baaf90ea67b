"""Plots of an interval matrix: a heat map, and curves over the inference interval."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mapt_bench.reports.interval_matrix import REFERENCES, headings
from mapt_bench.reports.plot_style import (
    COPY,
    FAINT,
    ORACLE,
    STYLE,
    SUFFIXES,
    Mark,
    numbered_mark,
    save_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["write_matrix_plots"]

Result = Mapping[str, Any]
Row = Mapping[str, Any]

_SPREAD = 0.5
"""Width of the lines at one interval, side by side, as a share of the distance of two intervals."""


def write_matrix_plots(result: Result, folder: Path) -> list[Path]:
    """Write the plots of an interval matrix as PNG and SVG.

    Args:
        result: A result of schema ``mapt-bench/interval-matrix/1``.
        folder: Output folder.

    Returns:
        Written files: ``matrix_PAT`` (heat map), ``curves_PAT`` and ``curves_speed``.

    Raises:
        DataError: If a file cannot be written.
    """
    from matplotlib import rc_context

    written: list[Path] = []
    with rc_context(STYLE):
        for name, draw in (
            ("matrix_PAT", _heat_map),
            ("curves_PAT", _curves),
            ("curves_speed", _speed_curves),
        ):
            figure = draw(result)
            for suffix in SUFFIXES:
                written.append(folder / f"{name}{suffix}")
                save_figure(figure, written[-1])
    return written


def _rows(result: Result, drop: int) -> dict[tuple[str, str], Row]:
    return {(row["train"], row["infer"]): row for row in result["matrix"] if row["drop"] == drop}


def _heat_map(result: Result) -> Any:  # noqa: ANN401  # a figure; matplotlib is imported late
    """Draw PAT by training (rows) and inference interval (columns), one panel per frame skip."""
    import numpy as np
    from matplotlib.figure import Figure

    drops = list(result["inference"]["drop"])
    trains, infers = headings(result, drops[0])
    figure = Figure(
        figsize=(1.8 + (0.8 * len(infers) + 0.6) * len(drops), 1.5 + 0.45 * len(trains)),
        dpi=150,
        layout="constrained",
    )
    panels = figure.subplots(1, len(drops), squeeze=False)[0]
    for axes, drop in zip(panels, drops, strict=True):
        found = _rows(result, drop)
        values = np.array(
            [[_percent(found.get((train, infer)), "PAT") for infer in infers] for train in trains]
        )
        axes.grid(visible=False)
        image = axes.imshow(values, cmap="viridis", aspect="auto")
        middle = (np.nanmin(values) + np.nanmax(values)) / 2 if np.isfinite(values).any() else 0
        for (row, column), value in np.ndenumerate(values):
            if np.isfinite(value):
                colour = "white" if value < middle else "black"
                axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour)
        axes.set_xticks(range(len(infers)), infers)
        axes.set_yticks(range(len(trains)), trains)
        axes.set_xlabel("inference interval (frames)")
        if drop != 1 or len(drops) > 1:
            axes.set_title(f"frame skip {drop}", loc="left", color=FAINT)
        figure.colorbar(image, ax=axes, label="PAT (%)")
    panels[0].set_ylabel("training interval (frames)")
    return figure


def _percent(row: Row | None, score: str) -> float:
    value = None if row is None else row["scores"].get(score)
    return float("nan") if value is None else 100 * float(value)


def _curves(result: Result) -> Any:  # noqa: ANN401  # the same
    """Draw PAT over the inference interval, one line per training interval, seeds as points."""
    from matplotlib.figure import Figure

    drops = list(result["inference"]["drop"])
    figure = Figure(figsize=(2.2 + 4.4 * len(drops), 4.2), dpi=150, layout="constrained")
    panels = figure.subplots(1, len(drops), squeeze=False)[0]
    for axes, drop in zip(panels, drops, strict=True):
        _draw_curves(axes, result, drop)
        if drop != 1 or len(drops) > 1:
            axes.set_title(f"frame skip {drop}", loc="left", color=FAINT)
    panels[0].set_ylabel("PAT (%)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", title="trained at")
    return figure


def _places(count: int) -> list[float]:
    """Return where the lines of one interval stand, side by side."""
    return [_SPREAD * ((at + 0.5) / count - 0.5) for at in range(count)]


def _draw_curves(axes: "Axes", result: Result, drop: int) -> None:
    found = _rows(result, drop)
    trains, infers = headings(result, drop)
    for number, (train, shift) in enumerate(zip(trains, _places(len(trains)), strict=True)):
        mark = numbered_mark(train, number)
        rows = [found[train, infer] for infer in infers]
        x = [at + shift for at in range(len(infers))]
        y = [_percent(row, "PAT") for row in rows]
        _draw_line(axes, x, y, infers, mark)
        for at, row in zip(x, rows, strict=True):
            _draw_spread(axes, at, row, mark.colour)
    for name, mark in zip(REFERENCES, (COPY, ORACLE), strict=True):
        value = _percent(found.get((name, "1")), "PAT")
        if value == value:  # is a number
            axes.axhline(value, color=mark.colour, linestyle=mark.dashes, lw=1, label=name)
    axes.set_xticks(range(len(infers)), infers)
    axes.set_xlabel("inference interval (frames)")


def _draw_line(
    axes: "Axes", x: Sequence[float], y: Sequence[float], infers: Sequence[str], mark: Mark
) -> None:
    """Draw a line over the fixed intervals. The adaptive one stands apart."""
    fixed = [at for at, infer in enumerate(infers) if infer.isdigit()]
    others = [at for at in range(len(infers)) if at not in fixed]
    for places, dashes, label in ((fixed, mark.dashes, mark.name), (others, "", "_nolegend_")):
        axes.plot(
            [x[at] for at in places],
            [y[at] for at in places],
            color=mark.colour,
            marker=mark.marker,
            linestyle=dashes,
            lw=1.1,
            ms=5,
            label=label,
        )


def _draw_spread(axes: "Axes", at: float, row: Row, colour: str) -> None:
    """Draw the seeds of a place as points, and its confidence interval as a bar."""
    interval = (row.get("intervals") or {}).get("PAT") or {}
    if "low" in interval:
        axes.vlines(at, 100 * interval["low"], 100 * interval["high"], color=colour, lw=0.7)
    if len(row["seeds"]) > 1:
        for seed in row["seeds"]:
            axes.plot(at, _percent(seed, "PAT"), ".", color=colour, ms=3, alpha=0.6)


def _speed_curves(result: Result) -> Any:  # noqa: ANN401  # the same
    """Draw association accuracy over the inference interval, one panel per speed of the objects."""
    from matplotlib.figure import Figure

    drop = result["inference"]["drop"][0]
    found = _rows(result, drop)
    trains, infers = headings(result, drop)
    speeds: Sequence[str] = list(next(iter(found.values()))["speeds"])
    figure = Figure(figsize=(1.6 + 3 * len(speeds), 3.4), dpi=150, layout="constrained")
    panels = figure.subplots(1, len(speeds), squeeze=False)[0]
    for axes, speed in zip(panels, speeds, strict=True):
        for number, train in enumerate(trains):
            mark = numbered_mark(train, number)
            shares = [(found[train, infer]["speeds"][speed] or {}).get("share") for infer in infers]
            values = [float("nan") if share is None else 100 * share for share in shares]
            _draw_line(axes, list(range(len(infers))), values, infers, mark)
        axes.set_title(f"{speed} objects", loc="left")
        axes.set_xticks(range(len(infers)), infers)
        axes.set_xlabel("inference interval (frames)")
    panels[0].set_ylabel("association accuracy (%)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", title="trained at")
    return figure
