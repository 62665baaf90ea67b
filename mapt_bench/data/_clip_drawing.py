"""Brushes of the embedded clip: every shape is laid into the picture and the labels at once.

Only integer geometry and a hash of coordinates are used, so that a seed gives the same labels on
every machine.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["SCALE", "Canvas", "Color", "hash_noise", "shade"]

Color = tuple[int, int, int]

SCALE = 2
"""Canvases are drawn this much larger than frames and then reduced, which smooths edges."""

_PRIMES = (374761393, 668265263, 2246822519)


def hash_noise(height: int, width: int, seed: int) -> NDArray[np.int16]:
    """Return noise that a seed alone decides.

    Returns:
        ``int16`` of shape ``(height, width)``, even in -128..127.
    """
    rows = np.arange(height, dtype=np.uint32)[:, None]
    columns = np.arange(width, dtype=np.uint32)[None, :]
    return _hashed(rows, columns, seed)


def _hashed(rows: NDArray[np.uint32], columns: NDArray[np.uint32], seed: int) -> NDArray[np.int16]:
    mixed = rows * np.uint32(_PRIMES[0]) + columns * np.uint32(_PRIMES[1])
    mixed ^= np.uint32((seed * _PRIMES[2] + 97) % 2**32)
    for shift in (15, 13):
        mixed = (mixed ^ (mixed >> np.uint32(shift))) * np.uint32(_PRIMES[2])
    return (mixed >> np.uint32(24)).astype(np.int16) - np.int16(128)


def shade(color: Color, percent: int) -> Color:
    """Return a colour darker (below 100) or lighter (above 100).

    Example:
        >>> shade((100, 200, 50), 150)
        (150, 255, 75)
    """
    red, green, blue = (min(255, part * percent // 100) for part in color)
    return red, green, blue


class Canvas:
    """A picture and its labels, drawn together.

    Args:
        height: Of the frame, in pixels.
        width: Of the frame, in pixels.

    Attributes:
        image: ``uint8`` RGB of shape ``(SCALE * height, SCALE * width, 3)``.
        codes: ``int32`` of shape ``(SCALE * height, SCALE * width)``: ``class << 16 | id``.
    """

    def __init__(self, height: int, width: int) -> None:
        self.image: NDArray[np.uint8] = np.zeros((SCALE * height, SCALE * width, 3), dtype=np.uint8)
        self.codes: NDArray[np.int32] = np.zeros(self.image.shape[:2], dtype=np.int32)

    def window(self, left: int, width: int) -> "Canvas":
        """Return a copy of ``width`` frame pixels, starting at canvas column ``left``."""
        part = Canvas.__new__(Canvas)
        part.image = self.image[:, left : left + SCALE * width].copy()
        part.codes = self.codes[:, left : left + SCALE * width].copy()
        return part

    def polygon(
        self, points: Sequence[tuple[float, float]], color: Color, code: int | None
    ) -> None:
        """Fill a polygon.

        Args:
            points: Corners ``(x, y)`` in canvas pixels, rounded to whole ones.
            color: RGB.
            code: Label; ``None`` paints the picture alone.
        """
        import cv2

        corners = np.array([[round(x), round(y)] for x, y in points], dtype=np.int32)
        cv2.fillPoly(self.image, [corners], color)
        if code is not None:
            cv2.fillPoly(self.codes, [corners], code)

    def box(
        self, left: float, top: float, right: float, bottom: float, color: Color, code: int | None
    ) -> None:
        """Fill an upright rectangle, its right and bottom edges included."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], color, code)

    def disc(self, x: float, y: float, radius: float, color: Color, code: int | None) -> None:
        """Fill a disc."""
        import cv2

        center = (round(x), round(y))
        cv2.circle(self.image, center, round(radius), color, -1)
        if code is not None:
            cv2.circle(self.codes, center, round(radius), code, -1)

    def grain(
        self,
        code: int,
        strength: int,
        seed: int,
        *,
        block: int = 1,
        origin: tuple[int, int] = (0, 0),
    ) -> None:
        """Roughen the picture where a label lies, right of and below ``origin``.

        Args:
            code: Label to roughen.
            strength: Largest change of brightness.
            seed: Of the noise.
            block: Side of the noise's squares in canvas pixels.
            origin: Canvas ``(x, y)`` where the noise starts, so that it can move with an object.
        """
        flat = np.flatnonzero(self.codes == code)
        if not len(flat):
            return
        rows, columns = np.divmod(flat, self.codes.shape[1])
        down = ((rows - origin[1]) // block).astype(np.uint32)
        across = ((columns - origin[0]) // block).astype(np.uint32)
        change = _hashed(down, across, seed).astype(np.int32) * strength // 128
        rough = self.image[rows, columns].astype(np.int32) + change[:, None]
        self.image[rows, columns] = np.clip(rough, 0, 255).astype(np.uint8)

    def reduce(self) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        """Return the frame: mean colours ``(height, width, 3)`` and labels ``(height, width)``."""
        height, width = (side // SCALE for side in self.codes.shape)
        total = np.zeros((height, width, 3), dtype=np.uint16)
        for down in range(SCALE):
            for across in range(SCALE):
                total += self.image[down::SCALE, across::SCALE]
        mean = (total + SCALE * SCALE // 2) // (SCALE * SCALE)
        return mean.astype(np.uint8), self.codes[::SCALE, ::SCALE].copy()
