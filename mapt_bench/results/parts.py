"""The parts of a run: rows that were run on the same segments, and so may be compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["OWN_SEGMENTS", "Part", "part_of", "run_parts"]

OWN_SEGMENTS = "own"
"""What rows name as their segments where each links what it found itself."""

_BY_CELL = {"links_by_group", "recoveries"}
"""What a run tells of each cell apart from its summary."""

_BY_VARIANT = {"visibility", "recoveries", "break_points"}
"""What a stress test tells of each variant apart from its summary."""

Run = Mapping[str, Any]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one table.

    Attributes:
        segments: Name of what was linked; ``"own"`` where every row links what it found itself;
            empty in runs that do not tell kinds of segments apart.
        trained: Whether its rows are networks that were trained without a part, rather than one
            network of which parts are switched off.
        run: The run as it would be with these rows alone.
        is_first: Whether it is the first of the run.
    """

    segments: str
    trained: bool
    run: Run
    is_first: bool

    @property
    def suffix(self) -> str:
        """What file names and names of rows end in; nothing for the first."""
        if self.is_first:
            return ""
        return f"trained-{self.segments}" if self.trained else self.segments

    @property
    def heading(self) -> str:
        """What was linked, in words."""
        if self.segments == OWN_SEGMENTS:
            words = "segments that each tracker finds itself"
        else:
            known = (self.run.get("protocol") or {}).get("segments_by_name") or {}
            words = f"segments {known.get(self.segments, self.segments)}"
        return f"networks trained without a part, {words}" if self.trained else words


def run_parts(run: Run) -> list[Part]:
    """Return the parts of a run in its order; a run of one kind of segments is one part."""
    rows: dict[tuple[str, bool], list[Row]] = {}
    for row in run["summary"]:
        rows.setdefault(part_of(row), []).append(row)
    if len(rows) < 2:
        segments, trained = next(iter(rows), ("", False))
        return [Part(segments, trained, run, True)]
    parts = []
    for place, ((segments, trained), members) in enumerate(rows.items()):
        of_part: dict[str, Any] = {**run, "summary": members}
        cells = {(row["variant"], row.get("cell")) for row in members}
        names = {row["variant"] for row in members}
        for name in (_BY_CELL | _BY_VARIANT) & run.keys():
            of_part[name] = [
                each
                for each in run[name]
                if each["variant"] in names
                and ("cell" not in each or (each["variant"], each["cell"]) in cells)
            ]
        parts.append(Part(segments, trained, of_part, place == 0))
    return parts


def part_of(row: Row) -> tuple[str, bool]:
    """Return the segments of a summary row, and whether it is of networks trained apart."""
    return str(row.get("segments") or ""), bool(row.get("trained"))
