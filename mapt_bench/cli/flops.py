"""``mapt-bench flops``: FLOPs of networks by two counters; latency and memory."""

from pathlib import Path
from typing import Any

import click

from mapt_bench.cli.completion import complete_from
from mapt_bench.cli.options import emit_json, json_option, path_type, print_line, table_options
from mapt_bench.cli.progress import progress_bar
from mapt_bench.errors import ConfigError

__all__ = ["command"]

_EPILOG = """\b
Examples:
  mapt-bench flops mapt-tiny motion-head flownet2 --json cost.json
  mapt-bench flops my_package.my_model:build --input 384x1280 --mode conv --strict
"""


def _network_names() -> tuple[str, ...]:
    from mapt_bench.profiling.flops_settings import network_names

    return network_names()


def _mode_names() -> tuple[str, ...]:
    from mapt_bench.profiling.operator_table import MODES

    return tuple(MODES)


@click.command("flops", epilog=_EPILOG)
@click.argument(
    "targets", shell_complete=complete_from(_network_names), metavar="[TARGET]...", nargs=-1
)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="HxW",
    help="Size of the input image. For a module of your own also the whole shape, 1x3x384x1280 "
    "or with frames 1x3x16x224x224. May be repeated.  [default: 384x1280 and 1024x1920]",
)
@click.option(
    "--mode",
    "modes",
    shell_complete=complete_from(_mode_names),
    multiple=True,
    metavar="NAME",
    help="Operations to count: conv, conv+sampling or ptflops. May be repeated.  [default: all]",
)
@click.option(
    "--instances", default=10, show_default=True, help="Number of instances in each frame."
)
@click.option(
    "--strict",
    is_flag=True,
    help="Exit with 1 if an operator is unknown, or one of the two counts is missing.",
)
@click.option("--measure", "measures", is_flag=True, help="Also measure latency and peak memory.")
@click.option("--warm-up", default=1, show_default=True, help="Passes before the measured ones.")
@click.option("--repeats", default=5, show_default=True, help="Number of measured passes.")
@click.option("--threads", default=1, show_default=True, help="Threads of torch for measurements.")
@click.option(
    "--device",
    "devices",
    multiple=True,
    default=("cpu",),
    show_default=True,
    metavar="cpu|cuda[:N]|auto",
    help="Measure on this device. May be repeated, with a row for each. Example: --device cuda",
)
@click.option("--plots", type=path_type, metavar="DIR", help="Plot cost against input size.")
@click.option(
    "--scores",
    type=path_type,
    metavar="RUN",
    help="Also plot cost against the scores of a run (folder or results.json). Needs --plots.",
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
    devices: tuple[str, ...],
    plots: Path | None,
    scores: Path | None,
    json_file: str | None,
    csv_file: Path | None,
    latex_file: Path | None,
    markdown_file: Path | None,
) -> int:
    """Count FLOPs with two independent counters; measure latency and memory.

    A TARGET is a network of this package (mapt-regnety8gf, mapt-tiny, motion-head, flownet2...) or
    your own package.module:build. Without TARGET, all networks are reported. Torch and fvcore count
    independently. Exits with 1 if they disagree. The unit is the GMAC: a multiply-add counts one.

    Every operator of torch is counted, free by definition of the mode, or unknown. A network with
    an unknown operator has no total. If your module needs more than one image, give it a method
    example_inputs(height, width, instances) that returns a tensor, a tuple of arguments or a
    dictionary of keyword arguments.
    """
    if scores is not None and plots is None:
        raise ConfigError("--scores needs a folder for its plot; add --plots DIR")
    if scores is not None:
        from mapt_bench.results import load_result

        load_result(scores)  # report a wrong file before the counting
    # Imported here, because --help must start fast. Wrong settings are refused without torch.
    from mapt_bench.profiling import FlopsSettings, MeasureSettings, make_flops_report

    settings = FlopsSettings(
        targets=targets,
        inputs=inputs,
        modes=modes,
        instances=instances,
        measured=MeasureSettings(warm_up=warm_up, repeats=repeats, threads=threads, devices=devices)
        if measures
        else None,
        has_curves=plots is not None,
    )
    with progress_bar("counting", settings.step_count) as advance:
        cost = make_flops_report(settings, advance)
    _write_files(cost, csv_file, latex_file, markdown_file)
    if plots is not None:
        from mapt_bench.reports import write_cost_plots

        write_cost_plots(cost, plots, scores=scores)
    if not emit_json(json_file, cost):
        _show(cost)
    return _exit_code(cost, strict=strict)


def _write_files(
    cost: dict[str, Any], csv_file: Path | None, latex_file: Path | None, markdown_file: Path | None
) -> None:
    from mapt_bench.reports.cost_tables import claims_table, cost_tables, rows_table
    from mapt_bench.reports.table_formats import write_tables

    if csv_file is not None:
        claims = [claims_table(cost)] if cost["claims"] else []
        write_tables([rows_table(cost), *claims], csv_file, "csv")
    if latex_file is not None:
        write_tables(cost_tables(cost), latex_file, "latex")
    if markdown_file is not None:
        write_tables(cost_tables(cost), markdown_file, "markdown")


def _show(cost: dict[str, Any]) -> None:
    from mapt_bench.reports.cost_tables import cost_tables
    from mapt_bench.reports.table_formats import print_table

    for table in cost_tables(cost, bars=True):
        print_table(table)


def _exit_code(cost: dict[str, Any], *, strict: bool) -> int:
    """Return 1 if counts disagree or, if strict, are incomplete. Print the reasons."""
    reasons = list(cost["problems"])
    if strict:
        for row in cost["rows"]:
            if row["uncounted"]:
                names = ", ".join(row["uncounted"])
                reasons.append(f"{row['model']} is incomplete: no formula for {names}")
            elif row["gmacs_fvcore"] is None:
                reasons.append(f"{row['model']} has only one count: {row['explanation']}")
    for reason in dict.fromkeys(reasons):
        print_line(f"failed: {reason}", err=True)
    return 1 if reasons else 0
