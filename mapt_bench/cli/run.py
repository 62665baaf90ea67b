"""``mapt-bench run``: run the experiments that a plan in a file describes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mapt_bench.cli.inputs import protect_named
from mapt_bench.cli.interval_matrix import run_and_show_matrix
from mapt_bench.cli.options import (
    add_options,
    cluster_options,
    emit_json,
    jobs_option,
    json_option,
    log_option,
    path_type,
    revision_option,
)
from mapt_bench.cli.progress import progress_bar
from mapt_bench.cli.run_and_show import View, run_and_show, run_each_and_show
from mapt_bench.errors import ConfigError, counted
from mapt_bench.reports.headline import SCORE_NAMES
from mapt_bench.reports.tables import Column, Table
from mapt_bench.reports.terminal import print_all_tables

if TYPE_CHECKING:
    from mapt_bench.experiments.experiment_config import ExperimentConfig
    from mapt_bench.experiments.plan_file import PlanFile

__all__ = ["command"]

_ROWS_SHOWN = 28
"""Cells and runs that a dry run shows, so that it prints at most 40 lines."""


def _print_schema(context: click.Context, option: click.Parameter, asked: bool) -> None:
    if asked:
        schema = files("mapt_bench").joinpath("results/schemas/plan.json")
        click.echo(schema.read_text(encoding="utf-8"), nl=False)
        context.exit()


_run_options = add_options(
    click.option(
        "--var",
        "variables",
        multiple=True,
        metavar="NAME=VALUE",
        help="Replace ${NAME} in the plan by VALUE. Repeatable. Example: --var data=KITTI_STEP",
    ),
    click.option(
        "--out",
        type=path_type,
        help="Write the runs to this folder. Existing runs are resumed. "
        "Default: runs/<plan>-<time>. Example: --out runs/mine",
    ),
    click.option(
        "--dry-run",
        is_flag=True,
        help="List the cells, how many are done in --out, and an estimate of the time. Run "
        "nothing. Example: --dry-run --out runs/mine",
    ),
    click.option(
        "--yes",
        is_flag=True,
        help="Run a plan of more than 100,000 cells. Example: --yes",
    ),
    click.option(
        "--full",
        is_flag=True,
        help="Print all tables, not only the headline table; with --dry-run, all cells and runs. "
        "Example: --full",
    ),
    click.option(
        "--schema",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_print_schema,
        help="Print the JSON Schema of plans, with which editors complete them, and stop.",
    ),
    jobs_option,
    cluster_options,
    revision_option,
    log_option,
    json_option,
)


@click.command(
    "run",
    epilog="""\b
Examples:
  mapt-bench run examples/plans/ablation.yaml -j 2
  mapt-bench run examples/plans/own_tracker.yaml --var tracker=my_module:MyTracker
  mapt-bench run examples/plans/occlusion.yaml --dry-run
""",
)
@click.argument("plan", type=path_type)
@_run_options
def command(plan: Path, **options: Any) -> int:  # noqa: ANN401 - what click collects
    """Run the experiments that a plan describes.

    PLAN is a YAML file with data, segments, trackers, stressors, intervals, seeds, weights and
    thresholds. A matrix runs every combination of its values. One run writes the same folder as
    its command. Several runs have a folder each in --out, with common tables and one report.

    Each run folder of ablate, sweep-interval, stress and run has plan.yaml, the plan of that run.
    """
    # Imported here, because completing a name and --help must start fast.
    from mapt_bench.experiments import MOST_CELLS, read_plan
    from mapt_bench.experiments.matrix_config import IntervalMatrixConfig

    found = read_plan(
        plan,
        _variables(options["variables"]),
        most_cells=None if options["yes"] else MOST_CELLS,
        scores=SCORE_NAMES,
        progress=partial(progress_bar, "checking the plan"),
    )
    protect_named([*found.files, *(run.config.to_dict().values() for run in found.runs)])
    configs = _configs(found, options)
    if options["dry_run"]:
        return _show_state(configs, options)
    view = View.of_plan(
        found.report,
        full=options["full"],
        json_file=options["json_file"],
        log_to=options["log_to"],
    )
    if len(found.runs) == 1:
        (config,) = configs.values()
        if isinstance(config, IntervalMatrixConfig):
            return run_and_show_matrix(config, view)
        return run_and_show(config, view)
    return run_each_and_show(
        configs, _folder(found, options), view, text=found.text, by_data=found.by_data
    )


def _variables(texts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise ConfigError(
                f"--var is {text!r}; expected NAME=VALUE, as in --var data=KITTI_STEP"
            )
        if name in found:
            raise ConfigError(f"--var gives {name} twice; keep one")
        found[name] = value
    return found


def _folder(plan: "PlanFile", options: Mapping[str, Any]) -> Path:
    given: Path | None = options["out"]
    return given or Path("runs") / f"{plan.name}-{datetime.now():%Y%m%d-%H%M%S}"


def _configs(plan: "PlanFile", options: Mapping[str, Any]) -> "dict[str, ExperimentConfig]":
    """Return the options of each run, with its folder and its workers."""
    workers = {name: options[name] for name in ("jobs", "cluster", "scheduler_file")}
    folder = None if options["dry_run"] and options["out"] is None else _folder(plan, options)
    return {
        run.name: replace(run.config, **workers, out=None if folder is None else folder / run.name)
        for run in plan.runs
    }


def _show_state(configs: "Mapping[str, ExperimentConfig]", options: Mapping[str, Any]) -> int:
    """Print the cells of a plan, how many are done, and the time that the rest takes."""
    from mapt_bench.experiments import state_of_runs

    with progress_bar("reading data and weights", len(configs)) as advance:
        state = state_of_runs(configs, advance)
    if emit_json(options["json_file"], state):
        return 0
    cells, runs = _lines_shown(state, full=options["full"])
    print_all_tables([_cell_table(state, cells), _run_table(state, runs)])
    if options["out"] is None:
        click.echo("Give --out with the folder of a run to count what is done.")
    return 0


def _lines_shown(state: Mapping[str, Any], *, full: bool) -> tuple[int, int]:
    """Return how many cells and how many runs are shown."""
    cells, runs = state["cells"], len(state["runs"])
    if full:
        return cells, runs
    runs = min(runs, max(_ROWS_SHOWN // 2, _ROWS_SHOWN - cells))
    return min(cells, _ROWS_SHOWN - runs), runs


def _more(number: int, noun: str) -> tuple[str, ...]:
    """Return a line on what a table omits, if it omits something."""
    verb = "prints it" if number == 1 else "prints all"
    return (f"{counted(number, f'more {noun}')}; --full {verb}.",) if number else ()


def _run_table(state: Mapping[str, Any], shown: int) -> Table:
    left = _duration(state["seconds_left"])
    total = f"{state['done']} of {state['units']} work units are done"
    estimate = f"the rest takes about {left}, at the pace of the units that are done"
    if state["done"] == state["units"]:
        estimate = "nothing is left to run"
    elif left is None:
        estimate = "no estimate of the time, because fewer than two units are done"
    return Table(
        f"{counted(len(state['runs']), 'run')}, {counted(state['cells'], 'cell')}",
        (
            Column("run"),
            Column("experiment"),
            Column("data"),
            *(Column(name, "integer") for name in ("seed", "cells", "units", "done")),
            Column("time left"),
        ),
        tuple(
            (
                run["name"] or run["experiment"],
                run["experiment"],
                run["data"],
                run["seed"],
                len(run["cells"]),
                run["units"],
                run["done"],
                _duration(run["seconds_left"]),
            )
            for run in state["runs"][:shown]
        ),
        (*_more(len(state["runs"]) - shown, "run"), f"{total}; {estimate}."),
    )


def _cell_table(state: Mapping[str, Any], shown: int) -> Table:
    rows = [
        (
            run["name"] or run["experiment"],
            cell["variant"],
            cell["segments"],
            _condition(cell),
            done,
        )
        for run in state["runs"]
        for cell in run["cells"]
        for done in [f"{cell['done']}/{cell['units']}"]
    ]
    return Table(
        "Cells",
        tuple(Column(name) for name in ("run", "variant", "segments", "condition", "units done")),
        tuple(rows[:shown]),
        _more(len(rows) - shown, "cell"),
    )


def _condition(cell: Mapping[str, Any]) -> str:
    if cell["stress"] is not None:
        return f"{cell['stress']['name']} {cell['stress']['level']}"
    words = [f"{name} {cell[name]}" for name in ("drop", "pair") if cell[name] > 1]
    return ", ".join(words) or "-"


_MINUTE, _HOUR = 60, 3600


def _duration(seconds: float | None) -> str | None:
    """Return a time in words, ``None`` for none.

    Example:
        >>> _duration(40), _duration(400), _duration(8000)
        ('40 s', '7 min', '2 h 13 min')
    """
    if seconds is None:
        return None
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds // _HOUR:.0f} h {seconds % _HOUR // _MINUTE:.0f} min"
