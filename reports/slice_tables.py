"""Tables of slices: where objects are found least, and where they are linked worst."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mapt_bench.reports.tables import Cell, Column, Table, with_content

__all__ = ["slices_table", "slices_tables", "weakest_slices"]

_NOTE = (
    "Recall: ground-truth segments of things that a segment of their class matches with an IoU "
    "above 0.5. Association accuracy here: share of matched segments with the identity of the "
    "track's last match. Missed segments do not count. Crowd density: things in the frame. Speed: "
    "displacement of the object's centre. Nearest: distance to the centre of the nearest other "
    "object of the class."
)


def slices_tables(evaluations: Sequence[Mapping[str, Any]]) -> list[Table]:
    """Return the table of slices of each evaluation that has slices."""
    tables = (slices_table(str(each["name"]), each.get("slices") or []) for each in evaluations)
    return [table for table in tables if table is not None]


def slices_table(subject: str, slices: Sequence[Mapping[str, Any]]) -> Table | None:
    """Return recall and association accuracy of a row or prediction in each slice.

    Args:
        subject: Name of the row or prediction.
        slices: Entries of :func:`~mapt_bench.metrics.slices.slice_rates`.

    Returns:
        One row per slice. ``None`` without slices.
    """
    if not slices:
        return None
    rows = tuple(
        (
            str(each["slice"]),
            str(each["range"]),
            each["segments"],
            each["recall"],
            _interval(each["recall_interval"]),
            each["links"],
            each["accuracy"],
            _interval(each["accuracy_interval"]),
        )
        for each in slices
    )
    columns = (
        Column("slice"),
        Column("range"),
        Column("segments", "integer"),
        Column("recall", "percent", priority=2),
        Column("recall CI", "range"),
        Column("links", "integer"),
        Column("association accuracy", "percent", priority=2),
        Column("accuracy CI", "range"),
    )
    has_intervals = any(row[4] is not None for row in rows)
    few = () if has_intervals else ("No confidence intervals: too few sequences.",)
    table = Table(
        f"{subject} by properties of the objects",
        columns,
        rows,
        (_NOTE, *few),
        name="slices",
        keys=(("prediction", subject),),
    )
    return with_content([table])[0]


def _interval(ends: Sequence[float] | None) -> Cell:
    return None if ends is None else (float(ends[0]), float(ends[1]))


_FEWEST_SEGMENTS = 30
"""Fewest segments or links of a slice that a sentence names."""


def weakest_slices(subject: str, slices: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return sentences on where a row finds least, and where it links worst.

    Small slices do not count, and neither do rates that no slice falls short of.

    Args:
        subject: Name of the row or prediction.
        slices: As in :func:`slices_table`.
    """
    found = []
    for count, rate, verb, how, are in (
        ("segments", "recall", "finds", "least often", "are found"),
        ("links", "accuracy", "links", "worst", "are correct"),
    ):
        large = [each for each in slices if each[count] >= _FEWEST_SEGMENTS]
        weakest = min(large, key=lambda each, of=rate: _known(each[of]), default=None)  # type: ignore[misc]
        if weakest is not None and _known(weakest[rate]) < 1:
            share = f"{100 * weakest[rate]:.2f} % of {weakest[count]:,} {count} {are}"
            objects = _objects(str(weakest["slice"]), str(weakest["range"]))
            found.append(f"{subject} {verb} {objects} {how}: {share}.")
    return found


_IN_WORDS = {
    "object size": "objects of {}",
    "speed": "objects at a speed of {}",
    "visible fraction": "objects that are {} visible",
    "nearest": "objects whose nearest neighbour is {} away",
    "crowd density": "objects in frames with {} things",
    "class": "objects of the class {}",
}
"""Objects of a slice in words, with a place for the range."""

_ALONE = "alone in its class"


def _objects(name: str, of_range: str) -> str:
    if of_range == _ALONE:
        return "objects that are alone in their class"
    known = _IN_WORDS.get(name)
    return known.format(of_range) if known else f"objects with {name} {of_range}"


def _known(rate: float | None) -> float:
    return math.inf if rate is None else rate
