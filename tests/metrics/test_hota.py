import math

import numpy as np
import pytest
from helpers.films import score
from helpers.maps import CAR, KITTI

from mapt_bench.metrics._hota import ALPHAS, HotaScores
from mapt_bench.metrics.mot import class_measures

CAR_AT = KITTI.thing_ids.index(CAR)


def hota(gt, pred):
    return class_measures(score(gt, pred).tracking.classes[CAR_AT])


def test_thresholds():
    assert len(ALPHAS) == 19
    assert ALPHAS[[0, -1]] == pytest.approx([0.05, 0.95])


def test_perfect():
    found = hota("c1 c2 | c1 c2", "c8 c9 | c8 c9")
    for name in ("HOTA", "DetA", "AssA", "LocA", "DetRe", "DetPr", "AssRe", "AssPr"):
        assert found[name] == pytest.approx(1)


def test_a_switch_halves_the_association():
    # Each match: 1 frame together, 2 of the true track, 1 of the predicted: 1 / (2 + 1 - 1).
    found = hota("c1 r | c1 r", "c5 r | c6 r")
    assert found["DetA"] == 1
    assert found["AssA"] == pytest.approx(1 / 2)
    assert found["AssRe"] == pytest.approx(1 / 2)
    assert found["AssPr"] == 1
    assert found["HOTA"] == pytest.approx(math.sqrt(1 / 2))


def test_a_loose_mask_matches_up_to_its_iou():
    # IoU 3/5: a match at 0.05 to 0.60, 12 of 19 thresholds, and 3/5 exactly is still one.
    found = hota("c1 c1 c1 r r", "c5 c5 c5 c5 c5")
    assert found["HOTA_TP"] == [1] * 12 + [0] * 7
    assert found["HOTA"] == pytest.approx(12 / 19)
    assert found["LocA"] == pytest.approx((12 * 0.6 + 7 * 1) / 19)  # 1 where nothing matches


def test_misses_and_false_alarms_lower_the_detection():
    # 1 match, 1 miss, 1 false alarm: 1/3 at every threshold
    found = hota("c1 c2 r", "c5 r c6")
    assert found["DetA"] == pytest.approx(1 / 3)
    assert (found["DetRe"], found["DetPr"]) == (1 / 2, 1 / 2)


def test_hota_is_the_mean_of_roots_not_the_root_of_means():
    # one tight mask (IoU 1) and one loose (1/2, up to 0.50: 10 thresholds), by different ids
    gt, pred = "c1 c1 r r | c1 c1 r r", "c5 c5 r r | c6 c6 c6 c6"
    # low thresholds: DetA 1, AssA 1/2; high: 1 of 3 (miss and false alarm), AssA 1/2
    expected = (10 * math.sqrt(1 / 2) + 9 * math.sqrt(1 / 3 * 1 / 2)) / 19
    assert hota(gt, pred)["HOTA"] == pytest.approx(expected)


def test_matching_prefers_tracks_that_fit_over_the_whole_sequence():
    # In frame 3 both ids have half of the car; id 6 has been its partner all along.
    gt = "c1 c1 | c1 c1 | c1 c1"
    pred = "c6 c6 | c6 c6 | c5 c6"
    # 3 frames of id 6 together at thresholds up to one half: AssA 1
    found = hota(gt, pred)
    assert found["AssA_per_alpha"][0] == pytest.approx(1)
    assert found["AssA_per_alpha"][-1] == pytest.approx(2 * (2 / 4) / 2)  # 2 of 3 and 3 frames


def test_nothing_at_all():
    found = hota("r r", "r r")
    assert (found["HOTA"], found["DetA"], found["AssA"], found["LocA"]) == (0, 0, 0, 1)


def test_scores_have_one_entry_a_threshold():
    sums = score("c1 r", "c1 r").tracking.classes[CAR_AT].hota
    assert np.shape(HotaScores(sums).hota) == (19,)
