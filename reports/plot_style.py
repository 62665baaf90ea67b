"""What all plots share: colours, markers, fonts, and reproducible files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mapt_bench.errors import ConfigError
from mapt_bench.files import replace_when_complete
from mapt_bench.results.result_views import is_reference, row_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

__all__ = [
    "COPY",
    "FAINT",
    "INK",
    "MARKERS",
    "ORACLE",
    "PALETTE",
    "STYLE",
    "SUFFIXES",
    "Mark",
    "line_marks",
    "numbered_mark",
    "reference_marks",
    "save_figure",
]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#8C6D31")
"""Okabe and Ito's colours, distinguishable with any colour vision, and two more."""

MARKERS = "osD^v<>h"

INK = "#222222"
FAINT = "#777777"

SUFFIXES = (".png", ".svg")
"""Formats of every plot."""

STYLE: "dict[RcKeyType, Any]" = {
    "font.size": 9,
    "text.parse_math": False,  # names are text
    "text.usetex": False,  # a matplotlibrc in the current folder must not start LaTeX
    "text.color": INK,
    "font.family": "DejaVu Sans",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "svg.hashsalt": "mapt-bench",
}


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG or SVG.

    Raises:
        ConfigError: If the suffix is neither ``.png`` nor ``.svg``.
        DataError: If the file cannot be written.
    """
    # Dates and versions in the metadata would make equal pictures differ.
    metadata = {".png": {"Software": None}, ".svg": {"Date": None, "Creator": None}}
    kind = path.suffix.lower()
    if kind not in metadata:
        raise ConfigError(f"a picture cannot be {path.suffix!r}; use .png or .svg", where=path)
    _spell_powers(figure)
    with replace_when_complete(path) as beside:
        figure.savefig(beside, format=kind[1:], metadata=metadata[kind])


def _spell_powers(figure: "Figure") -> None:
    """Write plain numbers at logarithmic axes: their own labels are formulas, shown as code."""
    from matplotlib.ticker import FuncFormatter, LogFormatterMathtext, NullFormatter

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(axis.get_major_formatter(), LogFormatterMathtext):
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axis.set_minor_formatter(NullFormatter())


Row = Mapping[str, Any]

_MEMORY = re.compile(r"\+memory(=\d+)?$")

_ORDER = (
    *("iou", "sort", "bytetrack", "motion", "appearance", "both"),
    *("both:appearance-first", "both:simultaneous"),
)
"""Trackers with a fixed colour in all plots. Memory changes the dashes."""


@dataclass(frozen=True)
class Mark:
    """Colour, marker and dashes of a row, and its name in the legend."""

    name: str
    colour: str
    marker: str
    dashes: str = "-"


ORACLE = Mark("oracle: upper bound", INK, "*", "--")
COPY = Mark("copies the last masks", FAINT, "X", ":")
_OTHER_REFERENCES = "Pdp8"
"""Markers of the other references, which share a colour. They are no markers of trackers."""


def reference_marks(rows: Sequence[Row]) -> dict[str, Mark]:
    """Return the mark of each reference by its label, with a marker of its own."""
    marks: dict[str, Mark] = {}
    others = 0
    for row in rows:
        label, variant = row_label(row), str(row["variant"]).lower()
        if variant == "oracle":
            marks[label] = ORACLE
        elif variant == "copy" or variant.startswith("copy+"):
            marks[label] = COPY
        elif is_reference(row) and label not in marks:
            marker = _OTHER_REFERENCES[others % len(_OTHER_REFERENCES)]
            marks[label] = Mark(label, FAINT, marker, "-.")
            others += 1
    return marks


def numbered_mark(name: str, at: int) -> Mark:
    """Return the mark of a number. Colours repeat with other dashes."""
    dashes = "-" if at < len(PALETTE) else "-."
    return Mark(name, PALETTE[at % len(PALETTE)], MARKERS[at % len(MARKERS)], dashes)


def line_marks(rows: Sequence[Row]) -> dict[str, Mark]:
    """Return the mark of each label's line. A tracker with memory has its own colour, dashed."""
    marks: dict[str, Mark] = {}
    references = reference_marks(rows)
    others = len(_ORDER)
    for row in rows:
        label = row_label(row)
        if label in marks:
            continue
        variant = str(row["variant"])
        plain = _MEMORY.sub("", variant)
        if label in references:
            marks[label] = references[label]
        elif plain in _ORDER:
            mark = numbered_mark(label, _ORDER.index(plain))
            marks[label] = mark if plain == variant else replace(mark, dashes="--")
        else:
            marks[label] = numbered_mark(label, others)
            others += 1
    return marks
