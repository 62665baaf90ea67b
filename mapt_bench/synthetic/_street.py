"""A street seen by a camera on a car; some things vanish behind trucks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError
from mapt_bench.synthetic._traffic import Traffic, add_distant, fill, stages
from mapt_bench.synthetic.appearances import TruckAppearance, truck_appearance
from mapt_bench.synthetic.casting import Role, RoleKind, cast_roles
from mapt_bench.synthetic.paths import Clock, Path, drive
from mapt_bench.synthetic.planned_occlusions import Candidates, find_encounter
from mapt_bench.synthetic.scene import Scene, View
from mapt_bench.synthetic.scenery import Scenery
from mapt_bench.synthetic.street_layout import Lane, Manner, sample_recording
from mapt_bench.synthetic.style_sampling import style_of
from mapt_bench.synthetic.styles import sample_light
from mapt_bench.synthetic.surroundings import sky_appearance
from mapt_bench.synthetic.world_settings import WorldSettings, even_count

__all__ = ["hide_behind_trucks", "street_scene"]

Floats = NDArray[np.float64]

_TRIES = 12
_FARTHEST = {"car": 45.0, "person": 30.0}
_HIDDEN_HALF = {"car": (0.95, 2.45), "person": (0.18, 0.18)}


@dataclass(frozen=True, slots=True, eq=False)
class _Way:
    """A lane, and a motion along it from several starts.

    Attributes:
        lane: The lane.
        moved: Metres along the lane since the first frame, ``(frames,)``; negative is against it.
        starts: Possible positions along the lane in the first frame, in metres.
    """

    lane: Lane
    moved: Floats
    starts: Floats

    def candidates(self, half_size: tuple[float, float]) -> Candidates:
        along = self.starts[:, np.newaxis] + self.moved
        heading = self.lane.route.heading(along) + (np.pi if self.faces_back else 0.0)
        return Candidates(self.lane.route.place(along, self.lane.beside), heading, half_size)

    def path(self, start: int) -> Path:
        along = self.starts[start] + self.moved
        return drive(self.lane.route, along, self.lane.beside, back=self.faces_back)

    @property
    def faces_back(self) -> bool:
        going = float(self.moved[-1])
        return self.lane.back if going == 0.0 else going < 0.0


def hide_behind_trucks(traffic: Traffic, wanted: int) -> None:
    """Add trucks, and things that each truck hides completely for ``settings.gap`` frames.

    Args:
        traffic: Receives them. Their lanes are reserved.
        wanted: Number of things to hide. Fewer are hidden if no more paths are found.
    """
    rng = traffic.rng
    acts = _ACTS[traffic.recording.manner]
    hidden = 0
    for _ in range(_TRIES):
        if hidden >= wanted:
            return
        look = truck_appearance(rng, style_of(traffic.settings))
        act = acts[int(rng.integers(len(acts)))](traffic)
        if act is not None:
            hidden += _play(traffic, look, *act, most=wanted - hidden)


def _play(
    traffic: Traffic,
    look: TruckAppearance,
    truck: _Way,
    targets: list[tuple[RoleKind, _Way]],
    *,
    most: int,
) -> int:
    """Find starts for a truck and its first target. Further targets use the same truck."""
    path: Path | None = None
    found = 0
    for kind, way in targets[:most]:
        # The body is at least this large at all relevant heights.
        half = (look.width / 2 - 0.05, look.length / 2 - 0.25)
        if path is None:
            occluders = truck.candidates(half)
        else:
            occluders = Candidates(path.position[np.newaxis], path.heading[np.newaxis], half)
        encounter = find_encounter(
            traffic.rng,
            traffic.view,
            way.candidates(_HIDDEN_HALF[kind]),
            occluders,
            gap=traffic.settings.gap,
            farthest=_FARTHEST[kind],
        )
        if encounter is None:
            continue
        if path is None:
            path = truck.path(encounter.occluder)
            traffic.roles.append(Role("truck", path, look))
            traffic.taken.add(truck.lane.name)
        traffic.roles.append(Role(kind, way.path(encounter.target)))
        if kind == "car":
            traffic.taken.add(way.lane.name)
        found += 1
    return found


def _around(traffic: Traffic, lane: Lane, low: float, high: float, step: float) -> Floats:
    """Return positions along a lane, relative to the camera's first position or the junction."""
    middle = traffic.start if lane.route is traffic.layout.main.route else lane.middle
    return middle + np.arange(low, high, step) + traffic.rng.uniform(0.0, step)


def _walker(traffic: Traffic, lane: Lane, low: float, high: float) -> tuple[RoleKind, _Way]:
    moved = traffic.side() * traffic.moved(traffic.rng.uniform(0.6, 1.7), stop=0.2)
    return "person", _Way(lane, moved, _around(traffic, lane, low, high, 0.8))


_Act = tuple[_Way, list[tuple[RoleKind, _Way]]] | None


def _parked_truck(traffic: Traffic) -> _Act:
    """Return a truck at the kerb, and people on the sidewalk behind it."""
    side, main = traffic.side(), traffic.layout.main
    lane = main.parked(side)
    if lane.name in traffic.taken:
        return None
    still = np.zeros(traffic.clock.frames)
    later = traffic.rng.uniform() * traffic.excess
    truck = _Way(lane, still, _around(traffic, lane, later + 5.0, later + 32.0, 1.2))
    walks = [main.walk(side, traffic.rng.uniform(0.35, 0.95)) for _ in range(3)]
    return truck, [_walker(traffic, walk, later + 4.0, later + 42.0) for walk in walks]


def _truck_passes(traffic: Traffic) -> _Act:
    """Return an oncoming truck that passes in front of targets on the left."""
    main = traffic.layout.main
    lane = main.lane(main.lanes - 1, back=True)
    if lane.name in traffic.taken or traffic.recording.manner in ("wait", "turn"):
        return None
    later = traffic.rng.uniform() * traffic.excess
    moved = -traffic.moved(traffic.rng.uniform(2.0, 8.0))
    truck = _Way(lane, moved, _around(traffic, lane, later + 14.0, later + 70.0, 1.5))
    targets: list[tuple[RoleKind, _Way]] = []
    parked = main.parked(-1)
    if main.parking and parked.name not in traffic.taken:
        still = np.zeros(traffic.clock.frames)
        places = _around(traffic, parked, later + 8.0, later + 45.0, 1.0)
        targets.append(("car", _Way(parked, still, places)))
    if not targets or traffic.recording.manner != "cruise":  # few people at high speed
        walk = main.walk(-1, traffic.rng.uniform(0.2, 0.9))
        targets.append(_walker(traffic, walk, later + 6.0, later + 42.0))
    return truck, targets


def _truck_ahead(traffic: Traffic) -> _Act:
    """Return a truck ahead of the camera, and targets that come towards it or cross."""
    main = traffic.layout.main
    if "ahead" in traffic.taken or traffic.recording.manner == "turn":
        return None
    beside = traffic.recording.beside
    own = Lane(main.route, beside, False, main.middle, "ahead")
    drift = traffic.moved(traffic.rng.uniform(-0.8, 1.5))
    if traffic.recording.manner == "wait":
        drift = np.zeros_like(drift)
    moved = traffic.recording.along - traffic.start + drift
    truck = _Way(own, moved, _around(traffic, own, 9.0, 22.0, 1.0))
    lane = main.lane(0, back=True)
    targets: list[tuple[RoleKind, _Way]] = []
    if lane.name not in traffic.taken:
        way = _Way(
            lane,
            -traffic.moved(traffic.rng.uniform(1.0, 9.0)),
            _around(traffic, lane, 14.0, 75.0, 1.0),
        )
        targets.append(("car", way))
    if not targets or traffic.recording.manner != "cruise":
        walk = main.walk(1, traffic.rng.uniform(0.1, 0.9))
        targets.append(_walker(traffic, walk, 10.0, 40.0))
    return truck, targets


def _crossing_truck(traffic: Traffic) -> _Act:
    """Return a truck on the crossing road, in front of cars and people on its far side."""
    cross = traffic.layout.cross
    if cross is None:
        return None
    near = cross.lane(cross.lanes - 1, back=False)
    if near.name in traffic.taken:
        return None
    speed = traffic.rng.uniform(1.5, 7.0) if traffic.rng.uniform() < 0.7 else 0.0
    moved = traffic.moved(speed) if speed else np.zeros(traffic.clock.frames)
    truck = _Way(near, moved, _around(traffic, near, -35.0, 14.0, 1.2))
    targets: list[tuple[RoleKind, _Way]] = []
    for number in range(cross.lanes):
        far = cross.lane(number, back=True)
        if far.name not in traffic.taken:
            going = -traffic.moved(traffic.rng.uniform(2.0, 8.0), stop=0.2)
            targets.append(("car", _Way(far, going, _around(traffic, far, -14.0, 35.0, 1.0))))
    for _ in range(0 if traffic.recording.manner == "turn" else 2):
        walk = cross.walk(-1, traffic.rng.uniform(0.1, 0.9))
        targets.append(_walker(traffic, walk, -14.0, 14.0))
    return truck, targets


_Acts = tuple[Callable[[Traffic], _Act], ...]

_ACTS: dict[Manner, _Acts] = {
    "cruise": (_truck_passes, _truck_passes, _truck_ahead, _truck_ahead, _parked_truck),
    "crawl": (_truck_passes, _truck_ahead, _parked_truck),
    "wait": (_crossing_truck, _crossing_truck, _parked_truck, _truck_ahead),
    "turn": (_crossing_truck,),
}


_OBJECTS = (2, 4, 5, 6, 6, 7, 8, 9, 11, 15)  # tracked things of a video, each equally often


def street_scene(settings: WorldSettings, rng: np.random.Generator) -> Scene:
    """Generate a street and everything on it."""
    # Separate generators: light, houses and camera do not change with the traffic.
    camera_rng, traffic_rng, looks_rng, scenery_rng, light_rng = rng.spawn(5)
    clock, style = Clock.of(settings), style_of(settings)
    recording = sample_recording(camera_rng, settings, clock)
    view = View.of(recording.camera, settings)
    traffic = Traffic(traffic_rng, settings, clock, recording, view)
    wanted = settings.objects
    if wanted is None:
        wanted = round(even_count(settings.seed, _OBJECTS) * stages(traffic))
    if settings.gap:
        hide_behind_trucks(traffic, min(wanted, int(traffic_rng.integers(2, 5))))
    fill(traffic, wanted)
    if settings.objects is not None and traffic.tracked < wanted:
        raise ConfigError(
            f"{wanted} objects do not fit on this street; expected at most {traffic.tracked}, or "
            "another seed",
            where=f"street of seed {settings.seed}",
        )
    add_distant(traffic)
    scenery = Scenery(scenery_rng, style, recording)
    ground = scenery.ground()
    scenery.build()
    is_hiding = recording.layout.cross is not None  # houses hide traffic on the other road
    return Scene(
        camera=recording.camera,
        ground=ground,
        sky=sky_appearance(light_rng, style),
        surroundings=() if is_hiding else tuple(scenery.houses),
        actors=(
            *cast_roles(looks_rng, traffic.roles, settings),
            *scenery.furniture,
            *(scenery.houses if is_hiding else ()),
        ),
        light=sample_light(light_rng, clock, style),
        bonnet=camera_rng.uniform(0.05, 0.12) if camera_rng.uniform() < 0.2 else 0.0,
    )
