import numpy as np
import pytest
from helpers.films import headline

from mapt_bench.errors import ConfigError
from mapt_bench.metrics import (
    HEADLINE,
    SCORE_NAMES,
    VARIANTS,
    pat_variant,
    undefined_reasons,
)
from mapt_bench.metrics.arithmetic import (
    defined,
    geometric_mean,
    harmonic_mean,
    mean_of_all,
    plain,
)
from mapt_bench.metrics.scores import averaged_over_more


def undefined(gt, pred):
    return undefined_reasons(headline(gt, pred))


def test_names_stand_in_the_order_of_tables():
    assert SCORE_NAMES == (
        "PAT", "PQ", "TQ", "STQ", "AQ", "SQ", "PTQ", "sPTQ", "VPQ", "LSTQ", "HOTA", "DetA",
        "AssA", "IDF1", "MOTSA", "sMOTSA", "MOTSP", "IDSW", "Frag",
    )  # fmt: skip
    assert tuple(headline("r", "r")) == SCORE_NAMES


def test_sq_is_stqs_mean_iou_and_not_that_of_panoptic_quality():
    # no segment matches, but classes overlap: road 2 of 6 pixels, sidewalk 0
    scores = headline("r r r r c1", "r r s s c1")
    assert scores["PQ"] == pytest.approx(1 / 3)
    assert scores["SQ"] == pytest.approx((2 / 4 + 0 + 1) / 3)


def test_tracking_scores_are_means_over_classes_with_ground_truth():
    # car perfect; the person exists in the prediction only, so that it is not averaged
    scores = headline("c1 r r", "c5 r p5")
    assert (scores["HOTA"], scores["IDF1"], scores["MOTSA"]) == (1, 1, 1)
    both = headline("c1 p1 r", "c5 r r")
    assert (both["HOTA"], both["IDF1"], both["MOTSA"]) == (0.5, 0.5, 0.5)


def test_switches_and_fragments_are_summed_over_classes():
    gt = "c1 p1 | c1 p1"
    assert headline(gt, "c5 p5 | c6 p6")["IDSW"] == 2


def test_protocol_chooses_the_variant():
    gt = "c1 c1 r"
    assert headline(gt, gt)["PQ"] == 1
    assert headline(gt, gt, pat_protocol="official")["PQ"] == pytest.approx(2 / 19)
    assert headline(gt, gt, pat_protocol="official")["STQ"] == 1  # untouched


def test_present_is_the_headline_variant():
    assert pat_variant("present") is VARIANTS[HEADLINE]
    assert HEADLINE == "thing_ids_present_classes"


def test_an_unknown_protocol_suggests_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown PAT protocol 'oficial'.*'official'"):
        pat_variant("oficial")


def test_nothing_is_undefined_in_a_sequence_of_four_frames_with_a_track():
    film = " | ".join(["c1 r"] * 4)
    assert undefined(film, film) == {}


def test_without_a_track():
    reasons = undefined(" | ".join(["r r"] * 4), " | ".join(["r r"] * 4))
    named = {"PAT", "TQ", "LSTQ", "HOTA", "DetA", "AssA", "IDF1", "MOTSA", "sMOTSA", "MOTSP"}
    assert reasons == dict.fromkeys(named, "no ground-truth track of any thing class")


def test_all_void():
    reasons = undefined("v v", "r c1")
    assert reasons["SQ"] == reasons["STQ"] == "no valid ground-truth pixel"
    assert reasons["PQ"] == "no class is present"
    assert reasons["PTQ"] == reasons["sPTQ"] == "no class has ground truth"
    assert "AQ" not in reasons  # 0 by the protocol
    assert headline("v v", "r c1")["IDSW"] == 0


def test_pat_of_two_zeros_has_its_own_reason():
    assert undefined("c1 c1", "s s")["PAT"] == "PQ and TQ are both 0"


def test_reasons_follow_the_protocol():
    # 30 pixels are a track, but not under the variant that wants more
    strip = " ".join(["c1"] * 30)
    scores = headline(strip, strip, pat_protocol="min_points_30")
    assert "no ground-truth track" in undefined_reasons(scores)["PAT"]
    assert headline(strip, strip)["PAT"] == 1


def test_short_sequences_have_no_vpq():
    assert "every sequence is shorter than the longest window" in undefined("c1 r", "c1 r")["VPQ"]


def test_means_of_the_undefined():
    assert defined(float("nan")) is None
    assert defined(0.5) == 0.5
    assert geometric_mean(0.25, 1.0) == 0.5
    assert np.isnan(geometric_mean(np.nan, 1.0))
    assert np.isnan(geometric_mean(1.0, np.nan))
    assert harmonic_mean(0.5, 1.0) == pytest.approx(2 / 3)
    assert harmonic_mean(0.0, 1.0) == 0
    assert np.isnan(harmonic_mean(0.0, 0.0))
    assert np.isnan(harmonic_mean(np.nan, 1.0))
    assert mean_of_all([0.5, 1.0]) == 0.75
    assert np.isnan(mean_of_all([0.5, None]))
    assert np.isnan(mean_of_all([]))
    assert mean_of_all([[0.5, 1.0], [0.0, np.nan]]) == pytest.approx([0.75, np.nan], nan_ok=True)
    assert plain({"PQ": np.asarray(0.5), "TQ": np.asarray(np.nan)}) == {"PQ": 0.5, "TQ": None}


def test_scores_averaged_over_absent_classes():
    scores = {"PQ": 0.5, "TQ": 0.25, "PAT": 1 / 3, "LSTQ": 0.5}
    found = averaged_over_more(scores, 0.25)
    assert found == {"PQ": 0.125, "TQ": 0.25, "PAT": pytest.approx(1 / 6), "LSTQ": 0.25}
    nothing = {"PQ": None, "PAT": None, "LSTQ": None}
    assert averaged_over_more(nothing, 0.25) == nothing
    assert averaged_over_more({**scores, "PQ": None}, 0.25)["PAT"] == scores["PAT"]
