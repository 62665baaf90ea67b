"""Windows are counted stretch by stretch; the seams must not show."""

import numpy as np
import pytest
from helpers.maps import KITTI, random_maps

from mapt_bench.metrics import SequenceScorer, scorer


@pytest.mark.parametrize("frame_count", [1, 3, 4, 7, 8])
@pytest.mark.parametrize("stretch", [1, 2, 5])
def test_seams_change_no_count(monkeypatch, frame_count, stretch):
    gt = random_maps(frame_count, id_limit=3, seed=1)
    pred = [maps if index % 3 else gt[index - 1] for index, maps in enumerate(gt)]
    scores = SequenceScorer(KITTI)
    for true, predicted in zip(gt, pred, strict=True):
        scores.update(true, predicted)
    whole = scores.result().to_vector()
    monkeypatch.setattr(scorer, "_STRETCH", stretch)
    assert scores.result().to_vector() == pytest.approx(whole, rel=1e-12)
    assert np.isfinite(whole).all()
