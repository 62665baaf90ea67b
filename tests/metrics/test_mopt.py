import pytest
from helpers.films import score
from helpers.maps import CAR, KITTI

from mapt_bench.metrics.pq import mopt_block

GT = "c1 c1 r r r | c1 c1 r r r | c1 c1 r r r"
LOST = "c5 c5 r r r | r r r r r | c6 c6 r r r"


def block(gt, pred):
    return mopt_block(score(gt, pred).mopt, KITTI)


def test_switches_are_remembered_over_gaps():
    car = block(GT, LOST)["per_class"]["13"]
    # 2 matches, 1 miss, 1 switch: (2 - 1) / 2.5; where only consecutive frames count: 2 / 2.5
    assert car["ids"] == 1
    assert car["PTQ"] == pytest.approx(1 / 2.5)
    assert score(GT, LOST).pat.segments_exact.switches.count[CAR] == 0


def test_soft_switches_take_the_iou_of_the_later_match():
    pred = "c5 c5 r r r | c5 c5 r r r | c6 c6 c6 r r"
    car = block(GT, pred)["per_class"]["13"]
    assert car["soft_ids"] == pytest.approx(2 / 3)
    assert car["sPTQ"] == pytest.approx((2 + 2 / 3 - 2 / 3) / 3)
    assert car["PTQ"] == pytest.approx((2 + 2 / 3 - 1) / 3)


def test_means_run_over_all_classes():
    found = block(GT, GT)
    assert found["PTQ"] == pytest.approx(2 / 19)
    assert found["PTQ_thing"] == pytest.approx(1 / 2)  # person and car
    assert found["PTQ_stuff"] == pytest.approx(1 / 17)
    assert found["MOTSA"] == pytest.approx(1 / 2)
    assert found["MOTSP"] == pytest.approx(1 / 2)


def test_motsa_counts_false_alarms_and_switches():
    car = block(GT, LOST)["per_class"]["13"]
    assert car["MOTSA"] == pytest.approx((2 - 0 - 1) / 3)
    alarm = block("c1 c1 r r", "c1 c1 r c9")["per_class"]["13"]
    assert alarm["MOTSA"] == pytest.approx(0)


def test_crowd_is_void():
    # Crowd leaves the union (2 of 2), and excuses a prediction of any class.
    gt, pred = "c1 c1 c0 c0 r r", "c5 c5 c5 c5 r r"
    assert block(gt, pred)["per_class"]["13"]["iou_sum"] == pytest.approx(1)
    assert score(gt, pred).windows[0].fn[CAR] == 1  # panoptic quality: 2 of 4, no match
    person = block("c0 c0 r r", "p1 p1 r r")["per_class"]["11"]
    assert person["fp"] == 0


def test_nothing_at_all_scores_0():
    found = block("v v", "v v")
    assert (found["PTQ"], found["sPTQ"], found["MOTSA"], found["MOTSP"]) == (0, 0, 0, 0)
