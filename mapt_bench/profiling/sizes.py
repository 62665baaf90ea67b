"""Input sizes as people write them: ``384x1280``, or a whole shape, ``1x3x384x1280``."""

import re
from dataclasses import dataclass

from mapt_bench.errors import ConfigError

__all__ = ["InputSize"]

_LARGEST = 2**16


@dataclass(frozen=True)
class InputSize:
    """An image size, with batch and channels where the whole shape was given.

    Attributes:
        height: In pixels.
        width: In pixels.
        lead: ``(batch, channels)`` of a user's module.
    """

    height: int
    width: int
    lead: tuple[int, int] | None = None

    @classmethod
    def parse(cls, text: str) -> "InputSize":
        """Read ``HxW`` or ``NxCxHxW``.

        Raises:
            ConfigError: If the text is neither, or a number is 0 or beyond 65536.

        Example:
            >>> InputSize.parse("384x1280")
            InputSize(height=384, width=1280, lead=None)
            >>> InputSize.parse("1x3x384x1280").shape
            (1, 3, 384, 1280)
        """
        if not re.fullmatch(r"[0-9]+(x[0-9]+)(x[0-9]+x[0-9]+)?", text):
            raise ConfigError(
                f"{text!r} is no image size; expected HEIGHTxWIDTH, as 384x1280, or the shape of "
                "the input of your own module, as 1x3x384x1280",
                where="--input",
            )
        numbers = [int(word) for word in text.split("x")]
        if not all(1 <= number <= _LARGEST for number in numbers):
            raise ConfigError(
                f"{text!r} is no image size: each number must lie between 1 and {_LARGEST}",
                where="--input",
            )
        *lead, height, width = numbers
        return cls(height, width, (lead[0], lead[1]) if lead else None)

    def __str__(self) -> str:
        return "x".join(str(number) for number in (*(self.lead or ()), self.height, self.width))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(batch, channels, height, width)``; one image of three channels if not given."""
        batch, channels = self.lead or (1, 3)
        return batch, channels, self.height, self.width

    @property
    def pixels(self) -> int:
        """Height times width."""
        return self.height * self.width

    def resized(self, height: int, width: int) -> "InputSize":
        """Return another size with the same batch and channels."""
        return InputSize(height, width, self.lead)
