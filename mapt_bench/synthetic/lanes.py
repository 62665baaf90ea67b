"""Cars on a street: at the kerb, ahead, coming, beside, and on the road that crosses."""

from dataclasses import replace

import numpy as np

from mapt_bench.synthetic.casting import Role, RoleKind
from mapt_bench.synthetic.layout import Lane
from mapt_bench.synthetic.paths import Clock, drive, pace, travelled
from mapt_bench.synthetic.traffic import Traffic

__all__ = ["ahead", "crossing_cars", "oncoming", "overtaking", "parked_row"]

_BUMPER = 4.7  # metres from the middle of a car to that of the next, nearly touching


def parked_row(traffic: Traffic) -> list[Role]:
    """Cars at the kerb, now and then with a gap or a truck among them."""
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
    """Cars that go before the camera, on its way."""
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
    """A column that comes towards the camera; it waits where there is a light."""
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
    """A column beside the camera in the same direction."""
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
    """A column on the crossing road: it flows while the camera waits, and else stands."""
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
    """Cars that follow each other, each doing a little later what the one before it did."""
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
