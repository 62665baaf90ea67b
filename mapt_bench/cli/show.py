"""``mapt-bench show``: pictures of ground truth and predictions."""

from pathlib import Path
from typing import Any

import click
import numpy as np

from mapt_bench.cli.completion import complete_encoding, complete_label_space
from mapt_bench.cli.options import checked_output, emit_json, json_option, path_type, print_line
from mapt_bench.errors import ConfigError, counted, listed
from mapt_bench.files import check_writable
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, VideoInfo
from mapt_bench.pictures import (
    TrackTable,
    VideoComparison,
    choose_frames,
    open_predictions,
    open_video,
    picture_format,
    write_animation,
    write_png,
)

__all__ = ["command"]

_STRIP_FRAMES = 4


@click.command(
    "show",
    epilog="""\b
Examples:
  mapt-bench show data/kitti_step --pred runs/mine --sequence 0002 --out 0002.gif
  mapt-bench show data/kitti_step --pred runs/mine --frames 10:14 --timeline tracks.png
""",
)
@click.argument("data", type=path_type)
@click.option(
    "--pred",
    type=path_type,
    multiple=True,
    help="Folder of predicted maps, shown below the ground truth. May be repeated.",
)
@click.option(
    "--out",
    type=path_type,
    callback=checked_output,
    help="Output file: frames side by side (.png) or an animation (.gif, .mp4).  [default: "
    "SEQUENCE.png; nothing with --timeline]",
)
@click.option(
    "--timeline",
    type=path_type,
    callback=checked_output,
    help="Output file for the timeline of tracks (.png).",
)
@click.option(
    "--sequence", metavar="NAME", help="Name or path of the sequence.  [default: the first]"
)
@click.option(
    "--frames",
    metavar="CHOICE",
    help="Positions of frames from 0: 0:8, 0:40:5 (every fifth) or 3,4,9.  [default: all]",
)
@click.option(
    "--max-frames",
    type=click.IntRange(min=1),
    help="Maximum number of frames, evenly spread.  [default: 4 in a .png without --frames]",
)
@click.option(
    "--scale",
    type=click.FloatRange(min=0, max=16, min_open=True),
    help="Size of the pictures relative to the frames.  [default: fit the page]",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0.1, max=50),
    default=5,
    show_default=True,
    help="Frames per second of an animation.",
)
@click.option(
    "--dataset",
    shell_complete=complete_label_space,
    metavar="NAME",
    help="Label space: a built-in name or a YAML file.  [default: from the folder's dataset.json, "
    "else kitti-step]",
)
@click.option(
    "--encoding",
    shell_complete=complete_encoding,
    metavar="NAME",
    help="Encoding of PRED.  [default: detected]",
)
@click.option(
    "--gt-encoding",
    shell_complete=complete_encoding,
    metavar="NAME",
    help="Encoding of DATA.  [default: detected]",
)
@json_option
def command(
    data: Path,
    pred: tuple[Path, ...],
    out: Path | None,
    timeline: Path | None,
    sequence: str | None,
    frames: str | None,
    max_frames: int | None,
    scale: float | None,
    rate: float,
    dataset: str | None,
    encoding: str | None,
    gt_encoding: str | None,
    json_file: str | None,
) -> int:
    """Show the ground truth of a sequence of DATA, and each prediction below it.

    Each identity has a colour. The first identity that matches an object gets the colour of the
    object in the ground truth, so correct identities look the same in all rows. Void is hatched,
    crowd is grey. A white and black outline marks an identity switch. The disc above it shows the
    colours before and after. DATA holds maps, images or both.
    """
    _check_formats(out, timeline)
    video, labels, others = open_video(data, sequence, dataset, gt_encoding)
    predictions = open_predictions(pred, video, labels, encoding)
    if out is None and timeline is None:
        out = Path(f"{video.info.name}.png")
        check_writable(out)
    count = video.info.frame_count
    comparison = VideoComparison(
        video, predictions, choose_frames(frames, count, max_frames), scale
    )
    strip = comparison
    if frames is None and max_frames is None:
        few = choose_frames(None, count, _STRIP_FRAMES)
        strip = VideoComparison(video, predictions, few, scale)
    written: dict[Path, VideoComparison] = {}
    if out is not None and picture_format(out) == "png":
        write_png(out, strip.strip())
        written[out] = strip
    elif out is not None:
        write_animation(out, comparison.animation(), rate)
        written[out] = comparison
    if timeline is not None:
        write_png(timeline, comparison.timeline())
        written[timeline] = comparison
    if json_file is None or not emit_json(json_file, _document(video.info, written)):
        for path, shown in written.items():
            print_line(f"sequence {video.info.name}, {counted(len(shown.frames), 'frame')}: {path}")
        if sequence is None and others:
            print_line(
                f"{data} has {counted(len(others), 'more sequence')}: {listed(others)}; "
                f"to show another: --sequence {others[0]}"
            )
    return 0


def _check_formats(out: Path | None, timeline: Path | None) -> None:
    if out is not None:
        picture_format(out)
    if timeline is not None and picture_format(timeline) != "png":
        raise ConfigError(
            "has another suffix than .png; expected .png for a timeline", where=timeline
        )


def _document(info: VideoInfo, written: dict[Path, VideoComparison]) -> dict[str, Any]:
    return {
        "schema": "mapt-bench/show/1",
        "sequence": info.name,
        "written": [_entry(info, path, comparison) for path, comparison in written.items()],
    }


def _entry(info: VideoInfo, path: Path, comparison: VideoComparison) -> dict[str, Any]:
    names = [info.frame_names[index] for index in comparison.frames]
    titles = [prediction.title for prediction in comparison.predictions] or ["Ground truth"]
    return {
        "file": str(path),
        "frames": names,
        "predictions": [
            {"title": title, "tracks": _tracks(table, names, info.labels)}
            for title, table in zip(titles, comparison.tables, strict=True)
        ],
    }


def _tracks(table: TrackTable, names: list[str], labels: LabelSpace) -> list[dict[str, Any]]:
    return [
        {
            "class": labels.by_id(code >> ID_BITS).name,
            "id": code & (ID_LIMIT - 1),
            "frames": int(table.visible[row].sum()),
            "matched": int((table.partner[row] >= 0).sum()),
            "identities": [
                None if partner < 0 else partner & (ID_LIMIT - 1)
                for partner in table.partner[row].tolist()
            ],
            "switches": [names[at] for at in np.flatnonzero(table.switched[row])],
        }
        for row, code in enumerate(table.codes.tolist())
    ]
