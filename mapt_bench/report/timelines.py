"""Timelines of tracks as charts: which identity each track has in each frame.

A track has a line of text above its bar, so that both are legible on phones.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import counted
from mapt_bench.labels import ID_LIMIT
from mapt_bench.pictures import Palette, TrackTable
from mapt_bench.report.svg import Chart, Drawing, Scale, Shape, chart_of, shape, text, width_of

__all__ = ["timeline_chart"]

_ROW, _BAR, _SIDE, _FOOT = 48, 18, 6, 26


def timeline_chart(
    table: TrackTable, rows: Sequence[int], names: Sequence[str], description: str
) -> Chart:
    """Return the timeline of some tracks of a prediction. Frames are numbered from 0.

    Args:
        table: All tracks, from which identities get their colours.
        rows: Tracks to show, in this order. At least one.
        names: Names of these tracks.
        description: Content in words.
    """
    palette = Palette(table)
    return chart_of(
        lambda width: _drawing(table, rows, names, palette, width),
        "Timeline of the tracks that cost most: frames from left to right. Numbers in bars are "
        "predicted identities.",
        description,
    )


def _drawing(
    table: TrackTable, rows: Sequence[int], names: Sequence[str], palette: Palette, width: int
) -> Drawing:
    frames = table.visible.shape[1]
    scale = Scale(0, frames, _SIDE, width - _SIDE)
    shapes: list[Shape] = []
    for line, (track, name) in enumerate(zip(rows, names, strict=True)):
        top = line * _ROW
        shapes.append(text(_SIDE, top + 13, f"{name}: {_summary(table, track)}"))
        shapes += _bars(table, track, palette, scale, top + 24)
    bottom = len(rows) * _ROW
    shapes.append(
        shape(
            "line",
            "zero",
            x1=scale(0),
            x2=scale(frames),
            y1=float(bottom),
            y2=float(bottom),
        )
    )
    for value in replace(scale, high=frames - 1, end=scale(frames - 1)).ticks():
        if value == int(value):
            anchor = "start" if value == 0 else "middle"
            shapes.append(text(scale(value), bottom + 15, f"{value:g}", anchor, "quiet"))
    shapes.append(text(scale(frames), bottom + 15, "frame", "end", "quiet"))
    return Drawing(width, bottom + _FOOT, tuple(shapes))


def _summary(table: TrackTable, track: int) -> str:
    identities = len(set(table.partner[track].tolist()) - {-1})
    if not identities:
        return "never matched"
    switches = int(table.switched[track].sum())
    noun = "identity" if identities == 1 else "identities"
    turns = f"{switches} {'switch' if switches == 1 else 'switches'}"
    return f"{identities} {noun}, {turns} in {counted(int(table.visible[track].sum()), 'frame')}"


def _bars(table: TrackTable, track: int, palette: Palette, scale: Scale, top: float) -> list[Shape]:
    """Return a bar for each run of frames with one identity, and a line where there is none."""
    shapes: list[Shape] = []
    partner, visible = table.partner[track], table.visible[track]
    states = np.where(partner >= 0, partner, np.where(visible, -1, -2))
    for first, end in _runs(states):
        x, across = scale(first), scale(end) - scale(first)
        code = int(states[first])
        if code == -1:
            shapes.append(_box("missed", x, top + _BAR / 2 - 1.5, across, 3))
        if code < 0:
            continue
        red, green, blue = palette.color(code)
        number = str(code & (ID_LIMIT - 1))
        shapes.append(
            _box(
                "bar", x, top, across, _BAR, f"identity {number}", fill=f"rgb({red} {green} {blue})"
            )
        )
        if width_of(number) + 6 <= across:
            is_light = np.dot((red, green, blue), (0.299, 0.587, 0.114)) > 110
            classes = "on-light" if is_light else "on-dark"
            shapes.append(text(x + 3, top + _BAR - 5, number, classes=classes))
    for frame in np.flatnonzero(table.switched[track]).tolist():
        x = scale(frame)
        mark = (
            f"M{x - 5:.1f} {top - 5}H{x + 5:.1f}L{x:.1f} {top + 3}ZM{x:.1f} {top}V{top + _BAR + 2}"
        )
        shapes.append(shape("path", "mark-switch", "identity switch", d=mark))
    return shapes


def _box(
    classes: str, x: float, y: float, width: float, height: float, title: str = "", **more: str
) -> Shape:
    return shape("rect", classes, title, x=x, y=float(y), width=width, height=float(height), **more)


def _runs(states: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return first and end of each run of frames with one state."""
    bounds = [0, *(np.flatnonzero(states[1:] != states[:-1]) + 1).tolist(), len(states)]
    return list(pairwise(bounds))
