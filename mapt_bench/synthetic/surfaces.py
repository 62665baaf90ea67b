"""Compute the visible face at every pixel of a frame."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.polygons import FRACTION_BITS, Outline, clip_to_view, fixed_point
from mapt_bench.synthetic.stage import BONNET, SKY, Cast, Stage

__all__ = ["Silhouette", "Surfaces", "draw_surfaces"]

_Number = TypeVar("_Number", np.float32, np.int32)
_Buffer = NDArray[np.int32] | NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Silhouette:
    """The whole shape of an actor in the image, cropped to it.

    Attributes:
        owner: Index of the actor in the scene.
        top: First row.
        left: First column.
        mask: ``bool`` of shape ``(h, w)``: pixels with its identity.
    """

    owner: int
    top: int
    left: int
    mask: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Surfaces:
    """Visible surfaces of a frame.

    Attributes:
        face: Index of the face at every pixel, ``int32`` of shape ``(height, width)``.
        shadow: Whether ground at the pixel lies in a shadow, ``bool``.
        silhouettes: Silhouettes of the actors that reach into the frame, far to near.
        inverse: Maps from the image to each visible face: ``(faces, 9)``, ``float32``.
    """

    face: NDArray[np.int32]
    shadow: NDArray[np.bool_]
    silhouettes: tuple[Silhouette, ...]
    inverse: NDArray[np.float32]

    @cached_property
    def runs(self) -> "Runs":
        """The faces of all pixels as runs."""
        return _find_runs(self.face)

    @cached_property
    def nearness(self) -> NDArray[np.float32]:
        """1/metres along the camera's axis of every pixel: ``(pixels,)``."""
        nearness: NDArray[np.float32] = apply_maps(self.inverse[:, 6:], self)[0]
        return nearness

    @cached_property
    def distance(self) -> NDArray[np.float32]:
        """Metres along the camera's axis, ``(height, width)``; infinite for the sky."""
        metres = np.full(self.face.shape, np.inf, dtype=np.float32)
        nearness = self.nearness.reshape(self.face.shape)
        np.divide(1, nearness, out=metres, where=(nearness > 0) & (self.face != SKY))
        return metres


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Runs of pixels in a row that show one face, in row-major order.

    There are about 20 times fewer runs than pixels. So values that depend only on the face are
    looked up for each run and repeated.

    Attributes:
        face: Index of the face of each run, ``(runs,)``.
        row: Row of each run, ``float32``.
        length: Pixels of each run.
    """

    face: NDArray[np.int32]
    row: NDArray[np.float32]
    length: NDArray[np.intp]

    def spread(self, values: NDArray[_Number]) -> NDArray[_Number]:
        """Repeat a value of each run for each of its pixels: shape ``(pixels,)``."""
        return np.repeat(values, self.length)

    def look_up(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the value of the face of each pixel: shape ``(pixels,)``.

        Args:
            values: Value of each face.
        """
        return self.spread(values[self.face])


def _find_runs(face: NDArray[np.int32]) -> Runs:
    height, width = face.shape
    flat = face.ravel()
    begins = np.empty(flat.size, dtype=np.bool_)
    np.not_equal(flat[1:], flat[:-1], out=begins[1:])
    begins[::width] = True
    starts = np.flatnonzero(begins)
    length = np.diff(starts, append=height * width)
    return Runs(flat[starts], (starts // width).astype(np.float32), length)


def apply_maps(table: NDArray[np.float32], surfaces: Surfaces) -> NDArray[np.float32]:
    """Apply the 3x3 map of its face to the position of each pixel.

    Args:
        table: ``(faces, 9)``, or fewer columns: three for each row of the result.
        surfaces: Visible surfaces of a frame.

    Returns:
        ``(rows, pixels)``.
    """
    height, width = surfaces.face.shape
    runs = surfaces.runs
    found = np.take(table, runs.face, axis=0).T
    x = np.arange(width, dtype=np.float32)
    rows = np.empty((len(found) // 3, height, width), dtype=np.float32)
    for row, total in enumerate(rows):
        across, down, still = np.ascontiguousarray(found[3 * row : 3 * row + 3])
        np.multiply(runs.spread(across).reshape(height, width), x, out=total)
        total += runs.spread(down * runs.row).reshape(height, width)
        total += runs.spread(still).reshape(height, width)
    return rows.reshape(len(rows), -1)


def draw_surfaces(stage: Stage, time: int) -> Surfaces:
    """Draw the faces of a frame, far ones first."""
    canvas = _Canvas(stage, time)
    for number, outline in stage.ground:
        canvas.fill_outline(canvas.face, outline, number)
    for cast in _far_to_near(stage.surroundings, time):
        canvas.draw(canvas.face, cast)
    silhouettes = []
    for cast in _far_to_near(stage.cast, time):
        canvas.cast_shadow(cast)
        found = canvas.draw_actor(cast)
        if found is not None:
            silhouettes.append(found)
    covered = round(stage.scene.bonnet * stage.height)
    if covered:
        canvas.fill(canvas.face, fixed_point(_bonnet(*canvas.face.shape, covered)), BONNET)
    return Surfaces(
        canvas.face, canvas.shadow.astype(np.bool_), tuple(silhouettes), _inverse(stage, time)
    )


def _inverse(stage: Stage, time: int) -> NDArray[np.float32]:
    with np.errstate(all="ignore"):
        maps = stage.maps[time]
        flat = np.abs(np.linalg.det(maps)) < 1e-12  # seen exactly edge-on: no pixel shows it
        inverse = np.linalg.inv(np.where(flat[:, None, None], np.eye(3), maps))
    return inverse.reshape(-1, 9).astype(np.float32)


def _far_to_near(casts: tuple[Cast, ...], time: int) -> list[Cast]:
    return sorted(casts, key=lambda cast: -cast.distance[time])


def _bonnet(height: int, width: int, rows: int) -> NDArray[np.float64]:
    x = np.array([0.22, 0.27, 0.40, 0.60, 0.73, 0.78]) * width
    y = height - rows * np.array([0.0, 0.6, 1.0, 1.0, 0.6, 0.0])
    return np.stack([x, y], axis=1)


def _close_seams(window: NDArray[np.int32]) -> None:
    """Fill gaps of one pixel between clipped panels and their neighbours."""
    kernel = np.ones((3, 3), dtype=np.uint8)
    whole = cv2.morphologyEx((window > 0).astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    gaps = (whole > 0) & (window == 0)
    if gaps.any():
        around = cv2.dilate(window.astype(np.float32), kernel)
        window[gaps] = around[gaps].astype(np.int32)


class _Canvas:
    def __init__(self, stage: Stage, time: int) -> None:
        self.stage, self.time = stage, time
        self.face = np.full((stage.height, stage.width), SKY, dtype=np.int32)
        self.shadow = np.zeros((stage.height, stage.width), dtype=np.uint8)
        self._scratch = np.zeros((stage.height, stage.width), dtype=np.int32)

    def fill(self, target: _Buffer, outline: NDArray[np.int32], value: int) -> None:
        """Fill a polygon in fixed point."""
        cv2.fillConvexPoly(target, outline, value, cv2.LINE_8, FRACTION_BITS)

    def fill_cut(self, target: _Buffer, points: NDArray[np.float64], value: int) -> None:
        """Fill the visible part of a polygon of homogeneous points."""
        polygon = clip_to_view(points, *self.face.shape)
        if len(polygon) > 2:
            self.fill(target, fixed_point(polygon), value)

    def fill_outline(self, target: _Buffer, outline: Outline, value: int) -> None:
        """Fill the visible part of a polygon."""
        if outline.is_whole[self.time]:
            self.fill(target, outline.pixels[self.time], value)
        elif outline.is_seen[self.time]:
            self.fill_cut(target, outline.points[self.time], value)

    def draw(self, target: NDArray[np.int32], cast: Cast) -> None:
        """Draw the faces of an actor into a buffer."""
        time, panels = self.time, len(cast.panel_points)
        order = cast.order[time]
        for place in order[cast.is_drawn[time, order]].tolist():
            number = int(cast.faces[place])
            if place >= panels:
                self.fill(target, cast.outlines[time, place - panels], number)
            elif cast.is_whole[time, place]:
                self.fill(target, cast.panel_outlines[place][time], number)
            else:
                self.fill_cut(target, cast.panel_points[place][time], number)

    def draw_actor(self, cast: Cast) -> Silhouette | None:
        """Draw an actor. Return its silhouette; ``None`` if it is outside the frame."""
        rows, columns = self._window(cast)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return None
        self.draw(self._scratch, cast)
        window = self._scratch[rows, columns]
        if not cast.is_whole[self.time].all():
            _close_seams(window)
        covered = window > 0
        np.copyto(self.face[rows, columns], window, where=covered)
        mask = covered
        if cast.foreign.size:
            mask = covered & ~np.isin(window, cast.foreign)
        silhouette = Silhouette(cast.owner, rows.start, columns.start, mask)
        window[...] = 0
        return silhouette if mask.any() else None

    def _window(self, cast: Cast) -> tuple[slice, slice]:
        height, width = self.face.shape
        left, top, right, bottom = cast.box[self.time]
        if np.isnan(left):
            if cast.distance[self.time] < -20:
                return slice(0, 0), slice(0, 0)
            return slice(0, height), slice(0, width)
        rows = slice(max(int(top) - 2, 0), min(int(bottom) + 3, height))
        columns = slice(max(int(left) - 2, 0), min(int(right) + 3, width))
        return rows, columns

    def cast_shadow(self, cast: Cast) -> None:
        if cast.shadow is None:
            return
        self.fill_outline(self.shadow, cast.shadow, 1)
