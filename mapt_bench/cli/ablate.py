"""``mapt-bench ablate``: cues, fusion orders, flows and memory on the same segments."""

from collections.abc import Sequence
from typing import Any

import click

from mapt_bench.baselines import build_associator
from mapt_bench.baselines.segmenters import GROUND_TRUTH
from mapt_bench.baselines.settings import parse_setting
from mapt_bench.cli.experiment import (
    RunOptions,
    experiment_options,
    named_files,
    network_options,
    run_and_show,
)
from mapt_bench.cli.thresholds import thresholds_named, thresholds_option
from mapt_bench.errors import ConfigError
from mapt_bench.experiments import (
    SAVED,
    MaptWeights,
    NetworkWeights,
    SegmentSource,
    ablation_plan,
    read_mapt_weights,
    traits_of,
)
from mapt_bench.weights import shipped_weights

__all__ = ["command"]

_EPILOG = """\b
Examples:
  mapt-bench ablate -j 2
  mapt-bench ablate --data DATA --segments PREDICTIONS --memory 20 --out runs/mine --json -
"""

_ALL = "all"


@click.command("ablate", epilog=_EPILOG)
@click.option(
    "--memory",
    default=10,
    show_default=True,
    help="Frames that a lost track is kept for in the rows with memory.",
)
@click.option(
    "--switch",
    "switches",
    multiple=True,
    metavar="NAME|KEY=VALUE|all",
    help="One more row of MAPT with a part switched off (all: each of them), or with a setting of "
    "the association changed, as in proximity=centroid; repeatable. An unknown one lists them.",
)
@click.option(
    "--trained",
    multiple=True,
    metavar="NAME|NAME=FILE",
    help="A network that was trained without a part: one that ships, or your own; repeatable. "
    "These have tables of their own.",
)
@click.option(
    "--reference",
    metavar="ROW",
    help="The row that paired differences are taken to, as in mapt:motion+memory. An unknown one "
    "lists them.  [default: mapt+memory; without MAPT, both]",
)
@thresholds_option("chosen")
@network_options(every_shipped_flow=True)
@experiment_options
def command(
    memory: int,
    switches: tuple[str, ...],
    trained: tuple[str, ...],
    reference: str | None,
    thresholds: str,
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
    given = RunOptions(**options, default_segments=f"mapt,{GROUND_TRUTH}")
    networks = _trained(trained, given.mapt)
    kinds = [each.name if isinstance(each, SegmentSource) else SAVED for each in given.kinds]
    plan = ablation_plan(
        traits_of,
        memory=memory,
        mapt=given.mapt,
        flow_weights=flow_weights,
        switches=_switches(switches),
        trained=networks,
        thresholds=thresholds_named(thresholds),
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
        setting, is_setting, _ = name.partition("=")
        if is_setting:
            if setting == "memory":
                raise ConfigError(f"--switch {name}: memory is the same for all rows, --memory")
            changed: dict[str, Any] = dict([parse_setting(name)])
            build_associator("copy", **changed)  # refuses what cannot be
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
