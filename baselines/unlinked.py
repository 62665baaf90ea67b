"""The floor: no segment is ever linked to another."""

from itertools import count

import numpy as np

from mapt_bench.labels import Frame, VideoInfo
from mapt_bench.tracking import Association, FrameSegments

__all__ = ["UnlinkedAssociator"]


class UnlinkedAssociator:
    """Gives every segment of every frame an identity of its own."""

    needs_images = False

    def __init__(self) -> None:
        self._fresh = count(1)

    def start(self, info: VideoInfo) -> None:
        """Count from 1 again."""
        self._fresh = count(1)

    def associate(self, frame: Frame, segments: FrameSegments) -> Association:
        """Give each segment the next number."""
        ids = np.array([next(self._fresh) for _ in range(segments.count)], dtype=np.int64)
        return Association(ids, ("new",) * segments.count, (0,) * segments.count)
