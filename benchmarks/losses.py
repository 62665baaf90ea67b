"""Time the error decomposition on one sequence, at several lengths.

    python benchmarks/losses.py GT PRED --lengths 10,100,1000

The frames of the first sequence are read once, and repeated forwards and backwards up to each
length. Reading pixels is not in the times: decomposition and scores both start from the tables.
"""

import time
from itertools import cycle, islice
from pathlib import Path

import click

from mapt_bench.cli.options import emit_json
from mapt_bench.data import open_maps
from mapt_bench.labels import label_space
from mapt_bench.metrics import HEADLINE, VARIANTS, SequenceScorer, count_losses, decompose


@click.command()
@click.argument("gt", type=click.Path(path_type=Path))
@click.argument("pred", type=click.Path(path_type=Path))
@click.option("--dataset", default="kitti-step", show_default=True, help="Label space.")
@click.option("--lengths", default="10,100,1000", show_default=True, help="Numbers of frames.")
@click.option("--json", "json_file", help="Write the figures to this file; - for stdout.")
def main(gt: Path, pred: Path, dataset: str, lengths: str, json_file: str | None) -> None:
    """Time scores and losses of the first sequence of GT and PRED."""
    labels = label_space(dataset)
    sides = [open_maps(folder, labels).sequences[0] for folder in (gt, pred)]
    count = len(sides[0].frame_names)
    pairs = [tuple(side.read(at) for side in sides) for at in range(count)]
    there_and_back = [*pairs, *pairs[-2:0:-1]]
    rows = []
    for length in map(int, lengths.split(",")):
        scorer = SequenceScorer(labels)
        for one, other in islice(cycle(there_and_back), length):
            scorer.update(one, other)
        rows.append({"frames": length, **_times(scorer)})
    if json_file is None or not emit_json(json_file, {"data": str(pred), "rows": rows}):
        for row in rows:
            click.echo("  ".join(f"{name} {value:.4g}" for name, value in row.items()))


def _times(scorer: SequenceScorer) -> dict[str, float]:
    """Return seconds of processor time for scores and for losses, and the size of the tables."""
    variant = VARIANTS[HEADLINE]
    start = time.process_time()
    scorer.result()
    scored = time.process_time()
    overlap = scorer.overlap()
    losses = decompose(count_losses(overlap, variant), scorer.labels, variant)
    done = time.process_time()
    total = sum(kind.share["PAT"] or 0 for kind in losses.kinds.values())
    lacking = (losses.perfect["PAT"] or 0) - (losses.score["PAT"] or 0)
    return {
        "entries": len(overlap.pixels),
        "scores_s": scored - start,
        "losses_s": done - scored,
        "error_of_sum": abs(total - lacking),
    }


if __name__ == "__main__":
    main()
