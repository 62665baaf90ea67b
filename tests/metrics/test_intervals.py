import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.metrics.bootstrap import (
    Interval,
    bootstrap_interval,
    bootstrap_intervals,
    holm,
    paired_difference,
    paired_differences,
)


def mean(units):
    return sum(units) / len(units)


def ratio(units):
    """A pooled score: sums of (hits, tries), undefined without tries."""
    tries = sum(t for _, t in units)
    return sum(h for h, _ in units) / tries if tries else None


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_equals_scipy_on_the_mean_of_a_skewed_sample(level):
    sample = np.random.default_rng(5).exponential(size=11)
    ours = bootstrap_interval(list(sample), mean, level=level, resamples=1500, seed=3)
    theirs = stats.bootstrap(
        (sample,),
        np.mean,
        method="BCa",
        n_resamples=1500,
        confidence_level=level,
        rng=np.random.default_rng(3),
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert ours.method == "BCa bootstrap, 1500 resamples"
    assert (ours.n, ours.level, ours.reason) == (11, level, None)


def test_a_skewed_sample_moves_the_interval_away_from_the_percentile_form():
    sample = [0.0, 0.0, 0.0, 0.1, 0.1, 0.2, 3.0]
    ours = bootstrap_interval(sample, mean)
    rows = np.random.default_rng(0).integers(0, 7, (2000, 7))
    low, high = np.quantile(np.asarray(sample)[rows].mean(axis=1), [0.025, 0.975])
    assert ours.low > low
    assert ours.high > high


def test_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(11)
    found = [
        bootstrap_interval(list(rng.normal(size=20)), mean, resamples=300, seed=trial)
        for trial in range(200)
    ]
    covered = np.mean([interval.low <= 0 <= interval.high for interval in found])
    assert 0.86 <= covered <= 0.99


def test_several_scores_share_one_pass():
    units = [(1, 2), (3, 4), (2, 2), (0, 3), (4, 5), (1, 1)]
    calls = 0

    def both(some):
        nonlocal calls
        calls += 1
        return [ratio(some), mean([h for h, _ in some])]

    first, second = bootstrap_intervals(units, both, resamples=200)
    assert calls == 1 + 200 + len(units)
    assert first == bootstrap_interval(units, ratio, resamples=200)
    assert second == bootstrap_interval([h for h, _ in units], mean, resamples=200)


def test_fewer_than_five_units_give_a_reason_and_no_interval():
    found = bootstrap_interval([0.1, 0.2, 0.3, 0.4], mean)
    assert (found.low, found.high, found.n) == (None, None, 4)
    assert found.to_dict() == {"n": 4, "reason": "4 sequences; an interval needs at least 5"}


def test_equal_units_give_zero_width_in_spite_of_rounding():
    units = [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    found = bootstrap_interval(units, lambda some: sum(some) / len(some))
    assert found.low == found.high == pytest.approx(0.1)


def test_an_undefined_score_has_no_interval():
    found = bootstrap_interval([(0, 0)] * 6, ratio)
    assert found.low is None
    assert found.reason == "the score is undefined"


def test_a_score_resting_on_one_unit_has_no_interval():
    # Left out of about a third of all resamples.
    found = bootstrap_interval([(1, 2), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0)], ratio)
    assert found.low is None
    assert "of 2000 resamples" in found.reason


def test_few_undefined_resamples_are_left_out_and_counted():
    # Undefined when none of the five filled units is drawn: (1/2)**10 of the resamples.
    units = [(1, 2), (2, 2), (0, 2), (1, 3), (3, 4)] + [(0, 0)] * 5
    found = bootstrap_interval(units, ratio)
    counts = np.random.default_rng(0).integers(0, 10, (2000, 10))
    undefined = int((counts >= 5).all(axis=1).sum())
    assert undefined > 0
    assert found.reason == f"{undefined} of 2000 resamples undefined and left out"
    assert found.low < ratio(units) < found.high
    assert found.to_dict()["reason"] == found.reason


def test_an_estimate_outside_all_resamples_is_said_to_be_so():
    # Only the full, unrepeated set of units scores 1: distinct units, which repeats take away.
    units = list(range(40))
    found = bootstrap_interval(units, lambda some: len(set(some)) / 40, resamples=100)
    assert found.low is None
    assert found.reason == "the estimate lies outside all resamples"


def test_the_seed_decides():
    units = [0.3, 0.9, 0.1, 0.7, 0.45, 0.62]
    assert bootstrap_interval(units, mean, seed=1) == bootstrap_interval(units, mean, seed=1)
    assert bootstrap_interval(units, mean, seed=1) != bootstrap_interval(units, mean, seed=2)


@pytest.mark.parametrize(
    ("settings_", "words"),
    [
        ({"level": 1.0}, "between 0 and 1"),
        ({"resamples": 99}, "at least 100"),
        ({"seed": -3}, "seed of the resampling is -3"),
    ],
)
def test_settings_out_of_range_are_refused(settings_, words):
    with pytest.raises(ConfigError, match=words):
        bootstrap_interval([1.0] * 5, mean, **settings_)


def test_intervals_have_2000_resamples_by_default():
    sample = np.random.default_rng(5).exponential(size=11).tolist()
    assert bootstrap_interval(sample, mean) == bootstrap_interval(sample, mean, resamples=2000)
    found = paired_difference(sample, sample[::-1], mean)
    assert found == paired_difference(sample, sample[::-1], mean, resamples=2000)


def test_no_units_are_refused():
    with pytest.raises(DataError, match="no sequences"):
        bootstrap_interval([], mean)


def test_exact_p_by_hand():
    # Differences 1, 2, 3 of the sum: |sum of signs * (1, 2, 3)| takes 6, 4, 2, 0 (each twice,
    # signs mirrored), and only 6 is as far out as the observed 6: p = 2 / 8.
    found = paired_difference([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], sum)
    assert (found.difference, found.p_value, found.p_method) == (6.0, 0.25, "exact")
    assert found.interval.low is None  # three units
    # With -1 the observed is 4: as far out are 6 and 4, p = 4 / 8.
    assert paired_difference([-1.0, 2.0, 3.0], [0.0, 0.0, 0.0], sum).p_value == 0.5


def test_exact_p_exchanges_whole_units_of_a_pooled_score():
    # Ratios of sums. (1,1)+(0,9) = 0.1 against (0,1)+(9,9) = 0.9; exchanging one unit gives
    # (1,1)+(9,9) = 1.0 against 0.0, further out: p = 1. A test on the differences of
    # per-sequence ratios (+1, -1) would have compared 0 with 0 and 1.
    found = paired_difference([(1, 1), (0, 9)], [(0, 1), (9, 9)], ratio)
    assert found.difference == pytest.approx(-0.8)
    assert found.p_value == 1.0


def test_equal_systems_have_p_one():
    found = paired_difference([0.4] * 6, [0.4] * 6, mean)
    assert (found.difference, found.p_value) == (0.0, 1.0)
    assert (found.interval.low, found.interval.high) == (0.0, 0.0)


def test_many_units_are_permuted_at_random_and_p_is_never_zero():
    ahead = [1.0 + 0.01 * i for i in range(30)]
    found = paired_difference(ahead, [0.0] * 30, mean, permutations=400)
    assert found.p_method == "Monte Carlo, 400 permutations"
    assert found.p_value == pytest.approx(1 / 401)
    assert found.interval.low > 0.9


def test_monte_carlo_comes_near_the_exact_test():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.35, 1, 12), rng.normal(0, 1, 12)
    exact = paired_difference(list(a), list(b), mean)
    theirs = stats.permutation_test(
        (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    assert exact.p_value == pytest.approx(theirs.pvalue, abs=1e-12)


def test_an_undefined_difference_has_no_p_and_undefined_exchanges_count_as_extreme():
    undefined = paired_difference([(0, 0)] * 5, [(1, 2)] * 5, ratio)
    assert (undefined.difference, undefined.p_value) == (None, None)
    # Exchanging the second unit leaves b without tries: undefined, so as extreme. p = 2 / 2.
    found = paired_difference([(1, 1), (0, 0)], [(0, 0), (0, 2)], ratio)
    assert found.difference == 1.0
    assert found.p_value == 1.0


@pytest.mark.parametrize(("n", "method"), [(14, "exact"), (15, "Monte Carlo, 20000 permutations")])
def test_all_exchanges_are_tried_where_they_are_fewer(n, method):
    units = np.random.default_rng(3).random(n).tolist()

    def means(some, counts):
        return (counts @ np.array(some) / counts.sum(axis=1))[:, None]

    found = paired_differences(units, units[::-1], lambda some: [mean(some)], of_counts=means)
    assert found[0].p_method == method


def test_the_method_does_not_depend_on_how_fast_the_statistic_is():
    few = np.random.default_rng(3).random(6).tolist()
    assert paired_difference(few, few[::-1], mean).p_method == "exact"
    assert paired_difference(few, few[::-1], mean, permutations=63).p_method == (
        "Monte Carlo, 63 permutations"
    )


def test_a_difference_tells_both_values():
    found = paired_difference([1.0, 2.0], [0.5, 0.5], mean)
    assert (found.value, found.reference_value, found.difference) == (1.5, 0.5, 1.0)


def test_a_test_needs_an_exchange():
    with pytest.raises(ConfigError, match="0 permutations are too few"):
        paired_difference([1.0] * 5, [0.0] * 5, mean, permutations=0)


def test_pairs_must_match():
    with pytest.raises(DataError, match="3 and 2 units cannot be paired"):
        paired_difference([1.0, 2.0, 3.0], [1.0, 2.0], mean)


def test_a_paired_interval_is_narrower_than_the_spread_between_sequences():
    base = [0.1, 0.9, 0.4, 0.6, 0.2, 0.8, 0.5]
    better = [value + 0.05 + 0.001 * i for i, value in enumerate(base)]
    found = paired_differences(better, base, lambda some: [mean(some)])[0]
    assert found.interval.high - found.interval.low < 0.01
    assert found.to_dict()["interval"]["n"] == 7


def test_holm_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1 = 0.04, 0.06, 0.06, 0.04; never falling.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([None, 0.5]) == [None, 0.5]
    assert holm([]) == []


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_never_below_the_raw_values_nor_above_bonferroni(p_values):
    adjusted = holm(p_values)
    for raw, corrected in zip(p_values, adjusted, strict=True):
        assert raw <= corrected <= 1.0
    assert min(adjusted) == min(1.0, min(p_values) * len(p_values))
    by_raw = [corrected for _, corrected in sorted(zip(p_values, adjusted, strict=True))]
    assert by_raw == sorted(by_raw)


def test_an_interval_as_json():
    interval = Interval(0.25, 0.75, 0.95, "BCa bootstrap, 2000 resamples", 9)
    assert interval.to_dict() == {
        "low": 0.25,
        "high": 0.75,
        "level": 0.95,
        "method": "BCa bootstrap, 2000 resamples",
        "n": 9,
    }


def test_many_selections_at_once_give_the_same():
    """A ratio of sums, which is undefined where the denominators of a selection are 0."""
    rng = np.random.default_rng(5)
    for n in (6, 15):  # every exchange of signs is tried, or some, in two parts
        a, b = ([tuple(row) for row in rng.integers(0, 4, (n, 2)).tolist()] for _ in range(2))

        def statistic(units):
            above, below = np.sum(units, axis=0)
            return [above / below if below else np.nan, above / len(units)]

        def of_counts(units, counts):
            above, below = (counts @ np.array(units)).T
            ratio = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
            return np.stack([ratio, above / counts.sum(axis=1)], axis=1)

        slow = bootstrap_intervals(a, statistic, resamples=300)
        fast = bootstrap_intervals(a, statistic, of_counts=of_counts, resamples=300)
        for one, other in zip(slow, fast, strict=True):
            assert (one.low, one.high) == pytest.approx((other.low, other.high))
        slow = paired_differences(a, b, statistic, resamples=300, permutations=2500)
        fast = paired_differences(
            a, b, statistic, of_counts=of_counts, resamples=300, permutations=2500
        )
        for one, other in zip(slow, fast, strict=True):
            assert one.difference == pytest.approx(other.difference)
            assert one.interval.low == pytest.approx(other.interval.low)
            assert one.p_value == other.p_value
            assert one.p_method == other.p_method
