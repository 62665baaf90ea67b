"""Equal keys, numbered and added up."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mapt_bench.metrics.arithmetic import number_keys, sum_by_key, sum_by_key_roughly


@given(st.lists(st.integers(0, 8)))
def test_numbers_are_those_of_unique(keys):
    keys = np.array(keys, dtype=np.int64)
    distinct, group = number_keys(keys)
    expected, expected_group = np.unique(keys, return_inverse=True)
    assert np.array_equal(distinct, expected)
    assert np.array_equal(group, expected_group)


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1) | st.integers(0, 3), st.integers(1, 9))))
def test_both_sums_add_up(entries):
    expected = Counter()
    for key, value in entries:
        expected[key] += value
    keys = np.array([key for key, _ in entries], dtype=np.uint64)
    values = np.array([value for _, value in entries], dtype=np.int64)
    exact = sum_by_key(keys, values)
    assert list(zip(*(part.tolist() for part in exact), strict=True)) == sorted(expected.items())
    again = sum_by_key(*sum_by_key_roughly(keys, values))
    assert np.array_equal(again, exact)


def test_keys_that_share_a_hash_keep_apart():
    first, second = colliding_keys()
    keys = np.array([first, second, first, second], dtype=np.uint64)
    rough_keys, rough_sums = sum_by_key_roughly(keys, np.array([1, 10, 100, 1000]))
    assert len(rough_keys) == 4  # none merged: the hash cannot tell their order
    distinct, sums = sum_by_key(rough_keys, rough_sums)
    assert dict(zip(distinct.tolist(), sums.tolist(), strict=True)) == {first: 101, second: 1010}


def colliding_keys():
    """Return two keys of which the rough grouping makes four sums, though each comes twice."""
    start = np.uint64(12345)
    for other in range(1, 1 << 18):
        pair = np.array([start, start + np.uint64(other)] * 2)
        if len(sum_by_key_roughly(pair, np.ones(4, dtype=np.int64))[0]) == 4:
            return tuple(pair[:2].tolist())
    raise AssertionError("no two keys share a hash")
