"""The files that commands write fit the JSON Schemas that ship with the package."""

import copy
import importlib.resources
import json

import pytest
from click.testing import CliRunner
from helpers.commands import write_two_walks
from helpers.folders import GT, LOST, SWITCHED, write_films
from helpers.modules import ROOT

from mapt_bench.cli import main

jsonschema = pytest.importorskip("jsonschema")

FOLDER = importlib.resources.files("mapt_bench").joinpath("results/schemas")
BY_ID = {
    "mapt-bench/baseline/1": "baseline",
    "mapt-bench/comparison/3": "comparison",
    "mapt-bench/conformance/1": "conformance",
    "mapt-bench/evaluation/2": "evaluation",
    "mapt-bench/evaluations/2": "evaluations",
    "mapt-bench/run/1": "run",
}


def schema(data):
    return json.loads(FOLDER.joinpath(f"{BY_ID[data['schema']]}.json").read_text(encoding="utf-8"))


def validate(path):
    data = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema(data)).validate(data)
    return data


def run(*words):
    outcome = CliRunner().invoke(main, [str(word) for word in words])
    assert outcome.exit_code == 0, outcome.output


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One file of each kind, as the commands write them."""
    folder = tmp_path_factory.mktemp("files")
    films = {"gt": [GT, GT], "one": [SWITCHED, LOST], "two": [LOST, GT]}
    for name, pair in films.items():
        write_films(folder / name, {"0001": pair[0], "0002": pair[1]})
    gt, one, two = (folder / name for name in films)
    run("evaluate", gt, one, "--json", folder / "evaluation.json", "--intervals", "--losses")
    run("evaluate", gt, one, two, "--json", folder / "evaluations.json", "--intervals")
    run("conformance", ROOT / "tests/golden/id_switch", "--json", folder / "conformance.json")
    write_two_walks(folder, 6)
    words = ("--data", folder / "DATA", "--segments", "groundtruth", "--weights", "none")
    run("ablate", *words, "--out", folder / "run")
    base = folder / "baseline.json"
    run("compare", base, folder / "run", "--update-baseline")
    (folder / "gate.yaml").write_text(
        "limits: [{score: PAT, max_drop: 1, noise_aware: true}, {score: PQ, sequence: a, min: 1}]\n"
        "accepted: [{score: PAT, reason: x, expires: 2000-01-01}]\n"
    )
    limits = ("--gate", folder / "gate.yaml", "--json", folder / "comparison.json")
    run("compare", base, folder / "run", *limits)
    return folder


@pytest.mark.parametrize(
    "name",
    [
        *("evaluation.json", "evaluations.json", "conformance.json", "run/results.json"),
        *("baseline.json", "comparison.json"),
    ],
)
def test_written_files_fit_their_schema(files, name):
    validate(files / name)


def test_a_comparison_of_failures_fits(files):
    data = json.loads((files / "run/results.json").read_text())
    data["summary"][3]["scores"]["PAT"] = 0.0
    data["summary"][1]["scores"]["PAT"] = None
    del data["summary"][2]
    (files / "worse.json").write_text(json.dumps(data))
    words = ["compare", files / "baseline.json", files / "worse.json", "--max-drop", "PAT=1"]
    words += ["--max-rise", "seconds_per_frame=0", "--json", files / "failed.json"]
    assert CliRunner().invoke(main, list(map(str, words))).exit_code == 1
    data = validate(files / "failed.json")
    assert data["broken"]
    assert data["missing"]


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("evaluation.json", ("scores", "PAT"), "0.5"),
        ("evaluation.json", ("protocol",), {}),
        ("run/results.json", ("summary", 0, "status"), "fine"),
        ("comparison.json", ("passed",), "yes"),
        ("baseline.json", ("rows", 0, "values", 0), "none"),
        ("conformance.json", ("mismatches",), 0),
    ],
)
def test_a_schema_sees_a_wrong_value(files, name, place, value):
    data = json.loads((files / name).read_text())
    wrong = copy.deepcopy(data)
    inner = wrong
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema(data)).validate(wrong)


def test_every_schema_is_valid_and_used():
    found = {each.name for each in FOLDER.iterdir()}
    assert found == {f"{name}.json" for name in BY_ID.values()}
    for name in found:
        jsonschema.Draft202012Validator.check_schema(json.loads(FOLDER.joinpath(name).read_text()))


def test_the_baseline_of_this_project_fits_its_schema():
    path = ROOT / ".ci/baseline.json"
    validate(path)
    assert path.stat().st_size < 200_000
