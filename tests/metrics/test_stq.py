import math

import pytest
from helpers.films import score
from helpers.maps import CAR, KITTI, ROAD

from mapt_bench.metrics import pool
from mapt_bench.metrics.stq import stq_block, stq_scores


def scores(gt, pred):
    return stq_scores(score(gt, pred).stq)


def block(gt, pred):
    return stq_block(score(gt, pred).stq, KITTI)


def test_perfect():
    assert scores("c1 r v | c1 c2 p1", "c1 r v | c1 c2 p1") == {"STQ": 1, "AQ": 1, "SQ": 1}


def test_association_weighs_parts_of_a_tube_by_their_size():
    # tube of 4 pixels: id 5 has 3 of them, IoU 3/4; id 6 has 1, IoU 1/4
    # AQ = (3 * 3/4 + 1 * 1/4) / 4 = 10/16
    gt, pred = "c1 c1 r | c1 c1 r", "c5 c5 r | c5 c6 r"
    assert scores(gt, pred)["AQ"] == pytest.approx(10 / 16)


def test_void_makes_predicted_tubes_grow():
    # 2 shared; the tube has 4 pixels, 2 of them on void: 2 * (2/4) / 2
    found = score("c1 c1 v v", "c5 c5 c5 c5")
    assert stq_scores(found.stq)["AQ"] == pytest.approx(1 / 2)
    # S_assoc of LSTQ has void removed first
    assert found.pat.tubes.association == pytest.approx(1)


def test_void_predicted_on_a_class_is_one_more_class():
    result = block("r r c1 c1", "r v c1 c1")
    # road 1/2, car 1, void 0: three rows have a union
    assert result["SQ"] == pytest.approx(1.5 / 3)
    assert result["num_classes_averaged"] == 3
    assert result["void_counted_as_class"] is True
    assert result["iou_per_class"][str(ROAD)] == pytest.approx(1 / 2)


def test_void_predicted_on_void_is_no_class():
    result = block("r r v", "r r v")
    assert (result["SQ"], result["num_classes_averaged"]) == (1, 1)
    assert result["void_counted_as_class"] is False


def test_a_class_predicted_on_void_alone_does_not_occur():
    # the void row of the confusion matrix is 0, so the car column has no union
    result = block("r r v", "r r c5")
    assert (result["SQ"], result["num_classes_averaged"]) == (1, 1)
    assert result["iou_per_class"][str(CAR)] is None


def test_the_class_of_a_tube_is_not_compared():
    result = scores("c1 c1 r", "p9 p9 r")
    assert result["AQ"] == 1
    assert result["SQ"] == pytest.approx(1 / 3)  # road 1, car 0, person 0


def test_crowd_is_in_no_tube_but_has_a_class():
    # without crowd both tubes have the same 2 pixels; the class is right everywhere
    assert scores("c0 c0 c1 c1", "c5 c5 c5 c5") == {"STQ": 1, "AQ": 1, "SQ": 1}
    only_crowd = block("c0 c0 r r", "c5 c5 r r")
    assert (only_crowd["num_gt_tubes"], only_crowd["AQ"], only_crowd["SQ"]) == (0, 0, 1)


def test_a_predicted_thing_of_id_0_is_a_tube():
    assert scores("c1 c1 r", "c0 c0 r")["AQ"] == 1


def test_one_id_of_two_classes_is_two_tubes():
    assert block("c7 p7 r", "c7 p7 r")["num_gt_tubes"] == 2
    # one predicted tube over both: car 7 has 1 of its 1 pixel, in a tube of 2
    assert scores("c7 p7 r", "c7 c7 r")["AQ"] == pytest.approx((1 / 2 + 1 / 2) / 2)


def test_identities_carry_over_frames():
    # each id covers half of the tube: 2 * (2/4) twice, over 4
    assert scores("c1 c1 | c1 c1", "c5 c5 | c6 c6")["AQ"] == pytest.approx(1 / 2)


def test_without_a_tube_association_is_0():
    assert scores("r r", "r r") == {"STQ": 0, "AQ": 0, "SQ": 1}


def test_without_a_valid_pixel_segmentation_is_undefined():
    assert scores("v v", "r r") == {"STQ": None, "AQ": 0, "SQ": None}


def test_a_data_set_pools_tubes_and_pixels():
    # first: one tube found (AQ 1), road and car right. Second: two tubes missed (AQ 0).
    first = score("c1 r r r", "c1 r r r")
    second = score("c1 c2 r r", "r  r  r r")
    result = stq_scores(pool([first, second]).stq)
    # road: 5 right of 5 + 2; car: 1 of 3
    segmentation = (5 / 7 + 1 / 3) / 2
    assert result["AQ"] == pytest.approx(1 / 3)  # by tubes; the mean of sequences would be 1/2
    assert result["SQ"] == pytest.approx(segmentation)
    assert result["STQ"] == pytest.approx(math.sqrt(segmentation / 3))


def test_a_sequence_block_tells_its_length():
    sums = score("c1 r | c1 r", "c1 r | c1 r").stq
    assert stq_block(sums, KITTI, with_length=True)["length"] == 2
    assert "length" not in stq_block(sums, KITTI)
