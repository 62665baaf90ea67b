"""Files for CI: the Action, the GitLab job, the pre-commit hook, the pytest plugin."""

import json
import os
import re
import subprocess
import sys
import tomllib

import click
import pytest
import yaml
from click.testing import CliRunner
from helpers.modules import ROOT
from helpers.results import evaluation

import mapt_bench as mb
from mapt_bench.cli import main

ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
GITLAB = yaml.safe_load((ROOT / "examples/ci/gitlab-ci.yml").read_text(encoding="utf-8"))


def test_the_action_uses_its_inputs_through_the_environment():
    assert ACTION["runs"]["using"] == "composite"
    used = set()
    for step in ACTION["runs"]["steps"]:
        assert "uses" in step or step["shell"] == "bash"
        assert "${{" not in step.get("run", ""), "a script must not contain an input"
        text = yaml.safe_dump(step)
        used |= {name for name in ACTION["inputs"] if f"inputs.{name} " in text}
    assert used == ACTION["inputs"].keys()


def step(name):
    (found,) = [each for each in ACTION["runs"]["steps"] if each.get("name") == name]
    return found


def commands_of(script):
    """The words of every call of ``mapt-bench`` in a script, without pipes and conditions."""
    lines = script.replace("\\\n", " ").splitlines()
    calls = [line.partition("mapt-bench ")[2] for line in lines if "mapt-bench " in line]
    return [re.split(r"\|\||&&|[;|]", call)[0].split() for call in calls]


SCRIPTS = [
    *(each["run"] for each in ACTION["runs"]["steps"] if "run" in each),
    *(str(given.get("default", "")) for given in ACTION["inputs"].values()),
    *GITLAB["mapt-bench"]["script"],
    (ROOT / ".ci/run").read_text(encoding="utf-8").replace("$work/venv/bin/", ""),
    (ROOT / ".ci/update-baseline").read_text(encoding="utf-8"),
]


def test_scripts_call_commands_and_options_that_exist():
    called = set()
    for name, *words in [call for script in SCRIPTS for call in commands_of(script) if call]:
        command = main.get_command(click.Context(main), name)
        if command is None:
            continue  # a message, such as the name of this Action
        called.add(name)
        options = {text for each in command.params for text in each.opts}
        unknown = {word for word in words if word.startswith("-")} - options
        assert not unknown, (name, unknown)
    assert called >= {"ablate", "compare"}


def test_the_loggers_are_tested():
    """Tests of loggers skip themselves where a logger is not installed."""
    jobs = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())["jobs"]
    steps = {name: [each.get("run", "") for each in job["steps"]] for name, job in jobs.items()}
    pinned = next(
        word
        for word in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
            "optional-dependencies"
        ]["logging"]
        if word.startswith("tensorboard")
    )
    gate = (ROOT / ".ci/run").read_text().splitlines()
    for lines in (gate, steps["tests"]):
        assert any("install" in line and f'"{pinned}"' in line for line in lines)
    assert 'pip install -e ".[test,logging]"' in steps["logging"]
    tested = next(line.split()[1] for line in steps["logging"] if line.startswith("pytest"))
    text = (ROOT / tested).read_text()
    assert {name for name in ("mlflow", "wandb") if f'importorskip("{name}' in text} == {
        "mlflow",
        "wandb",
    }


def test_the_scripts_are_read():
    (compare,) = commands_of(step("Gate")["run"])
    assert compare[:2] == ["compare", '"$BASELINE"']
    assert {"--github", "--junit", "--markdown", "--json"} <= set(compare)
    assert len(commands_of(GITLAB["mapt-bench"]["script"][-1])) == 1


def test_gitlab_reads_the_files_that_the_job_writes():
    job = GITLAB["mapt-bench"]
    for file in (*job["artifacts"]["reports"].values(), "comment.md"):
        assert file in job["script"][-1]


@pytest.mark.parametrize(("shift", "code"), [(0.0, 0), (-0.006, 1)])
def test_the_gate_of_the_action_runs(tmp_path, shift, code):
    """The script of the step, with the variables that GitHub sets."""
    (tmp_path / "base.json").write_text(json.dumps(evaluation()))
    (tmp_path / "now.json").write_text(json.dumps(evaluation(shift=shift)))
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "mapt-bench"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mapt_bench "$@"\n')
    command.chmod(0o755)
    found = {
        "BASELINE": "base.json",
        "RESULT": "now.json",
        "GATE": "",
        "LIMITS": "--max-drop PAT=0.5 --max-rise IDSW=5",
        "GITHUB_OUTPUT": "output",
        "GITHUB_STEP_SUMMARY": "summary.md",
    }
    path = os.pathsep.join((str(tmp_path / "bin"), os.environ["PATH"]))
    environment = {**os.environ, **found, "PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step("Gate")["run"]],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    passed = "true" if code == 0 else "false"
    assert (tmp_path / "output").read_text() == f"passed={passed}\n"
    assert (tmp_path / "summary.md").read_text().startswith("### mapt-bench compare: ")
    assert ("::error file=now.json" in done.stderr) is (code == 1)
    assert (tmp_path / "mapt-bench-gate/junit.xml").exists()


def test_the_pre_commit_hook_runs_a_command():
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["entry"] == "mapt-bench check"
    assert hook["pass_filenames"] is False


def test_the_gate_of_this_project_reads_its_baseline():
    words = [str(ROOT / ".ci/baseline.json")] * 2
    result = CliRunner().invoke(
        main, ["compare", *words, "--gate", str(ROOT / ".ci/gate.yaml"), "--json", "-"]
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["passed"] is True
    assert found["limits"]


def test_the_plugin_has_the_fixture(tmp_path):
    (tmp_path / "base.json").write_text(json.dumps(evaluation()))
    (tmp_path / "now.json").write_text(json.dumps(evaluation(shift=-0.1)))
    (tmp_path / "test_mine.py").write_text(
        "def test_equal(assert_no_regression):\n"
        "    assert_no_regression('base.json', 'base.json', 'PAT<-0.5')\n"
        "def test_worse(assert_no_regression):\n"
        "    assert_no_regression('now.json', 'base.json', 'PAT<-0.5')\n"
    )
    words = ["-m", "pytest", "-p", "mapt_bench.pytest_plugin", "-p", "no:cacheprovider", "."]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 1 passed" in done.stdout
    lines = [line.removeprefix("E").strip() for line in done.stdout.splitlines()]
    place = lines.index("AssertionError: the result is worse:")
    assert lines[place + 1] == "tracker: PAT changed by -10 points, limit PAT<-0.5"
    assert mb.assert_no_regression.__module__.startswith("mapt_bench.compare")
