"""``mapt-bench check``: say what a folder of labels holds and what is wrong with it."""

from pathlib import Path

import click

from mapt_bench.cli.check_statistics import statistics_tables
from mapt_bench.cli.options import emit_json, json_option, path_type
from mapt_bench.cli.progress import progress_bar
from mapt_bench.data import DataReport, check_data, open_maps, resolve_labels
from mapt_bench.data.statistics import DataStatistics, measure_statistics
from mapt_bench.reports.tables import UNDEFINED, Column, Table
from mapt_bench.reports.terminal import print_table

__all__ = ["command"]

_FINE, _PROBLEMS, _UNUSABLE = 0, 1, 3


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
@click.option(
    "--dataset",
    metavar="NAME",
    show_default="what the folder's dataset.json says, else kitti-step",
    help="Label space: a built-in name or a YAML file.",
)
@click.option(
    "--encoding",
    metavar="NAME",
    show_default="found out from the files",
    help="How the maps are coded.",
)
@click.option(
    "--statistics",
    "with_statistics",
    is_flag=True,
    help="Measure how objects move, overlap, crowd and vanish, over 1, 2, 3 and 5 frames.",
)
@json_option
def command(
    data: Path,
    dataset: str | None,
    encoding: str | None,
    with_statistics: bool,
    json_file: str | None,
) -> int:
    """Say what DATA holds and what is wrong with it.

    DATA holds maps, or the folders images and panoptic_maps. Every file is read, and every
    problem is listed with its path. Exit code 1 if there are problems, 3 if nothing is readable.
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
    # What is wrong with files is in the report already; statistics are those of all the others.
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
    if not report.problems:
        click.echo("No problems found.")
        return
    click.echo(f"{len(report.problems)} problem{'' if len(report.problems) == 1 else 's'}:")
    for problem in report.problems:  # one line each, whatever the width, so that grep works
        click.echo(f"{problem.path}: {problem.message} [{problem.kind}]")


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
