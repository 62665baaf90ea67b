from dataclasses import replace

import pytest
from helpers.films import film, overlap_of
from helpers.maps import CAR, PERSON

from mapt_bench.metrics.detections import detections_of_class
from mapt_bench.metrics.matching import segment_table


def cars(gt, pred, class_id=CAR):
    return detections_of_class(segment_table(overlap_of(gt, pred)), class_id)


def test_masks_and_pairs_by_hand():
    found = cars("c4 c4 r  c9 | r c9 r r", "c5 r  r c5 | r c5 c7 r")
    # Tracks are renumbered from 0 in the order of their ids; masks are ordered by frame.
    assert found.gt_track.tolist() == [0, 1, 1]
    assert found.gt_frame.tolist() == [0, 0, 1]
    assert found.pred_track.tolist() == [0, 0, 1]
    assert found.pred_frame.tolist() == [0, 1, 1]
    # frame 1: id 5 has one pixel of both cars: 1/3 and 1/2; frame 2: the same pixel
    assert found.pair_gt.tolist() == [0, 1, 2]
    assert found.pair_pred.tolist() == [0, 0, 1]
    assert found.iou.tolist() == pytest.approx([1 / 3, 1 / 2, 1])


def test_classes_are_apart():
    found = cars("c1 p1", "p1 c1")
    assert (len(found.gt_track), len(found.pred_track), len(found.iou)) == (1, 1, 0)
    assert cars("c1 p1", "c1 p1", PERSON).iou.tolist() == [1]


def test_crowd_is_no_detection():
    assert len(cars("c0 c0", "r r").gt_track) == 0


@pytest.mark.parametrize(
    ("gt", "kept"),
    [
        ("v v v r", 0),
        ("v v r r", 1),  # exactly half
        ("c0 c0 c0 r", 0),
        ("p0 p0 p0 r", 0),  # crowd of any class
        ("v p0 c0 r", 0),
    ],
)
def test_predictions_mostly_on_void_or_crowd_are_dropped(gt, kept):
    assert len(cars(gt, "c5 c5 c5 c5").pred_track) == kept


def test_void_stays_in_the_union():
    # 2 shared of 2 + 4 - 2, void not subtracted; half on void is not more than half
    found = cars("c1 c1 v v", "c5 c5 c5 c5")
    assert found.iou.tolist() == [1 / 2]
    # 4 of 9: no match, and 5 of 9 pixels on void
    gt = "c1 c1 c1 c1 v v v v v"
    assert len(cars(gt, "c5 c5 c5 c5 c5 c5 c5 c5 c5").pred_track) == 0


def test_ambiguous_frames_are_those_with_a_contested_mask():
    found = cars("c1 c1 | c1 c1 | c1 c2", "c5 c6 | c5 c5 | c5 c5")
    assert found.ambiguous_frames(found.iou > 0).tolist() == [0, 2]
    assert found.ambiguous_frames(found.iou > 0.5).tolist() == []


def test_empty_masks_are_detections_of_their_class_without_pairs():
    empty = frozenset({CAR << 24 | 9, PERSON << 24 | 8})
    gt = [replace(frame, empty=empty) for frame in film("c4 r | r r")]
    found = cars(gt, film("c5 r | r r"))
    assert (found.gt_track.tolist(), found.gt_frame.tolist()) == ([0, 1, 1], [0, 0, 1])
    assert len(found.pred_track) == len(found.iou) == 1
