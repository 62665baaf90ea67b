import itertools
import random

import pytest

from mapt_bench.reports.label_placement import Box, place_labels

FRAME = Box(0, 0, 800, 600)


def overlap(one, other):
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.top, other.top) - max(one.bottom, other.bottom)
    return max(width, 0) * max(height, 0)


def enters(start, end, box):
    """Whether any of many points of a line is inside a box."""
    points = [
        tuple(a + (b - a) * at / 1000 for a, b in zip(start, end, strict=True))
        for at in range(1001)
    ]
    return any(box.left < x < box.right and box.bottom < y < box.top for x, y in points)


def test_a_lone_label_stands_right_of_its_point_without_a_line():
    [label] = place_labels([(400, 300)], [(60, 12)], FRAME)
    assert label.box == Box(410, 294, 470, 306)
    assert label.leader is None


def test_a_label_at_the_right_edge_goes_to_the_left():
    [label] = place_labels([(790, 300)], [(60, 12)], FRAME)
    assert label.box.right == 780


def test_far_labels_end_their_line_at_the_box():
    points = [(400 + 3 * at, 300 + 2 * at) for at in range(12)]
    labels = place_labels(points, [(80, 12)] * 12, FRAME)
    far = [label for label in labels if label.leader is not None]
    assert far
    for label in far:
        x, y = label.leader
        assert label.box.left <= x <= label.box.right
        assert label.box.bottom <= y <= label.box.top


@pytest.mark.parametrize("seed", range(5))
def test_labels_of_scattered_points_cover_nothing(seed):
    rng = random.Random(seed)  # noqa: S311 - a test's layout, no secret
    points = [(rng.uniform(100, 700), rng.uniform(100, 500)) for _ in range(14)]
    labels = place_labels(points, [(90, 13)] * 14, FRAME)
    for one, other in itertools.combinations(labels, 2):
        assert overlap(one.box, other.box) == 0
    for label, (x, y) in itertools.product(labels, points):
        assert overlap(label.box, Box(x - 6, y - 6, x + 6, y + 6)) == 0
        assert overlap(label.box, FRAME) == pytest.approx(90 * 13)


def test_no_line_runs_through_the_label_of_another_point_in_a_corner():
    points = [(790, 590), (788, 583), (776, 574), (760, 568), (748, 558)]
    sizes = [(150, 40), (150, 80), (100, 26), (100, 26), (90, 26)]
    labels = place_labels(points, sizes, FRAME)
    for (point, one), other in itertools.product(zip(points, labels, strict=True), labels):
        assert one is other or overlap(one.box, other.box) == 0
        if one.leader is not None and other is not one:
            assert not enters(point, one.leader, other.box)


def test_a_vertical_line_and_points_at_one_position_are_no_special_case():
    points = [(400.0, 300.0)] * 4 + [(400.0, 340.0)] * 2
    labels = place_labels(points, [(90, 13)] * 6, FRAME)
    for one, other in itertools.combinations(labels, 2):
        assert overlap(one.box, other.box) == 0


def test_no_points_have_no_labels():
    assert place_labels([], [], FRAME) == []


def test_a_label_does_not_cover_a_line():
    corners = [(400.0, 300.0), (500.0, 300.0)]
    [label] = place_labels([corners[0]], [(60, 12)], FRAME, lines=[corners])
    assert not (label.box.bottom < 300 < label.box.top and label.box.right > 400)
