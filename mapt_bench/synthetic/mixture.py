"""How many of whom there are on a street, by how the recording car drives."""

from collections.abc import Callable

import numpy as np

from mapt_bench.synthetic.casting import Role, RoleKind
from mapt_bench.synthetic.lanes import ahead, crossing_cars, oncoming, overtaking, parked_row
from mapt_bench.synthetic.layout import Lane
from mapt_bench.synthetic.sampling import style_of
from mapt_bench.synthetic.sidewalks import crossers, cyclists, waiters, walkers
from mapt_bench.synthetic.styles import Manner
from mapt_bench.synthetic.traffic import Traffic

__all__ = ["add_distant", "fill", "stages"]

_VIEW = 32.0  # metres after which a camera looks at other things

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
        cyclists: 0.5,
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
        cyclists: 0.5,
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
        cyclists: 0.4,
    },
    "turn": {
        parked_row: 2.5,
        ahead: 0.8,
        oncoming: 1.2,
        crossing_cars: 1.5,
        walkers: 0.2,
        waiters: 0.1,
        crossers: 0.1,
        cyclists: 0.4,
    },
}


def stages(traffic: Traffic) -> float:
    """Return how many views of its way the camera passes through: 1 unless it goes far."""
    return 1.0 + traffic.excess / _VIEW


def fill(traffic: Traffic, wanted: int) -> None:
    """Add groups of things until as many as wanted are in view at some time."""
    groups = _GROUPS[traffic.recording.manner]
    makes, weights = list(groups), np.array(list(groups.values()))
    weights[makes.index(cyclists)] *= style_of(traffic.settings).cyclists
    for _ in range(_MOST_GROUPS):
        missing = wanted - traffic.tracked
        if missing <= 0:
            break
        make = makes[int(traffic.rng.choice(len(makes), p=weights / weights.sum()))]
        traffic.add(make(traffic), missing)


def add_distant(traffic: Traffic) -> None:
    """Add cars and people too far to be told apart: crowd."""
    where = float(traffic.recording.along.max()) + traffic.rng.uniform(72.0, 90.0)
    main = traffic.layout.main
    for _ in range(int(traffic.rng.integers(3, 8))):
        kind: RoleKind = "car" if traffic.rng.uniform() < 0.6 else "person"
        reach = main.half_road - 1.0 if kind == "car" else main.half_road + main.sidewalk
        beside = traffic.rng.uniform(-reach, reach)
        lane = Lane(main.route, beside, beside < 0, 0.0, "")
        path = traffic.still(lane, where + traffic.rng.uniform(0.0, 18.0))
        traffic.roles.append(Role(kind, path, is_far=True))
