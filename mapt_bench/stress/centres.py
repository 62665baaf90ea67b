"""How far a known object moved between two frames."""

import math

from mapt_bench.labels import AnnotatedObject

__all__ = ["moved"]


def moved(
    before: AnnotatedObject, now: AnnotatedObject, shift: tuple[float, float] = (0.0, 0.0)
) -> float:
    """Return how far the centre of the silhouette's box, as far as it is in the frame, moved.

    Args:
        before: In the earlier frame.
        now: In the later frame.
        shift: By how much the later frame is shifted against the earlier one, (x, y).

    Returns:
        Pixels; NaN where one of the silhouettes is outside the frame.
    """
    if not (before.amodal.size and now.amodal.size):
        return float("nan")
    (x_before, y_before), (x, y) = _centre(before), _centre(now)
    return math.hypot(x - x_before + shift[0], y - y_before + shift[1])


def _centre(entry: AnnotatedObject) -> tuple[float, float]:
    height, width = entry.amodal.shape
    return entry.left + (width - 1) / 2, entry.top + (height - 1) / 2
