"""What the commands that run experiments share: options, and what is shown."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import click
import yaml

from mapt_bench.baselines.rows import ROW_FORM
from mapt_bench.baselines.thresholds import DEFAULT_THRESHOLDS, THRESHOLDS
from mapt_bench.cli.options import (
    complete_label_space,
    complete_row,
    complete_segments,
    complete_suite,
    emit_json,
    json_option,
    path_type,
)
from mapt_bench.cli.progress import progress_bar
from mapt_bench.experiments import SEGMENTS_FORM, ExperimentConfig, Schedule, Skip, check_config
from mapt_bench.reports.formats import write_tables
from mapt_bench.reports.plots import write_plots
from mapt_bench.reports.run_tables import run_tables
from mapt_bench.reports.tables import Table
from mapt_bench.reports.terminal import print_table
from mapt_bench.weights import DEFAULT_MAPT

__all__ = ["experiment_options", "network_options", "run_and_show", "thresholds_option"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def experiment_options(function: _Function) -> _Function:
    """Add the options that all experiments have."""
    options = (
        click.option(
            "--data",
            type=path_type,
            help="Run on this folder with panoptic_maps and images. Default: --suite. "
            "Example: --data KITTI_STEP",
        ),
        click.option(
            "--suite",
            shell_complete=complete_suite,
            metavar="NAME",
            help="Run on this suite of synthetic videos: quick, bench (numbers to report), tiny "
            "(trials), stress, train or val. Default: quick; of stress tests stress. "
            "Example: --suite tiny",
        ),
        click.option(
            "--segments",
            shell_complete=complete_segments,
            metavar=SEGMENTS_FORM,
            help="Link these segments with every tracker: what MAPT finds, ground-truth segments "
            "without identities, the same with mild faults, what the weights NAME or FILE find, or "
            "the predictions in DIR. ablate takes several kinds with commas. Default: groundtruth; "
            "on suites mapt,groundtruth in ablate and mapt in sweep-interval. "
            "Example: --segments mapt,groundtruth",
        ),
        click.option(
            "--add",
            shell_complete=complete_row,
            multiple=True,
            metavar="ROW",
            help=f"Run one more row: {ROW_FORM}. NAME is a tracker of this package, an installed "
            "one, or package.module:Class. Repeatable. Example: --add my_module:MyTracker+memory",
        ),
        click.option(
            "--dataset",
            shell_complete=complete_label_space,
            metavar="NAME",
            help="Use this label space for --data: a built-in name or a YAML file. "
            "Example: --dataset kitti-step",
        ),
        click.option(
            "--encoding",
            metavar="NAME",
            help="Read the maps of --data in this encoding. Example: --encoding kitti-step",
        ),
        click.option(
            "--out",
            type=path_type,
            help="Write the run to this folder. An existing run is resumed. "
            "Default: runs/<command>-<time>. Example: --out runs/mine",
        ),
        click.option(
            "-j",
            "jobs",
            default=1,
            show_default=True,
            help="Run this number of worker processes. Example: -j 2",
        ),
        click.option(
            "--seed",
            default=0,
            show_default=True,
            help="Seed the order and faults of segments, and resampling. Example: --seed 1",
        ),
        click.option(
            "--show-config",
            is_flag=True,
            help="Print all options of this run as YAML and stop.",
        ),
        json_option,
    )
    for option in reversed(options):
        function = option(function)
    return thresholds_option(function)


def thresholds_option(function: _Function) -> _Function:
    """Add ``--thresholds``, with the same default in every command that runs trackers."""
    return click.option(
        "--thresholds",
        type=click.Choice(THRESHOLDS),
        default=DEFAULT_THRESHOLDS,
        show_default=True,
        help="Run trackers with thresholds tuned on the suite val, or with the published ones. "
        "Settings in a row override both. Example: --thresholds published",
    )(function)


def network_options(function: _Function) -> _Function:
    """Add ``--weights`` and ``--flow-weights``."""
    options = (
        click.option(
            "--weights",
            metavar="NAME|FILE|none",
            help="Run MAPT with these weights: shipped ones by name, a file that train wrote, or "
            f"none to run without MAPT. Default: {DEFAULT_MAPT}. Example: --weights mapt-tiny",
        ),
        click.option(
            "--flow-weights",
            multiple=True,
            metavar="NAME=FILE",
            help="Run this flow network with trained weights. Repeatable. The shipped narrow "
            "FlowNet2, flow:flownet2-narrow, needs its name alone. "
            "Example: --flow-weights flow:raft-small=raft_small.pth",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def run_and_show(
    run: Callable[..., dict[str, Any]],
    config: ExperimentConfig,
    *,
    json_file: str | None,
    show_config: bool,
    tables_of: Callable[[dict[str, Any]], list[Table]] = run_tables,
    write_pictures: Callable[[dict[str, Any], Path], list[Path]] = write_plots,
) -> int:
    """Run an experiment, print its tables, and write tables and pictures beside its result.

    Args:
        run: Runs an experiment of such a configuration.
        config: All options.
        json_file: File of ``--json``, ``-`` for stdout, or ``None``.
        show_config: Whether to print the configuration instead.
        tables_of: Makes the tables of a result.
        write_pictures: Renders the pictures of a result into a folder.

    Raises:
        ConfigError: If options do not go together, or ``--out`` holds another run.
        DataError: If the data are unusable or something cannot be written.
    """
    check_config(config)
    if show_config:
        click.echo(yaml.safe_dump(config.to_dict(), sort_keys=False), nl=False)
        return 0
    placed = config.with_folder()
    folder = placed.out or Path()
    result = run(placed, progress=_progress)
    tables = tables_of(result)
    for name in ("tables.csv", "tables.tex", "tables.md"):
        write_tables(tables, folder / name)
    write_pictures(result, folder)
    if not emit_json(json_file, result):
        for table in tables:
            print_table(table)
        click.echo(f"run: {folder} (results.json, tables, plots)")
    return 0


def _progress(schedule: Schedule) -> AbstractContextManager[Callable[[int], None]]:
    """Report what will not be run, and show a bar of the units."""
    _tell_skips(schedule.skips_of_stress)
    return progress_bar(schedule.plan.experiment, len(schedule.units()))


def _tell_skips(skips: Sequence[Skip]) -> None:
    """Say in one line on stderr what will not be run."""
    if not skips:
        return
    first, others = skips[0], len(skips) - 1
    more = f" (and {others} more, listed in the result)" if others else ""
    click.echo(f"not run: {first.sequence or first.tracker}: {first.reason}{more}", err=True)
