"""Measure how fast the synthetic world is generated: frames a second on one core.

A training clip needs images, maps, amodal shapes and backward flow. Times are processor seconds of
this process, which has one thread. They grow on a busy machine: compare figures of one run only.
Every video is generated once, from its scene on; nothing is taken from a cache.

    python benchmarks/world.py
    python benchmarks/world.py --size 375x1242 --videos 2
"""

import statistics
from time import process_time
from typing import get_args

import click
import cv2
from rich.console import Console
from rich.table import Table

from mapt_bench.synthetic.video import WorldVideo
from mapt_bench.synthetic.world_settings import Family, Kind, WorldSettings

_FRAMES = 16  # as in training
_GAP = 3
_PARTS = {
    "map": ("truth",),
    "image and map": ("image", "truth"),
    "all of a training clip": ("image", "truth", "objects", "flow"),
}


def _generate(video: WorldVideo, parts: tuple[str, ...]) -> float:
    """Return the seconds it takes to generate some parts of all frames of a video."""
    began = process_time()
    for index in range(_FRAMES):
        if "image" in parts:
            _ = video.frame(index).image
        video.truth(index)
        if "objects" in parts:
            video.objects(index)
        if "flow" in parts and index:
            video.backward_flow(index)
    return process_time() - began


@click.command()
@click.option("--size", default="192x624", show_default=True, help="Height x width in pixels.")
@click.option("--videos", default=6, show_default=True, help="Videos of each kind and family.")
def main(size: str, videos: int) -> None:
    """Print frames a second for each kind and family, and for what is generated."""
    height, width = (int(side) for side in size.split("x"))
    cv2.setNumThreads(1)
    heads = ("kind", "family", "generated", "frames/s, median", "least", "most", "s/video")
    table = Table(*heads, title=f"{size}, {_FRAMES} frames a video, one core")
    seeds = iter(range(1_000_000))

    def timed(kind: Kind, family: Family, parts: tuple[str, ...]) -> float:
        settings = WorldSettings(
            kind=kind,
            seed=next(seeds),
            frames=_FRAMES,
            height=height,
            width=width,
            family=family,
            gap=_GAP,
        )
        return _generate(WorldVideo(settings, "timed"), parts)

    families: tuple[Family, ...] = get_args(Family)
    for family in families:
        timed("street", family, _PARTS["image and map"])  # textures and imports
    for kind in ("street", "crowd"):
        for what, parts in _PARTS.items():
            # In turn, so that a machine that grows busy slows all families alike.
            rounds = [[timed(kind, family, parts) for family in families] for _ in range(videos)]
            for family, seconds in zip(families, zip(*rounds, strict=True), strict=True):
                rates = [_FRAMES / each for each in seconds]
                numbers = (statistics.median(rates), min(rates), max(rates))
                row = (*(f"{rate:.1f}" for rate in numbers), f"{statistics.median(seconds):.2f}")
                table.add_row(kind, family, what, *row)
    Console().print(table)


if __name__ == "__main__":
    main()
