import pytest
from helpers.films import score
from helpers.maps import CAR, KITTI

from mapt_bench.metrics.mot import class_measures

CAR_AT = KITTI.thing_ids.index(CAR)


def clear(gt, pred):
    return class_measures(score(gt, pred).tracking.classes[CAR_AT])


def test_by_hand():
    # Frame 1: match of 3/4 and a false alarm; frame 2: a match of 1 and a miss.
    gt = "c1 c1 c1 c1 r | c1 c2 r r r"
    pred = "c5 c5 c5 r c6 | c5 r  r r r"
    found = clear(gt, pred)
    assert (found["TP"], found["FP"], found["FN"], found["IDSW"]) == (2, 1, 1, 0)
    assert found["MOTSA"] == pytest.approx((2 - 1) / 3)
    assert found["sMOTSA"] == pytest.approx((1.75 - 1) / 3)
    assert found["MOTSP"] == pytest.approx(1.75 / 2)


def test_an_iou_of_exactly_one_half_is_a_match_here():
    assert clear("c1 c1 r r", "c5 c5 c5 c5")["TP"] == 1
    assert clear("c1 c1 r r r", "c5 c5 c5 c5 c5")["TP"] == 0


def test_switches_are_remembered_over_gaps():
    assert clear("c1 r | r r | c1 r", "c5 r | r r | c6 r")["IDSW"] == 1
    assert clear("c1 r | c1 r | c1 r", "c5 r | r r | c6 r")["IDSW"] == 1
    assert clear("c1 r | r r | c1 r", "c5 r | r r | c5 r")["IDSW"] == 0


def test_swapped_ids_are_two_switches():
    assert clear("c1 c2 | c1 c2", "c5 c6 | c6 c5")["IDSW"] == 2


OTHER = "c8"  # a second car, found in every frame, so that no frame is without a prediction


def test_a_track_found_again_after_a_loss_is_a_fragment():
    gt = f"c1 r {OTHER} | c1 r {OTHER} | c1 r {OTHER}"
    found = clear(gt, f"c5 r {OTHER} | r r {OTHER} | c5 r {OTHER}")
    assert (found["Frag"], found["IDSW"]) == (1, 0)
    other_id = clear(gt, f"c5 r {OTHER} | r r {OTHER} | c6 r {OTHER}")
    assert (other_id["Frag"], other_id["IDSW"]) == (1, 1)


def test_a_loss_at_the_end_or_a_late_start_is_no_fragment():
    gt = f"c1 r {OTHER} | c1 r {OTHER} | c1 r {OTHER}"
    assert clear(gt, f"c5 r {OTHER} | c5 r {OTHER} | r r {OTHER}")["Frag"] == 0
    assert clear(gt, f"r r {OTHER} | c5 r {OTHER} | c5 r {OTHER}")["Frag"] == 0


def test_frames_with_an_empty_side_are_passed_over():
    # As in TrackEval: nothing is predicted in frame 2, so frame 3 follows on frame 1.
    assert clear("c1 r | c1 r | c1 r", "c5 r | r r | c5 r")["Frag"] == 0


def test_a_contested_mask_keeps_the_partner_of_the_frame_before():
    gt = "c1 c1 c1 c1 | c1 c1 c1 c1"
    halves = "c5 c5 c6 c6"
    for before in ("c5", "c6"):
        found = clear(gt, f"{before} {before} {before} {before} | {halves}")
        assert (found["TP"], found["FP"], found["IDSW"]) == (2, 1, 0)
    assert clear(gt, f"c7 c7 c7 c7 | {halves}")["IDSW"] == 1


@pytest.mark.parametrize(
    ("found_frames", "fate"), [(10, "MT"), (9, "MT"), (8, "PT"), (2, "PT"), (1, "ML"), (0, "ML")]
)
def test_tracks_by_the_share_of_their_frames(found_frames, fate):
    # Mostly tracked above 80 %, partly from 20 %.
    gt = " | ".join(["c1 r c8"] * 10)
    pred = " | ".join(["c5 r c8"] * found_frames + ["r r c8"] * (10 - found_frames))
    found = clear(gt, pred)
    expected = {"MT": 1, "PT": 0, "ML": 0}  # the second car
    expected[fate] += 1
    assert {name: found[name] for name in expected} == expected


def test_nothing_at_all_scores_0():
    found = clear("r r", "r r")
    assert (found["MOTSA"], found["sMOTSA"], found["MOTSP"]) == (0, 0, 0)


def test_false_alarms_alone_go_below_zero():
    assert clear("r r", "c5 c6")["MOTSA"] == -2


def test_a_contested_mask_keeps_no_partner_of_an_earlier_frame():
    # Both were partners, but only that of frame 2 is the previous one.
    gt = "c1 c1 c1 c1 | c1 c1 c1 c1 | c1 c1 c1 c1"
    for first, second in (("c5", "c6"), ("c6", "c5")):
        whole = [" ".join([each] * 4) for each in (first, second)]
        for halves in ("c5 c5 c6 c6", "c6 c6 c5 c5"):
            assert clear(gt, " | ".join([*whole, halves]))["IDSW"] == 1
