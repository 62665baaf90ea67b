"""Give every moving role an appearance, a body and an identity. Some appearances are shared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic._vehicles import car_body, truck_body
from mapt_bench.synthetic.appearances import (
    CarAppearance,
    PersonAppearance,
    RiderAppearance,
    TruckAppearance,
    car_appearance,
    person_appearance,
    rider_appearance,
    truck_appearance,
)
from mapt_bench.synthetic.paths import Clock, Path
from mapt_bench.synthetic.people import person_body, rider_body, stride
from mapt_bench.synthetic.shapes import Actor, Body
from mapt_bench.synthetic.style_sampling import style_of
from mapt_bench.synthetic.world_settings import WorldSettings

__all__ = ["HALF_SIZES", "Role", "RoleKind", "cast_roles"]

RoleKind = Literal["person", "rider", "car", "truck"]
Appearance = PersonAppearance | RiderAppearance | CarAppearance | TruckAppearance

TRACKED: tuple[RoleKind, ...] = ("person", "car")
"""Kinds with identities: the thing classes of the label spaces."""

HALF_SIZES: dict[RoleKind, tuple[float, float]] = {
    "person": (0.4, 0.4),
    "rider": (0.4, 0.95),
    "car": (0.95, 2.4),
    "truck": (1.1, 3.0),
}
"""Half width and half length in metres, to keep distances before appearances are sampled."""

_GROUP = (2, 5)  # least and most members of a group of look-alikes
_BRISK = 1.4  # m/s
_SLOW = 0.3  # m/s
_PEDALLED = 5.0  # metres for one turn of the pedals


@dataclass(frozen=True, slots=True, eq=False)
class Role:
    """A person or a vehicle that moves, before it has an appearance.

    Attributes:
        kind: Person, rider, car or truck.
        path: Its position in each frame.
        appearance: Its appearance if it is fixed already, as for an occluder; never shared.
        is_far: Whether it is too far to be distinguished: crowd, without identity.
    """

    kind: RoleKind
    path: Path
    appearance: TruckAppearance | None = None
    is_far: bool = False

    @property
    def is_tracked(self) -> bool:
        """Whether it has an identity: a thing that is not too far."""
        return self.kind in TRACKED and not self.is_far


def cast_roles(
    rng: np.random.Generator, roles: Sequence[Role], settings: WorldSettings
) -> tuple[Actor, ...]:
    """Give every role an appearance and every thing an identity.

    The share ``settings.similarity`` of the things of a class forms groups of two to five. The
    members are consecutive roles, so they are close to each other. All members share one
    appearance.

    Args:
        rng: Random generator.
        roles: Roles; neighbours are consecutive.
        settings: Settings of the video: style, similarity and wash.
    """
    groups = _groups(rng, roles, settings.similarity)
    shared: dict[int, Appearance] = {}
    actors = []
    tracked = 0
    for role, group in zip(roles, groups, strict=True):
        appearance = role.appearance or shared.get(group) or _APPEARANCES[role.kind](rng, settings)
        if group:
            shared[group] = appearance
        tracked += role.is_tracked
        actor = Actor(
            class_name=role.kind,
            track_id=tracked if role.is_tracked else 0,
            body=_body(rng, appearance, role.path, settings),
            position=role.path.position,
            heading=role.path.heading,
            look_alike=group,
        )
        actors.append(actor)
    return tuple(actors)


def _groups(rng: np.random.Generator, roles: Sequence[Role], share: float) -> list[int]:
    """Return the number of the group of each role, from 1; 0 for none."""
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


def _body(
    rng: np.random.Generator, appearance: Appearance, path: Path, settings: WorldSettings
) -> Body:
    if isinstance(appearance, PersonAppearance):
        speeds = _speeds(path, settings)
        reach = rng.uniform(*style_of(settings).swing)
        fastest = min(1.0, float(speeds.max()) / _BRISK) * reach
        swing = fastest * np.clip(speeds / max(float(speeds.max()), _SLOW), 0.0, 1.0)
        return person_body(
            appearance, _turned(rng, path, stride(appearance, max(fastest, 0.3))), swing
        )
    if isinstance(appearance, RiderAppearance):
        return rider_body(appearance, _turned(rng, path, _PEDALLED))
    return car_body(appearance) if isinstance(appearance, CarAppearance) else truck_body(appearance)


def _speeds(path: Path, settings: WorldSettings) -> NDArray[np.float64]:
    """Return the speed in each frame, in m/s."""
    if settings.frames == 1:
        return np.zeros(1)
    return np.gradient(path.distance) / Clock.of(settings).step


def _turned(rng: np.random.Generator, path: Path, metres: float) -> NDArray[np.float64]:
    """Return the angle of legs or pedals in radians: one turn for a number of metres."""
    return np.asarray(2 * np.pi * (rng.uniform() + path.distance / metres))


_APPEARANCES: dict[RoleKind, Callable[[np.random.Generator, WorldSettings], Appearance]] = {
    "person": lambda rng, settings: person_appearance(rng, style_of(settings), settings.wash),
    "rider": lambda rng, settings: rider_appearance(rng, style_of(settings), settings.wash),
    "car": lambda rng, settings: car_appearance(rng, style_of(settings), settings.wash),
    "truck": lambda rng, settings: truck_appearance(rng, style_of(settings)),
}
