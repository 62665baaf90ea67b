"""Camera images: sizes from headers, pixels as RGB."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.frame_files import check_size
from mapt_bench.data.png import MAX_PIXELS, load_png, png_header
from mapt_bench.data.png_decoding import decode_png
from mapt_bench.errors import DataError

__all__ = ["IMAGE_SUFFIXES", "check_image", "image_size", "read_image"]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")


def image_size(path: Path) -> tuple[int, int]:
    """Return height and width of a PNG or JPEG from its header.

    Raises:
        DataError: If the header is unreadable or claims too many pixels.
    """
    if path.suffix.lower() == ".png":
        return png_header(path).size
    from PIL import Image

    try:
        with Image.open(path, formats=["JPEG"]) as image:
            width, height = image.size
    except (OSError, ValueError, Image.DecompressionBombError) as problem:
        raise _unreadable(path, problem) from problem
    if width * height > MAX_PIXELS:
        raise DataError(
            f"the header claims {width}x{height} pixels, more than the {MAX_PIXELS} that are "
            "accepted; it was not decoded; check the file",
            where=path,
        )
    return height, width


def read_image(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode a PNG or JPEG.

    Args:
        path: The file.
        size: Height and width that it must have; checked before decoding.

    Returns:
        RGB, ``uint8`` of shape ``(height, width, 3)``.

    Raises:
        DataError: If the file is unreadable or of another size.
    """
    check_size(path, image_size(path), size)
    return _decode(path)


def check_image(path: Path, size: tuple[int, int]) -> None:
    """Refuse an image that cannot be read; a PNG's pixels are trusted if its checksums hold.

    Args:
        path: The file.
        size: Height and width that it must have.

    Raises:
        DataError: As :func:`read_image`.
    """
    if path.suffix.lower() == ".png":
        check_size(path, load_png(path).header.size, size)
    else:
        read_image(path, size)


def _decode(path: Path) -> NDArray[np.uint8]:
    if path.suffix.lower() == ".png":
        file = load_png(path)
        if file.header.color_type == 2 and file.header.bit_depth == 8:
            return decode_png(file)
    from PIL import Image

    try:
        with Image.open(path, formats=["PNG", "JPEG"]) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as problem:
        raise _unreadable(path, problem) from problem


def _unreadable(path: Path, reason: object) -> DataError:
    return DataError(
        f"cannot be decoded as an image ({reason}); write or copy the file again", where=path
    )
