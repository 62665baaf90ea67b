"""Fit the joint linker of trained weights on synthetic videos, and write it beside them.

    python tools/fit_linker.py --weights mapt-compact --sequences 200 -j 2

The videos are those of the training stream from ``--first`` on. No suite for validation or reports
has any of them. Every other video is linked by MAPT's own detections, the rest by ground-truth
segments. A fifth of the videos is kept back: the reliability plot shows them.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

from mapt_bench.baselines.segmenters import GroundTruthSegments
from mapt_bench.errors import ConfigError
from mapt_bench.files import file_sha256
from mapt_bench.model import MaptSegmenter, load_mapt
from mapt_bench.model.linker_fit import (
    LinkExample,
    Reliability,
    collect,
    fit_linker,
    reliability,
)
from mapt_bench.synthetic.suites import SuiteEntry, open_suite, train_sequence
from mapt_bench.tracking import Segmenter
from mapt_bench.tracking.link_model import CUES, STAGES, linker_file, write_linker
from mapt_bench.weights import weights_file

_FIRST = 500_000
_HELD_BACK = 5
"""One of this many videos is held back from fitting."""
_BINS = 10
_TITLES = {"view": "tracks in view", "lost": "lost tracks"}


def main() -> None:
    """Collect examples, fit the three linkers, and write file and plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="mapt-compact", help="name or file of weights")
    parser.add_argument("--sequences", type=int, default=200, help="number of videos")
    parser.add_argument("--first", type=int, default=_FIRST, help="index of the first video")
    parser.add_argument(
        "--suite", default="stream", help="stream, or a suite that MAPT was trained on, as train"
    )
    parser.add_argument("--out", type=Path, help="linker file  [default: beside the weights]")
    parser.add_argument("--plot", type=Path, help="picture  [default: beside the linker file]")
    parser.add_argument("-j", dest="jobs", type=int, default=1, help="worker processes")
    parser.add_argument(
        "--draw", action="store_true", help="draw the plot of an existing linker file only"
    )
    given = parser.parse_args()
    weights = weights_file(given.weights)
    out = given.out or linker_file(weights)
    plot = given.plot or out.with_suffix(".png")
    if given.draw:
        _draw(_recorded(out), plot)
        print(f"wrote {plot}")
        return
    _check(given.suite)
    numbers = range(given.first if given.suite == "stream" else 0, 10**9)[: given.sequences]
    with ProcessPoolExecutor(given.jobs) as pool:
        found: list[list[LinkExample]] = []
        made = pool.map(_examples, repeat(weights), repeat(given.suite), numbers)
        for number, examples in zip(numbers, made, strict=True):
            found.append(examples)
            print(f"video {number}: {len(examples)} tables")
    held = [each for examples in found[::_HELD_BACK] for each in examples]
    fitted_on = [each for at, examples in enumerate(found) if at % _HELD_BACK for each in examples]
    models = [fit_linker(fitted_on, cues) for cues in CUES]
    measured = {model.cues: reliability(model, held, bins=_BINS) for model in models}
    record = {
        "weights": file_sha256(weights),
        "videos": {"suite": given.suite, "first": numbers[0], "number": len(numbers)},
        "reliability": {
            cues: {stage: each._asdict() for stage, each in stages.items()}
            for cues, stages in measured.items()
        },
    }
    write_linker(out, models, record)
    _draw(measured, plot)
    print(f"wrote {out} and {plot}")


def _recorded(linker: Path) -> dict[str, dict[str, Reliability]]:
    """Read the reliability that a linker file records."""
    recorded = json.loads(linker.read_text())["record"]["reliability"]
    return {
        cues: {stage: Reliability(**each) for stage, each in stages.items()}
        for cues, stages in recorded.items()
    }


def _check(suite: str) -> None:
    if suite != "stream" and suite.partition("@")[0] != "train":
        raise ConfigError(
            f"--suite {suite}: a linker is fitted on training videos only; use stream or train"
        )


def _entry(suite: str, number: int) -> SuiteEntry:
    return train_sequence(number) if suite == "stream" else open_suite(suite).entries[number]


def _examples(weights: Path, suite: str, number: int) -> list[LinkExample]:
    import torch

    torch.set_num_threads(1)
    network = load_mapt(weights)
    video = _entry(suite, number).video
    segmenter: Segmenter = MaptSegmenter(network)
    if number % 2:
        segmenter = GroundTruthSegments(video, seed=number)
    segmenter.start(video.info)
    segments = [segmenter.segment(video.frame(index)) for index in range(video.info.frame_count)]
    return collect(network, video, segments, seed=number)


def _draw(measured: dict[str, dict[str, Reliability]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(STAGES), figsize=(9, 4.4), sharey=True)
    for panel, stage in zip(panels, STAGES, strict=True):
        panel.plot((0, 1), (0, 1), color="0.7", linewidth=1, zorder=0)
        for cues, stages in measured.items():
            each = stages[stage]
            panel.plot(each.stated, each.found, marker="o", markersize=4, label=cues)
        panel.set(
            title=f"{_TITLES[stage]} ({sum(measured['both'][stage].pairs):,} pairs)",
            xlabel="probability stated by the linker",
            xlim=(0, 1),
            ylim=(0, 1),
            aspect="equal",
        )
    panels[0].set_ylabel("share of pairs that are one object")
    panels[0].legend(title="cues", frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
