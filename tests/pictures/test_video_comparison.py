import numpy as np
import pytest
from helpers.scenes import Box, DrawnVideo

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import PanopticMap
from mapt_bench.pictures import Prediction, VideoComparison
from mapt_bench.pictures.track_colors import INK, MISSED, Palette, identity_color

CAR = 13 << 24
SCENE = [[Box(1, x=8 + 6 * step), Box(2, x=80 - 6 * step, y=30)] for step in range(4)]
VIDEO = DrawnVideo(SCENE)


def switching(index):
    """Car 1 is called 5, then 6 from frame 2 on; car 2 is missed at frame 1."""
    codes = VIDEO.truth(index).codes.copy()
    codes[codes == CAR | 1] = CAR | (5 if index < 2 else 6)
    if index == 1:
        codes[codes == CAR | 2] = 0
    return PanopticMap(codes)


PREDICTION = Prediction("mine", switching)


def holds(picture, color):
    return bool((picture == np.array(color)).all(axis=2).any())


def test_strip_has_a_row_a_side_and_a_column_a_frame():
    one = VideoComparison(VIDEO, [], [0], scale=1).strip()
    both = VideoComparison(VIDEO, [PREDICTION], [0, 1, 3], scale=1).strip()
    assert both.shape[0] > 2 * one.shape[0] - 10
    assert both.shape[1] > 3 * one.shape[1] - 20


def test_scale():
    small, large = (VideoComparison(VIDEO, [], [0], scale=scale).strip() for scale in (1, 3))
    assert large.shape[1] - small.shape[1] == 2 * 96
    assert large.shape[0] - small.shape[0] == 2 * 48


def test_a_focus_shows_the_surroundings_of_an_object_in_a_box():
    page = VideoComparison(VIDEO, [PREDICTION], [0, 1], focus=CAR | 2).strip()
    assert page.shape[1] == 2 * 480 + 3 * 6
    bare = DrawnVideo(SCENE, with_images=False)
    left = VideoComparison(bare, [], [0, 1], focus=CAR | 1).strip()
    assert holds(left, identity_color(CAR | 1))
    assert not holds(left, identity_color(CAR | 2))  # on the other side of the frame
    whole = VideoComparison(bare, [], [0, 1], focus=CAR | 99).strip()  # it is in no frame
    assert holds(whole, identity_color(CAR | 2))
    assert not holds(whole, (0, 0, 0))
    assert holds(left, (0, 0, 0))


def test_identities_can_keep_the_colours_of_the_whole_video():
    bare = DrawnVideo(SCENE, with_images=False)
    (tracks,) = VideoComparison(bare, [PREDICTION], range(4)).tables
    color = Palette(tracks).color(CAR | 6)
    # In the last two frames alone, identity 6 is the first that matches car 1.
    alone = VideoComparison(bare, [PREDICTION], [2, 3], focus=CAR | 1).strip()
    assert not holds(alone, color)
    kept = Prediction("mine", switching, tracks)
    assert holds(VideoComparison(bare, [kept], [2, 3], focus=CAR | 1).strip(), color)


def test_small_frames_are_enlarged_by_a_whole_number():
    page, _ = VideoComparison(VIDEO, [], [0]).strip(), None
    assert (page.shape[1] - 12) % 96 == 0
    assert page.shape[1] > 300


def test_masks_alone_without_images():
    page = VideoComparison(DrawnVideo(SCENE, with_images=False), [], [0], scale=1).strip()
    assert holds(page, identity_color(CAR | 1))
    assert holds(page, identity_color(CAR | 2))


def test_prediction_in_the_colours_of_the_truth_until_it_switches():
    video = DrawnVideo(SCENE, with_images=False)
    comparison = VideoComparison(video, [PREDICTION], [0, 1, 2, 3], scale=1)
    first, _, switch, after = (page[page.shape[0] // 2 :] for page in comparison.animation())
    assert holds(first, identity_color(CAR | 1))
    assert holds(switch, identity_color(CAR | 1))  # on the badge
    assert not holds(after, identity_color(CAR | 1))
    own = comparison.tables[0]
    assert np.argwhere(own.switched).tolist() == [[0, 2]]


def test_switches_are_those_among_the_shown_frames():
    assert VideoComparison(VIDEO, [PREDICTION], [0, 3]).tables[0].switched.sum() == 1
    assert VideoComparison(VIDEO, [PREDICTION], [2, 3]).tables[0].switched.sum() == 0


def test_film_has_a_page_a_frame_of_one_size():
    pages = list(VideoComparison(VIDEO, [PREDICTION], [0, 1, 2]).animation())
    assert len(pages) == 3
    assert len({page.shape for page in pages}) == 1


def test_timeline_shows_bars_gaps_and_ticks():
    timeline = VideoComparison(VIDEO, [PREDICTION], range(4)).timeline()
    rows = timeline[: timeline.shape[0] - 40]  # without the legend
    assert holds(rows, identity_color(CAR | 1))
    assert holds(rows, MISSED)
    without = VideoComparison(VIDEO, [], range(4)).timeline()
    upper = without[: without.shape[0] - 70]
    assert not holds(upper, MISSED)
    assert holds(rows, INK)


def test_timeline_grows_by_a_row_a_track_and_a_section_a_prediction():
    one = VideoComparison(DrawnVideo([[Box(1, x=9)]]), [], [0]).timeline()
    two = VideoComparison(DrawnVideo([[Box(1, x=9), Box(2, x=50)]]), [], [0]).timeline()
    assert two.shape[0] - one.shape[0] == 24
    many = VideoComparison(VIDEO, [PREDICTION, PREDICTION], range(4)).timeline()
    assert many.shape[0] > VideoComparison(VIDEO, [PREDICTION], range(4)).timeline().shape[0] + 48


def test_timeline_without_any_track():
    assert VideoComparison(DrawnVideo([[]]), [], [0]).timeline().shape[2] == 3


def test_without_truth_the_prediction_is_shown_alone():
    video = DrawnVideo(SCENE, with_truth=False)
    comparison = VideoComparison(video, [PREDICTION], range(4))
    assert not comparison.tables[0].switched.any()
    assert comparison.strip().shape[2] == comparison.timeline().shape[2] == 3


def test_nothing_to_show():
    with pytest.raises(DataError, match=r"no panoptic maps.*--pred"):
        VideoComparison(DrawnVideo(SCENE, with_truth=False), [], [0])


def test_a_page_that_is_too_large():
    with pytest.raises(ConfigError, match=r"limit of 100,000,000; show fewer frames"):
        VideoComparison(VIDEO, [], range(4), scale=300).strip()


def test_same_bytes_twice():
    first, second = (VideoComparison(VIDEO, [PREDICTION], range(4)) for _ in range(2))
    assert (first.strip() == second.strip()).all()
    assert (first.timeline() == second.timeline()).all()
