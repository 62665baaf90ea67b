"""Boxes of tracks: how far they overlap with segments, and Kalman filters that predict them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from mapt_bench.tracking import FrameSegments
from mapt_bench.tracking.masks import segment_boxes

__all__ = [
    "OVERLAPS",
    "PIXEL_NOISE",
    "SIZE_NOISE",
    "AreaFilter",
    "BoxFilter",
    "Mask",
    "NoiseModel",
    "Outlines",
    "Overlap",
    "SideFilter",
    "box_iou",
    "mask_iou",
    "moved_boxes",
]

Overlap = Literal["box", "mask"]
"""What the overlap of a track and a segment is measured on."""

OVERLAPS: tuple[Overlap, ...] = get_args(Overlap)

_Floats = NDArray[np.float64]


def box_iou(first: _Floats, second: _Floats) -> _Floats:
    """Intersection over union of every pair of boxes.

    Args:
        first: ``(n, 4)``: left, top, right, bottom in pixels, right and bottom exclusive.
        second: ``(m, 4)``.

    Returns:
        ``(n, m)`` in ``[0, 1]``; 0 where both boxes are empty.

    Example:
        >>> box_iou(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2], [5, 5, 6, 6]])).round(3)
        array([[0.333, 0.   ]])
    """
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    whole = _areas(first)[:, None] + _areas(second)[None, :] - shared
    iou: _Floats = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    return iou


def _areas(boxes: _Floats) -> _Floats:
    areas: _Floats = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)
    return areas


def moved_boxes(boxes: _Floats, camera: _Floats) -> _Floats:
    """Move the corners of boxes with the camera.

    Args:
        boxes: ``(n, 4)``: left, top, right, bottom in pixels.
        camera: ``(2, 3)``: affine map from pixels of the earlier frame to those of the present one.
            It turns by less than 45 degrees.

    Example:
        >>> moved_boxes(np.array([[0.0, 0, 2, 4]]), np.array([[2.0, 0, 1], [0, 2, 0]]))
        array([[1., 0., 5., 8.]])
    """
    corners = boxes.reshape(-1, 2, 2) @ camera[:, :2].T + camera[:, 2]
    moved: _Floats = corners.reshape(-1, 4)
    return moved


Mask = NDArray[np.bool_]
"""The mask of a segment inside its box: ``bool`` of shape ``(rows, columns)``."""


class Outlines:
    """The segments of a frame, as boxes or as masks.

    Args:
        segments: The segments.
        overlap: What overlaps are measured on.

    Attributes:
        boxes: ``float64`` of shape ``(n, 4)``: left, top, right, bottom in pixels.
        masks: The mask of each segment inside its box; empty where overlaps are those of boxes.
    """

    def __init__(self, segments: FrameSegments, overlap: Overlap) -> None:
        self.boxes = segment_boxes(segments.index_map, segments.count)
        self.masks: list[Mask] = []
        self._overlap = overlap
        self._index_map = segments.index_map
        if overlap == "mask":
            self.masks = [
                segments.index_map[top:bottom, left:right] == k
                for k, (left, top, right, bottom) in enumerate(self.boxes.astype(int).tolist())
            ]

    def iou(self, boxes: _Floats, masks: Sequence[Mask]) -> _Floats:
        """Return the overlap of each track with each segment: ``(tracks, n)`` in ``[0, 1]``.

        Args:
            boxes: ``(tracks, 4)``: where each track lies now, in pixels.
            masks: Mask of each track inside its last box. It is stretched to the box of now.
        """
        if self._overlap == "box":
            return box_iou(boxes, self.boxes)
        return mask_iou(masks, boxes, self._index_map, len(self.boxes))


def mask_iou(
    masks: Sequence[Mask], boxes: _Floats, index_map: NDArray[np.int32], count: int
) -> _Floats:
    """Intersection over union of masks, stretched to boxes, with the segments of a frame.

    Args:
        masks: n masks of an earlier frame.
        boxes: ``(n, 4)``: where each lies now: left, top, right, bottom in pixels. Parts outside
            the frame do not count.
        index_map: ``(height, width)``: ``k`` where segment ``k`` lies, -1 elsewhere.
        count: Number of segments m.

    Returns:
        ``(n, m)`` in ``[0, 1]``; 0 where both masks are empty.

    Example:
        >>> segments = np.array([[0, 0, 1, -1]], dtype=np.int32)
        >>> one = np.ones((1, 2), dtype=bool)
        >>> mask_iou([one], np.array([[1.0, 0, 3, 1]]), segments, 2).round(3)
        array([[0.333, 0.5  ]])
    """
    height, width = index_map.shape
    shared = np.zeros((len(masks), count))
    areas = np.zeros(len(masks))
    for n, (mask, (left, top, right, bottom)) in enumerate(zip(masks, boxes.tolist(), strict=True)):
        rows, from_rows = _samples(top, bottom, height, mask.shape[0])
        columns, from_columns = _samples(left, right, width, mask.shape[1])
        pixels = mask[from_rows][:, from_columns]
        covered = index_map[rows, columns][pixels]
        areas[n] = covered.size
        shared[n] = np.bincount(covered + 1, minlength=count + 1)[1:]
    present = np.bincount(index_map.ravel() + 1, minlength=count + 1)[1:]
    whole = areas[:, None] + present[None, :] - shared
    iou: _Floats = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    return iou


def _samples(low: float, high: float, size: int, cells: int) -> tuple[slice, NDArray[np.int64]]:
    """Return the pixels whose centres lie in a range, and the cell of the mask that each shows."""
    first = int(np.clip(np.ceil(low - 0.5), 0, size))
    last = int(np.clip(np.ceil(high - 0.5), first, size)) if cells else first
    centres = np.arange(first, last) + 0.5
    shown = np.floor((centres - low) * (cells / max(high - low, 1e-9))).astype(np.int64)
    return slice(first, last), np.clip(shown, 0, max(cells - 1, 0))


@dataclass(frozen=True)
class NoiseModel:
    """Standard deviations of a filter, one number for each part of its state.

    Attributes:
        birth: Of a new state.
        drift: Of what changes in a frame.
        measurement: Of measured boxes.
        is_relative: Whether these are shares of the object's size rather than pixels.
    """

    birth: tuple[float, ...]
    drift: tuple[float, ...]
    measurement: tuple[float, ...]
    is_relative: bool = True


_LEAST_AREA = 1.0
_LEAST_ASPECT = 1e-3
_LEAST_SIDE = 1e-3

SIZE_NOISE = NoiseModel(
    birth=(0.10, 0.10, 0.20, 0.20, 0.50, 0.50, 0.20),
    drift=(0.02, 0.02, 0.02, 0.02, 0.05, 0.05, 0.02),
    measurement=(0.05, 0.05, 0.10, 0.10),
)
"""Shares: of places and speeds, of the object's side (the root of its area); of areas, of its
area; of the aspect, as such. Near objects are large and move far."""

PIXEL_NOISE = NoiseModel(
    birth=(10**0.5, 10**0.5, 10**0.5, 10**0.5, 100.0, 100.0, 100.0),
    drift=(1.0, 1.0, 1.0, 1.0, 0.1, 0.1, 0.01),
    measurement=(1.0, 1.0, 10**0.5, 10**0.5),
    is_relative=False,
)
"""What the code of SORT and OC-SORT uses, in pixels, for frames of about 1920x1080."""

_SIDE_NOISE = NoiseModel(
    birth=(0.1, 0.1, 0.1, 0.1, 0.0625, 0.0625, 0.0625, 0.0625),
    drift=(0.05, 0.05, 0.05, 0.05, 0.00625, 0.00625, 0.00625, 0.00625),
    measurement=(0.05, 0.05, 0.05, 0.05),
)
"""Shares of the object's width (x, w) and height (y, h), as in BoT-SORT."""


class BoxFilter(ABC):
    """Kalman filters of ``n`` boxes whose state moves linearly. Units are pixels and frames.

    Args:
        noise: Standard deviations.

    Attributes:
        means: ``float64`` of shape ``(n, d)``: four measured quantities, then their speeds.
        covariances: ``float64`` of shape ``(n, d, d)``.
    """

    _measured = 4
    _size: int
    _step: _Floats

    def __init__(self, noise: NoiseModel) -> None:
        self.noise = noise
        self.means: _Floats = np.zeros((0, self._size))
        self.covariances: _Floats = np.zeros((0, self._size, self._size))

    @property
    @abstractmethod
    def boxes(self) -> _Floats:
        """Boxes now: ``(n, 4)`` of left, top, right, bottom."""

    @abstractmethod
    def _measurements(self, boxes: _Floats) -> _Floats:
        """Return what is measured of ``(k, 4)`` boxes."""

    @abstractmethod
    def _units(self, states: _Floats) -> _Floats:
        """Return the size that relative noise is a share of: ``(k, d)``."""

    @abstractmethod
    def _turn(self, linear: _Floats) -> _Floats:
        """Return the ``(d, d)`` map of states by the linear part of a camera's motion."""

    def add(self, boxes: _Floats) -> None:
        """Start a track, at rest, at each of ``(k, 4)`` boxes."""
        fresh = np.zeros((len(boxes), self._size))
        fresh[:, : self._measured] = self._measurements(boxes)
        self.means = np.concatenate([self.means, fresh])
        covariances = self._covariances(fresh, self.noise.birth)
        self.covariances = np.concatenate([self.covariances, covariances])

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Forget the tracks that are not marked in ``(n,)``."""
        self.means, self.covariances = self.means[kept], self.covariances[kept]

    def picked(self, tracks: NDArray[np.int64]) -> Self:
        """Return a filter with copies of some tracks: ``(k,)`` positions."""
        other = type(self)(self.noise)
        other.means, other.covariances = self.means[tracks], self.covariances[tracks]
        return other

    def put(self, tracks: NDArray[np.int64], other: "BoxFilter") -> None:
        """Take over the states of another filter for ``(k,)`` tracks."""
        self.means[tracks], self.covariances[tracks] = other.means, other.covariances

    def predict(self) -> None:
        """Predict every track one frame ahead."""
        drift = self._covariances(self.means, self.noise.drift)
        self.means = self.means @ self._step.T
        self.covariances = self._step @ self.covariances @ self._step.T + drift

    def update(self, tracks: NDArray[np.int64], boxes: _Floats) -> None:
        """Correct tracks by measured boxes.

        Args:
            tracks: ``(k,)`` positions, each at most once.
            boxes: ``(k, 4)`` their boxes in the present frame.
        """
        means, covariances = self.means[tracks], self.covariances[tracks]
        measured = self._measurements(boxes)
        observed = covariances[:, : self._measured, :]
        noise = self._covariances(self._noise_states(means, measured), self.noise.measurement)
        spread = observed[:, :, : self._measured] + noise
        gain = np.linalg.solve(spread, observed).transpose(0, 2, 1)
        surprise = measured - means[:, : self._measured]
        self.means[tracks] = means + np.einsum("kij,kj->ki", gain, surprise)
        self.covariances[tracks] = covariances - gain @ observed

    def follow_camera(self, camera: _Floats) -> None:
        """Move all states with the camera.

        Args:
            camera: ``(2, 3)``: affine map from pixels of the earlier frame to the present one.
        """
        turn = self._turn(camera[:, :2])
        self.means = self.means @ turn.T
        self.means[:, :2] += camera[:, 2]
        self.covariances = turn @ self.covariances @ turn.T

    def _noise_states(self, means: _Floats, measured: _Floats) -> _Floats:
        """Return the states whose size the noise of a measurement is relative to."""
        return measured

    def _covariances(self, states: _Floats, deviations: tuple[float, ...]) -> _Floats:
        """Return diagonal covariances ``(k, d, d)``."""
        size = len(deviations)
        units = np.ones((len(states), size))
        if self.noise.is_relative:
            units = self._units(states)[:, :size]
        return (units * deviations)[:, :, None] ** 2 * np.eye(size)


def _constant_speed(size: int) -> _Floats:
    step = np.eye(size)
    moving = np.arange(size - BoxFilter._measured)
    step[moving, moving + BoxFilter._measured] = 1.0
    return step


class AreaFilter(BoxFilter):
    """States: centre x and y, area, aspect, and the speeds of the first three.

    The model of SORT (Bewley et al. 2016, section 3.2): the aspect ratio (width over height) is
    constant, the rest moves linearly. The paper does not give the noise: see
    :data:`SIZE_NOISE` and :data:`PIXEL_NOISE`.

    Args:
        noise: Standard deviations.
    """

    _size = 7
    _step = _constant_speed(7)

    def __init__(self, noise: NoiseModel = SIZE_NOISE) -> None:
        super().__init__(noise)

    @property
    def boxes(self) -> _Floats:
        """Boxes now: ``(n, 4)`` of left, top, right, bottom."""
        center = self.means[:, :2]
        area = np.maximum(self.means[:, 2], _LEAST_AREA)
        aspect = np.maximum(self.means[:, 3], _LEAST_ASPECT)
        half = np.stack([np.sqrt(area * aspect), np.sqrt(area / aspect)], axis=1) / 2
        return np.concatenate([center - half, center + half], axis=1)

    def stop_vanishing(self) -> None:
        """Set the speed of the area to 0 where the area would shrink to nothing."""
        self.means[self.means[:, 2] + self.means[:, 6] <= 0, 6] = 0.0

    def _measurements(self, boxes: _Floats) -> _Floats:
        size = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6)
        center = (boxes[:, :2] + boxes[:, 2:]) / 2
        return np.column_stack([center, size.prod(axis=1), size[:, 0] / size[:, 1]])

    def _units(self, states: _Floats) -> _Floats:
        area = np.maximum(states[:, 2], _LEAST_AREA)
        side, one = np.sqrt(area), np.ones_like(area)
        return np.column_stack([side, side, area, one, side, side, area])

    def _turn(self, linear: _Floats) -> _Floats:
        turn = np.eye(self._size)
        turn[:2, :2] = turn[4:6, 4:6] = linear
        turn[2, 2] = turn[6, 6] = np.linalg.det(linear)
        return turn


class SideFilter(BoxFilter):
    """States: centre x and y, width, height, and the speeds of all four.

    The model of BoT-SORT (Aharon et al. 2022, section 3.1), with its noise.
    """

    _size = 8
    _step = _constant_speed(8)

    def __init__(self, noise: NoiseModel = _SIDE_NOISE) -> None:
        super().__init__(noise)

    @property
    def boxes(self) -> _Floats:
        """Boxes now: ``(n, 4)`` of left, top, right, bottom."""
        center, half = self.means[:, :2], self._sides(self.means) / 2
        return np.concatenate([center - half, center + half], axis=1)

    def _sides(self, states: _Floats) -> _Floats:
        return np.maximum(states[:, 2:4], _LEAST_SIDE)

    def _measurements(self, boxes: _Floats) -> _Floats:
        center = (boxes[:, :2] + boxes[:, 2:]) / 2
        return np.column_stack([center, boxes[:, 2:] - boxes[:, :2]])

    def _units(self, states: _Floats) -> _Floats:
        return np.tile(self._sides(states), (1, 4))

    def _noise_states(self, means: _Floats, measured: _Floats) -> _Floats:
        return means

    def _turn(self, linear: _Floats) -> _Floats:
        return np.kron(np.eye(4), linear).astype(np.float64)
