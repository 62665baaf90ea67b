"""How much of each thing can be seen: from what is known, or from what a stressor covered."""

from typing import Protocol, runtime_checkable

import numpy as np

from mapt_bench.labels import AnnotatedVideo, Video

__all__ = ["MeasuredVideo", "visible_fractions"]


@runtime_checkable
class MeasuredVideo(Protocol):
    """A video that measured what it hides."""

    def visible_fractions(self, index: int) -> dict[int, float] | None:
        """See :func:`visible_fractions`."""
        ...


def visible_fractions(video: Video, index: int) -> dict[int, float] | None:
    """Return which share of each tracked thing is seen in a frame.

    In a known video that is the share of its whole silhouette inside the frame. Of other data
    nobody knows the silhouettes; there it is the share of the labelled mask that a stressor of
    kind ``"occlusion"`` left.

    Args:
        video: Any video, stressed or not.
        index: The frame.

    Returns:
        By code ``class << 24 | id``, 0 (hidden whole) to 1, of the things that reach into the
        frame. ``None`` where nothing is known.
    """
    if isinstance(video, AnnotatedVideo):
        known = {entry.code: entry.visible_fraction for entry in video.objects(index)}
        return {code: share for code, share in known.items() if not np.isnan(share)}
    if isinstance(video, MeasuredVideo):
        return video.visible_fractions(index)
    return None
