"""Painting one panoptic map: identities in colour, the rest held back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, background_code
from mapt_bench.pictures.colors import CROWD, INK, PAPER, Color

__all__ = ["SwitchMark", "hatched", "paint"]

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
    """A segment whose identity changed.

    Attributes:
        code: Its code now.
        before: Colour of the identity that its object had.
        after: Colour of the one it has.
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
    """Paint a map, over its image where there is one.

    Things are tinted and thinly outlined, stuff is dimmed, void is hatched, crowd is grey, and
    marked segments get a strong double outline and a badge in the colours before and after.

    Args:
        codes: ``uint32`` of shape ``(height, width)``, at the size of the picture.
        labels: Label space.
        color: Gives the colour of a thing's code.
        image: ``uint8`` RGB of shape ``(height, width, 3)``; without one, stuff has the muted
            colours of the label space.
        zero_is_crowd: Whether things of identity 0 are crowd, as in ground truth.
        marks: Switched segments.

    Returns:
        ``uint8`` RGB of shape ``(height, width, 3)``.
    """
    classes = codes >> np.uint32(ID_BITS)
    is_thing = labels.is_thing_table[classes]
    canvas = _backdrop(classes, labels, image)
    is_void = (classes == labels.ignore_label) & (codes != background_code(labels.ignore_label))
    canvas[is_void] = 0.45 * canvas[is_void] + 0.55 * hatched(*codes.shape)[is_void]
    for code in np.unique(codes[is_thing]).tolist():
        rows, columns = _bounds(codes == code, margin=1)  # so that the contour closes
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
        # Small segments are nearly all contour, which must not wash out their colour.
        light = _CONTOUR_LIGHT * np.clip(2 - 2 * edge.sum() / inside.sum(), 0.4, 1)
        place[edge] = light * 255 + (1 - light) * tint
    for mark in marks:
        _outline(canvas, codes == mark.code)
    for mark in marks:
        _badge(canvas, codes == mark.code, mark)
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def hatched(height: int, width: int) -> Canvas:
    """Return the hatching of void, diagonal lines on grey, of shape ``(height, width, 3)``."""
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


def _bounds(mask: NDArray[np.bool_], margin: int = 0) -> tuple[slice, slice]:
    spans = []
    for axis, length in ((1, mask.shape[0]), (0, mask.shape[1])):
        filled = np.flatnonzero(mask.any(axis=axis))
        spans.append(slice(max(filled[0] - margin, 0), min(filled[-1] + 1 + margin, length)))
    return spans[0], spans[1]


def _inner_edge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of a mask with a neighbour outside; the border of the array is none."""
    around = np.pad(mask, 1, mode="edge")
    kept = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    edge: NDArray[np.bool_] = mask & ~kept
    return edge


def _outline(canvas: Canvas, mask: NDArray[np.bool_]) -> None:
    """Draw two pixels of white and one of black around a mask."""
    if not mask.any():
        return
    rows, columns = _bounds(mask, margin=_RING + 1)
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
    """Draw a disc above a segment: its left half the colour before, its right half after."""
    if not mask.any():
        return
    height, width = mask.shape
    rows, columns = _bounds(mask)
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
