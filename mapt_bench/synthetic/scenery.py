"""Scenery of a street: ground, houses, gardens, trees, lamps and signs."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.appearances import rider_appearance
from mapt_bench.synthetic.people import bicycle_body
from mapt_bench.synthetic.scene import Ground
from mapt_bench.synthetic.shapes import Actor, Body
from mapt_bench.synthetic.street_layout import LANE, Recording, Strip
from mapt_bench.synthetic.styles import Style
from mapt_bench.synthetic.surroundings import (
    facade_body,
    fence_body,
    ground_paint,
    hedge_body,
    light_body,
    pole_body,
    sign_body,
    tree_body,
    wall_body,
)

__all__ = ["Scenery", "moved", "standing"]

Floats = NDArray[np.float64]

_PIECE = 12.0  # length of a patch of ground in metres where a road bends
_BEHIND = 12.0
_IN_SIGHT = 115.0
_HOUSE_DEPTH = 8.0
_FURNITURE = (0.42, 0.36, 0.22)  # shares of lamps, signs and trees: signs must be learned too
_FURNITURE_GAP = (5.0, 12.0)  # metres between them


def standing(class_name: str, body: Body, place: Floats, heading: float) -> Actor:
    """Return stuff that stands still."""
    return Actor(class_name, 0, body, np.atleast_2d(place), np.array([heading]))


def moved(body: Body, offset: tuple[float, float, float]) -> Body:
    """Return a body without limbs, shifted in its own coordinates."""
    panels = (replace(panel, corners=panel.corners + offset) for panel in body.panels)
    return replace(body, panels=tuple(panels), shadow=None)


class Scenery:
    """Builds the scenery along the roads of a recording.

    Args:
        rng: Random generator.
        style: Style of the video.
        recording: The street and the camera.
    """

    def __init__(self, rng: np.random.Generator, style: Style, recording: Recording) -> None:
        self.rng, self.style = rng, style
        self.layout = recording.layout
        self.first = float(recording.along[0]) - _BEHIND
        self.last = float(recording.along.max()) + _IN_SIGHT
        self.houses: list[Actor] = []
        self.furniture: list[Actor] = []

    # -- ground -------------------------------------------------------------------------------

    def ground(self) -> tuple[Ground, ...]:
        """Return grass to the horizon, sidewalks, roads and their markings."""
        paints = {
            name: ground_paint(name, self.rng, self.style)
            for name in ("terrain", "sidewalk", "road")
        }
        patches = [Ground("terrain", None, paints["terrain"])]
        for name in ("sidewalk", "road"):
            for strip in self.layout.strips:
                half = strip.half_road + (strip.sidewalk if name == "sidewalk" else 0.0)
                patches += [
                    Ground(name, corners, paints[name]) for corners in self._pieces(strip, half)
                ]
        patches += [Ground("road", corners, self.style.marking) for corners in self._markings()]
        return tuple(patches)

    def _range(self, strip: Strip) -> tuple[float, float]:
        return (self.first, self.last) if strip is self.layout.main else (0.0, strip.route.length)

    def _pieces(self, strip: Strip, half: float) -> list[Floats]:
        low, high = self._range(strip)
        is_straight = np.ptp(strip.route.heading(np.linspace(low, high, 50))) < 1e-6
        count = 1 if is_straight else int((high - low) / _PIECE) + 1
        edges = np.linspace(low, high, count + 1)
        left, right = strip.route.place(edges, -half), strip.route.place(edges, half)
        return [np.stack([left[k], right[k], right[k + 1], left[k + 1]]) for k in range(count)]

    def _markings(self) -> list[Floats]:
        main, cross = self.layout.main, self.layout.cross
        dashes = np.arange(self.first + self.rng.uniform(0.0, 9.0), self.first + 75.0, 9.0)
        clear = 1.5 if cross is None else cross.half_road + 4.5
        dashes = dashes[np.abs(dashes + 1.5 - self.layout.junction) > clear]
        found = [
            self._bar(main, (start, start + 3.0), (number * LANE, 0.07))
            for number in range(1 - main.lanes, main.lanes)
            for start in dashes.tolist()
        ]
        if cross is not None:
            edge = self.layout.junction - cross.half_road
            found += [
                self._bar(main, (edge - 3.0, edge - 0.4), (beside, 0.25))
                for beside in np.arange(-main.half_road + 0.5, main.half_road, 1.1).tolist()
            ]
        return found

    def _bar(self, strip: Strip, along: tuple[float, float], across: tuple[float, float]) -> Floats:
        start, end = np.array(along[0]), np.array(along[1])
        low, high = across[0] - across[1], across[0] + across[1]
        place = strip.route.place
        return np.stack([place(start, low), place(start, high), place(end, high), place(end, low)])

    # -- beside the road ----------------------------------------------------------------------

    def build(self) -> None:
        """Fill :attr:`houses` and :attr:`furniture`."""
        main, cross = self.layout.main, self.layout.cross
        for side in (-1, 1):
            self._row(main, side, self.first, self.last)
            self._lamps(main, side)
            self._parked_bicycles(main, side)
        if cross is None:
            return
        for side in (-1, 1):
            for way in (-1, 1):
                # The crossing road starts where the houses of the main road end.
                start = main.half_width + _HOUSE_DEPTH
                end = start + 45.0
                low, high = (start, end) if way > 0 else (-end, -start)
                self._row(cross, side, cross.middle + low, cross.middle + high)
            self._corner(side)

    def _row(self, strip: Strip, side: int, low: float, high: float) -> None:
        """Add houses, gardens and trees along one side of a road."""
        place = low
        while place < high:
            stretch = min(self.rng.uniform(18.0, 40.0), max(high - place, 9.0))
            kind = self.rng.choice(("houses", "gardens", "green"), p=(0.5, 0.3, 0.2))
            self._stretch(str(kind), strip, side, (place, place + stretch))
            place += stretch

    def _stretch(self, kind: str, strip: Strip, side: int, along: tuple[float, float]) -> None:
        back = strip.half_width
        if kind != "houses":
            back += self.rng.uniform(3.0, 7.0) if kind == "gardens" else 14.0
            self._border(strip, side, along)
            self._trees(strip, side, along, back)
        if kind != "green":
            self._houses(strip, side, along, back)

    def _houses(self, strip: Strip, side: int, along: tuple[float, float], back: float) -> None:
        place = along[0]
        while place < along[1] - 4.0:
            length = min(self.rng.uniform(8.0, 15.0), along[1] - place)
            height = self.rng.uniform(*self.style.house_heights)
            if self._is_free(strip, place, place + length):
                self._house(strip, side, (place, length, height), back)
            place += length

    def _house(
        self, strip: Strip, side: int, size: tuple[float, float, float], back: float
    ) -> None:
        """Add a house. Its farthest end decides its depth order."""
        start, length, height = size
        middle = start + length / 2
        heading = float(strip.route.heading(np.array(middle))) + (0.0 if side < 0 else np.pi)
        far = 0.5 if strip is self.layout.main or middle > strip.middle else -0.5
        offset = far * length * (1.0 if side < 0 else -1.0)
        body = moved(facade_body(self.rng, self.style, length, height), (0.0, 0.0, -offset))
        centre = strip.route.place(np.array(middle), side * back)
        end = centre + offset * np.array([np.sin(heading), np.cos(heading)])
        self.houses.append(standing("building", body, end, heading))

    def _is_free(self, strip: Strip, low: float, high: float) -> bool:
        cross = self.layout.cross
        if cross is None or strip is cross:
            return True
        junction = self.layout.junction
        return high < junction - cross.half_width or low > junction + cross.half_width

    def _border(self, strip: Strip, side: int, along: tuple[float, float]) -> None:
        """Add a hedge, fence or wall along a garden."""
        kinds = (("vegetation", hedge_body), ("fence", fence_body), ("wall", wall_body))
        class_name, make = kinds[int(self.rng.integers(len(kinds)))]
        for place in np.arange(along[0], along[1] - 3.0, 7.0):
            if not self._is_free(strip, place, place + 7.0):
                continue
            middle = np.array(place + 3.5)
            spot = strip.route.place(middle, side * (strip.half_width + 0.6))
            heading = float(strip.route.heading(middle))
            body = make(self.rng, self.style, 7.0)
            self.houses.append(standing(class_name, body, spot, heading))

    def _trees(self, strip: Strip, side: int, along: tuple[float, float], back: float) -> None:
        place = along[0] + self.rng.uniform(1.0, 5.0)
        while place < along[1]:
            beside = side * self.rng.uniform(
                strip.half_width + 1.8, max(back, strip.half_width + 2.5)
            )
            if self._is_free(strip, place - 2.0, place + 2.0):
                spot = strip.route.place(np.array(place), beside)
                body = tree_body(self.rng, self.style, self.rng.uniform(4.5, 9.0))
                self.houses.append(standing("vegetation", body, spot, 0.0))
            place += self.rng.uniform(6.0, 14.0)

    def _lamps(self, strip: Strip, side: int) -> None:
        """Add lamp posts, signs and street trees between kerb and sidewalk."""
        with_trees = self.rng.uniform() < 0.35
        place = self.first + self.rng.uniform(0.0, 12.0)
        while place < self.first + 80.0:
            spot = strip.route.place(np.array(place), side * (strip.half_road + 0.45))
            heading = float(strip.route.heading(np.array(place)))
            kind = self.rng.choice(("lamp", "sign", "tree"), p=_FURNITURE)
            if not self._is_free(strip, place, place):
                kind = "none"
            if kind == "lamp":
                body = pole_body(self.rng, self.style, self.rng.uniform(4.5, 8.0))
                self.furniture.append(standing("pole", body, spot, heading))
            elif kind == "sign":
                turned = heading + (np.pi if side > 0 else 0.0)
                self.furniture.append(
                    standing("pole", sign_body(self.rng, self.style), spot, turned)
                )
            elif kind == "tree" and with_trees:
                body = tree_body(self.rng, self.style, self.rng.uniform(5.0, 8.0))
                self.furniture.append(standing("vegetation", body, spot, 0.0))
            place += self.rng.uniform(*_FURNITURE_GAP)

    def _parked_bicycles(self, strip: Strip, side: int) -> None:
        """Add up to three rows of one to four bicycles, at the kerb or in front of houses."""
        for _ in range(int(self.rng.integers(0, 4))):
            first = self.first + _BEHIND + self.rng.uniform(4.0, 60.0)
            beside = strip.half_road + self.rng.choice((0.45, strip.sidewalk - 0.4))
            turned = self.rng.choice((0.0, 0.5, 1.0)) * np.pi + self.rng.normal(0.0, 0.1)
            for number in range(int(self.rng.integers(1, 5))):
                place = np.array(first + number * self.rng.uniform(0.5, 0.9))
                if not self._is_free(strip, float(place), float(place)):
                    continue
                body = bicycle_body(rider_appearance(self.rng, self.style))
                heading = float(strip.route.heading(place)) + turned
                spot = strip.route.place(place, side * beside)
                self.furniture.append(standing("bicycle", body, spot, heading))

    def _corner(self, side: int) -> None:
        """Add traffic lights before and after the junction."""
        main, cross = self.layout.main, self.layout.cross
        if cross is None or self.rng.uniform() < 0.25:
            return
        heading = float(main.route.heading(np.array(self.layout.junction))) + np.pi
        for way in (-1, 1):
            along = self.layout.junction + way * (cross.half_road + 0.8)
            spot = main.route.place(np.array(along), side * (main.half_road + 0.5))
            self.furniture.append(standing("pole", light_body(self.rng, self.style), spot, heading))
