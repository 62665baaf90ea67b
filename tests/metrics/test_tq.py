import math
from dataclasses import replace

import numpy as np
import pytest
from helpers.films import overlap_of, score
from helpers.maps import draw

from mapt_bench.metrics._tq import count_tracks
from mapt_bench.metrics.pat_counter import count_pat


def quality(gt, pred, ids="things"):
    """Sum of the quality of tracks, and their number, under a rule of what an identity is."""
    pat = score(gt, pred).pat
    tracks = {
        "things": pat.tracks_things,
        "all": pat.tracks_all,
        "bare": pat.tracks_bare,
        "minimum": pat.tracks_minimum,
    }[ids]
    return pytest.approx(tracks.quality), tracks.track_count


CAR_3 = "c1 c1 r | c1 c1 r | c1 c1 r"


def test_perfect_whatever_the_id():
    assert quality(CAR_3, "c9 c9 r | c9 c9 r | c9 c9 r") == (1, 1)


def test_none_then_an_id_is_a_switch():
    # L 3, n 2, N 2: AQ = (1/3) * 4 / (3 + 2 - 2) = 4/9; 1 switch of 2
    assert quality(CAR_3, "r r r | c5 c5 r | c5 c5 r") == (math.sqrt(4 / 9 * 1 / 2), 1)


def test_a_loss_is_a_switch():
    assert quality(CAR_3, "c5 c5 r | c5 c5 r | r r r") == (math.sqrt(4 / 9 * 1 / 2), 1)


def test_none_after_none_is_a_switch():
    # both pairs of frames are switches, so the second factor is 0
    assert quality(CAR_3, "c5 c5 r | r r r | r r r") == (0, 1)


def test_an_id_that_comes_back_was_switched_twice():
    gt = CAR_3 + " | c1 c1 r"
    pred = "c5 c5 r | c6 c6 r | c5 c5 r | c5 c5 r"
    # id 5: 9 / 4, id 6: 1 / 4, AQ = (1/4) * 10/4; 2 switches of 3
    assert quality(gt, pred) == (math.sqrt(10 / 16 * 1 / 3), 1)


def test_frames_without_the_track_are_skipped():
    gt = "c1 r | r r | c1 r"
    assert quality(gt, "c5 r | r r | c5 r") == (1, 1)
    # another id after the gap: each has 1 / 2; the only pair of frames is a switch
    assert quality(gt, "c5 r | r r | c6 r") == (0, 1)


def test_an_id_that_lives_on_in_the_gap_is_too_long():
    # L 2, n 2, N 3: AQ = (1/2) * 4 / (2 + 3 - 2) = 2/3
    assert quality("c1 r | r r | c1 r", "c5 r | c5 r | c5 r") == (math.sqrt(2 / 3), 1)


def test_a_track_of_one_frame_cannot_switch():
    assert quality("c1 r", "c5 r") == (1, 1)
    assert quality("c1 r", "r r") == (0, 1)


def test_an_iou_of_exactly_one_half_is_no_partner():
    assert quality("c1 c1 r r", "c5 c5 c5 c5") == (0, 1)
    assert quality("c1 c1 c1 r r", "c5 c5 c5 c5 c5") == (1, 1)


def test_the_class_of_a_partner_is_not_compared():
    assert quality("c1 r | c1 r", "p5 r | p5 r") == (1, 1)


def test_equal_ids_of_two_classes_are_two_identities():
    # 1/2 each, and the only pair of frames is a switch
    assert quality("c1 r | c1 r", "c5 r | p5 r") == (0, 1)
    assert quality("c1 r | c1 r", "c5 r | p5 r", "bare") == (1, 1)


def test_bare_ids_join_over_classes():
    # neither part covers more than half of the track, their union does
    gt, pred = "c1 c1 r", "c5 p5 r"
    assert quality(gt, pred) == (0, 1)
    assert quality(gt, pred, "bare") == (1, 1)


def test_id_0_is_a_partner_but_for_bare_ids():
    assert quality("c1 r", "c0 r") == (1, 1)
    assert quality("c1 r", "c0 r", "bare") == (0, 1)


def test_stuff_is_a_partner_where_all_segments_have_an_identity():
    # the road has 2 of the union's 3 pixels
    assert quality("c1 c1 r", "r r r", "all") == (1, 1)
    assert quality("c1 c1 r", "r r r", "things") == (0, 1)


def test_predicted_void_is_never_a_partner():
    assert quality("c1 c1 r", "v v r", "all") == (0, 1)


def test_void_and_crowd_are_removed_first():
    # Over void and crowd nothing remains of id 5: IoU 1 in frame 1, and no life in frame 2.
    assert quality("c1 v c0 r | r v c0 r", "c5 c5 c5 r | r c5 c5 r") == (1, 1)
    assert quality("c0 r", "c0 r") == (0, 0)


def wide(word, count, width=100):
    return draw(" ".join([word] * count + ["r"] * (width - count)))


def test_minimum_size_of_tracks_is_exclusive():
    gt = [wide("c1", 30), wide("c1", 31)]
    # frame 1 does not count: L 1, and nothing is lost by missing it there
    assert quality(gt, [wide("r", 0), wide("c5", 31)], "minimum") == (1, 1)
    assert quality(gt, [wide("c5", 30), wide("r", 0)], "minimum") == (0, 1)
    assert quality([wide("c1", 30)], [wide("c1", 30)], "minimum") == (0, 0)


def test_a_small_partner_has_no_lifetime():
    # Id 5 has 30 pixels at most, so N counts as n: AQ = (1/2) * 4/2, though it lives on in frame 3.
    gt = [wide("c1", 31), wide("c1", 31), wide("r", 0)]
    pred = [wide("c5", 30), wide("c5", 30), wide("c5", 30)]
    assert quality(gt, pred, "minimum") == (1, 1)


def test_single_precision_may_round_a_majority_away():
    # The car has 2**25 + 1 pixels, id 5 covers 2**24 + 1 of them: more than half, but float32
    # rounds both numbers down to powers of two.
    drawn = overlap_of("c1 c1", "r c5")
    overlap = replace(drawn, pixels=np.array([2**24, 2**24 + 1]))
    tube = np.array([-1, 0])
    assert count_tracks(overlap, tube).quality == 1
    assert count_tracks(overlap, tube, single_precision=True).quality == 0


def test_only_float32_variants_round_a_majority_away():
    drawn = overlap_of("c1 c1", "r c5")
    sums = count_pat(replace(drawn, pixels=np.array([2**24, 2**24 + 1])))
    assert sums.tracks_float32.quality == 0
    assert sums.tracks_all.quality == sums.tracks_minimum.quality == 1


def test_tracks_add_up_over_classes():
    sums = score("c1 p1 r | c1 p1 r", "c1 r r | c1 r r").pat.tracks_things
    assert (sums.quality, sums.track_count) == (1, 2)  # the person is missed: 0
