import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mapt_bench.tracking.affinity import assign, assign_greedily

_tables = arrays(
    np.float64, st.tuples(st.integers(0, 4), st.integers(0, 4)), elements=st.floats(0, 1)
)


def _everything(affinity):
    return np.ones(affinity.shape, dtype=bool)


def test_hungarian_gives_up_the_best_pair_for_a_better_sum():
    affinity = np.array([[0.9, 0.8], [0.8, 0.1]])
    assert assign(affinity, _everything(affinity), threshold=0.3) == [(0, 1), (1, 0)]
    assert assign_greedily(affinity, _everything(affinity), threshold=0.3) == [(0, 0)]


def test_pairs_below_the_threshold_push_nobody_aside():
    # Summed blindly, (0, 1) + (1, 0) = 0.95 would beat (0, 0) = 0.9 and then lose both or one.
    affinity = np.array([[0.9, 0.7], [0.25, 0.0]])
    assert assign(affinity, _everything(affinity), threshold=0.3) == [(0, 0)]


def test_forbidden_pairs_are_never_taken():
    affinity = np.array([[0.9, 0.4]])
    allowed = np.array([[False, True]])
    assert assign(affinity, allowed, threshold=0.3) == [(0, 1)]
    assert assign_greedily(affinity, allowed, threshold=0.3) == [(0, 1)]


def test_negative_affinities_match_when_the_threshold_lets_them():
    affinity = np.array([[-0.5]])
    assert assign(affinity, _everything(affinity), threshold=-1) == [(0, 0)]
    assert assign(affinity, _everything(affinity), threshold=0) == []


@given(_tables, st.floats(0, 1))
def test_hungarian_reaches_the_best_sum_of_any_one_to_one_matching(affinity, threshold):
    pairs = assign(affinity, _everything(affinity), threshold=threshold)
    assert all(affinity[pair] >= threshold for pair in pairs)
    assert len({r for r, _ in pairs}) == len({c for _, c in pairs}) == len(pairs)
    rows, columns = affinity.shape
    worth = np.where(affinity >= threshold, affinity, 0)
    small, large = (rows, columns) if rows <= columns else (columns, rows)
    table = worth if rows <= columns else worth.T
    best = max(
        sum(table[i, j] for i, j in enumerate(order))
        for order in itertools.permutations(range(large), small)
    )
    assert abs(sum(affinity[pair] for pair in pairs) - best) < 1e-7


@given(_tables, st.floats(0, 1))
def test_greedy_leaves_no_usable_pair_free(affinity, threshold):
    pairs = assign_greedily(affinity, _everything(affinity), threshold=threshold)
    rows, columns = {r for r, _ in pairs}, {c for _, c in pairs}
    assert len(rows) == len(columns) == len(pairs)
    for r, c in zip(*np.nonzero(affinity >= threshold), strict=True):
        assert r in rows or c in columns
