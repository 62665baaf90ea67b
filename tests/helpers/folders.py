"""Folders of ground truth and predictions on disk, small and drawn by hand."""

from collections.abc import Mapping
from pathlib import Path

from helpers.films import film
from helpers.maps import write_frames

GT = "c1 c1 r s p2 r | r c1 c1 s p2 r | r r c1 c1 p2 r | r r r s p2 c1"
SWITCHED = "c1 c1 r s p2 r | r c1 c1 s p2 r | r r c7 c7 p2 r | r r r s p2 c7"
LOST = "c1 c1 r s p2 r | r r r s p2 r | r r c1 c1 r r | r r r s p2 c1"
LOOSE = "c1 c1 c1 s p2 r | r c1 s s p2 r | r r c1 c1 p2 p2 | r r s s p2 c1"


def write_films(folder: Path, films: Mapping[str, str]) -> Path:
    """Write ``<folder>/<sequence>/%06d.png`` for every drawn sequence."""
    for name, drawn in films.items():
        write_frames(folder / name, film(drawn))
    return folder


def six_films(*cycle: str) -> dict[str, str]:
    """Six sequences of predictions, taken in turn."""
    return {f"{at:04d}": cycle[at % len(cycle)] for at in range(6)}
