"""A scene: the way of a camera through ground, surroundings and actors, and the light on them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.shapes import Actor, Color, Paint

__all__ = ["CameraTrack", "Ground", "Light", "Scene", "Sky"]


@dataclass(frozen=True, slots=True, eq=False)
class CameraTrack:
    """A pinhole camera on its way.

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
            are drawn in their order, so that a marking lies on the road.
        paint: Its look; the texture runs along x and z.
    """

    class_name: str
    corners: NDArray[np.float64] | None
    paint: Paint


@dataclass(frozen=True, slots=True)
class Sky:
    """What lies at infinity, turning with the camera.

    Attributes:
        zenith: RGB overhead.
        horizon: RGB at the horizon; distant surfaces fade into it too.
        clouds: Strength of clouds, 0..1.
        glow: How much lighter it is around the sun, 0..1.
    """

    zenith: Color
    horizon: Color
    clouds: float = 0.0
    glow: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """How a scene becomes an image.

    Attributes:
        exposure: ``(frames,)`` factors on all colours, around 1.
        sun: Heading from which the sun shines, radians; panels that face it are lighter.
        contrast: How much lighter, 0..1.
        haze: Metres at which a surface has faded by half into the horizon's colour; ``inf`` for
            none.
        noise: Standard deviation of the sensor's noise in grey levels (0..255).
        shutter: Share of the time between frames that the shutter is open: motion blur.
        softness: Standard deviation of the lens's blur in pixels at 128 rows.
        sun_height: Radians above the horizon: shadows are as long as that makes them. ``None``: the
            sun is hidden, or at the zenith, and shadows lie below things.
        shadow: Share of the light that reaches shaded ground, 0..1.
        balance: Gains of red, green and blue.
        gamma: Exponent on all colours, from 0 (black) to 1 (white).
        saturation: Factor on the chroma of all colours.
        vignette: Share of the light that the corners of the image lack, 0..1.
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
    """Everything that is drawn.

    Attributes:
        camera: Who looks.
        ground: Patches from the bottom up; the first reaches to the horizon.
        sky: Above the horizon.
        surroundings: Stuff behind all actors, such as rows of houses, drawn far to near.
        actors: Things, and stuff that can stand before things, drawn far to near.
        light: From colours to an image.
        bonnet: Share of the image's height that the void bonnet of the recording car covers.
    """

    camera: CameraTrack
    ground: tuple[Ground, ...]
    sky: Sky
    surroundings: tuple[Actor, ...]
    actors: tuple[Actor, ...]
    light: Light
    bonnet: float = 0.0
