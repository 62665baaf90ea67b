"""Plots of a FLOPs report: cost over input size, and scores of a run over cost."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mapt_bench.errors import DataError
from mapt_bench.reports.cost_tables import variant_gmacs
from mapt_bench.reports.plot_style import (
    FAINT,
    MARKERS,
    PALETTE,
    STYLE,
    SUFFIXES,
    save_figure,
)
from mapt_bench.results import load_result
from mapt_bench.results.result_views import LOWER_BOUND

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "ScorePoint",
    "plot_cost_and_score",
    "plot_cost_by_size",
    "score_points",
    "write_cost_plots",
]

Cost = Mapping[str, Any]


def write_cost_plots(cost: Cost, folder: Path, *, scores: Path | None = None) -> list[Path]:
    """Write the plots of a FLOPs report as PNG and SVG.

    Args:
        cost: A result of schema ``mapt-bench/cost/1`` with ``curves``.
        folder: Output folder. It is created if needed.
        scores: Run folder or its ``results.json``, for a plot of scores over cost.

    Raises:
        DataError: If the run cannot be read, none of its variants has a cost in the report, or a
            file cannot be written.
    """
    names = ("cost_by_size",) if scores is None else ("cost_by_size", "cost_and_score")
    written = [folder / f"{name}{suffix}" for suffix in SUFFIXES for name in names]
    for path in written[:: len(names)]:
        plot_cost_by_size(cost, path)
    if scores is not None:
        plot_cost_and_score(cost, scores, *written[1 :: len(names)])
    return written


def plot_cost_by_size(cost: Cost, path: Path) -> None:
    """Plot GMACs over input pixels, one line per network, on logarithmic axes.

    Raises:
        ConfigError: If the suffix is neither ``.png`` nor ``.svg``.
        DataError: If the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 4.4), dpi=150, layout="constrained")
        axes = figure.subplots()
        sizes: dict[int, str] = {}
        for order, curve in enumerate(cost["curves"]):
            points = [(_pixels(point["input"]), point["gmacs"]) for point in curve["points"]]
            sizes |= {_pixels(p["input"]): "x".join(map(str, p["input"])) for p in curve["points"]}
            axes.plot(
                [pixels for pixels, _ in points],
                [gmacs for _, gmacs in points],
                color=PALETTE[order % len(PALETTE)],
                marker=MARKERS[order % len(MARKERS)],
                markeredgecolor="white",
                label=curve["model"],
            )
        axes.set(xscale="log", yscale="log", ylabel="GMACs")
        axes.set_xlabel("input (height x width, spaced by number of pixels)")
        axes.set_xticks(sorted(sizes), [sizes[each] for each in sorted(sizes)], fontsize=7)
        axes.minorticks_off()
        axes.set_title("Operations of one forward pass, mode conv", loc="left", color=FAINT)
        figure.legend(loc="outside right center")
        save_figure(figure, path)


class ScorePoint(NamedTuple):
    """A variant of a run.

    Attributes:
        name: Name of the variant.
        gmacs: Operations of the association of one frame, in GMACs.
        milliseconds: Median time of the association of one frame. ``None`` if unknown.
        pat: PAT in percent.
    """

    name: str
    gmacs: float
    milliseconds: float | None
    pat: float


def score_points(cost: Cost, run: Path) -> list[ScorePoint]:
    """Return the variants of a run with a PAT and a known cost, on the first segments of the run.

    The lower bound ``unlinked`` is omitted.

    Raises:
        DataError: If the run cannot be read, or no variant has both.
    """
    found = []
    rows = load_result(run).rows
    segments = next(iter(rows.values())).protocol.get("segments") if rows else None
    for name, row in rows.items():
        if name == LOWER_BOUND or row.protocol.get("segments") != segments:
            continue
        gmacs, score = variant_gmacs(cost, name), row.scores.get("PAT")
        if gmacs is None or score is None:
            continue
        seconds = row.scores.get("seconds_per_frame")
        found.append(ScorePoint(name, gmacs, seconds and 1000 * seconds, 100 * score))
    if not found:
        known = dict.fromkeys(row["model"] for row in cost["rows"])
        raise DataError(
            "has no variant with a PAT and a known cost; known costs: "
            f"{', '.join((*known, *cost['without_network']))}",
            where=run,
        )
    return found


def plot_cost_and_score(cost: Cost, run: Path, *paths: Path) -> None:
    """Plot PAT over operations and over time, one point per variant of a run.

    Trackers without a network have 0 operations.

    Args:
        cost: A result of schema ``mapt-bench/cost/1``.
        run: Run folder, or its ``results.json``.
        paths: Output files.

    Raises:
        ConfigError: If the suffix is neither ``.png`` nor ``.svg``.
        DataError: If the run cannot be read, or a file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    points = score_points(cost, run)
    first = cost["rows"][0]
    size = "x".join(map(str, first["input"]))
    with rc_context(STYLE):
        costs = [(each.name, each.gmacs, each.pat) for each in points]
        times = [(each.name, each.milliseconds, each.pat) for each in points if each.milliseconds]
        shown = [costs, times] if times else [costs]
        figure = Figure(figsize=(13 if times else 7.5, 6), dpi=150, layout="constrained")
        panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        counted = panels[0]
        _scatter(counted, costs)
        # Before the next panel is drawn: afterwards the limits stay those of a linear axis.
        counted.set_xscale("symlog", linthresh=0.01)
        counted.set(ylabel="PAT (%)", xlabel=f"GMACs a frame at {size}, mode {first['mode']}")
        counted.set_title("Up and to the left is better; no network: 0", loc="left", color=FAINT)
        for axes in panels[1:]:
            _scatter(axes, times)
            axes.set(xscale="log", xlabel="ms a frame for linking, as the run measured it")
        for axes, drawn in zip(panels, shown, strict=True):
            _label(figure, axes, drawn)
        for path in paths:  # labels are placed once: that takes longer than to draw
            save_figure(figure, path)


def _scatter(axes: "Axes", points: Sequence[tuple[str, float, float]]) -> None:
    _, across, up = zip(*points, strict=True)
    axes.scatter(across, up, s=48, color=PALETTE[0], edgecolors="white", zorder=3)
    axes.margins(0.16)


def _pixels(size: Sequence[int]) -> int:
    return size[0] * size[1]


def _label(figure: "Figure", axes: "Axes", points: Sequence[tuple[str, float, float]]) -> None:
    from mapt_bench.reports.label_placement import Box, place_labels  # needs NumPy

    together: dict[tuple[float, float], list[str]] = {}
    for name, gmacs, score in points:
        together.setdefault((gmacs, round(score, 2)), []).append(name)
    names = ["\n".join(each) for each in together.values()]
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    figure.draw_without_rendering()
    renderer = figure._get_renderer()  # type: ignore[attr-defined]
    sizes = []
    for name in names:
        text = axes.text(points[0][1], points[0][2], name, fontsize=8)
        extent = text.get_window_extent(renderer)
        sizes.append((extent.width + 8, extent.height + 2))
        text.remove()
    bounds = axes.get_window_extent(renderer)
    frame = Box(bounds.x0, bounds.y0, bounds.x1, bounds.y1)
    pixels = [tuple(axes.transData.transform(point)) for point in together]
    back = axes.transData.inverted()
    for point, name, place in zip(
        together, names, place_labels(pixels, sizes, frame, marker=8.0), strict=True
    ):
        x, y = back.transform(place.box.middle)
        axes.text(x, y, name, fontsize=8, ha="center", va="center", multialignment="left")
        if place.leader is not None:
            end = back.transform(place.leader)
            axes.plot((point[0], end[0]), (point[1], end[1]), color=FAINT, linewidth=0.6)
