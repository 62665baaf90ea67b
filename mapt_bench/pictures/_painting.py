"""Drawing: panoptic maps in colours of identities, text on pages, and timelines of tracks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError, counted, whole_number
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, background_code
from mapt_bench.metrics.track_table import TrackTable
from mapt_bench.pictures.track_colors import (
    CROWD,
    INK,
    MISSED,
    PAPER,
    Color,
    identity_color,
)

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

__all__ = [
    "Page",
    "Section",
    "SwitchMark",
    "bounds",
    "draw_timeline",
    "hatched",
    "paint",
]

_MOST_PIXELS = 100_000_000


@lru_cache
def _font(size: int) -> "FreeTypeFont | ImageFont":
    from PIL import ImageFont

    return ImageFont.load_default(size)


class Page:
    """A white page to draw on. Positions are pixels (x, y) from the upper left corner.

    Args:
        width: Width in pixels.
        height: Height in pixels.

    Raises:
        ConfigError: If the page would have more than 100 million pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        from PIL import Image, ImageDraw

        if width * height > _MOST_PIXELS:
            raise ConfigError(
                f"the picture would have {width}x{height} pixels, more than the limit of "
                f"{_MOST_PIXELS:,}; show fewer frames (--frames, --max-frames) or a smaller "
                "--scale, or write an animation (.gif, .mp4)"
            )
        self._image = Image.new("RGB", (width, height), PAPER)
        self._pen = ImageDraw.Draw(self._image)

    @staticmethod
    def text_width(text: str, size: int = 13) -> int:
        """Return the width of a text in pixels."""
        return int(np.ceil(_font(size).getlength(text)))

    def text(self, x: float, y: float, text: str, *, size: int = 13, color: Color = INK) -> None:
        """Write a text. Its left end is at ``x``, its vertical middle at ``y``."""
        self._pen.text((x, y), text, fill=color, font=_font(size), anchor="lm")

    def box(self, x: int, y: int, width: int, height: int, color: Color) -> None:
        """Fill a rectangle."""
        self._pen.rectangle((x, y, x + width - 1, y + height - 1), fill=color)

    def switch_tick(self, x: int, y: int, height: int) -> None:
        """Draw a vertical line at ``x`` with a small arrowhead on top."""
        self.box(x - 1, y, 2, height, INK)
        self._pen.polygon([(x - 5, y - 4), (x + 4, y - 4), (x - 0.5, y + 3)], fill=INK)

    def paste(self, x: int, y: int, picture: NDArray[np.uint8]) -> None:
        """Copy an RGB picture to the page."""
        from PIL import Image

        self._image.paste(Image.fromarray(picture), (x, y))

    def pixels(self) -> NDArray[np.uint8]:
        """Return the page as ``uint8`` RGB of shape ``(height, width, 3)``."""
        return np.array(self._image, dtype=np.uint8)


_TINT = 0.68
_CROWD_TINT = 0.75
_CONTOUR_LIGHT = 0.8
_STUFF_GREY = (92, 94, 100)
_HATCH_PERIOD = 8
_RING = 3
_BADGE_RADIUS = 7.0

Canvas = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SwitchMark:
    """Mark of an identity switch.

    Attributes:
        code: Present code of the segment.
        before: Colour of the previous identity of the object.
        after: Colour of the present identity.
    """

    code: int
    before: Color
    after: Color


def paint(
    codes: NDArray[np.uint32],
    labels: LabelSpace,
    color: Callable[[int], Color],
    *,
    image: NDArray[np.uint8] | None = None,
    zero_is_crowd: bool = False,
    marks: Sequence[SwitchMark] = (),
) -> NDArray[np.uint8]:
    """Paint a map, on its image if there is one.

    Things are tinted with a thin outline, stuff is dimmed, void is hatched, and crowd is grey.
    Marked segments get a strong double outline and a badge with the colours before and after.

    Args:
        codes: ``uint32`` of shape ``(height, width)``, at the size of the picture.
        labels: Label space.
        color: Returns the colour of a thing's code.
        image: ``uint8`` RGB of shape ``(height, width, 3)``. Without an image, stuff has the muted
            colours of the label space.
        zero_is_crowd: Whether things with identity 0 are crowd, as in ground truth.
        marks: Identity switches.

    Returns:
        ``uint8`` RGB of shape ``(height, width, 3)``.
    """
    classes = codes >> np.uint32(ID_BITS)
    is_thing = labels.is_thing_table[classes]
    canvas = _backdrop(classes, labels, image)
    is_void = (classes == labels.ignore_label) & (codes != background_code(labels.ignore_label))
    canvas[is_void] = 0.45 * canvas[is_void] + 0.55 * hatched(*codes.shape)[is_void]
    for code in np.unique(codes[is_thing]).tolist():
        rows, columns = bounds(codes == code, margin=1)  # so that the contour closes
        place = canvas[rows, columns]
        inside = codes[rows, columns] == code
        is_crowd = zero_is_crowd and not code & (ID_LIMIT - 1)
        tint = np.array(CROWD if is_crowd else color(code), dtype=np.float32)
        share = _CROWD_TINT if is_crowd else _TINT
        if image is None:
            place[inside] = tint
        else:
            place[inside] = (1 - share) * image[rows, columns][inside] + share * tint
        edge = _inner_edge(inside)
        # Small segments are nearly all contour: a light contour would hide their colour.
        light = _CONTOUR_LIGHT * np.clip(2 - 2 * edge.sum() / inside.sum(), 0.4, 1)
        place[edge] = light * 255 + (1 - light) * tint
    for mark in marks:
        _outline(canvas, codes == mark.code)
    for mark in marks:
        _badge(canvas, codes == mark.code, mark)
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def hatched(height: int, width: int) -> Canvas:
    """Return the pattern of void: diagonal lines on grey, shape ``(height, width, 3)``."""
    phase = np.add.outer(np.arange(height), np.arange(width)) % _HATCH_PERIOD
    line = np.clip(2 - np.abs(phase - _HATCH_PERIOD / 2), 0, 1)
    grey = 62 + 98 * line
    return np.repeat(grey[..., None], 3, axis=2).astype(np.float32)


def _backdrop(
    classes: NDArray[np.uint32], labels: LabelSpace, image: NDArray[np.uint8] | None
) -> Canvas:
    if image is None:
        colors = labels.palette[classes].astype(np.float32)
        grey = colors.mean(axis=2, keepdims=True)
        muted: Canvas = 0.35 * (0.5 * colors + 0.5 * grey) + 0.65 * np.array(
            _STUFF_GREY, dtype=np.float32
        )
        return muted
    plain = image.astype(np.float32)
    grey = plain.mean(axis=2, keepdims=True)
    dimmed: Canvas = 0.8 * (0.6 * plain + 0.4 * grey) + 24
    return dimmed


def bounds(mask: NDArray[np.bool_], margin: int = 0) -> tuple[slice, slice]:
    """Return the rows and columns of a mask with pixels, and of a margin inside the picture."""
    spans = []
    for axis, length in ((1, mask.shape[0]), (0, mask.shape[1])):
        filled = np.flatnonzero(mask.any(axis=axis))
        spans.append(slice(max(filled[0] - margin, 0), min(filled[-1] + 1 + margin, length)))
    return spans[0], spans[1]


def _inner_edge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of a mask with a neighbour outside. The array border does not count."""
    around = np.pad(mask, 1, mode="edge")
    kept = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    edge: NDArray[np.bool_] = mask & ~kept
    return edge


def _outline(canvas: Canvas, mask: NDArray[np.bool_]) -> None:
    """Draw two pixels of white and one of black around a mask."""
    if not mask.any():
        return
    rows, columns = bounds(mask, margin=_RING + 1)
    inside = mask[rows, columns]
    grown = inside
    for step in range(_RING):
        wider = _grown(grown, round_corners=step % 2 == 0)
        canvas[rows, columns][wider & ~grown] = PAPER if step < _RING - 1 else INK
        grown = wider


def _grown(mask: NDArray[np.bool_], *, round_corners: bool) -> NDArray[np.bool_]:
    around = np.pad(mask, 1)
    wider = mask | around[:-2, 1:-1] | around[2:, 1:-1] | around[1:-1, :-2] | around[1:-1, 2:]
    if not round_corners:
        wider |= around[:-2, :-2] | around[:-2, 2:] | around[2:, :-2] | around[2:, 2:]
    return wider


def _badge(canvas: Canvas, mask: NDArray[np.bool_], mark: SwitchMark) -> None:
    """Draw a disc above a segment: the left half shows the colour before, the right half after."""
    if not mask.any():
        return
    height, width = mask.shape
    rows, columns = bounds(mask)
    radius = min(_BADGE_RADIUS, min(height, width) / 24)
    reach = radius + 3
    x = float(np.clip((columns.start + columns.stop - 1) / 2, reach, max(width - 1 - reach, reach)))
    y = float(np.clip(rows.start - reach - 1, reach, max(height - 1 - reach, reach)))
    down, across = np.ogrid[:height, :width]
    distance = np.hypot(down - y, across - x)
    halves = np.where((across < x)[..., None], np.array(mark.before), np.array(mark.after))
    halves = np.broadcast_to(halves, canvas.shape)
    for limit, fill in ((radius + 2.5, INK), (radius + 1.5, PAPER), (radius, halves)):
        cover = np.clip(limit - distance + 0.5, 0, 1)[..., None]
        canvas += cover * (np.asarray(fill, dtype=np.float32) - canvas)


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
    number = whole_number(frame_name)
    return frame_name if number is None else str(number)


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
