"""``mapt-bench track``: run one tracker and write its panoptic maps."""

from collections.abc import Sequence
from pathlib import Path

import click

from mapt_bench.baselines.catalog import (
    associator_names,
    flow_tracker_names,
    weights_of_appearance,
    weights_of_associator,
)
from mapt_bench.baselines.choice import TrackerChoice
from mapt_bench.baselines.flow_sources import FlowOptions
from mapt_bench.baselines.mapt_entries import (
    mapt_segmenter,
    mapt_tracker_names,
    mapt_weights,
)
from mapt_bench.baselines.segmenters import GROUND_TRUTH
from mapt_bench.baselines.settings import parse_setting
from mapt_bench.cli.options import emit_json, json_option, path_type
from mapt_bench.cli.progress import progress_bar
from mapt_bench.cli.thresholds import thresholds_named, thresholds_option
from mapt_bench.data import StoredSequence, open_videos, resolve_labels
from mapt_bench.errors import ConfigError
from mapt_bench.evaluation.tracking_run import (
    SequenceRun,
    match_saved_segments,
    track_videos,
)
from mapt_bench.provenance import provenance
from mapt_bench.reports.tables import Cell, Column, Table
from mapt_bench.reports.terminal import print_table
from mapt_bench.tracking import Segmenter
from mapt_bench.weights import WeightsInUse, shipped_weights, weights_in_use

__all__ = ["command"]

_MAPT = "mapt"

_EPILOG = """
\b
Examples:
  mapt-bench track DATA --tracker mapt --out runs/mapt
  mapt-bench track DATA --tracker sort --segments PREDICTIONS --memory 5 --out runs/sort
"""


@click.command("track", epilog=_EPILOG)
@click.argument("data", type=path_type)
@click.option(
    "--tracker",
    required=True,
    metavar="NAME",
    help="One of "
    f"{', '.join((*associator_names(), *mapt_tracker_names(), *flow_tracker_names()))}; "
    "or package.module:Class.",
)
@click.option(
    "--segments",
    metavar="groundtruth|mapt|DIR|WEIGHTS",
    show_default="groundtruth; for mapt what it finds itself",
    help="Segments to link: the true ones without their ids, what MAPT finds, predictions saved in "
    "DIR, or what MAPT finds with WEIGHTS, a .safetensors file or the name of shipped ones.",
)
@click.option(
    "--memory",
    type=int,
    metavar="N",
    show_default="the tracker's own",
    help="Frames a lost track is kept for.",
)
@click.option(
    "--pair",
    type=int,
    default=1,
    metavar="N",
    show_default=True,
    help="Pairing interval in frames.",
)
@thresholds_option("published")
@click.option(
    "--set",
    "changed",
    multiple=True,
    metavar="KEY=VALUE",
    help="A threshold of the tracker, as in motion_threshold=0.2; repeatable.",
)
@click.option(
    "--weights",
    type=path_type,
    metavar="FILE|NAME|DIR",
    show_default="for mapt the shipped mapt-tiny",
    help="Weights of MAPT or of a flow network, NAME for shipped ones; folder of files for "
    "flow:files.",
)
@click.option("--random-weights", is_flag=True, help="Run a flow network untrained, for trials.")
@click.option(
    "--device",
    default="cpu",
    metavar="NAME",
    show_default=True,
    help="Where a network runs.",
)
@click.option(
    "--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Of a network."
)
@click.option(
    "--dataset",
    metavar="NAME",
    show_default="what DATA's dataset.json says, else kitti-step",
    help="Label space: a built-in name or a YAML file.",
)
@click.option(
    "--encoding",
    metavar="NAME",
    show_default="found out from the files",
    help="How the maps of DATA are coded.",
)
@click.option(
    "--out", type=path_type, metavar="DIR", required=True, help="New folder for the maps."
)
@json_option
def command(
    data: Path,
    tracker: str,
    segments: str | None,
    memory: int | None,
    pair: int,
    thresholds: str,
    changed: tuple[str, ...],
    weights: Path | None,
    random_weights: bool,
    device: str,
    threads: int,
    dataset: str | None,
    encoding: str | None,
    out: Path,
    json_file: str | None,
) -> int:
    """Run one tracker over each video of DATA and write KITTI-STEP maps to --out.

    DATA holds images, panoptic_maps, or both; trackers that read no images run on maps alone.
    """
    flow = FlowOptions(weights=weights, random_weights=random_weights, device=device)
    settings = dict(thresholds_named(thresholds).get(tracker, ()))
    settings.update(_changes(changed))
    choice = TrackerChoice(tracker, memory, pair, flow, tuple(sorted(settings.items())))
    linking = weights_of_associator(tracker, flow)
    if segments is None:
        segments = _MAPT if tracker in mapt_tracker_names() else GROUND_TRUTH
    finding = _finding_weights(segments, linking if tracker in mapt_tracker_names() else None)
    if flow.asks_for_weights or linking is not None or finding is not None:
        import torch

        torch.set_num_threads(threads)
    is_saved = segments != GROUND_TRUTH and finding is None
    folder = Path(segments) if is_saved else None
    labels = resolve_labels(dataset, data, *([] if folder is None else [folder]))
    videos = open_videos(data, labels, encoding=encoding)
    found: Sequence[StoredSequence] | Segmenter | None = None
    if finding is not None:
        found = mapt_segmenter(FlowOptions(weights=finding, device=device))
    elif folder is not None:
        found = match_saved_segments(videos, folder, labels)
    frames = sum(video.info.frame_count for video in videos)
    with progress_bar("tracking", frames) as advance:
        runs = track_videos(videos, choice, out, segments=found, advance=advance)
    in_use = _in_use(tracker=linking, appearance=weights_of_appearance(tracker), segments=finding)
    result = {
        "schema": "mapt-bench/tracking/1",
        "tracker": tracker,
        "memory": choice.effective_memory,
        "pair": pair,
        "settings": settings,
        "weights": None if weights is None else str(weights),
        "weights_in_use": {role: each.to_dict() for role, each in in_use.items()},
        "random_weights": random_weights,
        "segments": segments,
        "label_space": labels.name,
        "out": str(out),
        "per_sequence": [run.to_dict() for run in runs],
        "provenance": provenance(device=device, threads=threads),
    }
    if not emit_json(json_file, result):
        print_table(_table(runs, choice.description, labels.name))
        for each in dict.fromkeys(in_use.values()):
            click.echo(f"weights: {each.description}")
        click.echo(f"maps: {out}")
    return 0


def _changes(texts: Sequence[str]) -> dict[str, str | int | float]:
    for text in texts:
        if "=" not in text:
            raise ConfigError(f"--set is {text!r}; expected KEY=VALUE, as in motion_threshold=0.2")
    return dict(map(parse_setting, texts))


def _finding_weights(segments: str, of_tracker: Path | None) -> Path | None:
    """Return the weights that MAPT finds segments with; ``None`` if they come from elsewhere."""
    if segments == _MAPT:
        return of_tracker or mapt_weights(FlowOptions())
    is_name = segments in shipped_weights() and not Path(segments).is_dir()
    return Path(segments) if is_name or segments.endswith(".safetensors") else None


def _in_use(**roles: Path | None) -> dict[str, WeightsInUse]:
    """Tell the weights apart by what they did."""
    return {role: weights_in_use(path) for role, path in roles.items() if path is not None}


def _table(runs: list[SequenceRun], tracker: str, labels: str) -> Table:
    """One row a sequence; a column for each step that gave identities."""
    steps = sorted({step for run in runs for step in run.steps})
    counted = ("frames", "tracks", *steps, "found again")
    columns = (Column("sequence"), *(Column(name, "integer") for name in counted))
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        per_step = (run.steps.get(step, 0) for step in steps)
        rows.append((run.name, run.frames, run.tracks, *per_step, run.found_again))
    return Table(f"Identities by {tracker}, label space {labels}", columns, tuple(rows))
