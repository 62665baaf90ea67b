"""``mapt-bench tune``: the same number of trials for every tracker, and a thresholds file."""

import shutil
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from mapt_bench.baselines.rows import DEFAULT_MEMORY
from mapt_bench.baselines.thresholds import PUBLISHED
from mapt_bench.cli.completion import (
    complete_list,
    complete_row,
    complete_segments,
    complete_suite,
    complete_thresholds,
)
from mapt_bench.cli.copies import check_tools, copy_run
from mapt_bench.cli.experiment_commands import network_options
from mapt_bench.cli.options import (
    add_options,
    checked_output,
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
from mapt_bench.experiments.experiment_config import SEGMENTS_FORM
from mapt_bench.reports.experiment_logs import LogTarget
from mapt_bench.reports.table_formats import print_table, write_table_folder
from mapt_bench.reports.tuning_tables import tuning_scores, tuning_tables
from mapt_bench.tuning.tuning_config import (
    ALL_SEQUENCES,
    AUTO,
    DEFAULT_SCORE,
    DEFAULT_TRIALS,
    MOST_TRIALS,
    SAMPLERS,
    TUNING_SETTINGS,
    TUNING_SUITES,
    TuningConfig,
    allows_tuning,
    score_choices,
)

__all__ = ["command", "complete_tracker", "tracker_memory_option"]

_WIDTH = 100
_PLOT = "trials.png"


def _complete_suite(
    context: click.Context, option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a suite that may be tuned on."""
    items = complete_suite(context, option, incomplete)
    return [item for item in items if allows_tuning(item.value)]


def complete_tracker(
    context: click.Context, option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a tracker, without memory."""
    items = complete_row(context, option, incomplete)
    return [item for item in items if not item.value.endswith("+memory")]


tracker_memory_option = click.option(
    "--memory",
    default=DEFAULT_MEMORY,
    show_default=True,
    metavar="N",
    help="Keep a lost track for N frames in every tracker. Example: --memory 20",
)
"""``--memory`` of commands that run settings of every tracker."""

_video_options = add_options(
    click.option(
        "--suite",
        shell_complete=_complete_suite,
        metavar="NAME",
        help=f"Tune on this suite of synthetic videos: {', '.join(TUNING_SUITES)}. The other "
        "suites are for reporting and are refused. Default: val. Example: --suite shift-val",
    ),
    click.option(
        "--data",
        type=path_type,
        help="Tune on this folder with panoptic_maps and images. Needs --split. "
        "Example: --data KITTI_STEP --split train",
    ),
    click.option(
        "--split",
        metavar=f"NAME|{ALL_SEQUENCES}",
        help="Use the sequences of --data in folders of this name, such as train, or "
        f"{ALL_SEQUENCES} of them. The thresholds file records it: report on sequences that "
        "are not in the split. Example: --split train",
    ),
    click.option(
        "--segments",
        shell_complete=complete_segments,
        metavar=f"{SEGMENTS_FORM}[,...]",
        help="Link these segments. The objective is the mean over several kinds, separated by "
        "commas. Default: mapt,groundtruth; of --data groundtruth. Example: --segments mapt",
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
        "Default: runs/tune-<time>. Example: --out runs/thresholds",
    ),
    click.option(
        "--save",
        type=path_type,
        callback=checked_output,
        help="Write the thresholds to this file, which --thresholds reads. "
        "Default: thresholds.json in the run folder. Example: --save mine.json",
    ),
    jobs_option,
    cluster_options,
    device_options,
    click.option(
        "--seed",
        default=0,
        show_default=True,
        help="Seed the sampler, and the order and faults of segments. Example: --seed 1",
    ),
    log_option,
    show_config_option,
    json_option,
)


@click.command(
    "tune",
    epilog="""\b
Examples:
  mapt-bench tune -j 2 --out runs/thresholds
  mapt-bench tune --tracker sort --tracker mapt --score PAT --trials 17
  mapt-bench tune --data DATA --split train --tracker my_module:MyTracker --score TQ
  mapt-bench ablate --thresholds runs/thresholds/thresholds.json
""",
)
@click.option(
    "--tracker",
    "trackers",
    shell_complete=complete_tracker,
    multiple=True,
    metavar="NAME",
    help="Tune this tracker: one of this package, an installed one, or package.module:Class with "
    "a search_space. Repeatable. Default: every tracker of ablate. Example: --tracker sort",
)
@click.option(
    "--score",
    shell_complete=complete_list(score_choices),
    default=DEFAULT_SCORE,
    show_default=True,
    metavar="NAME|NAME=WEIGHT,...",
    help="Maximise this score, or the weighted mean of several: the scores of evaluate, and "
    "recovery_f1, recovery_recall and recovery_precision of identities hidden for 3 to 10 frames. "
    "Example: --score PAT",
)
@click.option(
    "--trials",
    type=int,
    show_default=f"{DEFAULT_TRIALS}; with --minutes, at most {MOST_TRIALS}",
    metavar="N",
    help="Run N trials of every tracker. The first runs --thresholds. Example: --trials 17",
)
@click.option(
    "--minutes",
    type=float,
    metavar="M",
    help="Give every tracker M minutes of tracking time, and at most --trials. Detection and "
    "reading are not counted. Example: --minutes 10",
)
@click.option(
    "--folds",
    type=int,
    metavar="K",
    help="Cross-validate over K folds of sequences: also report each tracker on sequences that "
    "its settings were not chosen on. Example: --folds 4",
)
@click.option(
    "--sampler",
    type=click.Choice(SAMPLERS),
    default=AUTO,
    show_default=True,
    help="Choose settings with Optuna (the extra tune) or by random search. auto takes Optuna "
    "where it is installed. Example: --sampler random",
)
@click.option(
    "--thresholds",
    shell_complete=complete_thresholds,
    default=PUBLISHED,
    show_default=True,
    metavar="published|tuned|FILE",
    help="Start from these thresholds: the first trial of every tracker. Example: --thresholds "
    "tuned",
)
@tracker_memory_option
@_video_options
@network_options
@_run_options
def command(
    json_file: str | None,
    show_config: bool,
    log_to: tuple[LogTarget, ...],
    **options: Any,  # noqa: ANN401 - collected by click
) -> int:
    """Tune the thresholds of every tracker with the same number of trials.

    Finds segments once, tries settings from the search space of each tracker, keeps all trials,
    and writes a thresholds file. Experiments read it with --thresholds FILE.

    Tune on one set of videos and report on another: suites for reporting are refused, and your own
    --data needs a --split.
    """
    # Imported here, because completing a name and --help must start fast.
    from mapt_bench.reports.tuning_plot import plot_tuning
    from mapt_bench.tuning.tuning_run import THRESHOLDS_NAME, check_tuning, run_tuning

    config = TuningConfig.from_cli(**options)
    check_tuning(config)
    if show_config:
        print_config(config.to_dict())
        return 0
    check_tools(log_to)
    placed = config.with_folder()
    folder = placed.out or Path()
    with resumable(folder):
        result = run_tuning(placed, progress=progress_bar)
        tables = tuning_tables(result)
        write_table_folder(tables, folder / "tables", None)
        plot_tuning(result, folder / _PLOT)
    copy_run(log_to, folder, result, tables, tuning_scores(result), TUNING_SETTINGS)
    if not emit_json(json_file, result):
        width = min(_WIDTH, shutil.get_terminal_size((_WIDTH, 24)).columns)
        for table in tuning_tables(result, width):
            print_table(table)
        print_line(f"run: {folder} (tuning.json, trials.jsonl, tables, {_PLOT})")
        print_line(f"thresholds: {placed.save or folder / THRESHOLDS_NAME}")
    return 0
