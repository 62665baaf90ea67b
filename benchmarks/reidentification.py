"""Can embeddings tell identities apart? AUC and rank-1 by visible size and by gap.

Ground-truth things of synthetic videos are described, frame by frame and without knowledge of other
frames. Then each thing is compared with the things of its class in an earlier frame of its video.
Choices are made on val. Suites for reporting are refused, as by mapt-bench tune.

    python benchmarks/reidentification.py --weights runs/compact/weights.safetensors
    python benchmarks/reidentification.py --videos 32 --json -

Definition. A pair is two things of one class, one in each of two frames that are 1 to 10 frames
apart. AUC is the probability that a pair of one identity is more similar than a pair of two. Rank-1
is the share of things whose most similar thing of their class is themselves, where there are two
candidates or more. The size is the visible area of the smaller of both, in pixels. A sliver is a
pair of one identity in which one view has less than a third of the other's pixels; its AUC is
against all pairs of two identities. Each gap takes every second frame.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from scipy.stats import rankdata
from torch import Tensor

from mapt_bench.baselines.histograms import HistogramEmbedder
from mapt_bench.cli.options import emit_json
from mapt_bench.errors import ConfigError
from mapt_bench.files import check_writable
from mapt_bench.labels import Frame, LabelSpace, Video
from mapt_bench.model import MAPT, load_mapt
from mapt_bench.reports.table_formats import print_table
from mapt_bench.reports.tables import Column, Table
from mapt_bench.synthetic.suites import is_suite, open_suite
from mapt_bench.tracking import FrameSegments
from mapt_bench.training.clips import frame_targets
from mapt_bench.training.sources import spread
from mapt_bench.tuning.tuning_config import TUNING_SUITES, allows_tuning

LEAST_PX = 16
SIZES = (16, 112, 450, 1800)
"""Lower limits of the groups by size, in pixels."""

GAPS = (1, 2, 4, 7, 11)
"""Lower limits of the groups by gap, in frames; the last one is the end."""

_SLIVER = 1 / 3

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Things:
    """The things of one frame.

    Attributes:
        tracks: Identity and class in one number, shape ``(n,)``.
        labels: Class, shape ``(n,)``.
        areas: Visible pixels, shape ``(n,)``.
        found: By method, one row a thing.
    """

    tracks: NDArray[np.int64]
    labels: NDArray[np.int64]
    areas: NDArray[np.int64]
    found: dict[str, Rows]


Describe = Callable[[Frame, Tensor, Tensor], Rows]
"""Given a frame, masks ``(n, h, w)`` and boxes ``(n, 4)``, returns one row a thing."""


def median_colours(frame: Frame, masks: Tensor, boxes: Tensor) -> Rows:
    """Return the median of each colour channel over the pixels of each thing."""
    rows = [np.median(frame.image[mask], axis=0) for mask in masks.numpy()]
    return np.array(rows, dtype=np.float32).reshape(-1, 3)


def hand_crafted(frame: Frame, masks: Tensor, boxes: Tensor) -> Rows:
    """Return the appearance of the baseline that links by appearance only."""
    count = len(masks)
    index_map = np.full(frame.image.shape[:2], -1, dtype=np.int32)
    for index, mask in enumerate(masks.numpy()):
        index_map[mask] = index
    segments = FrameSegments(
        stuff=np.full(index_map.shape, 255, dtype=np.uint8),
        index_map=index_map,
        class_ids=np.zeros(count, dtype=np.int64),
        scores=np.ones(count),
    )
    return HistogramEmbedder().embed(frame, segments)


class Learned:
    """Embeddings of a network's appearance head."""

    def __init__(self, network: MAPT) -> None:
        if network.appearance is None:
            raise ConfigError("these weights have no appearance head; give others to --weights")
        self.network, self.head = network.eval(), network.appearance

    @torch.no_grad()
    def __call__(self, frame: Frame, masks: Tensor, boxes: Tensor) -> Rows:
        """Return one unit vector a thing."""
        planes = torch.from_numpy(np.ascontiguousarray(frame.image.transpose(2, 0, 1)))
        seen = self.network.features(planes[None].float() / 255)
        described = self.head.describe(seen.levels, [boxes], [masks], seen.images)
        rows: Rows = self.head(described).float().numpy()
        return rows


def described(video: Video, methods: dict[str, Describe], labels: LabelSpace) -> list[Things]:
    """Return the things of each frame of a video."""
    found = []
    for index in range(video.info.frame_count):
        frame = video.frame(index)
        targets = frame_targets(video.truth(index), labels, min_thing_px=LEAST_PX)
        found.append(
            Things(
                targets.track_ids.numpy(),
                targets.labels.numpy(),
                targets.masks.sum((1, 2)).numpy(),
                {
                    name: describe(frame, targets.masks, targets.boxes)
                    for name, describe in methods.items()
                },
            )
        )
    return found


def similarity(name: str, now: Rows, earlier: Rows) -> Rows:
    """Return the similarity of each thing and each earlier thing; colours by their distance."""
    if name == "median colours":
        return -np.linalg.norm(now[:, None] - earlier[None], axis=2)
    return now @ earlier.T


def compared(things: Sequence[Things], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return for each pair of frames of a video the pairs of its things, as columns."""
    found = []
    for gap in range(1, GAPS[-1]):
        for index in range(gap, len(things), 2):
            now, earlier = things[index], things[index - gap]
            alike = now.labels[:, None] == earlier.labels[None]
            if not alike.any():
                continue
            same = now.tracks[:, None] == earlier.tracks[None]
            areas = np.stack(np.broadcast_arrays(now.areas[:, None], earlier.areas[None]))
            least, most = areas.min(0), areas.max(0)
            scores = {
                name: similarity(name, now.found[name], earlier.found[name]) for name in names
            }
            returns = same.any(1) & (alike.sum(1) > 1)
            firsts = {
                name: np.where(alike, each, -np.inf)[returns].argmax(1)
                for name, each in scores.items()
            }
            found.append(
                {
                    "gap": np.full(int(alike.sum()), gap),
                    "same": same[alike],
                    "size": least[alike],
                    "sliver": (least < _SLIVER * most)[alike],
                    "scores": {name: each[alike] for name, each in scores.items()},
                    "query_gap": np.full(int(returns.sum()), gap),
                    "query_size": np.where(same, least, 0)[returns].max(1, initial=0),
                    "right": {
                        name: same[returns][np.arange(len(first)), first]
                        for name, first in firsts.items()
                    },
                }
            )
    return found


def auc(scores: Rows, same: NDArray[np.bool_]) -> float | None:
    """Return the area under the ROC curve; ``None`` without pairs of both kinds."""
    good, bad = int(same.sum()), int((~same).sum())
    if not good or not bad:
        return None
    ranks = rankdata(scores)
    return float((ranks[same].sum() - good * (good + 1) / 2) / (good * bad))


def grouped(parts: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return one row a group of pairs, with the figures of each method."""

    def column(key: str, name: str | None = None) -> NDArray[Any]:
        return np.concatenate([part[key] if name is None else part[key][name] for part in parts])

    same, size, gap, sliver = (column(key) for key in ("same", "size", "gap", "sliver"))
    query_size, query_gap = column("query_size"), column("query_gap")
    limits = (*SIZES, np.inf)
    everything = [("all", size > 0, query_size > 0)]
    for low, high in pairwise(limits):
        title = f"{low} px and more" if high == np.inf else f"{low} to {high} px"
        everything.append(
            (title, (size >= low) & (size < high), (query_size >= low) & (query_size < high))
        )
    for low, high in pairwise(GAPS):
        title = f"gap {low}" if high == low + 1 else f"gap {low} to {high - 1}"
        everything.append(
            (title, (gap >= low) & (gap < high), (query_gap >= low) & (query_gap < high))
        )
    everything.append(("slivers", sliver | ~same, np.zeros(len(query_gap), dtype=np.bool_)))
    rows = []
    for title, chosen, queries in everything:
        row: dict[str, Any] = {
            "group": title,
            "pairs": int((chosen & same).sum()),
            "queries": int(queries.sum()),
        }
        for name in names:
            right = column("right", name)[queries]
            row[name] = {
                "auc": auc(column("scores", name)[chosen], same[chosen]),
                "rank1": float(right.mean()) if len(right) else None,
            }
        rows.append(row)
    return rows


def table_of(rows: Sequence[dict[str, Any]], names: Sequence[str], title: str) -> Table:
    """Return the figures as a table: AUC and rank-1 in percent."""
    columns = [Column("group"), Column("pairs"), Column("queries")]
    for name in names:
        columns += [Column(f"{name}: AUC"), Column("rank-1")]
    lines = []
    for row in rows:
        line = [row["group"], str(row["pairs"]), str(row["queries"])]
        for name in names:
            for key in ("auc", "rank1"):
                value = row[name][key]
                line.append("-" if value is None else f"{100 * value:.1f}")
        lines.append(tuple(line))
    return Table(title, tuple(columns), tuple(lines))


@click.command(help=__doc__)
@click.option("--weights", multiple=True, help="Weights of MAPT: a file or a name; repeatable.")
@click.option("--suite", default="val", show_default=True, help="Suite to choose on.")
@click.option("--videos", default=16, show_default=True, help="Videos of it, spread evenly.")
@click.option("--json", "json_path", help="Write all figures here; - is stdout.")
def main(weights: tuple[str, ...], suite: str, videos: int, json_path: str | None) -> None:
    """Describe, compare, print."""
    if is_suite(suite) and not allows_tuning(suite):
        known = ", ".join(TUNING_SUITES)
        raise click.UsageError(f"{suite} is for reporting; choose on one of {known}")
    torch.set_num_threads(1)
    if json_path not in (None, "-"):
        check_writable(Path(str(json_path)))
    methods: dict[str, Describe] = {"median colours": median_colours, "hand-crafted": hand_crafted}
    for name in weights:
        methods[Path(name).stem] = Learned(load_mapt(name))
    names = list(methods)
    parts: list[dict[str, Any]] = []
    for video in spread(open_suite(suite).videos, videos):
        parts += compared(described(video, methods, video.info.labels), names)
    rows = grouped(parts, names)
    title = f"Re-identification on {videos} videos of {suite}, in percent"
    console = Console(stderr=json_path == "-", width=None if sys.stdout.isatty() else 150)
    print_table(table_of(rows, names, title), console)
    result = {"suite": suite, "videos": videos, "rows": rows}
    emit_json(json_path, result)


if __name__ == "__main__":
    main()
