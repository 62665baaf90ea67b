"""``mapt-bench track``: run one tracker and write its panoptic maps."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mapt_bench.baselines.choice import TrackerChoice
from mapt_bench.baselines.registry import (
    associator_names,
    flow_tracker_names,
    mapt_tracker_names,
)
from mapt_bench.baselines.rows import ROW_FORM, parse_row, thresholds_of
from mapt_bench.baselines.thresholds import ThresholdsName
from mapt_bench.cli.completion import (
    complete_encoding,
    complete_label_space,
    complete_row,
    complete_segments,
    complete_suite,
    complete_weights,
)
from mapt_bench.cli.experiment_commands import thresholds_option
from mapt_bench.cli.options import (
    emit_json,
    json_option,
    map_option,
    path_type,
    print_line,
)
from mapt_bench.cli.output_folders import check_outside, emit_json_before
from mapt_bench.cli.progress import progress_bar
from mapt_bench.devices import DeviceSettings
from mapt_bench.errors import ConfigError
from mapt_bench.experiments.experiment_config import SEGMENTS_FORM
from mapt_bench.provenance import provenance
from mapt_bench.reports.table_formats import print_table
from mapt_bench.reports.tables import Cell, Column, Table
from mapt_bench.weights import WeightsInUse, weights_in_use

if TYPE_CHECKING:
    from mapt_bench.evaluation.tracking_run import SequenceRun
    from mapt_bench.experiments import SegmentSource
    from mapt_bench.labels import ClassMaps, LabelSpace, Video
    from mapt_bench.tracking import Segmenter, Tracker

__all__ = ["command"]

_EPILOG = """
\b
Examples:
  mapt-bench track DATA --tracker mapt+memory --out runs/mapt
  mapt-bench track DATA --tracker sort+memory=5 --segments PREDICTIONS --out runs/sort
  mapt-bench track --suite tiny --tracker copy --out runs/copy
"""


@click.command("track", epilog=_EPILOG)
@click.argument("data", type=path_type, required=False)
@click.option(
    "--suite",
    shell_complete=complete_suite,
    metavar="NAME",
    help="Track the synthetic videos of this suite instead of DATA. Example: --suite tiny",
)
@click.option(
    "--tracker",
    shell_complete=complete_row,
    required=True,
    metavar="ROW",
    help=f"Run this tracker: {ROW_FORM}. NAME is one of "
    f"{', '.join((*associator_names(), *mapt_tracker_names(), *flow_tracker_names()))}; "
    "the name of an installed tracker; or package.module:Class. "
    "Example: --tracker both+memory=5,motion_threshold=0.2",
)
@click.option(
    "--segments",
    shell_complete=complete_segments,
    metavar=SEGMENTS_FORM,
    show_default="groundtruth; for mapt, its own detections",
    help="Link these segments: MAPT's detections (mapt), ground-truth segments without identities "
    "(groundtruth), the same with mild faults (noisy), detections by the weights NAME or FILE, or "
    "the predictions in DIR. Not for trackers that find their own segments. "
    "Example: --segments mapt-compact",
)
@click.option(
    "--pair",
    type=int,
    default=1,
    metavar="N",
    show_default=True,
    help="Pair frame t with frame t - N. Example: --pair 2",
)
@thresholds_option
@click.option(
    "--weights",
    shell_complete=complete_weights,
    type=path_type,
    metavar="FILE|NAME|DIR",
    show_default="for mapt, the shipped mapt-compact",
    help="Use these weights of MAPT or of a flow network: a file, or the name of shipped weights. "
    "For flow:files, use the flow files of this folder. Example: --weights mapt-compact",
)
@click.option(
    "--random-weights", is_flag=True, help="Run a flow network with random weights, for trials."
)
@click.option(
    "--device",
    default="cpu",
    metavar="NAME",
    show_default=True,
    help="Run networks on this device. Example: --device cuda",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Give networks this number of threads. Example: --threads 4",
)
@click.option(
    "--dataset",
    shell_complete=complete_label_space,
    metavar="NAME",
    show_default="from DATA's dataset.json, else kitti-step",
    help="Use this label space: a built-in name or a YAML file. Example: --dataset kitti-step",
)
@map_option
@click.option(
    "--encoding",
    shell_complete=complete_encoding,
    metavar="NAME",
    show_default="detected from the files",
    help="Read the maps of DATA in this encoding. Example: --encoding kitti-step",
)
@click.option(
    "--out",
    type=path_type,
    metavar="DIR",
    required=True,
    help="Write the maps to this new folder. Example: --out runs/mine",
)
@json_option
def command(
    data: Path | None,
    suite: str | None,
    tracker: str,
    segments: str | None,
    pair: int,
    thresholds: ThresholdsName,
    weights: Path | None,
    random_weights: bool,
    device: str,
    threads: int,
    dataset: str | None,
    class_map: str | None,
    encoding: str | None,
    out: Path,
    json_file: str | None,
) -> int:
    """Run one tracker on each video of DATA and write KITTI-STEP maps to --out.

    DATA holds images, panoptic_maps, or both. Trackers that read no images need panoptic_maps only.
    """
    # Imported here, because completing a name and --help must start fast.
    from mapt_bench.evaluation.tracking_run import SequenceRun, track_videos
    from mapt_bench.experiments.plans.segment_sources import (
        SegmentSource,
        mapped_source,
        saved_segments,
    )
    from mapt_bench.interface import default_segments, segments_to_link, tracker_choice

    row = parse_row(tracker)
    choice = tracker_choice(
        row,
        thresholds=thresholds,
        pair=pair,
        weights=weights,
        random_weights=random_weights,
        device=device,
    )
    choice.check()
    linking = choice.weights()
    kind = segments_to_link(choice, segments)
    check_outside(out, [each for each in (data, kind) if isinstance(each, Path)])
    finding = kind.mapt.path if isinstance(kind, SegmentSource) and kind.mapt is not None else None
    if choice.flow.asks_for_weights or linking or finding is not None:
        import torch

        torch.set_num_threads(threads)
    maps = _class_maps(class_map)
    sides: dict[str, dict[str, str | int]] = {}
    with_path = [kind] if isinstance(kind, Path) and maps is None else []
    videos, labels = _videos(data, suite, dataset, encoding, with_path)
    source = None if kind is None or isinstance(kind, Path) else mapped_source(kind, maps)
    if isinstance(kind, Path):
        source = saved_segments(kind, videos, labels, maps)
    if maps is not None:
        videos, sides = _mapped(videos, labels, maps, source)
        labels = maps.target
    segmenters: list[Segmenter] = []

    def segmenter(index: int) -> "Segmenter | None":
        if source is None:
            return None
        placed = replace(source, on=DeviceSettings(device=device))
        segmenters.append(placed.segmenter(videos[index], index, 0))
        return segmenters[-1]

    def build(index: int) -> "Tracker":
        return choice.build(videos[index], segmenter(index))

    in_use = _weights_in_use(linking, finding)
    given = weights or row.weights
    origin = thresholds_of(row.tracker, thresholds)
    linked = None if source is None else segments or default_segments(row)

    result: dict[str, Any] = {
        "schema": "mapt-bench/tracking/2",
        "tracker": str(row),
        "memory": choice.memory,
        "pair": pair,
        "thresholds": origin,
        "settings": dict(choice.chosen),
        "weights": None if given is None else str(given),
        "weights_in_use": {role: each.to_dict() for role, each in in_use.items()},
        "random_weights": random_weights,
        "segments": linked,
        "label_space": labels.name,
        "class_map": None if maps is None else maps.describe(),
        "mapped": sides,
        "out": str(out),
        "per_sequence": [],
        "provenance": {},
    }

    def report(runs: "Sequence[SequenceRun]", unfinished: Path) -> None:
        sides.update(_detected(source, segmenters, labels))
        result["per_sequence"] += map(SequenceRun.to_dict, runs)
        result["provenance"] |= provenance(device=device, threads=threads)
        emit_json_before(json_file, result, out, unfinished)

    frames = sum(video.info.frame_count for video in videos)
    with progress_bar("tracking", frames) as advance:
        runs = track_videos(videos, build, out, pair=pair, advance=advance, report=report)
    if not (json_file == "-" and emit_json(json_file, result)):
        print_table(_table(runs, choice, labels.name, origin, linked))
        for each in dict.fromkeys(in_use.values()):
            print_line(f"weights: {each.description}")
        print_line(f"maps: {out}")
    return 0


def _weights_in_use(linking: Mapping[str, Path], finding: Path | None) -> dict[str, WeightsInUse]:
    found = {role: weights_in_use(path) for role, path in linking.items()}
    return found if finding is None else {**found, "segments": weights_in_use(finding)}


def _videos(
    data: Path | None,
    suite: str | None,
    dataset: str | None,
    encoding: str | None,
    predictions: Sequence[Path],
) -> "tuple[Sequence[Video], LabelSpace]":
    from mapt_bench.data import open_videos, resolve_labels
    from mapt_bench.synthetic.fingerprints import check_suite

    if suite is not None:
        if data is not None:
            raise ConfigError("DATA and --suite are two sources of videos; keep one of them")
        if dataset is not None or encoding is not None:
            raise ConfigError("--dataset and --encoding are for DATA; omit them with --suite")
        videos: Sequence[Video] = check_suite(suite).videos
        return videos, videos[0].info.labels
    if data is None:
        raise ConfigError("there is no video to track; give DATA or --suite NAME")
    labels = resolve_labels(dataset, data, *predictions)
    return open_videos(data, labels, encoding=encoding), labels


def _class_maps(name: str | None) -> "ClassMaps | None":
    from mapt_bench.labels import class_maps

    return None if name is None else class_maps(name)


def _mapped(
    videos: "Sequence[Video]",
    labels: "LabelSpace",
    maps: "ClassMaps",
    source: "SegmentSource | None",
) -> "tuple[Sequence[Video], dict[str, dict[str, str | int]]]":
    """Map the ground truth of videos, and report on stderr what becomes void of each side."""
    from mapt_bench.data.mapped import (
        MappedSequence,
        MappedVideo,
        predictions_share,
        truth_share,
    )

    class_map = maps.of(labels)
    mapped = [MappedVideo(video, class_map) for video in videos]
    sides = {}
    if any(video.has_truth for video in mapped):
        sides["ground_truth"] = truth_share(mapped).side(labels.name)
    saved = () if source is None else source.saved or ()
    predictions = [each for each in saved if isinstance(each, MappedSequence)]
    if predictions:
        origin = predictions[0].class_map.source.name
        sides["prediction"] = predictions_share(predictions).side(origin)
    _report_mapped(sides, maps.target)
    return mapped, sides


def _detected(
    source: "SegmentSource | None", segmenters: "Sequence[Segmenter]", labels: "LabelSpace"
) -> dict[str, dict[str, str | int]]:
    """Return what class maps removed from the detections of a network, and report it on stderr."""
    from mapt_bench.baselines.segmenters import MappedSegmenter
    from mapt_bench.labels import DETECTIONS, MappedShare

    found = [each for each in segmenters if isinstance(each, MappedSegmenter)]
    if source is None or not found:
        return {}
    share = sum((each.share for each in found), MappedShare())
    sides = {f"{DETECTIONS}{source.name}": {**found[0].side, **share.to_dict()}}
    _report_mapped(sides, labels)
    return sides


def _report_mapped(sides: "Mapping[str, Mapping[str, str | int]]", target: "LabelSpace") -> None:
    from mapt_bench.labels import mapped_notes

    for note in mapped_notes(sides, target.name):
        print_line(f"note: {note}", err=True)


def _table(
    runs: "list[SequenceRun]",
    choice: TrackerChoice,
    labels: str,
    thresholds: str,
    segments: object,
) -> Table:
    """Return one row per sequence, with a column for each step that assigned identities."""
    # The step "recovered" of a linker is the last column, which all trackers have.
    steps = sorted({step for run in runs for step in run.matches} - {"recovered"})
    counted = ("frames", "tracks", *steps, "recovered")
    columns = (Column("sequence"), *(Column(name, "integer") for name in counted))
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        per_step = (run.matches.get(step, 0) for step in steps)
        rows.append((run.name, run.frames, run.tracks, *per_step, run.recovered))
    memory = "none" if choice.memory is None else f"{choice.memory} frames"
    note = (
        f"Thresholds: {thresholds}. Memory: {memory}. Pairing interval: {choice.pair}. "
        f"Segments: {'its own' if segments is None else segments}. Label space: {labels}."
    )
    return Table(f"Identities by {choice.description}", columns, tuple(rows), (note,))
