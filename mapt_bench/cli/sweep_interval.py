"""``mapt-bench sweep-interval``: dropped frames and pairing intervals."""

from typing import Any

import click

from mapt_bench.cli.experiment import (
    RunOptions,
    experiment_options,
    network_options,
    run_and_show,
)
from mapt_bench.cli.options import whole_numbers
from mapt_bench.cli.thresholds import thresholds_named, thresholds_option
from mapt_bench.errors import ConfigError
from mapt_bench.experiments import (
    DEFAULT_TAUS,
    NetworkWeights,
    interval_plan,
    shipped_flow_files,
    traits_of,
)

__all__ = ["command"]

_EPILOG = """\b
Examples:
  mapt-bench sweep-interval -j 2
  mapt-bench sweep-interval -j 2 --flow-weights flow:flownet2-narrow
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
    help="Only every tau-th frame exists, for tracker and truth alike; scores are means over all "
    "tau phases.",
)
@click.option("--pair", metavar="TAUS", help="The tracker pairs frame t with frame t - tau.")
@click.option(
    "--memory", default=0, show_default=True, help="Frames that a lost track is kept for."
)
@thresholds_option("chosen")
@network_options(every_shipped_flow=False)
@experiment_options
def command(
    drop: str | None,
    pair: str | None,
    memory: int,
    thresholds: str,
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
    given = RunOptions(**options, default_segments="mapt")
    if len(given.kinds) > 1:
        raise ConfigError(f"--segments {given.segments}: a sweep links one kind of segments")
    plan = interval_plan(
        traits_of,
        drop=_intervals("drop", drop),
        pair=_intervals("pair", pair),
        memory=memory,
        mapt=given.mapt,
        thresholds=thresholds_named(thresholds),
        flow_weights=flow_weights,
        left_out=tuple(shipped_flow_files()),
    )
    return run_and_show(plan, given)
