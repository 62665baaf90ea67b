import json
import subprocess
import sys

import pytest
from click.testing import CliRunner
from helpers.results import evaluation, run

from mapt_bench.cli import main
from mapt_bench.cli.compare import command


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "baseline.json").write_text(json.dumps(evaluation()))
    (tmp_path / "same.json").write_text(json.dumps(evaluation()))
    (tmp_path / "worse.json").write_text(json.dumps(evaluation(shift=-0.01)))
    for name in ("before", "now"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "results.json").write_text(json.dumps(run()))
    return tmp_path


def invoke(*words):
    return CliRunner().invoke(main, ["compare", *words])


def test_passes_and_shows_the_table(files):
    result = invoke("baseline.json", "same.json", "--fail-on", "PAT<-0.5")
    assert result.exit_code == 0
    assert "Changes of tracker" in result.stdout
    assert result.stdout.endswith("passed\n")


def test_a_broken_limit_is_exit_code_one(files):
    result = invoke("baseline.json", "worse.json", "--fail-on", "PAT<-0.5", "--fail-on", "IDSW>5")
    assert result.exit_code == 1
    assert "broken: tracker: PAT changed by -1 points, limit PAT<-0.5" in result.stdout
    assert "IDSW changed" not in result.stdout
    assert result.stdout.endswith("failed\n")


def test_without_limits_only_missing_scores_fail(files):
    result = invoke("baseline.json", "worse.json")
    assert result.exit_code == 0
    assert result.stdout.endswith("no limit given\n")
    found = json.loads(invoke("baseline.json", "worse.json", "--json", "-").stdout)
    assert found["passed"] is None
    gone = evaluation()
    gone["scores"]["PAT"] = None
    (files / "gone.json").write_text(json.dumps(gone))
    result = invoke("baseline.json", "gone.json")
    assert result.exit_code == 1
    assert "missing: tracker: PAT has a value in the baseline and none now" in result.stdout


def test_json_on_stdout_stands_alone(files):
    result = invoke("baseline.json", "worse.json", "--fail-on", "PAT<-0.5", "--json", "-")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["schema"], found["passed"]) == ("mapt-bench/comparison/2", False)


def test_common_classes_are_shown_where_that_is_asked_for(files):
    wider = evaluation()
    wider["protocol"] = {**wider["protocol"], "classes": [0, 11, 13, 16]}
    (files / "wider.json").write_text(json.dumps(wider))
    own = invoke("baseline.json", "wider.json").stdout
    common = invoke("baseline.json", "wider.json", "--common-classes").stdout
    lines = [[line.split() for line in shown.splitlines()] for shown in (own, common)]
    assert ["PQ", "60.00", "60.00", "+15.00"] in lines[0]
    assert ["PQ", "45.00", "60.00", "+15.00"] in lines[1]
    for shown in (own, common):
        assert "note: tracker: the classes averaged differ (only now: 16)" in shown


def test_json_in_a_file_comes_with_the_table(files):
    result = invoke("baseline.json", "same.json", "--fail-on", "PAT<0", "--json", "gate.json")
    assert result.exit_code == 0
    assert json.loads((files / "gate.json").read_text())["passed"] is True
    assert "passed" in result.stdout


def test_errors_keep_their_exit_codes_and_leave_the_file_alone(files):
    (files / "gate.json").write_text("earlier")
    result = invoke("baseline.json", "same.json", "--fail-on", "PAT!", "--json", "gate.json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["kind"] == "config"
    result = invoke("baseline.json", "runs/now", "--json", "gate.json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["error"]["where"].endswith("results.json")
    assert (files / "gate.json").read_text() == "earlier"
    assert invoke("baseline.json", "nowhere.json").exit_code == 3
    assert invoke("baseline.json").exit_code == 2


def test_the_examples_of_the_help_run(files):
    (files / "current.json").write_text(json.dumps(evaluation()))
    examples = [
        line.strip().split()[2:]
        for line in command.epilog.splitlines()
        if line.strip().startswith("mapt-bench compare")
    ]
    assert len(examples) == 2
    for words in examples:
        result = invoke(*(word.strip('"') for word in words))
        assert result.exit_code == 0, result.output
    shown = invoke("--help").stdout
    assert all(f"mapt-bench compare {' '.join(words)}" in shown for words in examples)


def test_comparing_loads_neither_torch_nor_matplotlib(files):
    code = (
        "import sys\n"
        "from mapt_bench.cli import main\n"
        "try:\n"
        "    main(['compare', 'baseline.json', 'same.json'])\n"
        "except SystemExit as stop:\n"
        "    assert stop.code == 0, stop.code\n"
        "print(sorted({'torch', 'matplotlib', 'pandas', 'cv2', 'scipy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
