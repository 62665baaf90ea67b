"""How the recording car drives: along a street, in slow traffic, to a light, round a corner."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.even import even_choice
from mapt_bench.synthetic.layout import BEFORE, Layout, draw_layout
from mapt_bench.synthetic.paths import Clock, Path, Route, drive, pace, travelled
from mapt_bench.synthetic.sampling import style_of
from mapt_bench.synthetic.scene import CameraTrack
from mapt_bench.synthetic.settings import WorldSettings
from mapt_bench.synthetic.styles import Manner, Style

__all__ = ["Recording", "draw_recording"]

Floats = NDArray[np.float64]

_FOCAL = 721.5 / 375  # of KITTI's colour cameras, in image heights
_ELEVATION = 1.65  # metres, of the same


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """The recording car in a street.

    Attributes:
        manner: How it drives.
        layout: The street.
        route: What it follows.
        beside: Metres to the right of that.
        along: Metres on the route in each frame, ``(frames,)``.
        speeds: m/s in each frame.
        camera: What it records with.
    """

    manner: Manner
    layout: Layout
    route: Route
    beside: float
    along: Floats
    speeds: Floats
    camera: CameraTrack


def draw_recording(rng: np.random.Generator, settings: WorldSettings, clock: Clock) -> Recording:
    """Draw a street and how it is driven along."""
    manner, haste = even_choice(settings.seed, style_of(settings).manners)
    layout = _street(rng, manner)
    speeds = _speeds(rng, manner, haste, settings, clock)
    along = BEFORE + travelled(speeds, clock)
    lane = layout.main.lane(layout.main.lanes - 1, back=False)
    route, beside = lane.route, lane.beside
    if manner == "turn":
        side: Literal[-1, 1] = 1 if rng.uniform() < 0.5 else -1
        radius = rng.uniform(6.0, 9.0) if side > 0 else rng.uniform(9.0, 13.0)
        route, beside = layout.corner(side, radius), 0.0
    elif manner == "wait" and layout.cross is not None:
        stop_line = layout.junction - layout.cross.half_width - rng.uniform(5.0, 13.0)
        along = stop_line - travelled(speeds, clock)[::-1]  # comes to a stop, or stands
        speeds = speeds[::-1]
    camera = _camera(rng, clock, style_of(settings), drive(route, along, beside), along)
    return Recording(manner, layout, route, beside, along, speeds, camera)


def _street(rng: np.random.Generator, manner: Manner) -> Layout:
    if manner == "turn":
        return draw_layout(rng, junction=rng.uniform(16.0, 26.0), bends=False)
    if manner == "wait":
        return draw_layout(rng, junction=rng.uniform(25.0, 45.0), bends=False)
    junction = rng.uniform(35.0, 90.0) if rng.uniform() < 0.35 else None
    return draw_layout(rng, junction=junction, bends=rng.uniform() < 0.6)


def _speeds(
    rng: np.random.Generator, manner: Manner, haste: float, settings: WorldSettings, clock: Clock
) -> Floats:
    """Draw m/s in each frame; of all ways to drive in a manner, haste (0..1) says how fast."""
    if manner == "wait":  # told backwards: from standing to as fast as it once was
        braked = (2.6 - 2.2 * haste) * clock.span  # before the end; mostly before the start
        rolling = np.clip(clock.seconds - braked, 0.0, None)
        return np.asarray(np.minimum(rng.uniform(1.0, 2.5) * rolling, rng.uniform(3.0, 9.0)))
    slowest, fastest = {"cruise": (6.0, 14.5), "crawl": (0.5, 4.0), "turn": (2.5, 5.5)}[manner]
    stop = {"cruise": 0.05, "crawl": 0.4, "turn": 0.15}[manner]
    cruise = slowest + haste * (fastest - slowest)
    return pace(rng, clock, cruise, style_of(settings).paces, stop=stop)


def _camera(
    rng: np.random.Generator, clock: Clock, style: Style, way: Path, along: Floats
) -> CameraTrack:
    seconds = clock.seconds
    moved = np.clip(np.abs(np.gradient(along)) / clock.step if clock.frames > 1 else 0.0, 0, 5) / 5
    sway = 0.006 * np.sin(2 * np.pi * (seconds / rng.uniform(2.0, 4.0) + rng.uniform()))
    bumps = 0.004 * np.sin(2 * np.pi * (seconds / rng.uniform(0.4, 0.9) + rng.uniform()))
    return CameraTrack(
        position=way.position,
        elevation=_ELEVATION * rng.uniform(*style.elevation),
        heading=way.heading + sway * moved,
        pitch=rng.uniform(*style.pitch) + bumps * moved,
        focal=_FOCAL * rng.uniform(*style.focal),
    )
