import math

import pytest
from helpers.films import score
from helpers.maps import CAR, KITTI, PERSON, ROAD

from mapt_bench.metrics import VARIANTS, averaged_classes, pat_variant
from mapt_bench.metrics.pat import pat_block, pat_scores


def scores(gt, pred, variant="present", classes=None):
    return pat_scores(score(gt, pred).pat, KITTI, pat_variant(variant), classes)


GT = "c1 c1 r r | c1 c1 r r | c1 c1 r r"
SWITCHED = "c5 c5 r r | c5 c5 r r | c6 c6 r r"


def test_pat_is_the_harmonic_mean_of_pq_and_tq():
    # PQ 1. Id 5: 4/3, id 6: 1/3, AQ = (1/3) * 5/3; 1 switch of 2
    tracking = math.sqrt(5 / 9 * 1 / 2)
    found = scores(GT, SWITCHED)
    assert found["PQ"] == 1
    assert found["TQ"] == pytest.approx(tracking)
    assert found["PAT"] == pytest.approx(2 * tracking / (1 + tracking))


@pytest.mark.parametrize(
    ("variant", "quality"),
    [
        ("official", 2 / 19),
        ("official_float32", 2 / 19),
        ("present_classes", 1),
        ("thing_ids", 2 / 19),
        ("thing_ids_present_classes", 1),
        ("bare_ids", 2 / 19),
    ],
)
def test_a_perfect_prediction_scores_1_only_over_present_classes(variant, quality):
    found = scores(GT, GT, variant)
    assert found["PQ"] == pytest.approx(quality)
    assert found["S_cls"] == pytest.approx(quality)
    assert found["TQ"] == 1
    assert found["PAT"] == pytest.approx(2 * quality / (1 + quality))
    assert found["PTQ"] == 1  # over classes with ground truth, in every variant


def test_present_classes_are_those_with_a_valid_pixel_on_either_side():
    sums = score("r c1 v p0", "r p2 s p2").pat
    kept = averaged_classes(sums, pat_variant("present"))
    # the sidewalk is predicted on void alone
    assert [KITTI.class_ids[row] for row in kept.nonzero()[0]] == [ROAD, PERSON, CAR]
    assert averaged_classes(sums, pat_variant("official")).all()


def test_a_class_predicted_only_pulls_the_mean_down():
    assert scores("r r c1", "r r c1")["PQ"] == 1
    assert scores("r r c1 r r r", "r r c1 r r p1")["PQ"] == pytest.approx((4 / 5 + 1 + 0) / 3)


def test_classes_can_be_imposed():
    sums = score(GT, GT).pat
    classes = averaged_classes(sums, pat_variant("present"))
    classes[PERSON] = True
    found = pat_scores(sums, KITTI, pat_variant("present"), classes)
    assert found["PQ"] == pytest.approx(2 / 3)


def test_half_in_void_is_no_excuse_here():
    # Void goes first: the rest of the prediction, one pixel in four, is a false alarm.
    sums = score("v v v r r", "c5 c5 c5 c5 r")
    assert sums.windows[0].fp[CAR] == 0
    assert sums.pat.segments_exact.panoptic.fp[CAR] == 1


def test_without_a_track_tq_is_undefined():
    found = scores("r r", "r c1")
    assert (found["TQ"], found["PAT"], found["S_assoc"], found["LSTQ"]) == (None,) * 4
    assert (found["MOTSA"], found["sMOTSA"], found["MOTSP"]) == (None, None, None)


def test_pat_of_two_zeros_is_undefined():
    found = scores("c1 c1", "p1 r")
    assert (found["PQ"], found["TQ"], found["PAT"]) == (0, 0, None)


def test_lstq_is_the_geometric_mean_of_association_and_class():
    # cars: AQ = (4 * 4/6 + 2 * 2/6) / 6 = 20/36; every pixel has the right class
    found = scores(GT, SWITCHED)
    assert found["S_assoc"] == pytest.approx(20 / 36)
    assert found["S_cls"] == 1
    assert found["LSTQ"] == pytest.approx(math.sqrt(20 / 36))


def test_void_predicted_on_a_class_is_a_miss_and_no_class():
    # road 1/2 and car 1; STQ would average over void too
    assert scores("r r c1 c1", "r v c1 c1")["S_cls"] == pytest.approx(3 / 4)


def test_ptq_counts_switches_between_consecutive_frames_only():
    # car: IoU 1 three times, 1 switch; road: perfect
    assert scores(GT, SWITCHED)["PTQ"] == pytest.approx((1 + (3 - 1) / 3) / 2)
    # missed in between: no switch, PTQ of cars is 2 / 2.5; roads: 1 + 1 + 0 (exactly one half)
    lost = scores(GT, "c5 c5 r r | r r r r | c6 c6 r r")
    assert lost["PTQ"] == pytest.approx((2 / 2.5 + 2 / 3) / 2)


def test_sptq_takes_the_iou_of_the_switched_match():
    # The switched match covers 2 of 3 pixels; the third is void, so that the road stays perfect.
    gt = "c1 c1 c1 r | c1 c1 c1 r"
    pred = "c5 c5 c5 r | c6 c6 v  r"
    found = scores(gt, pred)
    assert found["sPTQ"] == pytest.approx((1 + (1 + 2 / 3 - 2 / 3) / 2) / 2)
    assert found["PTQ"] == pytest.approx((1 + (1 + 2 / 3 - 1) / 2) / 2)


def test_ptq_is_over_classes_with_ground_truth():
    assert scores("r r r c1", "r r s c1")["PTQ"] == pytest.approx((2 / 3 + 1) / 2)
    assert scores("r r r c1", "r r s c1")["PQ"] == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_ptq_may_be_negative():
    gt = " | ".join(["c1 c1 c1 v v r"] * 3)
    pred = "c5 c5 v v v r | c6 c6 v v v r | c7 c7 v v v r"
    # three matches of 2/3, two switches: (2 - 2) / 3; MOTSA (3 - 2) / 3, sMOTSA 0
    found = scores(gt, pred)
    assert found["PTQ"] == pytest.approx(1 / 2)
    assert found["MOTSA"] == pytest.approx(1 / 3)
    assert found["sMOTSA"] == pytest.approx(0)
    assert found["MOTSP"] == pytest.approx(2 / 3)
    longer = scores(gt + " | c1 c1 c1 v v r", pred + " | c8 c8 v v v r")
    assert longer["PTQ"] == pytest.approx((1 + (4 * 2 / 3 - 3) / 4) / 2)
    assert longer["sMOTSA"] < 0


def test_motsa_by_hand():
    # cars: 1 match, 1 false alarm, 1 miss: (1 - 1) / 2; persons: predicted only, not averaged
    found = scores("c1 c1 c2 r r r", "c5 c5 r c6 r p1")
    assert found["MOTSA"] == pytest.approx(0)
    assert found["MOTSP"] == 1


def strip(word, count):
    return " ".join([word] * count + ["r"] * 40 + ["v"] * (40 - count))


@pytest.mark.parametrize(("pixels", "counted"), [(29, 0), (30, 1)])
def test_small_unmatched_segments_are_no_errors_under_a_minimum(pixels, counted):
    blank = " ".join(["r"] * 80)
    missed = score(strip("c1", pixels), blank).pat
    assert missed.segments_minimum.panoptic.fn[CAR] == counted
    assert missed.segments_exact.panoptic.fn[CAR] == 1
    alarm = score(blank, strip("c1", pixels)).pat
    assert alarm.segments_minimum.panoptic.fp[CAR] == counted
    assert alarm.segments_exact.panoptic.fp[CAR] == 1


def test_small_segments_still_match_under_a_minimum():
    sums = score(strip("c1", 5), strip("c1", 5)).pat
    assert sums.segments_minimum.panoptic.tp[CAR] == 1
    assert sums.tubes_minimum.tube_count == 0  # but are no tubes


def test_a_block_tells_every_class():
    block = pat_block(score(GT, SWITCHED).pat, KITTI, VARIANTS["thing_ids_present_classes"])
    assert list(block["per_class"])[:2] == ["11", "13"]  # things first
    assert block["num_gt_tracks"] == 1
    assert block["per_class"]["11"] is None
    car = block["per_class"]["13"]
    assert (car["tp"], car["fp"], car["fn"], car["ids"], car["soft_ids"]) == (3, 0, 0, 1, 1.0)
    official = pat_block(score(GT, SWITCHED).pat, KITTI, VARIANTS["official"])
    assert official["per_class"]["11"]["PQ"] == 0


def test_a_minimum_leaves_small_frames_of_a_track_out_of_sizes_and_shared_pixels():
    film = " | ".join(" ".join(["c1"] * count + ["r"] * (31 - count)) for count in (31, 16, 15))
    assert scores(film, film, "min_points_30")["S_assoc"] == 1
    assert scores(film, film)["S_assoc"] == 1


def test_a_minimum_shares_pixels_with_small_predicted_segments():
    # Sizes: 31 + 40 and 40. The 20 pixels of the small predicted segment are shared, too.
    gt = " | ".join(" ".join(["c1"] * count + ["r"] * (40 - count)) for count in (31, 40))
    pred = " | ".join(" ".join(["c1"] * count + ["r"] * (40 - count)) for count in (20, 40))
    found = scores(gt, pred, "min_points_30")
    assert found["S_assoc"] == pytest.approx(60 * 60 / (71 + 40 - 60) / 71)


def test_bare_ids_share_stuff_and_void_with_the_things_of_id_0():
    # The tube of id 0 has 2 pixels. It shares 3 with the track: a car, a road and a void pixel.
    assert scores("c1 c1 c1 r", "c0 r v c0", "bare_ids")["S_assoc"] == pytest.approx(3 * 3 / 2 / 3)
    assert scores("c1 c1 c1 r", "c0 r v c0", "thing_ids")["S_assoc"] == pytest.approx(1 / 4 / 3)
    assert scores("c1 c1 c1 r", "c4 r v c4", "bare_ids")["S_assoc"] == pytest.approx(1 / 4 / 3)
