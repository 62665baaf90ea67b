import numpy as np
import pytest

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.metrics import LinkEvents, recovery_counts
from mapt_bench.metrics.link_events import LINK, REAPPEARANCE, RETURN, LinkOutcome
from mapt_bench.tuning.tuning_config import Objective, recovery_scores


def test_a_weighted_mean_worked_by_hand():
    objective = Objective.parse("PAT=2, recovery_f1=0.5")
    assert objective.weights == (("PAT", 2.0), ("recovery_f1", 0.5))
    # (2 * 0.40 + 0.5 * 0.60) / 2.5
    assert objective.value({"PAT": 0.4, "recovery_f1": 0.6}) == pytest.approx(0.44)


def test_one_score_is_itself():
    assert Objective.parse("TQ").value({"TQ": 0.3}) == 0.3
    assert Objective.parse("TQ=7").value({"TQ": 0.3}) == pytest.approx(0.3)
    assert (str(Objective.parse("TQ")), str(Objective.parse("TQ=1,PQ"))) == ("TQ", "TQ=1,PQ=1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("PATT", "did you mean 'PAT'"),
        ("recovery", "there is no score 'recovery'"),
        ("", "there is no score ''"),
        ("PAT,PAT=2", "names PAT twice"),
        ("PAT=0", "the weight is '0'; expected a positive number"),
        ("PAT=-1", "expected a positive number"),
        ("PAT=inf", "expected a positive number"),
        ("PAT=much", "the weight is 'much'"),
        ("IDSW", "IDSW counts errors"),
    ],
)
def test_what_is_no_objective_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        Objective.parse(text)


def test_an_undefined_score_is_an_error_that_says_why():
    with pytest.raises(DataError, match="no identity is hidden for 3 to 10 frames"):
        Objective.parse("recovery_f1").value({"recovery_f1": None})


def events(reappearances, returns):
    """Link events: gap and outcome of each reappearance, absence and correctness of returns."""
    seen, given = np.zeros(len(reappearances), REAPPEARANCE), np.zeros(len(returns), RETURN)
    for row, (gap, outcome) in zip(seen, reappearances, strict=True):
        row["gap"], row["outcome"] = gap, outcome
    for row, (absence, is_right) in zip(given, returns, strict=True):
        row["absence"], row["is_right"] = absence, is_right
    return LinkEvents(np.zeros(0, LINK), given, seen)


def test_recoveries_worked_by_hand():
    kept, new, missed = LinkOutcome.KEPT, LinkOutcome.NEW, LinkOutcome.MISSED
    first = events(
        # gaps of 2 and 11 frames are outside the range; a missed track was never found
        [(3, kept), (10, kept), (2, kept), (11, new), (5, missed)],
        [(3, True), (10, True), (2, True), (4, False)],
    )
    second = events([(4, new), (6, kept)], [(6, True), (7, False), (30, False)])
    counts = recovery_counts([first, second])
    assert counts == (3, 4, 3, 5)
    scores = recovery_scores(*counts)
    assert scores["recovery_recall"] == 0.75
    assert scores["recovery_precision"] == 0.6
    assert scores["recovery_f1"] == pytest.approx(2 * 0.75 * 0.6 / 1.35)


def test_recovering_nothing_is_zero_and_nothing_to_recover_is_undefined():
    assert recovery_scores(0, 4, 0, 0)["recovery_f1"] == 0.0
    assert recovery_scores(0, 0, 0, 3) == {}
