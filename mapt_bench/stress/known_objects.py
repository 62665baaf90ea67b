"""Annotations of objects under stress: how far they moved, and how much of them is visible."""

import math
from typing import Protocol, runtime_checkable

import numpy as np

from mapt_bench.labels import AnnotatedObject, AnnotatedVideo, Video

__all__ = ["MeasuredVideo", "moved", "visible_fractions"]


def moved(
    before: AnnotatedObject, now: AnnotatedObject, shift: tuple[float, float] = (0.0, 0.0)
) -> float:
    """Return how far the centre of an object's box moved. Boxes end at the border of the frame.

    Args:
        before: The object in the earlier frame.
        now: The object in the later frame.
        shift: Shift of the later frame against the earlier one, (x, y) in pixels.

    Returns:
        Pixels; NaN if one of the silhouettes is outside the frame.
    """
    if not (before.amodal.size and now.amodal.size):
        return float("nan")
    (x_before, y_before), (x, y) = _centre(before), _centre(now)
    return math.hypot(x - x_before + shift[0], y - y_before + shift[1])


def _centre(entry: AnnotatedObject) -> tuple[float, float]:
    height, width = entry.amodal.shape
    return entry.left + (width - 1) / 2, entry.top + (height - 1) / 2


@runtime_checkable
class MeasuredVideo(Protocol):
    """A video that measures what it hides."""

    def visible_fractions(self, index: int) -> dict[int, float] | None:
        """See :func:`visible_fractions`."""
        ...


def visible_fractions(video: Video, index: int) -> dict[int, float] | None:
    """Return the visible fraction of each tracked thing in a frame.

    In an annotated synthetic video it is the share of the whole silhouette inside the frame. Other
    data have no silhouettes. There it is the share of the labelled mask that a stressor of kind
    ``"occlusion"`` leaves visible.

    Args:
        video: Any video, stressed or not.
        index: The frame.

    Returns:
        Fractions by code ``class << 24 | id``, 0 (completely hidden) to 1, for the things that
        reach into the frame. ``None`` if nothing is known.
    """
    if isinstance(video, AnnotatedVideo):
        known = {entry.code: entry.visible_fraction for entry in video.objects(index)}
        return {code: share for code, share in known.items() if not np.isnan(share)}
    if isinstance(video, MeasuredVideo):
        return video.visible_fractions(index)
    return None
