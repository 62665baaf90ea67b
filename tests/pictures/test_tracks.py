"""Tracks and their partners, worked by hand."""

import numpy as np
from helpers.films import film
from helpers.maps import KITTI

from mapt_bench.labels import ID_LIMIT
from mapt_bench.metrics import count_overlap
from mapt_bench.metrics.matching import count_switches, segment_table
from mapt_bench.metrics.overlap import join_frames
from mapt_bench.metrics.pq import panoptic_matches
from mapt_bench.pictures import match_tracks

CAR, PERSON = 13 << 24, 11 << 24
GT = "c1 c1 r p2 | c1 c1 r p2 | c1 c1 r r  | c1 c1 r p2 | r  r  r p2"
PRED = "c5 c5 r p2 | c6 c6 r r  | c6 r  r r  | c5 c5 r p9 | c5 r  r p9"


def tables(gt, pred):
    return [count_overlap(*pair, KITTI) for pair in zip(film(gt), film(pred), strict=True)]


def test_partners_gaps_and_switches():
    table = match_tracks(tables(GT, PRED), KITTI)
    assert table.codes.tolist() == [PERSON | 2, CAR | 1]  # both at once: by code
    assert table.visible.tolist() == [[True, True, False, True, True], [True] * 4 + [False]]
    # At frame 2 car 6 covers one pixel of two: an IoU of exactly one half is no match.
    assert table.partner.tolist() == [
        [PERSON | 2, -1, -1, PERSON | 9, PERSON | 9],
        [CAR | 5, CAR | 6, -1, CAR | 5, -1],
    ]
    assert table.before.tolist() == [
        [-1, PERSON | 2, PERSON | 2, PERSON | 2, PERSON | 9],
        [-1, CAR | 5, CAR | 6, CAR | 6, CAR | 5],
    ]
    assert table.switched.tolist() == [
        [False, False, False, True, False],
        [False, True, False, True, False],
    ]


def test_switches_are_as_many_as_the_metric_counts():
    overlap = join_frames(tables(GT, PRED), KITTI)
    segments = segment_table(overlap)
    counted = count_switches(segments, panoptic_matches(segments), over_gaps=True)
    assert match_tracks(tables(GT, PRED), KITTI).switched.sum() == counted.count.sum() == 3


def test_crowd_stuff_and_void_are_no_tracks_and_order_is_of_appearance():
    gt = "c0 v r r | c0 v p7 c3"
    table = match_tracks(tables(gt, gt), KITTI)
    assert table.codes.tolist() == [PERSON | 7, CAR | 3]
    assert not table.switched.any()


def test_another_class_never_matches():
    table = match_tracks(tables("c1 c1", "p1 p1"), KITTI)
    assert table.partner.tolist() == [[-1]]


def test_nothing_there():
    table = match_tracks(tables("r v | r v", "c1 r | r c1"), KITTI)
    assert table.visible.shape == (0, 2)
    assert np.all(table.codes < ID_LIMIT)
