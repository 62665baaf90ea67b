"""People on a street: on the sidewalk, at the kerb, crossing, on bicycles."""

from dataclasses import replace

import numpy as np

from mapt_bench.synthetic.casting import Role
from mapt_bench.synthetic.layout import Lane
from mapt_bench.synthetic.paths import drive, travelled, walk
from mapt_bench.synthetic.traffic import Traffic

__all__ = ["crossers", "cyclists", "waiters", "walkers"]


def walkers(traffic: Traffic) -> list[Role]:
    """One to four who walk the same way along a sidewalk."""
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
    """One to four who cross the main road before the camera."""
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
    """One to four who stand at the kerb, or talk."""
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
    """One or two who ride along the kerb; they have no identity, as in KITTI-STEP."""
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
