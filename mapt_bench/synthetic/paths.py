"""Motion: routes along streets, speeds that change, walks that turn."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.world_settings import FRAME_SECONDS, WorldSettings

__all__ = ["Clock", "Paces", "Path", "Route", "drive", "pace", "travelled", "walk"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Paces:
    """Changes of speed in a video.

    Attributes:
        are_waves: Whether speeds vary like waves; otherwise they change from level to level.
        period: Smallest and largest duration of a wave, or of a level, in seconds.
        strength: Smallest and largest change as a share of the mean; levels use the largest.
    """

    are_waves: bool
    period: tuple[float, float]
    strength: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Clock:
    """Times of the frames of a video.

    Attributes:
        frames: Number of frames.
        step: Seconds of scene time between two frames; more than 0.1 for faster motion.
    """

    frames: int
    step: float

    @classmethod
    def of(cls, settings: WorldSettings) -> Self:
        """Return the clock of a video. ``settings.speed`` stretches the time between frames."""
        return cls(settings.frames, FRAME_SECONDS * settings.speed)

    @property
    def seconds(self) -> Floats:
        """Time of each frame since the first in seconds, shape ``(frames,)``."""
        return np.arange(self.frames, dtype=np.float64) * self.step

    @property
    def span(self) -> float:
        """Seconds from the first frame to the last."""
        return (self.frames - 1) * self.step


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Position of something in each frame.

    Attributes:
        position: ``(frames, 2)`` metres: x and z on the ground.
        heading: ``(frames,)`` radians; 0 looks along z, ``pi / 2`` along x.
        distance: ``(frames,)`` metres travelled so far; legs and pedals follow it.
    """

    position: Floats
    heading: Floats
    distance: Floats

    def through(self, place: Floats, frame: int) -> "Path":
        """Return the path shifted so that it passes through a place in a frame."""
        return replace(self, position=self.position + (place - self.position[frame]))


def travelled(speeds: Floats, clock: Clock) -> Floats:
    """Return the distance since the first frame in metres, ``(frames,)``, for speeds in m/s."""
    steps = (speeds[1:] + speeds[:-1]) * (0.5 * clock.step)
    return np.concatenate([[0.0], np.cumsum(steps)])


def pace(
    rng: np.random.Generator,
    clock: Clock,
    cruise: float,
    paces: Paces,
    *,
    stop: float = 0.0,
) -> Floats:
    """Sample speeds that are never constant.

    They vary like waves, or change from one level to the next.

    Args:
        rng: Random generator.
        clock: Times of the frames.
        cruise: Mean speed while moving, m/s.
        paces: Waves or levels, and their strength.
        stop: Probability of one stop.

    Returns:
        Speeds in m/s, none negative, shape ``(frames,)``.
    """
    seconds = clock.seconds
    if paces.are_waves:
        period, strength = rng.uniform(*paces.period), rng.uniform(*paces.strength)
        factors = 1 + strength * np.sin(2 * np.pi * (seconds / period + rng.uniform()))
    else:
        period = rng.uniform(*paces.period)
        strength = paces.strength[1]
        levels = rng.uniform(1 - strength, 1 + strength, size=int(clock.span / period) + 3)
        factors = _eased(seconds / period + rng.uniform(), levels)
    if rng.uniform() < stop:
        middle, hold = rng.uniform(0.1, 0.9) * clock.span, rng.uniform(0.3, 1.5)
        factors = factors * _step((np.abs(seconds - middle) - hold / 2) / rng.uniform(0.5, 1.2))
    return np.asarray(cruise * factors)


def _step(values: Floats) -> Floats:
    """Rise smoothly from 0 at 0 to 1 at 1."""
    clipped = np.clip(values, 0.0, 1.0)
    return np.asarray(clipped * clipped * (3 - 2 * clipped))


def _eased(places: Floats, levels: Floats) -> Floats:
    """Change from each level to the next, with a pause at each."""
    whole = places.astype(np.int64)
    share = _step(1.6 * (places - whole) - 0.3)
    return np.asarray(levels[whole] + (levels[whole + 1] - levels[whole]) * share)


def walk(
    rng: np.random.Generator,
    clock: Clock,
    speeds: Floats,
    heading: float,
    *,
    wander: float = 0.2,
    turn: float = 0.0,
) -> Path:
    """Walk from the origin.

    Args:
        rng: Random generator.
        clock: Times of the frames.
        speeds: m/s, shape ``(frames,)``, from :func:`pace`.
        heading: First direction in radians.
        wander: Amplitude of changes of direction in radians.
        turn: Probability of one turn, sideways or back.
    """
    seconds = clock.seconds
    sway = np.sin(2 * np.pi * (seconds / rng.uniform(2.5, 6.0) + rng.uniform()))
    headings = heading + wander * (sway - sway[0])
    if rng.uniform() < turn:
        angle = rng.choice((-1.0, 1.0)) * rng.uniform(0.6, np.pi)
        start = rng.uniform(0.05, 0.8) * clock.span
        headings = headings + angle * _step((seconds - start) / rng.uniform(0.5, 1.1))
    steps = speeds[:, np.newaxis] * np.stack([np.sin(headings), np.cos(headings)], axis=1)
    moves = (steps[1:] + steps[:-1]) * (0.5 * clock.step)
    position = np.concatenate([np.zeros((1, 2)), np.cumsum(moves, axis=0)])
    return Path(position, headings, travelled(speeds, clock))


class Route:
    """A line on the ground that things follow, on it or beside it.

    Args:
        points: ``(n, 2)`` metres: x and z, close enough for a smooth line. The line continues
            straight beyond its ends.
    """

    def __init__(self, points: Floats) -> None:
        steps = np.diff(points, axis=0)
        headings = np.unwrap(np.arctan2(steps[:, 0], steps[:, 1]))
        middles = 0.5 * (headings[1:] + headings[:-1])
        self._points = points
        self._headings = np.concatenate([headings[:1], middles, headings[-1:]])
        self._along = np.concatenate([[0.0], np.cumsum(np.hypot(steps[:, 0], steps[:, 1]))])

    @classmethod
    def bent(cls, start: Floats, heading: float, curvature: Floats, step: float = 2.0) -> "Route":
        """Return the route with given curvatures from a start.

        Args:
            start: x and z of the first point.
            heading: Direction there, radians.
            curvature: Radians per metre in each step; positive bends to the right.
            step: Metres between two points.
        """
        headings = heading + np.concatenate([[0.0], np.cumsum(curvature * step)])
        steps = step * np.stack([np.sin(headings), np.cos(headings)], axis=1)
        return cls(np.concatenate([start[np.newaxis], start + np.cumsum(steps, axis=0)]))

    @property
    def length(self) -> float:
        """Metres."""
        return float(self._along[-1])

    def heading(self, along: Floats) -> Floats:
        """Return the direction at distances from the start, in radians."""
        return np.asarray(np.interp(along, self._along, self._headings))

    def place(self, along: Floats, beside: Floats | float = 0.0) -> Floats:
        """Return points on or beside the line.

        Args:
            along: Metres from the start, any shape.
            beside: Metres to the right of the line.

        Returns:
            x and z in the last axis.
        """
        headings = self.heading(along)
        beyond = along - np.clip(along, 0.0, self.length)
        x = np.interp(along, self._along, self._points[:, 0])
        z = np.interp(along, self._along, self._points[:, 1])
        sine, cosine = np.sin(headings), np.cos(headings)
        return np.stack(
            [x + beyond * sine + beside * cosine, z + beyond * cosine - beside * sine], -1
        )


def drive(route: Route, along: Floats, beside: Floats | float = 0.0, *, back: bool = False) -> Path:
    """Follow a route.

    Args:
        route: The route.
        along: Metres from its start in each frame, shape ``(frames,)``.
        beside: Metres to the right of it.
        back: Whether the heading is against the direction of the route.
    """
    heading = route.heading(along) + (np.pi if back else 0.0)
    return Path(route.place(along, beside), heading, np.abs(along - along[0]))
