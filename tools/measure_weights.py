"""Measure the scores of shipped MAPT weights, and write them on their card.

python tools/measure_weights.py NAME WHERE...

WHERE is a synthetic suite, such as val or bench, or a folder with images and panoptic_maps. The
tracker is that of `mapt-bench track --tracker mapt+memory --weights NAME --thresholds published`,
on its own detections, or mapt:appearance+memory if the weights have no motion head. A suite is
scored as a whole and by split, each pooled over its sequences. Writes docs/model_card.md.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from make_model_card import make_page, write_scores

from mapt_bench.baselines.choice import TrackerChoice
from mapt_bench.baselines.mapt_trackers import mapt_segmenter
from mapt_bench.baselines.rows import parse_row
from mapt_bench.baselines.tracker_options import MaptOptions
from mapt_bench.errors import ConfigError, MaptBenchError
from mapt_bench.labels import Video
from mapt_bench.metrics import SequenceScorer, SequenceSums, flat_scores, pool
from mapt_bench.provenance import provenance
from mapt_bench.synthetic.fingerprints import check_suite, frozen_fingerprint
from mapt_bench.synthetic.suites import is_suite
from mapt_bench.tracking.loop import run_tracker
from mapt_bench.training.sources import folder_data
from mapt_bench.weights import ShippedWeights, shipped

_WHOLE = "all"


def main(words: Sequence[str] | None = None) -> int:
    """Measure the weights and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="name of the shipped weights")
    parser.add_argument("where", nargs="+", help="suite or folder")
    given = parser.parse_args(words)
    torch.set_num_threads(1)
    try:
        for where in given.where:
            measure(shipped(given.name), where)
        make_page()
    except MaptBenchError as problem:
        print(f"error: {problem.where or ''} {problem.message}", file=sys.stderr)
        return problem.exit_code
    return 0


def measure(weights: ShippedWeights, where: str) -> dict[str, Any]:
    """Score the tracker of weights on a suite or folder, and write the scores on the card.

    Returns:
        The new entry of the card: ``tracker``, ``data``, ``code`` and ``scores`` by part.

    Raises:
        ConfigError: If they are not weights of MAPT.
        DataError: If the data are unusable.
    """
    config = weights.card["model_config"]
    if not isinstance(config, dict) or "propagation" not in config:
        raise ConfigError(f"{weights.name} are not weights of MAPT, so there are no maps to score")
    name = "mapt" if config["propagation"] == "motion" else "mapt:appearance"
    videos, data, parts = _opened(where)
    options = MaptOptions(weights=Path(weights.name))
    choice = TrackerChoice(parse_row(f"{name}+memory"), mapt=options)
    segmenter = mapt_segmenter(options)
    sums = {}
    for video in videos:
        scorer = SequenceScorer(video.info.labels)
        tracker = choice.build(video, segmenter)
        for index, predicted in enumerate(run_tracker(tracker, video)):
            scorer.update(video.truth(index), predicted)
        sums[video.info.name] = scorer.result()
        print(f"{where}: {len(sums)} of {len(videos)} sequences", file=sys.stderr)
    origin = provenance()
    measured = {
        "tracker": name,
        "data": data,
        "code": {key: origin[key] for key in ("mapt_bench", "git_commit")},
        "scores": {part: _scores(sums, names, videos) for part, names in parts.items()},
    }
    write_scores(weights, measured)
    return measured


def _opened(
    where: str,
) -> tuple[Sequence[Video], dict[str, Any], dict[str, list[str]]]:
    """Return the videos, their description, and the names of the videos in each part."""
    if not is_suite(where):
        found = folder_data(Path(where))
        return found.videos, found.describe(), {_WHOLE: [v.info.name for v in found.videos]}
    suite = check_suite(where)
    parts: dict[str, list[str]] = {_WHOLE: [video.info.name for video in suite.videos]}
    for entry in suite.entries:
        parts.setdefault(entry.half, []).append(entry.video.info.name)
    data = {
        "name": suite.name,
        "version": suite.version,
        "fingerprint": str(frozen_fingerprint(suite)),
        "sequences": len(suite.videos),
        "frames": suite.frame_count,
    }
    return suite.videos, data, parts


def _scores(
    sums: Mapping[str, SequenceSums], names: Sequence[str], videos: Sequence[Video]
) -> dict[str, Any]:
    return dict(flat_scores(pool([sums[name] for name in names]), videos[0].info.labels))


if __name__ == "__main__":
    sys.exit(main())
