"""Timeline of tracks: one row per ground-truth track, with its predicted identities as colours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import counted
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace
from mapt_bench.pictures.painting import Page
from mapt_bench.pictures.track_colors import INK, MISSED, PAPER, Color, TrackTable, identity_color

__all__ = ["Section", "draw_timeline"]

_MARGIN = 14
_ROW, _BAR = 24, 15
_HEADING, _AXIS, _LEGEND = 34, 26, 34
_QUIET: Color = (104, 104, 112)
_STRIPE: Color = (246, 246, 248)
_CELLS_ACROSS = 1100
_CELL_LIMITS = (2, 32)
_LABEL_EVERY_PX = 46
_OWN_WORDS = ("visible, in the colour of the identity",)
_LEGEND_WORDS = (
    "matched, in the colour of the predicted identity",
    "visible, not matched",
    "identity switch",
)


@dataclass(frozen=True, eq=False, slots=True)
class Section:
    """Section of a timeline for one prediction.

    Attributes:
        title: Title of the section.
        table: Tracks and their matches.
        color: Returns the colour of a predicted code.
        summarized: Whether numbers of identities and switches are shown at the right. False if
            the ground truth itself is shown.
    """

    title: str
    table: TrackTable
    color: Callable[[int], Color]
    summarized: bool = True


def draw_timeline(
    sections: Sequence[Section], labels: LabelSpace, frame_names: Sequence[str]
) -> NDArray[np.uint8]:
    """Draw sections above a common frame axis.

    Args:
        sections: At least one.
        labels: Label space, for names of classes.
        frame_names: One name for each column of the tables.

    Returns:
        ``uint8`` RGB of shape ``(height, width, 3)``. A solid bar is a match, in the colour of the
        predicted identity. A thin grey line is a visible track without a match. A gap is a track
        that is not visible. A tick is an identity switch.
    """
    count = len(frame_names)
    cell = int(np.clip(_CELLS_ACROSS // count, *_CELL_LIMITS))
    names = [_name(int(code), labels) for section in sections for code in section.table.codes]
    left = _MARGIN + 26 + max([Page.text_width(name) for name in names], default=60)
    notes = [note for section in sections for note in _notes(section)]
    right = 20 + max([Page.text_width(note) for note in notes], default=0)
    heights = [_HEADING + _ROW * max(len(section.table.codes), 1) for section in sections]
    words = _LEGEND_WORDS if any(section.summarized for section in sections) else _OWN_WORDS
    legend_width = _MARGIN + sum(_legend_width(word) for word in words)
    sheet = Page(
        max(left + cell * count + right, legend_width, 320), sum(heights) + _AXIS + _LEGEND
    )
    top = 0
    for section, height in zip(sections, heights, strict=True):
        _draw_section(sheet, section, labels, (left, top), cell)
        top += height
    _draw_axis(sheet, frame_names, (left, top), cell)
    _draw_legend(sheet, top + _AXIS + _LEGEND // 2, words)
    return sheet.pixels()


def _name(code: int, labels: LabelSpace) -> str:
    return f"{labels.by_id(code >> ID_BITS).name} {code & (ID_LIMIT - 1)}"


def _notes(section: Section) -> list[str]:
    """Return the number of identities and switches of each track, as text."""
    if not section.summarized:
        return ["" for _ in section.table.codes]
    switches = section.table.switched.sum(axis=1).tolist()
    identities = [len(set(row.tolist()) - {-1}) for row in section.table.partner]
    return [
        "never matched" if not own else f"{counted(own, 'id')}{_switches_too(turns)}"
        for own, turns in zip(identities, switches, strict=True)
    ]


def _switches_too(number: int) -> str:
    if not number:
        return ""
    return f", {number} switch" if number == 1 else f", {number} switches"


def _draw_section(
    sheet: Page, section: Section, labels: LabelSpace, corner: tuple[int, int], cell: int
) -> None:
    left, top = corner
    table = section.table
    sheet.text(_MARGIN, top + _HEADING / 2 + 3, section.title, size=15)
    if not len(table.codes):
        sheet.text(_MARGIN, top + _HEADING + _ROW / 2, "no tracks in these frames", color=_QUIET)
    width = cell * table.visible.shape[1]
    for row, (code, note) in enumerate(zip(table.codes.tolist(), _notes(section), strict=True)):
        y = top + _HEADING + row * _ROW
        if row % 2 == 0:
            sheet.box(left, y, width, _ROW, _STRIPE)
        sheet.box(_MARGIN, y + 7, 10, 10, identity_color(code))
        sheet.text(_MARGIN + 17, y + _ROW / 2, _name(code, labels))
        _draw_track(sheet, section, row, (left, y), cell)
        sheet.text(left + width + 10, y + _ROW / 2, note, color=_QUIET)


def _draw_track(
    sheet: Page, section: Section, row: int, corner: tuple[int, int], cell: int
) -> None:
    left, y = corner
    partner = section.table.partner[row]
    switched = section.table.switched[row]
    lost = section.table.visible[row] & (partner < 0)
    for frame in np.flatnonzero(lost).tolist():
        sheet.box(left + frame * cell, y + _ROW // 2 - 1, cell, 3, MISSED)
    for first, end in _runs(partner):
        code = int(partner[first])
        fill = section.color(code)
        sheet.box(left + first * cell, y + (_ROW - _BAR) // 2, (end - first) * cell, _BAR, fill)
        number = str(code & (ID_LIMIT - 1))
        if Page.text_width(number, 11) + 8 <= (end - first) * cell:
            ink = INK if np.dot(fill, (0.299, 0.587, 0.114)) > 110 else PAPER
            sheet.text(left + first * cell + 5, y + _ROW / 2, number, size=11, color=ink)
    for frame in np.flatnonzero(switched).tolist():
        sheet.switch_tick(left + frame * cell, y + 3, _ROW - 5)


def _runs(partner: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return first and end of every run of frames with the same match."""
    bounds = [0, *(np.flatnonzero(partner[1:] != partner[:-1]) + 1).tolist(), len(partner)]
    return [(first, end) for first, end in pairwise(bounds) if partner[first] >= 0]


def _draw_axis(sheet: Page, frame_names: Sequence[str], corner: tuple[int, int], cell: int) -> None:
    left, top = corner
    sheet.box(left, top + 2, cell * len(frame_names), 1, _QUIET)
    widest = max(Page.text_width(_short(name), 11) for name in frame_names) + 12
    step = _round_step(max(_LABEL_EVERY_PX, widest) / cell)
    for frame in range(0, len(frame_names), step):
        sheet.box(left + frame * cell, top + 2, 1, 5, _QUIET)
        sheet.text(left + frame * cell, top + 15, _short(frame_names[frame]), size=11, color=_QUIET)


def _short(frame_name: str) -> str:
    return str(int(frame_name)) if frame_name.isdecimal() else frame_name


def _round_step(least: float) -> int:
    steps: list[int] = [factor * int(10**power) for power in range(7) for factor in (1, 2, 5)]
    return next(step for step in steps if step >= least)


def _legend_width(word: str) -> int:
    return 46 + Page.text_width(word, 12)


def _draw_legend(sheet: Page, y: int, words: Sequence[str]) -> None:
    x = _MARGIN
    for sign, word in enumerate(words):
        if sign == 0:
            sheet.box(x, y - 6, 22, 12, identity_color(1))
        elif sign == 1:
            sheet.box(x, y - 1, 22, 3, MISSED)
        else:
            sheet.switch_tick(x + 12, y - 6, 15)
        sheet.text(x + 28, y, word, size=12, color=_QUIET)
        x += _legend_width(word)
