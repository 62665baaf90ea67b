"""Drawing: panoptic maps in colours of identities, and text on pages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, background_code
from mapt_bench.pictures.track_colors import CROWD, INK, PAPER, Color

__all__ = ["Page", "SwitchMark", "hatched", "paint"]

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont


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


def _bounds(mask: NDArray[np.bool_], margin: int = 0) -> tuple[slice, slice]:
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
    """Draw a disc above a segment: the left half shows the colour before, the right half after."""
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
