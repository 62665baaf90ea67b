from dataclasses import fields

import pytest

from mapt_bench.baselines import TrackerSettings, associator_names
from mapt_bench.errors import ConfigError
from mapt_bench.experiments.plans.tuning import best_trials, search_space, tuning_plan
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.experiments.plans.variants import ORACLE

COPY = Variant("copy+memory", "copy", "baseline", "copy", memory=10)
SORT = Variant("sort+memory", "SORT", "baseline", "sort", memory=10)


def result_of(plan, scores):
    """A run in which the trials of each row reached given scores, in order."""
    return {
        "summary": [
            {"variant": row.name, "scores": {"TQ": score}}
            for row, score in zip(plan.variants, scores, strict=True)
        ]
    }


@pytest.mark.parametrize("name", associator_names())
def test_what_is_searched_is_a_setting_and_within_its_range(name):
    space = search_space(name)
    assert set(space) <= {field.name for field in fields(TrackerSettings)}
    for setting, values in space.items():
        for value in values:
            TrackerSettings.from_mapping({setting: value})


@pytest.mark.parametrize(
    ("name", "like"),
    [("flow:raft-small", "copy"), ("flow:dis+mapt", "mapt"), ("flow:dis+appearance", "both")],
)
def test_a_flow_is_searched_like_the_tracker_it_stands_in_for(name, like):
    assert search_space(name) == search_space(like)


def test_every_tracker_has_as_many_trials_the_first_with_its_defaults():
    plan = tuning_plan([COPY, SORT, ORACLE], trials=4)
    assert [row.associator for row in plan.variants] == ["copy"] * 4 + ["sort"] * 4
    assert [row.settings == () for row in plan.variants] == [True, False, False, False] * 2
    assert {row.memory for row in plan.variants} == {10}
    assert len({row.name for row in plan.variants}) == 8
    for row in plan.variants[1:4]:
        given = dict(row.settings)
        assert set(given) == set(search_space("copy"))
        assert 0.02 <= given["motion_threshold"] <= 0.6


def test_rows_that_link_alike_are_tried_once():
    other = Variant("copy again", "copy", "heads", "copy", memory=10)
    assert len(tuning_plan([COPY, other], trials=2).variants) == 2


def test_the_same_seed_draws_the_same_trials():
    first, again, other = (tuning_plan([COPY], trials=8, seed=seed) for seed in (0, 0, 1))
    assert first.variants == again.variants
    assert first.variants[1:] != other.variants[1:]


def test_one_trial_is_no_choice():
    with pytest.raises(ConfigError, match="1 trials; expected 2 or more"):
        tuning_plan([COPY], trials=1)


def test_the_best_trial_is_chosen_and_of_equal_ones_the_defaults():
    plan = tuning_plan([COPY, SORT], trials=3)
    chosen = best_trials(result_of(plan, [0.5, 0.7, 0.6, 0.4, 0.4, 0.4]), plan)
    assert chosen["copy"].settings == dict(plan.variants[1].settings)
    assert (chosen["copy"].score, chosen["copy"].default_score) == (0.7, 0.5)
    assert (chosen["sort"].settings, chosen["sort"].score) == ({}, 0.4)
    assert chosen["sort"].trials == 3


def test_a_trial_without_a_score_is_passed_over():
    plan = tuning_plan([COPY], trials=3)
    chosen = best_trials(result_of(plan, [0.5, None, 0.6]), plan)
    assert (chosen["copy"].score, chosen["copy"].trials) == (0.6, 2)
