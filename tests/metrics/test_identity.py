import pytest
from helpers.films import score
from helpers.maps import CAR, KITTI

from mapt_bench.metrics.mot import class_measures

CAR_AT = KITTI.thing_ids.index(CAR)


def identity(gt, pred):
    return class_measures(score(gt, pred).tracking.classes[CAR_AT])


def test_a_track_is_explained_by_one_id():
    # Id 5 has 2 of 3 frames: 2 right, 1 false alarm, 1 miss.
    found = identity("c1 r | c1 r | c1 r", "c5 r | c5 r | c6 r")
    assert (found["IDTP"], found["IDFP"], found["IDFN"]) == (2, 1, 1)
    assert found["IDF1"] == pytest.approx(2 / 3)
    assert (found["IDP"], found["IDR"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))


def test_ids_are_assigned_one_to_one():
    # Id 5 meets car 1 three times and car 2 twice, id 6 only car 1 (twice): 5-2 and 6-1 give 4.
    # 5-1 alone would give 3.
    gt = "c1 c2 | c1 c2 | c1 r | c1 r | c1 r"
    pred = "r c5 | r c5 | c5 r | c5 r | c5 r"
    assert identity(gt, pred)["IDTP"] == 3
    pred = "c6 c5 | c6 c5 | c5 r | c5 r | c5 r"
    assert identity(gt, pred)["IDTP"] == 4


def test_an_iou_of_exactly_one_half_is_a_match():
    assert identity("c1 c1 r r", "c5 c5 c5 c5")["IDTP"] == 1
    assert identity("c1 c1 r r r", "c5 c5 c5 c5 c5")["IDTP"] == 0


def test_nothing_at_all_scores_0():
    found = identity("r r", "r r")
    assert (found["IDF1"], found["IDP"], found["IDR"]) == (0, 0, 0)


def test_one_empty_side():
    assert identity("c1 r", "r r")["IDFN"] == 1
    assert identity("r r", "c1 r")["IDFP"] == 1
