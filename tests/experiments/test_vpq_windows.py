"""Window sizes of VPQ in experiments: they decide the score, the keys and the setup of a run."""

import json

import pytest
from click.testing import CliRunner
from helpers.commands import enter_two_walks

from mapt_bench.cli import main
from mapt_bench.errors import ConfigError
from mapt_bench.evaluation.folder_scoring import evaluate_folders
from mapt_bench.evaluation.matched_folders import EvaluationSettings
from mapt_bench.experiments import AblationConfig, read_plan

FEW = ("--data", "DATA", "--weights", "none", "--segments", "groundtruth", "--no-report")


@pytest.fixture
def here(tmp_path, monkeypatch):
    enter_two_walks(monkeypatch, tmp_path, frames=5)
    return tmp_path


def invoke(*words, exit_code=0):
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == exit_code, result.output
    return result


def run(*words):
    result = json.loads(invoke(*words, "--json", "-").stdout)
    rows = {(row["variant"], row.get("tau")): row["scores"]["VPQ"] for row in result["summary"]}
    return result, rows


def test_vpq_of_a_row_is_that_of_its_maps(here):
    words = ("ablate", *FEW, "--only", "iou", "--out", "run", "--vpq-windows", "1,3")
    result, rows = run(*words)
    assert result["protocol"]["vpq_windows"] == [1, 3]
    assert "--vpq-windows 1,3" in result["provenance"]["command"]
    invoke("track", "DATA", "--tracker", "unlinked", "--out", "maps")
    truth = here / "DATA" / "panoptic_maps"
    for windows, expected_equal in (((1, 3), True), ((1, 2, 3, 4), False)):
        settings = EvaluationSettings(vpq_windows=windows)
        (evaluated,) = evaluate_folders(truth, [here / "maps"], settings)
        same = rows["unlinked", None] == pytest.approx(evaluated.scores["VPQ"], abs=1e-12)
        assert same == expected_equal


def test_other_windows_are_another_run(here):
    words = ("ablate", *FEW, "--only", "iou", "--out")
    first, default = run(*words, "run")
    other, wide = run(*words, "other", "--vpq-windows", "2,3,4,5")  # as many windows
    assert default["unlinked", None] > wide["unlinked", None] > 0
    assert {cell["key"] for cell in first["cells"]}.isdisjoint(c["key"] for c in other["cells"])
    refused = invoke(*words, "run", "--vpq-windows", "1,2", exit_code=2)
    assert "differs in vpq_windows (there [1, 2, 3, 4], now [1, 2])" in refused.stderr
    again, _ = run(*words, "run")
    assert again["cells"] == first["cells"]  # nothing ran again, not even its time


def test_a_run_from_before_the_option_has_the_default_windows(here):
    words = ("ablate", *FEW, "--only", "iou", "--out", "run")
    run(*words)
    file = here / "run" / "run.json"
    setup = json.loads(file.read_text())
    del setup["vpq_windows"]
    file.write_text(json.dumps(setup))
    run(*words)
    refused = invoke(*words, "--vpq-windows", "2", exit_code=2)
    assert "differs in vpq_windows" in refused.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("sweep-interval", "--drop", "1"),
        ("stress", "motion", "--stressor", "drop", "--levels", "1"),
    ],
    ids=["sweep-interval", "stress"],
)
def test_sweeps_and_stress_tests_have_them(here, words):
    words += ("--only", "unlinked", *FEW, "--out")
    plain, _ = run(*words, "default")
    result, _ = run(*words, "single", "--vpq-windows", "1")
    assert result["protocol"]["vpq_windows"] == [1]
    pairs = [
        (before["scores"]["VPQ"], after["scores"])
        for before, after in zip(plain["summary"], result["summary"], strict=True)
        if after["variant"] == "unlinked" and before["scores"]["VPQ"] is not None
    ]
    assert pairs
    for default, scores in pairs:
        assert default < scores["VPQ"] == pytest.approx(scores["PQ"], abs=1e-9)


def test_a_plan_has_them(here):
    (here / "p.yaml").write_text(
        "experiment: ablate\ndata: {folder: DATA}\nsegments: groundtruth\nweights: none\n"
        "trackers: iou\nreport: {page: false}\nmatrix: {vpq_windows: [2, [1, 4]]}\n"
    )
    windows = [planned.config.vpq_windows for planned in read_plan(here / "p.yaml").runs]
    assert windows == [(2,), (1, 4)]
    document = json.loads(invoke("run", "p.yaml", "--out", "runs", "--json", "-").stdout)
    found = [each["protocol"]["vpq_windows"] for each in document["runs"].values()]
    assert found == [[2], [1, 4]]
    invoke("ablate", *FEW, "--only", "iou", "--out", "one", "--vpq-windows", "1,4")
    (planned,) = read_plan(here / "one" / "plan.yaml").runs
    assert planned.config.vpq_windows == (1, 4)


@pytest.mark.parametrize("text", ["0,1", "2,1", "1,1", "", "1,x", "1.5", "-1"])
def test_wrong_windows_are_refused(here, text):
    refused = invoke("ablate", *FEW, "--out", "run", f"--vpq-windows={text}", exit_code=2)
    assert "--vpq-windows is" in refused.stderr
    assert not (here / "run").exists()


def test_wrong_windows_are_refused_in_python():
    with pytest.raises(ConfigError, match="--vpq-windows is '2,1'"):
        AblationConfig(vpq_windows=(2, 1))
