"""``mapt-bench flops``: what networks cost, counted twice; time and memory, measured."""

from pathlib import Path
from typing import Any

import click

from mapt_bench.cli.options import emit_json, json_option, path_type, table_options
from mapt_bench.cli.progress import progress_bar
from mapt_bench.errors import ConfigError

__all__ = ["command"]

_EPILOG = """\b
Examples:
  mapt-bench flops mapt-tiny motion-head flownet2 --json cost.json
  mapt-bench flops my_package.my_model:build --input 384x1280 --mode conv --strict
"""


@click.command("flops", epilog=_EPILOG)
@click.argument("targets", metavar="[TARGET]...", nargs=-1)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="HxW",
    help="Size of the input image; may be given several times. For a module of your own also the "
    "whole shape, 1x3x384x1280. Default: 384x1280 and 1024x1920.",
)
@click.option(
    "--mode",
    "modes",
    multiple=True,
    metavar="NAME",
    help="What is counted: conv, conv+sampling or ptflops; may be given several times. "
    "Default: all three.",
)
@click.option(
    "--instances", default=10, show_default=True, help="Objects in a frame and in the one before."
)
@click.option(
    "--strict",
    is_flag=True,
    help="Exit with 1 when an operator has no formula, or one of the two counts is missing.",
)
@click.option("--measure", "measures", is_flag=True, help="Measure latency and peak memory too.")
@click.option("--warm-up", default=1, show_default=True, help="Passes before those measured.")
@click.option("--repeats", default=5, show_default=True, help="Passes measured.")
@click.option("--threads", default=1, show_default=True, help="Threads of torch in measuring.")
@click.option("--plots", type=path_type, metavar="DIR", help="Draw cost against input size.")
@click.option(
    "--scores",
    type=path_type,
    metavar="RUN",
    help="Draw cost against the scores of a run too (its folder or results.json); needs --plots.",
)
@json_option
@table_options
def command(
    targets: tuple[str, ...],
    inputs: tuple[str, ...],
    modes: tuple[str, ...],
    instances: int,
    strict: bool,
    measures: bool,
    warm_up: int,
    repeats: int,
    threads: int,
    plots: Path | None,
    scores: Path | None,
    json_file: str | None,
    csv_file: Path | None,
    latex_file: Path | None,
    markdown_file: Path | None,
) -> int:
    """Count the operations of networks, by part, input size and mode.

    A TARGET is a network of this package (mapt-regnety8gf, mapt-tiny, motion-head, flownet2...) or
    package.module:build of your own; all networks if none is named. Every number is counted twice,
    by torch and by fvcore; the exit code is 1 when the two disagree. The unit is the GMAC: a
    multiply-add counts one.
    """
    if scores is not None and plots is None:
        raise ConfigError("--scores draws a plot; say where with --plots DIR")
    if scores is not None:
        from mapt_bench.results import load_result

        load_result(scores)  # a wrong file is told before the counting, not after
    # Here, not above: these import torch, and --help must not.
    from mapt_bench.profiling.ledger import LedgerSettings, keep_ledger, step_count
    from mapt_bench.profiling.measure import MeasureSettings

    settings = LedgerSettings(
        targets=targets,
        inputs=inputs,
        modes=modes,
        instances=instances,
        measured=MeasureSettings(warm_up=warm_up, repeats=repeats, threads=threads)
        if measures
        else None,
        has_curves=plots is not None,
    )
    with progress_bar("counting", step_count(settings)) as advance:
        cost = keep_ledger(settings, advance)
    _write_files(cost, csv_file, latex_file, markdown_file)
    if plots is not None:
        from mapt_bench.reports.cost_plots import write_cost_plots

        write_cost_plots(cost, plots, scores=scores)
    if not emit_json(json_file, cost):
        _show(cost)
    return _exit_code(cost, strict=strict)


def _write_files(
    cost: dict[str, Any], csv_file: Path | None, latex_file: Path | None, markdown_file: Path | None
) -> None:
    from mapt_bench.reports.cost import claims_table, cost_tables, rows_table
    from mapt_bench.reports.formats import write_tables

    if csv_file is not None:
        claims = [claims_table(cost)] if cost["claims"] else []
        write_tables([rows_table(cost), *claims], csv_file, "csv")
    if latex_file is not None:
        write_tables(cost_tables(cost), latex_file, "latex")
    if markdown_file is not None:
        write_tables(cost_tables(cost), markdown_file, "markdown")


def _show(cost: dict[str, Any]) -> None:
    from mapt_bench.reports.cost import cost_tables
    from mapt_bench.reports.terminal import print_table

    for table in cost_tables(cost, bars=True):
        print_table(table)


def _exit_code(cost: dict[str, Any], *, strict: bool) -> int:
    """Return 1 for counts that disagree and, if strict, for what is incomplete; say why."""
    reasons = list(cost["problems"])
    if strict:
        for row in cost["rows"]:
            if row["uncounted"]:
                names = ", ".join(row["uncounted"])
                reasons.append(f"{row['model']} is incomplete: no formula for {names}")
            elif row["gmacs_fvcore"] is None:
                reasons.append(f"{row['model']} was counted once: {row['explanation']}")
    for reason in dict.fromkeys(reasons):
        click.echo(f"failed: {reason}", err=True)
    return 1 if reasons else 0
