"""Where tracks move: camera motion from the background, constant velocity above it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["CameraMotion", "Course", "Place", "Sighting", "camera_motion"]

_Values = NDArray[np.float64]

_LEAST_CELLS = 48
"""With fewer background cells the camera is taken to stand still."""

_GROWTH = 0.12
"""Growth of the uncertainty of a track that is not seen, in object sizes a frame."""

_START = 0.35
"""Uncertainty of the position of a track that was seen once, in object sizes."""

_WHOLE = 0.6
"""Share of its largest area above which the centre of a track is trusted fully."""


@dataclass(frozen=True, eq=False)
class CameraMotion:
    """How the background moves from one frame to another.

    Attributes:
        linear: ``(2, 2)``: ``linear @ (x, y) + shift`` is where a point of the earlier frame lies.
        shift: ``(2,)`` in pixels.
        speed: Median displacement of the background in pixels.
    """

    linear: _Values
    shift: _Values
    speed: float

    @classmethod
    def still(cls) -> "CameraMotion":
        """Return the motion of a camera that stands still."""
        return cls(np.eye(2), np.zeros(2), 0.0)

    def moved(self, point: _Values) -> _Values:
        """Return where a point ``(2,)`` of the earlier frame lies, in pixels."""
        there: _Values = self.linear @ point + self.shift
        return there

    @property
    def zoom(self) -> float:
        """Factor by which sizes grow."""
        return float(np.sqrt(abs(np.linalg.det(self.linear))))


def camera_motion(
    displacement: NDArray[np.floating], is_background: NDArray[np.bool_], stride: int
) -> CameraMotion:
    """Fit an affine motion to the displacement of the background.

    Args:
        displacement: ``(rows, columns, 2)``: displacement of what each cell of the later frame
            shows, to the right and downwards, in pixels; NaN where it is unknown.
        is_background: ``(rows, columns)``: cells of the later frame without things.
        stride: Pixels to a side of a cell.

    Returns:
        The motion from the earlier to the later frame. It stands still where the background has
        fewer than 48 cells. Outliers count for less: the fit is repeated with weights.
    """
    usable = is_background & np.isfinite(displacement).all(axis=2)
    rows, columns = np.nonzero(usable)
    if len(rows) < _LEAST_CELLS:
        return CameraMotion.still()
    step = max(1, len(rows) // 2000)
    rows, columns = rows[::step], columns[::step]
    moved = displacement[rows, columns].astype(np.float64)
    later = (np.stack((columns, rows), axis=1) + 0.5) * stride
    earlier = later - moved
    middle = np.median(moved, axis=0)
    design = np.concatenate((earlier, np.ones((len(earlier), 1))), axis=1)
    off = np.hypot(*(moved - middle).T)
    found = np.zeros((3, 2))
    found[2] = middle
    for _ in range(4):
        scale = max(1.5 * float(np.median(off)), 0.25)
        weight = 1 / (1 + (off / scale) ** 2)
        found, *_ = np.linalg.lstsq(design * weight[:, None], moved * weight[:, None], rcond=None)
        off = np.hypot(*(moved - design @ found).T)
    linear, shift = np.eye(2) + found[:2].T, found[2]
    if np.abs(linear - np.eye(2)).max() > 0.3:  # no camera does this from frame to frame
        linear, shift = np.eye(2), middle
    return CameraMotion(linear, shift, float(np.hypot(*middle)))


@dataclass(frozen=True, eq=False)
class Place:
    """Position of a track in one frame, seen or predicted.

    Attributes:
        centre: ``(2,)``: x and y in pixels.
        velocity: ``(2,)`` in pixels a frame, beyond that of the camera.
        spread: Standard deviation of the centre in pixels.
        size: ``(2,)``: width and height of the whole object in pixels.
    """

    centre: _Values
    velocity: _Values
    spread: float
    size: _Values

    @property
    def extent(self) -> float:
        """Side of a square with the area of the box, at least 1 pixel."""
        return float(max(np.sqrt(self.size[0] * self.size[1]), 1.0))

    @property
    def box(self) -> _Values:
        """Left, top, right, bottom in pixels."""
        return np.concatenate((self.centre - self.size / 2, self.centre + self.size / 2))


@dataclass(frozen=True, slots=True)
class Sighting:
    """One observation of a track.

    Attributes:
        frame: Frame.
        area: Pixels.
        height: Height of the box in pixels.
        score: Confidence of the segment.
    """

    frame: int
    area: float
    height: float
    score: float


@dataclass(eq=False)
class Course:
    """Movement and size of a track over time.

    Attributes:
        places: Place by frame, for the frames that are still needed.
        sightings: All observations, oldest first.
        updates: Observations that the velocity rests on.
    """

    places: dict[int, Place] = field(default_factory=dict)
    sightings: list[Sighting] = field(default_factory=list)
    updates: int = 0

    @property
    def whole_area(self) -> float:
        """Largest area of the last 12 observations, in pixels."""
        return max(each.area for each in self.sightings[-12:])

    @property
    def whole_height(self) -> float:
        """Largest height of the last 12 observations, in pixels."""
        return max(each.height for each in self.sightings[-12:])

    def predicted(self, reference: int, frames: int, camera: CameraMotion) -> Place:
        """Return the place some frames after a reference frame.

        Args:
            reference: Frame of a known place.
            frames: Frames from there.
            camera: Motion of the camera over these frames.
        """
        before = self.places[reference]
        velocity = camera.linear @ before.velocity
        size = before.size * camera.zoom
        extent = float(max(np.sqrt(size[0] * size[1]), 1.0))
        return Place(
            centre=camera.moved(before.centre) + velocity * frames,
            velocity=velocity,
            spread=float(np.hypot(before.spread * camera.zoom, _GROWTH * extent * frames)),
            size=size,
        )

    def observe(
        self, sighting: Sighting, box: _Values, expected: Place | None, frames: int
    ) -> None:
        """Record an observation.

        Args:
            sighting: What was seen.
            box: Left, top, right, bottom in pixels.
            expected: The prediction for this frame; ``None`` for the first observation.
            frames: Frames since the reference of the prediction.
        """
        centre, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
        self.sightings.append(sighting)
        start = _START * float(max(np.sqrt(size[0] * size[1]), 1.0))
        if expected is None:
            self.places[sighting.frame] = Place(centre, np.zeros(2), start, size)
            return
        trust = min(1.0, sighting.area / max(_WHOLE * self.whole_area, 1.0))  # 0 for empty masks
        self.updates += 1
        gain = trust * max(1 / self.updates, 0.35)
        velocity = expected.velocity + gain * (centre - expected.centre) / max(frames, 1)
        # A partly hidden object keeps the size of the whole one.
        whole = size + (1 - trust) * np.maximum(expected.size - size, 0)
        spread = start if trust > 0.5 else max(start, 0.7 * expected.spread)
        self.places[sighting.frame] = Place(centre, velocity, spread, whole)

    def forget_before(self, oldest: int) -> None:
        """Drop places that no later frame refers to."""
        self.places = {frame: kept for frame, kept in self.places.items() if frame >= oldest}
