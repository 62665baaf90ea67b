import math

import numpy as np
import pytest
from helpers.maps import KITTI, draw
from hypothesis import given
from hypothesis import strategies as st

from mapt_bench.errors import ProtocolError
from mapt_bench.metrics import LinkEvents, LinkOutcome, LinkRecorder, Sightings, count_overlap

CAR = 13 << 24


def events(gt, pred, visibility=None):
    """The events of a sequence whose frames are rows of words, see ``draw``."""
    recorder = LinkRecorder(KITTI)
    for index, (truth, prediction) in enumerate(zip(gt, pred, strict=True)):
        true_map, pred_map = draw(truth), draw(prediction)
        seen = Sightings.of(true_map, KITTI, None if visibility is None else visibility[index])
        recorder.update(seen, count_overlap(true_map, pred_map, KITTI))
    return recorder.result()


def outcomes(found):
    return [LinkOutcome(outcome).name for outcome in found.links["outcome"]]


def returns(found):
    return [tuple(row) for row in found.returns.tolist()]


def test_an_identity_that_stays_is_kept():
    found = events(["c1 r", "c1 r", "c1 r"], ["c7 r", "c7 r", "c7 r"])
    assert outcomes(found) == ["KEPT", "KEPT"]
    assert found.links["frame"].tolist() == [1, 2]
    assert found.links["gap"].tolist() == [0, 0]
    assert set(found.links["code"].tolist()) == {CAR | 1}
    assert len(found.returns) == 0


def test_an_identity_never_seen_before_is_new():
    assert outcomes(events(["c1", "c1"], ["c7", "c8"])) == ["NEW"]


def test_two_that_exchange_their_identities_are_both_switched():
    found = events(["c1 c2", "c1 c2"], ["c7 c8", "c8 c7"])
    assert outcomes(found) == ["SWITCHED", "SWITCHED"]


def test_an_identity_last_on_another_is_switched_however_long_ago():
    # 8 was on car 2 in frame 0, on nobody in frame 1.
    found = events(["c1 c2", "c1 r", "c1 r"], ["c7 c8", "c7 r", "c8 r"])
    assert outcomes(found) == ["KEPT", "SWITCHED"]


def test_an_identity_that_comes_back_to_its_own_track_is_restored():
    found = events(["c1", "c1", "c1"], ["c7", "c8", "c7"])
    assert outcomes(found) == ["NEW", "RESTORED"]
    assert returns(found) == [(2, 1, True)]


def test_who_had_an_identity_last_owns_it():
    # 7 goes from car 1 to car 2: car 1 then takes it from another.
    found = events(["c1 c2", "c1 c2", "c1 c2"], ["c7 c8", "c9 c7", "c7 c5"])
    assert outcomes(found) == ["NEW", "SWITCHED", "SWITCHED", "NEW"]


@pytest.mark.parametrize("pred", [["r", "c7"], ["c7", "r"], ["r", "r"], ["c7", "p7"]])
def test_a_sighting_without_a_match_of_its_class_is_missed(pred):
    assert outcomes(events(["c1", "c1"], pred)) == ["MISSED"]


def test_half_an_overlap_is_none():
    # IoU exactly 1/2 is no match; 2/3 is one.
    assert outcomes(events(["c1 c1", "c1 c1"], ["c7 r", "c7 c7"])) == ["MISSED"]
    assert outcomes(events(["c1 c1 c1"] * 2, ["c7 c7 r"] * 2)) == ["KEPT"]


def test_void_counts_for_nothing_in_the_union():
    assert outcomes(events(["c1 v v v"] * 2, ["c7 c7 c7 c7"] * 2)) == ["KEPT"]


def test_crowd_stuff_and_void_are_no_tracks():
    found = events(["c0 p0 r v"] * 3, ["c0 p0 r r"] * 3)
    assert len(found.links) == 0


def test_a_gap_counts_the_frames_between_two_sightings():
    found = events(["c1 r", "r r", "r r", "c1 r"], ["c7 r", "r r", "r r", "c7 r"])
    assert outcomes(found) == ["KEPT"]
    assert found.links["gap"].tolist() == [2]
    assert returns(found) == [(3, 2, True)]


def reappearances(found):
    return [
        (row["frame"], row["gap"], LinkOutcome(row["outcome"]).name) for row in found.reappearances
    ]


def test_a_sliver_that_is_missed_beside_a_gap_does_not_lose_the_identity():
    gt = ["c1 r", "c1 r", "r r", "r r", "c1 r", "c1 r"]
    found = events(gt, ["c7 r", "r r", "r r", "r r", "r r", "c7 r"])
    assert outcomes(found) == ["MISSED", "MISSED", "MISSED"]
    assert reappearances(found) == [(4, 2, "KEPT")]


@pytest.mark.parametrize(
    ("last", "outcome"), [("c7 r", "KEPT"), ("c8 r", "NEW"), ("c9 r", "SWITCHED")]
)
def test_what_counts_is_the_identity_it_is_first_found_with(last, outcome):
    gt = ["c1 c2", "c1 r", "r r", "c1 r", "c1 r", "c1 r"]
    found = events(gt, ["c7 c9", "c7 r", "r r", "r r", last, "c5 r"])
    assert reappearances(found) == [(3, 1, outcome)]


def test_an_identity_from_before_a_switch_is_restored_over_a_gap():
    found = events(["c1", "c1", "r", "c1"], ["c7", "c8", "r", "c7"])
    assert reappearances(found) == [(3, 1, "RESTORED")]


@pytest.mark.parametrize(
    "pred",
    [
        ["r", "r", "c7", "r", "r"],  # never before the gap
        ["c7", "r", "r", "r", "r"],  # never after it
        ["c7", "r", "r", "r", "c7"],  # not until another gap
    ],
)
def test_a_track_that_is_not_found_on_both_sides_of_a_gap_is_missed(pred):
    gt = ["c1", "r", "c1", "r", "c1"]
    assert {outcome for *_, outcome in reappearances(events(gt, pred))} == {"MISSED"}


def test_a_return_to_another_object_is_wrong():
    found = events(["c1 r", "r r", "r c2"], ["c7 r", "r r", "r c7"])
    assert len(found.links) == 0  # neither was seen twice
    assert returns(found) == [(2, 1, False)]


def test_returns_from_or_to_nothing_do_not_count():
    # 7 was on nobody before; 8 comes back on nobody.
    found = events(["r c1", "r c1", "r c1"], ["c7 c8", "r c9", "c8 c7"])
    assert returns(found) == []


def test_an_identity_that_was_there_unmatched_has_not_been_absent():
    found = events(["c1 r", "c1 r", "c1 r"], ["c7 r", "r c7", "c7 r"])
    assert outcomes(found) == ["MISSED", "MISSED"]
    assert returns(found) == []


def test_where_it_was_and_how_far_it_moved():
    # Centres (0.5, 0.5) and (3, 0.5) of a square of 4 pixels and a column of 2.
    gt = [("c1 c1 r r", "c1 c1 r r"), ("r r r c1", "r r r c1")]
    recorder = LinkRecorder(KITTI)
    for rows in gt:
        truth = draw(*rows)
        recorder.update(Sightings.of(truth, KITTI), count_overlap(truth, truth, KITTI))
    (link,) = recorder.result().links
    assert link["displacement_px"] == 2.5
    assert link["size_px"] == 2
    assert all(math.isnan(link[name]) for name in ("visible_before", "visible_now"))


def test_visible_fractions_before_now_and_least():
    visibility = [{CAR | 1: 1.0}, {CAR | 1: 0.0}, {CAR | 1: 0.25}, {CAR | 1: 0.5}]
    found = events(["c1", "r", "c1", "c1"], ["c7", "r", "c7", "c7"], visibility)
    names = ("visible_before", "visible_now", "visible_least")
    rows = [tuple(float(row[name]) for name in names) for row in found.links]
    assert rows == [(1.0, 0.25, 0.0), (0.25, 0.5, 0.25)]


def test_one_frame_of_unknown_visibility_makes_the_least_unknown():
    # Outside the frame in frame 1, so nobody can say that it was hidden.
    found = events(["c1", "r", "c1"], ["c7", "r", "c7"], [{CAR | 1: 1.0}, {}, {CAR | 1: 1.0}])
    assert found.links["visible_now"].tolist() == [1.0]
    assert np.isnan(found.links["visible_least"]).all()


@pytest.mark.parametrize("fraction", [-0.1, 1.1])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(ProtocolError, match="visible fraction"):
        Sightings.of(draw("c1"), KITTI, {CAR | 1: fraction})


def test_no_frames_and_no_things_give_no_events():
    assert LinkRecorder(KITTI).result().count() == {
        **dict.fromkeys(("kept", "switched", "restored", "new", "missed"), 0),
        "returns": 0,
        "returns_right": 0,
    }
    assert len(events(["r", "r"], ["r", "r"]).links) == 0


def test_a_result_may_be_asked_for_again_after_more_frames():
    recorder, truth = LinkRecorder(KITTI), draw("c1")
    for expected in (0, 1, 2):
        recorder.update(Sightings.of(truth, KITTI), count_overlap(truth, truth, KITTI))
        assert len(recorder.result().links) == expected
        assert len(recorder.result().links) == expected


def test_events_come_back_from_text_as_they_were():
    visibility = [{CAR | 1: 0.3}, {CAR | 1: 1 / 3}, {}]
    found = events(["c1 c2", "c1 r", "c1 c2"], ["c7 c8", "c8 r", "c7 c8"], visibility)
    again = LinkEvents.from_dict(found.to_dict())
    assert again.links.tobytes() == found.links.tobytes()
    assert again.returns.tobytes() == found.returns.tobytes()
    assert again.reappearances.tobytes() == found.reappearances.tobytes()
    assert again.count() == found.count()
    empty = LinkEvents.joined([])
    assert LinkEvents.from_dict(empty.to_dict()).count() == empty.count()


@pytest.mark.parametrize("text", ["", "?", "AAAA", "eJwDAAAAAAE="])
def test_damaged_text_is_a_value_error(text):
    good = LinkEvents.joined([]).to_dict()
    damaged = {**good, "links": text}
    if text == "eJwDAAAAAAE=":  # sound, and empty
        assert len(LinkEvents.from_dict(damaged).links) == 0
        return
    with pytest.raises(ValueError):  # noqa: PT011 - base64, zlib and own words differ
        LinkEvents.from_dict(damaged)


def test_rows_of_another_length_are_a_value_error():
    packed = LinkEvents.joined([events(["c1", "r", "c1"], ["c7", "r", "c7"])]).to_dict()
    with pytest.raises(ValueError, match="no rows"):
        LinkEvents.from_dict({**packed, "links": packed["returns"]})


frames = st.lists(
    st.tuples(st.sampled_from(["c1 c2", "c2 c1", "c1 r", "r c2", "r r"]), st.permutations([5, 6])),
    min_size=1,
    max_size=8,
)


@given(frames)
def test_every_pair_of_consecutive_sightings_is_one_link(scene):
    gt = [words for words, _ in scene]
    pred = [f"c{a} c{b}" for _, (a, b) in scene]
    found = events(gt, pred)
    sightings = sum(max(sum(f"c{k}" in words for words in gt) - 1, 0) for k in (1, 2))
    assert len(found.links) == sightings
    assert sum(found.count()[each.name.lower()] for each in LinkOutcome) == sightings


@given(frames)
def test_names_of_identities_mean_nothing(scene):
    gt = [words for words, _ in scene]
    first = events(gt, [f"c{a} c{b}" for _, (a, b) in scene])
    second = events(gt, [f"c{90 - a} c{90 - b}" for _, (a, b) in scene])
    assert first.links.tobytes() == second.links.tobytes()


@given(frames)
def test_the_truth_keeps_every_link_and_every_return_is_right(scene):
    gt = [words for words, _ in scene]
    found = events(gt, gt)
    assert set(outcomes(found)) <= {"KEPT"}
    assert found.returns["is_right"].all()
    # Whatever is kept over a gap is a return, and the other way round; and it is recovered.
    gaps = sorted(gap for gap in found.links["gap"] if gap)
    assert sorted(found.returns["absence"]) == gaps
    assert sorted(found.reappearances["gap"]) == gaps
    assert set(found.reappearances["outcome"]) <= {LinkOutcome.KEPT}


def test_an_identity_that_returns_on_a_track_before_or_after_its_own_is_wrong():
    for owner, other in (("c7 r", "r c7"), ("r c7", "c7 r")):
        found = events(["c1 c2"] * 3, [owner, "r r", other])
        assert returns(found) == [(2, 1, False)]
