import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from mapt_bench.cli import main

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def test_the_built_in_cases_are_those_of_the_tests():
    outcome = run("--where")
    assert outcome.exit_code == 0
    assert Path(outcome.stdout.strip()).resolve() == GOLDEN.resolve()


def run(*words):
    return CliRunner().invoke(main, ["conformance", *map(str, words)])


@pytest.fixture
def cases(tmp_path):
    """Copies of two small cases."""
    for name in ("single_frame", "iou_half"):
        shutil.copytree(GOLDEN / name, tmp_path / "golden" / name)
    return tmp_path / "golden"


def test_a_named_pipe_is_not_waited_for(cases, at_once):
    path = cases / "iou_half" / "expected.json"
    path.unlink()
    os.mkfifo(path)
    outcome = run(cases)
    assert outcome.exit_code == 3
    assert "is a named pipe" in outcome.stderr


def alter(case, *path, by=0.001):
    file = case / "expected.json"
    expected = json.loads(file.read_text())
    place = expected["results"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = 0.5 if place[path[-1]] is None else place[path[-1]] + by
    file.write_text(json.dumps(expected))


@pytest.mark.parametrize("words", [(), (GOLDEN,)], ids=["built-in", "by folder"])
def test_all_golden_cases_agree(words):
    outcome = run(*words)
    assert outcome.exit_code == 0
    assert outcome.stdout == "24 cases, 92551 numbers compared, 0 mismatches\n"


@pytest.mark.parametrize(
    "path",
    [
        ("stq", "dataset", "STQ"),
        ("stq", "per_sequence", "0000", "iou_per_class", "4"),  # null
        ("pq", "dataset", "Things", "PQ"),
        ("vpq", "dataset", "mean_over_windows", "All"),
        ("panoptic_tracking", "min_points_30", "dataset", "TQ"),
        ("tracking", "per_class", "car", "HOTA_per_alpha", 0),
        ("mopt", "dataset", "per_class", "13", "iou_sum"),
    ],
)
def test_one_altered_number_is_named_with_exit_code_1(cases, path):
    alter(cases / "iou_half", *path)
    outcome = run(cases)
    assert outcome.exit_code == 1
    field = ".".join(map(str, path[1:]))
    (row,) = [line.split() for line in outcome.stdout.splitlines() if line.startswith("iou_half")]
    assert row[:3] == ["iou_half", path[0], field]
    assert outcome.stdout.endswith("1 mismatch\n")


def test_an_altered_integer(cases):
    alter(cases / "single_frame", "stq", "dataset", "num_gt_tubes", by=1)
    outcome = run(cases, "--json", "-")
    assert outcome.exit_code == 1
    report = json.loads(outcome.stdout)
    assert report["schema"] == "mapt-bench/conformance/1"
    assert report["cases"] == ["iou_half", "single_frame"]
    (mismatch,) = report["mismatches"]
    assert (mismatch["case"], mismatch["block"], mismatch["field"]) == (
        "single_frame",
        "stq",
        "dataset.num_gt_tubes",
    )
    assert mismatch["expected"] == mismatch["got"] + 1


def test_the_report_goes_to_a_file(cases, tmp_path):
    file = tmp_path / "report.json"
    outcome = run(cases, "--json", file)
    assert outcome.exit_code == 0
    assert "2 cases" in outcome.stdout
    assert json.loads(file.read_text())["mismatches"] == []


def test_no_case_is_exit_code_3(tmp_path):
    outcome = run(tmp_path)
    assert outcome.exit_code == 3
    assert "has no case" in outcome.stderr
    assert run(tmp_path / "nowhere").exit_code == 3


def test_errors_are_json_when_asked_for(tmp_path):
    outcome = run(tmp_path, "--json", "-")
    assert outcome.exit_code == 3
    error = json.loads(outcome.stdout)["error"]
    assert (error["kind"], error["where"]) == ("data", str(tmp_path))


def test_a_broken_case_is_exit_code_3(cases):
    shutil.rmtree(cases / "iou_half" / "gt")
    outcome = run(cases)
    assert outcome.exit_code == 3
    assert "iou_half" in outcome.stderr


def test_another_implementation(cases, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for case in ("single_frame", "iou_half"):
        results = json.loads((cases / case / "expected.json").read_text())["results"]
        kept = {"stq": results["stq"]}
        (theirs / f"{case}.json").write_text(json.dumps(kept))
    outcome = run(cases, "--results", theirs)
    assert outcome.exit_code == 0
    assert outcome.stdout.rstrip().endswith("not given")


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({}, "holds none of the expected numbers"),
        ({"results": {"stq": {}}}, "has the field 'results', which is not expected"),
        ({"sqt": {}}, "has the field 'sqt', which is not expected (did you mean 'stq'?"),
        ({"stq": {"dataset": {"SQT": 1}}}, "has the field 'stq.dataset.SQT'"),
        ({"stq": 0.5}, "holds no object in 'stq' where an object is expected"),
        (None, "does not exist; write the results of every case as <case>.json"),
    ],
)
def test_results_that_cannot_be_compared_are_exit_code_3(tmp_path, results, message):
    file = tmp_path / "single_frame.json"
    if results is not None:
        file.write_text(json.dumps(results))
    outcome = run(GOLDEN / "single_frame", "--results", tmp_path)
    assert outcome.exit_code == 3
    assert f"{file}: {message}" in outcome.stderr
    assert "Errno" not in outcome.stderr


def test_one_case_is_said_in_the_singular():
    assert run(GOLDEN / "single_frame").stdout.startswith("1 case, ")
