"""Kinds of charts of the report: points, estimates with intervals, stacked bars and curves.

On phones, names of rows are above their marks or in a key below the chart.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mapt_bench.report.svg import (
    COLORS,
    FONT,
    LEFT,
    LINE,
    PHONE,
    TOP,
    Chart,
    Drawing,
    Scale,
    Shape,
    axis_x,
    axis_y,
    chart_of,
    decades,
    label_lines,
    line,
    marker,
    padded,
    shape,
    short,
    text,
    values_in_words,
    width_of,
)

__all__ = ["Curve", "Point", "Span", "curves", "scatter", "spans", "stacked_bars"]

_DASHES = ("", "5 3", "2 2", "8 3 2 3")


@dataclass(frozen=True)
class Point:
    """A point of a scatter chart: name, coordinates, and whether it is a reference."""

    name: str
    x: float
    y: float
    is_reference: bool = False


@dataclass(frozen=True)
class Span:
    """An estimate with its confidence interval: a row of a chart.

    Attributes:
        name: Name of the row.
        value: The estimate.
        ends: Its confidence interval, ``None`` if there is none.
        is_grey: Whether it is grey. The key of the chart says what grey means.
    """

    name: str
    value: float
    ends: tuple[float, float] | None
    is_grey: bool = False


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


def scatter(
    points: Sequence[Point], x_label: str, y_label: str, caption: str, *, by_decades: bool = False
) -> Chart:
    """Return a scatter chart. Points at one position share a label.

    A reference that is far from all other points would flatten these: the caption has it instead.

    Args:
        points: The points.
        x_label: Label of the horizontal axis.
        y_label: Label of the vertical axis.
        caption: Caption.
        by_decades: Whether the horizontal axis is logarithmic. It shows zeros at its left.
    """
    shown = [point for point in points if not (point.is_reference and _is_far(point, points))]
    listed = ", ".join(f"{each.name} ({each.y:.2f}; {each.x:.2f})" for each in points)
    if any(each.is_reference for each in shown):
        caption += " Grey diamonds are references. They do not compete."
    for each in points:
        if each not in shown:
            caption += f" Outside the chart: {each.name}, a reference, with {y_label} {each.y:.2f}."
    return chart_of(
        lambda width: _scatter(shown, x_label, y_label, width, by_decades=by_decades),
        caption,
        f"Scatter chart, {y_label} over {x_label}: {listed}.",
    )


def _is_far(point: Point, points: Sequence[Point]) -> bool:
    """Return whether a point is farther above or below the rows than these are apart."""
    rows = [each.y for each in points if not each.is_reference]
    if len(rows) < 2:
        return False
    reach = max(rows) - min(rows)
    return not min(rows) - reach <= point.y <= max(rows) + reach


def _scatter(
    points: Sequence[Point], x_label: str, y_label: str, width: int, *, by_decades: bool
) -> Drawing:
    from mapt_bench.reports.label_placement import Box, place_labels  # needs NumPy

    left, top, right, bottom = LEFT, TOP, width - 16, 358 if width > PHONE else 280
    places = [point.x for point in points]
    ticks: list[tuple[float, str]] = []
    if by_decades:
        places, ticks = decades(places)
    x = Scale(*padded(places, 0.14), left, right)
    y = Scale(*padded((point.y for point in points), 0.14), bottom, top)
    shapes = [*axis_x(x, bottom, top, x_label, ticks), *axis_y(y, left, right, y_label)]
    together: dict[tuple[float, float], list[Point]] = {}
    for point, place in zip(points, places, strict=True):
        together.setdefault((round(x(place), 1), round(y(point.y), 1)), []).append(point)
    groups = sorted(together.values(), key=lambda group: -group[0].y)
    at_points = [next(at for at, group in together.items() if group is each) for each in groups]
    names = [_joined_names([each.name for each in group]) for group in groups]
    is_phone = width <= PHONE
    words = [str(number) for number in range(1, len(names) + 1)] if is_phone else names
    labels = place_labels(
        at_points,
        [(width_of(word) + 6, FONT + 5.0) for word in words],
        Box(left, top, right, bottom),
        marker=7.0,
    )
    for at, group, word, label in zip(at_points, groups, words, labels, strict=True):
        if label.leader is not None:
            shapes.append(line(*at, *label.leader, "leader"))
        own = "ref" if group[0].is_reference else "c0"
        title = "; ".join(
            f"{each.name}: {y_label} {each.y:.2f}, {x_label} {each.x:.2f}" for each in group
        )
        shapes.append(marker(*at, 2 if group[0].is_reference else 0, f"mark {own}", title))
        middle = label.box.middle
        shapes.append(text(middle[0], middle[1] + 4, word, "middle", "label"))
    bottom += 42
    if is_phone:
        key = [f"{word}  {name}" for word, name in zip(words, names, strict=True)]
        listed, bottom = _lines(key, 8, bottom + 16, width)
        shapes += listed
    return Drawing(width, bottom, tuple(shapes))


def _joined_names(names: Sequence[str]) -> str:
    others = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{short(names[0], 30 - len(others))}{others}"


def _lines(words: Sequence[str], left: float, top: int, width: int) -> tuple[list[Shape], int]:
    """Return texts in lines, two in a line where they fit, and the height that they end at."""
    half = (width - left) / 2
    columns = 2 if max(map(width_of, words), default=0) < half - 8 else 1
    shapes = [
        text(left + half * (at % columns), top + 18 * (at // columns), word, classes="label")
        for at, word in enumerate(words)
    ]
    return shapes, top + 18 * -(-len(words) // columns) - 8


def spans(
    rows: Sequence[Span], x_label: str, caption: str, *, key: tuple[str, str], with_zero: bool
) -> Chart:
    """Return a chart of estimates: one row each, with a line for its confidence interval.

    Args:
        rows: The rows, from top to bottom.
        x_label: Label of the axis.
        caption: Sentences below the chart.
        key: What coloured and grey rows are. Those that do not occur are omitted.
        with_zero: Whether the estimates are differences, with a line at zero.
    """
    told = "; ".join(f"{row.name} {_in_words(row, with_zero=with_zero)}" for row in rows)
    return chart_of(
        lambda width: _spans(rows, x_label, key, width, with_zero=with_zero),
        caption,
        f"{x_label}: {told}.",
    )


def _in_words(row: Span, *, with_zero: bool) -> str:
    sign = "+" if with_zero else ""
    ends = f" from {row.ends[0]:{sign}z.2f} to {row.ends[1]:{sign}z.2f}" if row.ends else ""
    return f"{row.value:{sign}z.2f}{ends}"


def _spans(
    rows: Sequence[Span], x_label: str, key: tuple[str, str], width: int, *, with_zero: bool
) -> Drawing:
    names = [short(row.name) for row in rows]
    is_phone = width <= PHONE
    left = 12 if is_phone else int(max(map(width_of, names))) + 24
    step = 36 if is_phone else 22
    shapes, top = _key_of_spans(rows, key, 12 if is_phone else left)
    bottom = top + step * len(rows)
    ends = [end for row in rows for end in (row.value, *(row.ends or ()))]
    scale = Scale(*padded([*ends, *([0.0] if with_zero else [])]), left + 6, width - 14)
    shapes += axis_x(scale, bottom, top, x_label)
    if with_zero:
        shapes.append(line(scale(0), top, scale(0), bottom, "zero"))
    for at, (row, name) in enumerate(zip(rows, names, strict=True)):
        y = top + step * at + (step - 10 if is_phone else step / 2)
        own = "ref" if row.is_grey else "c0"
        number = f"{row.value:+z.2f}".replace("-", "\u2212")  # names have hyphens
        words = f"{name}  {number}" if with_zero else f"{name}  {row.value:.1f}"
        if is_phone:
            shapes.append(text(left, y - 11, words, classes="label halo"))
        else:
            shapes.append(text(left - 8, y + 4, name, "end", "label"))
        if row.ends is not None:
            low, high = map(scale, row.ends)
            shapes.append(line(low, y, high, y, f"stroke {own} thick"))
        title = f"{row.name}: {_in_words(row, with_zero=with_zero)}; {key[row.is_grey]}"
        shapes.append(marker(scale(row.value), y, 2 if row.is_grey else 0, f"mark {own}", title))
    height = bottom + 27 + LINE * len(label_lines(x_label, scale))
    return Drawing(width, height, tuple(shapes))


def _key_of_spans(
    rows: Sequence[Span], key: tuple[str, str], left: float
) -> tuple[list[Shape], int]:
    """Return a key with the marks of a chart of estimates, and its height."""
    shapes, y = [], 10
    for is_grey, words in zip((False, True), key, strict=True):
        if any(row.is_grey == is_grey for row in rows):
            own = "ref" if is_grey else "c0"
            shapes.append(marker(left + 6, y, 2 if is_grey else 0, f"mark {own}"))
            shapes.append(text(left + 18, y + 4, words, classes="label"))
            y += 18
    return shapes, y + 2


def stacked_bars(rows: Mapping[str, Mapping[str, float]], x_label: str, caption: str) -> Chart:
    """Return one bar per row, made of parts that add up. Parts below zero have no length.

    Args:
        rows: Size of each part, by name of the row.
        x_label: Label of the axis.
        caption: Sentence below the chart.
    """
    listed = "; ".join(
        f"{name}: {', '.join(f'{part} {size:z.2f}' for part, size in row.items())}"
        for name, row in rows.items()
    )
    return chart_of(
        lambda width: _stacked_bars(rows, x_label, width), caption, f"{x_label}. {listed}."
    )


def _stacked_bars(rows: Mapping[str, Mapping[str, float]], x_label: str, width: int) -> Drawing:
    parts = list(dict.fromkeys(part for row in rows.values() for part in row))
    names = [short(name) for name in rows]
    is_phone = width <= PHONE
    left = 12 if is_phone else int(max(map(width_of, names))) + 24
    step, above = (48, 18) if is_phone else (34, 5)
    legend, top = _legend(parts, left, width)
    bottom = top + step * len(rows)
    longest = max(sum(max(size, 0.0) for size in row.values()) for row in rows.values())
    scale = Scale(0.0, longest or 1.0, left, width - 14)
    shapes = [*axis_x(scale, bottom, top, x_label), *legend]
    for at, (name, (full, row)) in enumerate(zip(names, rows.items(), strict=True)):
        y = top + step * at + above
        if is_phone:
            shapes.append(text(left, y - 6, name, classes="label halo"))
        else:
            shapes.append(text(left - 8, y + 16, name, "end", "label"))
        shapes += _bar(full, row, parts, scale, y)
    return Drawing(width, bottom + 42, tuple(shapes))


def _bar(
    name: str, row: Mapping[str, float], parts: Sequence[str], scale: Scale, y: float
) -> Iterable[Shape]:
    """Yield the parts of one bar, with their size where it fits."""
    used = 0.0
    for number, part in enumerate(parts):
        size = max(row.get(part, 0.0), 0.0)
        start, length = scale(used), scale(used + size) - scale(used)
        used += size
        if length < 0.3:
            continue
        title = f"{name}: {part} {row[part]:z.2f}"
        own = f"bar c{number % COLORS}"
        yield shape("rect", own, title, x=start, y=float(y), width=length, height=24)
        words = f"{size:.1f}"
        if length > width_of(words) + 6:
            yield text(start + length / 2, y + 16, words, "middle", "inbar")


def _legend(parts: Sequence[str], left: float, width: float) -> tuple[list[Shape], int]:
    """Return a legend in lines, and its height."""
    shapes: list[Shape] = []
    x, y = float(left), 6.0
    for number, part in enumerate(parts):
        needed = 18 + width_of(part) + 14
        if x + needed > width and x > left:
            x, y = float(left), y + 20
        shapes.append(shape("rect", f"bar c{number % COLORS}", x=x, y=y, width=12, height=12))
        shapes.append(text(x + 17, y + 11, part, classes="label"))
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
    lines = [each for each in lines if any(value is not None for value in each.values)]
    if any(each.is_reference for each in lines):
        caption += " Grey dashed lines are references. They do not compete."
    told = "; ".join(f"{each.name}: {values_in_words(each.values, positions)}" for each in lines)
    return chart_of(
        lambda width: _curves(lines, positions, x_label, y_label, width),
        caption,
        f"{y_label} by {x_label}. {told}.",
    )


def _curves(
    lines: Sequence[Curve], positions: Sequence[str], x_label: str, y_label: str, width: int
) -> Drawing:
    names = [short(each.name, 24) for each in lines]
    is_phone = width <= PHONE
    left, top = LEFT, TOP
    bottom = top + (230 if is_phone else max(228, 18 + 15 * len(lines)))
    right = width - 14 if is_phone else width - int(max(map(width_of, names))) - 24
    y = Scale(*padded(_all_values(lines)), bottom, top)
    inner = (right - left) / max(len(positions), 1)
    shapes = axis_y(y, left, right, y_label)
    at = [left + inner * (place + 0.5) for place in range(len(positions))]
    for x, position in zip(at, positions, strict=True):
        shapes.append(text(x, bottom + 15, short(position, 12), "middle", "quiet"))
    shapes.append(text((left + right) / 2, bottom + 33, x_label, "middle"))
    ends: list[tuple[float, int]] = []
    for number, each in enumerate(lines):
        shift = inner * 0.4 * ((number + 0.5) / len(lines) - 0.5)
        shapes += _curve(each, number, [x + shift for x in at], y)
        last = next(value for value in reversed(each.values) if value is not None)
        ends.append((y(last), number))
    if is_phone:
        listed, bottom = _key_of_curves(lines, names, bottom + 58)
        return Drawing(width, bottom, (*shapes, *listed))
    for place, (from_y, number) in _spread(ends, top, bottom):
        own = _color_of(lines[number], number)
        shapes.append(line(right + 2, from_y, right + 12, place, f"leader stroke {own}"))
        shapes.append(text(right + 15, place + 4, names[number], classes="label"))
    return Drawing(width, bottom + 42, tuple(shapes))


def _key_of_curves(
    lines: Sequence[Curve], names: Sequence[str], top: int
) -> tuple[list[Shape], int]:
    """Return the name of each curve beside its mark, and the height that they end at."""
    shapes = []
    for number, (each, name) in enumerate(zip(lines, names, strict=True)):
        y = top + 18 * number
        own = _color_of(each, number)
        shapes.append(line(12, y, 36, y, f"stroke {own} thick"))
        shapes.append(marker(24, y, number, f"mark {own}"))
        shapes.append(text(44, y + 4, name, classes="label"))
    return shapes, top + 18 * len(lines)


def _color_of(curve: Curve, number: int) -> str:
    return "ref" if curve.is_reference else f"c{number % COLORS}"


def _all_values(lines: Sequence[Curve]) -> list[float]:
    values = [value for each in lines for value in each.values if value is not None]
    return values + [end for each in lines for ends in each.intervals if ends for end in ends]


def _curve(curve: Curve, number: int, at: Sequence[float], y: Scale) -> list[Shape]:
    own = _color_of(curve, number)
    known = [(x, value) for x, value in zip(at, curve.values, strict=True) if value is not None]
    shapes = [
        line(x, y(ends[0]), x, y(ends[1]), f"stroke {own} faint")
        for x, ends in zip(at, curve.intervals, strict=False)
        if ends is not None
    ]
    before = (None, *curve.values)  # a line breaks where a value is undefined
    path = " ".join(
        f"{'M' if before[place] is None else 'L'}{x:.1f} {y(value):.1f}"
        for place, (x, value) in enumerate(zip(at, curve.values, strict=True))
        if value is not None
    )
    dashes = _DASHES[number // COLORS % len(_DASHES)] if not curve.is_reference else "5 3"
    given = {"stroke-dasharray": dashes} if dashes else {}
    shapes.append(shape("path", f"stroke {own} thick nofill", d=path, **given))
    for x, value in known:
        shapes.append(marker(x, y(value), number, f"mark {own}", f"{curve.name}: {value:z.2f}"))
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
