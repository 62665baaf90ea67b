import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapt_bench.metrics.pareto import hypervolume, pareto_set

SHARES = st.integers(0, 20).map(lambda number: number / 20)
POINTS = st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=12)


def dominates(one, other):
    return all(a >= b for a, b in zip(one, other, strict=True)) and one != other


@given(POINTS)
def test_the_set_is_what_nothing_dominates(points):
    found = pareto_set(points)
    kept = {points[at] for at in found}
    assert kept == {
        point for point in points if not any(dominates(other, point) for other in points)
    }
    assert len(found) == len(kept)  # equal points count once
    firsts = [points[at][0] for at in found]
    assert firsts == sorted(firsts, reverse=True)


@given(POINTS)
def test_the_area_is_that_of_the_cells_below_a_point(points):
    middles = np.arange(20) / 20 + 0.025
    below = np.zeros((20, 20), dtype=bool)
    for first, second in points:
        below |= (middles[:, None] < first) & (middles[None, :] < second)
    assert hypervolume(points, (0.0, 0.0)) == pytest.approx(below.sum() / 400)


def test_points_below_the_reference_have_no_area():
    assert hypervolume([(0.5, 0.2), (0.1, 0.9)], (0.3, 0.4)) == 0
    assert hypervolume([(0.5, 0.5)], (0.3, 0.4)) == pytest.approx(0.02)
