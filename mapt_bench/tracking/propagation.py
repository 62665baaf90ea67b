"""Carrying masks of an earlier frame to the present one."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import Frame, VideoInfo

__all__ = ["FlowSource", "FlowWarp", "Propagation", "StandStill", "propagated"]


@runtime_checkable
class Propagation(Protocol):
    """Says where masks of an earlier frame lie in a later one."""

    @property
    def needs_images(self) -> bool:
        """Whether :attr:`Frame.image` is read."""
        ...

    def start(self, info: VideoInfo) -> None:
        """Forget everything and prepare for a video."""
        ...

    def propagate(
        self, masks: NDArray[np.float32], from_frame: Frame, to_frame: Frame
    ) -> NDArray[np.float32]:
        """Carry soft masks from one frame to another.

        Args:
            masks: ``(n, h, w)`` in ``[0, 1]``, at any stride.
            from_frame: Frame the masks belong to.
            to_frame: Frame they are wanted in.

        Returns:
            ``float32`` of the same shape, in ``[0, 1]``.
        """
        ...


@runtime_checkable
class FlowSource(Protocol):
    """Dense optical flow between two frames."""

    @property
    def needs_images(self) -> bool:
        """Whether :attr:`Frame.image` is read."""
        ...

    def start(self, info: VideoInfo) -> None:
        """Forget everything and prepare for a video."""
        ...

    def flow(self, frame_from: Frame, frame_to: Frame) -> NDArray[np.float32]:
        """Return where each pixel of ``frame_from`` went in ``frame_to``.

        Returns:
            ``float32`` of shape ``(h, w, 2)``: displacement to the right and downwards. The grid
            may be coarser than the frame; displacements are in cells of that same grid.
        """
        ...


class StandStill:
    """Nothing moves: masks stay where they were."""

    needs_images = False

    def start(self, info: VideoInfo) -> None:
        """Nothing to prepare."""

    def propagate(
        self, masks: NDArray[np.float32], from_frame: Frame, to_frame: Frame
    ) -> NDArray[np.float32]:
        """Return a copy of the masks."""
        return masks.copy()


class FlowWarp:
    """Warps masks backwards along dense optical flow.

    A pixel ``x`` of the present frame takes the value that the earlier mask has at
    ``x + flow(x)``; the flow therefore leads from the present frame to the earlier one.

    Args:
        source: Where the flow comes from.
    """

    def __init__(self, source: FlowSource) -> None:
        self.source = source

    @property
    def needs_images(self) -> bool:
        """Whether the flow is computed from images."""
        return self.source.needs_images

    def start(self, info: VideoInfo) -> None:
        """Prepare the source."""
        self.source.start(info)

    def propagate(
        self, masks: NDArray[np.float32], from_frame: Frame, to_frame: Frame
    ) -> NDArray[np.float32]:
        """Carry soft masks from one frame to another by sampling them bilinearly.

        Args:
            masks: ``(n, h, w)`` in ``[0, 1]``.
            from_frame: Frame the masks belong to.
            to_frame: Frame they are wanted in.

        Returns:
            ``float32`` of the same shape; 0 where the flow leads out of the frame.
        """
        if not len(masks):
            return masks.copy()
        import cv2

        height, width = masks.shape[1:]
        flow: NDArray[np.floating] = self.source.flow(to_frame, from_frame)
        scale_x, scale_y = width / flow.shape[1], height / flow.shape[0]
        if flow.shape[:2] != (height, width):
            flow = np.asarray(cv2.resize(flow, (width, height)), dtype=np.float32)
        x = np.arange(width, dtype=np.float32)[None, :] + flow[..., 0] * np.float32(scale_x)
        y = np.arange(height, dtype=np.float32)[:, None] + flow[..., 1] * np.float32(scale_y)
        warped = [
            cv2.remap(mask, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
            for mask in masks
        ]
        return np.stack(warped).astype(np.float32, copy=False)


_RAMP = 0.5
"""Height of the ramps that are propagated to read displacements; masks may be held to 1."""


def propagated(
    propagation: Propagation,
    states: NDArray[np.float32],
    from_frame: Frame,
    to_frame: Frame,
    stride: int,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return propagated masks, and the displacement of what each cell shows in pixels.

    The displacement is read from ramps that are propagated with the masks: so it is known for any
    propagation, a flow as well as the motion head.

    Args:
        propagation: Propagates masks.
        states: Soft masks ``(n, rows, columns)`` of the earlier frame.
        from_frame: The earlier frame.
        to_frame: The later frame.
        stride: Pixels to a side of a cell of masks.

    Returns:
        Masks of the same shape, and displacements ``(rows, columns, 2)``: x and y in pixels, NaN
        where unknown.
    """
    rows, columns = states.shape[1:]
    ramps = np.full((3, rows, columns), _RAMP, dtype=np.float32)
    ramps[1] *= (np.arange(columns, dtype=np.float32) + 0.5)[None, :] / columns
    ramps[2] *= (np.arange(rows, dtype=np.float32) + 0.5)[:, None] / rows
    found = propagation.propagate(np.concatenate((states, ramps)), from_frame, to_frame)
    weight, x, y = found[-3:].astype(np.float64)
    known = np.maximum(weight, 1e-6)
    displacement = np.stack(
        (
            np.arange(columns)[None, :] + 0.5 - x / known * columns,
            np.arange(rows)[:, None] + 0.5 - y / known * rows,
        ),
        axis=2,
    )
    displacement[weight < 0.4 * _RAMP] = np.nan
    return found[:-3], displacement * stride
