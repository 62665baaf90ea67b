"""What a camera sees from above: directions and distances, without any image."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.scene import CameraTrack
from mapt_bench.synthetic.settings import WorldSettings

__all__ = ["Sight", "View"]

Floats = NDArray[np.float64]

_NEAR = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """Footprints as a camera sees them, in every frame; the shape is ``(..., frames)``.

    Attributes:
        ahead: Metres from the camera to the middle, along its heading.
        left: Tangent of the direction to the leftmost corner; positive is right of the middle.
        right: The same of the rightmost corner.
        is_ahead: Whether all corners lie before the camera.
    """

    ahead: Floats
    left: Floats
    right: Floats
    is_ahead: NDArray[np.bool_]

    def covers(self, other: Self, margin: float) -> NDArray[np.bool_]:
        """Whether the other is farther, and between left and right of this one.

        Args:
            other: Of a shape that broadcasts with this one's.
            margin: Metres at this one's distance by which each side must stand out.
        """
        spare = margin / np.maximum(self.ahead, _NEAR)
        is_between = (self.left + spare <= other.left) & (other.right <= self.right - spare)
        return self.is_ahead & other.is_ahead & (self.ahead < other.ahead) & is_between


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A camera on its way and the width of its image.

    Attributes:
        camera: Who looks.
        reach: Tangent of the direction to the left and right border of the image.
    """

    camera: CameraTrack
    reach: float

    @classmethod
    def of(cls, camera: CameraTrack, settings: WorldSettings) -> Self:
        """Return the view of a camera in a video."""
        return cls(camera, 0.5 * settings.width / (settings.height * camera.focal))

    def sight(self, position: Floats, heading: Floats, half_size: tuple[float, float]) -> Sight:
        """Look at rectangles that move over the ground.

        Args:
            position: Their middles, ``(..., frames, 2)`` metres.
            heading: ``(..., frames)`` radians.
            half_size: Half width and half length in metres.
        """
        offset = position - self.camera.position
        across, ahead = self._turned(offset[..., 0], offset[..., 1])
        turn = heading - self.camera.heading
        sine, cosine = np.sin(turn), np.cos(turn)
        lefts, rights, nears = [], [], []
        for aside, along in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
            x, z = aside * half_size[0], along * half_size[1]
            corner_ahead = ahead - x * sine + z * cosine
            tangent = (across + x * cosine + z * sine) / np.maximum(corner_ahead, _NEAR)
            lefts.append(tangent)
            rights.append(tangent)
            nears.append(corner_ahead > _NEAR)
        return Sight(
            ahead, np.minimum.reduce(lefts), np.maximum.reduce(rights), np.logical_and.reduce(nears)
        )

    def is_inside(self, sight: Sight, *, share: float = 0.97) -> NDArray[np.bool_]:
        """Whether footprints lie between the borders of the image, or a share of its half width."""
        reach = share * self.reach
        return sight.is_ahead & (sight.left > -reach) & (sight.right < reach)

    def touches(self, sight: Sight) -> NDArray[np.bool_]:
        """Whether any of a footprint may be inside the image."""
        return (sight.ahead > -_NEAR) & (sight.left < self.reach) & (sight.right > -self.reach)

    def _turned(self, x: Floats, z: Floats) -> tuple[Floats, Floats]:
        sine, cosine = np.sin(self.camera.heading), np.cos(self.camera.heading)
        return x * cosine - z * sine, x * sine + z * cosine
