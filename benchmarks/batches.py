"""How equal detections are in batches and in half precision: python benchmarks/batches.py.

Each line compares with one frame at a time in float32 on the CPU. Options: --weights NAME, --suite
NAME, --device NAME (such as cuda, for the batches and precisions that are compared).
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mapt_bench.devices import PRECISIONS, DeviceSettings
from mapt_bench.errors import ConfigError
from mapt_bench.experiments import SegmentSource, read_mapt_weights
from mapt_bench.experiments.plans.data_source import DataSource, suite_source
from mapt_bench.experiments.plans.segment_sources import find_segments
from mapt_bench.tracking import FrameSegments
from mapt_bench.tracking.archive import SegmentArchive
from mapt_bench.weights import DEFAULT_MAPT

BATCHES = (2, 8)


def detected(source: DataSource, on: DeviceSettings, folder: Path) -> list[FrameSegments]:
    """Return what is detected in all frames of all videos."""
    found = []
    for at, video in enumerate(source.videos):
        path = folder / f"{on.device}-{on.precision}-{on.batch}-{at}.npz"
        find_segments(path, replace(source.segments[0], on=on), video, at, 0, key="measured")
        archive = SegmentArchive(path)
        found += [archive.read(index) for index in range(video.info.frame_count)]
    return found


def compared(first: list[FrameSegments], second: list[FrameSegments]) -> str:
    """Return in words how two detections differ."""
    pairs = list(zip(first, second, strict=True))
    alike = [(one, other) for one, other in pairs if one.count == other.count]
    pixels = sum(int((one.index_map != other.index_map).sum()) for one, other in alike)
    stuff = sum(int((one.stuff != other.stuff).sum()) for one, other in alike)
    scores = [np.abs(one.scores - other.scores).max() for one, other in alike if one.count]
    return (
        f"frames with another number of objects {len(pairs) - len(alike)}; in the others, pixels "
        f"of objects {pixels}, of other classes {stuff}, scores at most {max(scores):.1e}"
    )


def main() -> None:
    """Measure, and print a line for each setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("weights", DEFAULT_MAPT), ("suite", "tiny"), ("device", "cpu")):
        parser.add_argument(f"--{name}", default=default)
    given = parser.parse_args()
    torch.set_num_threads(1)
    network = read_mapt_weights(given.weights)
    source = suite_source(given.suite, [SegmentSource(mapt=network)])
    with tempfile.TemporaryDirectory() as folder:
        base = detected(source, DeviceSettings(), Path(folder))
        objects = sum(each.count for each in base)
        print(f"{given.weights} on {given.suite}: {len(base)} frames, {objects} objects")
        settings = [DeviceSettings(given.device, batch=batch) for batch in BATCHES]
        settings += [DeviceSettings(given.device, each) for each in PRECISIONS[1:]]
        for on in settings:
            began = time.process_time()
            try:
                on.check_here()
            except ConfigError as problem:
                print(f"{on.device} {on.precision}: {problem.message}")
                continue
            words = compared(base, detected(source, on, Path(folder)))
            seconds = time.process_time() - began
            print(f"{on.device} {on.precision} batch {on.batch}: {words}; {seconds:.0f} s CPU")


if __name__ == "__main__":
    main()
