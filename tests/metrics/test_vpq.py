import numpy as np
import pytest
from helpers.films import film, headline, score
from helpers.maps import CAR, KITTI, random_maps

from mapt_bench.labels import PanopticMap
from mapt_bench.metrics import SequenceScorer, flat_scores
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


def test_the_windows_of_vipseg_by_hand():
    # One car in 8 frames; the prediction changes its identity after 6.
    gt = " | ".join(["c1 r"] * 8)
    pred = " | ".join(["c1 r"] * 6 + ["c2 r"] * 2)
    sums = counted(film(gt), film(pred), (1, 2, 4, 6, 8))
    values = [float(each.quality[ROW]) for each in sums.windows]
    # There are 7 windows of 2 frames. In 6 of them the tubes match. In one, two halves do not.
    # Of 5 windows of 4 frames, 3 match. One has 3 of 4 frames (IoU 3/4), one has two halves.
    # The 3 windows of 6 frames match in 6, 5 and 4 of 6. The window of 8 matches in 6 of 8.
    assert values == pytest.approx(
        [
            1,
            6 / (6 + 2 / 2 + 1 / 2),
            (3 + 3 / 4) / (4 + 3 / 2 + 1 / 2),
            (1 + 5 / 6 + 4 / 6) / (3 + 2 / 2),
            (6 / 8) / (1 + 1 / 2),
        ]
    )
    road = KITTI.class_ids.index(0)
    assert [float(each.quality[road]) for each in sums.windows] == [1] * 5
    means = [(value + 1) / 2 for value in values]
    assert flat_scores(sums, KITTI)["VPQ"] == pytest.approx(sum(means) / 5)


@pytest.mark.parametrize("seed", range(4))
def test_a_window_is_panoptic_quality_of_its_frames_side_by_side(seed):
    maps = random_maps(18, size=(4, 5), id_limit=3, seed=seed)
    gt, pred = maps[:9], maps[9:]
    for index in range(0, 9, 2):  # random maps never match
        pred[index] = gt[index]
    sums = counted(gt, pred, (2, 3, 5, 9))
    for window, found in zip((2, 3, 5, 9), sums.windows, strict=True):
        starts = range(9 - window + 1)
        parts = [
            counted(
                [side_by_side(gt[at : at + window])], [side_by_side(pred[at : at + window])], (1,)
            )
            for at in starts
        ]
        for name in ("iou_sum", "tp", "fp", "fn"):
            expected = sum(getattr(part.frames, name) for part in parts)
            assert getattr(found, name).tolist() == pytest.approx(expected.tolist())


def counted(gt, pred, windows):
    scorer = SequenceScorer(KITTI, windows)
    for pair in zip(gt, pred, strict=True):
        scorer.update(*pair)
    return scorer.result()


def side_by_side(maps):
    return PanopticMap(np.concatenate([each.codes for each in maps], axis=1))
