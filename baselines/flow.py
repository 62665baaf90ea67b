"""Dense optical flow without a network."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import Frame, VideoInfo

if TYPE_CHECKING:
    import cv2

__all__ = ["DisFlow"]


class DisFlow:
    """Dense inverse search (Kroeger et al. 2016), as OpenCV has it.

    Frames are scaled down before the flow is computed, by the same factor in both directions, so
    that the height comes to about ``height`` rows; the flow is given on that coarser grid.

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
