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


LONG = """
import sys
import numpy as np
from mapt_bench.labels import PanopticMap, label_space
from mapt_bench.metrics import SequenceScorer

scorer = SequenceScorer(label_space("kitti-step"))
cells = np.arange(24, dtype=np.uint32).reshape(4, 6)
codes = np.where(cells < 20, 11 << 24 | cells + 1, 0)
gt = np.repeat(np.repeat(codes, 4, 0), 4, 1).astype(np.uint32)
for frame in range(int(sys.argv[1])):
    scorer.update(PanopticMap(gt), PanopticMap(np.roll(gt, frame % 2, 1)))
scorer.result()
"""


def test_long_sequences_add_less_than_a_kilobyte_for_each_frame():
    """Of it, about 320 bytes are the table of a frame with 20 objects."""
    added = peak_mb(LONG, 24_000) - peak_mb(LONG, 8_000)
    assert added < 16
