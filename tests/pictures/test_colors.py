from itertools import combinations

import numpy as np
from helpers.films import film
from helpers.maps import KITTI

from mapt_bench.metrics import count_overlap
from mapt_bench.pictures import match_tracks
from mapt_bench.pictures.track_colors import Palette, identity_color

CAR = 13 << 24


def palette(gt, pred):
    frames = zip(film(gt), film(pred), strict=True)
    return Palette(match_tracks([count_overlap(*pair, KITTI) for pair in frames], KITTI))


def distance(left, right):
    return float(np.abs(np.subtract(left, right)).sum())


def test_neighbouring_identities_are_far_apart():
    for first in (1, 40, 13001, 70000):
        colors = [identity_color(CAR | first + step) for step in range(8)]
        assert min(distance(*pair) for pair in combinations(colors, 2)) > 60


def test_a_faithful_prediction_looks_like_the_truth_whatever_its_numbers():
    own = palette("c1 r | c1 c2", "c8 r | c8 c1")
    assert own.color(CAR | 8) == identity_color(CAR | 1)
    assert own.color(CAR | 1) == identity_color(CAR | 2)


def test_a_track_lends_its_colour_once_and_an_identity_keeps_it():
    # Identity 5 finds car 1, then is on car 2, which 6 takes up afterwards.
    own = palette("c1 r | r c2 | r c2", "c5 r | r c5 | r c6")
    assert own.color(CAR | 5) == identity_color(CAR | 1)
    assert own.color(CAR | 6) == identity_color(CAR | 2)
    late = palette("c1 | c1", "c5 | c6")
    assert late.color(CAR | 5) == identity_color(CAR | 1)
    assert distance(late.color(CAR | 6), identity_color(CAR | 1)) > 60


def test_identities_that_follow_each_other_on_an_object_look_different():
    own = palette(
        "c1 c2" + " | c1 c2" * 40, "c1 c2" + "".join(f" | c{i} c{i + 1}" for i in range(3, 83, 2))
    )
    colors = [own.color(CAR | number) for number in range(3, 83)]
    assert min(distance(*pair) for pair in zip(colors, colors[2:], strict=False)) > 60


def test_a_colour_stays_whatever_is_asked_before():
    first, second = (palette("c1 | c1", "c5 | c6") for _ in range(2))
    first.color(CAR | 77)
    assert [first.color(CAR | n) for n in (5, 6, 9)] == [second.color(CAR | n) for n in (5, 6, 9)]


def test_what_borrows_nothing_does_not_look_like_a_track():
    own = palette("c1 c2 c3 | c1 c2 c3", "c7 c8 c9 | c1 c2 c3")
    lent = [identity_color(CAR | number) for number in (1, 2, 3)]
    for number in (1, 2, 3):
        assert min(distance(own.color(CAR | number), color) for color in lent) > 60
