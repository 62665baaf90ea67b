"""What all pictures share: colours, markers, style, and files that equal results make equal."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mapt_bench.errors import ConfigError
from mapt_bench.files import replace_when_complete

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

__all__ = ["FAINT", "INK", "MARKERS", "PALETTE", "STYLE", "SUFFIXES", "save_figure"]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#8C6D31")
"""Okabe and Ito's colours that can be told apart with any colour vision, and two more."""

MARKERS = "osD^v<>h"

INK = "#222222"
FAINT = "#777777"

SUFFIXES = (".png", ".svg")
"""What every picture is written as."""

STYLE: "dict[RcKeyType, Any]" = {
    "font.size": 9,
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
    with replace_when_complete(path) as beside:
        figure.savefig(beside, format=kind[1:], metadata=metadata[kind])
