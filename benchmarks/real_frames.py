"""Carried masks on real frames: copying, the motion head, optical flow.

Ground-truth masks of cars and persons are carried one, two and three frames on, and compared with
the ground truth of the later frame. Real frames are only measured on. Choices are made on held-out
flying clips (--proxy), which nothing is trained on.

    python benchmarks/real_frames.py --data ../shared/data/kitti_step_0001
    python benchmarks/real_frames.py --data DIR --weights FILE --flownet2 --json -
    python benchmarks/real_frames.py --proxy 40

Definition. Images are halved by averaging 2x2 pixels, maps by taking every second pixel. A mask
counts if it has at least 50 pixels in both frames. Copying and flow carry the mask at that size.
The motion head carries shares of its cells, which are enlarged bilinearly. "Its displacement" is
the mean place that the head reads, used like a flow: no kernels, and masks at full size. A carried
mask is what exceeds 0.5. The score is the mean IoU over all masks of all frame pairs.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypedDict

import click
import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from script_errors import shown_errors
from torch import Tensor
from torch.nn import functional

from mapt_bench.baselines.flow_sources import build_flow_source
from mapt_bench.baselines.flow_without_network import DisFlow
from mapt_bench.cli.options import emit_json
from mapt_bench.data.videos import open_videos
from mapt_bench.files import check_writable
from mapt_bench.labels import Frame, Video, VideoInfo, label_space
from mapt_bench.model import MAPT, MaptCues, MotionHead, load_mapt
from mapt_bench.model.cues import Motion
from mapt_bench.model.linking_losses import grid_masks
from mapt_bench.reports.table_formats import print_table
from mapt_bench.reports.tables import Column, Table
from mapt_bench.synthetic.flying import flying_clip
from mapt_bench.tracking import StandStill
from mapt_bench.tracking.propagation import FlowWarp, Propagation
from mapt_bench.weights import DEFAULT_MAPT, weights_file

GAPS = (1, 2, 3)
LEAST_PX = 50
SIZES = (50, 200, 800)
"""Lower limits of the groups by size: pixels of the earlier mask."""

MOVES = (0, 2, 4, 8, 16, 32)
"""Lower limits of the groups by displacement in pixels: the way of the mask's centre of gravity."""

TRACKED = ("car", "person")
_PROXY_SEED = 777


class _OnMotionHead:
    """What the ways to use the motion head share.

    Args:
        model: In evaluation mode.
    """

    needs_images = True

    def __init__(self, model: MAPT) -> None:
        if model.motion is None:
            raise click.BadParameter("these weights have no motion head")
        self.model, self.head = model, model.motion

    def start(self, info: VideoInfo) -> None:
        """Nothing to prepare."""

    def reduced(self, *frames: Frame) -> Tensor:
        """Return the cached maps of frames of one size."""
        images = np.stack([frame.image for frame in frames]).transpose(0, 3, 1, 2)
        planes = torch.from_numpy(np.ascontiguousarray(images)).float() / 255
        reduced = self.model.features(planes).reduced
        if reduced is None:
            raise RuntimeError("the motion head has seen nothing")
        return reduced


class MotionMasks(_OnMotionHead):
    """Carries masks of full size by the motion head of a model."""

    @torch.no_grad()
    def propagate(
        self, masks: NDArray[np.float32], from_frame: Frame, to_frame: Frame
    ) -> NDArray[np.float32]:
        """Carry masks of shape ``(n, height, width)`` to another frame."""
        return carried_masks(self.head, self.reduced(from_frame, to_frame), masks)


class MotionFlow(_OnMotionHead):
    """The mean place that the motion head reads, as optical flow on its cells."""

    @torch.no_grad()
    def flow(self, frame_from: Frame, frame_to: Frame) -> NDArray[np.float32]:
        """Return the flow of each cell in cells, ``(rows, columns, 2)``: to the right and down."""
        reduced = self.reduced(frame_to, frame_from)
        motion = Motion(*self.head.motion(reduced[:1], reduced[1:]))
        height, width = frame_from.image.shape[:2]
        return MaptCues(self.model).flow(motion, (height, width))


def carried_masks(
    head: MotionHead, reduced: Tensor, masks: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Carry masks of full size from the first frame to the second.

    Args:
        head: Finds the motion.
        reduced: Cached maps of the two frames.
        masks: Shape ``(n, height, width)``.

    Returns:
        The same shape: shares of cells, enlarged bilinearly.
    """
    stride, (height, width) = head.config.stride, masks.shape[1:]
    grid = (reduced.shape[2], reduced.shape[3])
    cells = grid_masks(torch.from_numpy(masks) > 0.5, stride, grid)
    carried = head.carry_masks(cells[None], *head.motion(reduced[:1], reduced[1:]))
    large = functional.interpolate(
        carried, scale_factor=stride, mode="bilinear", align_corners=False
    )
    result: NDArray[np.float32] = large[0, :, :height, :width].numpy()
    return result


class Group(TypedDict):
    """The mean IoU of each method over some masks; ``None`` where there is no mask."""

    masks: str
    count: int
    iou: dict[str, float | None]


@dataclass(frozen=True)
class Measured:
    """One mask of one pair of frames.

    Attributes:
        gap: Frames between the two.
        pixels: Of the earlier mask.
        move: Pixels between the centres of gravity.
        iou: Of each method.
    """

    gap: int
    pixels: int
    move: float
    iou: dict[str, float]


def _real_pairs(folder: Path) -> Iterator[tuple[Video, Callable[[Frame], Frame], int]]:
    for video in open_videos(folder, label_space("kitti-step")):
        if video.has_truth and video.info.has_images:
            yield video, _halved, 2


def _halved(frame: Frame) -> Frame:
    return Frame(frame.index, frame.name, partial(_half_image, frame))


def _half_image(frame: Frame) -> NDArray[np.uint8]:
    height, width = frame.image.shape[:2]
    size = (-(-width // 2), -(-height // 2))
    return np.asarray(cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _same(frame: Frame) -> Frame:
    return frame


def _masks(video: Video, index: int, step: int) -> dict[int, NDArray[np.bool_]]:
    """Return the masks that count, by code."""
    labels = video.info.labels
    wanted = [entry.class_id for entry in labels.classes if entry.name in TRACKED]
    truth = video.truth(index)
    codes = truth.codes[::step, ::step]
    things = np.isin(truth.classes, wanted)[::step, ::step] & (truth.ids[::step, ::step] > 0)
    found, counts = np.unique(codes[things], return_counts=True)
    return {int(code): codes == code for code in found[counts >= LEAST_PX]}


def _measure(
    videos: Iterator[tuple[Video, Callable[[Frame], Frame], int]],
    methods: dict[str, Propagation],
    every: int,
) -> list[Measured]:
    rows = []
    for video, seen, step in videos:
        for method in methods.values():
            method.start(video.info)
        for gap in GAPS:
            for later in range(gap, video.info.frame_count, every):
                pair = (later - gap, later)
                before, after = (_masks(video, index, step) for index in pair)
                common = sorted(before.keys() & after.keys())
                if not common:
                    continue
                earlier = np.stack([before[code] for code in common])
                frames = [seen(video.frame(index)) for index in pair]
                carried = {
                    name: method.propagate(earlier.astype(np.float32), frames[0], frames[1]) > 0.5
                    for name, method in methods.items()
                }
                rows += [
                    Measured(
                        gap,
                        int(earlier[place].sum()),
                        _way(earlier[place], after[code]),
                        {name: _iou(masks[place], after[code]) for name, masks in carried.items()},
                    )
                    for place, code in enumerate(common)
                ]
    return rows


def _way(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> float:
    first, second = (np.argwhere(mask).mean(0) for mask in (before, after))
    return float(np.hypot(*(second - first)))


def _iou(found: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> float:
    return float((found & wanted).sum() / (found | wanted).sum())


def _groups(rows: Sequence[Measured]) -> list[tuple[str, list[Measured]]]:
    """Return the masks by gap, then by size, then by displacement."""
    groups = [(f"{gap} frames on", [row for row in rows if row.gap == gap]) for gap in GAPS]
    ends = (*SIZES[1:], np.inf)
    for low, high in zip(SIZES, ends, strict=True):
        title = f"{low} px and more" if high == np.inf else f"{low}-{high} px"
        groups.append((title, [row for row in rows if low <= row.pixels < high]))
    for low, high in zip(MOVES, (*MOVES[1:], np.inf), strict=True):
        title = f"moved {low} px and more" if high == np.inf else f"moved {low}-{high} px"
        groups.append((title, [row for row in rows if low <= row.move < high]))
    return [("all", list(rows)), *groups]


def measured_on(
    folder: Path | None, clips: int, methods: dict[str, Propagation]
) -> tuple[list[Measured], str]:
    """Measure on real frames, or without a folder on held-out flying clips.

    Returns:
        One entry for each mask of each pair, and the name of the data.
    """
    if folder is not None:
        return _measure(_real_pairs(folder), methods, 1), f"{folder}, half size"
    held_out = (flying_clip(index, seed=_PROXY_SEED, held_out=True) for index in range(clips))
    pairs = ((clip, _same, 1) for clip in held_out)
    return _measure(pairs, methods, 3), f"{clips} held-out flying clips"


def grouped(rows: Sequence[Measured], names: Sequence[str]) -> list[Group]:
    """Return the mean IoU over all masks, by gap, by size and by displacement."""
    report: list[Group] = []
    for title, members in _groups(rows):
        scores = {
            name: float(np.mean([row.iou[name] for row in members])) if members else None
            for name in names
        }
        report.append({"masks": title, "count": len(members), "iou": scores})
    return report


def table_of(report: Sequence[Group], names: Sequence[str], title: str) -> Table:
    """Return the report as a table."""
    columns = [Column("masks"), Column("count", "integer")]
    columns += [Column(name, "decimal", higher_is_better=True) for name in names]
    rows = [(row["masks"], row["count"], *(row["iou"][name] for name in names)) for row in report]
    return Table(title, tuple(columns), tuple(rows))


@click.command(help=__doc__)
@click.option("--data", type=Path, help="Folder of real frames with panoptic maps.")
@click.option("--proxy", type=int, help="Measure on this many held-out flying clips instead.")
@click.option("--weights", default=DEFAULT_MAPT, show_default=True, help="Name or file.")
@click.option("--flownet2", is_flag=True, help="Measure the shipped narrow FlowNet2 as well.")
@click.option("--json", "json_path", help="Write all figures here; - is stdout.")
def main(
    data: Path | None, proxy: int | None, weights: str, flownet2: bool, json_path: str | None
) -> None:
    """Measure every method on the same pairs of frames."""
    torch.set_num_threads(1)
    console = Console(stderr=json_path == "-", width=None if sys.stdout.isatty() else 150)
    if proxy is None and (data is None or not data.is_dir()):
        console.print(f"skipped: there are no real frames at {data}; give their folder by --data")
        return
    with shown_errors():
        if json_path not in (None, "-"):
            check_writable(Path(str(json_path)))
        methods: dict[str, Propagation] = {
            "copying": StandStill(),
            "motion head": MotionMasks(model := load_mapt(weights)),
            "its displacement": FlowWarp(MotionFlow(model)),
            "DIS": FlowWarp(DisFlow()),
        }
        if flownet2:
            methods["narrow FlowNet2"] = FlowWarp(
                build_flow_source("flow:flownet2-narrow", weights=weights_file("flownet2-narrow"))
            )
        rows, where = measured_on(data if proxy is None else None, proxy or 0, methods)
        report = grouped(rows, list(methods))
        print_table(table_of(report, list(methods), f"mean IoU of carried masks, {where}"), console)
        result = {"where": where, "weights": weights, "least_px": LEAST_PX, "rows": report}
        emit_json(json_path, result)


if __name__ == "__main__":
    main()
