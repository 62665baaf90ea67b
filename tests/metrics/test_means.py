"""Means over what is chosen."""

import numpy as np

from mapt_bench.metrics.arithmetic import mean_where


def test_a_mean_is_over_the_last_axis_and_undefined_where_nothing_is_chosen():
    values = np.array([[[1.0, 3.0], [5.0, np.nan]], [[2.0, 4.0], [np.nan, np.nan]]])
    chosen = np.array([[[True, True], [True, False]], [[False, True], [False, False]]])
    expected = [[2.0, 5.0], [4.0, np.nan]]
    assert np.array_equal(mean_where(values, chosen), expected, equal_nan=True)
