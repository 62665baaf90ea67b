"""Pillars on a square, and people who vanish behind them for as long as they should."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.casting import Role
from mapt_bench.synthetic.hiding import is_close
from mapt_bench.synthetic.paths import Clock, Path, pace, travelled
from mapt_bench.synthetic.sampling import style_of
from mapt_bench.synthetic.scenery import standing
from mapt_bench.synthetic.settings import WorldSettings
from mapt_bench.synthetic.shapes import Actor, Body
from mapt_bench.synthetic.surroundings import pillar_body
from mapt_bench.synthetic.views import View

__all__ = ["Pillar", "draw_pillars", "hide_behind"]

Floats = NDArray[np.float64]

_TALLEST = 1.95  # metres: who is hidden whole
_HALF = 0.18  # metres: half of who is hidden, arms down
_TRIES = 12
_SLOWEST, _FASTEST = 0.25, 2.2  # m/s of who passes behind


@dataclass(frozen=True, slots=True, eq=False)
class Pillar:
    """Something upright to walk behind.

    Attributes:
        actor: What stands there.
        place: x and z, metres.
        half: Half of its least width, metres.
        height: Metres.
    """

    actor: Actor
    place: Floats
    half: float
    height: float

    def deepest(self, elevation: float) -> float:
        """Return how far from the camera a person may be to be hidden from head to foot, metres."""
        distance = float(np.hypot(*self.place))
        if elevation <= self.height:
            return np.inf
        return distance * (elevation - _TALLEST) / (elevation - self.height)


def draw_pillars(
    rng: np.random.Generator, settings: WorldSettings, view: View, nearest: float
) -> list[Pillar]:
    """Draw up to two pillars; three or four where people are to be hidden."""
    count = int(rng.integers(3, 5)) if settings.gap else int(rng.choice((0, 1, 1, 2)))
    slots = rng.permutation(count)
    pillars = []
    for slot in slots:
        body = pillar_body(rng, style_of(settings))
        # Side by side, so that each has people of its own.
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
    """Return people who pass or turn behind pillars, one to three behind each."""
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
    """Try ways behind a pillar until one is hidden for about as many frames as it should be."""
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
    """Walk up to a pillar, be behind it for the gap, and go on, to the other side or back."""
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
