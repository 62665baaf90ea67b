"""Flow without a network: DIS, and the ground-truth flow of synthetic videos as an upper bound."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from mapt_bench.baselines.flow_sources import register_flow
from mapt_bench.baselines.tracker_options import FlowOptions, TrueFlow
from mapt_bench.data.flow_fields import chained_flow
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import Frame, VideoInfo
from mapt_bench.tracking.masks import mask_stride
from mapt_bench.tracking.propagation import FlowSource

if TYPE_CHECKING:
    import cv2

__all__ = [
    "DisFlow",
    "ExactFlow",
]


class DisFlow:
    """Dense inverse search (DIS, Kroeger et al. 2016) as OpenCV implements it.

    Frames are scaled down to about ``height`` rows before the flow is computed, by the same factor
    in both directions. The flow is on that coarser grid.

    Args:
        height: Rows of the scaled frames; smaller frames keep their size.
        preset: ``"fast"`` or ``"medium"``.
    """

    needs_images = True

    def __init__(self, *, height: int = 192, preset: Literal["fast", "medium"] = "medium") -> None:
        self.height = height
        self.preset = preset
        self._engine: cv2.DISOpticalFlow | None = None
        self._gray: dict[int, NDArray[np.uint8]] = {}

    def start(self, info: VideoInfo) -> None:
        """Forget the frames of the last video."""
        import cv2

        presets = {
            "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
            "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
        }
        self._engine = cv2.DISOpticalFlow.create(presets[self.preset])
        self._gray = {}

    def flow(self, frame_from: Frame, frame_to: Frame) -> NDArray[np.float32]:
        """Return where each pixel of ``frame_from`` went in ``frame_to``.

        Returns:
            ``float32`` of shape ``(h, w, 2)``, in pixels of the scaled frames.

        Raises:
            DataError: If a frame has no image.
        """
        if self._engine is None:
            raise RuntimeError("start() must be called before flow()")
        pair = (self._scaled(frame_from), self._scaled(frame_to))
        kept = {frame_from.index, frame_to.index}
        self._gray = {index: gray for index, gray in self._gray.items() if index in kept}
        # The stubs want an array; None, which asks for a fresh one, is what OpenCV documents.
        flow = self._engine.calc(*pair, None)  # type: ignore[call-overload]
        return np.asarray(flow, dtype=np.float32)

    def _scaled(self, frame: Frame) -> NDArray[np.uint8]:
        """Gray image of a frame at the height the flow is computed at."""
        import cv2

        if frame.index not in self._gray:
            gray = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
            scale = self.height / gray.shape[0]
            if scale < 1:
                size = (max(16, round(gray.shape[1] * scale)), self.height)
                gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
            self._gray[frame.index] = np.asarray(gray, dtype=np.uint8)
        return self._gray[frame.index]


class ExactFlow:
    """The ground-truth flow, an upper bound of propagation: no tracker can know it.

    It is sampled on the grid of soft masks, so it is never averaged across the edges of objects.
    Where a point is hidden, outside or void in any frame on the way, the flow leads out of the
    frame, so that nothing is copied there.

    Args:
        true_flow: See :data:`~mapt_bench.baselines.tracker_options.TrueFlow`.
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
                f"the ground-truth flow leads to earlier frames only; expected a frame before "
                f"{frame_from.name}, found {frame_to.name}",
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


@register_flow("flow:dis", "DIS, no network (Kroeger et al. 2016)")
def _dis(options: FlowOptions) -> FlowSource:
    return DisFlow(height=options.height)


@register_flow(
    "flow:exact",
    "the ground-truth flow of a synthetic video: the upper bound of propagation",
    needs_images=False,
    needs_true_flow=True,
)
def _exact(options: FlowOptions) -> FlowSource:
    if options.true_flow is None:
        raise ConfigError(
            "flow:exact needs the ground-truth flow, which only synthetic videos have"
        )
    return ExactFlow(options.true_flow)
