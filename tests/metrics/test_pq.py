import numpy as np
import pytest
from helpers.films import score
from helpers.maps import CAR, KITTI, PERSON, ROAD, SIDEWALK

from mapt_bench.labels import PanopticMap, pack_codes
from mapt_bench.metrics.pq import panoptic_block


def counts(gt, pred, class_id=CAR):
    """(sum of IoU, tp, fp, fn) of one class."""
    panoptic = score(gt, pred).windows[0]
    row = KITTI.class_ids.index(class_id)
    return (
        pytest.approx(float(panoptic.iou_sum[row])),
        int(panoptic.tp[row]),
        int(panoptic.fp[row]),
        int(panoptic.fn[row]),
    )


def test_an_iou_of_exactly_one_half_is_no_match():
    # 2 shared of 2 + 4 - 2 = 4
    assert counts("c1 c1 r  r  r", "c5 c5 c5 c5 r") == (0, 0, 1, 1)


def test_an_iou_just_above_one_half_is_a_match():
    # 3 shared of 3 + 5 - 3 = 5
    assert counts("c1 c1 c1 r  r  r", "c5 c5 c5 c5 c5 r") == (3 / 5, 1, 0, 0)


def test_segments_match_within_their_class_only():
    assert counts("c1 c1 r", "p1 p1 r", CAR) == (0, 0, 0, 1)
    assert counts("c1 c1 r", "p1 p1 r", PERSON) == (0, 0, 1, 0)


def test_void_is_taken_out_of_the_union():
    # 2 shared of 2 + 4 - 2 = 4, less the 2 predicted on void
    assert counts("c1 c1 v  v  r", "c5 c5 c5 c5 r") == (1, 1, 0, 0)


def test_a_prediction_more_than_half_in_void_is_excused():
    assert counts("v v v r", "c5 c5 c5 c5") == (0, 0, 0, 0)


def test_a_prediction_exactly_half_in_void_is_a_false_alarm():
    assert counts("v v r r", "c5 c5 c5 c5") == (0, 0, 1, 0)


def test_crowd_excuses_predictions_of_its_own_class_only():
    assert counts("c0 c0 c0 r", "c5 c5 c5 c5", CAR) == (0, 0, 0, 0)
    assert counts("c0 c0 c0 r", "p5 p5 p5 p5", PERSON) == (0, 0, 1, 0)


def test_void_and_crowd_excuse_together():
    # one of void and one of crowd: half; two and one: more than half
    assert counts("v c0 r r", "c5 c5 c5 c5") == (0, 0, 1, 0)
    assert counts("v v c0 r r", "c5 c5 c5 c5 c5") == (0, 0, 0, 0)


def test_crowd_is_neither_match_nor_miss_and_stays_in_the_union():
    assert counts("c0 c0 r", "c0 c0 r") == (0, 0, 0, 0)
    assert counts("c0 c0 r", "r  r  r") == (0, 0, 0, 0)
    # 3 shared of 3 + 4 - 3 = 4: the pixel on crowd counts against the prediction
    assert counts("c1 c1 c1 c0", "c5 c5 c5 c5") == (3 / 4, 1, 0, 0)


def test_a_predicted_thing_of_id_0_is_an_ordinary_segment():
    assert counts("c1 c1 r r", "c0 c0 r r") == (1, 1, 0, 0)
    assert counts("r r", "c0 r") == (0, 0, 1, 0)


def test_pixels_predicted_void_belong_to_no_segment():
    assert counts("c1 c1 r", "v v r") == (0, 0, 0, 1)
    assert counts("c1 c1 c1 r", "c5 c5 v r") == (2 / 3, 1, 0, 0)


def test_identities_on_stuff_are_ignored():
    gt = PanopticMap(pack_codes(np.zeros((1, 4), int), np.array([[1, 1, 2, 2]])))
    pred = PanopticMap(pack_codes(np.zeros((1, 4), int), np.array([[5, 6, 7, 8]])))
    assert counts([gt], [pred], ROAD) == (1, 1, 0, 0)


def test_one_id_of_two_classes_is_two_segments():
    assert counts("c7 p7", "c7 p7", CAR) == (1, 1, 0, 0)
    assert counts("c7 p7", "c7 p7", PERSON) == (1, 1, 0, 0)


def test_counts_add_up_over_frames():
    # found, missed, and in the third frame both a match and a false alarm
    gt = "c1 c1 r  | c1 c1 r | c1 c1 r"
    assert counts(gt, "c5 c5 r | r r r | c5 c5 c6") == (2, 2, 1, 1)


def test_block_by_hand():
    gt = "r r r c1 c1 c1 r  c2 c2"
    pred = "r r s c1 c1 c1 c1 r r"
    # car: one match of IoU 3/4, one miss; sidewalk: predicted only
    # road: 4 pixels on either side, 2 shared, union 6: no match, a miss and a false alarm
    block = panoptic_block(score(gt, pred).windows[0], KITTI)
    car = {"PQ": 0.75 / 1.5, "SQ": 0.75, "RQ": 1 / 1.5, "iou_sum": 0.75, "tp": 1, "fp": 0, "fn": 1}
    assert block["per_class"]["13"] == pytest.approx(car)
    nothing = {"PQ": 0, "SQ": 0, "RQ": 0, "iou_sum": 0, "tp": 0, "fp": 1, "fn": 1}
    assert block["per_class"][str(ROAD)] == nothing
    assert block["per_class"][str(SIDEWALK)] == {**nothing, "fn": 0}
    assert block["per_class"]["2"] is None
    assert block["Things"] == pytest.approx({"PQ": 0.5, "SQ": 0.75, "RQ": 2 / 3, "n": 1})
    assert block["Stuff"] == {"PQ": 0, "SQ": 0, "RQ": 0, "n": 2}
    # over the three classes that occur, not over 19
    assert block["All"] == pytest.approx({"PQ": 0.5 / 3, "SQ": 0.25, "RQ": 2 / 9, "n": 3})


def test_a_kind_that_does_not_occur_is_undefined():
    block = panoptic_block(score("r r", "r r").windows[0], KITTI)
    assert block["Things"] is None
    assert block["Stuff"] == {"PQ": 1, "SQ": 1, "RQ": 1, "n": 1}
    empty = panoptic_block(score("v v", "r v").windows[0], KITTI)
    assert (empty["All"], empty["Things"], empty["Stuff"]) == (None, None, None)
