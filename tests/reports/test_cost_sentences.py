"""What the best row costs beside the fastest row that is not established to be worse."""

import pytest
from helpers.results import interval, run, summary_row

from mapt_bench.reports.cost_sentences import cost_sentences
from mapt_bench.results.result_views import run_parts


def row(name, pat, milliseconds, p_adjusted=None, reference="best", group="heads"):
    """A row whose difference to the reference is established below p = 0.05."""
    found = None
    if p_adjusted is not None:
        entry = {"difference": pat - 0.6, "interval": interval(-0.04, -0.01)}
        found = {"reference": reference, "scores": {"PAT": {**entry, "p_adjusted": p_adjusted}}}
    cost = None if milliseconds is None else {"seconds_per_frame": milliseconds / 1000}
    return summary_row(name, pat, 0.5, group, differences=found, cost=cost)


def sentences(*rows, **changes):
    (part,) = run_parts(run(summary=list(rows), **changes))
    return cost_sentences(part)


BEST = row("best", 0.6, 80)


def test_the_fastest_row_that_is_not_established_to_be_worse():
    rows = (
        row("slow", 0.59, 40, 0.3),
        row("fast", 0.585, 5, 0.06),
        row("faster", 0.5, 1, 0.01),
        row("oracle", 0.7, 0.5, 0.9, group="reference"),
    )
    assert sentences(BEST, *rows) == [
        "fast takes 5.00 ms/frame, 16 times less than best with 80.00 ms/frame. It is not "
        "established to be worse: it is 1.50 PAT [1.00, 4.00] behind."
    ]


def test_without_such_a_row_the_best_of_the_much_faster_ones():
    rows = (row("near", 0.595, 60, 0.01), row("half", 0.58, 32, 0.01), row("last", 0.5, 1, 0.01))
    assert sentences(BEST, *rows) == [
        "best takes 80.00 ms/frame. Each of the 3 faster rows is established to be worse.",
        "Of those in at most half its time, half loses least: it takes 32.00 ms/frame, 2.5 times "
        "less, and is 2.00 PAT [1.00, 4.00] behind.",
    ]
    assert sentences(BEST, rows[0]) == [
        "best takes 80.00 ms/frame. The only faster row is established to be worse."
    ]
    assert sentences(BEST, row("slow", 0.5, 90, 0.01)) == [
        "best takes 80.00 ms/frame. No row that it was tested against is faster."
    ]


def test_a_row_that_was_not_tested_against_the_best_is_not_named():
    rows = (row("a", 0.6, 80, 0.3, "b"), row("b", 0.58, 9), row("c", 0.57, 1, 0.3, "b"))
    (sentence,) = sentences(*rows)
    assert sentence.startswith("b takes 9.00 ms/frame")  # a and c were not compared


@pytest.mark.parametrize(
    "rows",
    [
        (row("best", 0.6, None), row("fast", 0.58, 5, 0.3)),
        (BEST, row("fast", 0.58, None, 0.3)),
        (BEST, row("fast", 0.58, 5)),
        (),
    ],
)
def test_no_sentence_without_times_and_tests(rows):
    assert sentences(*rows) == []


def test_stress_tests_and_sweeps_have_no_best_row():
    swept = [
        {**each, "interval": {"kind": "drop", "tau": 2}} for each in (BEST, row("a", 0.5, 1, 1))
    ]
    assert sentences(*swept) == []
    assert sentences(BEST, row("a", 0.5, 1, 1.0)) != []
