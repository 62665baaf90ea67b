"""Charts of the report as inline SVG: shapes with classes, which the page colours.

A chart has no text in colour only and no fixed colours, so that it works in light and dark and on
paper. The page escapes all texts.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mapt_bench.reports.tables import printable

__all__ = ["Chart", "Curve", "Point", "Shape", "Span", "curves", "scatter", "spans", "stacked_bars"]

COLORS = 8
"""Number of colours of the page, classes ``c0`` to ``c7``."""

_FONT = 12
_CHARACTER = 7.0
"""Mean width of a character in pixels at the font size."""
_LONGEST = 30
_DASHES = ("", "5 3", "2 2", "8 3 2 3")


@dataclass(frozen=True)
class Shape:
    """One SVG element.

    Attributes:
        tag: Name of the element.
        attributes: Attributes by name.
        text: Text content.
        title: Text that appears under the pointer.
    """

    tag: str
    attributes: Mapping[str, str]
    text: str = ""
    title: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        caption: Sentence below the chart.
        description: Content in words, for screen readers.
        width: Width in pixels.
        height: Height in pixels.
        shapes: Elements from back to front.
    """

    caption: str
    description: str
    width: int
    height: int
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Point:
    """A point of a scatter chart: name, coordinates, and whether it is a reference."""

    name: str
    x: float
    y: float
    is_reference: bool = False


@dataclass(frozen=True)
class Span:
    """A value with its confidence interval: a row of a chart of differences."""

    name: str
    value: float
    low: float
    high: float
    is_established: bool


@dataclass(frozen=True)
class Curve:
    """A line of a chart.

    Attributes:
        name: Name at its end.
        values: Value at each position, ``None`` where undefined.
        intervals: Confidence interval at each position, ``None`` where there is none.
        is_reference: Whether it is a reference, drawn in grey.
    """

    name: str
    values: Sequence[float | None]
    intervals: Sequence[tuple[float, float] | None] = field(default=())
    is_reference: bool = False


def _shape(tag: str, classes: str = "", title: str = "", text: str = "", **given: object) -> Shape:
    attributes = {"class": classes} if classes else {}
    for name, value in given.items():
        shown = f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
        attributes[name.replace("_", "-")] = shown
    return Shape(tag, attributes, text=printable(text), title=printable(title))


def _text(x: float, y: float, text: str, anchor: str = "start", classes: str = "") -> Shape:
    return _shape("text", classes, text=text, x=float(x), y=float(y), text_anchor=anchor)


def _line(x1: float, y1: float, x2: float, y2: float, classes: str) -> Shape:
    return _shape("line", classes, x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2))


def _marker(x: float, y: float, kind: int, classes: str, title: str = "") -> Shape:
    """Return a marker of one of six forms around a position."""
    forms = (
        "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0Z",
        "M-4.5 -4.5H4.5V4.5H-4.5Z",
        "M0 -6L6 0L0 6L-6 0Z",
        "M0 -6L5.5 4.5H-5.5Z",
        "M0 6L5.5 -4.5H-5.5Z",
        "M-5 -2H-2V-5H2V-2H5V2H2V5H-2V2H-5Z",
    )
    where = f"translate({x:.1f} {y:.1f})"
    return _shape("path", classes, title, d=forms[kind % len(forms)], transform=where)


def _short(name: str, longest: int = _LONGEST) -> str:
    name = printable(name)
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def _ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers between two ends.

    Example:
        >>> _ticks(41.0, 79.0)
        [50.0, 60.0, 70.0]
        >>> _ticks(-0.4, 1.2)
        [0.0, 0.5, 1.0]
    """
    span = max(high - low, 1e-9)
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(factor * power for factor in (1, 2, 5, 10, 20) if span / (factor * power) <= most)
    first = math.ceil(low / step - 1e-9)
    return [round(at * step, 10) + 0.0 for at in range(first, math.floor(high / step + 1e-9) + 1)]


def _padded(values: Iterable[float], share: float = 0.08) -> tuple[float, float]:
    known = list(values)
    low, high = min(known), max(known)
    margin = share * ((high - low) or abs(high) or 1.0)
    return low - margin, high + margin


@dataclass(frozen=True)
class _Scale:
    """A linear scale from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        return _ticks(self.low, self.high, most)


def _axis_x(
    scale: _Scale, y: float, top: float, label: str, ticks: Sequence[tuple[float, str]] = ()
) -> list[Shape]:
    shapes = []
    for value, text in ticks or [(value, f"{value:g}") for value in scale.ticks()]:
        shapes.append(_line(scale(value), top, scale(value), y, "grid"))
        shapes.append(_text(scale(value), y + 15, text, "middle", "quiet"))
    middle = (scale.start + scale.end) / 2
    return [*shapes, _text(middle, y + 33, label, "middle")]


def _axis_y(scale: _Scale, x: float, right: float, label: str) -> list[Shape]:
    shapes = []
    for value in scale.ticks():
        shapes.append(_line(x, scale(value), right, scale(value), "grid"))
        shapes.append(_text(x - 6, scale(value) + 4, f"{value:g}", "end", "quiet"))
    return [*shapes, _text(x - 40, scale.end - 10, label)]


def _decades(values: Sequence[float]) -> tuple[list[float], list[tuple[float, str]]]:
    """Return logarithms of values of 0 or more, and ticks with their texts.

    Zeros are one decade below the smallest other value.

    Example:
        >>> _decades([0.0, 5.0, 200.0])[1]
        [(-1.0, '0'), (1.0, '10'), (2.0, '100')]
    """
    least = min((value for value in values if value > 0), default=1.0)
    zero = math.floor(math.log10(least)) - 1.0
    places = [math.log10(value) if value > 0 else zero for value in values]
    powers = range(math.ceil(math.log10(least)), math.floor(max(places)) + 1)
    ticks = [(float(power), f"{10.0**power:g}") for power in powers]
    if len(ticks) < 2 and max(values) > 0:  # all values are within one decade
        ends = (least, max(values)) if max(values) > 1.5 * least else (max(values),)
        ticks = [(math.log10(value), f"{value:.3g}") for value in ends]
    return places, [*([(zero, "0")] if 0 in values else []), *ticks]


def scatter(
    points: Sequence[Point], x_label: str, y_label: str, caption: str, *, by_decades: bool = False
) -> Chart:
    """Return a scatter chart with a label at each point. Points at one position share a label.

    Args:
        points: The points.
        x_label: Label of the horizontal axis.
        y_label: Label of the vertical axis.
        caption: Caption.
        by_decades: Whether the horizontal axis is logarithmic. It shows zeros at its left.
    """
    from mapt_bench.reports.label_placement import Box, place_labels  # needs NumPy

    width, height, left, top = 620, 400, 46, 30
    right, bottom = width - 16, height - 42
    places = [point.x for point in points]
    ticks: list[tuple[float, str]] = []
    if by_decades:
        places, ticks = _decades(places)
    x = _Scale(*_padded(places, 0.14), left, right)
    y = _Scale(*_padded((point.y for point in points), 0.14), bottom, top)
    shapes = [*_axis_x(x, bottom, top, x_label, ticks), *_axis_y(y, left, right, y_label)]
    together: dict[tuple[float, float], list[Point]] = {}
    for point, place in zip(points, places, strict=True):
        together.setdefault((round(x(place), 1), round(y(point.y), 1)), []).append(point)
    names = [_joined_names([each.name for each in group]) for group in together.values()]
    labels = place_labels(
        list(together),
        [(len(name) * _CHARACTER + 6, _FONT + 5.0) for name in names],
        Box(left, top, right, bottom),
        marker=7.0,
    )
    for (at, group), name, label in zip(together.items(), names, labels, strict=True):
        if label.leader is not None:
            shapes.append(_line(*at, *label.leader, "leader"))
        own = "ref" if group[0].is_reference else "c0"
        title = "; ".join(
            f"{each.name}: {y_label} {each.y:.2f}, {x_label} {each.x:.2f}" for each in group
        )
        shapes.append(_marker(*at, 2 if group[0].is_reference else 0, f"mark {own}", title))
        middle = label.box.middle
        shapes.append(_text(middle[0], middle[1] + 4, name, "middle", "label"))
    listed = ", ".join(f"{each.name} ({each.y:.2f}; {each.x:.2f})" for each in points)
    description = f"Scatter chart, {y_label} over {x_label}: {listed}."
    return Chart(caption, printable(description), width, height, tuple(shapes))


def _joined_names(names: Sequence[str]) -> str:
    others = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{_short(names[0], _LONGEST - len(others))}{others}"


def spans(rows: Sequence[Span], x_label: str, caption: str) -> Chart:
    """Return a chart of differences: one row each, a line for its interval, and a line at zero."""
    names = [_short(row.name) for row in rows]
    left = int(max(map(len, names)) * _CHARACTER) + 16
    width, top, step = 620, 8, 22
    bottom = top + step * len(rows)
    scale = _Scale(
        *_padded([0.0, *(end for row in rows for end in (row.low, row.high))]), left, 606
    )
    shapes = _axis_x(scale, bottom, top, x_label)
    shapes.append(_line(scale(0), top, scale(0), bottom, "zero"))
    for at, (row, name) in enumerate(zip(rows, names, strict=True)):
        y = top + step * (at + 0.5)
        own = "c0" if row.is_established else "ref"
        verdict = "established" if row.is_established else "not established"
        title = f"{row.name}: {row.value:+.2f} [{row.low:+.2f}, {row.high:+.2f}], {verdict}"
        shapes.append(_text(left - 8, y + 4, name, "end", "label"))
        shapes.append(_line(scale(row.low), y, scale(row.high), y, f"stroke {own} thick"))
        kind = 0 if row.is_established else 2
        shapes.append(_marker(scale(row.value), y, kind, f"mark {own}", title))
    listed = "; ".join(
        f"{row.name} {row.value:+.2f} from {row.low:+.2f} to {row.high:+.2f}" for row in rows
    )
    return Chart(caption, printable(f"{x_label}: {listed}."), width, bottom + 42, tuple(shapes))


def stacked_bars(rows: Mapping[str, Mapping[str, float]], x_label: str, caption: str) -> Chart:
    """Return one bar per row, made of parts that add up. Parts below zero have no length.

    Args:
        rows: Size of each part, by name of the row.
        x_label: Label of the axis.
        caption: Sentence below the chart.
    """
    parts = list(dict.fromkeys(part for row in rows.values() for part in row))
    names = [_short(name) for name in rows]
    left = int(max(map(len, names)) * _CHARACTER) + 16
    width, step = 620, 34
    legend, top = _legend(parts, left, width)
    bottom = top + step * len(rows)
    longest = max(sum(max(size, 0.0) for size in row.values()) for row in rows.values())
    scale = _Scale(0.0, longest or 1.0, left, width - 14)
    shapes = [*_axis_x(scale, bottom, top, x_label), *legend]
    for at, (name, (full, row)) in enumerate(zip(names, rows.items(), strict=True)):
        y, used = top + step * at + 5, 0.0
        shapes.append(_text(left - 8, y + 16, name, "end", "label"))
        for number, part in enumerate(parts):
            size = max(row.get(part, 0.0), 0.0)
            start, length = scale(used), scale(used + size) - scale(used)
            used += size
            if length < 0.3:
                continue
            title = f"{full}: {part} {row[part]:.2f}"
            shapes.append(
                _shape(
                    "rect",
                    f"bar c{number % COLORS}",
                    title,
                    x=start,
                    y=float(y),
                    width=length,
                    height=24,
                )
            )
            text = f"{size:.1f}"
            if length > len(text) * _CHARACTER + 6:
                shapes.append(_text(start + length / 2, y + 16, text, "middle", "inbar"))
    listed = "; ".join(
        f"{name}: {', '.join(f'{part} {size:.2f}' for part, size in row.items())}"
        for name, row in rows.items()
    )
    return Chart(caption, printable(f"{x_label}. {listed}."), width, bottom + 42, tuple(shapes))


def _legend(parts: Sequence[str], left: float, width: float) -> tuple[list[Shape], int]:
    """Return a legend in lines, and its height."""
    shapes: list[Shape] = []
    x, y = float(left), 6.0
    for number, part in enumerate(parts):
        needed = 18 + len(part) * _CHARACTER + 14
        if x + needed > width and x > left:
            x, y = float(left), y + 20
        shapes.append(_shape("rect", f"bar c{number % COLORS}", x=x, y=y, width=12, height=12))
        shapes.append(_text(x + 17, y + 11, part, classes="label"))
        x += needed
    return shapes, int(y) + 26


def curves(
    lines: Sequence[Curve], positions: Sequence[str], x_label: str, y_label: str, caption: str
) -> Chart:
    """Return lines over positions at equal distances, with names at their ends.

    Args:
        lines: The lines. Lines without a value are omitted.
        positions: Labels of the positions, in order.
        x_label: Label of the horizontal axis.
        y_label: Label of the vertical axis.
        caption: Sentence below the chart.
    """
    lines = [line for line in lines if any(value is not None for value in line.values)]
    names = [_short(line.name, 24) for line in lines]
    width, left, top = 620, 46, 30
    height = max(300, 90 + 15 * len(lines))
    right = width - int(max(map(len, names)) * _CHARACTER) - 24
    bottom = height - 42
    y = _Scale(*_padded(_all_values(lines)), bottom, top)
    inner = (right - left) / max(len(positions), 1)
    shapes = _axis_y(y, left, right, y_label)
    at = [left + inner * (place + 0.5) for place in range(len(positions))]
    for x, position in zip(at, positions, strict=True):
        shapes.append(_text(x, bottom + 15, _short(position, 12), "middle", "quiet"))
    shapes.append(_text((left + right) / 2, bottom + 33, x_label, "middle"))
    ends: list[tuple[float, int]] = []
    for number, line in enumerate(lines):
        shift = inner * 0.4 * ((number + 0.5) / len(lines) - 0.5)
        shapes += _curve(line, number, [x + shift for x in at], y)
        last = next(value for value in reversed(line.values) if value is not None)
        ends.append((y(last), number))
    for place, (from_y, number) in _spread(ends, top, bottom):
        own = "ref" if lines[number].is_reference else f"c{number % COLORS}"
        shapes.append(_line(right + 2, from_y, right + 12, place, f"leader stroke {own}"))
        shapes.append(_text(right + 15, place + 4, names[number], classes="label"))
    listed = "; ".join(f"{line.name}: {_values_in_words(line, positions)}" for line in lines)
    description = f"{y_label} by {x_label}. {listed}."
    return Chart(caption, printable(description), width, height, tuple(shapes))


def _all_values(lines: Sequence[Curve]) -> list[float]:
    values = [value for line in lines for value in line.values if value is not None]
    return values + [end for line in lines for ends in line.intervals if ends for end in ends]


def _values_in_words(line: Curve, positions: Sequence[str]) -> str:
    return ", ".join(
        f"{position} {value:.2f}"
        for position, value in zip(positions, line.values, strict=True)
        if value is not None
    )


def _curve(line: Curve, number: int, at: Sequence[float], y: _Scale) -> list[Shape]:
    own = "ref" if line.is_reference else f"c{number % COLORS}"
    known = [(x, value) for x, value in zip(at, line.values, strict=True) if value is not None]
    shapes = [
        _line(x, y(ends[0]), x, y(ends[1]), f"stroke {own} faint")
        for x, ends in zip(at, line.intervals, strict=False)
        if ends is not None
    ]
    path = " ".join(
        f"{'L' if place else 'M'}{x:.1f} {y(value):.1f}" for place, (x, value) in enumerate(known)
    )
    dashes = _DASHES[number // COLORS % len(_DASHES)] if not line.is_reference else "5 3"
    given = {"stroke-dasharray": dashes} if dashes else {}
    shapes.append(_shape("path", f"stroke {own} thick nofill", d=path, **given))
    for x, value in known:
        shapes.append(_marker(x, y(value), number, f"mark {own}", f"{line.name}: {value:.2f}"))
    return shapes


def _spread(
    ends: Sequence[tuple[float, int]], top: float, bottom: float, gap: float = 14.0
) -> list[tuple[float, tuple[float, int]]]:
    """Return a position for each label, so that labels do not overlap.

    Example:
        >>> [place for place, _ in _spread([(10.0, 0), (12.0, 1)], 0, 100)]
        [10.0, 24.0]
    """
    order = sorted(ends)
    places: list[float] = []
    for wanted, _ in order:
        places.append(max(wanted, places[-1] + gap if places else top))
    limit = bottom
    for at in reversed(range(len(places))):
        places[at] = min(places[at], limit)
        limit = places[at] - gap
    return list(zip(places, order, strict=True))
