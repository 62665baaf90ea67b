"""The tables of ``mapt-bench check --statistics``."""

from collections.abc import Iterable

from mapt_bench.data.statistics import (
    DataStatistics,
    Distribution,
    LinkStatistics,
    TrackStatistics,
)
from mapt_bench.reports.tables import UNDEFINED, Cell, Column, Table

__all__ = ["statistics_tables"]

_QUANTILES = {"p10": "10 %", "median": "median", "p90": "90 %", "p99": "99 %", "maximum": "most"}

_MOTION = (
    "displacement, pixels",
    "displacement / size",
    "displacement / neighbour",
    "overlap of the masks",
)

_NOTES = (
    "A link is a track that is seen in two frames tau apart. Copying the last masks is right where "
    "it carries the identity on, wrong where it gives another object's; the rest is lost.",
    "Size is the square root of the mask's area, neighbour the nearest other object of the class; "
    "both in the earlier frame, between centres of masks.",
)


def statistics_tables(found: DataStatistics) -> tuple[Table, ...]:
    """Return the tables: what the objects are like, what copying gets right, how objects move.

    Args:
        found: Statistics of labelled video. The rows of all classes together come last, and are
            left out if there is but one class.
    """
    groups = found.classes if len(found.classes) == 1 else (*found.classes, found.overall)
    return _objects(groups), _copying(groups), _motion(groups)


def _objects(groups: tuple[TrackStatistics, ...]) -> Table:
    entries = [
        (group.name, quantity, distribution)
        for group in groups
        for quantity, distribution in (
            ("objects a frame", group.objects),
            ("mask area, pixels", group.area),
            ("mask area, share of the frame", group.area_share),
            ("frames a track is seen in", group.length),
            ("frames of a gap", group.gap),
        )
    ]
    columns = (Column("class"), Column("quantity"), *_distribution_columns())
    rows = tuple((name, quantity, *_cells(values)) for name, quantity, values in entries)
    reasons = _reasons(values for _, _, values in entries)
    return Table("Objects and tracks", columns, rows, reasons)


def _copying(groups: tuple[TrackStatistics, ...]) -> Table:
    columns = (
        Column("class"),
        Column("tau", "integer"),
        Column("links", "integer"),
        Column("right", "percent"),
        Column("wrong", "percent"),
    )
    rows = [
        (group.name, entry.tau, entry.link_count, entry.right_share, entry.wrong_share)
        for group in groups
        for entry in group.intervals
    ]
    return Table("Links that copying the last masks makes", columns, tuple(rows), _NOTES[:1])


def _motion(groups: tuple[TrackStatistics, ...]) -> Table:
    entries = [
        (group.name, quantity, entry.tau, distribution)
        for group in groups
        for position, quantity in enumerate(_MOTION)
        for entry, distribution in ((e, _motion_of(e)[position]) for e in group.intervals)
    ]
    columns = (
        Column("class"),
        Column("quantity"),
        Column("tau", "integer"),
        *_distribution_columns(),
    )
    rows = tuple((name, quantity, tau, *_cells(values)) for name, quantity, tau, values in entries)
    reasons = _reasons(values for *_, values in entries)
    return Table("Motion of linked objects", columns, rows, (*_NOTES[1:], *reasons))


def _motion_of(entry: LinkStatistics) -> tuple[Distribution, ...]:
    return entry.displacement, entry.over_size, entry.over_neighbour, entry.overlap


def _distribution_columns() -> tuple[Column, ...]:
    return (
        Column("values", "integer"),
        *(Column(heading, "number") for heading in _QUANTILES.values()),
    )


def _cells(distribution: Distribution) -> tuple[Cell, ...]:
    return (distribution.count, *(distribution.quantile(name) for name in _QUANTILES))


def _reasons(distributions: Iterable[Distribution]) -> tuple[str, ...]:
    reasons = (entry.undefined for entry in distributions if entry.undefined is not None)
    return tuple(f"{UNDEFINED} {reason}" for reason in dict.fromkeys(reasons))
