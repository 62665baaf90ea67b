"""The panels and limbs of all actors of a stage, taken to the image at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.polygons import (
    NEAR,
    fixed_point,
    flat_outlines,
    rod_maps,
    rod_outlines,
)
from mapt_bench.synthetic.shapes import Actor, Panel

__all__ = ["Limbs", "Panels", "joined_boxes"]

_Array = NDArray[np.float64]

_LEVEL = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Panels:
    """The panels of all actors.

    Attributes:
        owner: Place of the actor of each.
        maps: ``(T, panels, 3, 3)``.
        points: Homogeneous corners of each, ``(T, corners, 3)``.
        outlines: The same in fixed point.
        is_whole: ``(T, panels)``, see :class:`Cast`.
        distance: Mean of the corners', ``(T, panels)``.
        faces_us: Whether the camera may see each, ``(T, panels)``.
        headings: Where each looks to in its body, or ``None``.
        corners: Homogeneous corners of all, ``(T, corners, 3)``.
        corner_owner: Place of the actor of each corner.
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
        """Take all panels to the image.

        Args:
            actors: Whose.
            placed: What takes the body of each to the image, ``(actors, T, 3, 4)``.
            reach: See :func:`~mapt_bench.synthetic.polygons.flat_outlines`.
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
        """Return box and whether all is before the camera, of each actor: ``(T, actors, 4)``."""
        ahead = self.corners[..., 2] > NEAR
        flat = self.corners[..., :2] / np.maximum(self.corners[..., 2:], NEAR)
        return _boxes(flat, self.corner_owner, actors), _all_of(ahead, self.corner_owner, actors)


@dataclass(frozen=True, slots=True, eq=False)
class Limbs:
    """The limbs of all actors.

    Attributes:
        owner: Place of the actor of each.
        maps: ``(T, limbs, 3, 3)``.
        pixels: Outlines, ``(T, limbs, 10, 2)``.
        outlines: The same in fixed point.
        distance: Mean of both ends', ``(T, limbs)``.
        is_near: Whether both ends are before the camera, ``(T, limbs)``.
    """

    owner: NDArray[np.intp]
    maps: _Array
    pixels: _Array
    outlines: NDArray[np.int32]
    distance: _Array
    is_near: NDArray[np.bool_]

    @classmethod
    def of(cls, actors: Sequence[Actor], placed: _Array, focal: float) -> Self:
        """Take all limbs to the image.

        Args:
            actors: Whose.
            placed: What takes the body of each to the image, ``(actors, T, 3, 4)``.
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
        """Return box and whether all is before the camera, of each actor: ``(T, actors, 4)``."""
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
    """Return left, top, right, bottom of the points of each actor; infinite where it has none."""
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
    """Return boxes around both, NaN where some of either is not before the camera."""
    low = np.minimum(one[0][..., :2], other[0][..., :2])
    high = np.maximum(one[0][..., 2:], other[0][..., 2:])
    boxes = np.concatenate([low, high], axis=2)
    return np.where((one[1] & other[1])[..., None] & np.isfinite(boxes), boxes, np.nan)


def _headings(frames: _Array) -> list[float | None]:
    """Where panels look to, in the body; ``None`` for those that look up or down."""
    (ax, ay, az), (bx, by, bz) = frames[:, :3, 0].T, frames[:, :3, 1].T
    x, z = by * az - bz * ay, bx * ay - by * ax  # of the normal: the body's axes are left-handed
    return [
        None if level < _LEVEL else float(heading)
        for level, heading in zip(np.hypot(x, z), np.arctan2(x, z), strict=True)
    ]


def _panel_frames(panels: Sequence[Panel]) -> _Array:
    """What takes coordinates on panels, along the first edge and across, to the body (n, 4, 3)."""
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
