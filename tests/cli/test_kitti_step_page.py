"""The commands of docs/kitti_step.md on ten real frames, with small networks."""

import json

import pytest
import torch
from click.testing import CliRunner
from helpers.maps import shared_folder
from torchvision import models

from mapt_bench.cli import main
from mapt_bench.errors import ConfigError
from mapt_bench.labels import label_space
from mapt_bench.training.model_builder import build_model

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def frames():
    return shared_folder("data", "kitti_step_0001")  # skips, with the reason, where it is absent


def run(*words):
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_recipe_makes_an_epoch_and_a_step(frames, tmp_path):
    small = ("model=mapt-tiny", "batch_size=3", "augment.crop=[96, 320]")
    changes = [word for each in small for word in ("--set", each)]
    words = ("train", "--config", "mapt-regnety8gf", "--data", frames, "--out", tmp_path / "run")
    found = run(*words, *changes, "--dry-run", "--json", "-")["dry_run"]
    assert found["clips"] == 9  # in steps of three; eight frames end a triple
    assert found["intervals"] == {"1": 9}
    assert found["values"].keys() >= {"loss_semantic", "loss_motion", "loss_appearance"}
    assert not (tmp_path / "run").exists()


def test_the_ablation_has_the_rows_of_the_paper(frames, tmp_path):
    rows = ("mapt:motion+memory", "mapt:appearance+memory", "mapt:paper+memory")
    chosen = [word for row in rows for word in ("--only", row)]
    words = ("ablate", "--data", frames, "--segments", "groundtruth", "--weights", "mapt-compact")
    result = run(*words, *chosen, "--no-report", "--out", tmp_path / "run", "--json", "-")
    assert {row["variant"] for row in result["summary"]} >= {*rows, "unlinked", "oracle"}
    claimed = {claim["name"]: claim for claim in result["claims"]}
    assert claimed["PAT, both heads"]["claimed"] == 0.6265
    assert claimed["PAT, both heads"]["measured"] is not None


def test_imagenet_weights_start_the_backbone(tmp_path):
    torch.manual_seed(1)
    classifier = models.regnet_y_400mf(weights=None)
    path = tmp_path / "regnet.pth"
    torch.save(classifier.state_dict(), path)
    labels = label_space("kitti-step")
    model = build_model("mapt-small", {"norm": "batch"}, labels, imagenet=path)
    assert torch.equal(model.backbone.stem[0].weight, classifier.stem[0].weight)
    with pytest.raises(ConfigError, match="--imagenet is for the backbone of MAPT"):
        build_model("helpers.toy_model:build", {}, labels, imagenet=path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--imagenet", "nothing.pth"), "there is no such file"),
        (("--imagenet", "nothing.pth", "--init", "mapt-compact"), "keep one"),
    ],
)
def test_imagenet_weights_that_cannot_be_used_are_refused(tmp_path, words, message):
    done = CliRunner().invoke(
        main, ["train", "--config", "mapt-tiny", "--suite", "train", "--out", str(tmp_path), *words]
    )
    assert done.exit_code in (2, 3)
    assert message in done.stderr
