"""Exact optical flow: every face knows where each of its points is in every frame."""

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import FlowField
from mapt_bench.synthetic.drawing import Surfaces, apply_maps
from mapt_bench.synthetic.stage import Stage

__all__ = ["exact_flow", "face_motion"]

_DEPTH_TOLERANCE = 0.02
_DEPTH_SLACK_M = 0.1
_LEAST_RATIO = 1e-6


def face_motion(
    stage: Stage, surfaces: Surfaces, time: int, other: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how far the point that each pixel shows is away in another frame.

    Args:
        stage: The scene.
        surfaces: What the frame shows.
        time: Number of the frame.
        other: Number of the other frame.

    Returns:
        Pixels to the right and down, ``(height, width, 2)``, 0 for points behind the camera; and
        the distance from the camera in the other frame over that in this one, ``(height, width)``,
        not positive behind the camera.
    """
    height, width = surfaces.face.shape
    moved = stage.maps[other] @ surfaces.inverse.reshape(-1, 3, 3).astype(np.float64)
    point = apply_maps(moved.reshape(-1, 9).astype(np.float32), surfaces.face)
    point = point.reshape(3, height, width)
    ahead = point[2] > _LEAST_RATIO
    flow = point[:2] / np.where(ahead, point[2], 1)
    flow[0] -= np.arange(width, dtype=np.float32)
    flow[1] -= np.arange(height, dtype=np.float32)[:, None]
    return np.where(ahead, flow, 0).transpose(1, 2, 0), point[2]


def exact_flow(
    stage: Stage,
    surfaces: tuple[Surfaces, Surfaces],
    codes: tuple[NDArray[np.uint32], NDArray[np.uint32]],
    times: tuple[int, int],
    void_code: int,
) -> FlowField:
    """Return the flow from one frame to another, and where it is valid.

    A pixel is valid if its point lies inside the other frame, and the pixel there shows the same
    face, or the same segment at the same distance (the next face of the same rounded shape), and
    neither of the two is void.

    Args:
        stage: The scene.
        surfaces: Of the frame, and of the other.
        codes: Panoptic codes of both, ``uint32`` of shape ``(height, width)``.
        times: Numbers of both.
        void_code: Code of void pixels.
    """
    here, there = surfaces
    height, width = here.face.shape
    flow, ratio = face_motion(stage, here, *times)
    columns = np.rint(flow[..., 0] + np.arange(width)).clip(-1, width).astype(np.int64)
    rows = np.rint(flow[..., 1] + np.arange(height)[:, None]).clip(-1, height).astype(np.int64)
    inside = (ratio > _LEAST_RATIO) & (columns >= 0) & (columns < width)
    inside &= (rows >= 0) & (rows < height)
    at = np.where(inside, rows * width + columns, 0)
    same_face = there.face.ravel()[at] == here.face
    same_code = codes[1].ravel()[at] == codes[0]
    with np.errstate(invalid="ignore"):  # the sky is infinitely far in both
        expected = here.distance * ratio
        apart = np.abs(there.distance.ravel()[at] - expected)
        near = apart < _DEPTH_SLACK_M + _DEPTH_TOLERANCE * expected
    seen = codes[0] != void_code
    return FlowField(flow, inside & same_code & seen & (same_face | near))
