"""Polygons in the image: projected panels and limbs, clipped to the view."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.shapes import Actor, Panel

__all__ = [
    "FRACTION_BITS",
    "NEAR",
    "Limbs",
    "Outline",
    "Panels",
    "clip_to_view",
    "fixed_point",
    "flat_outlines",
    "joined_boxes",
    "outline_of",
    "rod_maps",
    "rod_outlines",
]

FRACTION_BITS = 4
"""Fraction bits of pixel coordinates in fixed point: 16ths of a pixel."""

NEAR = 0.3
"""Smallest distance from the camera at which surfaces are drawn, in metres."""

_Array = NDArray[np.float64]

_CAP_POINTS = 5
_LEAST_STRETCH = 0.35
_LARGEST = 1 << 20  # in fixed point, far outside any image
_MARGIN = 1.0  # image sizes that polygons may reach beyond the image


def rod_outlines(start: _Array, end: _Array, radii: _Array, focal: float) -> _Array:
    """Return the outlines of rods with round ends.

    Args:
        start: Homogeneous image points, shape ``(..., 3)``, in front of the camera.
        end: Likewise.
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
    """Return the maps from coordinates on rods to the image.

    Coordinates run along the rod from its start, and across it from its middle, in widths.
    Foreshortening of a rod that points at the camera is limited to about a third, so that the map
    can be inverted.

    Args:
        start: Homogeneous image points, shape ``(..., 3)``.
        end: Likewise.
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
    """Return pixel coordinates in fixed point, with :data:`FRACTION_BITS` fraction bits."""
    return np.rint(pixels * (1 << FRACTION_BITS)).clip(-_LARGEST, _LARGEST).astype(np.int32)


def flat_outlines(
    points: _Array, starts: NDArray[np.intp], reach: float
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return panels in fixed point, and which of them need no clipping.

    Args:
        points: Homogeneous corners of all panels, ``(T, corners, 3)``.
        starts: Index of the first corner of each panel.
        reach: Largest distance in pixels of an unclipped panel from the first row and column.

    Returns:
        Corners ``(T, corners, 2)``, undefined where a panel must be clipped; and ``(T, panels)``.
    """
    ahead = points[..., 2] > NEAR
    pixels = points[..., :2] / np.where(ahead, points[..., 2], 1)[..., None]
    sound = ahead & (np.abs(pixels) < reach).all(axis=2)
    return fixed_point(pixels), np.logical_and.reduceat(sound, starts, axis=1)


def clip_to_view(points: _Array, height: int, width: int) -> _Array:
    """Return the part of a convex polygon in front of the camera and near the image.

    Args:
        points: Homogeneous image points, shape ``(n, 3)``.
        height: Height of the image in pixels.
        width: Width of the image in pixels.

    Returns:
        Pixels, shape ``(m, 2)``; ``m`` is 0 if nothing is left (Sutherland and Hodgman 1974).
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
    """Return the planes that bound the view, one per row."""
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
    """A polygon in all frames, prepared before frames are drawn.

    Attributes:
        points: Homogeneous corners, ``(T, n, 3)``.
        pixels: The same in fixed point, ``(T, n, 2)``; undefined where the polygon is not whole.
        is_whole: Whether all of it is near the image, ``(T,)``; otherwise it must be clipped.
        is_seen: Whether any of it can be visible, ``(T,)``.
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
    """Find the frames in which a polygon needs no clipping.

    Args:
        points: Homogeneous image points, ``(T, n, 3)``.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
    """
    limits = _view_limits(height, width)
    beyond: NDArray[np.bool_] = np.less(points @ limits[:, :3].T + limits[:, 3], 0)
    is_whole = np.logical_not(np.logical_or.reduce(beyond, axis=(1, 2)))
    flat = points[..., :2] / np.where(is_whole[:, None], points[..., 2], 1)[..., None]
    is_seen = np.logical_not(np.logical_and.reduce(beyond, axis=1)).all(axis=1)
    return Outline(points, fixed_point(flat), is_whole, is_seen)


_LEVEL = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Panels:
    """The panels of all actors.

    Attributes:
        owner: Index of the actor of each.
        maps: ``(T, panels, 3, 3)``.
        points: Homogeneous corners of each, ``(T, corners, 3)``.
        outlines: The same in fixed point.
        is_whole: ``(T, panels)``, see :class:`Cast`.
        distance: Mean distance of the corners, ``(T, panels)``.
        faces_us: Whether each faces the camera, ``(T, panels)``.
        headings: Heading of each in its body, or ``None``.
        corners: Homogeneous corners of all, ``(T, corners, 3)``.
        corner_owner: Index of the actor of each corner.
    """

    owner: NDArray[np.intp]
    maps: _Array
    points: list[_Array]
    outlines: list[NDArray[np.int32]]
    is_whole: NDArray[np.bool_]
    distance: _Array
    faces_us: NDArray[np.bool_]
    headings: list[float | None]
    corners: _Array
    corner_owner: NDArray[np.intp]

    @classmethod
    def of(cls, actors: Sequence[Actor], placed: _Array, reach: float) -> Self:
        """Project all panels to the image.

        Args:
            actors: The actors.
            placed: Maps from the body of each actor to the image, ``(actors, T, 3, 4)``.
            reach: See :func:`flat_outlines`.
        """
        panels = [panel for actor in actors for panel in actor.body.panels]
        frames = placed.shape[1]
        owner = np.repeat(np.arange(len(actors)), [len(each.body.panels) for each in actors])
        if not panels:
            empty, flags = np.zeros((frames, 0)), np.zeros((frames, 0), dtype=np.bool_)
            maps, corners = np.zeros((frames, 0, 3, 3)), np.zeros((frames, 0, 3))
            return cls(owner, maps, [], [], flags, empty, flags, [], corners, owner)
        counts = np.array([len(panel.corners) for panel in panels])
        corner_owner = np.repeat(owner, counts)
        corners = _seen_corners(actors, placed)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        points = [corners[:, at : at + n] for at, n in zip(starts, counts, strict=True)]
        axes = _panel_frames(panels)
        maps = np.ascontiguousarray((placed[owner] @ axes[:, None]).swapaxes(0, 1))
        outlines, is_whole = flat_outlines(corners, starts, reach)
        two_sided = np.array([panel.two_sided for panel in panels])
        return cls(
            owner=owner,
            maps=maps,
            points=points,
            outlines=[outlines[:, at : at + n] for at, n in zip(starts, counts, strict=True)],
            is_whole=is_whole,
            distance=np.stack([each[..., 2].mean(axis=1) for each in points], axis=1),
            faces_us=two_sided | (np.linalg.det(maps) < 0),
            headings=_headings(axes),
            corners=corners,
            corner_owner=corner_owner,
        )

    def boxes(self, actors: int) -> tuple[_Array, NDArray[np.bool_]]:
        """Return the box of each actor, ``(T, actors, 4)``; NaN if a part is behind the camera."""
        ahead = self.corners[..., 2] > NEAR
        flat = self.corners[..., :2] / np.maximum(self.corners[..., 2:], NEAR)
        return _boxes(flat, self.corner_owner, actors), _all_of(ahead, self.corner_owner, actors)


@dataclass(frozen=True, slots=True, eq=False)
class Limbs:
    """The limbs of all actors.

    Attributes:
        owner: Index of the actor of each.
        maps: ``(T, limbs, 3, 3)``.
        pixels: Outlines, ``(T, limbs, 10, 2)``.
        outlines: The same in fixed point.
        distance: Mean distance of both ends, ``(T, limbs)``.
        is_near: Whether both ends are in front of the camera, ``(T, limbs)``.
    """

    owner: NDArray[np.intp]
    maps: _Array
    pixels: _Array
    outlines: NDArray[np.int32]
    distance: _Array
    is_near: NDArray[np.bool_]

    @classmethod
    def of(cls, actors: Sequence[Actor], placed: _Array, focal: float) -> Self:
        """Project all limbs to the image.

        Args:
            actors: The actors.
            placed: Maps from the body of each actor to the image, ``(actors, T, 3, 4)``.
            focal: Pixels.
        """
        frames = placed.shape[1]
        joints, starts, ends, counts, first = [], [], [], [], 0
        for actor in actors:
            own = actor.body.joints
            joints.append(np.broadcast_to(own, (frames, *own.shape[1:])))
            starts += [first + limb.start for limb in actor.body.limbs]
            ends += [first + limb.end for limb in actor.body.limbs]
            counts.append(own.shape[1])
            first += own.shape[1]
        limbs = [limb for actor in actors for limb in actor.body.limbs]
        place = np.concatenate(joints, axis=1)
        maps = placed.swapaxes(0, 1)[:, np.repeat(np.arange(len(actors)), counts)]
        points = np.einsum("tnij,tnj->tni", maps[..., :3], place) + maps[..., 3]
        radii = np.array([(each.start_radius, each.end_radius) for each in limbs]).reshape(-1, 2)
        held = np.concatenate([points[..., :2], np.maximum(points[..., 2:], NEAR)], axis=2)
        begin, finish = held[:, starts], held[:, ends]
        lengths = np.linalg.norm(place[:, ends] - place[:, starts], axis=2)
        widths = np.broadcast_to(2 * radii[:, 0], lengths.shape)
        pixels = rod_outlines(begin, finish, np.broadcast_to(radii, (*lengths.shape, 2)), focal)
        return cls(
            owner=np.repeat(np.arange(len(actors)), [len(each.body.limbs) for each in actors]),
            maps=rod_maps(begin, finish, lengths, widths, focal),
            pixels=pixels,
            outlines=fixed_point(pixels),
            distance=(begin[..., 2] + finish[..., 2]) / 2,
            is_near=(points[:, starts, 2] > NEAR) & (points[:, ends, 2] > NEAR),
        )

    def boxes(self, actors: int) -> tuple[_Array, NDArray[np.bool_]]:
        """Return the box of each actor, ``(T, actors, 4)``; NaN if a part is behind the camera."""
        points = self.pixels.reshape(len(self.pixels), -1, 2)
        owner = np.repeat(self.owner, self.pixels.shape[2])
        return _boxes(points, owner, actors), _all_of(self.is_near, self.owner, actors)


def _seen_corners(actors: Sequence[Actor], placed: _Array) -> _Array:
    """Return homogeneous image points of the corners of all panels, ``(T, corners, 3)``."""
    points = []
    for actor, maps in zip(actors, placed, strict=True):
        if actor.body.panels:
            corners = np.concatenate([panel.corners for panel in actor.body.panels])
            points.append(corners @ maps[..., :3].transpose(0, 2, 1) + maps[:, None, :, 3])
    return np.concatenate(points, axis=1)


def _boxes(points: _Array, owner: NDArray[np.intp], actors: int) -> _Array:
    """Return left, top, right and bottom of the points of each actor; infinite if it has none."""
    found = np.full((len(points), actors, 4), np.inf)
    found[..., 2:] = -np.inf
    present, starts = np.unique(owner, return_index=True)
    if len(present):
        found[:, present, :2] = np.minimum.reduceat(points, starts, axis=1)
        found[:, present, 2:] = np.maximum.reduceat(points, starts, axis=1)
    return found


def _all_of(flags: NDArray[np.bool_], owner: NDArray[np.intp], actors: int) -> NDArray[np.bool_]:
    found = np.ones((len(flags), actors), dtype=np.bool_)
    present, starts = np.unique(owner, return_index=True)
    if len(present):
        found[:, present] = np.logical_and.reduceat(flags, starts, axis=1)
    return found


def joined_boxes(
    one: tuple[_Array, NDArray[np.bool_]], other: tuple[_Array, NDArray[np.bool_]]
) -> _Array:
    """Return boxes around both, NaN where a part of either is behind the camera."""
    low = np.minimum(one[0][..., :2], other[0][..., :2])
    high = np.maximum(one[0][..., 2:], other[0][..., 2:])
    boxes = np.concatenate([low, high], axis=2)
    return np.where((one[1] & other[1])[..., None] & np.isfinite(boxes), boxes, np.nan)


def _headings(frames: _Array) -> list[float | None]:
    """Return the heading of panels in the body; ``None`` for those that face up or down."""
    (ax, ay, az), (bx, by, bz) = frames[:, :3, 0].T, frames[:, :3, 1].T
    x, z = (
        by * az - bz * ay,
        bx * ay - by * ax,
    )  # of the normal: the axes of the body are left-handed
    return [
        None if level < _LEVEL else float(heading)
        for level, heading in zip(np.hypot(x, z), np.arctan2(x, z), strict=True)
    ]


def _panel_frames(panels: Sequence[Panel]) -> _Array:
    """Return the maps from panel coordinates, along the first edge and across, to the body."""
    corners = np.array([panel.corners[:3] for panel in panels]).reshape(-1, 3, 3)
    origin = corners[:, 0]
    along = corners[:, 1] - origin
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    offset = corners[:, 2] - origin
    across = offset - (offset * along).sum(axis=1, keepdims=True) * along
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    frames = np.zeros((len(panels), 4, 3))
    frames[:, :3] = np.stack([along, across, origin], axis=2)
    frames[:, 3, 2] = 1
    return frames
