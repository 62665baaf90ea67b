"""The plot of a training: losses, validation scores, gradient norms and learning rate."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mapt_bench.errors import DataError
from mapt_bench.reports.plot_style import FAINT, MARKERS, PALETTE, STYLE, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["is_in_pixels", "plot_training", "smoothed"]

Row = Mapping[str, Any]

_LOSS_PREFIX = "loss_"
_POINTS = 60
"""With more rows than about this, curves are smoothed, with the rows in a light colour behind."""
_MARKED_POINTS = 20
"""Up to this number of rows, curves are moving means over a quarter of the rows, each a point."""


def plot_training(rows: Sequence[Row], path: Path) -> None:
    """Plot the curves of a training log.

    Args:
        rows: Rows of ``log.jsonl``: of kind ``train`` (``step``, ``total``, ``values``, ``lr``,
            ``gradient_norm``, optional ``loss_gradient_norms``) and of kind ``validation``
            (``step``, ``scores``).
        path: Output file, ``.png`` or ``.svg``.

    Raises:
        ConfigError: If the suffix is another.
        DataError: If the log has no step, or the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    steps = [row for row in rows if row["kind"] == "train"]
    scores = [row for row in rows if row["kind"] == "validation"]
    if not steps:
        raise DataError("the log has no step to plot", where=path)
    with rc_context(STYLE):
        figure = Figure(figsize=(11, 7), dpi=150, layout="constrained")
        (losses, validation), (norms, rate) = figure.subplots(2, 2)
        _draw_losses(losses, steps)
        _draw_scores(validation, scores)
        _draw_norms(norms, steps)
        rate.plot(
            [row["step"] for row in steps],
            [row["lr"] for row in steps],
            color=PALETTE[0],
            linewidth=1.3,
            marker="." if len(steps) <= _MARKED_POINTS else "",
        )
        rate.set_title("Learning rate")
        for axes in (losses, validation, norms, rate):
            axes.set_xlabel("step")
            axes.set_xlim(0, None)
            axes.xaxis.get_major_locator().set_params(integer=True)
        save_figure(figure, path)


def is_in_pixels(name: str) -> bool:
    """Return whether a validation score is a distance in pixels; all others are shares.

    Example:
        >>> is_in_pixels("EPE on things"), is_in_pixels("PAT")
        (True, False)
    """
    return name.startswith("EPE")


def smoothed(values: Sequence[float], window: int) -> list[float]:
    """Return moving means over the last rows up to each row, without later rows.

    Example:
        >>> smoothed([4.0, 2.0, 0.0, 6.0], 2)
        [4.0, 3.0, 1.0, 3.0]
    """
    parts = (values[max(0, end - window) : end] for end in range(1, len(values) + 1))
    return [sum(part) / len(part) for part in parts]


def _draw_losses(axes: "Axes", rows: Sequence[Row]) -> None:
    names = sorted(name for name in rows[0]["values"] if name.startswith(_LOSS_PREFIX))
    at = [row["step"] for row in rows]
    _draw_curve(axes, at, [row["total"] for row in rows], "sum, weighted", "#222222")
    for number, name in enumerate(names):
        values = [row["values"][name] for row in rows]
        label = name.removeprefix(_LOSS_PREFIX)
        _draw_curve(axes, at, values, label, *_line(number))
    axes.set_yscale("log")
    axes.set_title("Losses")
    _name_lines(axes)


def _draw_curve(
    axes: "Axes",
    at: Sequence[int],
    values: Sequence[float],
    label: str,
    color: str,
    dashes: str = "-",
) -> None:
    window = max(1, len(values) // _POINTS)
    is_short = len(values) <= _MARKED_POINTS
    if is_short:  # a row of a short training is a mean over few clips
        window = math.ceil(len(values) / 4)
        axes.plot(at, values, color=color, marker=".", linestyle="")
    elif window > 1:
        axes.plot(at, values, color=color, alpha=0.15, linewidth=0.7)
    axes.plot(
        at, smoothed(values, window), color=color, label=label, linewidth=1.3, linestyle=dashes
    )


def _line(number: int) -> tuple[str, str]:
    """Return colour and dashes of a curve: after the last colour, the first comes with dashes."""
    return PALETTE[number % len(PALETTE)], ("-", "--", ":")[number // len(PALETTE) % 3]


def _draw_scores(axes: "Axes", rows: Sequence[Row]) -> None:
    in_pixels = any(is_in_pixels(name) for row in rows for name in row["scores"])
    axes.set_title("Validation, pixels" if in_pixels else "Validation, percent")
    if not rows:
        axes.text(0.5, 0.5, "not validated", transform=axes.transAxes, ha="center", color=FAINT)
        return
    names = dict.fromkeys(name for row in rows for name in row["scores"])
    for number, name in enumerate(names):
        points = [(row["step"], row["scores"][name]) for row in rows if name in row["scores"]]
        axes.plot(
            [step for step, _ in points],
            [value if in_pixels else 100 * value for _, value in points],
            color=PALETTE[number % len(PALETTE)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=4,
            label=name,
        )
    axes.set_ylim(0, None)
    _name_lines(axes)


def _draw_norms(axes: "Axes", rows: Sequence[Row]) -> None:
    at = [row["step"] for row in rows]
    _draw_curve(axes, at, [row["gradient_norm"] for row in rows], "all", "#222222")
    measured = [row for row in rows if row.get("loss_gradient_norms")]
    names = sorted(measured[0]["loss_gradient_norms"]) if measured else []
    for number, name in enumerate(names):
        colour, dashes = _line(number)
        axes.plot(
            [row["step"] for row in measured],
            [row["loss_gradient_norms"][name] for row in measured],
            color=colour,
            linestyle=dashes,
            label=name.removeprefix(_LOSS_PREFIX),
            linewidth=1.0,
        )
    axes.set_yscale("log")
    axes.set_title("Norm of the gradient, before clipping")
    _name_lines(axes)


def _name_lines(axes: "Axes") -> None:
    # Beside the axes: lines may go anywhere inside them.
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5))
