"""The chart of the frontiers of all trackers: PAT over STQ, one line for each tracker."""

from collections.abc import Mapping, Sequence
from typing import Any

from mapt_bench.errors import counted
from mapt_bench.report.svg import (
    COLORS,
    FONT,
    LEFT,
    PHONE,
    TOP,
    Chart,
    Drawing,
    Scale,
    Shape,
    axis_x,
    axis_y,
    chart_of,
    line,
    marker,
    shape,
    short,
    text,
    width_of,
)
from mapt_bench.reports.frontier_tables import frontier_line, frontier_points, frontier_window

__all__ = ["frontier_chart"]

_Row = Mapping[str, Any]


def frontier_chart(result: _Row) -> Chart:
    """Return the chart of the frontiers of all trackers.

    Args:
        result: Schema ``mapt-bench/frontier/1``.
    """
    trackers = result["trackers"]
    _, hidden = frontier_window(trackers)
    caption = (
        "PAT over STQ. Each line is the frontier of a tracker: none of its settings is better in "
        "one score and no worse in the other. Faint marks are other settings. Up and to the right "
        "is better."
    )
    caption += f" Outside the chart: {counted(hidden, 'setting')}." if hidden else ""
    told = "; ".join(
        f"{each['tracker']}: "
        + ", ".join(f"PAT {pat:.2f} at STQ {stq:.2f}" for stq, pat in frontier_line(each))
        for each in trackers
    )
    return chart_of(
        lambda width: _frontiers(trackers, width), caption, f"Frontiers of PAT over STQ. {told}."
    )


def _frontiers(trackers: Sequence[_Row], width: int) -> Drawing:
    is_phone = width <= PHONE
    left, top, right, bottom = LEFT, TOP, width - 16, 280 if is_phone else 400
    (of_stq, of_pat), _ = frontier_window(trackers)
    x, y = Scale(*of_stq, left, right), Scale(*of_pat, bottom, top)
    shapes = [*axis_x(x, bottom, top, "STQ (%)"), *axis_y(y, left, right, "PAT (%)")]
    for number, each in enumerate(trackers):
        shapes += [
            marker(x(stq), y(pat), number, f"mark c{number % COLORS} faint", _title(each, at))
            for at, (stq, pat, is_on) in enumerate(frontier_points(each))
            if not is_on and x(stq) >= left and y(pat) <= bottom
        ]
    paths = [[(x(stq), y(pat)) for stq, pat in frontier_line(each)] for each in trackers]
    for number, path in enumerate(paths):
        drawn = "M" + "L".join(f"{at:.1f} {down:.1f}" for at, down in path)
        if len(path) > 1:
            shapes.append(shape("path", f"stroke line c{number % COLORS}", d=drawn, fill="none"))
    for number, each in enumerate(trackers):
        shapes += [
            marker(x(stq), y(pat), number, f"mark c{number % COLORS}", _title(each, at))
            for at, (stq, pat, is_on) in enumerate(frontier_points(each))
            if is_on
        ]
    if not is_phone:
        shapes += _labels(trackers, paths, x, y)
        return Drawing(width, bottom + 42, tuple(shapes))
    bottom += 58
    for number, each in enumerate(trackers):
        down = bottom + 18 * number
        shapes.append(marker(20, down, number, f"mark c{number % COLORS}"))
        shapes.append(text(34, down + 4, short(str(each["tracker"]), 44), classes="label"))
    return Drawing(width, bottom + 18 * len(trackers), tuple(shapes))


def _title(entry: _Row, number: int) -> str:
    scores = entry["trials"][number]["scores"]
    return (
        f"{entry['tracker']}, setting {number}: PAT {100 * scores['PAT']:.2f}, "
        f"STQ {100 * scores['STQ']:.2f}"
    )


def _labels(
    trackers: Sequence[_Row], paths: Sequence[Sequence[tuple[float, float]]], x: Scale, y: Scale
) -> list[Shape]:
    """Return the name of each tracker beside its setting that is nearest to both maxima."""
    from mapt_bench.reports.label_placement import Box, place_labels  # needs NumPy

    together: dict[tuple[float, float], list[str]] = {}
    for each in trackers:
        stq, pat, _ = frontier_points(each)[each["nearest"]]
        together.setdefault((round(x(stq), 1), round(y(pat), 1)), []).append(str(each["tracker"]))
    names = [short(", ".join(each), 44) for each in together.values()]
    frame = Box(x.start, y.end, x.end, y.start)
    sizes = [(width_of(name) + 6, FONT + 5.0) for name in names]
    places = place_labels(list(together), sizes, frame, marker=7.0, lines=paths)
    shapes = []
    for at, name, place in zip(together, names, places, strict=True):
        if place.leader is not None:
            shapes.append(line(*at, *place.leader, "leader"))
        across, down = place.box.middle
        shapes.append(text(across, down + 4, name, "middle", "label halo"))
    return shapes
