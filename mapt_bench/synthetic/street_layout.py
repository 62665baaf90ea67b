"""The layout of a street, and how the recording car drives along it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.paths import Clock, Path, Route, drive, pace, travelled
from mapt_bench.synthetic.scene import CameraTrack
from mapt_bench.synthetic.style_sampling import style_of
from mapt_bench.synthetic.styles import Style
from mapt_bench.synthetic.world_settings import WorldSettings, even_choice

__all__ = [
    "BEFORE",
    "LANE",
    "Lane",
    "Layout",
    "Manner",
    "Recording",
    "Strip",
    "sample_layout",
    "sample_recording",
]

Floats = NDArray[np.float64]

Manner = Literal["cruise", "crawl", "wait", "turn"]
"""Manner of driving: along a street, in slow traffic, up to a light, or round a corner."""

_MANNERS: dict[Manner, float] = {"cruise": 0.46, "crawl": 0.17, "wait": 0.2, "turn": 0.17}
"""How often each occurs in realistic streets, as in KITTI."""

LANE = 3.3
"""Width of a lane in metres."""

BEFORE = 30.0
"""Length of the main road behind the camera's first position, in metres."""

_PARKING = 2.3
_AHEAD = 130.0
_CROSS_HALF = 75.0


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """A line that things follow.

    Attributes:
        route: Route of the road.
        beside: Metres to the right of the middle of the road.
        back: Whether its traffic runs against the direction of the route.
        middle: Centre of the traffic along the route: the camera's first position, or the junction.
        name: Name of the lane or sidewalk, with that of the road.
    """

    route: Route
    beside: float
    back: bool
    middle: float
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """One road and its parts, from the middle outwards.

    Attributes:
        route: Its middle line.
        lanes: Number of lanes in each direction.
        parking: Width of the parking strip on each side in metres; 0 for none.
        sidewalk: Width of each sidewalk in metres.
        verge: Width of the grass beyond the sidewalk in metres.
        middle: See :class:`Lane`.
        name: ``"main"`` or ``"cross"``.
    """

    route: Route
    lanes: int
    parking: float
    sidewalk: float
    verge: float
    middle: float
    name: str

    @property
    def half_road(self) -> float:
        """Distance from the middle to the kerb in metres."""
        return self.lanes * LANE + self.parking

    @property
    def half_width(self) -> float:
        """Distance from the middle to buildings and gardens in metres."""
        return self.half_road + self.sidewalk + self.verge

    def lane(self, number: int, *, back: bool) -> Lane:
        """Return a lane: 0 is next to the middle, on the right, or on the left with ``back``."""
        beside = (number + 0.5) * LANE
        name = f"{self.name} {'back' if back else 'ahead'} {number}"
        return Lane(self.route, -beside if back else beside, back, self.middle, name)

    def parked(self, side: int) -> Lane:
        """Return the line of parked cars on the right (1) or left (-1)."""
        inwards = self.half_road - max(self.parking, 2.0) / 2
        name = f"{self.name} parked {side}"
        return Lane(self.route, side * inwards, side < 0, self.middle, name)

    def walk(self, side: int, share: float) -> Lane:
        """Return a line along the right (1) or left (-1) sidewalk.

        Args:
            side: 1 is right, -1 left.
            share: Position across the sidewalk, 0..1; 0 is the kerb.
        """
        beside = side * (self.half_road + share * self.sidewalk)
        return Lane(self.route, beside, False, self.middle, f"{self.name} walk {side}")


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The roads of a street.

    Attributes:
        main: The road on which the camera starts.
        cross: The road that crosses it at a right angle; ``None`` without a junction.
        junction: Position of the junction on the main road, in metres from its start.
    """

    main: Strip
    cross: Strip | None
    junction: float

    @property
    def strips(self) -> tuple[Strip, ...]:
        """The main road, and the crossing road if there is one."""
        return (self.main,) if self.cross is None else (self.main, self.cross)

    def corner(self, side: Literal[-1, 1], radius: float) -> Route:
        """Return the route of a turn to the right (1) or left (-1) at the junction."""
        if self.cross is None:
            raise ValueError("a street without a junction has no corner")
        inner = self.main.lane(self.main.lanes - 1 if side > 0 else 0, back=False)
        outer = self.cross.lane(self.cross.lanes - 1 if side > 0 else 0, back=side < 0)
        meets_at = self.junction - outer.beside
        before = np.arange(0.0, meets_at - radius, 1.0)
        lane = self.main.route.place(before, inner.beside)
        turn = np.linspace(0.0, np.pi / 2, 24)
        ahead = radius * np.append(np.sin(turn), 1.0)
        aside = radius * np.append(1 - np.cos(turn), 2.0)
        arc = self.main.route.place(meets_at - radius + ahead, inner.beside + side * aside)
        return Route(np.concatenate([lane, arc]))


def sample_layout(rng: np.random.Generator, *, junction: float | None, bends: bool) -> Layout:
    """Sample a street.

    Args:
        rng: Source of all choices.
        junction: Metres from the camera's first position to the middle of the crossing road;
            ``None`` for no junction. With a junction, the main road is straight.
        bends: Whether the main road bends, if there is no junction.
    """
    steps = int((BEFORE + _AHEAD) / 2.0)
    curvature = np.zeros(steps)
    if bends and junction is None:
        along = np.arange(steps) * 2.0
        wave = np.sin(2 * np.pi * (along / rng.uniform(90, 200) + rng.uniform()))
        curvature = rng.uniform(0.003, 0.012) * wave
    # The camera starts at the origin and looks along z.
    route = Route.bent(np.zeros(2), 0.0, curvature)
    lanes = int(rng.choice((1, 1, 2)))
    parking = _PARKING if rng.uniform() < 0.75 else 0.0
    sidewalk = rng.uniform(2.2, 3.8)
    verge = rng.uniform(1.0, 4.0) if rng.uniform() < 0.4 else 0.0
    main = Strip(route, lanes, parking, sidewalk, verge, BEFORE, "main")
    if junction is None:
        return Layout(main, None, BEFORE + 2 * _AHEAD)
    middle = BEFORE + junction
    start = route.place(np.array(middle), -_CROSS_HALF)
    ends = np.stack([start, route.place(np.array(middle), _CROSS_HALF)])
    crossing = Route(np.linspace(ends[0], ends[1], 3))
    other = Strip(
        crossing,
        int(rng.choice((1, 1, 2))),
        _PARKING if rng.uniform() < 0.5 else 0.0,
        rng.uniform(2.2, 3.5),
        0.0,
        _CROSS_HALF,
        "cross",
    )
    return Layout(main, other, middle)


_FOCAL = 721.5 / 375  # of KITTI's colour cameras, in image heights
_ELEVATION = 1.65  # metres, also of KITTI's cameras


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """The recording car in a street.

    Attributes:
        manner: Manner of driving.
        layout: The street.
        route: Route that it follows.
        beside: Metres to the right of the route.
        along: Metres on the route in each frame, ``(frames,)``.
        speeds: Speed in each frame in m/s.
        camera: Its camera.
    """

    manner: Manner
    layout: Layout
    route: Route
    beside: float
    along: Floats
    speeds: Floats
    camera: CameraTrack


def sample_recording(rng: np.random.Generator, settings: WorldSettings, clock: Clock) -> Recording:
    """Sample a street, and how the recording car drives along it."""
    manner, haste = even_choice(settings.seed, _MANNERS)
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
        along = stop_line - travelled(speeds, clock)[::-1]  # brakes to a stop, or stands
        speeds = speeds[::-1]
    camera = _camera(rng, clock, style_of(settings), drive(route, along, beside), along)
    return Recording(manner, layout, route, beside, along, speeds, camera)


def _street(rng: np.random.Generator, manner: Manner) -> Layout:
    if manner == "turn":
        return sample_layout(rng, junction=rng.uniform(16.0, 26.0), bends=False)
    if manner == "wait":
        return sample_layout(rng, junction=rng.uniform(25.0, 45.0), bends=False)
    junction = rng.uniform(35.0, 90.0) if rng.uniform() < 0.35 else None
    return sample_layout(rng, junction=junction, bends=rng.uniform() < 0.6)


def _speeds(
    rng: np.random.Generator, manner: Manner, haste: float, settings: WorldSettings, clock: Clock
) -> Floats:
    """Sample the speed in each frame in m/s. Haste, 0..1, selects it from the range of a manner."""
    if manner == "wait":  # in reverse time: from standing to the first speed
        braked = (2.6 - 2.2 * haste) * clock.span  # seconds before the end; mostly before the start
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
