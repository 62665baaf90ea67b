"""The ceiling of propagation: the true flow of a drawn video."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.flow_fields import chained_flow
from mapt_bench.errors import DataError
from mapt_bench.labels import FlowField, Frame, VideoInfo
from mapt_bench.tracking.masks import mask_stride

__all__ = ["ExactFlow", "TrueFlow"]

TrueFlow = Callable[[int], FlowField]
"""Returns the true flow of the frame at a position of the video to the frame before it."""


class ExactFlow:
    """The true flow, which no tracker can know: a row of reference, as the oracle is one.

    It is given at the grid of soft masks, so that it is never averaged across the edges of
    objects. Where a point was not seen in every frame on the way (hidden, outside, void), the flow
    leads out of the frame, so that nothing is copied there.

    Args:
        true_flow: See :data:`TrueFlow`.
    """

    needs_images = False

    def __init__(self, true_flow: TrueFlow) -> None:
        self.true_flow = true_flow
        self._stride = 1

    def start(self, info: VideoInfo) -> None:
        """Prepare for a video."""
        self._stride = mask_stride(info.height, info.width)

    def flow(self, frame_from: Frame, frame_to: Frame) -> NDArray[np.float32]:
        """Return where each pixel of ``frame_from`` was in ``frame_to``, an earlier frame.

        Returns:
            ``float32`` of shape ``(h, w, 2)``, in cells of soft masks.

        Raises:
            DataError: If ``frame_to`` is not earlier.
        """
        if frame_to.index >= frame_from.index:
            raise DataError(
                f"the true flow leads back in time; asked for from {frame_from.name} to "
                f"{frame_to.name}",
            )
        whole = chained_flow(
            self.true_flow(index) for index in range(frame_from.index, frame_to.index, -1)
        )
        height, width = whole.valid.shape
        rows, columns = (self._centres(side) for side in (height, width))
        cells = np.ix_(rows, columns)
        flow = whole.flow[cells] / np.float32(self._stride)
        flow[~whole.valid[cells]] = -2.0 * max(height, width)
        return flow

    def _centres(self, side: int) -> NDArray[np.int64]:
        """Return the pixel at the middle of each cell."""
        starts = np.arange(0, side, self._stride, dtype=np.int64)
        return np.minimum(starts + self._stride // 2, side - 1)
