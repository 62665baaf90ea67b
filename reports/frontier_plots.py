"""The plot of a frontier of PAT against STQ."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mapt_bench.errors import counted
from mapt_bench.reports.frontier_tables import frontier_line, frontier_points, frontier_window
from mapt_bench.reports.plot_style import (
    FAINT,
    STYLE,
    SUFFIXES,
    Mark,
    numbered_mark,
    save_figure,
)
from mapt_bench.reports.plots import label_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["write_frontier_plots"]

Row = Mapping[str, Any]


def write_frontier_plots(result: Row, folder: Path) -> list[Path]:
    """Plot all frontiers as PNG and SVG: PAT over STQ, one line for each tracker.

    Args:
        result: Schema ``mapt-bench/frontier/1``.
        folder: Output folder.

    Returns:
        Written files.

    Raises:
        DataError: If a file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    together: dict[tuple[float, float], list[str]] = {}
    colours = {}
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 6), dpi=150, layout="constrained")
        axes = figure.subplots()
        for at, entry in enumerate(result["trackers"]):
            name = str(entry["tracker"])
            mark = numbered_mark(name, at)
            _draw(axes, entry, mark)
            nearest = entry["trials"][entry["nearest"]]["scores"]
            place = round(100 * nearest["STQ"], 2), round(100 * nearest["PAT"], 2)
            together.setdefault(place, []).append(name)
            colours[place] = mark.colour
        axes.set_xlabel("STQ (%)")
        axes.set_ylabel("PAT (%)")
        limits, hidden = frontier_window(result["trackers"])
        axes.set(xlim=limits[0], ylim=limits[1])
        title = "Lines: frontiers. Faint: other settings. Up and to the right is better."
        title += f" Outside: {counted(hidden, 'setting')}." if hidden else ""
        axes.set_title(title, loc="left", color=FAINT)
        names = {place: "\n".join(each) for place, each in together.items()}
        lines = [frontier_line(each) for each in result["trackers"]]
        label_points(figure, axes, names, colours, lines)
        files = [folder / f"frontier{suffix}" for suffix in SUFFIXES]
        for path in files:
            save_figure(figure, path)
    return files


def _draw(axes: "Axes", entry: Row, mark: Mark) -> None:
    points = frontier_points(entry)
    axes.scatter(
        [stq for stq, _, _ in points],
        [pat for _, pat, _ in points],
        s=18,
        color=mark.colour,
        marker=mark.marker,
        alpha=0.3,
        linewidths=0,
    )
    line = frontier_line(entry)
    axes.plot(
        [stq for stq, _ in line],
        [pat for _, pat in line],
        color=mark.colour,
        marker=mark.marker,
        markersize=6,
        markeredgecolor="white",
        linewidth=1.4,
        zorder=3,
    )
