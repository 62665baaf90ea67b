"""Plots of a stress test: scores by level, association accuracy by visibility, break points."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mapt_bench.reports.link_tables import pooled, precision_entries
from mapt_bench.reports.plot_style import (
    FAINT,
    INK,
    ORACLE,
    STYLE,
    SUFFIXES,
    Mark,
    line_marks,
    save_figure,
)
from mapt_bench.results.result_views import row_label, row_score, run_parts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "label_ends",
    "plot_break_points",
    "plot_levels",
    "plot_links",
    "spread",
    "write_stress_plots",
]

_LINE_HEIGHT = 1.25
_LEAD = 0.05
"""Position of names to the right of the axes, as a share of the width of the axes."""


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions apart to a minimum distance, with the smallest sum of squared moves.

    Args:
        places: Positions in any order.
        gap: Minimum distance.
        low: Lower limit. It is exceeded only if the positions do not fit.
        high: Upper limit.

    Returns:
        The new positions, in the given order. Minus ``gap`` times their rank, they must ascend.
        This is an isotonic regression, which pooling adjacent violators solves.

    Example:
        >>> spread([1.0, 1.0, 5.0], 1.0, 0.0, 10.0)
        [0.5, 1.5, 5.0]
    """
    order = sorted(range(len(places)), key=lambda at: places[at])
    pools: list[tuple[float, int]] = []  # mean and size
    for rank, at in enumerate(order):
        mean, size = places[at] - gap * rank, 1
        while pools and pools[-1][0] >= mean:
            before, count = pools.pop()
            mean, size = (before * count + mean * size) / (count + size), count + size
        pools.append((mean, size))
    levels = [mean for mean, size in pools for _ in range(size)]
    most = high - gap * (len(places) - 1)
    moved = [0.0] * len(places)
    for rank, (at, level) in enumerate(zip(order, levels, strict=True)):
        moved[at] = max(min(level, most), low) + gap * rank
    return moved


def label_ends(
    axes: "Axes", ends: Sequence[tuple[str, float, float, str]], *, size: float = 8
) -> None:
    """Write names to the right of the axes, each with a thin line from the end of its curve.

    Args:
        axes: Axes after layout, with fixed limits, because positions are computed in points.
        ends: Name, x and y of the curve's end in data coordinates, and colour.
        size: Font size in points.
    """
    box = axes.get_window_extent()
    points = box.height * 72 / axes.figure.dpi
    to_axes = axes.transData + axes.transAxes.inverted()
    anchors = [tuple(to_axes.transform((x, y))) for _, x, y, _ in ends]
    gap = _LINE_HEIGHT * size / points
    heights = spread([y for _, y in anchors], gap, gap / 2, 1 - gap / 2)
    for (name, _, _, colour), anchor, height in zip(ends, anchors, heights, strict=True):
        axes.annotate(
            name,
            xy=anchor,
            xycoords="axes fraction",
            xytext=(1 + _LEAD, height),
            textcoords="axes fraction",
            color=colour,
            fontsize=size,
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.6,
                "shrinkA": 1,
                "relpos": (0, 0.5),
            },
        )


_SCORES = ("PAT", "STQ")
_DISPLACEMENTS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
"""Ticks of the axis of break points: displacement over size."""

_LEAST_DRAWN = 5
"""Least number of events for a share in a plot. Tables also have shares of fewer events."""

_DODGE = 0.36
"""Distance of the first and the last line in a range, as a share of the distance of two ranges."""

_LABELS_TURN = 1.6
"""Displacement over size from which labels are to the left of their interval, to fit the plot."""

_LEAST_NAMES_WIDTH = 1.9
"""Least width in inches to the right of the last panel, for the names of the lines."""

_LEAD_WIDTH, _LETTER_WIDTH = 0.4, 0.063
"""Width in inches of the line to a name, and mean width of one of its letters."""

_PANEL_WIDTH = 4.0
"""Width in inches of a panel of link events."""

Run = Mapping[str, Any]
Row = Mapping[str, Any]


def write_stress_plots(run: Run, folder: Path) -> list[Path]:
    """Write all plots of a stress test as PNG and SVG.

    Args:
        run: A result of schema ``mapt-bench/run/1`` with ``stressors``.
        folder: Output folder. It is created if needed.

    Returns:
        Written files: ``stress_levels``, ``stress_links`` and, for motion, ``stress_break``, for
        each source of segments.

    Raises:
        DataError: If a file cannot be written.
    """
    pictures: dict[str, Callable[[Run, Path], None]] = {
        "stress_levels": plot_levels,
        "stress_links": plot_links,
    }
    if run.get("break_points"):
        pictures["stress_break"] = plot_break_points
    written = []
    for part in run_parts(run):
        ending = f"_{part.suffix}" if part.suffix else ""
        for name, plot in pictures.items():
            for suffix in SUFFIXES:
                written.append(folder / f"{name}{ending}{suffix}")
                plot(part.run, written[-1])
    return written


def plot_levels(run: Run, path: Path) -> None:
    """Plot PAT and STQ over levels, with one panel per stressor and one line per tracker.

    Raises:
        ConfigError: If the suffix is neither ``.png`` nor ``.svg``.
        DataError: If the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    stressors: Sequence[Row] = run["stressors"]
    marks = line_marks(run["summary"])
    with rc_context(STYLE):
        names = _names_width(marks)
        width = 2.9 * len(stressors) + 0.6 + names
        figure = Figure(figsize=(width, 3.2 * len(_SCORES)), dpi=150)
        panels = figure.subplots(
            len(_SCORES), len(stressors), sharey="row", sharex="col", squeeze=False
        )
        _leave_margins(figure, width, names)
        for score, row in zip(_SCORES, panels, strict=True):
            for axes, stressor in zip(row, stressors, strict=True):
                ends = _draw_levels(axes, run, stressor, score, marks)
            row[0].set_ylabel(f"{score} (%)")
            _name_lines(row[-1], ends)
        for axes, stressor in zip(panels[0], stressors, strict=True):
            axes.set_title(_title(stressor), loc="left")
        for axes, stressor in zip(panels[-1], stressors, strict=True):
            axes.set_xlabel(stressor["unit"])
        save_figure(figure, path)


def _names_width(marks: Mapping[str, Mark]) -> float:
    """Return the width in inches that the longest name needs beside a panel."""
    longest = max(map(len, marks), default=0)
    return max(_LEAST_NAMES_WIDTH, _LEAD_WIDTH + _LETTER_WIDTH * longest)


def _leave_margins(figure: "Figure", width: float, names: float) -> None:
    """Reserve space for the names of lines, which constrained layout does not include."""
    figure.subplots_adjust(
        left=0.65 / width,
        right=1 - names / width,
        top=0.93,
        bottom=0.1,
        wspace=0.1,
        hspace=0.12,
    )


def _title(stressor: Row) -> str:
    if "occluder" not in stressor:
        return str(stressor["name"])
    return f"{stressor['name']} (as {stressor['occluder'] or 'nothing'})"


def _draw_levels(
    axes: "Axes", run: Run, stressor: Row, score: str, marks: Mapping[str, Mark]
) -> list[tuple[str, float, float, Mark]]:
    """Draw the lines of a panel; return the end of each."""
    lines: dict[str, list[tuple[int, float]]] = {label: [] for label in marks}
    for row in run["summary"]:
        value = row_score(row, score)
        if row["stress"]["stressor"] == stressor["name"] and value is not None:
            lines[row_label(row)].append((row["stress"]["level"], 100 * value))
    levels = {int(level): f"{value:g}" for level, value in stressor["levels"].items()}
    places = {level: place for place, level in enumerate([0, *sorted(levels)])}
    ends = []
    for label, points in lines.items():
        if not points:
            continue
        mark = marks[label]
        xs, ys = zip(*((places[level], value) for level, value in sorted(points)), strict=True)
        _draw_line(axes, xs, ys, mark)
        ends.append((label, xs[-1], ys[-1], mark))
    axes.set_xticks(list(places.values()), ["none", *(levels[each] for each in sorted(levels))])
    return ends


def _draw_line(axes: "Axes", xs: Sequence[float], ys: Sequence[float], mark: Mark) -> None:
    axes.plot(
        xs,
        ys,
        color=mark.colour,
        marker=mark.marker,
        linestyle=mark.dashes,
        linewidth=1.5,
        markersize=9 if mark == ORACLE else 5,
        markeredgecolor="white",
        markeredgewidth=0.6,
    )


def _name_lines(axes: "Axes", ends: Sequence[tuple[str, float, float, Mark]]) -> None:
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    label_ends(axes, [(label, x, y, mark.colour) for label, x, y, mark in ends])


def plot_links(run: Run, path: Path) -> None:
    """Plot association accuracy over visible fraction and gap, and recovery precision.

    Vertical bars are confidence intervals over sequences. Shares of fewer than five events are
    omitted. Numbers below the axis are the links of each range. The numbers of precision differ
    between trackers, so the smallest and the largest are shown.

    Raises:
        ConfigError: If the suffix is neither ``.png`` nor ``.svg``.
        DataError: If the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    marks = line_marks(run["summary"])
    parts = [
        ("association accuracy", "lowest visible fraction", pooled(run, "visibility"), _itself),
        ("recovery after occlusion", "gap (frames)", pooled(run, "recoveries"), _itself),
        ("recovery precision", "absence (frames)", precision_entries(run), _returns),
    ]
    drawn = [part for part in parts if any(rate["n"] for rate in _rates(part[2], part[3]))]
    with rc_context(STYLE):
        names = _names_width(marks)
        gap = names + 0.6
        width = gap + _PANEL_WIDTH * len(drawn) + gap * (len(drawn) - 1)
        figure = Figure(figsize=(width, 4.4), dpi=150)
        panels = figure.subplots(1, len(drawn), squeeze=False)[0]
        figure.subplots_adjust(
            left=0.6 / width,
            right=1 - names / width,
            top=0.91,
            bottom=0.16,
            wspace=gap / _PANEL_WIDTH,
        )
        for axes, (title, unit, entries, rate_of) in zip(panels, drawn, strict=True):
            _name_lines(axes, _draw_rates(axes, entries, rate_of, marks))
            axes.set_title(title, loc="left")
            axes.set_xlabel(unit)
            axes.set_ylabel("%")
        save_figure(figure, path)


def _itself(rate: Row) -> Row:
    return rate


def _returns(rate: Row) -> Row:
    returns: Row = rate["returns"]
    return returns


def _rates(entries: Sequence[Row], rate_of: Callable[[Row], Row]) -> list[Row]:
    return [rate_of(rate) for entry in entries for rate in entry["bins"]]


def _draw_rates(
    axes: "Axes",
    entries: Sequence[Row],
    rate_of: Callable[[Row], Row],
    marks: Mapping[str, Mark],
) -> list[tuple[str, float, float, Mark]]:
    """Plot one line per tracker over ranges with enough events, side by side. Return their ends."""
    bins = [rate["bin"] for rate in entries[0]["bins"]]
    most = max(rate["n"] for rate in _rates(entries, rate_of))
    least = min(_LEAST_DRAWN, most)
    used = [
        at
        for at in range(len(bins))
        if any(rate_of(each["bins"][at])["n"] >= least for each in entries)
    ]
    ends = []
    step = _DODGE / max(len(entries) - 1, 1)
    for order, entry in enumerate(entries):
        mark = marks[row_label(entry)]
        shift = step * (order - (len(entries) - 1) / 2)
        rates = [(place + shift, rate_of(entry["bins"][at])) for place, at in enumerate(used)]
        rates = [(x, rate) for x, rate in rates if rate["n"] >= least]
        if not rates:
            continue
        xs, ys = [x for x, _ in rates], [100 * rate["share"] for _, rate in rates]
        _draw_line(axes, xs, ys, mark)
        for x, rate in rates:
            interval = rate["interval"]
            if interval.get("low") is not None:
                ends_of = 100 * interval["low"], 100 * interval["high"]
                axes.vlines(x, *ends_of, color=mark.colour, linewidth=0.9, alpha=0.3)
        ends.append((row_label(entry), xs[-1], ys[-1], mark))
    names = []
    for at in used:
        count = _extent(rate_of(each["bins"][at])["n"] for each in entries)
        names.append(f"{bins[at].replace(' %', '')}\nn={count}")
    axes.set_xticks(range(len(used)), names, fontsize=7)
    axes.set_ylim(-3, 103)
    return ends


def _extent(counts: Iterable[int]) -> str:
    """Return the smallest and the largest number on two lines, or one number if all are equal."""
    found = sorted(counts)
    return "\nto ".join(str(count) for count in dict.fromkeys((found[0], found[-1])))


def plot_break_points(run: Run, path: Path) -> None:
    """Plot association accuracy over displacement, with one panel per stressor, and break points.

    A break point has its confidence interval. Without a break point, an arrow at the largest
    measured displacement shows that it is beyond.

    Raises:
        ConfigError: If the suffix is neither ``.png`` nor ``.svg``.
        DataError: If the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    entries: Sequence[Row] = run["break_points"]
    names = list(dict.fromkeys(entry["stressor"] for entry in entries))
    marks = line_marks(run["summary"])
    with rc_context(STYLE):
        beside = _names_width(marks)
        width = 4.3 * len(names) + 2 * beside
        figure = Figure(figsize=(width, 7.2), dpi=150)
        curves, points = figure.subplots(
            2, len(names), sharey="row", squeeze=False, height_ratios=(1.4, 1)
        )
        figure.subplots_adjust(
            left=beside / width,
            right=1 - beside / width,
            top=0.94,
            bottom=0.08,
            wspace=0.1,
            hspace=0.36,
        )
        for name, above, below in zip(names, curves, points, strict=True):
            chosen = [entry for entry in entries if entry["stressor"] == name]
            ends = _draw_rates(above, chosen, _itself, marks)
            above.axhline(50, color=INK, linewidth=0.9, linestyle=":")
            above.set_title(name, loc="left")
            above.set_xlabel("displacement over size, from one frame to the next")
            _draw_break_points(below, chosen, marks)
        _name_lines(curves[-1], ends)
        curves[0].set_ylabel("association accuracy (%)")
        points[0].set_yticks(range(len(chosen)), [row_label(entry) for entry in chosen], fontsize=8)
        for text in points[0].get_yticklabels():
            text.set_color(marks[text.get_text()].colour)
        save_figure(figure, path)


def _draw_break_points(axes: "Axes", entries: Sequence[Row], marks: Mapping[str, Mark]) -> None:
    """Plot the break points, with one row per tracker and a common axis for all stressors."""
    for place, entry in enumerate(entries):
        mark, found = marks[row_label(entry)], entry["over_size"]
        value, interval, most = found["value"], found["interval"], found["measured_to"]
        if value is not None:
            axes.plot(value, place, color=mark.colour, marker=mark.marker, markersize=6)
            text, ends = f"{value:.2f}", (value, value)
            if interval.get("low") is not None:
                ends = interval["low"], interval["high"]
                axes.hlines(place, *ends, color=mark.colour)
        elif most is not None:
            axes.plot(most, place, color=mark.colour, marker=">", markersize=6, fillstyle="none")
            text, ends = f"not up to {most:.2f}", (most, most)
        else:
            continue
        _name_point(axes, text, place, ends)
    axes.set_xscale("log")
    axes.set_xlim(_DISPLACEMENTS[0], _DISPLACEMENTS[-1])
    axes.set_xticks(_DISPLACEMENTS[1:-1], [f"{tick:g}" for tick in _DISPLACEMENTS[1:-1]])
    axes.minorticks_off()
    axes.set_ylim(len(entries) - 0.4, -0.8)
    axes.set_title("Half of the links are wrong at", loc="left", color=FAINT)
    axes.set_xlabel("displacement over size")


def _name_point(axes: "Axes", text: str, place: int, ends: tuple[float, float]) -> None:
    """Write a text to the right of an interval, or to the left if it does not fit."""
    turns = ends[1] > _LABELS_TURN
    axes.annotate(
        text,
        (ends[0] if turns else ends[1], place),
        xytext=(-7 if turns else 7, 0),
        textcoords="offset points",
        fontsize=7,
        ha="right" if turns else "left",
        va="center_baseline",
        color=FAINT,
    )
