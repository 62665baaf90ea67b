"""``mapt-bench ablate``: cues, fusion orders, flows and memory on the same segments."""

from typing import Any

import click

from mapt_bench.cli.experiment import (
    RunOptions,
    experiment_options,
    flow_weights_option,
    run_and_show,
)
from mapt_bench.experiments import FlowWeights, ablation_plan, traits_of

__all__ = ["command"]

_EPILOG = """\b
Examples:
  mapt-bench ablate -j 2
  mapt-bench ablate --data DATA --segments PREDICTIONS --memory 20 --out runs/mine --json -
"""


@click.command("ablate", epilog=_EPILOG)
@click.option(
    "--memory",
    default=10,
    show_default=True,
    help="Frames that a lost track is kept for in the rows with memory.",
)
@flow_weights_option
@experiment_options
def command(
    memory: int,
    flow_weights: tuple[FlowWeights, ...],
    **options: Any,  # noqa: ANN401 - what click collects
) -> int:
    """Cross cues, memory, fusion orders and flows on one set of segments.

    Motion, appearance and both, each without and with memory; motion first, appearance first and
    simultaneous fusion; motion over DIS flow and over each network whose weights are given; next
    to copying, IoU, SORT and ByteTrack, unlinked segments (the floor) and true identities (the
    ceiling). Everything goes to the folder of the run.
    """
    plan = ablation_plan(traits_of, memory=memory, flow_weights=flow_weights)
    return run_and_show(plan, RunOptions(**options))
