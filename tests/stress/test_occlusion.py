from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from helpers.maps import shared_folder
from helpers.scenes import KITTI, Box, DrawnVideo
from helpers.stress import (
    CAR_1,
    CAR_2,
    FRAMES,
    RECORDED,
    VOID_CODE,
    changed,
    count,
    known,
    plain,
    tracked,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from mapt_bench.data import open_videos
from mapt_bench.errors import ConfigError
from mapt_bench.labels import ID_BITS, label_space
from mapt_bench.stress import Stress, occluder_label, stress_video, visible_fractions

OCCLUSION = ("bars", "poles", "passing", "pasted")


def things_px(video):
    return sum(
        count(video, index, code)
        for index in range(video.info.frame_count)
        for code in tracked(video, index)
    )


def strips(video):
    """First column and width of what stands in front."""
    return dict(video.occluder.strips)


@pytest.mark.parametrize("level", range(1, 6))
def test_bars_cover_the_share_that_they_say(level):
    stress = Stress("bars", level)
    left = things_px(stress_video(RECORDED, stress)) / things_px(RECORDED)
    assert 1 - left == pytest.approx(stress.value / 100, abs=0.02)


def test_bars_grow_where_they_stand():
    covers = []
    for level in range(1, 6):
        cover = np.zeros(416, dtype=bool)
        for left, width in strips(stress_video(RECORDED, Stress("bars", level))).items():
            cover[left : left + width] = True
        covers.append(cover)
    for mild, strong in pairwise(covers):
        assert mild.sum() < strong.sum()
        assert not (mild & ~strong).any()


def test_bars_need_no_things():
    empty = DrawnVideo([[]] * 3)
    stressed = stress_video(empty, Stress("bars", 3))
    assert np.mean(stressed.truth(0).codes == VOID_CODE) == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("level", range(1, 6))
def test_poles_are_as_many_as_they_say_and_stay(level):
    stress = Stress("poles", level)
    poles = stress_video(RECORDED, stress).occluder.strips
    assert len(poles) == stress.value
    assert {width for _, width in poles} <= {1, 2, 3, 4}
    strongest = stress_video(RECORDED, Stress("poles", 5)).occluder.strips
    assert poles == strongest[: len(poles)]


def test_seeds_and_names_move_what_stands():
    video = plain()
    lefts = {
        stress_video(replace(video, name=name), Stress("poles", 1, seed)).occluder.strips
        for name in ("a", "b")
        for seed in (0, 1)
    }
    assert len(lefts) == 4


@pytest.mark.parametrize("level", range(1, 5))
def test_each_chosen_thing_vanishes_whole_for_the_gap_and_no_longer(level):
    stressed = stress_video(RECORDED, Stress("passing", level))
    gap = int(Stress("passing", level).value)
    assert len(stressed.occluder.spells) >= 3
    for spell in stressed.occluder.spells:
        before = [count(RECORDED, index, spell.code) > 0 for index in range(FRAMES)]
        after = [count(stressed, index, spell.code) > 0 for index in range(FRAMES)]
        gone = [index for index in range(FRAMES) if before[index] and not after[index]]
        assert gone == list(range(spell.start, spell.start + gap))


def test_a_block_comes_from_one_side_and_leaves_to_the_other():
    # A car of 12 x 12 pixels that stands still; its block has two pixels more to each side and 8 %
    # of 12, rounded up: 18 x 18.
    still = DrawnVideo([[Box(1, 40)]] * 8)
    stressed = stress_video(still, Stress("passing", 1))
    (spell,) = stressed.occluder.spells
    patches = {index: stressed.occluder.patches(index) for index in range(8)}
    assert [index for index in range(8) if patches[index]] == list(
        range(max(0, spell.start - 2), min(8, spell.start + 3))
    )
    (over,) = patches[spell.start]
    assert (over.top, over.left, over.mask.shape) == (7, 37, (18, 18))
    (before,), (after,) = patches[spell.start - 1], patches[spell.start + 1]
    assert {before.left, after.left} == {37 - 9, 37 + 9}
    assert visible_fractions(stressed, spell.start) == {CAR_1: 0.0}
    assert visible_fractions(stressed, spell.start + 1) == {CAR_1: pytest.approx(0.5, abs=0.01)}


def test_gaps_longer_than_the_video_are_refused():
    stress_video(plain(9), Stress("passing", 3))
    with pytest.raises(ConfigError, match=r"for 6 frames, but the video has 8; .*at least 9"):
        stress_video(plain(8), Stress("passing", 3))


def test_what_is_seen_too_shortly_is_left_alone():
    # Car 2 is seen in three frames: there is no gap of three with a sighting on both sides.
    scene = [[Box(1, 10), *([Box(2, 60)] if t < 3 else [])] for t in range(9)]
    stressed = stress_video(DrawnVideo(scene), Stress("passing", 2))
    assert [spell.code for spell in stressed.occluder.spells] == [CAR_1]


@pytest.mark.parametrize("level", range(1, 6))
def test_cut_outs_cover_the_share_that_they_say(level):
    stress = Stress("pasted", level)
    stressed = stress_video(RECORDED, stress)
    assert stressed.occluder.pastes
    for paste in stressed.occluder.pastes:
        assert paste.donor != paste.spell.code
        for index in range(paste.spell.start, paste.spell.stop):
            whole = count(RECORDED, index, paste.spell.code)
            left = count(stressed, index, paste.spell.code)
            # Cut-outs are scaled to whole pixels, so small things are covered in coarse steps.
            tolerance = max(0.08, 4 / whole)
            assert 1 - left / whole == pytest.approx(stress.value / 100, abs=tolerance)


def test_cut_outs_go_over_the_same_things_at_every_level():
    pastes = {
        stress_video(RECORDED, Stress("pasted", level)).occluder.pastes for level in range(1, 6)
    }
    assert len(pastes) == 1


def test_a_cut_out_is_of_the_same_class_if_there_is_one():
    for paste in stress_video(RECORDED, Stress("pasted", 3)).occluder.pastes:
        assert paste.donor >> ID_BITS == paste.spell.code >> ID_BITS


def test_a_lonely_thing_is_covered_by_itself():
    stressed = stress_video(DrawnVideo([[Box(1, 40)]] * 6), Stress("pasted", 5))
    (paste,) = stressed.occluder.pastes
    assert paste.donor == CAR_1
    assert count(stressed, paste.spell.start, CAR_1) == 0


@pytest.mark.parametrize("name", OCCLUSION)
def test_image_and_truth_are_covered_alike(name):
    stressed = stress_video(RECORDED, Stress(name, 3))
    for index in range(0, FRAMES, 3):
        images, truths = changed(RECORDED, stressed, index)
        is_void = stressed.truth(index).codes == VOID_CODE
        assert not (truths & ~is_void).any()
        assert not (images & ~is_void).any()
        # What is drawn may by chance have the colour of what was there.
        assert np.count_nonzero(truths & ~images) <= 0.02 * np.count_nonzero(truths)


@pytest.mark.parametrize("name", OCCLUSION)
def test_masks_without_images_are_covered_the_same(name):
    blind, seeing = (
        stress_video(plain(with_images=flag), Stress(name, 2)) for flag in (False, True)
    )
    assert not blind.frame(0).has_image
    for index in range(8):
        assert np.array_equal(blind.truth(index).codes, seeing.truth(index).codes)


@pytest.mark.parametrize("name", OCCLUSION)
def test_before_recorded_frames_it_is_void(name):
    assert occluder_label(stress_video(RECORDED, Stress(name, 1))) == "void"


@pytest.mark.parametrize(
    ("name", "label"), [("bars", "wall"), ("poles", "pole"), ("passing", "truck")]
)
def test_in_a_known_video_it_has_a_class(name, label):
    video = known()
    stressed = stress_video(video, Stress(name, 2))
    assert occluder_label(stressed) == label
    code = KITTI.by_name(label).class_id << ID_BITS
    index = next(index for index in range(8) if stressed.occluder.patches(index))
    _, truths = changed(video, stressed, index)
    assert truths.any()
    assert (stressed.truth(index).codes[truths] == code).all()


def test_in_a_label_space_without_a_fitting_class_it_is_another_or_void():
    small = label_space("motchallenge-step")
    scene = [[Box(1, 40 + 2 * t, class_id=4)] for t in range(8)]
    video = replace(known(), scene=scene, labels=small)
    labels = [occluder_label(stress_video(video, Stress(name, 1))) for name in OCCLUSION]
    assert labels == ["building", "building", "building", "person"]


def test_in_a_known_video_a_cut_out_is_a_tracked_thing_in_front():
    video = known(8, 5, 40)
    stressed = stress_video(video, Stress("pasted", 3))
    assert occluder_label(stressed) == "car"
    codes = {paste.code for paste in stressed.occluder.pastes}
    assert codes
    assert codes <= {13 << ID_BITS | track for track in (3, 4)}
    paste = stressed.occluder.pastes[0]
    index = paste.spell.stop - 1
    entry = next(entry for entry in stressed.objects(index) if entry.code == paste.code)
    donor = next(entry for entry in video.objects(index) if entry.code == paste.donor)
    assert entry.depth < min(entry.depth for entry in video.objects(index))
    assert entry.speed == pytest.approx(2)  # it keeps abreast of a car that moves by 2 pixels
    assert entry.look_alike == donor.look_alike
    assert entry.visible_px == count(stressed, index, paste.code)
    first = next(entry for entry in stressed.objects(paste.spell.start) if entry.code == paste.code)
    assert np.isnan(first.speed)


@pytest.mark.parametrize("name", OCCLUSION)
def test_the_flow_is_valid_where_both_frames_are_free(name):
    video = known(8)
    stressed = stress_video(video, Stress(name, 2))
    was_cut = False
    for index in range(1, 8):
        whole, cut = video.backward_flow(index), stressed.backward_flow(index)
        assert np.array_equal(whole.flow, cut.flow)
        assert not (cut.valid & ~whole.valid).any()
        covers = [changed(video, stressed, at)[1] for at in (index, index - 1)]
        assert not (cut.valid & covers[0]).any()
        rows, columns = np.nonzero(cut.valid)
        across, down = cut.flow[rows, columns].astype(int).T
        assert not covers[1][rows + down, columns + across].any()
        was_cut = was_cut or (cut.valid != whole.valid).any()
        forward = stressed.forward_flow(index - 1)
        assert not (forward.valid & covers[1]).any()
    assert was_cut


def test_visible_fractions_are_what_is_left_of_the_mask():
    video = plain(8)
    stressed = stress_video(video, Stress("bars", 4))
    for index in range(8):
        expected = {code: count(stressed, index, code) / 144 for code in (CAR_1, CAR_2)}
        assert visible_fractions(stressed, index) == pytest.approx(expected)


def test_visible_fractions_of_a_known_video_are_of_the_whole_silhouette():
    # Car 2 hides 6 of the 12 columns of car 1 before anything is put in front.
    video = replace(known(), scene=[[Box(1, 40), Box(2, 46)]] * 8)
    assert visible_fractions(video, 0) == {CAR_1: 0.5, CAR_2: 1.0}
    stressed = stress_video(video, Stress("bars", 3))
    expected = {code: count(stressed, 0, code) / 144 for code in (CAR_1, CAR_2)}
    assert visible_fractions(stressed, 0) == pytest.approx(expected)
    assert expected[CAR_1] < 0.5


def test_two_occluders_multiply_and_a_filter_keeps_what_is_known():
    video = plain(8)
    once = stress_video(video, Stress("bars", 2))
    twice = stress_video(once, Stress("poles", 3))
    noisy = stress_video(twice, Stress("noise", 1))
    assert occluder_label(noisy) == "void"
    for index in range(8):
        expected = {code: count(twice, index, code) / 144 for code in (CAR_1, CAR_2)}
        assert visible_fractions(twice, index) == pytest.approx(expected)
        assert visible_fractions(noisy, index) == visible_fractions(twice, index)


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(OCCLUSION),
    level=st.integers(1, 3),
    seed=st.integers(0, 1000),
    starts=st.lists(st.integers(0, 80), min_size=1, max_size=2),
)
def test_things_only_lose_pixels(name, level, seed, starts):
    video = plain(9, *starts)
    stressed = stress_video(video, Stress(name, level, seed))
    for index in range(9):
        fractions = visible_fractions(stressed, index)
        assert list(fractions) == tracked(video, index)
        codes, before = stressed.truth(index).codes, video.truth(index).codes
        assert ((codes == before) | (codes == VOID_CODE)).all()
        for code, share in fractions.items():
            left, whole = (int(np.count_nonzero(found == code)) for found in (codes, before))
            assert share == pytest.approx(left / whole)


def test_real_frames_are_covered_alike():
    folder = shared_folder("data", "kitti_step_0001")
    (video,) = open_videos(folder, KITTI)
    stressed = stress_video(video, Stress("bars", 3))
    assert 1 - things_px(stressed) / things_px(video) == pytest.approx(0.4, abs=0.02)
    stressed = stress_video(video, Stress("passing", 2))
    assert stressed.occluder.spells
    for spell in stressed.occluder.spells:
        seen = [count(stressed, index, spell.code) > 0 for index in range(10)]
        assert [index for index in range(10) if count(video, index, spell.code) > 0] == [
            index for index in range(10) if seen[index] or spell.start <= index < spell.stop
        ]
        assert not any(seen[spell.start : spell.stop])
