"""The table of measured limits says which targets are missed."""

import importlib

import pytest
from helpers.modules import ROOT


@pytest.fixture
def case(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    kind = importlib.import_module("limits")._Case
    return lambda **targets: kind(run=lambda _: None, **targets)


NOW = {"cpu_s": 4.0, "peak_mb": 200.0, "outcome": ""}


@pytest.mark.parametrize(
    ("targets", "missed"),
    [
        ({}, []),
        ({"most_s": 4.0, "most_mb": 200.0}, []),
        ({"most_s": 3.9, "most_mb": 199.0}, ["4.0 s", "200 MB"]),
        ({"most_share": 0.5}, []),
        ({"most_share": 0.4}, ["0.50 of the CPU before"]),
        ({"is_refused": True}, ["was not refused"]),
    ],
)
def test_what_is_above_its_target_is_named(case, targets, missed):
    assert case(**targets).misses(NOW, {"cpu_s": 8.0}) == missed


def test_data_that_were_read_or_gave_no_answer_miss_their_target(case):
    refused = case(is_refused=True)
    assert refused.misses({**NOW, "outcome": "was read"}, None) == ["was not refused"]
    assert refused.misses({**NOW, "outcome": "its frame is too large"}, None) == []
    assert refused.misses({"outcome": "no answer in 120 s"}, None) == ["no answer in 120 s"]


def test_a_share_needs_an_earlier_checkout(case):
    assert case(most_share=0.5).misses(NOW, None) == ["unknown without --before"]
