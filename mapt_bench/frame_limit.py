"""Limit on the size of frames, and so on the memory that decoding one frame may take.

A file of a few kilobytes can claim a frame of gigabytes. So the stated size decides, before
anything is decoded. The limit is an environment variable, so that worker processes have it too.
"""

import os
import re
from functools import lru_cache

from mapt_bench.errors import ConfigError, DataError

__all__ = [
    "MAX_FOLDERS",
    "MAX_FRAMES",
    "check_folder_count",
    "check_frame",
    "check_frame_count",
    "frame_limit",
    "max_pixels",
    "set_frame_limit",
    "working_memory",
]

MAX_FRAMES = 10**6
"""Most frames of a sequence: frame names have six digits."""

MAX_FOLDERS = 10**5
"""Most folders of a data set. A whole disk has more."""

_VARIABLE = "MAPT_BENCH_MAX_FRAME"
_DEFAULT = "8192x8192"
_BYTES_PER_PIXEL = 32  # 2 GiB for the default


@lru_cache(maxsize=1)
def frame_limit() -> str:
    """Return the limit as ``HxW``: frames may have as many pixels.

    The environment is read once. Every small frame would notice more.
    """
    return os.environ.get(_VARIABLE) or _DEFAULT


def set_frame_limit(size: str) -> None:
    """Set the limit for this process and the processes it starts.

    Args:
        size: ``HxW`` in pixels, for example ``"16384x16384"``. Working memory grows with it.

    Raises:
        ConfigError: If it has another form.
    """
    _pixels(size)
    os.environ[_VARIABLE] = size
    frame_limit.cache_clear()


def max_pixels() -> int:
    """Return the most pixels of a frame.

    Raises:
        ConfigError: If the environment variable has another form.
    """
    return _pixels(frame_limit())


def working_memory() -> int:
    """Return the most bytes that decoding a frame may take: 2 GiB by default."""
    return _BYTES_PER_PIXEL * max_pixels()


@lru_cache(maxsize=4)
def _pixels(size: str) -> int:
    found = re.fullmatch("([1-9][0-9]{0,8})x([1-9][0-9]{0,8})", size)
    if found is None:
        raise ConfigError(
            f"--max-frame (or {_VARIABLE}) is {size!r}; expected height and width in pixels, as in "
            "--max-frame 16384x16384"
        )
    return int(found[1]) * int(found[2])


def check_frame(
    height: int, width: int, where: object, *, bytes_per_pixel: int = 0, what: str = "its frame"
) -> None:
    """Check the stated size of a frame before it is decoded.

    Args:
        height: Height in pixels.
        width: Width in pixels.
        where: File or line, for the message.
        bytes_per_pixel: Memory that decoding takes, per pixel.
        what: What has the size, for the message.

    Raises:
        DataError: If the frame or the memory is above the limit, or a side is below 1.
    """
    if height < 1 or width < 1:
        raise DataError(
            f"{what} is {width}x{height} pixels; expected 1 or more; write the file again",
            where=where,
        )
    most = max_pixels()
    if height * width > most:
        raise DataError(
            f"{what} is {width}x{height} pixels; expected at most as many as {frame_limit()}; "
            "nothing was decoded; check the file, or raise the limit with "
            f"mapt-bench --max-frame {height}x{width}",
            where=where,
        )
    if height * width * bytes_per_pixel > _BYTES_PER_PIXEL * most:
        raise DataError(
            f"decoding {what} would take about {height * width * bytes_per_pixel / 1e9:.1f} GB; "
            f"expected at most {_BYTES_PER_PIXEL * most / 1e9:.1f} GB; nothing was decoded; check "
            "the file, or raise the limit with mapt-bench --max-frame HxW",
            where=where,
        )


def check_frame_count(count: int, where: object, *, what: str = "its sequence") -> None:
    """Check a stated number of frames before their names are listed.

    Args:
        count: Number of frames.
        where: File or option, for the message.
        what: What has the number, for the message.

    Raises:
        DataError: If it is below 1 or above :data:`MAX_FRAMES`.
    """
    if not 1 <= count <= MAX_FRAMES:
        raise DataError(
            f"{what} has {count:.7g} frames; expected 1 to {MAX_FRAMES}; correct the number",
            where=where,
        )


def check_folder_count(count: int, where: object) -> None:
    """Check the number of folders found so far in a data set.

    Raises:
        DataError: If it is above :data:`MAX_FOLDERS`.
    """
    if count > MAX_FOLDERS:
        raise DataError(
            f"has more than {MAX_FOLDERS} folders; expected one data set; name its folder",
            where=where,
        )
