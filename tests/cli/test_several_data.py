"""``ablate`` with class maps, and on several data sets: a run for each and the drop."""

import json
from importlib.resources import files

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.commands import enter_two_walks
from helpers.maps import write_frames
from helpers.small_runs import walk, write_videos
from PIL import Image

from mapt_bench.cli import main
from mapt_bench.labels import PanopticMap

jsonschema = pytest.importorskip("jsonschema")

FEW = ("--weights", "none", "--segments", "groundtruth", "--no-report")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Two folders of data, and predictions for the first."""
    enter_two_walks(monkeypatch, tmp_path, frames=4)
    write_videos(tmp_path / "FAST", walk(4, speed=9, name="c"))
    return tmp_path


def invoke(command, *words):
    return CliRunner().invoke(main, [command, *words])


def test_each_data_set_has_a_run_and_a_table_and_the_others_a_drop(here):
    few = (*FEW, "--thresholds", "published", "--out", "runs/two")
    words = ("ablate", "--data", "DATA", "--data", "FAST", *few)
    result = invoke(*words)
    assert result.exit_code == 0, result.stderr
    assert "ablate on DATA (kitti-step), 2 sequences" in result.stdout
    assert "ablate on FAST (kitti-step), 1 sequence" in result.stdout
    assert "Drop from DATA, ground-truth segments" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100
    for name in ("DATA", "FAST"):
        assert (here / "runs/two" / name / "results.json").is_file()
    assert (here / "runs/two/tables/transfer.csv").is_file()
    again = invoke(*words, "--json", "-")  # resumes both runs
    document = json.loads(again.stdout)
    schema = files("mapt_bench").joinpath("results/schemas/data_sets.json").read_text()
    jsonschema.Draft202012Validator(json.loads(schema)).validate(document)
    assert list(document["runs"]) == ["DATA", "FAST"]
    scores = {
        name: {row["variant"]: row["scores"] for row in run["summary"]}
        for name, run in document["runs"].items()
    }
    for drop in document["drops"]:
        assert (drop["home"], drop["data"]) == ("DATA", "FAST")
        home, other = (scores[name][drop["variant"]]["PAT"] for name in ("DATA", "FAST"))
        assert drop["scores"]["PAT"] == pytest.approx(home - other)
    assert any(drop["scores"]["PAT"] > 0 for drop in document["drops"])


def test_columns_of_a_file_and_titles_name_the_data(here):
    (here / "other" / "DATA").parent.mkdir()
    (here / "FAST").rename(here / "other" / "DATA")
    words = ("--data", "DATA", "--data", "other/DATA", *FEW, "--out", "two")
    result = invoke("ablate", *words)
    assert result.exit_code == 0, result.stderr
    assert f"{here.name}-DATA: ablate on DATA (kitti-step), 2 sequences" in result.stdout
    assert "other-DATA: ablate on DATA (kitti-step), 1 sequence" in result.stdout
    header = (here / "two/tables/transfer.csv").read_text().splitlines()[0].split(",")
    assert len(set(header)) == len(header)
    assert "STQ drop other-DATA" in " ".join(header)


def test_a_network_of_other_classes_detects_in_an_experiment(here, mapt_files):
    video = walk(3, name="d")
    everywhere = np.full(video.truth(0).shape, 4 << 24 | 1, dtype=np.uint32)
    write_frames(here / "MOTS/panoptic_maps/val/d", [PanopticMap(everywhere)] * 3)
    images = here / "MOTS/images/val/d"
    images.mkdir(parents=True)
    for index, name in enumerate(video.info.frame_names):
        Image.fromarray(video.image(index)).save(images / f"{name}.png")
    weights = ("--weights", str(mapt_files / "mapt-tiny.safetensors"), "--segments", "mapt")
    words = ("--data", "MOTS", "--dataset", "motchallenge-step", *weights, "--no-report")
    result = invoke("ablate", *words, "--map", "common", "--out", "run", "--json", "-")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert not any("label space" in skip["reason"] for skip in found["skipped"])
    copied = next(row for row in found["summary"] if row["variant"] == "copy")
    assert copied["status"] == "done"
    assert found["protocol"]["segments"] == "detections of MAPT"
    mapped = found["protocol"]["mapped"]
    assert mapped["ground_truth"]["from"] == "motchallenge-step"
    detected = mapped["detections of mapt-tiny"]
    assert detected["from"] == "kitti-step"
    assert detected["pixels"] > detected["void_pixels"] > 0
    note = "note: detections of mapt-tiny mapped from kitti-step to common: "
    assert note in result.stderr
    assert "(objects are counted in each frame)" in result.stderr
    unit = json.loads(next((here / "run/cells").glob("*/*.json")).read_text())
    assert unit["mapped"] == detected  # there is one sequence
    # Resumed units and archives know it too.
    again = invoke("ablate", *words, "--map", "common", "--out", "run", "--json", "-")
    assert json.loads(again.stdout)["protocol"]["mapped"] == mapped


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        ("ablate", ("--data", "DATA", "--data", "DATA"), "the same data are given twice: DATA"),
        ("ablate", ("--data", "DATA", "--suite", "tinny"), "did you mean 'tiny'"),
        (
            "ablate",
            (
                "--data",
                "DATA",
                "--data",
                "FAST",
                "--suite",
                "tiny",
                *["--dataset", "cityscapes"] * 3,
            ),
            "there are 2 --data and 3 --dataset; expected one label space",
        ),
        ("ablate", ("--data", "DATA", "--suite", "tiny", "--show-config"), "is for one data set"),
        ("sweep-interval", ("--suite", "tiny", "--suite", "quick"), "--suite is given 2 times"),
        ("sweep-interval", ("--data", "DATA", "--map", "comon"), "did you mean 'common'"),
    ],
)
def test_wrong_use_is_refused_before_any_run(here, command, words, message):
    result = invoke(command, *words, "--out", "run")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (here / "run").exists()


def test_classes_of_data_and_predictions_are_mapped(here):
    words = ("--data", "DATA", "--weights", "none", "--no-report", "--json", "-")
    plain = json.loads(
        invoke("ablate", *words, "--out", "plain", "--segments", "groundtruth").stdout
    )
    mapped = invoke(
        "ablate",
        *words,
        "--out",
        "mapped",
        "--map",
        "common",
        "--segments",
        "groundtruth,PREDICTIONS",
    )
    assert mapped.exit_code == 0, mapped.stderr
    note = "note: ground truth mapped from kitti-step to common: 0.0 % of the pixels and 0.0 % of 4"
    assert note in mapped.stderr
    assert "note: prediction mapped from kitti-step to common: 0.0 % of the pixels" in mapped.stderr
    result = json.loads(mapped.stdout)
    protocol = result["protocol"]
    assert (protocol["label_space"], protocol["class_map"]["name"]) == ("common", "common")
    assert protocol["mapped"]["ground_truth"]["from"] == "kitti-step"
    assert "--map common" in result["provenance"]["command"]
    assert plain["protocol"]["class_map"] is None
    fingerprints = [each["provenance"]["data"]["fingerprint"] for each in (plain, result)]
    assert fingerprints[0] != fingerprints[1]
    copied = {
        row["segments"]: row["scores"]["PAT"]
        for row in (*plain["summary"], *result["summary"])
        if row["variant"] == "copy"
    }
    assert len({round(value, 9) for value in copied.values()}) == 1


def test_a_result_on_another_map_is_not_compared(here):
    words = ("--data", "DATA", *FEW, "--json")
    assert invoke("ablate", *words, "plain.json", "--out", "a").exit_code == 0
    assert invoke("ablate", *words, "mapped.json", "--out", "b", "--map", "common").exit_code == 0
    result = invoke("compare", "plain.json", "mapped.json")
    assert result.exit_code == 3
    assert "class_map (null then, " in result.stderr
