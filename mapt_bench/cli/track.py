"""``mapt-bench track``: run one tracker and write its panoptic maps."""

from pathlib import Path

import click

from mapt_bench.baselines.catalog import associator_names, flow_tracker_names
from mapt_bench.baselines.choice import TrackerChoice
from mapt_bench.baselines.flow_sources import FlowOptions
from mapt_bench.baselines.segmenters import GROUND_TRUTH
from mapt_bench.cli.options import emit_json, json_option, path_type
from mapt_bench.cli.progress import progress_bar
from mapt_bench.data import open_videos, resolve_labels
from mapt_bench.evaluation.tracking_run import (
    SequenceRun,
    match_saved_segments,
    track_videos,
)
from mapt_bench.provenance import provenance
from mapt_bench.reports.tables import Cell, Column, Table
from mapt_bench.reports.terminal import print_table

__all__ = ["command"]

_EPILOG = """
\b
Examples:
  mapt-bench track DATA --tracker both --out runs/both
  mapt-bench track DATA --tracker sort --segments PREDICTIONS --memory 5 --out runs/sort
"""


@click.command("track", epilog=_EPILOG)
@click.argument("data", type=path_type)
@click.option(
    "--tracker",
    required=True,
    metavar="NAME",
    help=f"One of {', '.join((*associator_names(), *flow_tracker_names()))}; "
    "or package.module:Class.",
)
@click.option(
    "--segments",
    default=GROUND_TRUTH,
    show_default=True,
    metavar="groundtruth|DIR",
    help="Segments to link: the true ones without their ids, or predictions saved in DIR.",
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
@click.option(
    "--weights",
    type=path_type,
    metavar="FILE|DIR",
    help="Weights of a flow network; folder of files for flow:files.",
)
@click.option("--random-weights", is_flag=True, help="Run a flow network untrained, for trials.")
@click.option(
    "--device",
    default="cpu",
    metavar="NAME",
    show_default=True,
    help="Where a flow network runs.",
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
    segments: str,
    memory: int | None,
    pair: int,
    weights: Path | None,
    random_weights: bool,
    device: str,
    dataset: str | None,
    encoding: str | None,
    out: Path,
    json_file: str | None,
) -> int:
    """Run one tracker over each video of DATA and write KITTI-STEP maps to --out.

    DATA holds images, panoptic_maps, or both; trackers that read no images run on maps alone.
    """
    flow = FlowOptions(weights=weights, random_weights=random_weights, device=device)
    choice = TrackerChoice(tracker, memory, pair, flow)
    folder = None if segments == GROUND_TRUTH else Path(segments)
    labels = resolve_labels(dataset, data, *([] if folder is None else [folder]))
    videos = open_videos(data, labels, encoding=encoding)
    saved = None if folder is None else match_saved_segments(videos, folder, labels)
    frames = sum(video.info.frame_count for video in videos)
    with progress_bar("tracking", frames) as advance:
        runs = track_videos(videos, choice, out, segments=saved, advance=advance)
    result = {
        "schema": "mapt-bench/tracking/1",
        "tracker": tracker,
        "memory": choice.effective_memory,
        "pair": pair,
        "weights": None if weights is None else str(weights),
        "random_weights": random_weights,
        "segments": segments,
        "label_space": labels.name,
        "out": str(out),
        "per_sequence": [run.to_dict() for run in runs],
        "provenance": provenance(device=device),
    }
    if not emit_json(json_file, result):
        print_table(_table(runs, choice.description, labels.name))
        click.echo(f"maps: {out}")
    return 0


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
