"""Plots of scores: an ablation, a sweep over intervals, and the curves of a training run."""

import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mapt_bench.reports.plot_style import (
    FAINT,
    INK,
    ORACLE,
    PALETTE,
    STYLE,
    SUFFIXES,
    Mark,
    line_marks,
    numbered_mark,
    reference_marks,
    save_figure,
)
from mapt_bench.reports.score_tables import interval_cell
from mapt_bench.results.result_views import (
    LOWER_BOUND,
    row_interval,
    row_label,
    row_score,
    run_parts,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["label_points", "plot_scores", "plot_sweep", "write_plots"]

_SPREAD = 0.4
"""Width of the lines of a sweep at one tau, side by side, as a share of the distance of two tau."""

Run = Mapping[str, Any]
Row = Mapping[str, Any]


def write_plots(run: Run, folder: Path) -> list[Path]:
    """Write the plots of a run as PNG and SVG.

    Args:
        run: A result of schema ``mapt-bench/run/1``.
        folder: Output folder. It is created if needed.

    Returns:
        Written files: ``sweep_PAT`` and ``sweep_STQ`` for runs with temporal intervals, and
        ``pat_stq`` for others, one for each source of segments. None if the scores are undefined.

    Raises:
        DataError: If a file cannot be written.
    """
    parts = run_parts(run)
    written = []
    for part in parts:
        ending = f"_{part.suffix}" if part.suffix else ""
        title = part.words if len(parts) > 1 else ""
        rows: Sequence[Row] = part.run["summary"]
        if any(row_interval(row) for row in rows):
            for score in ("PAT", "STQ"):
                if any(row_score(row, score) is not None for row in rows):
                    for suffix in SUFFIXES:
                        written.append(folder / f"sweep_{score}{ending}{suffix}")
                        plot_sweep(part.run, written[-1], score=score)
        elif _points(rows):
            files = [folder / f"pat_stq{ending}{suffix}" for suffix in SUFFIXES]
            plot_scores(part.run, *files, title=title)
            written += files
    return written


def plot_scores(run: Run, *paths: Path, title: str = "") -> None:
    """Plot PAT over STQ, one point per variant, with identity switches and fragments as bars.

    Variants of one group share a colour. The oracle and copying the last masks are
    marked as references. Rows in which ground truth replaces a step of a fusion are omitted: they
    have tables of their own.

    Raises:
        ConfigError: If the suffix is neither ``.png`` nor ``.svg``.
        DataError: If the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    rows = _without_replaced_steps(run["summary"])
    with rc_context(STYLE):
        height = max(4.2, 1.4 + 0.32 * len(rows))
        figure = Figure(figsize=(12, height), dpi=150, layout="constrained")
        if title:
            figure.suptitle(title[:1].upper() + title[1:], fontsize=10)
        scatter, bars = figure.subplots(1, 2, width_ratios=(1.7, 1))
        near = _without_lower_bound(rows)
        _draw_bars(bars, near)
        _draw_points(scatter, near)
        _label_points(figure, scatter, near)
        for row, stq, pat in _points([row for row in rows if row not in near]):
            note = f"Not in the plot: {_name(row)}\nPAT {pat:.1f}, STQ {stq:.1f}"
            switches = row_score(row, "IDSW")
            if switches is not None:
                note += f", {switches:g} identity switches"
            scatter.text(1, 0.01, note, transform=scatter.transAxes, ha="right", color=FAINT)
        for path in paths:  # labels are placed once, because this takes longer than plotting
            save_figure(figure, path)


def plot_sweep(run: Run, path: Path, *, score: str = "PAT") -> None:
    """Plot a score over tau, one line per variant, with one panel for each kind of interval.

    The oracle and copying are reference lines. Vertical bars are confidence intervals, side by
    side.

    Raises:
        ConfigError: If the suffix is neither ``.png`` nor ``.svg``.
        DataError: If the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    rows: Sequence[Row] = [row for row in run["summary"] if row_interval(row)]
    kinds = sorted({found[0] for row in rows if (found := row_interval(row))})
    with rc_context(STYLE):
        figure = Figure(figsize=(2.2 + 4.2 * len(kinds), 4), dpi=150, layout="constrained")
        panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
        marks = line_marks(rows)
        for axes, kind in zip(panels, kinds, strict=True):
            _draw_lines(axes, rows, kind, score, marks)
        panels[0].set_ylabel(f"{score} (%)")
        drawn = {
            label: handle
            for axes in panels
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        shown = [label for label in marks if label in drawn]
        figure.legend([drawn[label] for label in shown], shown, loc="outside right center")
        save_figure(figure, path)


_LONGEST = 34
"""Characters in a line of a name. Longer ones would leave no room for the plot."""


def _name(row: Row) -> str:
    return textwrap.fill(row_label(row), _LONGEST)


def _without_replaced_steps(rows: Sequence[Row]) -> Sequence[Row]:
    return [row for row in rows if "oracle" not in (row.get("settings") or {})] or rows


def _without_lower_bound(rows: Sequence[Row]) -> Sequence[Row]:
    return [row for row in rows if row["variant"] != LOWER_BOUND] or rows


def _points(rows: Sequence[Row]) -> list[tuple[Row, float, float]]:
    """Return the rows that have both scores, with STQ and PAT in percent."""
    found = []
    for row in rows:
        stq, pat = row_score(row, "STQ"), row_score(row, "PAT")
        if stq is not None and pat is not None:
            found.append((row, 100 * stq, 100 * pat))
    return found


def _group_marks(rows: Sequence[Row], references: Mapping[str, Mark]) -> dict[str, Mark]:
    groups = dict.fromkeys(_group(row) for row in rows if row_label(row) not in references)
    return {group: numbered_mark(group, at) for at, group in enumerate(groups)}


def _group(row: Row) -> str:
    return str(row.get("group") or "trackers")


def _draw_points(axes: "Axes", rows: Sequence[Row]) -> None:
    references = reference_marks(rows)
    groups = _group_marks(rows, references)
    shown: set[str] = set()
    for row, stq, pat in _points(rows):
        mark = references.get(row_label(row)) or groups[_group(row)]
        axes.scatter(
            stq,
            pat,
            s=110 if mark == ORACLE else 48,
            color=mark.colour,
            marker=mark.marker,
            edgecolors="white",
            linewidths=0.7,
            zorder=3,
            label=None if mark.name in shown else mark.name,
        )
        shown.add(mark.name)
    axes.set_xlabel("STQ (%)")
    axes.set_ylabel("PAT (%)")
    axes.set_title("Up and to the right is better", loc="left", color=FAINT)
    axes.margins(0.16)
    axes.set(xlim=_within_scale(axes.get_xlim()), ylim=_within_scale(axes.get_ylim()))
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.06), ncols=3, columnspacing=1, handletextpad=0.2
    )


def _within_scale(limits: tuple[float, float]) -> tuple[float, float]:
    """Limit an axis to 0 to 100 percent, with a margin of half a marker.

    Example:
        >>> _within_scale((-14.0, 113.0)), _within_scale((40.0, 80.0))
        ((-2.5, 102.5), (40.0, 80.0))
    """
    return max(limits[0], -2.5), min(limits[1], 102.5)


def _label_points(figure: "Figure", axes: "Axes", rows: Sequence[Row]) -> None:
    """Label the points. Points at the same position share one label."""
    together: dict[tuple[float, float], list[str]] = {}
    for row, stq, pat in _points(rows):
        together.setdefault((round(stq, 2), round(pat, 2)), []).append(_name(row))
    label_points(figure, axes, {point: "\n".join(labels) for point, labels in together.items()})


def label_points(
    figure: "Figure",
    axes: "Axes",
    names: Mapping[tuple[float, float], str],
    colours: Mapping[tuple[float, float], str] | None = None,
    lines: Sequence[Sequence[tuple[float, float]]] = (),
) -> None:
    """Write the names of points beside them, without overlap. The layout is final then.

    Args:
        figure: The figure.
        axes: Axes with the points.
        names: Name of each point, by its coordinates.
        colours: Colour of each name, for axes with lines, which names may cover. ``None`` for
            black names and axes without lines.
        lines: Corners of the lines that names should not cover, as coordinates.
    """
    from matplotlib.patheffects import withStroke

    from mapt_bench.reports.label_placement import Box, place_labels  # needs NumPy

    # Frozen, since lines to labels must not move what was measured.
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    for _ in range(2):  # lays the figure out, so that places in pixels are known; twice settles it
        figure.draw_without_rendering()
    figure.set_layout_engine("none")  # a new layout would move the labels
    renderer = figure._get_renderer()  # type: ignore[attr-defined]
    pixels = [tuple(axes.transData.transform(point)) for point in names]
    sizes = []
    for name in names.values():
        text = axes.text(0, 0, name, fontsize=8)
        extent = text.get_window_extent(renderer)
        sizes.append((extent.width + 8, extent.height + 2))  # air between labels
        text.remove()
    bounds = axes.get_window_extent(renderer)
    frame = Box(bounds.x0, bounds.y0, bounds.x1, bounds.y1)
    corners = [[tuple(axes.transData.transform(each)) for each in line] for line in lines]
    places = place_labels(pixels, sizes, frame, marker=8.0, lines=corners)
    to_data = axes.transData.inverted()
    over_lines = [] if colours is None else [withStroke(linewidth=2.5, foreground="white")]
    for (point, name), pixel, place in zip(names.items(), pixels, places, strict=True):
        x, y = to_data.transform(place.box.middle)
        axes.text(
            x,
            y,
            name,
            fontsize=8,
            color=INK if colours is None else colours[point],
            ha="center",
            va="center",
            multialignment="right" if place.box.middle[0] < pixel[0] else "left",
            path_effects=over_lines,
            zorder=4,
        )
        if place.leader is not None:
            end = to_data.transform(place.leader)
            axes.plot((point[0], end[0]), (point[1], end[1]), color=FAINT, linewidth=0.6)


def _draw_bars(axes: "Axes", rows: Sequence[Row]) -> None:
    """Draw switches above fragments for each variant, the first row on top."""
    for offset, (score, name, colour) in enumerate(
        (("IDSW", "id switches", PALETTE[1]), ("Frag", "fragments", PALETTE[5]))
    ):
        places = [at + 0.38 * (offset - 0.5) for at in range(len(rows))]
        counts = [row_score(row, score) for row in rows]
        drawn = axes.barh(
            places, [count or 0 for count in counts], height=0.36, color=colour, label=name
        )
        texts = ["–" if count is None else f"{count:g}" for count in counts]  # noqa: RUF001
        axes.bar_label(drawn, labels=texts, padding=2, fontsize=7, color=INK)
    axes.set_yticks(range(len(rows)), [_name(row) for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.margins(x=0.12)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("count")
    axes.set_title("Fewer is better", loc="left", color=FAINT)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.06), ncols=2)


def _series(
    rows: Sequence[Row], kind: str, score: str
) -> list[tuple[int, float, tuple[float, float] | None]]:
    """Return tau, value and interval of one line in percent, by rising tau."""
    series = []
    for row in rows:
        interval, value = row_interval(row), row_score(row, score)
        if interval is not None and interval[0] == kind and value is not None:
            ends = interval_cell(row, score)
            shown = (100 * ends[0], 100 * ends[1]) if isinstance(ends, tuple) else None
            series.append((interval[1], 100 * value, shown))
    return sorted(series, key=lambda entry: entry[0])


def _draw_lines(
    axes: "Axes", rows: Sequence[Row], kind: str, score: str, marks: Mapping[str, Mark]
) -> None:
    taus = {found[1] for row in rows if (found := row_interval(row)) and found[0] == kind}
    lines = {
        label: points
        for label in marks
        if (points := _series([row for row in rows if row_label(row) == label], kind, score))
    }
    # Side by side, so that the intervals of many lines do not hide each other.
    gap = min((b - a for a, b in pairwise(sorted(taus))), default=1)
    step = _SPREAD * gap / max(len(lines), 1)
    for order, (label, series) in enumerate(lines.items()):
        mark = marks[label]
        shift = step * (order - (len(lines) - 1) / 2)
        axes.plot(
            [tau + shift for tau, _, _ in series],
            [value for _, value, _ in series],
            color=mark.colour,
            marker=mark.marker,
            linestyle=mark.dashes,
            markersize=9 if mark == ORACLE else 6,
            markeredgecolor="white",
            linewidth=1.6,
            label=label,
        )
        for tau, _, ends in series:
            if ends is not None:
                axes.vlines(tau + shift, *ends, color=mark.colour, linewidth=1.1, alpha=0.5)
    names = {"drop": "every tau-th frame kept", "pair": "frames paired at distance tau"}
    axes.set_title(names.get(kind, kind), loc="left", color=FAINT)
    axes.set_xlabel("tau (frames)")
    axes.set_xticks(sorted(taus))
