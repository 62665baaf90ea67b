"""What tables, plots and comparisons read from a result: scores, rows and parts of a run.

A score is a share or a count, and higher or lower is better. A row is one variant of a run. A part
is the set of rows that run on the same segments and may be compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = [
    "HEADLINE",
    "LOWER_BOUND",
    "OWN_SEGMENTS",
    "SCORES",
    "Part",
    "Row",
    "ScoreKind",
    "conditions_note",
    "is_reference",
    "part_of",
    "row_interval",
    "row_label",
    "row_name",
    "row_score",
    "run_parts",
    "score_kind",
]


@dataclass(frozen=True)
class ScoreKind:
    """How to read a score.

    Attributes:
        unit: ``"percent"`` for fractions in results, shown in percent and compared in percentage
            points; ``"count"`` and ``"seconds"`` are shown and compared as they are.
        higher_is_better: ``False`` for errors and costs; ``None`` where nobody can say.
    """

    unit: Literal["percent", "count", "seconds"]
    higher_is_better: bool | None

    @property
    def difference_unit(self) -> str:
        """Return what a difference of this score is measured in."""
        return {"percent": "points", "count": "counts", "seconds": "seconds"}[self.unit]


_SHARE = ScoreKind("percent", True)
_ERRORS = ScoreKind("count", False)

HEADLINE = (
    *("PAT", "PQ", "TQ", "STQ", "AQ", "SQ", "PTQ", "sPTQ", "VPQ", "LSTQ"),
    *("HOTA", "DetA", "AssA", "IDF1", "MOTSA", "sMOTSA", "MOTSP", "IDSW", "Frag"),
)
"""The flat scores of an evaluation result, in the order of its tables."""

SCORES = {
    **dict.fromkeys(HEADLINE, _SHARE),
    "IDSW": _ERRORS,
    "Frag": _ERRORS,
    "RQ": _SHARE,
    "IoU": _SHARE,
    "seconds_per_frame": ScoreKind("seconds", False),
}


def score_kind(name: str) -> ScoreKind:
    """Return how to read a score; one that is not known counts as a share without direction.

    Example:
        >>> score_kind("IDSW").difference_unit
        'counts'
    """
    return SCORES.get(name, ScoreKind("percent", None))


Row = Mapping[str, Any]

LOWER_BOUND = "unlinked"
"""Segments that nobody links: so far below all others that it presses them together in pictures."""


def is_reference(row: Row) -> bool:
    """Return whether a summary row is there for orientation only and competes for nothing.

    True for rows of the group ``"reference"`` and for the oracle, which knows the ground truth.
    """
    return row.get("group") == "reference" or str(row["variant"]).startswith("oracle")


def row_interval(row: Row) -> tuple[str, int] | None:
    """Return kind (``"drop"`` or ``"pair"``) and tau of a summary row, ``None`` outside sweeps."""
    interval = row.get("interval")
    if not interval or interval.get("tau") is None:
        return None
    return str(interval.get("kind", "")), int(interval["tau"])


def row_name(row: Row) -> str:
    """Return what tables call a row: the name that ``--tracker`` and ``--add`` take."""
    return str(row["variant"])


def row_label(row: Row) -> str:
    """Return what plots call a row: its label or, without one, the variant's name."""
    return str(row.get("label") or row["variant"])


def row_score(row: Row, name: str) -> float | None:
    """Return a score of a summary row; switches and fragments also stand beside the scores."""
    value: float | None = (row.get("scores") or {}).get(name)
    if value is None:
        value = row.get({"IDSW": "switches", "Frag": "fragments"}.get(name, ""))
    return value


def conditions_note(rows: Sequence[Row]) -> str:
    """Return one line with thresholds, memory and pairing interval of a table's rows.

    Args:
        rows: Of a run's summary.

    Returns:
        Nothing for results that do not say which thresholds they ran with.
    """
    origins: dict[str, list[str]] = {}
    for row in rows:
        if row.get("thresholds") not in (None, "none"):
            names = origins.setdefault(str(row["thresholds"]), [])
            tracker = str(row.get("associator") or row_name(row))
            names += [] if tracker in names else [tracker]
    if not any("thresholds" in row for row in rows):
        return ""
    most = max(origins, key=lambda origin: len(origins[origin]), default="none")
    apart = [
        f"{origin} for {', '.join(names)}" for origin, names in origins.items() if origin != most
    ]
    memory = sorted({int(row["memory"]) for row in rows if row.get("memory")})
    frames = f", {' or '.join(map(str, memory))} in rows named +memory" if memory else ""
    pairs = any((row_interval(row) or ("", 0))[0] == "pair" for row in rows)
    return (
        f"Thresholds: {'; '.join([most, *apart])}. Memory in frames: 0{frames}. "
        f"Pairing interval: {'1, or tau where it says pair' if pairs else '1'}."
    )


OWN_SEGMENTS = "own"
"""What rows name as their segments where each links what it found itself."""

_BY_CELL = {"links_by_group", "recoveries"}
"""Parts of a run with entries for each cell."""

_BY_VARIANT = {"visibility", "recoveries", "break_points"}
"""Parts of a stress test with entries for each variant."""

Run = Mapping[str, Any]


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
