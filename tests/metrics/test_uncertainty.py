"""Resampling many selections at once gives the scores of the metrics, over the right classes."""

import math
from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np
import pytest
from helpers.films import score
from helpers.folders import GT, LOOSE, LOST, SWITCHED
from helpers.maps import KITTI, random_maps

from mapt_bench.labels import LabelSpace
from mapt_bench.metrics import (
    SCORE_NAMES,
    VARIANTS,
    empty_sums,
    flat_scores,
    pat_variant,
    pool,
    uncertainty,
)
from mapt_bench.metrics.bootstrap import holm
from mapt_bench.metrics.scores import score_terms, score_values
from mapt_bench.metrics.uncertainty import ComparisonFamily, ScoreStatistics


@pytest.fixture(scope="module")
def sums():
    """Sums of six sequences: of films with stated faults, and of noise."""
    films = [score(GT, faulty) for faulty in (SWITCHED, LOST, LOOSE)]
    noise = [score(random_maps(4, seed=at), random_maps(4, seed=at + 9)) for at in range(3)]
    return films + noise


def expected(selection, protocol="present", classes=None):
    scores = flat_scores(pool(selection), KITTI, pat_protocol=protocol, classes=classes)
    return [math.nan if scores[name] is None else scores[name] for name in SCORE_NAMES]


@pytest.mark.parametrize("protocol", VARIANTS)
def test_many_selections_have_the_scores_of_each(sums, protocol):
    statistics = ScoreStatistics(KITTI, pat_protocol=protocol)
    samples = statistics.samples([[one] for one in sums])
    counts = np.array([[2, 0, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1], [0, 0, 0, 1, 0, 3]])
    found = statistics.scores_of_counts(samples, counts)
    for row, times in zip(found, counts, strict=True):
        chosen = [one for one, count in zip(sums, times, strict=True) for _ in range(count)]
        assert row == pytest.approx(expected(chosen, protocol), abs=1e-12, nan_ok=True)


def test_one_selection_has_its_scores_to_the_last_digit(sums):
    statistics = ScoreStatistics(KITTI)
    found = statistics.scores(statistics.samples([[one] for one in sums]))
    assert found.tolist() == expected(sums)


@pytest.mark.parametrize("protocol", ["present", "official"])
def test_nothing_is_undefined_in_the_same_way(protocol):
    variant, nothing = pat_variant(protocol), empty_sums(KITTI)
    terms = score_terms(nothing, variant)
    twice = terms.from_vector(np.stack([terms.to_vector()] * 2))
    found = score_values(twice, KITTI, variant)
    for name, value in zip(SCORE_NAMES, expected([nothing], protocol), strict=True):
        assert found[name] == pytest.approx([value] * 2, nan_ok=True)
    assert np.isnan(found["PAT"]).all()


def test_terms_of_sequences_add_up(sums):
    variant = pat_variant("present")
    together = reduce(add, (score_terms(one, variant) for one in sums))
    assert together.to_vector() == pytest.approx(score_terms(pool(sums), variant).to_vector())


def test_without_vpq_its_windows_are_left_out(sums):
    few = ScoreStatistics(KITTI, names=("PAT", "AssA"))
    all_of_them = ScoreStatistics(KITTI).samples([[sums[0]]])[0]
    (sample,) = few.samples([[sums[0]]])
    assert sample.vectors.size < all_of_them.vectors.size
    values = dict(zip(SCORE_NAMES, expected([sums[0]]), strict=True))
    assert few.scores([sample]).tolist() == [values["PAT"], values["AssA"]]


def test_phases_are_averaged(sums):
    statistics = ScoreStatistics(KITTI)
    phases = list(zip(sums[:3], sums[3:], strict=True))
    found = statistics.scores(statistics.samples(phases))
    both = [expected(list(of_phase)) for of_phase in zip(*phases, strict=True)]
    assert found == pytest.approx(np.mean(both, axis=0))


def test_scores_have_2000_resamples_by_default(sums):
    default, stated = ScoreStatistics(KITTI), ScoreStatistics(KITTI, resamples=2000)
    sequences = [[one] for one in sums]
    found = default.intervals(default.samples(sequences))
    assert found == stated.intervals(stated.samples(sequences))


def test_without_things_tracking_is_undefined_and_the_rest_has_intervals():
    stuff = LabelSpace("stuff", tuple(replace(each, is_thing=False) for each in KITTI.classes))
    films = [score(GT, faulty, stuff) for faulty in (SWITCHED, LOST, LOOSE, GT, GT, GT)]
    statistics = ScoreStatistics(stuff)
    samples = statistics.samples([[each] for each in films])
    found = statistics.intervals(samples)
    assert found["PQ"].low is not None
    assert found["AssA"].low is None


def units(statistics, *predictions):
    return statistics.samples([[score(GT, predicted)] for predicted in predictions])


def test_differences_are_over_the_classes_of_either_side():
    """The second predicts noise in one film: classes that neither truth nor the first has."""
    statistics = ScoreStatistics(KITTI)
    plain = units(statistics, GT, SWITCHED, LOST, LOOSE, GT)
    odd = [score(GT, SWITCHED)] * 4 + [score(GT, random_maps(4, size=(1, 6), seed=5))]
    other = statistics.samples([[one] for one in odd])
    found = statistics.differences(plain, other)
    classes = statistics.averaged_classes(plain) | statistics.averaged_classes(other)
    assert classes.sum() > statistics.averaged_classes(plain).sum()
    first = [score(GT, each) for each in (GT, SWITCHED, LOST, LOOSE, GT)]
    ours = dict(zip(SCORE_NAMES, expected(first, classes=classes), strict=True))
    theirs = dict(zip(SCORE_NAMES, expected(odd, classes=classes), strict=True))
    for name in ("PAT", "PQ", "LSTQ", "TQ", "STQ"):
        assert found[name].value == pytest.approx(ours[name])
        assert found[name].reference_value == pytest.approx(theirs[name])
        assert found[name].difference == pytest.approx(ours[name] - theirs[name])
    assert ours["PQ"] < expected(first)[SCORE_NAMES.index("PQ")]


def test_a_family_is_corrected_together_and_says_which_classes_are_meant():
    statistics = ScoreStatistics(KITTI, names=("PAT", "TQ"))
    reference = units(statistics, *[GT] * 5)
    family = ComparisonFamily(statistics, "the test")
    blocks = [
        family.compare(units(statistics, *[predicted] * 5), reference)
        for predicted in (SWITCHED, LOST)
    ]
    family.correct()
    entries = [entry for block in blocks for entry in block["scores"].values()]
    for name in ("PAT", "TQ"):
        of_score = [block["scores"][name] for block in blocks]
        assert [each["p_adjusted"] for each in of_score] == holm([e["p_value"] for e in of_score])
    for block in blocks:
        assert block["family"] == {
            "of": "the test",
            "per_score": True,
            "comparisons": 2,
            "correction": "Holm",
        }
        assert block["classes"] == ["road", "sidewalk", "person", "car"]
        assert block["note"] is None
    fields = ["value", "reference_value", "difference", "interval", "p_value", "p_method", "n"]
    assert list(entries[0]) == [*fields, "p_adjusted"]


def test_the_note_counts_the_classes_of_each_side():
    own, reference = np.array([True, True, False, False]), np.array([False, True, True, True])
    note = uncertainty._note(own, reference)
    assert note == (
        "PAT, PQ and LSTQ are compared over the 4 classes of either side; its own scores average "
        "over 2, those of the reference over 3"
    )
    assert uncertainty._note(own, own) is None
