"""Tables and sentences on the steps of a fusion: their decisions, and the mistakes they cause."""

from collections.abc import Mapping, Sequence
from typing import Any

from mapt_bench.reports.tables import Cell, Column, Table

__all__ = ["step_sentences", "step_tables"]

Row = Mapping[str, Any]

_STEPS = ("motion", "appearance", "memory")


def step_tables(steps: Sequence[Row]) -> list[Table]:
    """Return the tables of the field ``steps`` of a run, for one source of segments.

    Args:
        steps: Entries for each fusion and kind of video.

    Returns:
        Decisions by step (``by_step``), wrong links by the step that causes them
        (``step_mistakes``), and points by the step that costs them (``step_scores``). Empty without
        entries.
    """
    if not steps:
        return []
    return [_scores_table(steps), _mistakes_table(steps), _decisions_table(steps)]


def _decisions_table(steps: Sequence[Row]) -> Table:
    columns = (
        Column("variant"),
        Column("videos", priority=5),
        Column("slice", priority=5),
        Column("range", priority=5),
        Column("step", priority=5),
        Column("links", "integer", priority=4),
        Column("association accuracy", "percent", priority=4),
        Column("accuracy CI", "range"),
        Column("switched", "integer", priority=3),
        Column("restored", "integer"),
        Column("new", "integer", priority=2),
    )
    rows = tuple(
        (
            str(entry["variant"]),
            str(entry["kind"]),
            *(str(each[name]) for name in ("slice", "range", "step")),
            each["links"],
            each["accuracy"],
            _ends(each["accuracy_interval"]),
            *(each[name] for name in ("switched", "restored", "new")),
        )
        for entry in steps
        for each in entry["decisions"]
    )
    note = (
        "A link is a matched segment whose track was matched before. The step is the one that gave "
        "the segment its identity. Switched: the identity was last on another track. Restored: it "
        "was on this track before. New: it was on no track."
    )
    return Table("Links by step", columns, rows, (note,), name="by_step")


def _mistakes_table(steps: Sequence[Row]) -> Table:
    columns = [
        Column("variant"),
        Column("videos", priority=5),
        Column("slice", priority=5),
        Column("range", priority=5),
        Column("links", "integer", priority=4),
        Column("wrong", "integer", priority=4),
    ]
    for name in _STEPS:
        columns += [Column(name, "percent", priority=3), Column(f"{name} CI", "range")]
    columns += [Column(f"{name} alone", "integer") for name in _STEPS]
    columns.append(Column("left", "integer", priority=2))
    rows = tuple(
        (
            str(entry["variant"]),
            str(entry["kind"]),
            str(each["slice"]),
            str(each["range"]),
            each["links"],
            each["wrong"],
            *(cell for name in _STEPS for cell in _rate(each["steps"][name])),
            *(each["steps"][name]["alone"] for name in _STEPS),
            each["left"],
        )
        for entry in steps
        for each in entry["mistakes"]
    )
    note = (
        "Wrong links, in percent of all links, by the step that causes them: those that ground "
        "truth in the place of the step repairs, averaged over orders of replacement. Alone: wrong "
        "links less if ground truth replaces this step only. Left: wrong with ground truth in all "
        "steps."
    )
    return Table(
        "Wrong links by the step that causes them",
        tuple(columns),
        rows,
        (note,),
        name="step_mistakes",
    )


def _rate(step: Row) -> tuple[Cell, Cell]:
    return step["rate"], _ends(step["interval"])


def _scores_table(steps: Sequence[Row]) -> Table:
    columns = [
        Column("variant"),
        Column("videos", priority=5),
        Column("score", priority=5),
        Column("value", "percent", priority=4),
        Column("perfect steps", "percent", priority=4),
        *(Column(name, "points", priority=3) for name in _STEPS),
        *(Column(f"{name} alone", "points", priority=2) for name in _STEPS),
    ]
    columns += [Column(f"{name} alone CI", "range") for name in _STEPS]
    rows = tuple(
        (
            str(entry["variant"]),
            str(entry["kind"]),
            name,
            score["value"],
            score["perfect"],
            *(score["steps"][step]["share"] for step in _STEPS),
            *(score["steps"][step]["alone"] for step in _STEPS),
            *(_gain_ends(entry, step, name) for step in _STEPS),
        )
        for entry in steps
        for name, score in entry["scores"].items()
    )
    note = (
        "Points that each step costs: gains by ground truth in its place, averaged over orders of "
        "replacement. They add up to perfect steps less the value. Alone: gain if ground truth "
        "replaces this step only, with its confidence interval."
    )
    return Table(
        "Points by the step that costs them", tuple(columns), rows, (note,), name="step_scores"
    )


def _gain_ends(entry: Row, step: str, score: str) -> Cell:
    gain = (entry.get("gains") or {}).get(step) or {}
    ends = ((gain.get("scores") or {}).get(score) or {}).get("interval") or {}
    return None if ends.get("low") is None else (float(ends["low"]), float(ends["high"]))


def _ends(ends: Sequence[float] | None) -> Cell:
    return None if ends is None else (float(ends[0]), float(ends[1]))


def step_sentences(steps: Sequence[Row]) -> list[str]:
    """Return one sentence for each fusion: the step that costs most PAT, on all videos and by kind.

    Args:
        steps: Entries for each fusion and kind of video, for one source of segments.
    """
    costs: dict[str, list[str]] = {}
    for entry in steps:
        pat = entry["scores"].get("PAT")
        if pat is None:
            continue
        step = max(_STEPS, key=lambda each, of=pat: of["steps"][each]["share"])  # type: ignore[misc]
        points = 100 * pat["steps"][step]["share"]
        if points > 0:
            place = "" if entry["kind"] == "all" else f"{entry['kind']}: "
            costs.setdefault(str(entry["variant"]), []).append(f"{place}{step}, {points:.2f}")
    return [f"Step that costs {name} most PAT: {'; '.join(each)}." for name, each in costs.items()]
