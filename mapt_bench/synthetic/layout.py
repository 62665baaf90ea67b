"""The plan of a street: a main road, perhaps a road that crosses it, lanes and sidewalks."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.paths import Route

__all__ = ["BEFORE", "LANE", "Lane", "Layout", "Strip", "draw_layout"]

Floats = NDArray[np.float64]

LANE = 3.3
"""Metres: width of a lane."""

BEFORE = 30.0
"""Metres of the main road behind the camera's first place."""

_PARKING = 2.3
_AHEAD = 130.0
_CROSS_HALF = 75.0


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """A line that things follow.

    Attributes:
        route: Of the road.
        beside: Metres to the right of its middle.
        back: Whether its traffic goes against the direction of the route.
        middle: Where on the route things gather: the camera's first place, or the junction.
        name: Of lane or sidewalk, one of each road.
    """

    route: Route
    beside: float
    back: bool
    middle: float
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """One road and how it is parted, from the middle outwards.

    Attributes:
        route: Its middle.
        lanes: In each direction.
        parking: Metres for parked cars on each side; 0 for none.
        sidewalk: Width of each sidewalk in metres.
        verge: Width of grass beyond it in metres.
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
        """Metres from the middle to the kerb."""
        return self.lanes * LANE + self.parking

    @property
    def half_width(self) -> float:
        """Metres from the middle to where buildings and gardens start."""
        return self.half_road + self.sidewalk + self.verge

    def lane(self, number: int, *, back: bool) -> Lane:
        """Return a lane: 0 is the one next to the middle, right of it or coming back left of it."""
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
            side: Which of the two.
            share: Where across it, 0 at the kerb.
        """
        beside = side * (self.half_road + share * self.sidewalk)
        return Lane(self.route, beside, False, self.middle, f"{self.name} walk {side}")


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The roads of a street.

    Attributes:
        main: The one that the camera is on at first.
        cross: The one that crosses it at a right angle; ``None`` where there is no junction.
        junction: Where on the main road the middle of the other is, metres from its start.
    """

    main: Strip
    cross: Strip | None
    junction: float

    @property
    def strips(self) -> tuple[Strip, ...]:
        """The main road, and the other if there is one."""
        return (self.main,) if self.cross is None else (self.main, self.cross)

    def corner(self, side: Literal[-1, 1], radius: float) -> Route:
        """Return the way of who turns to the right (1) or left (-1) at the junction."""
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


def draw_layout(rng: np.random.Generator, *, junction: float | None, bends: bool) -> Layout:
    """Draw a street.

    Args:
        rng: Source of all choices.
        junction: Metres from the camera's first place to the middle of the crossing road; ``None``
            for no junction. Where there is one, the main road is straight.
        bends: Whether the main road bends, if it may.
    """
    steps = int((BEFORE + _AHEAD) / 2.0)
    curvature = np.zeros(steps)
    if bends and junction is None:
        along = np.arange(steps) * 2.0
        wave = np.sin(2 * np.pi * (along / rng.uniform(90, 200) + rng.uniform()))
        curvature = rng.uniform(0.003, 0.012) * wave
    # The camera starts at the origin and looks along z, whatever the road does behind it.
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
