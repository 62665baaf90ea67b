"""What MAPT's own detections are worth: PQ of things and stuff, recall by size, semantic IoU.

    python benchmarks/detection.py --suite val --weights mapt-compact
    python benchmarks/detection.py --suite val --weights FILE --sequences 6 --pictures DIR

Definition. Every frame is segmented once, and the identities are those of the oracle (row
``oracle``), so TQ is the highest that association can reach on these segments, up to the
oracle's own approximation. A thing of the ground truth is found if a segment of its class has a
mask IoU above 0.5 with it in that frame; crowd is left out. Recall is the share of things found,
by the visible pixels of the thing. SQ is STQ's mean semantic IoU.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from script_errors import shown_errors

from mapt_bench.baselines.choice import TrackerChoice
from mapt_bench.baselines.mapt_trackers import mapt_segmenter
from mapt_bench.baselines.rows import parse_row
from mapt_bench.baselines.tracker_options import MaptOptions
from mapt_bench.cli.options import emit_json
from mapt_bench.files import check_writable
from mapt_bench.labels import ID_BITS, ID_LIMIT, PanopticMap
from mapt_bench.metrics import (
    FrameOverlap,
    SequenceScorer,
    SequenceSums,
    flat_scores,
    pool,
    reference_blocks,
)
from mapt_bench.pictures import Prediction, VideoComparison, write_png
from mapt_bench.reports.table_formats import print_table
from mapt_bench.reports.tables import Column, Table
from mapt_bench.synthetic.suites import SuiteEntry, open_suite
from mapt_bench.tracking.loop import run_tracker
from mapt_bench.weights import DEFAULT_MAPT

SIZES = (0, 64, 112, 225, 450, 1800)
"""Lower limits of the groups of things by size, in visible pixels."""


@dataclass(frozen=True, eq=False)
class Seen:
    """The things of one frame.

    Attributes:
        frame: Sequence and position.
        class_ids: ``(n,)`` class of each thing of the ground truth.
        pixels: ``(n,)`` visible pixels.
        found: ``(n,)`` whether a segment of its class has an IoU above 0.5.
    """

    frame: tuple[str, int]
    class_ids: NDArray[np.int64]
    pixels: NDArray[np.int64]
    found: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Measured:
    """One sequence.

    Attributes:
        entry: Of the suite.
        sums: For the scores.
        frames: The things of each frame.
        maps: What the network found, in the oracle's identities.
    """

    entry: SuiteEntry
    sums: SequenceSums
    frames: list[Seen]
    maps: list[PanopticMap]


def things_found(
    overlap: FrameOverlap, is_thing: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return class, visible pixels, and whether it was found, of each thing of the ground truth."""
    codes, segment, pixels = _totals(overlap.gt_codes, overlap.pixels)
    _, prediction, predicted_pixels = _totals(overlap.pred_codes, overlap.pixels)
    classes = codes >> np.uint32(ID_BITS)
    things = is_thing[classes] & (_ids(codes) > 0)
    same_class = classes[segment] == overlap.pred_codes >> np.uint32(ID_BITS)
    union = pixels[segment] + predicted_pixels[prediction] - overlap.pixels
    # A predicted pixel with identity 0 is of no particular object.
    hit = same_class & (_ids(overlap.pred_codes) > 0) & (overlap.pixels / union > 0.5)
    return (
        classes[things].astype(np.int64),
        pixels[things],
        np.isin(codes[things], overlap.gt_codes[hit]),
    )


def _totals(
    codes: NDArray[np.uint32], pixels: NDArray[np.int64]
) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]]:
    """Return distinct codes, the position of each entry's code among them, and their pixels."""
    distinct, place = np.unique(codes, return_inverse=True)
    return distinct, place, np.bincount(place, weights=pixels).astype(np.int64)


def _ids(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    return codes & np.uint32(ID_LIMIT - 1)


def measure(entry: SuiteEntry, weights: str) -> Measured:
    """Segment every frame of a sequence and link the segments by the oracle."""
    segmenter = mapt_segmenter(MaptOptions(weights=Path(weights)))
    video = entry.video
    labels = video.info.labels
    tracker = TrackerChoice(parse_row("oracle")).build(video, segmenter)
    scorer = SequenceScorer(labels)
    frames, maps = [], []
    for index, predicted in enumerate(run_tracker(tracker, video)):
        overlap = scorer.update(video.truth(index), predicted)
        found = things_found(overlap, labels.is_thing_table)
        frames.append(Seen((video.info.name, index), *found))
        maps.append(predicted)
    return Measured(entry, scorer.result(), frames, maps)


def report_of(measured: Sequence[Measured]) -> dict[str, Any]:
    """Return scores, recall by size and recall by class, ready for JSON."""
    labels = measured[0].entry.video.info.labels
    sums = {each.entry.video.info.name: each.sums for each in measured}
    scores = flat_scores(pool(list(sums.values())), labels)
    blocks = reference_blocks(sums, labels)["pq"]["dataset"]
    every = [seen for each in measured for seen in each.frames]
    class_ids = np.concatenate([seen.class_ids for seen in every])
    pixels = np.concatenate([seen.pixels for seen in every])
    found = np.concatenate([seen.found for seen in every])
    by_size = []
    for low, high in zip(SIZES, (*SIZES[1:], np.inf), strict=True):
        inside = (pixels >= low) & (pixels < high)
        by_size.append({"least_px": low, **_share(found[inside])})
    names = {entry.class_id: entry.name for entry in labels.classes}
    by_class = {
        names[int(class_id)]: _share(found[class_ids == class_id])
        for class_id in np.unique(class_ids)
    }
    return {
        "PQ": scores["PQ"],
        "PQ_things": blocks["Things"] and blocks["Things"]["PQ"],
        "PQ_stuff": blocks["Stuff"] and blocks["Stuff"]["PQ"],
        "semantic_IoU": scores["SQ"],
        "oracle_TQ": scores["TQ"],
        "recall_from_64px": _share(found[pixels >= 64]),
        "recall_from_450px": _share(found[pixels >= 450]),
        "recall_by_size": by_size,
        "recall_by_class": by_class,
        "PQ_by_class": {
            names[int(key)]: value and value["PQ"] for key, value in blocks["per_class"].items()
        },
    }


def _share(found: NDArray[np.bool_]) -> dict[str, float | int | None]:
    return {"things": len(found), "recall": float(found.mean()) if len(found) else None}


def tables_of(report: dict[str, Any], title: str) -> list[Table]:
    """Return the report as tables."""
    whole = [("PQ", report["PQ"]), ("PQ of things", report["PQ_things"])]
    whole += [("PQ of stuff", report["PQ_stuff"]), ("semantic IoU (SQ)", report["semantic_IoU"])]
    whole += [("TQ of the oracle", report["oracle_TQ"])]
    for least in (64, 450):
        name = f"recall of things from {least} px"
        whole.append((name, report[f"recall_from_{least}px"]["recall"]))
    sizes = [
        (f"{row['least_px']} px and more", row["things"], row["recall"])
        for row in report["recall_by_size"]
    ]
    recalls = report["recall_by_class"]
    classes = [
        (name, quality, *(recalls[name].values() if name in recalls else (None, None)))
        for name, quality in report["PQ_by_class"].items()
    ]
    number, percent = "integer", "percent"
    return [
        Table(f"own detections, {title}", (Column("score"), Column("%", percent)), tuple(whole)),
        Table(
            "by size, up to the next row",
            (Column("visible"), Column("things", number), Column("recall", percent)),
            tuple(sizes),
        ),
        Table(
            "by class",
            (
                *(Column("class"), Column("PQ", percent)),
                *(Column("things", number), Column("recall", percent)),
            ),
            tuple(classes),
        ),
    ]


def write_pictures(measured: Sequence[Measured], folder: Path) -> list[Path]:
    """Write a good, a typical and a bad frame: ground truth and detections.

    Frames with at least four things are ordered by recall; these are the ones at 90, 50 and 10 %.
    """
    ordered = sorted(
        (float(seen.found.mean()), number, seen.frame[1])
        for number, each in enumerate(measured)
        for seen in each.frames
        if len(seen.found) >= 4
    )
    written = []
    for name, place in (("bad", 0.1), ("typical", 0.5), ("good", 0.9)):
        if ordered:
            _, number, index = ordered[int(place * (len(ordered) - 1))]
            each = measured[number]
            found = Prediction("found", each.maps.__getitem__)
            written.append(folder / f"{name}.png")
            write_png(written[-1], VideoComparison(each.entry.video, [found], [index]).strip())
    return written


@click.command(help=__doc__)
@click.option("--suite", default="val", show_default=True, help="What to measure on.")
@click.option("--weights", default=DEFAULT_MAPT, show_default=True, help="Name or file.")
@click.option("--sequences", type=int, help="Number of sequences, spread over the suite.")
@click.option("--pictures", type=Path, help="Write a good, a typical and a bad frame here.")
@click.option("--json", "json_path", help="Write all figures here; - is stdout.")
def main(
    suite: str, weights: str, sequences: int | None, pictures: Path | None, json_path: str | None
) -> None:
    """Measure the detections of one network on one suite."""
    torch.set_num_threads(1)
    console = Console(stderr=json_path == "-", width=None if sys.stdout.isatty() else 100)
    with shown_errors():
        if json_path not in (None, "-"):
            check_writable(Path(str(json_path)))
        entries = open_suite(suite).entries
        count = min(sequences or len(entries), len(entries))
        chosen = [entries[place * len(entries) // count] for place in range(count)]
        measured = [
            measure(entry, weights)
            for entry in track(chosen, "sequences", console=Console(stderr=True))
        ]
        report = report_of(measured)
        title = f"{weights} on {count} of {len(entries)} sequences of {suite}"
        for table in tables_of(report, title):
            print_table(table, console)
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            for path in write_pictures(measured, pictures):
                console.print(f"wrote {path}")
        result = {"suite": suite, "sequences": count, "weights": weights, **report}
        emit_json(json_path, result)


if __name__ == "__main__":
    main()
