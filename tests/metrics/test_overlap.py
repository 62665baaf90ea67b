from collections import Counter

import numpy as np
import pytest
from helpers.films import film, overlap_of
from helpers.maps import KITTI, draw
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mapt_bench.errors import DataError, ProtocolError
from mapt_bench.labels import LabelClass, LabelSpace, PanopticMap, pack_codes
from mapt_bench.metrics import count_overlap
from mapt_bench.metrics.overlap import SegmentKinds, SequenceOverlap, join_frames


def code(class_id, identity=0):
    return class_id << 24 | identity


def as_dict(overlap):
    pairs = zip(overlap.gt_codes.tolist(), overlap.pred_codes.tolist(), strict=True)
    return dict(zip(pairs, overlap.pixels.tolist(), strict=True))


def test_counts_every_pair_of_segments():
    gt = draw("r  r  c1", "v  c1 c1")
    pred = draw("r  c5 c5", "r  c5 v")
    assert as_dict(count_overlap(gt, pred, KITTI)) == {
        (code(0), code(0)): 1,
        (code(0), code(13, 5)): 1,
        (code(13, 1), code(13, 5)): 2,  # the last of row 1, the middle of row 2
        (code(255), code(0)): 1,
        (code(13, 1), code(255)): 1,
    }


def test_identities_on_stuff_and_void_are_dropped():
    classes = np.array([[0, 0, 255, 255, 13, 13]])
    ids = np.array([[4, 9, 3, 0, 3, 0]])
    panoptic = PanopticMap(pack_codes(classes, ids))
    plain = PanopticMap(pack_codes(classes, np.array([[0, 0, 0, 0, 3, 0]])))
    expected = {
        (code(0), code(0)): 2,
        (code(255), code(255)): 2,
        (code(13, 3), code(13, 3)): 1,
        (code(13), code(13)): 1,
    }
    for gt in (panoptic, plain):
        for pred in (panoptic, plain):
            assert as_dict(count_overlap(gt, pred, KITTI)) == expected


def test_one_id_of_two_classes_is_two_segments():
    overlap = overlap_of("c7 p7", "c7 p7")
    assert overlap.gt.codes.tolist() == [code(11, 7), code(13, 7)]


def test_ids_above_16_bits_stay_apart():
    gt = PanopticMap(pack_codes(np.full((1, 3), 13), np.array([[1, 65535, 2**24 - 1]])))
    assert len(count_overlap(gt, gt, KITTI).pixels) == 3


def test_sizes_must_be_equal():
    with pytest.raises(ProtocolError, match=r"1x2 and prediction 2x1 \(height x width\)"):
        count_overlap(draw("r r"), draw("r", "r"), KITTI)


@pytest.mark.parametrize("side", ["ground truth", "prediction"])
def test_an_unknown_class_is_refused_and_its_side_named(side):
    alien = PanopticMap(np.full((1, 1), 40 << 24, dtype=np.uint32))
    pair = (alien, draw("r")) if side == "ground truth" else (draw("r"), alien)
    with pytest.raises(DataError, match="class 40 is outside the label space 'kitti-step'") as info:
        count_overlap(*pair, KITTI)
    assert info.value.where == side


@given(
    hnp.arrays(np.uint8, (2, 3, 5), elements=st.integers(0, 4)),
)
def test_equals_counting_pixel_by_pixel(choice):
    codes = np.array([code(0), code(255), code(13), code(13, 1), code(11, 1)], dtype=np.uint32)
    gt, pred = codes[choice]
    expected = Counter(zip(gt.ravel().tolist(), pred.ravel().tolist(), strict=True))
    assert as_dict(count_overlap(PanopticMap(gt), PanopticMap(pred), KITTI)) == expected


def test_kinds_tell_things_void_and_crowd_apart():
    codes = np.array([code(0), code(11, 4), code(13, 0), code(255)], dtype=np.uint32)
    kinds = SegmentKinds.of(codes, KITTI)
    assert kinds.class_row.tolist() == [0, 11, 13, 19]
    assert kinds.is_thing.tolist() == [False, True, True, False]
    assert kinds.is_void.tolist() == [False, False, False, True]
    assert kinds.is_crowd.tolist() == [False, False, True, False]


def test_frames_join_in_order_of_time():
    overlap = overlap_of("c1 r | r  r | c1 c1", "c2 r | c2 r | c2 c3")
    assert overlap.frame_count == 3
    assert overlap.frame.tolist() == [0, 0, 1, 1, 2, 2]
    assert overlap.gt.codes.tolist() == [code(0), code(13, 1)]
    assert overlap.pred.codes.tolist() == [code(0), code(13, 2), code(13, 3)]
    kept = overlap.only(overlap.gt.is_thing[overlap.gt_index])
    assert kept.frame.tolist() == [0, 2, 2]
    assert kept.frame_count == 3  # a frame without entries is still a frame


def test_no_frame_gives_an_empty_table():
    overlap = join_frames([], KITTI)
    assert (overlap.frame_count, overlap.gt.count, len(overlap.pixels)) == (0, 0, 0)


def test_the_film_helper_draws_frames_side_by_side():
    first, second = film("""
        c1 r | r c1
        r  r | r r
    """)
    assert first.shape == second.shape == (2, 2)
    assert (first.codes[0, 0], second.codes[0, 1]) == (code(13, 1), code(13, 1))


def test_rows_hold_the_whole_table():
    overlap = overlap_of("c1 c1 r | c1 r r", "c5 r r | c5 c6 r")
    again = SequenceOverlap.of_rows(overlap.rows(), overlap.frame_count, KITTI)
    assert again.rows().tolist() == overlap.rows().tolist()
    assert (again.frame_count, again.labels) == (2, KITTI)
    assert again.gt.codes.tolist() == overlap.gt.codes.tolist()
    assert again.pixels.tolist() == overlap.pixels.tolist()


def test_only_the_ids_of_true_stuff_are_noted():
    stuff = PanopticMap(np.array([[1 << 24 | 7, 13 << 24 | 1]], np.uint32))
    plain = PanopticMap(np.array([[0, 13 << 24 | 1]], np.uint32))
    assert count_overlap(stuff, plain, KITTI).stuff_with_ids == {1}
    assert count_overlap(plain, stuff, KITTI).stuff_with_ids == frozenset()


def test_identities_on_stuff_are_dropped_where_void_has_the_lowest_number():
    classes = tuple(
        LabelClass(number, name, name == "car", (number, 0, 0))
        for number, name in ((1, "road"), (2, "car"))
    )
    labels = LabelSpace("own", classes, ignore_label=0)
    marked = PanopticMap(pack_codes(np.array([[1, 1, 2]]), np.array([[4, 9, 3]])))
    found = count_overlap(marked, marked, labels)
    assert as_dict(found) == {(code(1), code(1)): 2, (code(2, 3), code(2, 3)): 1}
