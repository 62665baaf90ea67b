"""Views of a result for tables, plots and comparisons: scores, rows and parts of a run.

A score is a share or a count, and higher or lower is better. A row is one variant of a run. A part
is the set of rows that link the same segments, so that their scores can be compared.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = [
    "HEADLINE",
    "LOWER_BOUND",
    "OF_DEPTH",
    "OWN_IN_WORDS",
    "OWN_SEGMENTS",
    "ROUNDING",
    "SCORES",
    "Part",
    "Row",
    "ScoreKind",
    "conditions_note",
    "entry_of_row",
    "is_reference",
    "part_of",
    "protocol_in_words",
    "row_interval",
    "row_label",
    "row_milliseconds",
    "row_name",
    "row_score",
    "run_parts",
    "score_kind",
    "segments_in_words",
]


@dataclass(frozen=True)
class ScoreKind:
    """How to read a score.

    Attributes:
        unit: ``"percent"`` for fractions, which are shown in percent and compared in percentage
            points. Other units are shown and compared without conversion.
        higher_is_better: ``False`` for errors and costs, ``None`` if unknown.
    """

    unit: Literal["percent", "count", "seconds", "milliseconds", "MiB"]
    higher_is_better: bool | None

    @property
    def difference_unit(self) -> str:
        """Unit of a difference of this score."""
        return {"percent": "points", "count": "counts"}.get(self.unit, self.unit)

    @property
    def is_measured(self) -> bool:
        """Whether it is a time or memory, which differs from one measurement to the next."""
        return self.unit in ("seconds", "milliseconds", "MiB")


_SHARE = ScoreKind("percent", True)
_ERRORS = ScoreKind("count", False)

HEADLINE = (
    *("PAT", "PQ", "TQ", "STQ", "AQ", "SQ", "DSTQ", "DQ", "PTQ", "sPTQ", "VPQ", "LSTQ"),
    *("HOTA", "DetA", "AssA", "IDF1", "MOTSA", "sMOTSA", "MOTSP", "IDSW", "Frag"),
)
"""The flat scores of an evaluation result, in the order of its tables."""

OF_DEPTH = ("DSTQ", "DQ")
"""Scores that need depth maps. Without these, tables omit them."""

SCORES = {
    **dict.fromkeys(HEADLINE, _SHARE),
    "IDSW": _ERRORS,
    "Frag": _ERRORS,
    "RQ": _SHARE,
    "IoU": _SHARE,
    "seconds_per_frame": ScoreKind("seconds", False),
    "gmacs": _ERRORS,
    "params": _ERRORS,
    "latency_ms": ScoreKind("milliseconds", False),
    "peak_mib": ScoreKind("MiB", False),
}


def score_kind(name: str) -> ScoreKind:
    """Return how to read a score. An unknown score counts as a share without direction.

    Example:
        >>> score_kind("IDSW").difference_unit
        'counts'
    """
    return SCORES.get(name, ScoreKind("percent", None))


ROUNDING = 1e-11
"""Smaller differences of scores are rounding errors: a baseline has 12 decimals."""

Row = Mapping[str, Any]

LOWER_BOUND = "unlinked"
"""Row of unlinked segments. Plots omit it, because it is far below all other rows."""


def is_reference(row: Row) -> bool:
    """Return whether a summary row is a reference, which is never marked as the best.

    True for rows of the group ``"reference"`` and for the oracle, which reads the ground truth.
    """
    return row.get("group") == "reference" or str(row["variant"]).startswith("oracle")


def row_interval(row: Row) -> tuple[str, int] | None:
    """Return kind (``"drop"`` or ``"pair"``) and tau of a summary row, ``None`` outside sweeps."""
    interval = row.get("interval")
    if not interval or interval.get("tau") is None:
        return None
    return str(interval.get("kind", "")), int(interval["tau"])


def entry_of_row(entries: Iterable[Row], row: Row) -> Row:
    """Return the entry of a summary row in a list by cell, or an empty mapping.

    Rows that support no pairing interval have one key at every interval, but a long interval skips
    short sequences. So variant and pairing interval must agree too.

    Args:
        entries: ``cells`` or ``scores_by_group`` of a run.
        row: Row of its ``summary``.
    """
    kind, tau = row_interval(row) or ("", 1)
    for entry in entries:
        pair = tau if kind != "pair" else entry.get("interval", tau)
        is_same = entry.get("variant", row["variant"]) == row["variant"] and pair == tau
        if is_same and entry.get("key", entry.get("cell")) == row.get("cell"):
            return entry
    return {}


def row_name(row: Row) -> str:
    """Return the name of a row in tables, which ``--tracker`` and ``--add`` accept."""
    return str(row["variant"])


def row_label(row: Row) -> str:
    """Return the label of a row in plots. Rows without a label have the name of the variant."""
    return str(row.get("label") or row["variant"])


def row_score(row: Row, name: str) -> float | None:
    """Return a score of a summary row. Old results have IDSW and Frag outside the scores."""
    value: float | None = (row.get("scores") or {}).get(name)
    if value is None:
        older = row.get({"IDSW": "switches", "Frag": "fragments"}.get(name, ""))
        # Rows of failed cells have no scores, and the components of MAPT under "switches".
        value = older if isinstance(older, int | float) else None
    return value


def conditions_note(rows: Sequence[Row]) -> str:
    """Return one line with the thresholds, memory and pairing interval of a table's rows.

    Args:
        rows: Rows of a run's summary.

    Returns:
        Empty for results that do not have the thresholds.
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
"""Name of the segments of rows that link their own detections."""

OWN_IN_WORDS = "each tracker's own detections"
"""Their description."""


def segments_in_words(description: str) -> str:
    """Return a description of segments in a protocol as tables, sentences and pictures show it.

    Ground-truth segments never have identities, so their name need not say so.
    """
    return description.replace("ground-truth segments without identities", "ground-truth segments")


_SHORT_PROTOCOLS = {"thing_ids_present_classes": "present"}


def protocol_in_words(name: str) -> str:
    """Return the name of a variant of PAT as tables show it: as options take it, and in full."""
    short = _SHORT_PROTOCOLS.get(name)
    return name if short is None else f"{short} ({name})"


_BY_CELL = {"links_by_group", "recoveries"}
"""Parts of a run with entries for each cell."""

_BY_VARIANT = {"visibility", "recoveries", "break_points", "steps"}
"""Parts of a run with entries for each variant."""

Run = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one table.

    Attributes:
        segments: Name of the segments; ``"own"`` if each row links its own detections; empty in
            runs that do not name their segments.
        trained: Whether the rows are networks that were trained without a component.
        run: The run with these rows only.
        is_first: Whether it is the first part of the run.
    """

    segments: str
    trained: bool
    run: Run
    is_first: bool

    @property
    def suffix(self) -> str:
        """End of file names and names of rows. Empty for the first part."""
        if self.is_first:
            return ""
        return f"trained-{self.segments}" if self.trained else self.segments

    @property
    def name(self) -> str:
        """Name of the segments in table files. Runs on one set of segments have it as well."""
        known = (self.run.get("protocol") or {}).get("segments_by_name") or {}
        return self.segments or (next(iter(known)) if len(known) == 1 else "")

    @property
    def words(self) -> str:
        """Description of the rows and their segments, for sentences and titles."""
        known = (self.run.get("protocol") or {}).get("segments_by_name") or {}
        words = segments_in_words(str(known.get(self.name, self.name)))
        if self.segments == OWN_SEGMENTS:
            words = OWN_IN_WORDS
        return f"{words}, networks trained without a component" if self.trained else words

    @property
    def ending(self) -> str:
        """End of titles: the segments after a comma, empty if they are not named."""
        return f", {self.words}" if self.words else ""


def row_milliseconds(row: Row) -> float | None:
    """Return the median time of association of a summary row, in ms a frame."""
    seconds = (row.get("cost") or {}).get("seconds_per_frame")
    return None if seconds is None else 1000 * float(seconds)


def run_parts(run: Run) -> list[Part]:
    """Return the parts of a run in order. A run on one set of segments has one part."""
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
                and each.get("segments", segments) == segments
            ]
        parts.append(Part(segments, trained, of_part, place == 0))
    return parts


def part_of(row: Row) -> tuple[str, bool]:
    """Return the segments of a summary row, and whether it is a network trained without a part."""
    return str(row.get("segments") or ""), bool(row.get("trained"))
