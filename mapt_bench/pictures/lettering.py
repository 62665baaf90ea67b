"""Words and signs on pictures, drawn by Pillow with the font that it carries."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError
from mapt_bench.pictures.colors import INK, PAPER, Color

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

__all__ = ["Sheet"]

_MOST_PIXELS = 100_000_000


@lru_cache
def _font(size: int) -> "FreeTypeFont | ImageFont":
    from PIL import ImageFont

    return ImageFont.load_default(size)


class Sheet:
    """A white page to draw on; positions are pixels (x, y) from the upper left corner.

    Args:
        width: Pixels.
        height: Pixels.

    Raises:
        ConfigError: If the page would have more than 100 million pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        from PIL import Image, ImageDraw

        if width * height > _MOST_PIXELS:
            raise ConfigError(
                f"the picture would have {width}x{height} pixels, more than the limit of "
                f"{_MOST_PIXELS:,}; show fewer frames (--frames, --max-frames) or a smaller "
                "--scale, or write a film"
            )
        self._image = Image.new("RGB", (width, height), PAPER)
        self._pen = ImageDraw.Draw(self._image)

    @staticmethod
    def text_width(text: str, size: int = 13) -> int:
        """Return how wide a text is, in pixels."""
        return int(np.ceil(_font(size).getlength(text)))

    def text(self, x: float, y: float, text: str, *, size: int = 13, color: Color = INK) -> None:
        """Write a text whose left end is at ``x`` and whose middle is at ``y``."""
        self._pen.text((x, y), text, fill=color, font=_font(size), anchor="lm")

    def box(self, x: int, y: int, width: int, height: int, color: Color) -> None:
        """Fill a rectangle."""
        self._pen.rectangle((x, y, x + width - 1, y + height - 1), fill=color)

    def switch_tick(self, x: int, y: int, height: int) -> None:
        """Draw a vertical line at ``x`` with a small arrowhead on top."""
        self.box(x - 1, y, 2, height, INK)
        self._pen.polygon([(x - 5, y - 4), (x + 4, y - 4), (x - 0.5, y + 3)], fill=INK)

    def paste(self, x: int, y: int, picture: NDArray[np.uint8]) -> None:
        """Lay an RGB picture on the page."""
        from PIL import Image

        self._image.paste(Image.fromarray(picture), (x, y))

    def pixels(self) -> NDArray[np.uint8]:
        """Return the page as ``uint8`` RGB of shape ``(height, width, 3)``."""
        return np.array(self._image, dtype=np.uint8)
