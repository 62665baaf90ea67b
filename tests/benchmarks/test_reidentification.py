import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mapt_bench.synthetic.suites import suite_names
from mapt_bench.tuning.tuning_config import TUNING_SUITES

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def reidentification(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("reidentification")


def things(module, tracks, vectors, areas):
    return module.Things(
        np.array(tracks),
        np.ones(len(tracks), dtype=np.int64),
        np.array(areas),
        {"mine": np.array(vectors, dtype=np.float32).reshape(-1, 2)},
    )


def test_auc_by_hand(reidentification):
    same = np.array([True, True, False, False])
    assert reidentification.auc(np.array([4.0, 3, 2, 1]), same) == 1
    assert reidentification.auc(np.array([4.0, 1, 3, 2]), same) == 0.5
    assert reidentification.auc(np.array([1.0, 1, 1, 1]), same) == 0.5
    assert reidentification.auc(np.array([1.0, 2]), np.array([True, True])) is None


def test_pairs_queries_sizes_and_slivers_by_hand(reidentification):
    first = things(reidentification, [1, 2], [(1, 0), (0, 1)], [400, 60])
    second = things(reidentification, [1, 2], [(1, 0), (0.8, 0.6)], [100, 2000])
    parts = reidentification.compared([first, second], ["mine"])
    rows = {row["group"]: row for row in reidentification.grouped(parts, ["mine"])}
    # Similarities: 1-1 1.0, 2-2 0.6; two of different identities: 0.0 and 0.8.
    assert rows["all"]["pairs"] == 2
    assert rows["all"]["mine"]["auc"] == 0.75
    assert rows["all"]["queries"] == 2
    assert rows["all"]["mine"]["rank1"] == 0.5
    assert rows["16 to 112 px"]["pairs"] == 2  # the smaller views have 100 and 60 pixels
    assert rows["gap 1"]["pairs"] == 2
    assert rows["slivers"]["pairs"] == 2
    nothing = things(reidentification, [], [], [])
    assert reidentification.compared([first, nothing, nothing], ["mine"]) == []


@pytest.mark.parametrize("suite", [*sorted({*suite_names()} - {*TUNING_SUITES}), "tiny@2"])
def test_a_suite_for_reporting_is_refused(reidentification, suite):
    words = ["--suite", suite, "--videos", "0"]
    result = CliRunner().invoke(reidentification.main, words)
    assert result.exit_code == 2
    assert f"{suite} is for reporting; choose on one of val, shift-val, train" in result.output


def test_colours_and_hand_crafted_appearance_are_measured(reidentification, tmp_path):
    path = tmp_path / "found.json"
    done = CliRunner().invoke(
        reidentification.main, ["--suite", "val", "--videos", "1", "--json", str(path)]
    )
    assert done.exit_code == 0, done.output
    row = json.loads(path.read_text())["rows"][0]
    assert row["pairs"] > 50
    for name in ("median colours", "hand-crafted"):
        assert 0.6 < row[name]["auc"] <= 1
