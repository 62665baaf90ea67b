"""Run lengths, against worked examples and the reference implementation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mapt_bench.data.rle import OverlapError, encode_rle, paint_runs, parse_rle, runs_of_mask

MASKS = hnp.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def test_a_mask_by_hand():
    # Columns: 0 1 1 | 1 0 0 -> one run from 1 to 4 of 6.
    mask = np.array([[0, 1], [1, 0], [1, 0]], dtype=bool)
    starts, ends = runs_of_mask(mask)
    assert (starts.tolist(), ends.tolist()) == ([1], [4])
    assert encode_rle((starts, ends), 6) == "132"


@settings(deadline=None, max_examples=100)
@given(mask=MASKS)
def test_runs_survive(mask):
    runs = runs_of_mask(mask)
    again = parse_rle(encode_rle(runs, mask.size), mask.size)
    assert all(np.array_equal(a, b) for a, b in zip(runs, again, strict=True))
    painted = paint_runs([(7, again)], mask.shape, 1)
    assert np.array_equal(painted == 7, mask)
    assert np.array_equal(painted == 1, ~mask)


@settings(deadline=None, max_examples=100)
@given(mask=MASKS)
def test_agrees_with_pycocotools(mask):
    coco = pytest.importorskip("pycocotools.mask")
    reference = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    text = reference["counts"].decode()
    assert encode_rle(runs_of_mask(mask), mask.size) == text
    runs = parse_rle(text, mask.size)
    assert np.array_equal(paint_runs([(1, runs)], mask.shape, 0) > 0, mask)


def test_long_runs_survive():
    runs = (np.array([3, 400_000]), np.array([200_000, 400_001]))
    again = parse_rle(encode_rle(runs, 465_750), 465_750)
    assert [part.tolist() for part in again] == [[3, 400_000], [200_000, 400_001]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("13 2", "character outside"),
        ("13é", "character outside"),
        ("13R", "ends within a number"),
        ("131", "cover 5 pixels of 6"),
        ("O7", "negative"),
        ("oooooooooo0", "too large"),
    ],
)
def test_malformed_text_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_rle(text, 6)


def test_overlap_names_the_objects():
    runs = (np.array([0]), np.array([3]))
    other = (np.array([2]), np.array([5]))
    apart = (np.array([5]), np.array([6]))
    with pytest.raises(OverlapError) as caught:
        paint_runs([(1, apart), (2, runs), (3, other)], (2, 3), 0)
    assert {caught.value.first, caught.value.second} == {1, 2}
