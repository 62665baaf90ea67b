"""A square full of people, seen by a camera above their heads; some vanish behind pillars."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError
from mapt_bench.labels import label_space
from mapt_bench.synthetic.appearances import rider_appearance
from mapt_bench.synthetic.casting import HALF_SIZES, Role, cast_roles
from mapt_bench.synthetic.paths import Clock, Paces, Path, pace, travelled, walk
from mapt_bench.synthetic.people import bicycle_body
from mapt_bench.synthetic.planned_occlusions import is_close
from mapt_bench.synthetic.scene import CameraTrack, Ground, Scene, View
from mapt_bench.synthetic.scenery import standing
from mapt_bench.synthetic.shapes import Actor, Body
from mapt_bench.synthetic.style_sampling import style_of
from mapt_bench.synthetic.styles import Style, sample_light
from mapt_bench.synthetic.surroundings import (
    facade_body,
    ground_paint,
    hedge_body,
    pillar_body,
    pole_body,
    sign_body,
    sky_appearance,
    tree_body,
)
from mapt_bench.synthetic.world_settings import WorldSettings, even_count

__all__ = ["Pillar", "crowd_scene", "hide_behind", "sample_pillars"]

Floats = NDArray[np.float64]

_TALLEST = 1.95  # metres: height of the people that are hidden
_HALF = 0.18  # metres: half of their width, arms down
_TRIES = 12
_SLOWEST, _FASTEST = 0.25, 2.2  # m/s of people that pass behind a pillar


@dataclass(frozen=True, slots=True, eq=False)
class Pillar:
    """An upright object that people walk behind.

    Attributes:
        actor: The object.
        place: Its x and z in metres.
        half: Half of its smallest width in metres.
        height: Its height in metres.
    """

    actor: Actor
    place: Floats
    half: float
    height: float

    def deepest(self, elevation: float) -> float:
        """Return the largest distance in metres at which a person is hidden from head to foot."""
        distance = float(np.hypot(*self.place))
        if elevation <= self.height:
            return np.inf
        return distance * (elevation - _TALLEST) / (elevation - self.height)


def sample_pillars(
    rng: np.random.Generator, settings: WorldSettings, view: View, nearest: float
) -> list[Pillar]:
    """Sample up to two pillars, or three or four if people are to be hidden."""
    count = int(rng.integers(3, 5)) if settings.gap else int(rng.choice((0, 1, 1, 2)))
    slots = rng.permutation(count)
    pillars = []
    for slot in slots:
        body = pillar_body(rng, style_of(settings))
        # Side by side, so that different people vanish behind each.
        tangent = view.reach * (1.5 * (slot + rng.uniform(0.25, 0.75)) / count - 0.75)
        ahead = nearest + rng.uniform(0.5, 4.5)
        place = np.array([tangent * ahead, ahead])
        half, height = _size(body)
        turned = float(np.arctan(tangent))
        pillars.append(Pillar(standing("building", body, place, turned), place, half, height))
    return pillars


def _size(body: Body) -> tuple[float, float]:
    """Return half of the width that hides at all heights, and the height, in metres."""
    if body.limbs:
        return body.limbs[0].start_radius * 0.95, float(body.joints[0, :, 1].max())
    walls = np.concatenate([panel.corners for panel in body.panels if panel.layer == 0])
    return float(walls[:, 0].max()), float(walls[:, 1].max())


def hide_behind(
    rng: np.random.Generator,
    settings: WorldSettings,
    clock: Clock,
    view: View,
    pillars: list[Pillar],
) -> list[Role]:
    """Return people that pass or turn behind pillars, one to three for each pillar."""
    hidden: list[Role] = []
    for pillar in pillars:
        for _ in range(int(rng.integers(1, 4))):
            path = _hidden_path(rng, settings, clock, view, pillar)
            if path is not None:
                hidden.append(Role("person", path))
    return hidden


def _hidden_path(
    rng: np.random.Generator, settings: WorldSettings, clock: Clock, view: View, pillar: Pillar
) -> Path | None:
    """Try paths behind a pillar until one is hidden for about the wanted number of frames."""
    distance = float(np.hypot(*pillar.place))
    for _ in range(_TRIES):
        deepest = min(pillar.deepest(view.camera.elevation) - 0.4, distance + 6.0)
        if deepest < distance + 1.0:
            return None
        behind = rng.uniform(distance + 0.9, deepest)
        reach = 0.96 * pillar.half * behind / distance - _HALF
        if reach < 0.15:
            continue
        path = _way(rng, settings, clock, pillar, behind, reach)
        sight = view.sight(path.position, path.heading, (_HALF, _HALF))
        who = view.sight(pillar.actor.position, pillar.actor.heading, (pillar.half, pillar.half))
        covered = who.covers(sight, 0.0)
        is_seen = view.is_inside(sight) & ~covered
        places = np.flatnonzero(covered)
        if not len(places) or not is_close(len(places), settings.gap):
            continue
        if is_seen[: places[0]].sum() >= 2 and is_seen[places[-1] :].sum() >= 2:
            return path
    return None


def _way(
    rng: np.random.Generator,
    settings: WorldSettings,
    clock: Clock,
    pillar: Pillar,
    behind: float,
    reach: float,
) -> Path:
    """Walk up to a pillar, stay behind it for the gap, then walk to the other side or back."""
    gap, frames = settings.gap, clock.frames
    enter = rng.uniform(1.6, frames - gap - 1.6)
    own = pace(rng, clock, rng.uniform(0.7, 1.7), style_of(settings).paces)
    walked = travelled(own, clock)
    time = np.arange(frames, dtype=np.float64)
    leave = enter + gap
    inside = np.clip((time - enter) / gap, 0.0, 1.0)
    start, end = np.interp([enter, leave], time, walked)
    before = np.minimum(walked - start, 0.0)
    after = np.maximum(walked - end, 0.0)
    passing = 2 * reach / (gap * clock.step)
    if _SLOWEST < passing < _FASTEST and rng.uniform() < 0.65:
        aside = -reach + before + 2 * reach * inside + after
    else:
        depth = min(float(own.mean()) * gap * clock.step / np.pi, 1.5 * reach)
        aside = -reach + before + depth * np.sin(np.pi * inside) - after
    aside *= rng.choice((-1.0, 1.0))
    sight_line = pillar.place / np.hypot(*pillar.place)
    across = np.array([sight_line[1], -sight_line[0]])
    slope = rng.uniform(-0.25, 0.25)
    radial = behind + slope * aside
    position = radial[:, np.newaxis] * sight_line + aside[:, np.newaxis] * across
    steps = np.gradient(position, axis=0)
    heading = np.unwrap(np.arctan2(steps[:, 0], steps[:, 1]))
    distance = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(position, axis=0).T))])
    return Path(position, heading, distance)


_FARTHEST = 30.0  # metres; beyond, people are a handful of pixels
_PEOPLE = (10, 12, 14, 15, 16, 18, 19, 21, 24, 32)  # of a video, each equally often
_CLUSTER = 5.5  # metres between people and the middle of their cluster
_MOST_TRIES = 400


def crowd_scene(settings: WorldSettings, rng: np.random.Generator) -> Scene:
    """Generate a square and all people on it."""
    # Separate generators: light, houses and camera do not change with the people.
    camera_rng, people_rng, hiding_rng, looks_rng, scenery_rng, light_rng, more_rng = rng.spawn(7)
    clock, style = Clock.of(settings), style_of(settings)
    camera = _camera(camera_rng, clock)
    view = View.of(camera, settings)
    wanted = settings.objects
    if wanted is None:
        wanted = even_count(settings.seed, _PEOPLE)
    square = _Square(people_rng, settings, clock, view)
    pillars = sample_pillars(hiding_rng, settings, view, square.nearest)
    people: list[Role] = []
    if settings.gap:
        people += hide_behind(hiding_rng, settings, clock, view, pillars)[:wanted]
    people += square.people(wanted - len(people))
    if settings.objects is not None and len(people) < settings.objects:
        raise ConfigError(
            f"{settings.objects} objects do not fit on this square; expected at most "
            f"{len(people)}, or another seed",
            where=f"crowd of seed {settings.seed}",
        )
    people.sort(key=lambda role: float(role.path.position[clock.frames // 2, 0]))
    actors = cast_roles(looks_rng, [*people, *square.cyclists(), *square.distant()], settings)
    return Scene(
        camera=camera,
        ground=_ground(scenery_rng, style),
        sky=sky_appearance(light_rng, style),
        surroundings=_surroundings(scenery_rng, style),
        actors=(
            *actors,
            *(pillar.actor for pillar in pillars),
            *_trees(scenery_rng, style),
            *_furniture(more_rng, style, settings.labels),
        ),
        light=sample_light(light_rng, clock, style),
    )


def _camera(rng: np.random.Generator, clock: Clock) -> CameraTrack:
    elevation = rng.uniform(2.2, 5.5)
    heading = np.zeros(clock.frames)
    if rng.uniform() < 0.45:  # pans slowly left and right
        swing = np.sin(2 * np.pi * (clock.seconds / rng.uniform(6.0, 14.0) + rng.uniform()))
        heading = rng.uniform(0.03, 0.14) * swing
    return CameraTrack(
        position=np.zeros((clock.frames, 2)),
        elevation=elevation,
        heading=heading,
        pitch=np.full(clock.frames, 0.06 + 0.022 * elevation + rng.uniform(-0.02, 0.02)),
        focal=rng.uniform(1.7, 2.1),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Square:
    """Place people in the view of the camera."""

    rng: np.random.Generator
    settings: WorldSettings
    clock: Clock
    view: View

    @property
    def paces(self) -> Paces:
        """Changes of speed over time."""
        return style_of(self.settings).paces

    @property
    def nearest(self) -> float:
        """Smallest distance in metres at which a standing person is entirely visible."""
        camera = self.view.camera
        down = float(camera.pitch[0]) + np.arctan(0.5 / camera.focal)
        return float(camera.elevation / np.tan(down)) + 0.6

    def people(self, wanted: int) -> list[Role]:
        """Return people that come into view, in groups that walk or stand together."""
        clusters = [self._anywhere() for _ in range(int(self.rng.integers(2, 5)))]
        flow = self.rng.uniform(-0.5, 0.5) + np.pi / 2
        found: list[Role] = []
        for _ in range(_MOST_TRIES):
            if len(found) >= wanted:
                break
            centre = clusters[int(self.rng.integers(len(clusters)))]
            reach = _CLUSTER * self.settings.spacing
            place = centre + self.rng.normal(size=2) * (1.6 * reach, reach)
            if not self._is_in_view(place):
                continue
            group = [Role("person", path) for path in self._group(place, flow)]
            found += [role for role in group if self._is_seen(role)][: wanted - len(found)]
        return found

    def _anywhere(self) -> Floats:
        # Constant density, except far away, where there would be too many.
        ahead = self.nearest + (24.0 - self.nearest) * self.rng.uniform() ** 0.8
        return np.array([self.rng.uniform(-0.9, 0.9) * self.view.reach * ahead, ahead])

    def _is_in_view(self, place: Floats) -> bool:
        is_near = self.nearest < place[1] < _FARTHEST - 4.0
        return bool(is_near and abs(place[0]) < (self.view.reach + 0.08) * place[1])

    def _group(self, place: Floats, flow: float) -> list[Path]:
        rng, paces = self.rng, self.paces
        size = int(rng.choice((1, 1, 1, 2, 2, 3)))
        heading = flow + (np.pi if rng.uniform() < 0.5 else 0.0) + rng.normal(0.0, 0.35)
        if rng.uniform() < 0.2:
            heading = rng.uniform(-np.pi, np.pi)
        frame = int(rng.integers(self.clock.frames))
        manner = rng.uniform()
        if manner < 0.14:  # stands, and perhaps walks later
            speeds = pace(rng, self.clock, rng.uniform(0.6, 1.4), paces)
            leave = rng.uniform(-0.2, 2.5) * self.clock.span
            speeds = speeds * np.clip((self.clock.seconds - leave) / 0.6, 0.0, 1.0)
        else:
            cruise = rng.uniform(0.6, 1.8) if manner < 0.96 else rng.uniform(2.2, 3.0)
            speeds = pace(rng, self.clock, cruise, paces, stop=0.25)
        lead = walk(rng, self.clock, speeds, heading, turn=0.3)
        lead = lead.through(place, frame)
        paths = [lead]
        beside = np.array([np.cos(heading), -np.sin(heading)])
        for number in range(1, size):
            step = number * max(rng.uniform(0.65, 1.1) * self.settings.spacing, 0.45)
            offset = step * beside + rng.normal(0.0, 0.15, size=2)
            # Friends stay together, but do not walk in step.
            lag = 0.12 * np.sin(self.clock.seconds * rng.uniform(0.8, 2.0) + rng.uniform(0, 6))
            along = np.stack([np.sin(lead.heading), np.cos(lead.heading)], axis=1)
            position = lead.position + offset + lag[:, np.newaxis] * along
            paths.append(replace(lead, position=position, distance=lead.distance + lag - lag[0]))
        return paths

    def _is_seen(self, role: Role) -> bool:
        sight = self.view.sight(role.path.position, role.path.heading, HALF_SIZES[role.kind])
        is_near = (sight.ahead < _FARTHEST) & (sight.ahead > self.nearest - 1.5)
        return bool((self.view.touches(sight) & is_near).any())

    def cyclists(self) -> list[Role]:
        """Return up to two cyclists that cross. They have no identity, as in MOTChallenge-STEP."""
        found = []
        for _ in range(int(self.rng.choice((0, 0, 1, 1, 2)))):
            speeds = pace(self.rng, self.clock, self.rng.uniform(2.0, 4.0), self.paces)
            heading = self.rng.choice((-1, 1)) * np.pi / 2 + self.rng.normal(0.0, 0.3)
            path = walk(self.rng, self.clock, speeds, heading, wander=0.15)
            frame = int(self.rng.integers(self.clock.frames))
            found.append(Role("rider", path.through(self._anywhere(), frame)))
        return found

    def distant(self) -> list[Role]:
        """Return people too far to be distinguished: crowd."""
        centre = np.array([self.rng.uniform(-20.0, 20.0), self.rng.uniform(37.0, 41.0)])
        found = []
        for _ in range(int(self.rng.integers(3, 10))):
            speeds = pace(self.rng, self.clock, self.rng.uniform(0.0, 1.2), self.paces)
            path = walk(self.rng, self.clock, speeds, self.rng.uniform(-np.pi, np.pi))
            place = centre + self.rng.normal(size=2) * (3.0, 1.0)
            found.append(Role("person", path.through(place, 0), is_far=True))
        return found


def _ground(rng: np.random.Generator, style: Style) -> tuple[Ground, ...]:
    patches = [Ground("sidewalk", None, ground_paint("sidewalk", rng, style))]
    lawn = ground_paint("vegetation", rng, style)
    if rng.uniform() < 0.6:
        x, z = rng.uniform(-25.0, 25.0), rng.uniform(18.0, 34.0)
        half, deep = rng.uniform(5.0, 14.0), rng.uniform(3.0, 9.0)
        corners = [(x - half, z), (x + half, z), (x + half, z + deep), (x - half, z + deep)]
        patches.append(Ground("vegetation", np.array(corners), lawn))
    return tuple(patches)


def _surroundings(rng: np.random.Generator, style: Style) -> tuple[Actor, ...]:
    """Return houses behind the square, with gaps, and hedges in front of some."""
    found = []
    ahead, place = rng.uniform(44.0, 60.0), -62.0
    while place < 62.0:
        length = rng.uniform(10.0, 20.0)
        middle = np.array([place + length / 2, ahead + rng.uniform(0.0, 3.0)])
        if rng.uniform() < 0.85:
            low, high = style.house_heights
            body = facade_body(rng, style, length, rng.uniform(low + 1.0, high + 2.0))
            found.append(standing("building", body, middle, np.pi / 2))
        else:
            body = tree_body(rng, style, rng.uniform(6.0, 10.0))
            found.append(standing("vegetation", body, middle, 0.0))
        place += length
    for _ in range(int(rng.integers(0, 4))):
        middle = np.array([rng.uniform(-35.0, 35.0), rng.uniform(42.0, 43.5)])
        found.append(standing("vegetation", hedge_body(rng, style, 9.0), middle, np.pi / 2))
    return tuple(found)


def _trees(rng: np.random.Generator, style: Style) -> tuple[Actor, ...]:
    found = []
    for _ in range(int(rng.integers(0, 5))):
        ahead = rng.uniform(14.0, 36.0)
        place = np.array([rng.uniform(-0.9, 0.9) * ahead, ahead])
        body = tree_body(rng, style, rng.uniform(4.0, 7.5))
        found.append(standing("vegetation", body, place, 0.0))
    for _ in range(int(rng.integers(0, 3))):
        ahead = rng.uniform(12.0, 30.0)
        place = np.array([rng.uniform(-0.9, 0.9) * ahead, ahead])
        turned = np.pi / 2 + rng.normal(0.0, 0.3)
        found.append(
            standing("vegetation", hedge_body(rng, style, rng.uniform(3.0, 7.0)), place, turned)
        )
    return tuple(found)


def _furniture(rng: np.random.Generator, style: Style, labels: str) -> list[Actor]:
    """Return hedges and parked bicycles; lamps and signs if the label space has their class."""
    found = []
    for _ in range(int(rng.integers(3, 6))):
        body = hedge_body(rng, style, rng.uniform(2.0, 5.0))
        turned = np.pi / 2 + rng.normal(0.0, 0.4)
        found.append(standing("vegetation", body, _somewhere(rng), turned))
    if "pole" in {entry.name for entry in label_space(labels).classes}:
        for _ in range(int(rng.integers(1, 5))):
            body = pole_body(rng, style, rng.uniform(3.5, 6.0))
            found.append(standing("pole", body, _somewhere(rng), rng.uniform(-np.pi, np.pi)))
        for _ in range(int(rng.integers(0, 3))):
            turned = np.pi + rng.normal(0.0, 0.5)
            found.append(standing("pole", sign_body(rng, style), _somewhere(rng), turned))
    for _ in range(int(rng.integers(0, 3))):
        first, turned = _somewhere(rng), rng.uniform(-np.pi, np.pi)
        beside = np.array([np.cos(turned), -np.sin(turned)])
        for number in range(int(rng.integers(1, 5))):
            body = bicycle_body(rider_appearance(rng, style))
            found.append(standing("bicycle", body, first + 0.6 * number * beside, turned))
    return found


def _somewhere(rng: np.random.Generator) -> Floats:
    ahead = rng.uniform(9.0, 30.0)
    return np.array([rng.uniform(-0.9, 0.9) * ahead, ahead])
