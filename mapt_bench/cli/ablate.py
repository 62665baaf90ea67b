"""``mapt-bench ablate``: cues, fusion orders, flows and memory on the same segments."""

from typing import Any

import click

from mapt_bench.baselines.rows import DEFAULT_MEMORY
from mapt_bench.cli.experiment import experiment_options, network_options, run_and_show
from mapt_bench.cli.options import complete_row
from mapt_bench.experiments import AblationConfig, run_ablation

__all__ = ["command"]

_EPILOG = """\b
Examples:
  mapt-bench ablate -j 2
  mapt-bench ablate --data DATA --segments PREDICTIONS --memory 20 --out runs/mine --json -
  mapt-bench ablate --suite tiny --add my_module:MyTracker+memory --out runs/tracker
"""


@click.command("ablate", epilog=_EPILOG)
@click.option(
    "--memory",
    default=DEFAULT_MEMORY,
    show_default=True,
    metavar="N",
    help="Keep a lost track for N frames in rows named +memory. Example: --memory 20",
)
@click.option(
    "--switch",
    "switches",
    multiple=True,
    metavar="NAME|KEY=VALUE|all",
    help="Add a row of MAPT with this part removed at inference (all: one row for each part), or "
    "with a setting changed. Repeatable. Pass an unknown name to list the valid ones. "
    "Example: --switch static --switch proximity=centroid",
)
@click.option(
    "--trained",
    multiple=True,
    metavar="NAME|NAME=FILE",
    help="Compare a network that was trained without a part, in tables of their own: a shipped "
    "one, or your own. Repeatable. Example: --trained mapt-tiny-appearance",
)
@click.option(
    "--reference",
    shell_complete=complete_row,
    metavar="ROW",
    help="Take paired differences to this row. Pass an unknown row to list the valid ones. "
    "Example: --reference mapt:motion+memory  [default: mapt+memory; without MAPT, both]",
)
@network_options
@experiment_options
def command(
    json_file: str | None,
    show_config: bool,
    **options: Any,  # noqa: ANN401 - what click collects
) -> int:
    """Cross cues, memory, fusion orders and flows on the same segments.

    MAPT's motion head, its appearance head and both, each without and with memory; the orders of
    fusion; optical flow in place of the motion head; next to copying, IoU, SORT, ByteTrack and
    hand-made appearance, unlinked segments (the floor) and true identities (the ceiling). All of
    it on the segments that MAPT finds itself, and on the true ones. Everything goes to the folder
    of the run.
    """
    config = AblationConfig.from_cli(**options)
    return run_and_show(run_ablation, config, json_file=json_file, show_config=show_config)
