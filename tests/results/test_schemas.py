"""The files that commands write fit the JSON Schemas that ship with the package."""

import copy
import importlib.resources
import json
import re

import pytest
from click.testing import CliRunner
from helpers.commands import write_two_walks
from helpers.folders import GT, LOST, SWITCHED, write_films
from helpers.modules import ROOT
from helpers.small_runs import write_videos
from helpers.training_jobs import moving_boxes
from PIL import Image

from mapt_bench.cli import main

jsonschema = pytest.importorskip("jsonschema")

FOLDER = importlib.resources.files("mapt_bench").joinpath("results/schemas")
DRAFT = jsonschema.Draft202012Validator
SCHEMAS = [json.loads(each.read_text(encoding="utf-8")) for each in FOLDER.iterdir()]
BY_ID = {schema["title"].partition(":")[0]: schema for schema in SCHEMAS}

INTERNAL = {
    "mapt-bench/run-setup/1": "run.json, which resuming reads",
    "mapt-bench/unit/8": "work units below cells, which resuming reads",
    "mapt-bench/objects/1": "objects of the sequences of a run, which its report reads",
    "mapt-bench/training/1": "train.json, which resuming reads",
    "mapt-bench/checkpoint/1": "header of a checkpoint",
    "mapt-bench/snapshot/1": "header of a checkpoint of one process",
    "mapt-bench/non-finite/1": "state at a loss that is not finite, to find the bug",
    "mapt-bench/segments/1": "header of a segment archive",
    "mapt-bench/metrics/1": "version of the formulas, a field of results",
    "mapt-bench/known/1": "JSON lines beside synthetic videos, docs/world.md",
    "mapt-bench/weights-card/1": "cards of shipped weights, written by a tool",
    "mapt-bench/linker/1": "linkers of shipped weights, written by a tool",
}
"""Schemas of files that no command promises to others."""

OLDER = {"mapt-bench/evaluation/1", "mapt-bench/evaluations/1", "mapt-bench/thresholds/2"}

WITHOUT_SCHEMA = {"run.json", "train.json", "dataset.json"}
"""Internal files, and the label space of a folder, which docs/data.md describes."""


def validate(path):
    data = json.loads(path.read_text(encoding="utf-8"))
    DRAFT(BY_ID[data["schema"]]).validate(data)
    return data


def run(*words, exit_code=0):
    outcome = CliRunner().invoke(main, [str(word) for word in words])
    assert outcome.exit_code == exit_code, outcome.output


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One file of each kind, as the commands write them."""
    folder = tmp_path_factory.mktemp("files")
    films = {"gt": [GT, GT], "one": [SWITCHED, LOST], "two": [LOST, GT]}
    for name, pair in films.items():
        write_films(folder / name, {"0001": pair[0], "0002": pair[1]})
    gt, one, two = (folder / name for name in films)
    options = ("--intervals", "--losses", "--slices")
    run("evaluate", gt, one, "--json", folder / "evaluation.json", *options)
    run("evaluate", gt, one, two, "--json", folder / "evaluations.json", *options)
    run("conformance", ROOT / "tests/golden/id_switch", "--json", folder / "conformance.json")
    run("check", gt, "--json", folder / "check.json")
    run("convert", gt, folder / "maps", "--to", "mots-txt", "--json", folder / "convert.json")
    submitted = ("--out", folder / "submission.zip", "--json", folder / "submission.json")
    run("submit", "kitti-step", gt, *submitted, exit_code=1)  # two sequences are no test set
    run("show", gt, "--pred", one, "--out", folder / "0001.png", "--json", folder / "show.json")
    run("history", folder / "evaluation.json", "--json", folder / "history.json")
    report = ("report", folder / "evaluation.json", "--out", folder / "report.html")
    run(*report, "--json", folder / "report.json")
    write_two_walks(folder, 6)
    data = folder / "DATA"
    words = ("--data", data, "--segments", "groundtruth", "--weights", "none")
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


@pytest.fixture(scope="module")
def more_files(tmp_path_factory):
    """Files of the commands that track, sweep, tune, count, generate and train."""
    folder = tmp_path_factory.mktemp("more files")
    write_two_walks(folder, 6)
    words = ("--data", folder / "DATA", "--segments", "groundtruth", "--weights", "none")
    tracking = ("track", folder / "DATA", "--tracker", "iou", "--out", folder / "maps")
    run(*tracking, "--json", folder / "tracking.json")
    run("sweep-interval", *words, "--drop", "1,2", "--pair", "1", "--out", folder / "sweep")
    levels = ("--stressor", "drop", "--levels", "1", "--out", folder / "stress")
    run("stress", "motion", *words, *levels)
    trials = ("--data", folder / "DATA", "--score", "TQ", "--trials", "2", "--tracker", "iou")
    trials += ("--split", "all")
    run("tune", *trials, "--out", folder / "tuned", "--json", folder / "tuning.json")
    options = ("--data", folder / "DATA", "--tracker", "iou", "--trials", "2", "--no-report")
    run("frontier", *options, "--out", folder / "frontier", "--json", folder / "front.json")
    run("flops", "motion-head", "--input", "384x1280", "--json", folder / "cost.json")
    small = ("--frames", "3", "--size", "96x160", "--seed", "1", "--kind", "crowd")
    run("synth", *small, "--out", folder / "synthetic", "--json", folder / "synth.json")
    train = ("train", "--config", "helpers.toy_model:build", "--data", folder / "TRAIN")
    write_images(folder / "TRAIN", moving_boxes(4))
    steps = ("--steps", "2", "--val", "none", "--set", "schedule.warmup_steps=1")
    run(*train, *steps, "--out", folder / "trained", "--json", folder / "training.json")
    run(*train, *steps, "--dry-run", "--out", folder / "dry", "--json", folder / "dry.json")
    return folder


def write_images(folder, video):
    write_videos(folder, video)
    for index in range(video.info.frame_count):
        path = folder / "images/val" / video.info.name / f"{index:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(video.image(index)).save(path)


def written(folder):
    """All JSON files below a folder that commands write for others."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*.json")
        if path.name not in WITHOUT_SCHEMA and not {"cells", "objects"} & set(path.parts)
    }


def test_written_files_fit_their_schema(files):
    found = written(files)
    expected = {"evaluation", "evaluations", "conformance", "check", "convert", "show", "history"}
    expected |= {"report", "run/results", "baseline", "comparison", "submission"}
    assert found.keys() == {f"{name}.json" for name in expected}
    for path in found.values():
        validate(path)


def test_more_written_files_fit_their_schema(more_files):
    found = written(more_files)
    expected = {"tracking", "sweep/results", "stress/results", "tuning", "tuned/tuning"}
    expected |= {"tuned/thresholds", "cost", "synth", "synthetic/world", "training", "dry"}
    expected |= {"trained/weights", "front", "frontier/results"}
    assert found.keys() == {f"{name}.json" for name in expected}
    for path in found.values():
        validate(path)


def test_every_schema_in_the_code_has_a_file_or_is_internal():
    named = set()
    for package in ("mapt_bench", "metrics", "baselines", "reports"):
        for path in (ROOT / package).rglob("*.py"):
            named |= set(re.findall(r"mapt-bench/[a-z-]+/[0-9]+", path.read_text()))
    assert named == BY_ID.keys() | INTERNAL.keys() | OLDER


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
        DRAFT(BY_ID[data["schema"]]).validate(wrong)


def test_every_schema_is_valid_and_documented():
    text = (ROOT / "docs/compare.md").read_text()
    for schema in SCHEMAS:
        DRAFT.check_schema(schema)
        assert f"`{schema['title'].partition(':')[0].removeprefix('mapt-bench/')}`" in text


def test_the_baseline_of_this_project_fits_its_schema():
    path = ROOT / ".ci/baseline.json"
    validate(path)
    assert path.stat().st_size < 200_000
