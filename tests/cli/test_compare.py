import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from helpers.commands import examples_of
from helpers.results import evaluation, run

from mapt_bench.cli import main


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
    assert (
        "undefined: tracker: PAT has a value in the baseline and is undefined now" in result.stdout
    )


def test_json_on_stdout_stands_alone(files):
    result = invoke("baseline.json", "worse.json", "--fail-on", "PAT<-0.5", "--json", "-")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["schema"], found["passed"]) == ("mapt-bench/comparison/3", False)


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
    (files / "gate.yaml").write_text("limits: [{score: PAT, max_drop: 0.5}]")
    examples = examples_of("compare")
    assert len(examples) == 3
    for words in examples:
        if "--update-baseline" in words:
            (files / "baseline.json").unlink()
        result = invoke(*words)
        assert result.exit_code == 0, result.output
    assert (files / "gate.xml").exists()


def lowered(files, by=0.006):
    """The issue's case: one score 0.6 points lower."""
    result = evaluation()
    result["scores"]["PAT"] -= by
    (files / "lowered.json").write_text(json.dumps(result))
    return "baseline.json", "lowered.json"


def test_github_shows_why_two_results_are_not_compared(files, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(files / "summary.md"))
    other = evaluation()
    other["protocol"] = {**other["protocol"], "dataset": "<b>other</b>"}
    (files / "other.json").write_text(json.dumps(other))
    result = invoke("baseline.json", "other.json", "--github")
    assert result.exit_code == 3
    assert "::error file=other.json,title=mapt-bench compare::other.json: cannot be" in (
        result.stderr
    )
    summary = (files / "summary.md").read_text()
    assert summary.startswith("### mapt-bench compare: not compared\n\nother.json: cannot be")
    assert "<b>" not in summary.replace("\\<b", "")
    (files / "summary.md").unlink()
    assert invoke("baseline.json", "other.json").exit_code == 3
    assert not (files / "summary.md").exists()


def test_every_output_names_a_score_that_fell(files, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(files / "summary.md"))
    (files / "summary.md").write_text("earlier\n")
    outputs = ("--junit", "gate.xml", "--markdown", "gate.md", "--gitlab", "gate.json", "--github")
    result = invoke(*lowered(files), "--max-drop", "PAT=0.5", *outputs)
    assert result.exit_code == 1
    message = "tracker: PAT changed by -0.6 points, limit max-drop PAT=0.5"
    assert f"broken: {message}" in result.stdout
    assert f"::error file=lowered.json,title=mapt-bench compare::{message}" in result.stderr
    for name in ("gate.xml", "gate.json"):
        assert message in (files / name).read_text()
    comment = (files / "gate.md").read_text()
    assert comment.startswith("### mapt-bench compare: failed")
    assert "PAT changed by -0.6 points" in comment
    assert (files / "summary.md").read_text() == "earlier\n" + comment
    assert invoke(*lowered(files, 0.005), "--max-drop", "PAT=0.5", *outputs).exit_code == 0


def test_the_page_shows_both_results(files):
    words = ("--max-drop", "PAT=0.5", "--html", "gate.html")
    assert invoke("runs/before", "runs/now", *words).exit_code == 0
    both = (files / "gate.html").read_text()
    invoke("small.json", "runs/now", "--update-baseline")
    assert invoke("small.json", "runs/now", *words).exit_code == 0
    assert (files / "gate.html").read_text().count("<h2") < both.count("<h2")


def test_rows_and_sequences_restrict_limits(files):
    worse = run()
    worse["summary"][1]["scores"] = {**worse["summary"][1]["scores"], "PAT": 0.5}
    (files / "now.json").write_text(json.dumps(worse))
    words = ("runs/before", "now.json", "--max-drop", "PAT=1")
    assert invoke(*words).exit_code == 1
    assert invoke(*words, "--row", "both").exit_code == 0
    assert invoke(*words, "--sequence", "0*").exit_code == 0  # the cells are unchanged
    result = invoke(*words, "--row", "boht")
    assert result.exit_code == 2
    assert "did you mean 'both'" in result.stderr


def test_what_is_not_comparable_never_shares_a_code_with_worse(files):
    (files / "suite.json").write_text(json.dumps(run(protocol={"pat": "official"})))
    result = invoke("runs/before", "suite.json", "--max-drop", "PAT=0.5")
    assert result.exit_code == 3
    assert "pat (present then, official now)" in result.stderr


def test_a_baseline_is_created_and_replaced(files):
    created = invoke("new/baseline.json", "worse.json", "--update-baseline")
    assert created.exit_code == 0
    kept = (files / "new/baseline.json").read_text()
    assert json.loads(kept)["schema"] == "mapt-bench/baseline/1"
    limit = ("--max-drop", "PAT=0.5")
    better = invoke("new/baseline.json", "baseline.json", *limit)
    assert "scores improved. Make this result the new baseline" in better.stdout
    assert (files / "new/baseline.json").read_text() == kept
    assert invoke("new/baseline.json", "baseline.json", *limit, "--update-baseline").exit_code == 0
    replaced = (files / "new/baseline.json").read_text()
    assert replaced != kept
    worse = invoke("new/baseline.json", "worse.json", *limit, "--update-baseline")
    assert worse.exit_code == 1
    assert "because the gate failed" in worse.stdout
    assert (files / "new/baseline.json").read_text() == replaced
    assert invoke("new/baseline.json", "worse.json", "--update-baseline").exit_code == 0
    assert (files / "new/baseline.json").read_text() == kept


OUTPUTS = (
    *("--junit", "gate.xml", "--gitlab", "gitlab.json", "--markdown", "gate.md"),
    *("--html", "gate.html", "--json", "gate.json", "--github"),
)


def test_a_new_baseline_comes_with_every_output(files, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(files / "summary.md"))
    limits = ("--min", "PAT=50", "--max-drop", "PAT=0.5")
    result = invoke("new.json", "same.json", "--update-baseline", *limits, *OUTPUTS)
    assert result.exit_code == 0, result.output
    note = "new.json did not exist, so same.json was compared with itself"
    assert result.stdout.splitlines() == [
        *(f"note: {note}", "passed", "created new.json from the scores of same.json"),
    ]
    for name in ("gate.xml", "gitlab.json", "gate.md", "gate.html"):
        assert (files / name).stat().st_size
    found = json.loads((files / "gate.json").read_text())
    assert (found["baseline"], found["passed"], found["notes"]) == ("new.json", True, [note])
    assert (files / "summary.md").read_text() == (files / "gate.md").read_text()
    assert json.loads((files / "new.json").read_text())["schema"] == "mapt-bench/baseline/1"


def test_a_gate_that_fails_creates_no_baseline(files):
    result = invoke("new.json", "same.json", "--update-baseline", "--min", "PAT=51", *OUTPUTS)
    assert result.exit_code == 1
    message = "tracker: PAT is 50 %, limit min PAT=51"
    assert f"broken: {message}" in result.stdout
    assert "did not create new.json, because the gate failed" in result.stdout
    assert f"::error file=same.json,title=mapt-bench compare::{message.replace('%', '%25')}" in (
        result.stderr
    )
    assert message in (files / "gate.xml").read_text()
    assert not (files / "new.json").exists()


def test_an_unknown_score_creates_no_baseline(files):
    result = invoke("new.json", "same.json", "--update-baseline", "--min", "PATT=5")
    assert result.exit_code == 2
    assert "did you mean 'PAT'" in result.stderr
    assert not (files / "new.json").exists()


def test_only_a_result_is_replaced(files):
    (files / "notes.txt").write_text("mine")
    for target in ("notes.txt", "runs/before"):
        assert invoke(target, "same.json", "--update-baseline").exit_code == 3
    assert (files / "notes.txt").read_text() == "mine"


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


def test_a_thousand_exceeded_limits_are_few_lines(files):
    before = evaluation()
    scores = before["per_sequence"]["0001"]
    before["per_sequence"] = {f"{at:04d}": scores for at in range(1000)}
    after = {
        **before,
        "per_sequence": {name: {**scores, "PAT": 0} for name in before["per_sequence"]},
    }
    (files / "before.json").write_text(json.dumps(before))
    (files / "after.json").write_text(json.dumps(after))
    (files / "gate.yaml").write_text('limits: [{score: PAT, sequence: "*", max_drop: 0.5}]')
    result = invoke("before.json", "after.json", "--gate", "gate.yaml")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert sum(line.startswith("broken: ") for line in lines) == 21
    assert "broken: and 980 more. All of them: --json FILE." in lines
    found = json.loads(
        invoke("before.json", "after.json", "--gate", "gate.yaml", "--json", "-").stdout
    )
    assert len(found["broken"]) == 1000


@pytest.mark.parametrize("kind", ["named pipe", "device"])
def test_a_summary_that_is_no_file_is_refused_before_any_work(files, monkeypatch, at_once, kind):
    if kind == "device":
        (files / "summary").symlink_to("/dev/null")
    else:
        os.mkfifo(files / "summary")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary")
    result = invoke("baseline.json", "same.json", "--github", "--json", "now.json")
    assert result.exit_code == 3
    assert f"summary: is a {kind}" in result.stderr
    assert not (files / "now.json").exists()


@pytest.mark.parametrize("name", ["baseline.json", "same.json", "link.json", "gate.xml"])
def test_a_summary_that_is_an_input_or_another_output_is_refused(files, monkeypatch, name):
    (files / "link.json").symlink_to("same.json")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", name)
    before = (files / "baseline.json").read_text()
    result = invoke("baseline.json", "same.json", "--github", "--junit", "gate.xml")
    assert result.exit_code == 2
    assert (files / "baseline.json").read_text() == (files / "same.json").read_text() == before
    assert not (files / "gate.xml").exists()


@pytest.mark.parametrize(
    ("baseline", "current"),
    [
        ("same.json", "same.json"),
        ("link.json", "same.json"),
        ("same.json", "link.json"),
        ("runs/now/results.json", "runs/now"),
        ("linked/results.json", "runs/now"),
    ],
)
def test_a_result_is_no_baseline_of_itself(files, baseline, current):
    (files / "link.json").symlink_to("same.json")
    (files / "linked").symlink_to("runs/now")
    before = {path: path.read_text() for path in files.rglob("*.json")}
    result = invoke(baseline, current, "--update-baseline", "--junit", "gate.xml")
    assert result.exit_code == 2
    assert f"{baseline}: is the file of both BASELINE and CURRENT" in result.stderr
    assert {path: path.read_text() for path in files.rglob("*.json")} == before
    assert not (files / "gate.xml").exists()
    assert invoke(baseline, current).exit_code == 0
