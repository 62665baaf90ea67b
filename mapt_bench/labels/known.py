"""What a drawn video knows beyond its maps: hidden shapes, motion, depth. Real data cannot say."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels.video import Video

__all__ = ["AnnotatedObject", "AnnotatedVideo", "FlowField"]


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedObject:
    """Everything about one tracked object in one frame, hidden pixels included.

    Attributes:
        code: Its code in the panoptic maps, ``class << 24 | id``.
        top: First row of ``amodal`` in the frame.
        left: First column of ``amodal`` in the frame.
        amodal: Whole silhouette inside the frame, as if nothing stood in front: ``bool`` of shape
            ``(h, w)``, cropped to the object; ``(0, 0)`` where no part is inside the frame.
        visible_px: Pixels that the panoptic map gives to the object.
        depth: Distance from the camera along its axis, in metres.
        speed: How far the centre moved since the last frame, in pixels: that of the bounding box
            of the whole silhouette, parts outside the frame included. NaN in the
            first frame, and where a part of it is not in front of the camera in one of the two.
        look_alike: Objects of one video with one number look alike on purpose; 0 is of no group.
    """

    code: int
    top: int
    left: int
    amodal: NDArray[np.bool_]
    visible_px: int
    depth: float
    speed: float
    look_alike: int

    @property
    def amodal_px(self) -> int:
        """Pixels of the whole silhouette inside the frame."""
        return int(np.count_nonzero(self.amodal))

    @property
    def visible_fraction(self) -> float:
        """``visible_px / amodal_px``; NaN where no part of the object is inside the frame."""
        whole = self.amodal_px
        return self.visible_px / whole if whole else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class FlowField:
    """Where each pixel of a frame is in another frame.

    Attributes:
        flow: ``float32`` of shape ``(height, width, 2)``: x (right) and y (down), in pixels.
        valid: ``bool`` of shape ``(height, width)``: the same point of the same surface is seen in
            the other frame too, inside its borders and not hidden, and neither pixel is void.
    """

    flow: NDArray[np.float32]
    valid: NDArray[np.bool_]


@runtime_checkable
class AnnotatedVideo(Video, Protocol):
    """A video whose every answer is known."""

    def objects(self, index: int) -> tuple[AnnotatedObject, ...]:
        """Return the tracked objects that reach into a frame, nearest first; hidden ones too."""
        ...

    def backward_flow(self, index: int) -> FlowField:
        """Return where each pixel of a frame was in the frame before.

        Raises:
            DataError: For the first frame, which has none before it.
        """
        ...

    def forward_flow(self, index: int) -> FlowField:
        """Return where each pixel of a frame will be in the next frame.

        Raises:
            DataError: For the last frame.
        """
        ...
