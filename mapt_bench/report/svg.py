"""Parts of charts as inline SVG: shapes with classes, which the page colours, scales and axes.

A chart has no text in colour only and no fixed colours, so that it works in light and dark and on
paper. It is drawn twice, for wide pages and for phones. The page escapes all texts.
"""

import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mapt_bench.reports.tables import printable

__all__ = [
    "CHARACTER",
    "COLORS",
    "FONT",
    "LEFT",
    "LINE",
    "PHONE",
    "TOP",
    "Chart",
    "Drawing",
    "Scale",
    "Shape",
    "axis_x",
    "axis_y",
    "chart_of",
    "decades",
    "label_lines",
    "line",
    "marker",
    "padded",
    "shape",
    "short",
    "text",
    "values_in_words",
    "width_of",
]

COLORS = 8
"""Number of colours of the page, classes ``c0`` to ``c7``."""

FONT, LINE = 12, 15
CHARACTER = 7.0
"""Mean width of a character in pixels at the font size."""

LEFT, TOP = 46, 30
"""Room for the numbers of a vertical axis, and for its label above it."""

PHONE = 400
"""Drawings below this width have the names of rows above their marks, or in a key."""

_WIDE, _NARROW = 620, 360


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
class Drawing:
    """A chart at one width.

    Attributes:
        width: Width in pixels.
        height: Height in pixels.
        shapes: Elements from back to front.
    """

    width: int
    height: int
    shapes: tuple[Shape, ...]

    @property
    def is_narrow(self) -> bool:
        """Whether it is for phones."""
        return self.width <= _NARROW


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        caption: Sentences below the chart.
        description: Content in words, for screen readers.
        wide: The chart for wide pages.
        narrow: The chart for phones.
    """

    caption: str
    description: str
    wide: Drawing
    narrow: Drawing

    def __post_init__(self) -> None:
        object.__setattr__(self, "caption", printable(self.caption))
        object.__setattr__(self, "description", printable(self.description))

    @property
    def drawings(self) -> tuple[tuple[str, Drawing], ...]:
        """Both drawings with their class."""
        return ("wide", self.wide), ("narrow", self.narrow)


def chart_of(draw: Callable[[int], Drawing], caption: str, description: str) -> Chart:
    """Return a chart at both widths.

    Args:
        draw: Takes a width in pixels.
        caption: Sentences below the chart.
        description: Content in words.
    """
    return Chart(caption, description, draw(_WIDE), draw(_NARROW))


def shape(tag: str, classes: str = "", title: str = "", text: str = "", **given: object) -> Shape:
    """Return an element. Underscores of attribute names become hyphens."""
    attributes = {"class": classes} if classes else {}
    for name, value in given.items():
        shown = f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
        attributes[name.replace("_", "-")] = shown
    return Shape(tag, attributes, text=printable(text), title=printable(title))


def text(x: float, y: float, words: str, anchor: str = "start", classes: str = "") -> Shape:
    """Return a text at the left, in the middle or at the right of a position."""
    return shape("text", classes, text=words, x=float(x), y=float(y), text_anchor=anchor)


def values_in_words(values: Sequence[float | None], places: Sequence[str]) -> str:
    """Return the defined ones of some values, each behind the name of its place."""
    return ", ".join(
        f"{place} {value:z.2f}"
        for place, value in zip(places, values, strict=True)
        if value is not None
    )


def width_of(words: str) -> float:
    """Return the width of a text in pixels."""
    return len(words) * CHARACTER


def line(x1: float, y1: float, x2: float, y2: float, classes: str) -> Shape:
    """Return a line."""
    return shape("line", classes, x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2))


def marker(x: float, y: float, kind: int, classes: str, title: str = "") -> Shape:
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
    return shape("path", classes, title, d=forms[kind % len(forms)], transform=where)


def short(name: str, longest: int = 30) -> str:
    """Return a name of at most a number of characters."""
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


def padded(values: Iterable[float], share: float = 0.08) -> tuple[float, float]:
    """Return the ends of an axis around values."""
    known = list(values)
    low, high = min(known), max(known)
    margin = share * ((high - low) or abs(high) or 1.0)
    return low - margin, high + margin


@dataclass(frozen=True)
class Scale:
    """A linear scale from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Return round values within the scale."""
        return _ticks(self.low, self.high, most)


def axis_x(
    scale: Scale, y: float, top: float, label: str, ticks: Sequence[tuple[float, str]] = ()
) -> list[Shape]:
    """Return a horizontal axis with its grid and label."""
    shapes = []
    for value, words in ticks or [(value, f"{value:g}") for value in scale.ticks()]:
        shapes.append(line(scale(value), top, scale(value), y, "grid"))
        shapes.append(text(scale(value), y + 15, words, "middle", "quiet"))
    middle = (scale.start + scale.end) / 2
    # A label that is wider than its axis ends with it.
    is_long = width_of(label) > scale.end - scale.start
    place, anchor = (scale.end, "end") if is_long else (middle, "middle")
    return [
        *shapes,
        *(
            text(place, y + 33 + LINE * at, part, anchor)
            for at, part in enumerate(label_lines(label, scale))
        ),
    ]


def label_lines(label: str, scale: Scale) -> list[str]:
    """Return the label of a horizontal axis in lines that fit on the left of its end."""
    return textwrap.wrap(label, int(scale.end / CHARACTER)) or [""]


def axis_y(scale: Scale, x: float, right: float, label: str) -> list[Shape]:
    """Return a vertical axis with its grid and label."""
    shapes = []
    for value in scale.ticks():
        shapes.append(line(x, scale(value), right, scale(value), "grid"))
        shapes.append(text(x - 6, scale(value) + 4, f"{value:g}", "end", "quiet"))
    return [*shapes, text(x - 40, scale.end - 10, label)]


def decades(values: Sequence[float]) -> tuple[list[float], list[tuple[float, str]]]:
    """Return logarithms of values of 0 or more, and ticks with their texts.

    Zeros are one decade below the smallest other value.

    Example:
        >>> decades([0.0, 5.0, 200.0])[1]
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
