import sys

import pytest

from mapt_bench.baselines.search_spaces import MOTION_SPACE, check_space
from mapt_bench.errors import ConfigError
from mapt_bench.tuning.samplers import new_sampler, resolved_sampler, round_sizes

SPACE = {"threshold": (0.1, 0.5), "kind": ("iou", "centroid"), "frames": (1, 4)}


def proposals(kind, seed, values=(0.3, 0.1, 0.9), space=SPACE):
    """Two rounds of proposals. The first round reached the given values."""
    sampler = new_sampler(kind, space, trials=8, seed=seed)
    first = sampler.ask(len(values))
    sampler.start({"threshold": 0.3, "kind": "iou", "frames": 2}, 0.5)
    sampler.tell(values)
    return [*first, *sampler.ask(4)]


@pytest.fixture(params=["random", "optuna"])
def kind(request):
    if request.param == "optuna":
        pytest.importorskip("optuna")
    return request.param


def test_proposals_lie_in_the_space(kind):
    found = proposals(kind, 0)
    assert len(found) == 7
    for settings in found:
        given = dict(settings)
        assert list(given) == sorted(SPACE)
        assert 0.1 <= given["threshold"] <= 0.5
        assert given["kind"] in SPACE["kind"]
        assert given["frames"] in (1, 2, 3, 4)
        assert isinstance(given["frames"], int)


def test_the_seed_decides_every_proposal(kind):
    assert proposals(kind, 3) == proposals(kind, 3)
    assert proposals(kind, 3) != proposals(kind, 4)
    assert proposals(kind, 2**63 - 1) != proposals(kind, 2**63 - 1 - 2**32)


def test_optuna_learns_from_what_it_is_told():
    pytest.importorskip("optuna")
    good, other = proposals("optuna", 0), proposals("optuna", 0, values=(0.9, 0.1, 0.3))
    assert good[:3] == other[:3]
    assert good[3:] != other[3:]


def test_random_search_reaches_both_ends_of_a_range():
    sampler = new_sampler("random", {"frames": (1, 3)}, trials=17, seed=0)
    assert {dict(settings)["frames"] for settings in sampler.ask(16)} == {1, 2, 3}


@pytest.mark.parametrize(("kind", "trials"), [("random", 9), ("optuna", 9), ("optuna", 2)])
def test_rounds_make_up_all_trials(kind, trials):
    sizes = round_sizes(kind, trials)
    assert sum(sizes) == trials
    assert min(sizes) >= 1


def test_without_optuna_the_search_is_random(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert resolved_sampler("auto") == "random"
    assert resolved_sampler("random") == "random"
    with pytest.raises(ConfigError, match=r'pip install "mapt-bench\[tune\]", or choose --sampler'):
        resolved_sampler("optuna")


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ([("a", (0, 1))], "expected a mapping"),
        ({"b": (0.0, 1.0)}, "names 'b', which is not one of its settings; known: a"),
        ({"a": (1.0, 0.0)}, "the smaller first"),
        ({"a": (0.5, 0.5)}, "the smaller first"),
        ({"a": (0.0, 0.5, 1.0)}, "expected two numbers"),
        ({"a": (0.0, float("inf"))}, "expected two numbers"),
        ({"a": ("iou",)}, "two or more different names"),
        ({"a": ("iou", "iou")}, "two or more different names"),
        ({"a": ("iou", 1)}, "expected two numbers"),
        ({"a": (False, True)}, "expected two numbers"),
        ({"a": "iou"}, "expected two numbers"),
        ({"a": 3}, "expected two numbers"),
    ],
)
def test_a_search_space_of_another_form_is_refused(space, message):
    with pytest.raises(ConfigError, match=message):
        check_space("mine", space, ["a"])


def test_shared_spaces_have_a_valid_form():
    assert check_space("copy", MOTION_SPACE, list(MOTION_SPACE)) == MOTION_SPACE
