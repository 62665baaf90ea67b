import math

import numpy as np
import pytest

from mapt_bench.metrics import LinkEvents, LinkOutcome
from mapt_bench.metrics._link_rates import (
    DISPLACEMENT_BINS,
    GAP_BINS,
    LEAST_BEYOND,
    VISIBLE_BINS,
    break_point,
    kept_by_displacement,
    kept_by_gap,
    kept_by_visibility,
    kept_links,
    recovered_by_gap,
    recovery_counts,
    right_returns,
)
from mapt_bench.metrics.link_events import LINK, REAPPEARANCE, RETURN

KEPT, NEW, MISSED = LinkOutcome.KEPT, LinkOutcome.NEW, LinkOutcome.MISSED


def sequence(*links, returns=(), reappearances=()):
    """Events of given links, each a dictionary of what is not 0."""
    rows = np.zeros(len(links), LINK)
    for row, link in zip(rows, links, strict=True):
        for name, value in {"size_px": 10, **link}.items():
            row[name] = value
    return LinkEvents(
        rows,
        np.array(list(returns), RETURN),
        np.array(list(reappearances), REAPPEARANCE),
    )


def shares(rates):
    return {rate.label: (rate.hits, rate.n) for rate in rates if rate.n}


def test_ranges_leave_no_value_out_and_take_none_twice():
    for bins, values in (
        (VISIBLE_BINS, np.linspace(0, 1, 101)),
        (GAP_BINS, np.arange(0, 60)),
        (DISPLACEMENT_BINS, np.linspace(0, 9, 500)),
    ):
        assert (sum(each.holds(values).astype(int) for each in bins) == 1).all()
        assert not any(each.holds(np.array([math.nan])).any() for each in bins)


def test_links_are_kept_by_the_least_visible_fraction():
    found = sequence(
        {"visible_least": 0.0, "outcome": NEW},
        {"visible_least": 0.1, "outcome": KEPT},
        {"visible_least": 0.05, "outcome": NEW},
        {"visible_least": 1.0, "outcome": KEPT},
        {"visible_least": math.nan, "outcome": NEW},
    )
    assert shares(kept_by_visibility([found])) == {
        "hidden": (0, 1),
        "0-10 %": (1, 2),
        "over 95 %": (1, 1),
    }


def test_links_are_kept_by_gap_and_returns_are_right_by_absence():
    found = sequence(
        {"gap": 0},
        {"gap": 4, "outcome": NEW},
        {"gap": 5},
        {"gap": 99, "outcome": NEW},
        returns=[(1, 1, True), (2, 1, False), (9, 7, True)],
    )
    assert shares(kept_by_gap([found])) == {"0": (1, 1), "4-5": (1, 2), "over 20": (0, 1)}
    assert shares(right_returns([found])) == {"1": (1, 2), "6-10": (1, 1)}


def test_who_is_not_found_on_both_sides_of_a_gap_cannot_be_recovered():
    found = sequence(
        reappearances=[(5, 1, 4, KEPT), (9, 1, 5, NEW), (9, 2, 4, MISSED), (40, 1, 30, MISSED)]
    )
    assert shares(recovered_by_gap([found])) == {"4-5": (1, 2)}
    rates = recovered_by_gap([found] * 6, GAP_BINS[-1:])
    assert (rates[0].n, rates[0].share) == (0, None)


def test_displacement_is_over_size_and_gaps_are_left_out():
    found = sequence({"displacement_px": 1}, {"displacement_px": 40, "outcome": NEW}, {"gap": 1})
    assert shares(kept_by_displacement([found])) == {"0.05-0.1": (1, 1), "over 3.2": (0, 1)}


def test_under_five_sequences_there_is_no_interval_and_a_reason():
    rate = kept_links([sequence({}, {"outcome": NEW})] * 4)
    assert rate.share == 0.5
    assert rate.interval.low is None
    assert "4 sequences" in rate.interval.reason


def test_intervals_are_over_sequences_not_links():
    # Each sequence is all or nothing: many links do not make the interval narrow.
    good, bad = sequence(*[{}] * 100), sequence(*[{"outcome": NEW}] * 100)
    wide = kept_links([good, bad, good, bad, good, bad])
    assert wide.interval.high - wide.interval.low > 0.5
    mixed = sequence(*[{}] * 50, *[{"outcome": NEW}] * 50)
    narrow = kept_links([mixed] * 6)
    assert (narrow.interval.low, narrow.interval.high) == (0.5, 0.5)


def test_nothing_counted_is_undefined():
    rate = kept_links([sequence()] * 5)
    assert rate.share is None
    assert rate.to_dict()["share"] is None
    assert rate.interval.low is None


def ramp(limit, count=100, flips=()):
    """Links of displacement 0, 0.1, 0.2, ...; kept below a limit, but for some."""
    return sequence(
        *(
            {
                "displacement_px": at,
                "outcome": NEW if (at >= limit) != (at in flips) else KEPT,
            }
            for at in range(count)
        )
    )


def test_the_break_point_lies_between_what_is_kept_and_what_is_lost():
    found = break_point([ramp(40)])
    assert found.value == pytest.approx(3.95)
    assert found.n == 100
    assert found.measured_to == pytest.approx((99 - LEAST_BEYOND) / 10)
    assert break_point([ramp(40)], unit="pixels").value == 39.5


def test_single_losses_and_gains_do_not_move_it():
    assert break_point([ramp(40, flips=(3, 17, 77))]).value == pytest.approx(3.95)


def test_it_is_where_the_isotonic_fit_falls_below_one_half():
    # Against pool-adjacent-violators worked out the slow way, on random data.
    rng = np.random.default_rng(0)
    for _ in range(20):
        kept = rng.random(120) < np.linspace(0.95, 0.05, 120)
        links = [
            {"displacement_px": at, "outcome": KEPT if good else NEW}
            for at, good in enumerate(kept)
        ]
        fit = slow_fit(kept.astype(float))
        last = max(at for at, value in enumerate(fit) if value >= 0.5)
        assert break_point([sequence(*links)], unit="pixels").value == last + 0.5


def slow_fit(values):
    """Falling least-squares fit: at each place min over starts of max over ends of means."""
    sums = np.concatenate([[0], np.cumsum(values)])
    start, end = np.indices((len(values), len(values)))
    means = (sums[end + 1] - sums[start]) / np.maximum(end + 1 - start, 1)
    return [means[: at + 1, at:].max(axis=1).min() for at in range(len(values))]


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (ramp(0), "even at the smallest displacement"),
        (ramp(100), "kept at every displacement"),
        (ramp(100 - LEAST_BEYOND + 1), f"only {LEAST_BEYOND - 1} links exceed the break point"),
        (sequence(), "no links from one frame to the next"),
        (sequence({"gap": 2}), "no links from one frame to the next"),
    ],
)
def test_without_a_break_point_there_is_a_reason(found, reason):
    point = break_point([found])
    assert point.value is None
    assert reason in point.reason
    assert point.interval.low is None
    assert point.to_dict()["reason"] == point.reason


def test_equal_displacements_stand_on_one_side():
    # Of those at 5 just more than half are kept: the limit is behind all, whatever their order.
    links = [{"displacement_px": 5, "outcome": KEPT}] * 31
    links += [{"displacement_px": 5, "outcome": NEW}] * 30
    links += [{"displacement_px": 1}] * 10 + [{"displacement_px": 9, "outcome": NEW}] * 30
    for order in (links, links[::-1]):
        assert break_point([sequence(*order)], unit="pixels").value == 7


def test_displacements_over_size_that_differ_by_rounding_only_are_equal():
    # 1 / 3 and 333333.125 / 1000000 agree in six decimals and differ in the seventh.
    links = [{"displacement_px": 333333.125, "size_px": 10**6, "outcome": KEPT}] * 31
    links += [{"displacement_px": 1, "size_px": 3, "outcome": NEW}] * 30
    links += [{"displacement_px": 1}] * 10 + [{"displacement_px": 9, "outcome": NEW}] * 30
    assert break_point([sequence(*links)]).value == pytest.approx((0.333333 + 0.9) / 2, abs=1e-9)


@pytest.mark.parametrize(("again", "rises"), [(0, False), (19, False), (20, True), (40, True)])
def test_a_curve_that_rises_beyond_it_is_told(again, rises):
    near = [{"displacement_px": 1 + at / 100, "outcome": KEPT} for at in range(100)]
    lost = [{"displacement_px": 10 + at / 100, "outcome": NEW} for at in range(100)]
    far = [{"displacement_px": 100 + at / 100, "outcome": KEPT} for at in range(again)]
    for unit in ("pixels", "size"):
        point = break_point([sequence(*near, *lost, *far)], unit=unit)
        assert point.value is not None
        assert point.rises_again is point.to_dict()["rises_again"] is rises


def test_its_interval_is_over_sequences():
    found = break_point([ramp(limit) for limit in (30, 35, 40, 45, 50, 55)])
    assert found.interval.low < found.value < found.interval.high
    assert found.interval.n == 6
    same = break_point([ramp(40)] * 6)
    assert same.interval.low == same.interval.high == pytest.approx(3.95)


def test_recoveries_of_several_sequences_are_pooled():
    def one(outcome, gap, is_right):
        again = np.zeros(1, REAPPEARANCE)
        again["gap"], again["outcome"] = gap, outcome
        back = np.zeros(1, RETURN)
        back["absence"], back["is_right"] = gap, is_right
        return LinkEvents(np.zeros(0, LINK), back, again)

    counts = recovery_counts([one(KEPT, 8, True), one(NEW, 8, False), one(MISSED, 8, True)])
    assert tuple(counts) == (1, 2, 2, 3)
    assert tuple(recovery_counts([])) == (0, 0, 0, 0)


def test_the_seed_of_kept_links_is_0_by_default():
    found = [sequence({"outcome": KEPT}, *[{"outcome": NEW}] * at) for at in range(10)]
    assert kept_links(found) == kept_links(found, seed=0) != kept_links(found, seed=1)
