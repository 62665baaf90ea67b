import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from mapt_bench.metrics import assignment
from mapt_bench.metrics.assignment import best_pairs


@st.composite
def tables(draw):
    rows, columns = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    cells = draw(st.lists(st.integers(0, 9), min_size=rows * columns, max_size=rows * columns))
    return np.array(cells).reshape(rows, columns)


@pytest.mark.parametrize("dense_cells", [0, 4, 10**6])
@given(table=tables())
def test_the_sum_is_the_largest_in_every_way_of_solving(dense_cells, table):
    rows, columns = np.nonzero(table)
    scores = table[rows, columns].astype(float)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "_DENSE_CELLS", dense_cells)
        chosen = best_pairs(rows * 10**9, columns - 5, scores)
    assert len(set(rows[chosen])) == len(set(columns[chosen])) == chosen.sum()
    assert scores[chosen].sum() == table[linear_sum_assignment(table, maximize=True)].sum()


def test_components_are_solved_as_one_table_would_be(monkeypatch):
    rng = np.random.default_rng(0)
    rows = np.repeat(np.arange(200), 3)
    columns = rows // 2 * 2 + np.tile([0, 1, 2], 200)
    scores = rng.random(600)
    whole = best_pairs(rows, columns, scores)
    monkeypatch.setattr(assignment, "_DENSE_CELLS", 30)
    assert (best_pairs(rows, columns, scores) == whole).all()


def test_separate_components_are_solved_one_by_one(monkeypatch):
    rng = np.random.default_rng(1)
    rows = np.repeat(np.arange(60), 3)
    columns = rows // 3 * 3 + np.tile([0, 1, 2], 60)
    scores = rng.random(180)
    whole = best_pairs(rows, columns, scores)
    assert whole.sum() == 60
    monkeypatch.setattr(assignment, "_DENSE_CELLS", 10)
    assert (best_pairs(rows, columns, scores) == whole).all()


def test_no_pair():
    empty = np.zeros(0, dtype=np.int64)
    assert best_pairs(empty, empty, np.zeros(0)).tolist() == []
