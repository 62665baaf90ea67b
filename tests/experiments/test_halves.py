"""What a run tells of each half of a suite, and of identities that come back."""

import numpy as np
import pytest
from helpers.scenes import KITTI, Box, DrawnVideo
from helpers.small_runs import COPY, ORACLE, UNLINKED, plan, source, walk

from mapt_bench.experiments import Cell, Variant, run_plan, run_result
from mapt_bench.experiments.plans.plan import Sweep
from mapt_bench.experiments.summaries.cell_scores import INTERVAL_SCORES, class_scores
from mapt_bench.experiments.summaries.result_tables import HALF_AND_KIND
from mapt_bench.metrics import flat_scores, pool
from mapt_bench.metrics.bootstrap import holm
from mapt_bench.metrics.uncertainty import ScoreStatistics

REMEMBERING = Variant("copy+memory", "copy + memory", "baseline", "copy", memory=10)
HALVES = {"hard": 6, "real-like": 5}


def hidden(gap, name):
    """One box that stands still, and is gone for a while."""
    box = Box(1, 30)
    return DrawnVideo([[box], [box], *[[]] * gap, [box], [box]], name=name)


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    """Three trackers on six hard and five real-like videos: the outcome, and its result."""
    videos = [
        walk(4, speed=speed, name=f"{half}-{speed}")
        for half, count in HALVES.items()
        for speed in range(1 + 4 * (half == "hard"), 1 + 4 * (half == "hard") + count)
    ]
    groups = {
        video.info.name: {"half": video.info.name.rpartition("-")[0], "kind": kind}
        for video, kind in zip(videos, ["street", "crowd"] * len(videos), strict=False)
    }
    outcome = run_plan(
        plan(UNLINKED, COPY, ORACLE),
        source(*videos, groups=groups),
        tmp_path_factory.mktemp("halves") / "run",
    )
    return outcome, run_result(outcome)


def test_halves_have_differences_to_the_reference_of_the_table(halves):
    outcome, result = halves
    statistic = ScoreStatistics(KITTI, names=INTERVAL_SCORES)
    unlinked, copy, _ = ([*cell.sums().values()] for cell in outcome.cells)
    chosen = slice(0, HALVES["hard"])
    expected = statistic.differences(
        statistic.samples(unlinked[chosen]), statistic.samples(copy[chosen])
    )
    entries = {(e["variant"], e["factor"], e["value"]): e for e in result["scores_by_group"]}
    found = entries["unlinked", "half", "hard"]["differences"]
    assert found["reference"] == "copy"
    assert list(found["scores"]) == list(INTERVAL_SCORES)
    for name, difference in expected.items():
        told = dict(found["scores"][name])
        del told["p_adjusted"]
        assert told == difference.to_dict()
    assert found["scores"]["AssA"]["interval"]["low"] < found["scores"]["AssA"]["difference"]
    assert entries["copy", "half", "hard"]["differences"] is None
    assert entries["unlinked", "kind", "street"]["differences"] is None


def test_each_half_is_a_family_of_its_own(halves):
    _, result = halves
    for half in HALVES:
        compared = [
            entry["differences"]
            for entry in result["scores_by_group"]
            if entry["value"] == half and entry["differences"]
        ]
        assert len(compared) == 2
        for name in INTERVAL_SCORES:
            told = [each["scores"][name] for each in compared]
            assert [found["p_adjusted"] for found in told] == holm(
                [found["p_value"] for found in told]
            )
        for each in compared:
            assert each["family"] == {
                "of": f"half {half}",
                "per_score": True,
                "comparisons": 2,
                "correction": "Holm",
            }


def test_half_and_kind_are_crossed_with_scores_of_classes(halves):
    outcome, result = halves
    crossed = {
        (entry["variant"], entry["value"]): entry
        for entry in result["scores_by_group"]
        if entry["factor"] == HALF_AND_KIND
    }
    sizes = {value: entry["n_sequences"] for (_, value), entry in crossed.items()}
    assert sizes == {
        "real-like street": 3,
        "real-like crowd": 2,
        "hard street": 3,
        "hard crowd": 3,
    }
    copy = outcome.cells[1]
    streets = [sums for (sums,) in copy.sums().values()][:6:2]
    entry = crossed["copy", "hard street"]
    assert entry["scores"] == flat_scores(pool(streets), KITTI)
    assert (entry["intervals"], entry["differences"]) == ({}, None)
    assert entry["per_class"] == class_scores(streets, KITTI, "present")
    assert set(entry["per_class"]["PQ"]) >= {"car"}


def test_scores_of_classes_make_up_the_means(halves):
    outcome, result = halves
    for cell, entry in zip(outcome.cells, result["cells"], strict=True):
        of_class = entry["per_class"]
        scores = flat_scores(pool([sums for (sums,) in cell.sums().values()]), KITTI)
        assert np.mean(list(of_class["PQ"].values())) == pytest.approx(scores["PQ"])
        assert np.mean(list(of_class["AssA"].values())) == pytest.approx(scores["AssA"])
    assert result["cells"][0]["per_class"]["AssA"]["car"] < 0.5


def test_an_ablation_tells_who_comes_back_after_a_gap(tmp_path):
    videos = [hidden(gap, f"gap{gap}") for gap in (1, 3, 5, 10, 11)]
    groups = {video.info.name: {"half": "hard"} for video in videos[1:3]}
    outcome = run_plan(
        plan(COPY, REMEMBERING, ORACLE), source(*videos, groups=groups), tmp_path / "run"
    )
    entries = {(e["variant"], e["factor"]): e for e in run_result(outcome)["recoveries"]}
    assert len(entries) == 3 * 2
    together = {name: entries[name, "all"]["full_occlusions"] for name in ("copy", "oracle")}
    assert together["copy"]["bin"] == "3-10"
    assert (together["copy"]["hits"], together["copy"]["n"]) == (0, 3)
    assert (together["copy"]["recovered"]["hits"], together["copy"]["recovered"]["n"]) == (0, 3)
    assert together["copy"]["returns"]["n"] == 0
    assert together["oracle"]["share"] == together["oracle"]["returns"]["share"] == 1
    assert together["oracle"]["recovered"]["share"] == 1
    assert "low" in together["oracle"]["interval"]
    bins = {each["bin"]: each["n"] for each in entries["copy+memory", "all"]["bins"]}
    assert bins == {**bins, "0": 10, "1": 1, "3": 1, "4-5": 1, "6-10": 1, "11-20": 1}
    hard = entries["oracle", "half"]
    assert (hard["value"], hard["n_sequences"], hard["full_occlusions"]["n"]) == ("hard", 2, 2)
    assert "at least 5" in hard["full_occlusions"]["interval"]["reason"]


def test_a_sweep_has_neither_recoveries_nor_scores_of_classes(tmp_path):
    cells = (Cell(COPY, drop=2), Cell(ORACLE, drop=2))
    sweep = Sweep("drop", (2,), ("copy", "oracle"))
    groups = {name: {"half": "hard", "kind": "street"} for name in ("a", "b")}
    outcome = run_plan(
        plan(COPY, ORACLE, cells=cells, sweeps=(sweep,)), source(groups=groups), tmp_path / "run"
    )
    result = run_result(outcome)
    assert "recoveries" not in result
    assert "per_class" not in result["cells"][0]
    assert not any("per_class" in entry for entry in result["scores_by_group"])
    oracle = [entry for entry in result["scores_by_group"] if entry["variant"] == "oracle"]
    assert {entry["factor"] for entry in oracle if entry["differences"]} == {"half"}
