"""Who is on a street so far, and where there is room for more."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.casting import HALF_SIZES, Role, RoleKind
from mapt_bench.synthetic.layout import Lane, Strip
from mapt_bench.synthetic.paths import Clock, Path, drive, pace, travelled
from mapt_bench.synthetic.recording import Recording
from mapt_bench.synthetic.sampling import style_of
from mapt_bench.synthetic.settings import WorldSettings
from mapt_bench.synthetic.views import View

__all__ = ["Traffic"]

Floats = NDArray[np.float64]

_FARTHEST: dict[RoleKind, float] = {"car": 56.0, "truck": 70.0, "person": 33.0, "rider": 40.0}
"""Metres within which things have identities; beyond, they are a handful of pixels."""

_SOON = 20.0  # metres that a camera goes while it looks at much the same things


class Traffic:
    """A street that fills with things, group by group.

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
        style = style_of(settings)
        self.paces, self.walking = style.paces, style.walking
        self.roles: list[Role] = []
        self.taken: set[str] = set()

    @property
    def tracked(self) -> int:
        """Things with an identity so far."""
        return sum(role.is_tracked for role in self.roles)

    def add(self, roles: Iterable[Role], most: int) -> None:
        """Keep those of a group that come into view, and at most some number of things."""
        for role in roles:
            if (role.is_tracked and most <= 0) or not self.is_seen(role):
                continue
            self.roles.append(role)
            most -= role.is_tracked

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

    @property
    def excess(self) -> float:
        """Metres that the camera goes beyond what it looks at from its first place."""
        along = self.recording.along
        return max(float(along[-1] - along[0]) - _SOON, 0.0)

    def somewhere(self) -> float:
        """Choose one of the camera's places: the first, or a later one if it goes far."""
        return self.start + self.rng.uniform() * self.excess

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
        return self.somewhere() + self.rng.uniform(low, high)

    @property
    def walked(self) -> tuple[float, float]:
        """Metres before the camera's first place between which people are on the sidewalk."""
        return (18.0, 42.0) if self.recording.manner == "cruise" else (6.0, 26.0)

    def pace(self, cruise: float, *, stop: float = 0.0) -> Floats:
        """Draw speeds around a mean, m/s in each frame."""
        return pace(self.rng, self.clock, cruise, self.paces, stop=stop)

    def moved(self, cruise: float, *, stop: float = 0.0) -> Floats:
        """Draw metres since the first frame, at speeds around a mean in m/s."""
        return travelled(self.pace(cruise, stop=stop), self.clock)

    def still(self, lane: Lane, place: float) -> Path:
        """Stand at a place along a lane."""
        along = np.full(self.clock.frames, place)
        return drive(lane.route, along, lane.beside, back=lane.back)
