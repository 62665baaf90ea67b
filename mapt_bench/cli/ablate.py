"""``mapt-bench ablate``: cues, fusion orders, flows and memory on the same segments."""

from collections.abc import Sequence
from typing import Any

import click

from mapt_bench.baselines.rows import DEFAULT_MEMORY, parse_row
from mapt_bench.baselines.segmenters import GROUND_TRUTH
from mapt_bench.baselines.thresholds import ThresholdsName
from mapt_bench.cli.experiment import (
    RunOptions,
    experiment_options,
    named_files,
    network_options,
    run_and_show,
)
from mapt_bench.errors import ConfigError
from mapt_bench.experiments import (
    SAVED,
    MaptWeights,
    NetworkWeights,
    SegmentSource,
    ablation_plan,
    read_mapt_weights,
)
from mapt_bench.weights import shipped_weights

__all__ = ["command"]

_EPILOG = """\b
Examples:
  mapt-bench ablate -j 2
  mapt-bench ablate --data DATA --segments PREDICTIONS --memory 20 --out runs/mine --json -
  mapt-bench ablate --suite tiny --add my_module:MyTracker+memory --out runs/tracker
"""

_ALL = "all"


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
    metavar="ROW",
    help="Take paired differences to this row. Pass an unknown row to list the valid ones. "
    "Example: --reference mapt:motion+memory  [default: mapt+memory; without MAPT, both]",
)
@network_options(every_shipped_flow=True)
@experiment_options
def command(
    memory: int,
    switches: tuple[str, ...],
    trained: tuple[str, ...],
    reference: str | None,
    thresholds: ThresholdsName,
    flow_weights: tuple[NetworkWeights, ...],
    **options: Any,  # noqa: ANN401 - what click collects
) -> int:
    """Cross cues, memory, fusion orders and flows on the same segments.

    MAPT's motion head, its appearance head and both, each without and with memory; the orders of
    fusion; optical flow in place of the motion head; next to copying, IoU, SORT, ByteTrack and
    hand-made appearance, unlinked segments (the floor) and true identities (the ceiling). All of
    it on the segments that MAPT finds itself, and on the true ones. Everything goes to the folder
    of the run.
    """
    given = RunOptions(
        **options,
        default_segments=f"mapt,{GROUND_TRUTH}",
        many_segments=True,
        flow_weights=flow_weights,
    )
    networks = _trained(trained, given.mapt)
    kinds = [each.name if isinstance(each, SegmentSource) else SAVED for each in given.kinds]
    plan = ablation_plan(
        memory=memory,
        mapt=given.mapt,
        flow_weights=flow_weights,
        switches=_switches(switches),
        trained=networks,
        thresholds=thresholds,
        added=given.added(memory=memory),
        reference=reference,
        segments=kinds,
        shared_segments=[name for name in kinds if given.mapt is None or name != given.mapt.name],
    )
    return run_and_show(plan, given, trained=networks)


def _switches(names: Sequence[str]) -> tuple[str, ...]:
    """Return the switches that are asked for, each once; only then is torch imported."""
    if not names:
        return ()
    from mapt_bench.model import SWITCHES, check_switch

    for name in names:
        if "=" in name:
            parse_row(f"mapt,{name}")  # refuses what cannot be
        elif name != _ALL:
            check_switch(name)
    every = tuple(SWITCHES) if _ALL in names else ()
    return tuple(dict.fromkeys((*every, *(name for name in names if name != _ALL))))


def _trained(texts: Sequence[str], mapt: MaptWeights | None) -> tuple[MaptWeights, ...]:
    """Return the networks of the second table, the whole one first."""
    if not texts:
        return ()
    if mapt is None:
        raise ConfigError("--trained compares with the whole MAPT; give its --weights too")
    shipping = [text for text in texts if text in shipped_weights()]
    files = named_files(
        "--trained",
        [text for text in texts if text not in shipping],
        example="static=runs/static/weights.safetensors",
        shipping=shipped_weights(),
    )
    found = (
        mapt,
        *(read_mapt_weights(name) for name in shipping),
        *(read_mapt_weights(str(path), name) for name, path in files.items()),
    )
    names = [each.name for each in found]
    if len(set(names)) != len(names):
        raise ConfigError(f"--trained gives a network twice, or MAPT itself: {', '.join(names)}")
    return found
