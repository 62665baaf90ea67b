"""The plot of a frontier of PAT against STQ."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mapt_bench.errors import counted
from mapt_bench.reports.frontier_tables import frontier_points
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
        hidden = _zoom(axes, result["trackers"])
        title = "Lines: frontiers. Faint: other settings. Up and to the right is better."
        title += f" Outside: {counted(hidden, 'setting')}." if hidden else ""
        axes.set_title(title, loc="left", color=FAINT)
        names = {place: "\n".join(each) for place, each in together.items()}
        label_points(figure, axes, names, colours)
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
    line = sorted((stq, pat) for stq, pat, is_on in points if is_on)
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


_LEAST_REACH = 1.0
"""Least distance from the frontiers to the edge of the plot, in points."""


def _zoom(axes: "Axes", trackers: Sequence[Row]) -> int:
    """Show the surroundings of the frontiers, and return the number of settings outside."""
    points = [point for entry in trackers for point in frontier_points(entry)]
    limits = []
    for at in range(2):
        values = [point[at] for point in points if point[2]]
        reach = max(max(values) - min(values), _LEAST_REACH)
        limits.append((min(values) - reach, max(values) + 0.3 * reach))
    axes.set(xlim=limits[0], ylim=limits[1])
    return sum(point[0] < limits[0][0] or point[1] < limits[1][0] for point in points)
