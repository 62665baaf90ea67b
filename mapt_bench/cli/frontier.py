"""``mapt-bench frontier``: PAT against STQ over the settings of every tracker."""

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from mapt_bench.cli.completion import complete_segments, complete_suite
from mapt_bench.cli.copies import check_tools, copy_run
from mapt_bench.cli.experiment_commands import network_options, thresholds_option
from mapt_bench.cli.options import (
    add_options,
    cluster_options,
    dataset_option,
    device_options,
    emit_json,
    encoding_option,
    jobs_option,
    json_option,
    log_option,
    map_option,
    path_type,
    print_line,
    resumable,
)
from mapt_bench.cli.progress import progress_bar
from mapt_bench.cli.show_config import print_config, show_config_option
from mapt_bench.cli.tune import complete_tracker, tracker_memory_option
from mapt_bench.experiments.experiment_config import SEGMENTS_FORM
from mapt_bench.reports.experiment_logs import LogTarget
from mapt_bench.reports.table_formats import print_table, write_table_folder
from mapt_bench.tuning.frontier_config import DEFAULT_SETTINGS, FrontierConfig

__all__ = ["command"]

_WIDTH = 100

_SETTINGS = ("trials", "sampler", "memory", "thresholds", "seed", "data")
"""Settings of a frontier that its copies in other tools have."""

_video_options = add_options(
    click.option(
        "--suite",
        shell_complete=complete_suite,
        metavar="NAME",
        help="Run on this suite of synthetic videos. Default: val. Example: --suite tiny",
    ),
    click.option(
        "--data",
        type=path_type,
        help="Run on this folder with panoptic_maps and images. Example: --data KITTI_STEP",
    ),
    click.option(
        "--segments",
        shell_complete=complete_segments,
        metavar=SEGMENTS_FORM,
        help="Link these segments with every tracker. Default: mapt; of --data groundtruth. "
        "Example: --segments mapt",
    ),
    dataset_option,
    map_option,
    encoding_option,
)

_run_options = add_options(
    click.option(
        "--out",
        type=path_type,
        help="Write the run to this folder. An existing run is resumed. "
        "Default: runs/frontier-<time>. Example: --out runs/frontier",
    ),
    click.option(
        "--no-report",
        is_flag=True,
        help="Do not write report.html, the page with all results. Example: --no-report",
    ),
    jobs_option,
    cluster_options,
    device_options,
    click.option(
        "--seed",
        default=0,
        show_default=True,
        help="Seed the settings, and the order and faults of segments. Example: --seed 1",
    ),
    log_option,
    show_config_option,
    json_option,
)


@click.command(
    "frontier",
    epilog="""\b
Examples:
  mapt-bench frontier -j 2
  mapt-bench frontier --suite tiny --tracker mapt --tracker mapt:paper --trials 9
  mapt-bench frontier --data DATA --segments PREDICTIONS --tracker my_module:MyTracker
""",
)
@click.option(
    "--tracker",
    "trackers",
    shell_complete=complete_tracker,
    multiple=True,
    metavar="NAME",
    help="Sample the settings of this tracker: one of this package, an installed one, or "
    "package.module:Class with a search_space. Repeatable. Default: every tracker of ablate. "
    "Example: --tracker mapt",
)
@click.option(
    "--trials",
    default=DEFAULT_SETTINGS,
    show_default=True,
    metavar="N",
    help="Run N settings of every tracker. The first are --thresholds. Example: --trials 33",
)
@click.option(
    "--trained",
    multiple=True,
    metavar="NAME|NAME=FILE",
    help="Add points of another network: MAPT's trackers on its own detections. Shipped weights, "
    "or your own. Repeatable. Example: --trained heavy=runs/heavy/weights.safetensors",
)
@thresholds_option
@tracker_memory_option
@_video_options
@network_options
@_run_options
def command(
    json_file: str | None,
    show_config: bool,
    no_report: bool,
    log_to: tuple[LogTarget, ...],
    **options: Any,  # noqa: ANN401 - collected by click
) -> int:
    """Find the Pareto set of PAT against STQ over the settings of every tracker.

    Finds segments once, runs the same number of settings of every tracker, sampled evenly from its
    search space and from thresholds on the scores of detections, and keeps all of them. The result
    has the frontier of each tracker, its area and its ends, and states whether one setting is
    within 0.2 points of both maxima.
    """
    # Imported here, because completing a name and --help must start fast.
    from mapt_bench.report import write_report
    from mapt_bench.reports.frontier_plots import write_frontier_plots
    from mapt_bench.reports.frontier_tables import (
        frontier_scores,
        frontier_sentences,
        frontier_tables,
    )
    from mapt_bench.tuning.frontier_run import check_frontier, run_frontier

    config = FrontierConfig.from_cli(**options)
    check_frontier(config)
    if show_config:
        print_config(config.to_dict())
        return 0
    check_tools(log_to)
    placed = config.with_folder()
    folder = placed.out or Path()
    with resumable(folder):
        result = run_frontier(placed, progress=progress_bar)
        tables = frontier_tables(result)
        write_table_folder(tables, folder / "tables")
        write_frontier_plots(result, folder)
        if not no_report:
            write_report([folder], folder / "report.html")
    copy_run(log_to, folder, result, tables, frontier_scores(result), _SETTINGS)
    if not emit_json(json_file, result):
        notes = (line for note in tables[0].footnotes for line in textwrap.wrap(note, _WIDTH))
        print_table(replace(tables[0], footnotes=tuple(notes)))
        for line in textwrap.wrap(" ".join(frontier_sentences(result)), _WIDTH):
            print_line(line)
        page = "" if no_report else ", report.html"
        print_line(f"run: {folder} (results.json, tables, frontier.png{page})")
    return 0
