"""``mapt-bench sweep-interval``: dropped frames and pairing intervals."""

from typing import Any

import click

from mapt_bench.cli.experiment import experiment_options, network_options, run_and_show
from mapt_bench.experiments import SweepConfig, run_sweep

__all__ = ["command"]

_EPILOG = """\b
Examples:
  mapt-bench sweep-interval -j 2
  mapt-bench sweep-interval -j 2 --flow-weights flow:flownet2-narrow
  mapt-bench sweep-interval --add both+memory --add my_module:MyTracker -j 2
  mapt-bench sweep-interval --data DATA --drop 1,2,4 --out runs/drop --json drop.json
"""


@click.command("sweep-interval", epilog=_EPILOG)
@click.option(
    "--drop",
    metavar="TAUS",
    help="Keep only every tau-th frame, for tracker and ground truth alike; average scores over "
    "all tau phases. Example: --drop 1,2,4",
)
@click.option(
    "--pair", metavar="TAUS", help="Pair frame t with frame t - tau. Example: --pair 1,2,3"
)
@click.option(
    "--memory",
    default=0,
    show_default=True,
    metavar="N",
    help="Keep a lost track for N frames in every row that has memory; the rows are named +memory. "
    "Example: --memory 10",
)
@network_options
@experiment_options
def command(
    json_file: str | None,
    show_config: bool,
    **options: Any,  # noqa: ANN401 - what click collects
) -> int:
    """Drop frames or widen the pairing interval.

    TAUS are whole numbers with commas; without --drop and --pair both sweeps run with 1,2,3,5.
    Numbers of different tau are no comparison by themselves: each tau carries copying and the
    oracle as references. MAPT's heads, and each flow network that is named, have a line each.
    """
    config = SweepConfig.from_cli(**options)
    return run_and_show(run_sweep, config, json_file=json_file, show_config=show_config)
