"""``mapt-bench train`` from outside."""

import json
from importlib import import_module

import pytest
import torch
from click.testing import CliRunner
from helpers.scenes import KITTI
from helpers.training_jobs import moving_boxes
from PIL import Image

from mapt_bench.cli import main
from mapt_bench.data import KittiStepWriter
from mapt_bench.errors import ConfigError
from mapt_bench.training.checkpoint import latest_checkpoint
from mapt_bench.training.log import read_log

torch.set_num_threads(1)

MODEL = "helpers.toy_model:build"
QUICK = ("log_every=1", "checkpoint_every=2", "validate_every=2", "schedule.warmup_steps=1")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    video = moving_boxes(4)
    with KittiStepWriter(folder, KITTI) as writer:
        for index in range(4):
            writer.write("0001", f"{index:06d}", video.truth(index))
            path = folder / "images" / "val" / "0001" / f"{index:06d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(video.image(index)).save(path)
    return folder


def train(*words, settings=QUICK):
    changes = [word for setting in settings for word in ("--set", setting)]
    return CliRunner().invoke(main, ["train", "--config", MODEL, *map(str, words), *changes])


def test_a_run_leaves_weights_log_and_curves(data, tmp_path):
    out = tmp_path / "run"
    done = train("--data", data, "--val", data, "--steps", 4, "--out", out, "--json", "-")
    assert done.exit_code == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["schema"] == "mapt-bench/training-run/1"
    assert result["weights"] == json.loads((out / "weights.json").read_text())
    assert result["log"] == read_log(out / "log.jsonl")
    assert result["weights"]["validation"].keys() >= {"PQ", "STQ"}
    assert result["recipe"]["steps"] == 4
    assert result["data"]["frames"] == 4
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert latest_checkpoint(out / "checkpoints").stem == "step-00000004"


def test_the_table_compares_several_lines_of_the_log():
    # Lines of few clips go up and down: the last is above the first, although the loss falls.
    totals = (7.0, 6.5, 6.7, 5.7, 5.6, 6.4, 6.2, 5.6, 4.9, 7.3)
    log = [{"kind": "train", "total": each, "values": {"loss_a": each / 2}} for each in totals]
    record = {"model": "m", "data": {"name": "d"}, "steps": 20, "seconds": 9.0}
    table = import_module("mapt_bench.cli.train")._table({"log": log, "weights": record})
    assert table.title.endswith("means over the first and last 3 lines of the log")
    assert [row[1] > row[2] for row in table.rows] == [True, True]
    assert table.rows[0][1:] == pytest.approx((20.2 / 3, 17.8 / 3))


def test_curves_wait_for_the_first_logged_step(data, tmp_path, monkeypatch):
    monkeypatch.setattr(import_module("mapt_bench.cli.train"), "_DRAW_EVERY", 0.0)
    settings = ("log_every=2", *QUICK[1:])
    done = train("--data", data, "--steps", 2, "--out", tmp_path / "run", settings=settings)
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "run" / "curves.png").is_file()


def test_tables_are_shown_and_a_finished_run_stays(data, tmp_path):
    words = ("--data", data, "--val", data, "--steps", 2, "--out", tmp_path / "run")
    first = train(*words)
    assert first.exit_code == 0, first.stderr
    assert "2 steps in" in first.stdout
    assert "loss_semantic" in first.stdout
    assert "Last validation" in first.stdout
    assert train(*words).stdout == first.stdout
    other = train(*words, "--seed", 1)
    assert other.exit_code == 2
    assert "differs in seed (there 0, now 1)" in other.stderr


def test_a_short_training_has_several_lines_in_its_log(data, tmp_path):
    words = ("--data", data, "--steps", 4, "--out", tmp_path / "run")
    done = train(*words, settings=("schedule.warmup_steps=1",))
    assert done.exit_code == 0, done.stderr
    steps = [row["step"] for row in read_log(tmp_path / "run" / "log.jsonl")]
    assert steps == [1, 2, 3, 4]


def test_a_dry_run_writes_nothing(data, tmp_path):
    out = tmp_path / "run"
    done = train("--data", data, "--dry-run", "--out", out, "--json", "-")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)["dry_run"]
    assert (found["clips"], found["steps"], found["intervals"]) == (4, 2, {"1": 4})
    assert found["things"] == 2
    assert found["crowd_share"] == found["void_share"] == 0
    assert found["total"] > 0
    assert not out.exists()
    shown = train("--data", data, "--dry-run")
    assert "seconds per clip" in shown.stdout


@pytest.mark.parametrize(
    ("config", "changes", "suite"),
    [
        ("mapt-tiny", (), "train"),
        (MODEL, (), "train"),
        (MODEL, ("--set", "suite=tiny"), "tiny"),
        ("mapt-compact-clips", (), "stream"),
    ],
)
def test_without_data_the_suite_of_the_recipe_is_used(config, changes, suite, monkeypatch):
    def asked(request, progress):
        raise ConfigError(f"on {request.suite}, {request.data}")

    monkeypatch.setattr(import_module("mapt_bench.training.request"), "carry_out", asked)
    words = ["train", "--config", config, "--steps", "200", *changes]
    done = CliRunner().invoke(main, words)
    assert f"training on the suite {suite} of the recipe; choose" in done.stderr
    assert f"on {suite}, None" in done.stderr
    quiet = CliRunner().invoke(main, [*words, "--suite", "val"])
    assert "of the recipe" not in quiet.stderr
    assert "on val, None" in quiet.stderr


def test_a_training_without_data_runs(tmp_path):
    done = train("--set", "suite=tiny", "--val", "none", "--steps", 1, "--out", tmp_path / "run")
    assert done.exit_code == 0, done.stderr
    assert json.loads((tmp_path / "run" / "weights.json").read_text())["data"]["name"] == "tiny"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ("--suite", "tiny", "--data", "x"),
            2,
            "give either --suite or --data to train on; suites",
        ),
        (("--set", "suite=tniy"), 2, "unknown suite 'tniy'; did you mean 'tiny'?"),
        (("--suite", "tniy"), 2, "unknown suite 'tniy'; did you mean 'tiny'?"),
        (("--suite", "tiny", "--dataset", "kitti-step"), 2, "give --data too"),
        (("--suite", "tiny", "--seed", -1), 2, "--seed is -1"),
        (("--suite", "tiny", "--seed", 2**63), 2, "expected 0 or more, below 2**63"),
        (("--suite", "tiny", "--threads", 0), 2, "--threads is 0"),
        (("--suite", "tiny", "--steps", 0), 2, "steps is 0"),
        (("--suite", "tiny", "--set", "stpes=1"), 2, "did you mean 'steps'?"),
        (("--suite", "tiny", "--val", "vla"), 2, "--val 'vla' is neither a suite nor a folder"),
        (("--suite", "tiny", "--device", "cuda:99"), 2, "--device cuda:99 cannot be used"),
        (("--suite", "tiny", "--device", "gpu"), 2, "--device gpu cannot be used"),
        (("--data", "absent"), 3, "absent"),
        (("--suite", "tiny", "--set", "clips.taus=[20]"), 3, "clip of 2 at tau 20 needs 21"),
    ],
)
def test_wrong_use(words, code, message, tmp_path):
    done = train(*words, "--out", tmp_path / "run")
    assert done.exit_code == code, done.stderr
    assert message in done.stderr
    assert not (tmp_path / "run").exists()


def test_exhausted_memory_and_bad_losses(data, tmp_path):
    hungry = CliRunner().invoke(
        main,
        ["train", "--config", "helpers.toy_model:build_hungry", "--data", str(data), "--dry-run"],
    )
    assert hungry.exit_code == 2
    assert "lower batch_size" in hungry.stderr
    words = ["--config", "helpers.toy_model:build_poisoned", "--data", str(data), "--steps", "4"]
    bad = CliRunner().invoke(main, ["train", *words, "--out", str(tmp_path / "run")])
    assert bad.exit_code == 3
    assert "loss_semantic became non-finite at step 2" in bad.stderr


def test_several_processes_need_one_folder(data, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = train("--data", data)
    assert done.exit_code == 2
    assert "need one run folder; give --out" in done.stderr
