"""``mapt-bench sweep-interval``: dropped frames and pairing intervals."""

from typing import Any

import click

from mapt_bench.baselines.thresholds import ThresholdsName
from mapt_bench.cli.experiment import (
    RunOptions,
    experiment_options,
    network_options,
    run_and_show,
)
from mapt_bench.cli.options import whole_numbers
from mapt_bench.experiments import (
    DEFAULT_TAUS,
    NetworkWeights,
    interval_plan,
    shipped_flow_files,
)

__all__ = ["command"]

_EPILOG = """\b
Examples:
  mapt-bench sweep-interval -j 2
  mapt-bench sweep-interval -j 2 --flow-weights flow:flownet2-narrow
  mapt-bench sweep-interval --add both+memory --add my_module:MyTracker -j 2
  mapt-bench sweep-interval --data DATA --drop 1,2,4 --out runs/drop --json drop.json
"""


def _intervals(name: str, text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    return whole_numbers(f"--{name}", text, "whole numbers of frames with commas, as in 1,2,3,5")


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
@network_options(every_shipped_flow=False)
@experiment_options
def command(
    drop: str | None,
    pair: str | None,
    memory: int,
    thresholds: ThresholdsName,
    flow_weights: tuple[NetworkWeights, ...],
    **options: Any,  # noqa: ANN401 - what click collects
) -> int:
    """Drop frames or widen the pairing interval.

    TAUS are whole numbers with commas; without --drop and --pair both sweeps run with 1,2,3,5.
    Numbers of different tau are no comparison by themselves: each tau carries copying and the
    oracle as references. MAPT's heads, and each flow network that is named, have a line each.
    """
    if drop is None and pair is None:
        taus = ",".join(str(tau) for tau in DEFAULT_TAUS)
        drop = pair = taus
    given = RunOptions(**options, default_segments="mapt", flow_weights=flow_weights)
    _ = given.kinds  # refuses several kinds before anything is planned
    plan = interval_plan(
        drop=_intervals("drop", drop),
        pair=_intervals("pair", pair),
        memory=memory,
        mapt=given.mapt,
        thresholds=thresholds,
        flow_weights=flow_weights,
        left_out=tuple(shipped_flow_files()),
        added=given.added(memory=memory),
    )
    return run_and_show(plan, given)
