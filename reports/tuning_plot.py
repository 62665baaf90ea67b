"""The plot of a tuning run: the best value so far against the number of trials."""

import math
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

from mapt_bench.reports.plot_style import FAINT, INK, STYLE, save_figure

__all__ = ["plot_tuning"]

_COLUMNS = 4


def plot_tuning(result: Mapping[str, Any], path: Path) -> None:
    """Plot each tracker's trials, the best of them so far, and its held-out value.

    Args:
        result: A result of schema ``mapt-bench/tuning/1``.
        path: Output file, ``.png`` or ``.svg``.

    Raises:
        ConfigError: If the suffix is another.
        DataError: If the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    trackers = result["trackers"]
    held_out = {
        each["tracker"]: math.nan if each["held_out"] is None else 100 * each["held_out"]
        for each in (result["held_out"] or {"trackers": []})["trackers"]
    }
    columns = min(_COLUMNS, len(trackers))
    rows = -(-len(trackers) // columns)
    with rc_context(STYLE):
        figure = Figure(figsize=(3 * columns + 1, 2.3 * rows + 1), dpi=150, layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for axes, tracker in zip(grid.flat, trackers, strict=False):
            values = [100 * trial["value"] for trial in tracker["trials"]]
            numbers = range(1, len(values) + 1)
            axes.plot(numbers, values, "o", color=FAINT, markersize=2.5, label="trial")
            best = list(accumulate(values, max))
            axes.step(numbers, best, where="post", color="#0072B2", label="best so far")
            if tracker["tracker"] in held_out:
                level = held_out[tracker["tracker"]]
                axes.axhline(level, color="#D55E00", linestyle="--", label="held out")
            axes.set_title(tracker["tracker"], fontsize=9, color=INK)
            axes.xaxis.get_major_locator().set_params(integer=True)
        for axes in grid.flat[len(trackers) :]:
            axes.set_visible(False)
        figure.supxlabel("trials", fontsize=9)
        figure.supylabel(f"{result['score']} (%)", fontsize=9)
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=3, fontsize=8)
        save_figure(figure, path)
