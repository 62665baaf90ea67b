import inspect
from dataclasses import dataclass

import numpy as np
import pytest
from helpers.films import score
from helpers.maps import KITTI

from mapt_bench.metrics import empty_sums, flat_scores
from mapt_bench.metrics.arithmetic import Additive, mean_of_all, ratio
from mapt_bench.metrics.mot import class_measures


@dataclass(frozen=True, eq=False)
class Inner(Additive):
    total: float
    count: int


@dataclass(frozen=True, eq=False)
class Outer(Additive):
    table: np.ndarray
    parts: tuple[Inner, ...]
    inner: Inner


@dataclass(frozen=True, eq=False, kw_only=True)
class Arrays(Additive):
    table: np.ndarray
    total: np.ndarray


def outer(number):
    return Outer(
        np.array([[number, 1], [2, 3]], dtype=np.int64),
        (Inner(0.5 * number, number), Inner(1.5, 1)),
        Inner(float(number), 7),
    )


def test_fields_are_added_at_every_depth():
    total = outer(2) + outer(3)
    assert total.table.tolist() == [[5, 2], [4, 6]]
    assert (total.parts[0].total, total.parts[0].count) == (2.5, 5)
    assert (total.parts[1].total, total.inner.count) == (3.0, 14)


def test_adding_changes_neither_part():
    first, second = outer(2), outer(3)
    _ = first + second
    assert first.table.tolist() == [[2, 1], [2, 3]]
    assert second.inner.total == 3.0


def test_vector_lays_out_all_fields_and_is_read_back():
    vector = outer(2).to_vector()
    assert vector.tolist() == [2, 1, 2, 3, 1.0, 2, 1.5, 1, 2.0, 7]
    back = outer(9).from_vector(vector)
    assert back.to_vector().tolist() == vector.tolist()
    assert back.table.dtype == np.int64
    assert type(back.inner.count) is int
    assert isinstance(back.parts, tuple)


def test_sums_of_vectors_are_vectors_of_sums():
    total = outer(2).to_vector() + outer(3).to_vector()
    assert total.tolist() == (outer(2) + outer(3)).to_vector().tolist()


def subclasses(kind):
    for found in kind.__subclasses__():
        yield found
        yield from subclasses(found)


def test_sums_are_made_with_the_names_of_their_fields():
    """Two fields of one type could be exchanged unseen otherwise."""
    ours = [found for found in subclasses(Additive) if found.__module__.startswith("mapt_bench")]
    assert len(ours) >= 12
    for found in ours:
        kinds = {each.kind for each in inspect.signature(found).parameters.values()}
        assert kinds == {inspect.Parameter.KEYWORD_ONLY}, found


def test_leading_axes_of_a_vector_are_leading_axes_of_the_fields():
    rows = Arrays(table=np.zeros((2, 2), dtype=np.int64), total=np.asarray(0.0))
    several = rows.from_vector(np.arange(10.0).reshape(2, 5))
    assert several.table.tolist() == [[[0, 1], [2, 3]], [[5, 6], [7, 8]]]
    assert several.total.tolist() == [4, 9]


def test_an_empty_tuple_has_no_entries():
    empty = Outer(np.zeros((1, 1)), (), Inner(0.0, 0))
    assert empty.from_vector(empty.to_vector()).parts == ()


def test_tuples_of_unequal_length_do_not_add():
    short = Outer(outer(1).table, outer(1).parts[:1], outer(1).inner)
    with pytest.raises(ValueError, match="zip"):
        _ = outer(1) + short


def test_only_dataclasses_add():
    class Bare(Additive):
        pass

    with pytest.raises(TypeError, match="dataclass"):
        Bare().to_vector()


def test_sums_of_a_sequence_survive_the_vector():
    sums = score("c1 c1 p0 v | c1 r p2 r", "c5 c5 p1 r | c6 r p2 r")
    back = empty_sums(KITTI).from_vector(sums.to_vector())
    assert flat_scores(back, KITTI) == flat_scores(sums, KITTI)
    for mine, theirs in zip(back.tracking.classes, sums.tracking.classes, strict=True):
        assert class_measures(mine) == class_measures(theirs)


def test_empty_sums_are_the_zero_of_addition():
    sums = score("c1 c1 r", "c5 r r")
    assert not empty_sums(KITTI).to_vector().any()
    assert (sums + empty_sums(KITTI)).to_vector().tolist() == sums.to_vector().tolist()


def test_a_ratio_over_0_is_undefined():
    assert np.isnan(ratio([1.0, 0.0, -2.0], 0.0)).all()
    assert ratio([1.0, 3.0], [-1.0, 2.0]).tolist() == [-1.0, 1.5]


def test_a_mean_is_rounded_once():
    assert mean_of_all([1e16, 1.0, -1e16]) == 1 / 3
    assert mean_of_all([[1.0, 2.0], [3.0, 5.0]]).tolist() == [1.5, 4.0]
    assert np.isnan(mean_of_all([]))
