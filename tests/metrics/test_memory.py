"""The memory of the metrics follows the pairs that meet, not the square of the number of ids."""

import pytest
from helpers.memory import peak_mb

CROWD = """
import sys
import numpy as np
from mapt_bench.labels import PanopticMap, label_space
from mapt_bench.metrics import SequenceScorer, count_losses, pat_variant

per_frame, life, losses = map(int, sys.argv[1:])
scorer = SequenceScorer(label_space("kitti-step"))
for frame in range(20):
    ids = 1 + frame // life * per_frame + np.arange(per_frame)
    gt = np.repeat(11 << 24 | ids, 8).reshape(-1, 8).astype(np.uint32)
    pred = np.roll(gt.ravel(), 3).reshape(gt.shape)
    scorer.update(PanopticMap(gt), PanopticMap(pred))
scorer.result()
if losses:
    count_losses(scorer.overlap(), pat_variant("present"))
"""


@pytest.mark.parametrize(
    ("per_frame", "life", "losses", "limit_mb"),
    [(5_000, 1, 0, 600), (20_000, 20, 0, 700), (500, 1, 1, 400)],
    ids=["100,000 ids of one frame", "20,000 ids in every frame", "losses of 10,000 ids"],
)
def test_crowds(per_frame, life, losses, limit_mb):
    assert peak_mb(CROWD, per_frame, life, losses) < limit_mb
