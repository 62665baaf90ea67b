"""Traffic on a street: cars in lanes, people on sidewalks, and how many there are of each."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.casting import HALF_SIZES, Role, RoleKind
from mapt_bench.synthetic.paths import Clock, Path, drive, pace, travelled, walk
from mapt_bench.synthetic.scene import View
from mapt_bench.synthetic.street_layout import Lane, Manner, Recording, Strip
from mapt_bench.synthetic.style_sampling import style_of
from mapt_bench.synthetic.world_settings import WorldSettings

__all__ = [
    "Traffic",
    "add_distant",
    "ahead",
    "crossers",
    "crossing_cars",
    "cyclists",
    "fill",
    "oncoming",
    "overtaking",
    "parked_row",
    "stages",
    "waiters",
    "walkers",
]

Floats = NDArray[np.float64]

_FARTHEST: dict[RoleKind, float] = {"car": 56.0, "truck": 70.0, "person": 33.0, "rider": 40.0}
"""Metres within which things have identities. Beyond, they have only a few pixels."""

_SOON = 20.0  # metres over which the camera sees about the same things


class Traffic:
    """The things on a street. They are added group by group.

    Args:
        rng: Random generator.
        settings: Settings of the video.
        clock: Times of the frames.
        recording: The recording car.
        view: View of its camera.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        settings: WorldSettings,
        clock: Clock,
        recording: Recording,
        view: View,
    ) -> None:
        self.rng, self.settings, self.clock = rng, settings, clock
        self.recording, self.layout, self.view = recording, recording.layout, view
        style = style_of(settings)
        self.paces, self.walking = style.paces, style.walking
        self.roles: list[Role] = []
        self.taken: set[str] = set()

    @property
    def tracked(self) -> int:
        """Number of things with an identity so far."""
        return sum(role.is_tracked for role in self.roles)

    def add(self, roles: Iterable[Role], most: int) -> None:
        """Keep the members of a group that come into view, up to a number of things."""
        for role in roles:
            if (role.is_tracked and most <= 0) or not self.is_seen(role):
                continue
            self.roles.append(role)
            most -= role.is_tracked

    def is_seen(self, role: Role) -> bool:
        """Whether a role comes into view, close enough to be distinguished."""
        sight = self.view.sight(role.path.position, role.path.heading, HALF_SIZES[role.kind])
        near = sight.ahead < _FARTHEST[role.kind]
        return bool((self.view.touches(sight) & near).any())

    def take(self, lane: Lane) -> bool:
        """Reserve a lane. Return false if it is taken."""
        if lane.name in self.taken:
            return False
        self.taken.add(lane.name)
        return True

    @property
    def start(self) -> float:
        """First position of the camera along the main road, in metres."""
        return float(self.recording.along[0])

    @property
    def excess(self) -> float:
        """Metres that the camera travels beyond the first view."""
        along = self.recording.along
        return max(float(along[-1] - along[0]) - _SOON, 0.0)

    def somewhere(self) -> float:
        """Choose a position of the camera: the first, or a later one if it travels far."""
        return self.start + self.rng.uniform() * self.excess

    def strip(self) -> Strip:
        """Choose a road."""
        cross = self.layout.cross
        share = {"turn": 0.6, "wait": 0.35}.get(self.recording.manner, 0.0)
        return cross if cross is not None and self.rng.uniform() < share else self.layout.main

    def side(self) -> int:
        """Choose right (1) or left (-1)."""
        return int(self.rng.choice((-1, 1)))

    def spaced(self, count: int, least: float, low: float, high: float) -> Floats:
        """Return positions in a row, from 0, at random distances that scale with the spacing."""
        gaps = least + self.rng.uniform(low, high, size=count - 1)
        gaps = np.maximum(gaps * self.settings.spacing, least)
        return np.concatenate([[0.0], np.cumsum(gaps)])

    def near(self, strip: Strip, low: float, high: float) -> float:
        """Choose positions along a road that the camera will see."""
        if strip is self.layout.cross:
            offset = self.layout.main.half_width + self.rng.uniform(1.0, 22.0)
            return strip.middle + self.side() * offset
        return self.somewhere() + self.rng.uniform(low, high)

    @property
    def walked(self) -> tuple[float, float]:
        """Range in metres ahead of the camera's first position in which people are on sidewalks."""
        return (18.0, 42.0) if self.recording.manner == "cruise" else (6.0, 26.0)

    def pace(self, cruise: float, *, stop: float = 0.0) -> Floats:
        """Sample speeds around a mean, in m/s for each frame."""
        return pace(self.rng, self.clock, cruise, self.paces, stop=stop)

    def moved(self, cruise: float, *, stop: float = 0.0) -> Floats:
        """Sample the distance since the first frame, at speeds around a mean in m/s."""
        return travelled(self.pace(cruise, stop=stop), self.clock)

    def still(self, lane: Lane, place: float) -> Path:
        """Stand still at a position along a lane."""
        along = np.full(self.clock.frames, place)
        return drive(lane.route, along, lane.beside, back=lane.back)


_BUMPER = 4.7  # metres between the middles of two cars that nearly touch


def parked_row(traffic: Traffic) -> list[Role]:
    """Return cars parked at the kerb, with a few gaps and trucks."""
    strip, side = traffic.strip(), traffic.side()
    lane = strip.parked(side)
    if strip.parking == 0 or not traffic.take(lane):
        return []
    places = traffic.near(strip, 7.0, 38.0) + traffic.spaced(
        int(traffic.rng.integers(2, 7)), _BUMPER, 0.4, 2.5
    )
    if traffic.layout.cross is not None and strip is traffic.layout.main:
        clear = traffic.layout.cross.half_road + 4.0
        places = places[np.abs(places - traffic.layout.junction) > clear]
    roles = []
    for place in places:
        if traffic.rng.uniform() < 0.12:
            continue
        beside = lane.beside + traffic.rng.uniform(-0.12, 0.12)
        kind: RoleKind = "truck" if traffic.rng.uniform() < 0.06 else "car"
        roles.append(Role(kind, traffic.still(replace(lane, beside=beside), float(place))))
    return roles


def ahead(traffic: Traffic) -> list[Role]:
    """Return cars ahead of the camera on its route."""
    if "ahead" in traffic.taken:
        return []
    traffic.taken.add("ahead")
    count = int(traffic.rng.integers(1, 4))
    drift = traffic.moved(traffic.rng.uniform(-1.2, 1.8))
    if traffic.recording.manner == "wait":
        drift = np.zeros_like(drift)
    gap = np.maximum(traffic.rng.uniform(8.0, 25.0) + drift, 7.0)
    roles = []
    for place in traffic.spaced(count, _BUMPER + 1.5, 1.0, 9.0):
        along = traffic.recording.along + gap + place
        kind: RoleKind = "truck" if traffic.rng.uniform() < 0.05 else "car"
        roles.append(Role(kind, drive(traffic.recording.route, along, traffic.recording.beside)))
    return roles


def oncoming(traffic: Traffic) -> list[Role]:
    """Return a column of oncoming cars; they wait at a junction with a light."""
    main, cross = traffic.layout.main, traffic.layout.cross
    lane = main.lane(int(traffic.rng.integers(main.lanes)), back=True)
    if not traffic.take(lane):
        return []
    count = int(traffic.rng.integers(1, 5))
    if traffic.recording.manner in ("wait", "turn") and cross is not None:
        first = traffic.layout.junction + cross.half_width + traffic.rng.uniform(1.0, 5.0)
        places = first + traffic.spaced(count, _BUMPER + 0.8, 0.3, 2.5)
        return [Role("car", traffic.still(lane, float(place))) for place in places]
    first = traffic.somewhere() + traffic.rng.uniform(14.0, 65.0)
    return _column(traffic, lane, first, count, traffic.rng.uniform(4.0, 10.0))


def overtaking(traffic: Traffic) -> list[Role]:
    """Return a column beside the camera in the same direction."""
    main = traffic.layout.main
    lane = main.lane(0, back=False)
    if main.lanes < 2 or not traffic.take(lane):
        return []
    count = int(traffic.rng.integers(1, 4))
    if traffic.recording.manner in ("wait", "turn"):
        last = float(traffic.recording.along[-1])
        return [
            Role("car", traffic.still(lane, last + 4.0 - place))
            for place in traffic.spaced(count, _BUMPER + 0.8, 0.3, 2.0)
        ]
    first = traffic.start + traffic.rng.uniform(0.0, 26.0)
    speed = float(traffic.recording.speeds.mean()) + traffic.rng.uniform(-1.5, 4.0)
    return _column(traffic, lane, first, count, max(speed, 1.0))


def crossing_cars(traffic: Traffic) -> list[Role]:
    """Return a column on the crossing road; it moves while the camera waits."""
    cross = traffic.layout.cross
    if cross is None:
        return []
    lane = cross.lane(int(traffic.rng.integers(cross.lanes)), back=traffic.side() < 0)
    if not traffic.take(lane):
        return []
    count = int(traffic.rng.integers(1, 5))
    if traffic.recording.manner == "wait":
        first = lane.middle + (1 if lane.back else -1) * traffic.rng.uniform(-25.0, 20.0)
        return _column(traffic, lane, first, count, traffic.rng.uniform(3.5, 9.0))
    stop = traffic.layout.main.half_width + traffic.rng.uniform(1.0, 4.0)
    places = stop + traffic.spaced(count, _BUMPER + 0.8, 0.3, 2.0)
    sign = 1 if lane.back else -1
    return [Role("car", traffic.still(lane, float(lane.middle + sign * place))) for place in places]


def _column(traffic: Traffic, lane: Lane, first: float, count: int, speed: float) -> list[Role]:
    """Return cars in a column, each with the delayed motion of the car ahead."""
    lag = max(1, round(0.5 / traffic.clock.step))
    longer = Clock(traffic.clock.frames + lag * count, traffic.clock.step)
    moved = travelled(pace(traffic.rng, longer, speed, traffic.paces, stop=0.1), longer)
    sign = -1 if lane.back else 1
    roles = []
    for number, place in enumerate(traffic.spaced(count, _BUMPER + 1.5, 1.0, 10.0)):
        behind = lag * (count - number)
        way = moved[behind : behind + traffic.clock.frames] - moved[behind]
        along = first + sign * (way - place)
        roles.append(Role("car", drive(lane.route, along, lane.beside, back=lane.back)))
    return roles


def walkers(traffic: Traffic) -> list[Role]:
    """Return one to four people that walk together along a sidewalk."""
    strip, side = traffic.strip(), traffic.side()
    count = int(traffic.rng.choice((1, 2, 2, 3, 4)))
    first, way = traffic.near(strip, *traffic.walked), traffic.side()
    hurries = traffic.rng.uniform() < 0.07
    speed = traffic.rng.uniform(2.2, 3.2) if hurries else traffic.rng.uniform(0.65, 1.6)
    shared = traffic.pace(speed * traffic.walking, stop=0.15)
    roles = []
    for place in traffic.spaced(count, 0.45, 0.1, 1.6):
        lane = strip.walk(side, traffic.rng.uniform(0.15, 0.9))
        own = shared * traffic.rng.uniform(0.94, 1.06)
        along = first + way * (travelled(own, traffic.clock) - place)
        roles.append(Role("person", drive(lane.route, along, lane.beside, back=way < 0)))
    return roles


def crossers(traffic: Traffic) -> list[Role]:
    """Return one to four people that cross the main road ahead of the camera."""
    main, cross = traffic.layout.main, traffic.layout.cross
    last = float(traffic.recording.along[-1])
    where = last + traffic.rng.uniform(7.0, 18.0)
    if cross is not None and traffic.recording.manner in ("wait", "turn"):
        before = traffic.layout.junction - cross.half_road - 1.5
        beyond = traffic.layout.junction + cross.half_road + 1.5
        where = (
            before if traffic.recording.manner == "wait" and traffic.rng.uniform() < 0.6 else beyond
        )
    side, count = traffic.side(), int(traffic.rng.choice((1, 1, 2, 3, 4)))
    heading = float(main.route.heading(np.array(where))) - side * np.pi / 2
    frame = int(traffic.rng.integers(traffic.clock.frames))
    begin = traffic.rng.uniform(-0.8, 0.9) * main.half_road * side
    speed = traffic.rng.uniform(0.85, 1.5)
    roles = []
    for place in traffic.spaced(count, 0.45, 0.1, 1.6):
        own = traffic.pace(speed * traffic.walking * traffic.rng.uniform(0.9, 1.1))
        path = walk(traffic.rng, traffic.clock, own, heading, wander=0.08)
        spot = main.route.place(
            np.array(where + traffic.rng.uniform(-1.2, 1.2)), begin + side * place
        )
        roles.append(Role("person", path.through(spot, frame)))
    return roles


def waiters(traffic: Traffic) -> list[Role]:
    """Return one to four people that stand at the kerb, or talk."""
    strip, side = traffic.strip(), traffic.side()
    first = traffic.near(strip, *traffic.walked)
    roles = []
    for place in traffic.spaced(int(traffic.rng.choice((1, 2, 3, 4))), 0.5, 0.1, 1.0):
        lane = strip.walk(side, traffic.rng.uniform(0.08, 0.5))
        path = traffic.still(lane, first + float(place))
        turned = traffic.rng.uniform(-np.pi, np.pi)
        sway = 0.15 * np.sin(traffic.clock.seconds * traffic.rng.uniform(0.5, 1.5))
        roles.append(Role("person", replace(path, heading=path.heading + turned + sway)))
    return roles


def cyclists(traffic: Traffic) -> list[Role]:
    """Return one or two cyclists along the kerb. They have no identity, as in KITTI-STEP."""
    strip, back = traffic.strip(), bool(traffic.rng.uniform() < 0.5)
    beside = strip.half_road - strip.parking - 0.5
    lane = Lane(strip.route, -beside if back else beside, back, strip.middle, "")
    way = -1 if back else 1
    first = traffic.near(strip, 8.0, 28.0)
    along = first + way * traffic.moved(traffic.rng.uniform(2.5, 5.5))
    places = traffic.spaced(int(traffic.rng.choice((1, 1, 2))), 2.2, 0.0, 3.0)
    return [
        Role("rider", drive(lane.route, along - way * place, lane.beside, back=back))
        for place in places
    ]


_VIEW = 32.0  # metres after which the camera sees other things

_MOST_GROUPS = 60

_Make = Callable[[Traffic], list[Role]]

_GROUPS: dict[Manner, dict[_Make, float]] = {
    "cruise": {
        parked_row: 3.0,
        ahead: 1.5,
        oncoming: 2.0,
        overtaking: 1.0,
        crossing_cars: 0.6,
        walkers: 0.08,
        waiters: 0.03,
        crossers: 0.04,
        cyclists: 0.85,
    },
    "crawl": {
        parked_row: 2.0,
        ahead: 2.0,
        oncoming: 2.5,
        overtaking: 2.0,
        crossing_cars: 0.6,
        walkers: 4.0,
        waiters: 1.0,
        crossers: 0.8,
        cyclists: 0.85,
    },
    "wait": {
        parked_row: 0.8,
        ahead: 0.5,
        oncoming: 1.0,
        overtaking: 0.6,
        crossing_cars: 3.5,
        walkers: 4.0,
        waiters: 1.0,
        crossers: 1.8,
        cyclists: 0.68,
    },
    "turn": {
        parked_row: 2.5,
        ahead: 0.8,
        oncoming: 1.2,
        crossing_cars: 1.5,
        walkers: 0.2,
        waiters: 0.1,
        crossers: 0.1,
        cyclists: 0.68,
    },
}


def stages(traffic: Traffic) -> float:
    """Return the number of different views along the route, 1 or more."""
    return 1.0 + traffic.excess / _VIEW


def fill(traffic: Traffic, wanted: int) -> None:
    """Add groups of things until the wanted number comes into view."""
    groups = _GROUPS[traffic.recording.manner]
    makes, weights = list(groups), np.array(list(groups.values()))
    for _ in range(_MOST_GROUPS):
        missing = wanted - traffic.tracked
        if missing <= 0:
            break
        make = makes[int(traffic.rng.choice(len(makes), p=weights / weights.sum()))]
        traffic.add(make(traffic), missing)


def add_distant(traffic: Traffic) -> None:
    """Add cars and people too far to be distinguished: crowd."""
    where = float(traffic.recording.along.max()) + traffic.rng.uniform(72.0, 90.0)
    main = traffic.layout.main
    for _ in range(int(traffic.rng.integers(3, 8))):
        kind: RoleKind = "car" if traffic.rng.uniform() < 0.6 else "person"
        reach = main.half_road - 1.0 if kind == "car" else main.half_road + main.sidewalk
        beside = traffic.rng.uniform(-reach, reach)
        lane = Lane(main.route, beside, beside < 0, 0.0, "")
        path = traffic.still(lane, where + traffic.rng.uniform(0.0, 18.0))
        traffic.roles.append(Role(kind, path, is_far=True))
