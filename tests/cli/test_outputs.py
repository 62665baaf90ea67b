"""No output option of any command replaces an input, also through links."""

import json
import os
import shutil
from pathlib import Path

import pytest
from click import Context
from click.testing import CliRunner
from helpers.commands import write_two_walks

from mapt_bench.cli import main
from mapt_bench.cli.inputs import _OWN_NAMES, OUTPUTS
from mapt_bench.cli.options import checked_output
from mapt_bench.cli.run_and_show import PLAN_NAME
from mapt_bench.data import folder_layout
from mapt_bench.experiments import running
from mapt_bench.experiments.engine import _run_folder
from mapt_bench.experiments.matrix_plan import Heads
from mapt_bench.intervals import matrix_run
from mapt_bench.results import run_folders
from mapt_bench.synthetic import video_export
from mapt_bench.training import run
from mapt_bench.tuning import tuning_run

FRAME = "DATA/panoptic_maps/val/a/000001.png"
RESULT = "runs/mine/results.json"
EXPERIMENT = ("--data", "DATA", "--weights", "none")

WORDS = {
    "ablate": EXPERIMENT,
    "check": ("DATA",),
    "compare": (RESULT, RESULT),
    "conformance": ("DATA",),
    "convert": ("DATA", "NEW", "--to", "vipseg"),
    "evaluate": ("DATA", "PREDICTIONS"),
    "flops": ("motion-head", "--scores", "runs/mine", "--plots", "NEW"),
    "frontier": EXPERIMENT,
    "history": ("runs",),
    "report": ("runs/mine",),
    "run": ("plan.yaml",),
    "show": ("DATA",),
    "stress": ("image", *EXPERIMENT),
    "submit": ("kitti-step", "DATA", "--out", "NEW.zip"),
    "sweep-interval": EXPERIMENT,
    "synth": ("--kind", "street", "--seed", "1", "--out", "NEW"),
    "track": ("DATA", "--tracker", "sort", "--out", "NEW"),
    "train": ("--config", "mapt-tiny", "--data", "DATA", "--out", "runs/trained"),
    "tune": (*EXPERIMENT, "--split", "val"),
}
"""For each command words that read the frame or the result below."""

FOLDERS = {"out", "plots", "target"}


def _options():
    for name in main.list_commands(Context(main)):
        for parameter in main.get_command(Context(main), name).params:
            if parameter.callback is checked_output or (name, parameter.name) == ("report", "out"):
                yield name, parameter.opts[0]


def _victim(command, option):
    if command == "run":
        return "plan.yaml"
    if command in ("compare", "flops", "history", "report"):
        return RESULT
    return "runs/trained/weights.safetensors" if option == "--snapshot" else FRAME


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    write_two_walks(folder, frames=2)
    here = Path.cwd()
    os.chdir(folder)
    try:
        done = CliRunner().invoke(main, ["evaluate", "DATA", "PREDICTIONS", "--json", "one.json"])
        assert done.exit_code == 0, done.stderr
    finally:
        os.chdir(here)
    (folder / "plan.yaml").write_text("experiment: ablate\n")
    for name in (RESULT, "runs/trained/weights.safetensors"):
        (folder / name).parent.mkdir(parents=True)
        shutil.copy(folder / "one.json", folder / name)
    return folder


@pytest.fixture
def here(world, tmp_path, monkeypatch):
    shutil.copytree(world, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def files_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_command_is_here():
    assert set(WORDS) == set(main.list_commands(Context(main)))


@pytest.mark.parametrize("link", ["itself", "symbolic", "hard", "folder"])
@pytest.mark.parametrize(
    ("command", "option"),
    [each for each in _options() if each[0] != "synth"],  # it reads nothing
)
def test_an_output_that_is_an_input_is_refused(here, command, option, link):
    victim = here / _victim(command, option)
    suffix = ".html" if (command, option) == ("report", "--out") else victim.suffix
    output = victim if link == "itself" else here / f"other{suffix}"
    if link == "symbolic":
        output.symlink_to(victim)
    elif link == "hard":
        output.hardlink_to(victim)
    elif link == "folder":
        (here / "linked").symlink_to(victim.parent)
        output = here / "linked" / victim.name
    before = files_of(here)
    done = CliRunner().invoke(main, [command, *WORDS[command], option, str(output)])
    assert done.exit_code == 2, done.output
    if (command, option, output.suffix) != ("report", "--out", ".json"):  # it wants .html
        assert "is an input of this command" in done.stderr
    assert files_of(here) == before


@pytest.mark.parametrize("command", [name for name in WORDS if name not in ("compare", "flops")])
def test_an_output_folder_that_is_an_input_is_refused(here, command):
    words = [*WORDS[command]]
    parameters = main.get_command(Context(main), command).params
    if command == "convert":
        words[1] = "DATA"
    elif any(each.name == "out" and each.callback is None for each in parameters):
        words = [*(word for word in words if word not in ("--out", "NEW", "runs/trained"))]
        words += ["--out", "DATA"]
    else:
        pytest.skip("it has no output folder")
    before = files_of(here)
    assert CliRunner().invoke(main, [command, *words]).exit_code in (2, 3)
    assert files_of(here) == before


def test_earlier_outputs_in_an_input_folder_may_be_replaced(here):
    words = ["evaluate", "DATA", "PREDICTIONS", "--json", "PREDICTIONS/scores.json"]
    words += ["--csv", "PREDICTIONS/scores.csv", "--markdown", "DATA/scores.md"]
    for _ in range(2):
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 0, done.stderr


def test_a_baseline_is_replaced_only_by_its_own_option(here):
    words = ["compare", "one.json", RESULT]
    assert CliRunner().invoke(main, [*words, "--json", "one.json"]).exit_code == 2
    both = CliRunner().invoke(main, [*words, "--update-baseline", "--json", "one.json"])
    assert both.exit_code == 2
    done = CliRunner().invoke(main, [*words, "--update-baseline"])
    assert done.exit_code == 0, done.stderr
    assert json.loads((here / "one.json").read_text())["schema"] == "mapt-bench/baseline/1"


def test_a_report_may_replace_the_page_of_its_run(here):
    for _ in range(2):
        done = CliRunner().invoke(main, ["report", "runs/mine", "--json", "runs/mine/page.json"])
        assert done.exit_code == 0, done.stderr
    assert (here / "runs" / "mine" / "report.html").is_file()


@pytest.mark.parametrize("name", ["dataset.json", "images/val/a/000000.png", "classes.yaml"])
def test_files_that_describe_the_data_are_inputs_too(here, name):
    path = here / "DATA" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    words = ["check", "DATA/panoptic_maps", "--json", str(path)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert path.read_text() == "{}"


def test_files_named_among_other_words_are_inputs_too(here):
    (here / "mine.yaml").write_text("name: mine")
    words = ["check", "DATA", "--dataset", "mine.yaml", "--json", "mine.yaml"]
    assert CliRunner().invoke(main, words).exit_code == 2
    (here / "net.pth").write_bytes(b"")
    words = ["ablate", *EXPERIMENT, "--flow-weights", "flow:raft-small=net.pth"]
    assert CliRunner().invoke(main, [*words, "--json", "net.pth"]).exit_code == 2
    assert OUTPUTS


PLAN = """
experiment: ablate
base: base.yaml
flow_weights: flow:raft-small=net.pth
data:
  folder: ${data}
  segments: PREDICTIONS
"""


@pytest.mark.parametrize("link", ["itself", "symbolic"])
@pytest.mark.parametrize(
    "victim",
    [
        FRAME,
        "PREDICTIONS/panoptic_maps/val/a/000001.png",
        "DATA/dataset.json",
        "net.pth",
        "base.yaml",
        "scheduler.json",
    ],
)
def test_what_a_plan_names_is_an_input_too(here, victim, link):
    (here / "mine.yaml").write_text(PLAN)
    (here / "base.yaml").write_text("memory: 5\nweights: none\n")
    for name in ("net.pth", "scheduler.json", "DATA/dataset.json"):
        if not (here / name).exists():
            (here / name).write_text('{"name": "kitti-step"}')
    output = here / victim
    if link == "symbolic":
        output = here / f"other{output.suffix}"
        output.symlink_to(here / victim)
    before = files_of(here)
    words = ["run", "mine.yaml", "--var", "data=DATA", "--scheduler-file", "scheduler.json"]
    done = CliRunner().invoke(main, [*words, "--json", str(output)])
    assert done.exit_code == 2, done.output
    assert "is an input of this command" in done.stderr
    assert files_of(here) == before


@pytest.mark.parametrize(
    ("text", "code"), [('{"images": []}', 2), ("older", 0), ('{"note": 1}', 0)]
)
def test_of_json_above_the_data_only_what_may_describe_them_is_an_input(here, text, code):
    above = here / "above.json"
    above.write_text(text)
    words = ["convert", "PREDICTIONS", "NEW", "--to", "kitti-step", "--json", "above.json"]
    assert CliRunner().invoke(main, words).exit_code == code
    assert (above.read_text() == text) == (code == 2)


@pytest.mark.parametrize(
    "name", ["DATA/images/dataset.json", "dataset.json", "DATA/object_classes.yaml"]
)
def test_no_output_becomes_the_description_of_the_data(here, name):
    (here / name).parent.mkdir(exist_ok=True)
    words = ["evaluate", "DATA", "PREDICTIONS", "--json", name]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2, done.output
    assert "would describe the data in DATA" in done.stderr
    assert not (here / name).exists()


TRACK = ("track", "DATA", "--tracker", "copy")

SMALL = ("--seed", "1", "--frames", "4", "--size", "96x160")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("ablate", *EXPERIMENT, "--out"), "run.json"),
        (("ablate", *EXPERIMENT, "--out"), "results.json"),
        (("run", "plan.yaml", "--out"), "plan.yaml"),
        (("tune", *EXPERIMENT, "--split", "val", "--out"), "trials.jsonl"),
        (("train", "--config", "mapt-tiny", "--data", "DATA", "--out"), "train.json"),
        (("track", "DATA", "--tracker", "copy", "--out"), "dataset.json"),
        (("synth", "--kind", "street", *SMALL, "--out"), "dataset.json"),
        (("convert", "DATA", "--to", "two-channel"), "dataset.json"),
    ],
)
@pytest.mark.parametrize("link", [False, True])
def test_no_output_replaces_a_file_of_the_output_folder_of_its_command(here, words, name, link):
    (here / "NEW").mkdir()
    (here / "linked").symlink_to("NEW")
    place = f"{'linked' if link else 'NEW'}/{name}"
    done = CliRunner().invoke(main, [*words, "NEW", "--json", place])
    assert done.exit_code == 2, done.output
    assert f"that this command itself uses ({name})" in done.stderr
    assert not list((here / "NEW").iterdir())


def test_the_json_of_a_conversion_replaces_none_of_its_files(here):
    """Which files there are depends on the encoding, so this is found when they are written."""
    words = ["convert", "DATA", "--to", "coco-panoptic"]
    (here / "NEW").mkdir()
    assert CliRunner().invoke(main, [*words, "NEW", "--json", "NEW/mine.json"]).exit_code == 0
    (found,) = {path.name for path in (here / "NEW").glob("*.json")} - {"mine.json", "dataset.json"}
    (here / "OTHER").mkdir()
    done = CliRunner().invoke(main, [*words, "OTHER", "--json", f"OTHER/{found}"])
    assert done.exit_code == 2, done.output
    assert "names a file that this command itself writes" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("convert", "PREDICTIONS", "PREDICTIONS/deep/new", "--to", "two-channel"),
        ("convert", "PREDICTIONS", "linked/new", "--to", "two-channel"),
        (*TRACK, "--out", "DATA/new"),
        (*TRACK, "--segments", "PREDICTIONS", "--out", "PREDICTIONS/new"),
    ],
)
def test_an_output_folder_inside_an_input_folder_is_refused(here, words):
    (here / "linked").symlink_to("PREDICTIONS")
    before = files_of(here)
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2, done.output
    assert "which this command reads; the maps written there" in done.stderr
    assert files_of(here) == before


def test_names_of_a_command_are_those_of_the_modules_that_write_them():
    data = {folder_layout.DATASET_FILE, folder_layout.IMAGES_FOLDER, folder_layout.MAPS_FOLDER}
    written = {
        "convert": {folder_layout.DATASET_FILE},
        "track": {folder_layout.DATASET_FILE, folder_layout.MAPS_FOLDER},
        "synth": {*data, video_export.WORLD_FILE},
        "train": {run.SETUP_NAME, run.WEIGHTS_NAME, run.LOG_NAME, run.CHECKPOINTS_NAME},
        "tune": {
            *(tuning_run.TUNING_FILE, tuning_run.TRIALS_FILE, tuning_run.THRESHOLDS_NAME),
            *(_run_folder._SETUP, "cells", "segments"),
        },
    }
    results = {run_folders.RESULTS, run_folders.INCOMPLETE, running.RESULTS_FILE}
    in_run = {*results, running.INCOMPLETE_FILE, PLAN_NAME, _run_folder._SETUP}
    written |= dict.fromkeys(("ablate", "frontier", "run", "stress"), in_run)
    heads = Heads("1", 0, Path()).folder.parent.name
    written["sweep-interval"] = {*in_run, matrix_run.RESULTS_FILE, heads, "seen"}
    assert written.keys() == _OWN_NAMES.keys()
    missing = {name: files - _OWN_NAMES[name] for name, files in written.items()}
    assert not any(missing.values()), missing
