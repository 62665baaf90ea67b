"""Writers of pictures and animations. The file suffix selects the format."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError, DataError, nearest
from mapt_bench.files import replace_when_complete

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["PictureFormat", "picture_format", "write_animation", "write_png"]

PictureFormat = Literal["png", "gif", "mp4"]

_FORMATS: dict[str, PictureFormat] = {".png": "png", ".gif": "gif", ".mp4": "mp4"}
_GIF_COLORS = 255


def picture_format(path: Path) -> PictureFormat:
    """Return the format of a file from its suffix.

    Raises:
        ConfigError: If the suffix is not ``.png``, ``.gif`` or ``.mp4``.

    Example:
        >>> picture_format(Path("tracks.GIF"))
        'gif'
    """
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        found = f"has the suffix {path.suffix!r}" if suffix else "has no suffix"
        raise ConfigError(
            f"{found}; expected a format of pictures; {nearest(suffix, _FORMATS)}", where=path
        )
    return _FORMATS[suffix]


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture. Equal pixels give equal bytes.

    Args:
        path: File.
        picture: ``uint8`` RGB of shape ``(height, width, 3)``.

    Raises:
        DataError: If the file cannot be written.
    """
    from PIL import Image

    with replace_when_complete(path) as beside:
        Image.fromarray(picture).save(beside, format="PNG", optimize=True)


def write_animation(path: Path, pictures: Iterable[NDArray[np.uint8]], rate: float) -> None:
    """Write pictures of one size as an animation.

    Args:
        path: File with suffix ``.gif`` or ``.mp4``.
        pictures: ``uint8`` RGB of shape ``(height, width, 3)``. At least one.
        rate: Pictures per second, above 0 and at most 50 (GIF has steps of 0.01 s).

    Raises:
        ConfigError: If the suffix is another.
        DataError: If the file cannot be written, or this machine cannot encode MP4.
    """
    chosen = picture_format(path)
    if chosen == "png":
        raise ConfigError("has the suffix of a single picture; expected .gif or .mp4", where=path)
    with replace_when_complete(path) as beside:
        (_write_gif if chosen == "gif" else _write_mp4)(path, beside, iter(pictures), rate)


def _write_gif(
    path: Path, beside: Path, pictures: Iterator[NDArray[np.uint8]], rate: float
) -> None:
    first = _reduced(next(pictures))
    first.save(
        beside,
        format="GIF",
        save_all=True,
        append_images=(_reduced(picture) for picture in pictures),
        duration=round(1000 / rate),
        loop=0,
        disposal=1,
    )


def _reduced(picture: NDArray[np.uint8]) -> "Image":
    """Reduce a picture to the best colours for a GIF."""
    from PIL import Image

    return Image.fromarray(picture).quantize(_GIF_COLORS, dither=Image.Dither.NONE)


def _write_mp4(
    path: Path, beside: Path, pictures: Iterator[NDArray[np.uint8]], rate: float
) -> None:
    import cv2

    first = _even(next(pictures))
    height, width = first.shape[:2]
    writer = cv2.VideoWriter(str(beside), cv2.VideoWriter.fourcc(*"mp4v"), rate, (width, height))
    try:
        if not writer.isOpened():
            raise DataError(
                f"OpenCV {cv2.__version__} has no encoder for MP4 (codec mp4v) on this machine; "
                "write a .gif, or install an OpenCV built with FFmpeg",
                where=path,
            )
        for picture in chain([first], map(_even, pictures)):
            writer.write(np.ascontiguousarray(picture[..., ::-1]))
    finally:
        writer.release()


def _even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Make height and width even for the codec, by repeating the last row or column."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
