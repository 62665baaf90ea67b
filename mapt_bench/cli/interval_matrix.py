"""``mapt-bench sweep-interval --train``: the interval matrix, its options and its output."""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mapt_bench.cli.completion import complete_suite
from mapt_bench.cli.copies import copy_run
from mapt_bench.cli.options import add_options, emit_json, print_line, resumable
from mapt_bench.cli.progress import progress_bar
from mapt_bench.cli.run_and_show import View, write_plan
from mapt_bench.cli.show_config import print_config
from mapt_bench.errors import ConfigError
from mapt_bench.experiments.matrix_config import (
    DEFAULT_STEPS,
    DEFAULT_TARGET,
    DEFAULT_TRAINING,
    IntervalMatrixConfig,
)
from mapt_bench.experiments.plan_settings import plan_text
from mapt_bench.reports.interval_matrix import matrix_findings, matrix_scores, matrix_tables
from mapt_bench.reports.interval_plots import write_matrix_plots
from mapt_bench.reports.table_formats import print_table, write_table_folder

__all__ = [
    "matrix_options",
    "run_and_show_matrix",
    "run_matrix_command",
    "without_matrix_options",
]

matrix_options = add_options(
    click.option(
        "--train",
        is_flag=True,
        help="Fine-tune MAPT's heads at several training intervals, and run each at all inference "
        "intervals and at the adaptive one. One row (--tracker) runs, with --memory 10 by default. "
        "Training frames are seen, and heads trained, on --device.",
    ),
    click.option(
        "--train-on",
        shell_complete=complete_suite,
        metavar="NAME|DIR",
        help="Fine-tune on this suite or folder. Default: the suite train; with --data it must be "
        "given. Example: --train-on KITTI_STEP/train",
    ),
    click.option(
        "--train-sequences",
        type=int,
        metavar="N",
        help="Fine-tune on N of its sequences, spread over all. Default: 24. "
        "Example: --train-sequences 8",
    ),
    click.option(
        "--train-intervals",
        metavar="LIST",
        help="Fine-tune at these intervals: frames, sampled or adaptive, with commas. "
        f"Default: {','.join(DEFAULT_TRAINING)}. Example: --train-intervals 1,adaptive",
    ),
    click.option(
        "--train-seeds",
        metavar="SEEDS",
        help="Fine-tune once with each of these seeds. Default: 0,1,2. Example: --train-seeds 0",
    ),
    click.option(
        "--train-steps",
        type=int,
        metavar="N",
        help=f"Make N steps of four pairs in a fine-tuning. Default: {DEFAULT_STEPS}. "
        "Example: --train-steps 200",
    ),
    click.option(
        "--target",
        type=float,
        metavar="SIZES",
        help="Let adaptive intervals aim at this displacement, in object sizes. "
        f"Default: {DEFAULT_TARGET:g}. Example: --target 0.5",
    ),
    click.option(
        "--tracker",
        metavar="ROW",
        help="Link with this row of MAPT in --train, without memory. Default: mapt:paper. "
        "Example: --tracker mapt",
    ),
)
"""``--train`` of ``sweep-interval``, and the options that need it."""

_NAMES = (
    *("train_on", "train_sequences", "train_intervals", "train_seeds", "train_steps", "target"),
    "tracker",
)
_WIDTH = 100
_NOT_FOR_TRAIN = ("scores", "rows", "gallery")
"""Options of the views of other experiments."""

_SETTINGS = ("training", "inference", "target", "tracker", "memory", "data")
"""Settings of a matrix that its copies in other tools have."""


def without_matrix_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a sweep without ``--train``.

    Raises:
        ConfigError: If an option is given that needs ``--train``.
    """
    for name in _NAMES:
        if options[name] is not None:
            option = name.replace("_", "-")
            raise ConfigError(f"--{option} needs --train; add --train, or omit it")
    rest = {name: value for name, value in options.items() if name not in ("train", *_NAMES)}
    return {**rest, "memory": 0 if rest["memory"] is None else rest["memory"]}


def run_matrix_command(options: Mapping[str, Any]) -> int:
    """Run an interval matrix with the options of ``sweep-interval --train``.

    Raises:
        ConfigError: If options do not go together, or ``--out`` holds another run.
        DataError: If data or weights are unusable, or a file cannot be written.
    """
    # Imported here, because completing a name and --help must start fast.
    from mapt_bench.experiments import check_config

    for name in ("scores", "rows"):
        if options[name]:
            raise ConfigError(f"--{name} is not for --train; omit it")
    rest = {
        name: value for name, value in options.items() if name not in ("train", *_NOT_FOR_TRAIN)
    }
    for name in ("data", "suite", "dataset"):
        if len(rest[name]) > 1:
            raise ConfigError(f"--{name} is given {len(rest[name])} times; expected one here")
        rest[name] = rest[name][0] if rest[name] else None
    show_config = rest.pop("show_config")
    view = View(
        full=rest.pop("full"),
        page=not rest.pop("no_report"),
        json_file=rest.pop("json_file"),
        log_to=rest.pop("log_to"),
    )
    config = IntervalMatrixConfig.from_cli(**rest)
    if show_config:
        check_config(config)
        print_config(config.to_dict())
        return 0
    return run_and_show_matrix(config, view)


def run_and_show_matrix(config: IntervalMatrixConfig, view: View) -> int:
    """Run an interval matrix, print the short answer, and write tables, plots and the report.

    Args:
        config: Options of the matrix.
        view: What to show. It has no scores and no rows.

    Raises:
        ConfigError: If options do not go together, or the run folder holds another run.
        DataError: If data or weights are unusable, or a file cannot be written.
    """
    # Imported here, because completing a name and --help must start fast.
    from mapt_bench.experiments import check_config
    from mapt_bench.intervals.matrix_run import run_matrix
    from mapt_bench.report import write_report

    check_config(config)
    view.check_logs()
    placed = config.with_folder()
    folder = placed.out or Path()
    with resumable(folder):
        result = run_matrix(placed, progress=progress_bar)
        write_plan(folder, plan_text([placed], view.report()))
        tables = matrix_tables(result)
        write_table_folder(tables, folder / "tables", None)
        write_matrix_plots(result, folder)
        if view.page:
            write_report([folder], folder / "report.html")
    copy_run(view.log_to, folder, result, tables, matrix_scores(result), _SETTINGS)
    if not emit_json(view.json_file, result):
        page = ", report.html" if view.page else ""
        files = f"results.json, tables, plots{page}, heads with their weights"
        _print(result, f"Run folder: {folder} ({files}).", full=view.full)
    return 0


def _print(result: Mapping[str, Any], where: str, *, full: bool) -> None:
    for table in matrix_tables(result, short=not full):
        print_table(table)
    for sentence in matrix_findings(result):
        for line in textwrap.wrap(sentence, _WIDTH):
            print_line(line)
    print_line(where)
