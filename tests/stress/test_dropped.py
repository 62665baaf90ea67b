import numpy as np
import pytest
from helpers.small_runs import walk

from mapt_bench.errors import ConfigError
from mapt_bench.stress import DroppedVideo


def test_every_third_frame_from_the_second_on():
    whole = walk(8)
    kept = DroppedVideo(whole, tau=3, phase=1)
    # Frames 1, 4 and 7 of 0..7, counted anew.
    assert kept.info.frame_names == ("000001", "000004", "000007")
    assert kept.info.frame_count == 3
    assert [kept.whole_index(index) for index in range(3)] == [1, 4, 7]
    for index, of_whole in enumerate((1, 4, 7)):
        frame = kept.frame(index)
        assert (frame.index, frame.name) == (index, f"00000{of_whole}")
        assert np.array_equal(frame.image, whole.image(of_whole))
        assert np.array_equal(kept.truth(index).codes, whole.truth(of_whole).codes)


def test_the_phases_are_the_video_without_rest():
    names = [DroppedVideo(walk(7), 3, phase).info.frame_names for phase in range(3)]
    assert sorted(name for phase in names for name in phase) == list(walk(7).info.frame_names)


def test_interval_one_is_the_video():
    assert DroppedVideo(walk(4), 1, 0).info == walk(4).info


def test_no_images_stay_no_images():
    assert not DroppedVideo(walk(4, with_images=False), 2, 0).frame(1).has_image


@pytest.mark.parametrize(("tau", "phase"), [(0, 0), (2, 2), (2, -1)])
def test_impossible_phases_are_refused(tau, phase):
    with pytest.raises(ConfigError, match=f"phase {phase} of interval {tau}"):
        DroppedVideo(walk(4), tau, phase)
