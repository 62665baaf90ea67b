"""A scene: ground, surroundings, actors and light, and how its moving camera sees them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.shapes import Actor, Color, Paint
from mapt_bench.synthetic.world_settings import WorldSettings

__all__ = [
    "CameraTrack",
    "Ground",
    "Light",
    "Scene",
    "Sight",
    "Sky",
    "View",
    "focal_px",
    "placements",
    "sky_projections",
    "world_projections",
]


@dataclass(frozen=True, slots=True, eq=False)
class CameraTrack:
    """A moving pinhole camera.

    Attributes:
        position: ``(frames, 2)`` metres: x and z on the ground.
        elevation: Metres above the ground.
        heading: ``(frames,)`` radians; 0 looks along the world's z axis, ``pi / 2`` along x.
        pitch: ``(frames,)`` radians; positive looks down.
        focal: Focal length in image heights (KITTI: 721 / 375 = 1.92).
    """

    position: NDArray[np.float64]
    elevation: float
    heading: NDArray[np.float64]
    pitch: NDArray[np.float64]
    focal: float

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return len(self.heading)


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """A convex patch of the ground.

    Attributes:
        class_name: For example ``"road"``.
        corners: ``(n, 2)`` metres: x and z; ``None`` reaches to the horizon on all sides. Patches
            are drawn in order, so that markings lie on the road.
        paint: Its paint; the texture runs along x and z.
    """

    class_name: str
    corners: NDArray[np.float64] | None
    paint: Paint


@dataclass(frozen=True, slots=True)
class Sky:
    """The sky, at infinite distance.

    Attributes:
        zenith: RGB overhead.
        horizon: RGB at the horizon; distant surfaces fade into it too.
        clouds: Strength of clouds, 0..1.
        glow: Additional brightness around the sun, 0..1.
    """

    zenith: Color
    horizon: Color
    clouds: float = 0.0
    glow: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """Light, lens and sensor: how a scene becomes an image.

    Attributes:
        exposure: ``(frames,)`` factors on all colours, around 1.
        sun: Heading from which the sun shines, radians; panels that face it are lighter.
        contrast: Additional brightness of such panels, 0..1.
        haze: Distance in metres at which half of a surface's colour is replaced by that of the
            horizon; ``inf`` for none.
        noise: Standard deviation of the sensor noise in grey levels (0..255).
        shutter: Share of the time between frames in which the shutter is open: motion blur.
        softness: Standard deviation of the lens blur in pixels, at 128 rows.
        sun_height: Radians above the horizon; it decides the length of shadows. ``None``: the sun
            is hidden or at the zenith, and shadows lie below things.
        shadow: Share of the light that reaches shaded ground, 0..1.
        balance: Gains of red, green and blue.
        gamma: Exponent on all colours, from 0 (black) to 1 (white).
        saturation: Factor on the chroma of all colours.
        vignette: Share of the light that is missing in the corners of the image, 0..1.
    """

    exposure: NDArray[np.float64]
    sun: float = 0.7
    contrast: float = 0.25
    haze: float = float("inf")
    noise: float = 3.0
    shutter: float = 0.3
    softness: float = 0.5
    sun_height: float | None = None
    shadow: float = 0.58
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    saturation: float = 1.0
    vignette: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Everything that is rendered.

    Attributes:
        camera: The camera.
        ground: Patches from the bottom up; the first reaches to the horizon.
        sky: Above the horizon.
        surroundings: Stuff behind all actors, such as rows of houses, drawn far to near.
        actors: Things, and stuff that can be in front of things, drawn far to near.
        light: Light, lens and sensor.
        bonnet: Share of the image height that the void bonnet of the recording car covers.
    """

    camera: CameraTrack
    ground: tuple[Ground, ...]
    sky: Sky
    surroundings: tuple[Actor, ...]
    actors: tuple[Actor, ...]
    light: Light
    bonnet: float = 0.0


_Array = NDArray[np.float64]


def focal_px(camera: CameraTrack, height: int) -> float:
    """Return the focal length in pixels."""
    return camera.focal * height


def _axes(camera: CameraTrack, height: int, width: int) -> _Array:
    """Return the maps from a direction of the world to a homogeneous image point ``(T, 3, 3)``."""
    sine, cosine = np.sin(camera.heading), np.cos(camera.heading)
    down, level = np.sin(camera.pitch), np.cos(camera.pitch)
    zero = np.zeros_like(sine)
    right = np.stack([cosine, zero, -sine], axis=1)
    ahead = np.stack([level * sine, -down, level * cosine], axis=1)
    below = np.stack([-down * sine, -level, -down * cosine], axis=1)
    focal = focal_px(camera, height)
    x = focal * right + (width - 1) / 2 * ahead
    y = focal * below + (height - 1) / 2 * ahead
    return np.stack([x, y, ahead], axis=1)


def sky_projections(camera: CameraTrack, height: int, width: int) -> _Array:
    """Return the maps from a direction (x, y up, z) to the image in each frame: ``(T, 3, 3)``."""
    return _axes(camera, height, width)


def world_projections(camera: CameraTrack, height: int, width: int) -> _Array:
    """Return the maps from a point of the world ``(x, y, z, 1)`` to the image: ``(T, 3, 4)``."""
    axes = _axes(camera, height, width)
    centre = np.stack(
        [
            camera.position[:, 0],
            np.full(camera.frame_count, camera.elevation),
            camera.position[:, 1],
        ],
        axis=1,
    )
    return np.concatenate([axes, -(axes @ centre[:, :, None])], axis=2)


def placements(actor: Actor, frames: int) -> _Array:
    """Return the maps from body points ``(x, y, z, 1)`` to the world: ``(T, 4, 4)``."""
    heading = np.broadcast_to(actor.heading, (frames,))
    position = np.broadcast_to(actor.position, (frames, 2))
    place = np.zeros((frames, 4, 4))
    place[:, 0, 0] = place[:, 2, 2] = np.cos(heading)
    place[:, 0, 2] = np.sin(heading)
    place[:, 2, 0] = -np.sin(heading)
    place[:, 1, 1] = place[:, 3, 3] = 1
    place[:, 0, 3] = position[:, 0]
    place[:, 2, 3] = position[:, 1]
    return place


Floats = NDArray[np.float64]

_NEAR = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """Footprints in the view of a camera, in every frame; the shape is ``(..., frames)``.

    Attributes:
        ahead: Distance of the middle along the heading of the camera, in metres.
        left: Tangent of the direction to the leftmost corner; positive is right of the axis.
        right: The same of the rightmost corner.
        is_ahead: Whether all corners are in front of the camera.
    """

    ahead: Floats
    left: Floats
    right: Floats
    is_ahead: NDArray[np.bool_]

    def covers(self, other: Self, margin: float) -> NDArray[np.bool_]:
        """Whether the other is farther away, and between left and right of this one.

        Args:
            other: Its shape must broadcast with that of this one.
            margin: Metres, at the distance of this one, by which it must be wider on each side.
        """
        spare = margin / np.maximum(self.ahead, _NEAR)
        is_between = (self.left + spare <= other.left) & (other.right <= self.right - spare)
        return self.is_ahead & other.is_ahead & (self.ahead < other.ahead) & is_between


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A moving camera and the width of its image.

    Attributes:
        camera: The camera.
        reach: Tangent of the direction to the left and right border of the image.
    """

    camera: CameraTrack
    reach: float

    @classmethod
    def of(cls, camera: CameraTrack, settings: WorldSettings) -> Self:
        """Return the view of a camera in a video."""
        return cls(camera, 0.5 * settings.width / (settings.height * camera.focal))

    def sight(self, position: Floats, heading: Floats, half_size: tuple[float, float]) -> Sight:
        """Return the footprints of rectangles that move over the ground.

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
        """Whether footprints lie inside the image, or inside a share of its half width."""
        reach = share * self.reach
        return sight.is_ahead & (sight.left > -reach) & (sight.right < reach)

    def touches(self, sight: Sight) -> NDArray[np.bool_]:
        """Whether any part of a footprint can be inside the image."""
        return (sight.ahead > -_NEAR) & (sight.left < self.reach) & (sight.right > -self.reach)

    def _turned(self, x: Floats, z: Floats) -> tuple[Floats, Floats]:
        sine, cosine = np.sin(self.camera.heading), np.cos(self.camera.heading)
        return x * cosine - z * sine, x * sine + z * cosine
