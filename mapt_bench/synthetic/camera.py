"""From metres to pixels: where bodies stand, and how the camera sees them.

Image points are homogeneous: ``(x w, y w, w)`` with ``w`` the distance along the camera's axis in
metres; pixel centres lie at whole numbers.
"""

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.scene import CameraTrack
from mapt_bench.synthetic.shapes import Actor

__all__ = ["focal_px", "placements", "sky_projections", "world_projections"]

_Array = NDArray[np.float64]


def focal_px(camera: CameraTrack, height: int) -> float:
    """Return the focal length in pixels."""
    return camera.focal * height


def _axes(camera: CameraTrack, height: int, width: int) -> _Array:
    """Rows that turn a direction of the world into a homogeneous image point ``(T, 3, 3)``."""
    sine, cosine = np.sin(camera.heading), np.cos(camera.heading)
    down, level = np.sin(camera.pitch), np.cos(camera.pitch)
    zero = np.zeros_like(sine)
    right = np.stack([cosine, zero, -sine], axis=1)
    ahead = np.stack([level * sine, -down, level * cosine], axis=1)
    below = np.stack([-down * sine, -level, -down * cosine], axis=1)
    focal = focal_px(camera, height)
    x = focal * right + (width - 1) / 2 * ahead
    y = focal * below + (height - 1) / 2 * ahead
    return np.stack([x, y, ahead], axis=1)


def sky_projections(camera: CameraTrack, height: int, width: int) -> _Array:
    """Return what takes a direction (x, y up, z) to the image in each frame: ``(T, 3, 3)``."""
    return _axes(camera, height, width)


def world_projections(camera: CameraTrack, height: int, width: int) -> _Array:
    """Return what takes a point of the world ``(x, y, z, 1)`` to the image: ``(T, 3, 4)``."""
    axes = _axes(camera, height, width)
    centre = np.stack(
        [
            camera.position[:, 0],
            np.full(camera.frame_count, camera.elevation),
            camera.position[:, 1],
        ],
        axis=1,
    )
    return np.concatenate([axes, -(axes @ centre[:, :, None])], axis=2)


def placements(actor: Actor, frames: int) -> _Array:
    """Return what takes a point of an actor's body ``(x, y, z, 1)`` to the world: ``(T, 4, 4)``."""
    heading = np.broadcast_to(actor.heading, (frames,))
    position = np.broadcast_to(actor.position, (frames, 2))
    place = np.zeros((frames, 4, 4))
    place[:, 0, 0] = place[:, 2, 2] = np.cos(heading)
    place[:, 0, 2] = np.sin(heading)
    place[:, 2, 0] = -np.sin(heading)
    place[:, 1, 1] = place[:, 3, 3] = 1
    place[:, 0, 3] = position[:, 0]
    place[:, 2, 3] = position[:, 1]
    return place
