"""Polygons in the image: rounded rods, and what is left of a polygon inside the view."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FRACTION_BITS",
    "NEAR",
    "Outline",
    "clip_to_view",
    "fixed_point",
    "flat_outlines",
    "outline_of",
    "rod_maps",
    "rod_outlines",
]

FRACTION_BITS = 4
"""Of pixel coordinates in fixed point: 16ths of a pixel."""

NEAR = 0.3
"""Nothing closer to the camera than this is drawn, in metres."""

_Array = NDArray[np.float64]

_CAP_POINTS = 5
_LEAST_STRETCH = 0.35
_LARGEST = 1 << 20  # of fixed point, far outside any image
_MARGIN = 1.0  # image sizes around the image that polygons may reach into


def rod_outlines(start: _Array, end: _Array, radii: _Array, focal: float) -> _Array:
    """Return the outlines of rods with round ends.

    Args:
        start: Homogeneous image points, shape ``(..., 3)``, before the camera.
        end: The same.
        radii: Metres at start and end, shape ``(..., 2)``.
        focal: Pixels.

    Returns:
        Pixels, shape ``(..., 10, 2)``.
    """
    first, last, along, _ = _directions(start, end)
    across = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    angles = np.linspace(-np.pi / 2, np.pi / 2, _CAP_POINTS)
    ahead, aside = np.cos(angles)[:, None], np.sin(angles)[:, None]
    reach = focal * radii / np.stack([start[..., 2], end[..., 2]], axis=-1)
    back = -ahead * along[..., None, :] + aside * across[..., None, :]
    front = (ahead * along[..., None, :] + aside * across[..., None, :])[..., ::-1, :]
    return np.concatenate(
        [
            first[..., None, :] + reach[..., :1, None] * back,
            last[..., None, :] + reach[..., 1:, None] * front,
        ],
        axis=-2,
    )


def rod_maps(start: _Array, end: _Array, lengths: _Array, widths: _Array, focal: float) -> _Array:
    """Return what takes coordinates on rods to the image.

    Coordinates run along the rod from its start and across it from its middle, in widths. A rod
    that points at the camera is taken to be foreshortened to no less than about a third, so that
    its surface can always be told from its image.

    Args:
        start: Homogeneous image points, shape ``(..., 3)``.
        end: The same.
        lengths: Metres, shape ``(...)``.
        widths: Metres, shape ``(...)``.
        focal: Pixels.

    Returns:
        Shape ``(..., 3, 3)``; the last coordinate of an image is its distance in metres.
    """
    first, _, along, length_px = _directions(start, end)
    distance = (start[..., 2] + end[..., 2]) / 2
    scale = focal / distance
    stretch = np.maximum(length_px / np.maximum(lengths, 1e-3), _LEAST_STRETCH * scale)
    maps = np.zeros((*distance.shape, 3, 3))
    maps[..., :2, 0] = along * (stretch * widths)[..., None]
    maps[..., 0, 1] = -along[..., 1] * scale * widths
    maps[..., 1, 1] = along[..., 0] * scale * widths
    maps[..., :2, 2] = first
    maps[..., 2, 2] = 1
    return maps * distance[..., None, None]


def _directions(start: _Array, end: _Array) -> tuple[_Array, _Array, _Array, _Array]:
    first = start[..., :2] / start[..., 2:]
    last = end[..., :2] / end[..., 2:]
    offset = last - first
    length = np.hypot(offset[..., 0], offset[..., 1])
    along = np.where(
        length[..., None] > 1e-6, offset / np.maximum(length, 1e-6)[..., None], [0.0, 1.0]
    )
    return first, last, along, length


def fixed_point(pixels: _Array) -> NDArray[np.int32]:
    """Return pixel coordinates in fixed point, of :data:`FRACTION_BITS` bits."""
    return np.rint(pixels * (1 << FRACTION_BITS)).clip(-_LARGEST, _LARGEST).astype(np.int32)


def flat_outlines(
    points: _Array, starts: NDArray[np.intp], reach: float
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return panels in fixed point, and which of them need not be cut.

    Args:
        points: Homogeneous corners of all panels, ``(T, corners, 3)``.
        starts: Where each panel starts among them.
        reach: Pixels that an uncut panel may lie from the image's first row and column.

    Returns:
        Corners ``(T, corners, 2)``, nonsense where a panel must be cut; and ``(T, panels)``.
    """
    ahead = points[..., 2] > NEAR
    pixels = points[..., :2] / np.where(ahead, points[..., 2], 1)[..., None]
    sound = ahead & (np.abs(pixels) < reach).all(axis=2)
    return fixed_point(pixels), np.logical_and.reduceat(sound, starts, axis=1)


def clip_to_view(points: _Array, height: int, width: int) -> _Array:
    """Return the part of a convex polygon that lies before the camera and about the image.

    Args:
        points: Homogeneous image points, shape ``(n, 3)``.
        height: Of the image in pixels.
        width: Of the image in pixels.

    Returns:
        Pixels, shape ``(m, 2)``; ``m`` is 0 where nothing is left (Sutherland and Hodgman 1974).
    """
    limits = _view_limits(height, width)
    beyond = points @ limits[:, :3].T + limits[:, 3] < 0
    if beyond.all(axis=0).any():
        return np.empty((0, 2))
    for limit in limits[beyond.any(axis=0)]:
        inside = points @ limit[:3] + limit[3]
        if (inside < 0).all():
            return np.empty((0, 2))
        following = np.concatenate([points[1:], points[:1]])
        later = np.concatenate([inside[1:], inside[:1]])
        crosses = (inside >= 0) != (later >= 0)
        share = np.divide(inside, inside - later, out=np.zeros_like(inside), where=crosses)
        cuts = points + share[:, None] * (following - points)
        both = np.stack([points, cuts], axis=1).reshape(-1, 3)
        points = both[np.stack([inside >= 0, crosses], axis=1).ravel()]
    return np.asarray(points[:, :2] / points[:, 2:], dtype=np.float64)


@lru_cache(maxsize=8)
def _view_limits(height: int, width: int) -> _Array:
    """Planes that bound what can be seen: one row a plane, ``(5, 4)``."""
    return np.array(
        [
            [0.0, 0.0, 1.0, -NEAR],
            [1.0, 0.0, _MARGIN * width, 0.0],
            [-1.0, 0.0, (1 + _MARGIN) * width, 0.0],
            [0.0, 1.0, _MARGIN * height, 0.0],
            [0.0, -1.0, (1 + _MARGIN) * height, 0.0],
        ]
    )


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A polygon in all frames, worked out as far as can be before a frame is drawn.

    Attributes:
        points: Homogeneous corners, ``(T, n, 3)``.
        pixels: The same in fixed point, ``(T, n, 2)``; nonsense where the polygon is not whole.
        is_whole: Whether all of it is about the image, ``(T,)``: what is not must be cut.
        is_seen: Whether any of it may be, ``(T,)``.
    """

    points: _Array
    pixels: NDArray[np.int32]
    is_whole: NDArray[np.bool_]
    is_seen: NDArray[np.bool_]

    def part(self, frames: slice) -> Self:
        """Return the outline in some of its frames."""
        return replace(
            self,
            points=self.points[frames],
            pixels=self.pixels[frames],
            is_whole=self.is_whole[frames],
            is_seen=self.is_seen[frames],
        )


def outline_of(points: _Array, height: int, width: int) -> Outline:
    """Find out in which frames a polygon needs no cutting.

    Args:
        points: Homogeneous image points, ``(T, n, 3)``.
        height: Of the image in pixels.
        width: Of the image in pixels.
    """
    limits = _view_limits(height, width)
    beyond: NDArray[np.bool_] = np.less(points @ limits[:, :3].T + limits[:, 3], 0)
    is_whole = np.logical_not(np.logical_or.reduce(beyond, axis=(1, 2)))
    flat = points[..., :2] / np.where(is_whole[:, None], points[..., 2], 1)[..., None]
    is_seen = np.logical_not(np.logical_and.reduce(beyond, axis=1)).all(axis=1)
    return Outline(points, fixed_point(flat), is_whole, is_seen)
