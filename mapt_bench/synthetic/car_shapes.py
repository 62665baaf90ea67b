"""Outlines of types of cars; the families share none."""

from dataclasses import dataclass
from typing import Final

from mapt_bench.synthetic.palettes import TableFamily

__all__ = ["CAR_SHAPES", "CarShape"]


@dataclass(frozen=True, slots=True)
class CarShape:
    """The outline of a type of car; lengths in metres, the rest in shares of the length.

    Attributes:
        name: Of the type.
        length: From bumper to bumper.
        width: Without mirrors.
        height: Of the roof.
        belt: Height of the lower edge of the windows.
        bonnet: Where the windscreen starts, from the front.
        roof: Where the roof starts and ends.
        tail: Where the rear window ends.
        deck: Height of the tail's upper edge against the belt's.
        windows: Where pillars part the side windows, as shares of the cabin's side.
        wheel: Radius of the wheels.
    """

    name: str
    length: float
    width: float
    height: float
    belt: float
    bonnet: float
    roof: tuple[float, float]
    tail: float
    deck: float
    windows: tuple[float, ...]
    wheel: float


CAR_SHAPES: Final[dict[TableFamily, tuple[CarShape, ...]]] = {
    "seen": (
        CarShape("hatchback", 4.0, 1.74, 1.47, 0.93, 0.25, (0.42, 0.87), 0.97, 1.0, (0.5,), 0.31),
        CarShape("saloon", 4.6, 1.79, 1.45, 0.93, 0.27, (0.42, 0.72), 0.86, 0.97, (0.5,), 0.32),
        CarShape("estate", 4.65, 1.79, 1.5, 0.94, 0.26, (0.4, 0.91), 0.97, 1.0, (0.38, 0.7), 0.32),
        CarShape("minivan", 4.5, 1.83, 1.76, 1.03, 0.15, (0.33, 0.94), 0.98, 1.0, (0.4, 0.7), 0.33),
    ),
    "held-out": (
        CarShape("city car", 3.5, 1.63, 1.54, 0.96, 0.19, (0.36, 0.9), 0.97, 1.0, (0.55,), 0.28),
        CarShape("off-roader", 4.6, 1.9, 1.8, 1.1, 0.27, (0.37, 0.92), 0.97, 1.0, (0.4, 0.7), 0.38),
        CarShape("coupe", 4.4, 1.83, 1.33, 0.86, 0.33, (0.5, 0.67), 0.91, 1.0, (), 0.33),
        CarShape("pick-up", 5.1, 1.86, 1.76, 1.06, 0.24, (0.35, 0.56), 0.6, 0.98, (0.5,), 0.37),
    ),
}
