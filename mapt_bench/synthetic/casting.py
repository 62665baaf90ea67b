"""Who plays a part: looks for all who move, some of them alike on purpose."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic._vehicles import car_body, truck_body
from mapt_bench.synthetic.appearances import (
    CarLook,
    PersonLook,
    RiderLook,
    TruckLook,
    car_look,
    person_look,
    rider_look,
    truck_look,
)
from mapt_bench.synthetic.paths import Clock, Path
from mapt_bench.synthetic.people import person_body, rider_body, stride
from mapt_bench.synthetic.shapes import Actor, Body
from mapt_bench.synthetic.style_sampling import style_of
from mapt_bench.synthetic.world_settings import WorldSettings

__all__ = ["HALF_SIZES", "Role", "RoleKind", "cast_roles"]

RoleKind = Literal["person", "rider", "car", "truck"]
Look = PersonLook | RiderLook | CarLook | TruckLook

TRACKED: tuple[RoleKind, ...] = ("person", "car")
"""Kinds whose every member has an identity: the things of the label spaces."""

HALF_SIZES: dict[RoleKind, tuple[float, float]] = {
    "person": (0.4, 0.4),
    "rider": (0.4, 0.95),
    "car": (0.95, 2.4),
    "truck": (1.1, 3.0),
}
"""Half width and half length in metres, for keeping distances before looks are drawn."""

_GROUP = (2, 5)  # least and most members of a group of look-alikes
_BRISK = 1.4  # m/s
_SLOW = 0.3  # m/s
_PEDALLED = 5.0  # metres to one turn of the pedals


@dataclass(frozen=True, slots=True, eq=False)
class Role:
    """Somebody or something that moves, before it has a look.

    Attributes:
        kind: What it is.
        path: Its way.
        look: Its look where that was settled before, such as an occluder's; it is like no other.
        is_far: Whether it is too far to be told apart from others: crowd, without identity.
    """

    kind: RoleKind
    path: Path
    look: TruckLook | None = None
    is_far: bool = False

    @property
    def is_tracked(self) -> bool:
        """Whether it has an identity: a thing that is not too far."""
        return self.kind in TRACKED and not self.is_far


def cast_roles(
    rng: np.random.Generator, roles: Sequence[Role], settings: WorldSettings
) -> tuple[Actor, ...]:
    """Give every role a look and every thing an identity.

    Of the things of a class the share ``settings.similarity`` is parted into groups of two to five
    that follow each other among the roles, and so are near each other; all of a group get one look.

    Args:
        rng: Source of all choices.
        roles: Neighbours beside each other.
        settings: Of the video: style, similarity and wash.
    """
    groups = _groups(rng, roles, settings.similarity)
    shared: dict[int, Look] = {}
    actors = []
    tracked = 0
    for role, group in zip(roles, groups, strict=True):
        look = role.look or shared.get(group) or _LOOKS[role.kind](rng, settings)
        if group:
            shared[group] = look
        tracked += role.is_tracked
        actor = Actor(
            class_name=role.kind,
            track_id=tracked if role.is_tracked else 0,
            body=_body(rng, look, role.path, settings),
            position=role.path.position,
            heading=role.path.heading,
            look_alike=group,
        )
        actors.append(actor)
    return tuple(actors)


def _groups(rng: np.random.Generator, roles: Sequence[Role], share: float) -> list[int]:
    """Number of the group of each role, from 1; 0 for none."""
    numbers = [0] * len(roles)
    last = 0
    for kind in TRACKED:
        places = [n for n, role in enumerate(roles) if role.kind == kind and role.is_tracked]
        alike = round(share * len(places))
        place = int(rng.integers(len(places) - alike + 1))
        while alike >= _GROUP[0]:
            size = int(rng.integers(_GROUP[0], min(_GROUP[1], alike) + 1))
            size = alike if alike - size < _GROUP[0] else size
            last += 1
            for member in places[place : place + size]:
                numbers[member] = last
            place += size
            alike -= size
    return numbers


def _body(rng: np.random.Generator, look: Look, path: Path, settings: WorldSettings) -> Body:
    if isinstance(look, PersonLook):
        speeds = _speeds(path, settings)
        reach = rng.uniform(*style_of(settings).swing)
        fastest = min(1.0, float(speeds.max()) / _BRISK) * reach
        swing = fastest * np.clip(speeds / max(float(speeds.max()), _SLOW), 0.0, 1.0)
        return person_body(look, _turned(rng, path, stride(look, max(fastest, 0.3))), swing)
    if isinstance(look, RiderLook):
        return rider_body(look, _turned(rng, path, _PEDALLED))
    return car_body(look) if isinstance(look, CarLook) else truck_body(look)


def _speeds(path: Path, settings: WorldSettings) -> NDArray[np.float64]:
    """Return m/s in each frame."""
    if settings.frames == 1:
        return np.zeros(1)
    return np.gradient(path.distance) / Clock.of(settings).step


def _turned(rng: np.random.Generator, path: Path, metres: float) -> NDArray[np.float64]:
    """Return radians that legs or pedals have turned, one turn for some metres."""
    return np.asarray(2 * np.pi * (rng.uniform() + path.distance / metres))


_LOOKS: dict[RoleKind, Callable[[np.random.Generator, WorldSettings], Look]] = {
    "person": lambda rng, settings: person_look(rng, style_of(settings), settings.wash),
    "rider": lambda rng, settings: rider_look(rng, style_of(settings), settings.wash),
    "car": lambda rng, settings: car_look(rng, style_of(settings), settings.wash),
    "truck": lambda rng, settings: truck_look(rng, style_of(settings)),
}
