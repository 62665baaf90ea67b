"""How fast the world is drawn: frames a second on one core, with what is known of them.

Times are processor seconds of this process, which has one thread: a busy machine matters less.
Every video is drawn once, from its scene on; nothing is taken from a cache.

    python benchmarks/world.py
    python benchmarks/world.py --size 375x1242 --videos 2
"""

import statistics
from time import process_time

import click
import cv2
from rich.console import Console
from rich.table import Table

from mapt_bench.synthetic.settings import Kind, WorldSettings
from mapt_bench.synthetic.video import WorldVideo

_FRAMES = 20
_KINDS: tuple[Kind, ...] = ("street", "crowd")


def _draw(video: WorldVideo, *, everything: bool) -> float:
    """Return the seconds it takes to draw a video."""
    began = process_time()
    for index in range(_FRAMES):
        _ = video.frame(index).image
        video.truth(index)
        if everything:
            video.objects(index)
            if index:
                video.backward_flow(index)
                video.forward_flow(index - 1)
    return process_time() - began


@click.command()
@click.option("--size", default="128x416", show_default=True, help="Height x width in pixels.")
@click.option("--videos", default=8, show_default=True, help="Videos of each kind.")
def main(size: str, videos: int) -> None:
    """Print frames a second for each kind, with and without flow and whole shapes."""
    height, width = (int(side) for side in size.split("x"))
    cv2.setNumThreads(1)
    table = Table("kind", "drawn", "frames/s, median", "least", "most", title=f"{size}, one core")
    seeds = iter(range(1_000_000))
    warm = WorldSettings(kind="street", seed=next(seeds), frames=_FRAMES)
    _draw(WorldVideo(warm, "warm"), everything=True)  # textures and imports
    for kind in _KINDS:
        for everything in (False, True):
            rates = []
            for _ in range(videos):
                settings = WorldSettings(
                    kind=kind, seed=next(seeds), frames=_FRAMES, height=height, width=width
                )
                rates.append(_FRAMES / _draw(WorldVideo(settings, "timed"), everything=everything))
            what = "image, map, whole shapes, both flows" if everything else "image and map"
            numbers = (statistics.median(rates), min(rates), max(rates))
            table.add_row(kind, what, *(f"{rate:.1f}" for rate in numbers))
    Console().print(table)


if __name__ == "__main__":
    main()
