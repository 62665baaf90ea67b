"""``run``: plans of the commands give the same bytes, the example plans run, and errors."""

import csv
import json
import os
import re
from importlib.resources import files

import pytest
import yaml
from click.testing import CliRunner
from helpers.commands import enter_two_walks, examples_of
from helpers.modules import ROOT

from mapt_bench.cli import main

jsonschema = pytest.importorskip("jsonschema")

PLANS = ROOT / "examples/plans"
FEW = ("--weights", "none", "--segments", "groundtruth", "--no-report")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder of data without images, where no weights are shipped."""
    enter_two_walks(monkeypatch, tmp_path, frames=4)
    return tmp_path


def invoke(*words, code=0):
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result


def without_times(value):
    """Return a result without its times and its provenance."""
    if isinstance(value, dict):
        omitted = ("cost", "provenance")
        return {name: without_times(each) for name, each in value.items() if name not in omitted}
    return [without_times(each) for each in value] if isinstance(value, list) else value


def outputs(folder):
    """Return everything of a run but times and provenance: results and tables by their path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.name == "results.json":
            found[name] = json.dumps(without_times(json.loads(path.read_text())))
        elif "tables" in path.parts and path.suffix == ".csv":
            rows = [line.split(",") for line in path.read_text().splitlines()]
            timed = {at for at, head in enumerate(rows[0]) if head in ("ms/frame", "ms_per_frame")}
            found[name] = [[c for at, c in enumerate(row) if at not in timed] for row in rows]
        elif path.name == "plan.yaml":
            found[name] = path.read_bytes()
    return found


@pytest.mark.parametrize(
    "words",
    [
        ("ablate", "--data", "DATA", "--only", "sort+memory", "--only", "iou", "--seed", "1"),
        ("ablate", "--suite", "tiny", "--only", "sort+memory", "--scores", "PAT,IDSW"),
        ("ablate", "--data", "DATA", "--data", "PREDICTIONS", "--only", "iou"),
        ("sweep-interval", "--data", "DATA", "--drop", "1,2"),
        ("stress", "motion", "--data", "DATA", "--stressor", "drop", "--levels", "1"),
    ],
    ids=" ".join,
)
def test_the_plan_of_a_command_gives_the_same_bytes(here, words):
    by_command = invoke(*words, *FEW, "--out", "command")
    by_plan = invoke("run", "command/plan.yaml", "--out", "plan")
    first, second = outputs(here / "command"), outputs(here / "plan")
    assert first.keys() == second.keys()
    assert len(first) > 3
    for name, content in first.items():
        assert second[name] == content, name
    if not any("ms/frame" in line for line in by_command.stdout.splitlines()):
        assert by_plan.stdout == by_command.stdout.replace("command", "plan")
    schema = json.loads(files("mapt_bench").joinpath("results/schemas/plan.json").read_text())
    plan = yaml.safe_load((here / "command/plan.yaml").read_text())
    jsonschema.Draft202012Validator(schema).validate(plan)


PLAN = """
experiment: ablate
data: {folder: DATA}
weights: none
segments: groundtruth
trackers: [iou, sort+memory]
matrix:
  thresholds: [tuned, published]
report: {page: false, scores: [PAT, STQ]}
"""


def test_several_runs_have_common_tables_and_one_document(here):
    (here / "p.yaml").write_text(PLAN.replace("page: false, ", "gallery: 0, "))
    shown = invoke("run", "p.yaml", "--out", "runs")
    page = (here / "runs/report.html").read_text()
    assert re.findall('<h2 class="of">([^<]*)', page) == [
        "ablate on DATA (thresholds=tuned)",
        "ablate on DATA (thresholds=published)",
    ]
    assert "Scores by run" in shown.stdout
    assert "PAT thresholds=published" in shown.stdout
    document = json.loads(invoke("run", "p.yaml", "--out", "runs", "--json", "-").stdout)
    names = ["thresholds=tuned", "thresholds=published"]
    assert list(document["runs"]) == names
    assert document["drops"] == []
    text = files("mapt_bench").joinpath("results/schemas/data_sets.json").read_text()
    jsonschema.Draft202012Validator(json.loads(text)).validate(document)
    for name in names:
        thresholds = yaml.safe_load((here / "runs" / name / "plan.yaml").read_text())["thresholds"]
        assert name == f"thresholds={thresholds}"
    table = (here / "runs/tables/runs.csv").read_text()
    assert "STQ thresholds=published" in table.splitlines()[0]
    again = invoke("run", "runs/plan.yaml", "--out", "runs")  # the written plan resumes its runs
    assert again.stdout == shown.stdout


def test_the_row_under_study_has_a_score_in_every_run(here):
    text = PLAN.replace("thresholds: [tuned, published]", "memory: [5, 10]")
    chosen = text.replace("report: {", "report: {rows: [sort+memory], losses: [sort+memory], ")
    (here / "p.yaml").write_text(chosen)
    shown = invoke("run", "p.yaml", "--out", "runs").stdout
    assert re.search(r"Scores by run(.*\n)+sort\+memory +[0-9.]+ +[0-9.]+\n", shown)
    first = json.loads((here / "runs/memory=5/results.json").read_text())
    (line,) = csv.DictReader((here / "runs/tables/runs.csv").read_text().splitlines())
    (row,) = (each for each in first["summary"] if each["variant"] == "sort+memory=5")
    assert line["variant"] == "sort+memory"
    assert float(line["PAT memory=5 (%)"]) == pytest.approx(100 * row["scores"]["PAT"])
    assert line["PAT memory=10 (%)"]


def test_a_dry_run_counts_what_is_done_and_writes_nothing(here):
    (here / "p.yaml").write_text(PLAN)
    before = sorted(here.rglob("*"))
    shown = invoke("run", "p.yaml", "--dry-run").stdout
    assert "2 runs, 10 cells" in shown
    assert "0 of 20 work units are done; no estimate" in shown
    assert "Give --out" in shown
    assert sorted(here.rglob("*")) == before
    invoke("run", "p.yaml", "--out", "runs")
    state = json.loads(invoke("run", "p.yaml", "--out", "runs", "--dry-run", "--json", "-").stdout)
    text = files("mapt_bench").joinpath("results/schemas/plan_state.json").read_text()
    jsonschema.Draft202012Validator(json.loads(text)).validate(state)
    assert (state["cells"], state["units"], state["done"], state["seconds_left"]) == (10, 20, 20, 0)
    done = sorted((here / "runs/thresholds=tuned/cells").rglob("*.json"))
    for at, path in enumerate(done):  # one unit a second, and a pause before the last
        os.utime(path, (at, at) if path != done[-1] else (9999, 9999))
    other = here / "runs/thresholds=published"
    for path in (other / "cells").rglob("*.json"):
        path.unlink()
    state = json.loads(invoke("run", "p.yaml", "--out", "runs", "--dry-run", "--json", "-").stdout)
    first, second = state["runs"]
    assert (first["done"], second["done"]) == (10, 0)
    assert (first["seconds_left"], second["seconds_left"]) == (0, 10)
    assert {cell["variant"] for cell in first["cells"]} >= {"iou", "sort+memory", "oracle"}
    assert (
        "the rest takes about 10 s" in invoke("run", "p.yaml", "--out", "runs", "--dry-run").stdout
    )


@pytest.mark.parametrize(("seeds", "runs"), [(1, 2), (20, 40)])
def test_a_dry_run_prints_at_most_40_lines(here, seeds, runs):
    (here / "p.yaml").write_text(f"{PLAN}seeds: {list(range(seeds))}\n")
    shown = invoke("run", "p.yaml", "--dry-run").stdout
    assert len(shown.splitlines()) <= 40
    assert f"{runs} runs, {5 * runs} cells" in shown
    assert ("more runs; --full prints all." in shown) == (runs > 14)
    assert ("more cells; --full prints all." in shown) == (runs > 14)
    full = invoke("run", "p.yaml", "--dry-run", "--full").stdout
    assert len(full.splitlines()) > 6 * runs


def test_nothing_can_run_for_the_reasons_of_the_rows_that_were_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # with shipped weights of a flow that the plan does not name
    (tmp_path / "p.yaml").write_text(
        "experiment: sweep-interval\ndata: {suite: tiny}\ndrop: [500]\n"
        "weights: none\nsegments: groundtruth\n"
    )
    message = invoke("run", "p.yaml", "--dry-run", code=3).stderr
    assert "nothing can be run" in message
    assert "drop 500 needs 1000 frames" in message
    assert "flow-weights" not in message


def test_a_dry_run_counts_one_run(here):
    single = PLAN.replace("matrix:\n  thresholds: [tuned, published]", "thresholds: tuned")
    (here / "p.yaml").write_text(single)
    assert "1 run, 5 cells" in invoke("run", "p.yaml", "--dry-run").stdout


@pytest.mark.parametrize(
    ("plan", "words", "rows"),
    [
        (
            "ablation.yaml",
            ("--var", "suite=tiny"),
            {"mapt:motion+memory", "mapt:appearance+memory", "mapt+memory", "mapt:paper+memory"},
        ),
        (
            "occlusion.yaml",
            ("--var", "suite=tiny"),
            {"mapt+memory", "mapt:appearance-first+memory", "mapt:simultaneous+memory"},
        ),
        (
            "own_tracker.yaml",
            ("--var", "suite=tiny"),
            {"add_a_tracker:Nearest+memory", "iou", "sort+memory", "bytetrack+memory"},
        ),
    ],
)
def test_the_example_plans_run(tmp_path, monkeypatch, plan, words, rows):
    monkeypatch.chdir(ROOT / "examples")
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    out = ("--out", tmp_path / "run")
    text = (PLANS / plan).read_text()
    quick = tmp_path / "quick.yaml"  # one table and no report, so that the test is short
    quick.write_text(f"base: {PLANS / plan}\nreport: {{page: false}}\n{SHORTER.get(plan, '')}")
    document = json.loads(invoke("run", quick, *words, *out, "--json", "-").stdout)
    runs = document["runs"].values() if "runs" in document else [document]
    for run in runs:
        assert {row["variant"] for row in run["summary"]} >= rows
        assert {cell["status"] for cell in run["cells"]} == {"done"}
    schema = json.loads(files("mapt_bench").joinpath("results/schemas/plan.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(text))


SHORTER = {
    "ablation.yaml": "segments: groundtruth\n",
    "occlusion.yaml": "levels: [3]\nstressors: [bars]\nseeds: [1]\n",
}


def test_the_commands_in_the_help_name_plans_that_are_there():
    for words in examples_of("run"):
        assert (ROOT / words[0]).is_file()
    for path in PLANS.glob("*.yaml"):
        assert "mapt-bench run" in path.read_text()


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("experiment: ablate\nmemry: 3\n", (), "p.yaml, line 2, column 1: the plan has an unknown"),
        ("a: &a [*a]\n", (), "p.yaml, line 1, column 4: an alias refers to a value that contains"),
        ("a:\n\tb: 1\n", (), "p.yaml, line 2, column 1: there is a tab"),
        ("a: 1\na: 2\n", (), "p.yaml, line 2, column 1: the key 'a' occurs twice"),
        ("a: !!set {}\n", (), "p.yaml, line 1, column 4: the tag !!set is not allowed"),
        ("a: 2027-01-31\n", (), "p.yaml, line 1, column 4: YAML reads 2027-01-31 as a date"),
        (f"{PLAN}data: {{}}\n", (), "the key 'data' occurs twice"),
        (PLAN.replace("DATA", "NONE"), (), "p.yaml, line 3, column 16: NONE: does not exist"),
        (PLAN, ("--var", "x"), "--var is 'x'; expected NAME=VALUE"),
        (PLAN, ("--var", "x=1", "--var", "x=2"), "--var gives x twice"),
        (PLAN, ("--var", "x=1"), "the plan has no variable 'x'"),
        (PLAN.replace("STQ", "STX"), (), "STX"),
        (f"{PLAN}seeds: {list(range(60_000))}", (), "120,000 runs before any is excluded"),
        (None, (), "p.yaml: cannot be read"),
    ],
)
def test_a_wrong_plan_ends_with_2(here, text, words, message):
    if text is not None:
        (here / "p.yaml").write_text(text)
    found = sorted(here.iterdir())
    result = invoke("run", "p.yaml", *words, code=2)
    assert message in result.stderr.replace("\n  ", " ")
    assert sorted(here.iterdir()) == found


def test_the_schema_is_printed():
    schema = json.loads(invoke("run", "--schema").stdout)
    assert schema["title"].startswith("mapt-bench/plan/1")
