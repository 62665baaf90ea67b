"""Single pixels of painted maps."""

import numpy as np
import pytest
from helpers.maps import CAR, KITTI, ROAD, VOID, draw

from mapt_bench.labels import BACKGROUND_ID, pack_codes
from mapt_bench.pictures._painting import SwitchMark, hatched, paint
from mapt_bench.pictures.track_colors import CROWD, INK, PAPER

RED, BLUE = (255, 0, 0), (0, 0, 255)


def square(class_id=CAR, number=4):
    """A thing of 20x20 pixels in the middle of a road of 60x60."""
    classes, ids = np.full((60, 60), ROAD), np.zeros((60, 60), dtype=int)
    classes[20:40, 20:40], ids[20:40, 20:40] = class_id, number
    return pack_codes(classes, ids)


def painted(codes, **options):
    return paint(codes, KITTI, lambda code: RED, **options)


def test_a_thing_without_image_has_its_colour_and_a_light_contour():
    picture = painted(square())
    assert picture.dtype == np.uint8
    assert picture.shape == (60, 60, 3)
    assert tuple(picture[30, 30]) == RED
    for edge in (picture[20, 20:40], picture[39, 20:40], picture[20:40, 20], picture[20:40, 39]):
        assert (edge > 200).all()  # inside, and closed
    assert (picture[19, 30] < 130).all()


def test_no_contour_along_the_border_of_the_picture():
    codes = np.full((9, 9), CAR << 24 | 1, dtype=np.uint32)
    assert (painted(codes) == RED).all()


def test_a_thing_over_an_image_lets_it_through():
    image = np.zeros((60, 60, 3), dtype=np.uint8)
    image[30, 30] = 255
    picture = painted(square(), image=image)
    assert picture[30, 30, 1] > picture[30, 31, 1]
    assert picture[30, 31, 0] > 150
    assert picture[30, 31, 1] == 0


def test_stuff_is_dimmed():
    image = np.full((60, 60, 3), (250, 40, 40), dtype=np.uint8)
    corner = painted(square(), image=image)[0, 0].astype(int)
    assert corner[0] < 240
    assert corner[0] - corner[1] < 210


def test_crowd_is_grey_in_the_truth_only():
    assert tuple(painted(square(number=0), zero_is_crowd=True)[30, 30]) == CROWD
    assert tuple(painted(square(number=0))[30, 30]) == RED


def test_void_is_hatched_and_background_is_not():
    void = painted(square(VOID, 0))[22:38, 22:38]
    assert len(np.unique(void)) > 2
    background = painted(square(VOID, BACKGROUND_ID))[22:38, 22:38]
    assert (background == background[0, 0]).all()


def test_hatching_runs_diagonally():
    lines = hatched(16, 16)
    assert (lines[1:, :-1] == lines[:-1, 1:]).all()
    assert np.ptp(lines) > 50


def test_a_switch_has_a_double_outline_and_a_badge_of_both_colours():
    codes = square()
    picture = painted(codes, marks=[SwitchMark(int(codes[30, 30]), BLUE, RED)])
    assert [tuple(picture[row, 30]) for row in (42, 41, 40)] == [INK, PAPER, PAPER]
    above = picture[:19].reshape(-1, 3).tolist()
    assert list(BLUE) in above
    assert list(RED) in above
    left, right = picture[:19, :30].reshape(-1, 3).tolist(), picture[:19, 31:].reshape(-1, 3)
    assert list(BLUE) in left
    assert list(BLUE) not in right.tolist()
    assert (picture[30, 30] == painted(codes)[30, 30]).all()


@pytest.mark.parametrize("place", [np.s_[:3, :3], np.s_[-3:, -3:], np.s_[:, :]])
def test_marks_at_the_border_stay_inside(place):
    codes = np.zeros((9, 12), dtype=np.uint32)
    codes[place] = CAR << 24 | 1
    mark = SwitchMark(CAR << 24 | 1, BLUE, RED)
    assert painted(codes, marks=[mark]).shape == (9, 12, 3)


def test_a_mark_of_a_segment_lost_in_a_reduced_picture_is_left_out():
    codes = np.zeros((4, 4), dtype=np.uint32)
    mark = SwitchMark(CAR << 24 | 1, BLUE, RED)
    assert (painted(codes, marks=[mark]) == painted(codes)).all()


def test_a_single_pixel():
    assert painted(draw("v").codes).shape == (1, 1, 3)


def test_the_contour_of_a_tiny_segment_keeps_its_colour():
    codes = np.zeros((9, 9), dtype=np.uint32)
    codes[4, 4] = CAR << 24 | 1
    assert painted(codes)[4, 4, 1] < 120
