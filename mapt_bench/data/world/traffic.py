"""Who is on the street: parked rows, columns of cars, people on sidewalks and crossings."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.world.casting import HALF_SIZES, Role, RoleKind
from mapt_bench.data.world.layout import Lane, Strip
from mapt_bench.data.world.paths import Clock, Path, drive, pace, travelled, walk
from mapt_bench.data.world.recording import Manner, Recording
from mapt_bench.data.world.settings import WorldSettings
from mapt_bench.data.world.views import View

__all__ = ["Traffic"]

Floats = NDArray[np.float64]

_FARTHEST: dict[RoleKind, float] = {"car": 62.0, "truck": 70.0, "person": 36.0, "rider": 40.0}
"""Metres within which things have identities; beyond, they are a handful of pixels."""

_BUMPER = 4.7  # metres from the middle of a car to that of the next, nearly touching


class Traffic:
    """Fills a street with things, group by group, until there are enough.

    Args:
        rng: Source of all choices.
        settings: Of the video.
        clock: When its frames are taken.
        recording: The recording car.
        view: What its camera sees.
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
        self.roles: list[Role] = []
        self.taken: set[str] = set()

    @property
    def tracked(self) -> int:
        """Things with an identity so far."""
        return sum(role.kind in ("car", "person") and not role.is_far for role in self.roles)

    def fill(self, wanted: int) -> None:
        """Add groups of things until as many as wanted are in view at some time."""
        groups = _GROUPS[self.recording.manner]
        names, weights = list(groups), np.array(list(groups.values()))
        for _ in range(_MOST_GROUPS):
            missing = wanted - self.tracked
            if missing <= 0:
                break
            make = names[int(self.rng.choice(len(names), p=weights / weights.sum()))]
            self.add(make(self), missing)

    def add(self, roles: Iterable[Role], most: int) -> None:
        """Keep those of a group that come into view, and at most some number of things."""
        for role in roles:
            is_thing = role.kind in ("car", "person")
            if (is_thing and most <= 0) or not self.is_seen(role):
                continue
            self.roles.append(role)
            most -= is_thing

    def is_seen(self, role: Role) -> bool:
        """Whether a role comes into view at a distance where it can be told from others."""
        sight = self.view.sight(role.path.position, role.path.heading, HALF_SIZES[role.kind])
        near = sight.ahead < _FARTHEST[role.kind]
        return bool((self.view.touches(sight) & near).any())

    def take(self, lane: Lane) -> bool:
        """Reserve a lane; false if it is taken."""
        if lane.name in self.taken:
            return False
        self.taken.add(lane.name)
        return True

    @property
    def start(self) -> float:
        """Metres along the main road where the camera is at first."""
        return float(self.recording.along[0])

    def strip(self) -> Strip:
        """Choose a road."""
        cross = self.layout.cross
        share = {"turn": 0.6, "wait": 0.35}.get(self.recording.manner, 0.0)
        return cross if cross is not None and self.rng.uniform() < share else self.layout.main

    def side(self) -> int:
        """Choose right (1) or left (-1)."""
        return int(self.rng.choice((-1, 1)))

    def spaced(self, count: int, least: float, low: float, high: float) -> Floats:
        """Return places in a row, from 0: the least distance and some more, scaled by spacing."""
        gaps = least + self.rng.uniform(low, high, size=count - 1)
        gaps = np.maximum(gaps * self.settings.spacing, least)
        return np.concatenate([[0.0], np.cumsum(gaps)])

    def near(self, strip: Strip, low: float, high: float) -> float:
        """Choose a place along a road that the camera will look at."""
        if strip is self.layout.cross:
            offset = self.layout.main.half_width + self.rng.uniform(1.0, 22.0)
            return strip.middle + self.side() * offset
        return self.start + self.rng.uniform(low, high)

    @property
    def walked(self) -> tuple[float, float]:
        """Metres before the camera's first place between which people are on the sidewalk."""
        return (18.0, 42.0) if self.recording.manner == "cruise" else (6.0, 26.0)

    # -- cars ---------------------------------------------------------------------------------

    def parked_row(self) -> list[Role]:
        """Cars at the kerb, now and then with a gap or a truck among them."""
        strip, side = self.strip(), self.side()
        lane = strip.parked(side)
        if strip.parking == 0 or not self.take(lane):
            return []
        places = self.near(strip, 7.0, 38.0) + self.spaced(
            int(self.rng.integers(2, 7)), _BUMPER, 0.4, 2.5
        )
        if self.layout.cross is not None and strip is self.layout.main:
            clear = self.layout.cross.half_road + 4.0
            places = places[np.abs(places - self.layout.junction) > clear]
        roles = []
        for place in places:
            if self.rng.uniform() < 0.12:
                continue
            beside = lane.beside + self.rng.uniform(-0.12, 0.12)
            kind: RoleKind = "truck" if self.rng.uniform() < 0.06 else "car"
            roles.append(Role(kind, self._still(replace(lane, beside=beside), float(place))))
        return roles

    def ahead(self) -> list[Role]:
        """Cars that go before the camera, on its way."""
        if "ahead" in self.taken:
            return []
        self.taken.add("ahead")
        count = int(self.rng.integers(1, 4))
        drift = travelled(
            pace(self.rng, self.clock, self.rng.uniform(-1.2, 1.8), self.settings.family),
            self.clock,
        )
        if self.recording.manner == "wait":
            drift = np.zeros_like(drift)
        gap = np.maximum(self.rng.uniform(8.0, 25.0) + drift, 7.0)
        roles = []
        for place in self.spaced(count, _BUMPER + 1.5, 1.0, 9.0):
            along = self.recording.along + gap + place
            kind: RoleKind = "truck" if self.rng.uniform() < 0.05 else "car"
            roles.append(Role(kind, drive(self.recording.route, along, self.recording.beside)))
        return roles

    def oncoming(self) -> list[Role]:
        """A column that comes towards the camera; it waits where there is a light."""
        main = self.layout.main
        lane = main.lane(int(self.rng.integers(main.lanes)), back=True)
        if not self.take(lane):
            return []
        count = int(self.rng.integers(1, 5))
        if self.recording.manner in ("wait", "turn") and self.layout.cross is not None:
            first = self.layout.junction + self.layout.cross.half_width + self.rng.uniform(1.0, 5.0)
            places = first + self.spaced(count, _BUMPER + 0.8, 0.3, 2.5)
            return [Role("car", self._still(lane, float(place))) for place in places]
        first = self.start + self.rng.uniform(14.0, 65.0)
        return self._column(lane, first, count, self.rng.uniform(4.0, 10.0), least=_BUMPER + 1.5)

    def overtaking(self) -> list[Role]:
        """A column beside the camera in the same direction."""
        main = self.layout.main
        lane = main.lane(0, back=False)
        if main.lanes < 2 or not self.take(lane):
            return []
        count = int(self.rng.integers(1, 4))
        if self.recording.manner in ("wait", "turn"):
            last = float(self.recording.along[-1])
            return [
                Role("car", self._still(lane, last + 4.0 - place))
                for place in self.spaced(count, _BUMPER + 0.8, 0.3, 2.0)
            ]
        first = self.start + self.rng.uniform(0.0, 26.0)
        speed = float(self.recording.speeds.mean()) + self.rng.uniform(-1.5, 4.0)
        return self._column(lane, first, count, max(speed, 1.0), least=_BUMPER + 1.5)

    def crossing_cars(self) -> list[Role]:
        """A column on the crossing road: it flows while the camera waits, and else stands."""
        cross = self.layout.cross
        if cross is None:
            return []
        lane = cross.lane(int(self.rng.integers(cross.lanes)), back=self.side() < 0)
        if not self.take(lane):
            return []
        count = int(self.rng.integers(1, 5))
        if self.recording.manner == "wait":
            first = lane.middle + (1 if lane.back else -1) * self.rng.uniform(-25.0, 20.0)
            return self._column(lane, first, count, self.rng.uniform(3.5, 9.0), least=_BUMPER + 1.5)
        stop = self.layout.main.half_width + self.rng.uniform(1.0, 4.0)
        places = stop + self.spaced(count, _BUMPER + 0.8, 0.3, 2.0)
        sign = 1 if lane.back else -1
        return [
            Role("car", self._still(lane, float(lane.middle + sign * place))) for place in places
        ]

    def _column(
        self, lane: Lane, first: float, count: int, speed: float, *, least: float
    ) -> list[Role]:
        """Cars that follow each other, each doing a little later what the one before it did."""
        lag = max(1, round(0.5 / self.clock.step))
        longer = Clock(self.clock.frames + lag * count, self.clock.step)
        moved = travelled(pace(self.rng, longer, speed, self.settings.family, stop=0.1), longer)
        sign = -1 if lane.back else 1
        roles = []
        for number, place in enumerate(self.spaced(count, least, 1.0, 10.0)):
            behind = lag * (count - number)
            way = moved[behind : behind + self.clock.frames] - moved[behind]
            along = first + sign * (way - place)
            roles.append(Role("car", drive(lane.route, along, lane.beside, back=lane.back)))
        return roles

    def _still(self, lane: Lane, place: float) -> Path:
        return drive(lane.route, np.full(self.clock.frames, place), lane.beside, back=lane.back)

    # -- people -------------------------------------------------------------------------------

    def walkers(self) -> list[Role]:
        """One to four who walk the same way along a sidewalk."""
        strip, side = self.strip(), self.side()
        count = int(self.rng.choice((1, 2, 2, 3, 4)))
        first, way = self.near(strip, *self.walked), self.side()
        speed = (
            self.rng.uniform(0.7, 1.7) if self.rng.uniform() < 0.93 else self.rng.uniform(2.2, 3.2)
        )
        shared = pace(self.rng, self.clock, speed, self.settings.family, stop=0.15)
        roles = []
        for place in self.spaced(count, 0.45, 0.1, 1.6):
            lane = strip.walk(side, self.rng.uniform(0.15, 0.9))
            own = shared * self.rng.uniform(0.94, 1.06)
            along = first + way * (travelled(own, self.clock) - place)
            roles.append(Role("person", drive(lane.route, along, lane.beside, back=way < 0)))
        return roles

    def crossers(self) -> list[Role]:
        """One to four who cross the main road before the camera."""
        main, cross = self.layout.main, self.layout.cross
        last = float(self.recording.along[-1])
        where = last + self.rng.uniform(7.0, 18.0)
        if cross is not None and self.recording.manner in ("wait", "turn"):
            before = self.layout.junction - cross.half_road - 1.5
            beyond = self.layout.junction + cross.half_road + 1.5
            where = (
                before if self.recording.manner == "wait" and self.rng.uniform() < 0.6 else beyond
            )
        side, count = self.side(), int(self.rng.choice((1, 1, 2, 3, 4)))
        heading = float(main.route.heading(np.array(where))) - side * np.pi / 2
        frame = int(self.rng.integers(self.clock.frames))
        begin = self.rng.uniform(-0.8, 0.9) * main.half_road * side
        speed = self.rng.uniform(0.6, 1.4)
        roles = []
        for place in self.spaced(count, 0.45, 0.1, 1.6):
            own = pace(
                self.rng, self.clock, speed * self.rng.uniform(0.9, 1.1), self.settings.family
            )
            path = walk(self.rng, self.clock, own, heading, wander=0.08)
            spot = main.route.place(
                np.array(where + self.rng.uniform(-1.2, 1.2)), begin + side * place
            )
            roles.append(Role("person", path.through(spot, frame)))
        return roles

    def waiters(self) -> list[Role]:
        """One to four who stand at the kerb, or talk."""
        strip, side = self.strip(), self.side()
        first = self.near(strip, *self.walked)
        roles = []
        for place in self.spaced(int(self.rng.choice((1, 2, 3, 4))), 0.5, 0.1, 1.0):
            lane = strip.walk(side, self.rng.uniform(0.08, 0.5))
            path = self._still(lane, first + float(place))
            turned = self.rng.uniform(-np.pi, np.pi)
            sway = 0.15 * np.sin(self.clock.seconds * self.rng.uniform(0.5, 1.5))
            roles.append(Role("person", replace(path, heading=path.heading + turned + sway)))
        return roles

    def cyclists(self) -> list[Role]:
        """One or two who ride along the kerb; they have no identity, as in KITTI-STEP."""
        strip, back = self.strip(), bool(self.rng.uniform() < 0.5)
        beside = strip.half_road - strip.parking - 0.5
        lane = Lane(strip.route, -beside if back else beside, back, strip.middle, "")
        way = -1 if back else 1
        speeds = pace(self.rng, self.clock, self.rng.uniform(2.5, 5.5), self.settings.family)
        first = self.near(strip, 8.0, 28.0)
        along = first + way * travelled(speeds, self.clock)
        places = self.spaced(int(self.rng.choice((1, 1, 2))), 2.2, 0.0, 3.0)
        return [
            Role("rider", drive(lane.route, along - way * place, lane.beside, back=back))
            for place in places
        ]

    def distant(self) -> list[Role]:
        """Cars and people too far to be told apart: crowd."""
        where = float(self.recording.along.max()) + self.rng.uniform(72.0, 90.0)
        main = self.layout.main
        roles = []
        for _ in range(int(self.rng.integers(3, 8))):
            kind: RoleKind = "car" if self.rng.uniform() < 0.6 else "person"
            reach = main.half_road - 1.0 if kind == "car" else main.half_road + main.sidewalk
            beside = self.rng.uniform(-reach, reach)
            lane = Lane(main.route, beside, beside < 0, 0.0, "")
            path = self._still(lane, where + self.rng.uniform(0.0, 18.0))
            roles.append(Role(kind, path, is_far=True))
        return roles


_MOST_GROUPS = 60

_Make = Callable[[Traffic], list[Role]]

_GROUPS: dict[Manner, dict[_Make, float]] = {
    "cruise": {
        Traffic.parked_row: 3.0,
        Traffic.ahead: 1.5,
        Traffic.oncoming: 2.0,
        Traffic.overtaking: 1.0,
        Traffic.crossing_cars: 0.6,
        Traffic.walkers: 0.15,
        Traffic.waiters: 0.05,
        Traffic.crossers: 0.05,
        Traffic.cyclists: 0.5,
    },
    "crawl": {
        Traffic.parked_row: 2.0,
        Traffic.ahead: 2.0,
        Traffic.oncoming: 2.5,
        Traffic.overtaking: 2.0,
        Traffic.crossing_cars: 0.6,
        Traffic.walkers: 3.5,
        Traffic.waiters: 1.3,
        Traffic.crossers: 0.7,
        Traffic.cyclists: 0.5,
    },
    "wait": {
        Traffic.parked_row: 0.8,
        Traffic.ahead: 0.5,
        Traffic.oncoming: 1.0,
        Traffic.overtaking: 0.6,
        Traffic.crossing_cars: 3.5,
        Traffic.walkers: 3.5,
        Traffic.waiters: 1.3,
        Traffic.crossers: 1.4,
        Traffic.cyclists: 0.4,
    },
    "turn": {
        Traffic.parked_row: 2.5,
        Traffic.ahead: 0.8,
        Traffic.oncoming: 1.2,
        Traffic.crossing_cars: 1.5,
        Traffic.walkers: 0.4,
        Traffic.waiters: 0.2,
        Traffic.crossers: 0.2,
        Traffic.cyclists: 0.4,
    },
}
