"""``mapt-bench check``: validate a folder of labels and summarise its content."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import click

from mapt_bench.cli.options import emit_json, json_option, maps_options, path_type, print_line
from mapt_bench.cli.progress import progress_bar
from mapt_bench.data import open_maps, resolve_labels
from mapt_bench.data.folder_validation import DataReport, check_data
from mapt_bench.errors import counted, listed
from mapt_bench.reports.table_formats import print_table
from mapt_bench.reports.tables import UNDEFINED, Cell, Column, Table
from mapt_bench.statistics import (
    DataStatistics,
    Distribution,
    LinkStatistics,
    TrackStatistics,
    measure_statistics,
)

__all__ = ["command", "statistics_tables"]

_FINE, _PROBLEMS, _UNUSABLE = 0, 1, 3
_SHOWN_OF_A_KIND = 20


@click.command(
    "check",
    epilog="""\b
Examples:
  mapt-bench check data/kitti_step
  mapt-bench check predictions --dataset cityscapes --encoding two-channel --json report.json
  mapt-bench check data/kitti_step --statistics
""",
)
@click.argument("data", type=path_type)
@maps_options("the folder")
@click.option(
    "--statistics",
    "with_statistics",
    is_flag=True,
    help="Measure motion, overlap, density and gaps of objects, over 1, 2, 3 and 5 frames.",
)
@json_option
def command(
    data: Path,
    dataset: str | None,
    encoding: str | None,
    with_statistics: bool,
    json_file: str | None,
) -> int:
    """Validate DATA and summarise its content.

    DATA holds maps, or the folders images and panoptic_maps. Every file is read, and each problem
    is listed with its path: 20 of each kind on the terminal, all in --json. Exits with 1 if there
    are problems, with 3 if no file is readable.
    """
    labels = resolve_labels(dataset, data)
    report = check_data(data, labels, encoding, lambda total: progress_bar("checking", total))
    result = report.to_dict()
    statistics = _measure(report) if with_statistics else None
    if statistics is not None:
        result["statistics"] = statistics.to_dict()
    if not emit_json(json_file, result):
        _render(report)
        for table in () if statistics is None else statistics_tables(statistics):
            print_table(table)
    if not report.readable_count:
        return _UNUSABLE
    return _PROBLEMS if report.problems else _FINE


def _measure(report: DataReport) -> DataStatistics:
    if report.encoding is None:  # images alone
        return measure_statistics((), report.labels)
    # The report lists unusable files already. The statistics cover all other files.
    maps = open_maps(
        report.folder, report.labels, encoding=report.encoding, report=lambda problem: None
    )
    with progress_bar("measuring", maps.frame_count) as advance:
        return measure_statistics(maps.sequences, report.labels, advance=advance)


def _render(report: DataReport) -> None:
    print_table(_facts(report))
    print_table(_sequences(report))
    if report.classes:
        print_table(_classes(report))
    if report.left_out:
        print_line(f"Not read: the folders {listed(report.left_out)}. Check each by its own path.")
    for note in report.notes:
        print_line(f"Note: {note}.")
    if report.encoding is None:
        print_line("No label maps found, only images. To check labels, give a folder of maps.")
    if not report.problems:
        print_line("No problems found.")
        return
    print_line(f"{counted(len(report.problems), 'problem')}:")
    shown = Counter[str]()
    for problem in report.problems:  # one line each at any terminal width, so that grep works
        shown[problem.kind] += 1
        if shown[problem.kind] <= _SHOWN_OF_A_KIND:
            print_line(f"{problem.path}: {problem.message} [{problem.kind}]")
    for kind, count in shown.items():
        if count > _SHOWN_OF_A_KIND:
            more = counted(count - _SHOWN_OF_A_KIND, "more problem")
            print_line(f"{more} of the kind {kind}; --json FILE writes all.")


def _facts(report: DataReport) -> Table:
    facts = {
        "encoding": report.encoding or "no maps",
        "label space": f"{report.labels.name} ({len(report.labels.classes)} classes)",
        "sequences": str(len(report.sequences)),
        "frames": f"{report.frame_count} ({report.readable_count} readable)",
        "images": str(report.image_count),
        "void": _percent(report.void_share),
        "crowd": _percent(report.crowd_share),
    }
    return Table(str(report.folder), (Column("fact"), Column("found")), tuple(facts.items()))


def _sequences(report: DataReport) -> Table:
    columns = (
        Column("sequence"),
        Column("frames", "integer"),
        Column("readable", "integer"),
        Column("size"),
        Column("gaps", "integer"),
        Column("tracks", "integer"),
    )
    rows = tuple(
        (
            entry.name,
            entry.frame_count,
            entry.readable_count,
            UNDEFINED if entry.width is None else f"{entry.width}x{entry.height}",
            entry.gap_count,
            entry.track_count,
        )
        for entry in report.sequences
    )
    return Table("Sequences", columns, rows)


def _classes(report: DataReport) -> Table:
    columns = (
        Column("class", "integer"),
        Column("name"),
        Column("kind"),
        Column("pixels"),
        Column("tracks", "integer"),
    )
    rows = tuple(
        (
            entry.class_id,
            entry.name,
            "thing" if entry.is_thing else "stuff",
            _percent(entry.pixel_share),
            entry.track_count,
        )
        for entry in report.classes
    )
    return Table("Classes", columns, rows)


def _percent(share: float | None) -> str:
    if share is None:
        return UNDEFINED
    return "< 0.01 %" if 0 < share < 0.0001 else f"{100 * share:.2f} %"


_QUANTILES = {"p10": "10 %", "median": "median", "p90": "90 %", "p99": "99 %", "maximum": "maximum"}

_MOTION = (
    "displacement, pixels",
    "displacement / size",
    "displacement / neighbour",
    "overlap of the masks",
)

_NOTES = (
    "A link is a track that is visible in two frames with a temporal interval of tau. Copying the "
    "last masks is right if it gives the same identity, and wrong if it gives the identity of "
    "another object. The other links are lost.",
    "Size is the square root of the mask area. Neighbour is the distance to the nearest other "
    "object of the class, between mask centres. Both are measured in the earlier frame.",
)


def statistics_tables(found: DataStatistics) -> tuple[Table, ...]:
    """Return the tables of objects, of links by copied masks, and of motion.

    Args:
        found: Statistics of labelled video. Rows for all classes together come last. They are
            omitted if there is only one class.
    """
    groups = found.classes if len(found.classes) == 1 else (*found.classes, found.overall)
    return _objects(groups), _copying(groups), _motion(groups)


def _objects(groups: tuple[TrackStatistics, ...]) -> Table:
    entries = [
        (group.name, quantity, distribution)
        for group in groups
        for quantity, distribution in (
            ("objects per frame", group.objects),
            ("mask area, pixels", group.area),
            ("mask area, share of the frame", group.area_share),
            ("visible frames per track", group.length),
            ("frames per gap", group.gap),
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
    return Table("Links by copying the last masks", columns, tuple(rows), _NOTES[:1])


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
