"""Flat moving layers: exact maps between texture and image in each frame, in both directions.

A layer is a texture on a plane. In frame ``t`` a homography maps the plane to the image, and a
small wave bends the layer within its plane. The map from the image to the texture is a formula. The
other direction inverts the wave by iteration, to less than a thousandth of a pixel.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Layer", "Wave", "random_path", "random_wave", "smooth_walk"]

_Grid = NDArray[np.float32]
_ROUNDS = 8
"""Each round of the inversion reduces the error to at most a fifth: see :func:`random_wave`."""


@dataclass(frozen=True, slots=True)
class Wave:
    """Bending of a layer: ``x`` moves by a sine of ``y``, ``y`` by a sine of ``x``.

    Attributes:
        height: Largest displacement in texture pixels; 0 is a rigid layer.
        number: Radians per pixel, for ``x`` and ``y``.
        phase: Radians at frame 0, for ``x`` and ``y``.
        turn: Radians per frame, for ``x`` and ``y``.
    """

    height: float = 0.0
    number: tuple[float, float] = (0.0, 0.0)
    phase: tuple[float, float] = (0.0, 0.0)
    turn: tuple[float, float] = (0.0, 0.0)

    def shift(self, x: _Grid, y: _Grid, frame: int) -> tuple[_Grid, _Grid]:
        """Return the displacement at points of the plane, in ``x`` and ``y``."""
        of_x = np.sin(y * np.float32(self.number[0]) + self._angle(0, frame))
        of_y = np.sin(x * np.float32(self.number[1]) + self._angle(1, frame))
        height = np.float32(self.height)
        return height * of_x, height * of_y

    def _angle(self, axis: int, frame: int) -> np.float32:
        return np.float32(self.phase[axis] + self.turn[axis] * frame)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A textured plane and its motion.

    Attributes:
        texture: RGB, ``uint8`` of shape ``(height, width, 3)``.
        alpha: Coverage of each texture pixel, ``uint8`` of shape ``(height, width)``; ``None`` is
            an infinite plane, with the texture mirrored at its borders.
        homographies: Maps from the plane to the image in each frame, ``float64`` of shape
            ``(frames, 3, 3)``; the centre of the top left pixel is ``(0, 0)`` in both.
        wave: Bending of the layer.
    """

    texture: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    homographies: NDArray[np.float64]
    wave: Wave

    def sources(self, frame: int, window: tuple[int, int, int, int]) -> tuple[_Grid, _Grid]:
        """Return the texture coordinates of each pixel of an image window.

        Args:
            frame: Position in the clip.
            window: Top, left, height and width in the image.

        Returns:
            ``x`` and ``y`` on the texture, ``float32`` of shape ``(height, width)``.
        """
        top, left, height, width = window
        y = np.arange(top, top + height, dtype=np.float32)[:, None]
        x = np.arange(left, left + width, dtype=np.float32)
        plane_x, plane_y = _mapped(np.linalg.inv(self.homographies[frame]), x, y)
        if not self.wave.height:
            return plane_x, plane_y
        shift_x, shift_y = self.wave.shift(plane_x, plane_y, frame)
        return plane_x + shift_x, plane_y + shift_y

    def places(self, frame: int, x: _Grid, y: _Grid) -> tuple[_Grid, _Grid]:
        """Return the image coordinates of texture points: the inverse of :meth:`sources`."""
        plane_x, plane_y = x, y
        for _ in range(_ROUNDS if self.wave.height else 0):
            shift_x, shift_y = self.wave.shift(plane_x, plane_y, frame)
            plane_x, plane_y = x - shift_x, y - shift_y
        return _mapped(self.homographies[frame], plane_x, plane_y)

    def window(self, frame: int, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
        """Return the window of the image that the layer may cover; ``None`` if there is none.

        Args:
            frame: Position in the clip.
            size: Height and width of the image.
        """
        if self.alpha is None:
            return (0, 0, *size)
        height, width = self.alpha.shape
        room = self.wave.height + 1
        x = np.array([-room, width + room, width + room, -room], dtype=np.float32)
        y = np.array([-room, -room, height + room, height + room], dtype=np.float32)
        image_x, image_y = _mapped(self.homographies[frame], x, y)
        left, right = max(0, math.floor(image_x.min())), min(size[1], math.ceil(image_x.max()) + 1)
        top, bottom = max(0, math.floor(image_y.min())), min(size[0], math.ceil(image_y.max()) + 1)
        if left >= right or top >= bottom:
            return None
        return top, left, bottom - top, right - left

    def centre(self, frame: int) -> NDArray[np.float64]:
        """Return ``(x, y)`` of the middle of the texture in the image, in pixels."""
        height, width = self.texture.shape[:2]
        middle = np.array([(width - 1) / 2, (height - 1) / 2, 1.0])
        x, y, depth = self.homographies[frame] @ middle
        return np.array([x / depth, y / depth])


def _mapped(
    matrix: NDArray[np.float64], x: NDArray[np.floating], y: NDArray[np.floating]
) -> tuple[_Grid, _Grid]:
    # Single precision keeps a thousandth of a pixel. Rows and columns stay one-dimensional
    # until they are added.
    rows = matrix.astype(np.float32)
    x, y = x.astype(np.float32), y.astype(np.float32)
    depth = rows[2, 0] * x + (rows[2, 1] * y + rows[2, 2])
    across = rows[0, 0] * x + (rows[0, 1] * y + rows[0, 2])
    down = rows[1, 0] * x + (rows[1, 1] * y + rows[1, 2])
    np.reciprocal(depth, out=depth)
    across *= depth
    down *= depth
    return across, down


def smooth_walk(
    dice: np.random.Generator, frames: int, axes: int, *, start: float, change: float
) -> NDArray[np.float64]:
    """Return a path whose velocity changes slowly.

    Args:
        dice: Random generator.
        frames: Length of the path.
        axes: Number of coordinates.
        start: Standard deviation of the first velocity, per frame.
        change: Standard deviation of its change from frame to frame.

    Returns:
        ``float64`` of shape ``(frames, axes)``; zeros at frame 0.
    """
    velocity = dice.normal(0, 1, axes) * start + np.cumsum(
        dice.normal(0, 1, (frames, axes)) * change, axis=0
    )
    velocity[0] = 0
    return np.cumsum(velocity, axis=0)


def random_path(
    dice: np.random.Generator, frames: int, *, half_size: float, liveliness: float
) -> NDArray[np.float64]:
    """Return homographies about the origin: rotation, scale, stretch and tilt, without shift.

    Args:
        dice: Random generator.
        frames: Length of the path.
        half_size: Half of the longest side of the layer in pixels; a tilt moves borders by up to a
            fifth of it.
        liveliness: Strength of the motion: 0 is a rigid layer at rest, 1 moves most.

    Returns:
        ``float64`` of shape ``(frames, 3, 3)``; they keep ``(0, 0)`` fixed.
    """
    turn = smooth_walk(dice, frames, 1, start=0.02 * liveliness, change=0.004 * liveliness)[:, 0]
    growth = smooth_walk(dice, frames, 2, start=0.015 * liveliness, change=0.003 * liveliness)
    growth[:, 1] *= 0.3
    tilt = smooth_walk(dice, frames, 2, start=0.01, change=0.002) * liveliness
    tilt = np.tanh(tilt + dice.uniform(-0.1, 0.1, 2)) * (0.2 / half_size)
    growth = np.clip(growth, -0.7, 0.7)
    shear = math.tanh(dice.normal(0, 0.1))
    path = np.zeros((frames, 3, 3))
    cosine, sine = np.cos(turn), np.sin(turn)
    scale_x, scale_y = np.exp(growth.sum(1)), np.exp(growth[:, 0] - growth[:, 1])
    path[:, 0, 0], path[:, 0, 1] = cosine * scale_x, (shear * cosine - sine) * scale_y
    path[:, 1, 0], path[:, 1, 1] = sine * scale_x, (shear * sine + cosine) * scale_y
    path[:, 2, :2] = tilt
    path[:, 2, 2] = 1
    return path


def random_wave(dice: np.random.Generator, half_size: float, liveliness: float) -> Wave:
    """Return a wave whose slope is at most 0.2, so that it can be inverted by iteration."""
    number = dice.uniform(0.5, 2.5, 2) / half_size * math.pi / 2
    height = min(0.2 / float(number.max()), 0.1 * half_size) * dice.random() * liveliness
    phase, turn = dice.uniform(0, 2 * math.pi, 2), dice.normal(0, 0.25, 2)
    return Wave(
        height,
        (float(number[0]), float(number[1])),
        (float(phase[0]), float(phase[1])),
        (float(turn[0]), float(turn[1])),
    )
