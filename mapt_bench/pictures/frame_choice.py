"""Which frames of a video are shown."""

import re

import numpy as np

from mapt_bench.errors import ConfigError, counted

__all__ = ["choose_frames"]

_FORM = "positions from 0, as in 0:8, 0:40:5 (each fifth) or 3,4,9"


def choose_frames(text: str | None, frame_count: int, at_most: int | None) -> list[int]:
    """Return the positions of the frames to show.

    Args:
        text: Positions from 0: a range ``first:end`` or ``first:end:step`` without its end, or a
            list with commas; ``None`` for all.
        frame_count: Frames of the video.
        at_most: Where there are more, this many are taken, evenly spread; ``None`` for no limit.

    Raises:
        ConfigError: If the text is neither, or a position is beyond the video.

    Example:
        >>> choose_frames("2:8:2", 20, None), choose_frames(None, 20, 3)
        ([2, 4, 6], [0, 10, 19])
    """
    chosen = list(range(frame_count)) if text is None else _positions(text, frame_count)
    if at_most is None or len(chosen) <= at_most:
        return chosen
    return [chosen[index] for index in np.linspace(0, len(chosen) - 1, at_most).round().astype(int)]


def _positions(text: str, frame_count: int) -> list[int]:
    if re.fullmatch(r"\d*:\d*(:[1-9]\d*)?", text):
        first, end, step = ([int(part) if part else None for part in text.split(":")] + [None])[:3]
        chosen = list(range(first or 0, frame_count if end is None else end, step or 1))
    elif re.fullmatch(r"\d+(,\d+)*", text):
        chosen = sorted({int(part) for part in text.split(",")})
    else:
        raise ConfigError(f"--frames {text!r} is no choice of frames; expected {_FORM}")
    if not chosen:
        raise ConfigError(f"--frames {text!r} holds no frame; expected {_FORM}")
    if chosen[-1] >= frame_count:
        raise ConfigError(
            f"--frames {text!r} reaches frame {chosen[-1]}, but the sequence has "
            f"{counted(frame_count, 'frame')}, from 0 to {frame_count - 1}"
        )
    return chosen
