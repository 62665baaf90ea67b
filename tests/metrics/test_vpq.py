import pytest
from helpers.films import headline, score
from helpers.maps import CAR, KITTI

from mapt_bench.metrics.scores import vpq_block

ROW = KITTI.class_ids.index(CAR)


def car(gt, pred, window):
    """(sum of IoU, tp, fp, fn) of cars over windows of so many frames."""
    counts = score(gt, pred).windows[window - 1]
    values = (counts.iou_sum[ROW], counts.tp[ROW], counts.fp[ROW], counts.fn[ROW])
    return tuple(pytest.approx(float(value)) for value in values)


GT = "c1 c1 r | c1 c1 r | c1 c1 r"
SWITCHED = "c1 c1 r | c1 c1 r | c2 c2 r"


def test_a_switch_costs_nothing_in_single_frames():
    assert car(GT, SWITCHED, 1) == (3, 3, 0, 0)


def test_windows_of_two_slide_by_one_frame():
    # frames 1-2: a perfect tube; frames 2-3: both halves cover 2 of 4 pixels, exactly one half
    assert car(GT, SWITCHED, 2) == (1, 1, 2, 1)


def test_a_window_of_three_joins_tubes():
    # tube of 6 pixels, 4 of them found: 4/6; the other half is a false alarm
    assert car(GT, SWITCHED, 3) == (4 / 6, 1, 1, 0)


def test_a_sequence_shorter_than_the_window_adds_nothing():
    counts = score(GT, SWITCHED).windows[3]
    assert not counts.occurs.any()
    block = vpq_block(score(GT, SWITCHED).windows, KITTI)
    assert block["window_4"]["All"] is None
    assert block["mean_over_windows"]["All"] is None
    assert headline(GT, SWITCHED)["VPQ"] is None


def test_the_void_rule_applies_to_the_tube():
    gt = "v v r r | r r r r"
    pred = "c9 r r r | c9 c9 r r"
    # alone, the first is wholly void and excused; as a tube only 1 of 3 pixels is void
    assert car(gt, pred, 1) == (0, 0, 1, 0)
    assert car(gt, pred, 2) == (0, 0, 1, 0)
    mostly_void = "c9 c9 r r | c9 r r r"
    assert car(gt, mostly_void, 1) == (0, 0, 1, 0)  # the second frame's
    assert car(gt, mostly_void, 2) == (0, 0, 0, 0)  # 2 of 3 pixels are void


def test_mean_is_over_window_sizes():
    gt = "c1 r | c1 r | c1 r | c1 r"
    pred = "c1 r | c1 r | c2 r | c2 r"
    # Road is perfect at every size. Cars by size:
    # 1: all match, 1.0
    # 2: (1,2) 1.0, (2,3) one half twice: fn 1 fp 2, (3,4) 1.0 -> 2 / (2 + 1 + 1/2) = 4/7
    # 3: both windows 2/3 and one false alarm each -> (4/3) / (2 + 1) = 4/9
    # 4: 2 of 4 twice: nothing matches -> 0
    cars = (1, 4 / 7, 4 / 9, 0)
    expected = sum((1 + quality) / 2 for quality in cars) / 4
    assert headline(gt, pred)["VPQ"] == pytest.approx(expected)
    block = vpq_block(score(gt, pred).windows, KITTI)
    assert block["mean_over_windows"]["Things"] == pytest.approx(sum(cars) / 4)
    assert block["mean_over_windows"]["Stuff"] == 1
