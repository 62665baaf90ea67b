"""A Kalman filter over boxes that move and grow at constant speed, for many tracks at once."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["BoxFilter"]

_STATE = 7
_MEASURED = 4
_STEP = np.eye(_STATE)
_STEP[[0, 1, 2], [4, 5, 6]] = 1.0
_LEAST_AREA = 1.0
_LEAST_ASPECT = 1e-3

# Standard deviations: of places and speeds as shares of the object's side (the root of its area),
# of areas as shares of its area, of the aspect as such. Near objects are large and move far.
_MEASUREMENT = (0.05, 0.05, 0.10, 0.10)
_AT_BIRTH = (0.10, 0.10, 0.20, 0.20, 0.50, 0.50, 0.20)
_DRIFT = (0.02, 0.02, 0.02, 0.02, 0.05, 0.05, 0.02)


class BoxFilter:
    """States of ``n`` boxes: centre x and y, area, aspect, and the speeds of the first three.

    The model of SORT (Bewley et al. 2016, section 3.2): the aspect ratio (width over height) is
    constant, the rest moves linearly. The paper leaves the noise open; here it is in proportion
    to the object, see the constants above. Units are pixels and frames.

    Attributes:
        means: ``float64`` of shape ``(n, 7)``.
        covariances: ``float64`` of shape ``(n, 7, 7)``.
    """

    def __init__(self) -> None:
        self.means: NDArray[np.float64] = np.zeros((0, _STATE))
        self.covariances: NDArray[np.float64] = np.zeros((0, _STATE, _STATE))

    @property
    def boxes(self) -> NDArray[np.float64]:
        """Boxes now: ``(n, 4)`` of left, top, right, bottom."""
        center = self.means[:, :2]
        area = np.maximum(self.means[:, 2], _LEAST_AREA)
        aspect = np.maximum(self.means[:, 3], _LEAST_ASPECT)
        half = np.stack([np.sqrt(area * aspect), np.sqrt(area / aspect)], axis=1) / 2
        return np.concatenate([center - half, center + half], axis=1)

    def add(self, boxes: NDArray[np.float64]) -> None:
        """Begin a track at each of ``(k, 4)`` boxes, at rest."""
        fresh = np.zeros((len(boxes), _STATE))
        fresh[:, :_MEASURED] = _measurements(boxes)
        self.means = np.concatenate([self.means, fresh])
        self.covariances = np.concatenate([self.covariances, _noise(fresh, _AT_BIRTH)])

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Forget the tracks that are not marked in ``(n,)``."""
        self.means, self.covariances = self.means[kept], self.covariances[kept]

    def predict(self) -> None:
        """Move every track on by one frame."""
        drift = _noise(self.means, _DRIFT)
        self.means = self.means @ _STEP.T
        self.covariances = _STEP @ self.covariances @ _STEP.T + drift

    def update(self, tracks: NDArray[np.int64], boxes: NDArray[np.float64]) -> None:
        """Correct tracks by what was measured.

        Args:
            tracks: ``(k,)`` positions, each at most once.
            boxes: ``(k, 4)`` their boxes in the present frame.
        """
        means, covariances = self.means[tracks], self.covariances[tracks]
        measured = _measurements(boxes)
        observed = covariances[:, :_MEASURED, :]
        spread = observed[:, :, :_MEASURED] + _noise(measured, _MEASUREMENT)
        gain = np.linalg.solve(spread, observed).transpose(0, 2, 1)
        surprise = measured - means[:, :_MEASURED]
        self.means[tracks] = means + np.einsum("kij,kj->ki", gain, surprise)
        self.covariances[tracks] = covariances - gain @ observed


def _measurements(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre x, centre y, area, aspect of ``(k, 4)`` boxes."""
    size = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6)
    center = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.column_stack([center, size.prod(axis=1), size[:, 0] / size[:, 1]])


def _noise(states: NDArray[np.float64], shares: tuple[float, ...]) -> NDArray[np.float64]:
    """Diagonal covariances ``(k, d, d)`` in proportion to the size of each object."""
    area = np.maximum(states[:, 2], _LEAST_AREA)
    side, one = np.sqrt(area), np.ones_like(area)
    units = np.column_stack([side, side, area, one, side, side, area])[:, : len(shares)]
    return (units * shares)[:, :, None] ** 2 * np.eye(len(shares))
