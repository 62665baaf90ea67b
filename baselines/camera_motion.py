"""Motion of the camera between consecutive frames, from sparse flow of the background."""

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import Frame
from mapt_bench.tracking import FrameSegments
from mapt_bench.tracking.sharing import NOTHING_SHARED, Share

__all__ = ["CameraMotion", "background_motion"]

_MOST_ROWS = 192
_MOST_CORNERS = 400
_CORNER_QUALITY = 0.01
_CORNER_DISTANCE = 3
_FEWEST_POINTS = 10
_MOST_ZOOM = 1.5

_Affine = NDArray[np.float64]


def background_motion(
    earlier: NDArray[np.uint8],
    present: NDArray[np.uint8],
    background: NDArray[np.bool_],
) -> _Affine:
    """Fit the motion of the background from one frame to the next.

    Corners of the background are tracked by sparse optical flow (Lucas and Kanade), and a
    similarity (shift, rotation, zoom) is fitted to them by RANSAC, as BoT-SORT does. Frames are
    scaled down to at most 192 rows.

    Args:
        earlier: RGB image, ``uint8`` of shape ``(height, width, 3)``.
        present: RGB image of the same shape.
        background: ``bool`` of shape ``(height, width)``: pixels of the earlier frame that belong
            to no thing.

    Returns:
        ``float64`` of shape ``(2, 3)``: affine map from pixels of the earlier frame to those of
        the present one. No motion where fewer than 10 corners are tracked or the fit is
        implausible.
    """
    import cv2

    scale = min(1.0, _MOST_ROWS / earlier.shape[0])
    first, second = (_grey(image, scale) for image in (earlier, present))
    mask = cv2.resize(
        background.astype(np.uint8), first.shape[::-1], interpolation=cv2.INTER_NEAREST
    )
    corners = cv2.goodFeaturesToTrack(
        first, _MOST_CORNERS, _CORNER_QUALITY, _CORNER_DISTANCE, mask=mask
    )
    if corners is None or len(corners) < _FEWEST_POINTS:
        return np.eye(2, 3)
    moved, is_found, _ = cv2.calcOpticalFlowPyrLK(first, second, corners, corners.copy())
    found = is_found.ravel() == 1
    if np.count_nonzero(found) < _FEWEST_POINTS:
        return np.eye(2, 3)
    fit, _ = cv2.estimateAffinePartial2D(corners[found], moved[found], method=cv2.RANSAC)
    if fit is None or not _is_plausible(fit):
        return np.eye(2, 3)
    camera = np.asarray(fit, dtype=np.float64)
    camera[:, 2] /= scale
    return camera


def _grey(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    import cv2

    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, dtype=np.uint8)


def _is_plausible(fit: NDArray[np.floating]) -> bool:
    zoom = float(np.sqrt(abs(np.linalg.det(fit[:, :2]))))
    return bool(np.isfinite(fit).all()) and 1 / _MOST_ZOOM <= zoom <= _MOST_ZOOM


class CameraMotion:
    """Motion of the camera since the frame before, computed once for all trackers of a video.

    Args:
        share: Cache of the work that trackers of a video have in common.
    """

    def __init__(self, share: Share = NOTHING_SHARED) -> None:
        self._share = share
        self._last: tuple[Frame, NDArray[np.bool_]] | None = None

    def start(self) -> None:
        """Forget the last frame."""
        self._last = None

    def step(self, frame: Frame, segments: FrameSegments) -> _Affine:
        """Return the motion since the last frame that was passed here.

        Args:
            frame: The present frame.
            segments: Its segments; things are no background.

        Returns:
            ``(2, 3)``, see :func:`background_motion`; no motion in the first frame.

        Raises:
            DataError: If the frame has no image.
        """
        image = frame.image
        last, self._last = self._last, (frame, segments.index_map < 0)
        if last is None:
            return np.eye(2, 3)
        earlier, background = last
        return self._share.once(
            "camera motion",
            (earlier.index, frame.index),
            lambda: background_motion(earlier.image, image, background),
            of_segments=True,
        )
