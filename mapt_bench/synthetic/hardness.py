"""In which ways the hard half of a suite is hard: four factors of two levels, all combinations."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

from mapt_bench.synthetic.settings import Kind

__all__ = ["FACTORS", "Cell", "Factor", "Level", "cell_code", "full_factorial", "screening_design"]

Level = Literal["low", "high"]
Cell = Mapping[str, Level]
"""Name of each factor and its level."""

_PLACKETT_BURMAN_12 = "++-+++---+-"


@dataclass(frozen=True, slots=True)
class Factor:
    """One way to be hard.

    Attributes:
        setting: The field of :class:`~mapt_bench.synthetic.settings.WorldSettings` that it sets.
        low: Its value at the low level.
        high: Its value at the high level.
    """

    setting: str
    low: float
    high: float

    def value(self, level: Level) -> float:
        """Return the value of a level."""
        return self.low if level == "low" else self.high


FACTORS: dict[str, Factor] = {
    "displacement": Factor("speed", 1.25, 2.5),
    "neighbour_distance": Factor("spacing", 0.5, 1.0),
    "similarity": Factor("similarity", 0.3, 0.9),
    "gap_length": Factor("gap", 3, 8),
}
"""The factors by name. Levels are those of the quantity: near neighbours are the harder ones."""


def cell_code(cell: Cell) -> str:
    """Return a short name of a cell: the initial of each factor, 0 for low and 1 for high.

    Example:
        >>> cell_code({"displacement": "high", "neighbour_distance": "low"})
        'd1n0'
    """
    return "".join(f"{name[0]}{int(level == 'high')}" for name, level in cell.items())


def full_factorial() -> tuple[Cell, ...]:
    """Return all sixteen cells."""
    levels: tuple[Level, Level] = ("low", "high")
    return tuple(
        dict(zip(FACTORS, chosen, strict=True)) for chosen in product(levels, repeat=len(FACTORS))
    )


def screening_design() -> tuple[tuple[Kind, Cell], ...]:
    """Return twelve runs in which kind and every factor are balanced, also two by two.

    Plackett and Burman 1946, "The Design of Optimum Multifactorial Experiments": eleven cyclic
    shifts of one row, and a row of low levels. Kind takes the first column, factors the next.
    """
    row = _PLACKETT_BURMAN_12
    rows = [row[-shift:] + row[:-shift] if shift else row for shift in range(len(row))]
    runs: list[tuple[Kind, Cell]] = []
    for signs in (*rows, "-" * len(row)):
        cell: dict[str, Level] = {
            name: "high" if sign == "+" else "low"
            for name, sign in zip(FACTORS, signs[1:], strict=False)
        }
        runs.append(("street" if signs[0] == "+" else "crowd", cell))
    return tuple(runs)
