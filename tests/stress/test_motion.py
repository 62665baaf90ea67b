import numpy as np
import pytest
from helpers.scenes import Box, DrawnVideo
from helpers.stress import CAR_1, RECORDED, VOID_CODE, boxes, known, plain
from hypothesis import given, settings
from hypothesis import strategies as st

from mapt_bench.errors import ConfigError
from mapt_bench.labels import AnnotatedVideo
from mapt_bench.stress import Stress, occluder_label, stress_video, visible_fractions


@pytest.mark.parametrize("level", range(1, 6))
def test_image_and_truth_shake_alike(level):
    video = plain(10)
    stressed = stress_video(video, Stress("shake", level))
    reach = {1: 1, 2: 1, 3: 2, 4: 4, 5: 6}[level]  # of 48 rows
    shifts = [stressed.shift(index) for index in range(10)]
    assert max(abs(part) for shift in shifts for part in shift) <= reach
    assert len(set(shifts)) > 3
    for index, (x, y) in enumerate(shifts):
        # Padded with void and repeated borders, then cut out of the middle.
        codes = np.pad(video.truth(index).codes, 9, constant_values=VOID_CODE)
        image = np.pad(video.frame(index).image, ((9, 9), (9, 9), (0, 0)), mode="edge")
        place = np.s_[9 - y : 57 - y, 9 - x : 105 - x]
        assert np.array_equal(stressed.truth(index).codes, codes[place])
        assert np.array_equal(stressed.frame(index).image, image[place])
    assert occluder_label(stressed) == "void"


def test_a_shake_grows_with_the_level():
    shifts = [stress_video(plain(), Stress("shake", level)).shift(3) for level in (2, 5)]
    # 2 % and 12 % of 48 rows: 1 and 5.76 pixels in the same direction.
    assert np.linalg.norm(shifts[1]) > np.linalg.norm(shifts[0])
    assert np.dot(*shifts) >= 0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 500), level=st.integers(1, 5), start=st.integers(-6, 90))
def test_shaken_flow_leads_to_the_same_thing(seed, level, start):
    stressed = stress_video(known(4, start, 30), Stress("shake", level, seed))
    for index, other, field in (
        (2, 1, stressed.backward_flow(2)),
        (1, 2, stressed.forward_flow(1)),
    ):
        rows, columns = np.nonzero(field.valid)
        across, down = field.flow[rows, columns].astype(int).T
        here, there = stressed.truth(index).codes, stressed.truth(other).codes
        assert rows.size
        assert (there[rows + down, columns + across] == here[rows, columns]).all()
        assert (here[rows, columns] != VOID_CODE).all()


def test_shaken_objects_are_shifted_and_cut():
    video = known(6, 1, 40)  # car 1 begins one pixel from the left border
    stressed = stress_video(video, Stress("shake", 5, 2))
    for index in range(1, 6):
        (x, y), (last_x, last_y) = stressed.shift(index), stressed.shift(index - 1)
        for plain_entry, entry in zip(video.objects(index), stressed.objects(index), strict=True):
            assert entry.top == plain_entry.top + y
            assert entry.left == max(0, plain_entry.left + x)
            cut = max(0, -(plain_entry.left + x))
            assert entry.amodal.shape == (12, 12 - cut)
            assert entry.visible_px == 12 * (12 - cut)
            assert entry.speed == pytest.approx(np.hypot(2 + x - last_x, y - last_y))


def test_a_thing_shaken_out_of_the_frame_is_no_object():
    video = known(6, -11, 40)  # one column of car 1 is inside
    shakes = (stress_video(video, Stress("shake", 5, seed)) for seed in range(50))
    stressed = next(shaken for shaken in shakes if shaken.shift(0)[0] < 0)
    assert CAR_1 not in {entry.code for entry in stressed.objects(0)}
    assert CAR_1 not in visible_fractions(stressed, 0)


@pytest.mark.parametrize(("seed", "first"), [(0, 0), (1, 1), (4, 1), (5, 2)])
def test_the_seed_is_the_phase_of_dropped_frames(seed, first):
    stressed = stress_video(plain(8), Stress("drop", 2, seed))
    assert stressed.info.frame_names[0] == f"{first:06d}"
    assert stressed.tau == 3


def test_videos_too_short_to_drop_from_are_refused():
    assert stress_video(plain(4), Stress("drop", 2)).info.frame_count == 2
    with pytest.raises(ConfigError, match=r"one frame in 3, from position 0 on, of 3; .*4"):
        stress_video(plain(3), Stress("drop", 2))


def test_what_is_known_between_kept_frames():
    stressed = stress_video(known(8), Stress("drop", 2))  # frames 0, 3 and 6
    assert isinstance(stressed, AnnotatedVideo)
    assert [entry.speed for entry in stressed.objects(1)] == [6, 6]  # three times 2 pixels
    assert np.isnan([entry.speed for entry in stressed.objects(0)]).all()
    back, ahead = stressed.backward_flow(1), stressed.forward_flow(0)
    car = stressed.truth(1).codes == CAR_1
    assert (back.flow[car] == (-6, 0)).all()
    assert back.valid[car].all()
    assert (ahead.flow[stressed.truth(0).codes == CAR_1] == (6, 0)).all()
    for flow, index in ((stressed.backward_flow, 0), (stressed.forward_flow, 2)):
        with pytest.raises(Exception, match="no frame"):
            flow(index)


def test_a_thing_is_blurred_along_its_motion():
    # A car of one colour that falls: its upper and lower edges blur, left and right ones do not,
    # except by the blur of the ground, which goes sideways everywhere.
    scene = [[Box(1, 40, 4 + 6 * t, 12, 12, color=(255, 255, 255))] for t in range(5)]
    video = DrawnVideo(scene)
    stressed = stress_video(video, Stress("blur", 5))  # 7 pixels
    before, after = (side.frame(2).image.astype(int) for side in (video, stressed))
    difference = np.abs(after - before).sum(axis=2)
    assert difference[15, 46] > 60  # a row above the car
    assert difference[28, 46] > 60  # a row below it
    assert np.array_equal(stressed.truth(2).codes, video.truth(2).codes)


def test_blur_keeps_the_mean():
    video = RECORDED
    stressed = stress_video(video, Stress("blur", 4))
    assert stressed.frame(5).image.mean() == pytest.approx(video.frame(5).image.mean(), abs=2)


def test_boxes_move_as_the_tests_think():
    assert [frame[0].x for frame in boxes(3, 10)] == [10, 12, 14]
