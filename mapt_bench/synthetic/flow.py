"""Exact optical flow: every face knows where each of its points is in every frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import FlowField
from mapt_bench.synthetic.drawing import Surfaces, apply_maps
from mapt_bench.synthetic.stage import Stage

__all__ = ["Motion", "exact_flow", "face_motion"]

_DEPTH_TOLERANCE = 0.02
_DEPTH_SLACK_M = 0.1
_LEAST_RATIO = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """How far the points that a frame shows are away in another frame.

    Attributes:
        flow: Pixels to the right and down, ``(height, width, 2)``; 0 for points behind the camera.
        ratio: Distance from the camera in the other frame over that in this one,
            ``(height, width)``; not positive behind the camera.
    """

    flow: NDArray[np.float32]
    ratio: NDArray[np.float32]


def face_motion(stage: Stage, surfaces: Surfaces, time: int, other: int) -> Motion:
    """Return how far the point that each pixel shows is away in another frame.

    Args:
        stage: The scene.
        surfaces: What the frame shows.
        time: Number of the frame.
        other: Number of the other frame.
    """
    height, width = surfaces.face.shape
    moved = stage.maps[other] @ surfaces.inverse.reshape(-1, 3, 3).astype(np.float64)
    point = apply_maps(moved.reshape(-1, 9).astype(np.float32), surfaces)
    point = point.reshape(3, height, width)
    ahead = point[2] > _LEAST_RATIO
    flow = point[:2] / np.where(ahead, point[2], 1)
    flow[0] -= np.arange(width, dtype=np.float32)
    flow[1] -= np.arange(height, dtype=np.float32)[:, None]
    return Motion(np.where(ahead, flow, 0).transpose(1, 2, 0), point[2])


def exact_flow(
    motion: Motion,
    surfaces: tuple[Surfaces, Surfaces],
    codes: tuple[NDArray[np.uint32], NDArray[np.uint32]],
    void_code: int,
) -> FlowField:
    """Return the flow from one frame to another, and where it is valid.

    A pixel is valid if its point lies inside the other frame, and the pixel there shows the same
    face, or the same segment at the same distance (the next face of the same rounded shape), and
    neither of the two is void.

    Args:
        motion: From the frame to the other.
        surfaces: Of the frame, and of the other.
        codes: Panoptic codes of both, ``uint32`` of shape ``(height, width)``.
        void_code: Code of void pixels.
    """
    here, there = surfaces
    height, width = here.face.shape
    flow, ratio = motion.flow, motion.ratio
    x = np.rint(flow[..., 0] + np.arange(width))
    y = np.rint(flow[..., 1] + np.arange(height)[:, None])
    inside = (ratio > _LEAST_RATIO) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    at = np.where(inside, y * width + x, 0).astype(np.intp)
    same_face = np.take(there.face, at) == here.face
    same_code = np.take(codes[1], at) == codes[0]
    with np.errstate(invalid="ignore"):  # the sky is infinitely far in both
        expected = here.distance * ratio
        apart = np.abs(np.take(there.distance, at) - expected)
        near = apart < _DEPTH_SLACK_M + _DEPTH_TOLERANCE * expected
    seen = codes[0] != void_code
    return FlowField(flow, inside & same_code & seen & (same_face | near))
