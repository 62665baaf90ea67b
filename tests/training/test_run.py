import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.training_jobs import moving_boxes, small_job, small_recipe
from safetensors import safe_open
from safetensors.torch import load_file

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.training.checkpoint import latest_checkpoint, load_checkpoint
from mapt_bench.training.log import read_log
from mapt_bench.training.run import train
from mapt_bench.training.trainer import Trainer

torch.set_num_threads(1)

TESTS = Path(__file__).resolve().parents[1]

IN_A_PROCESS = """
import sys
from pathlib import Path
import torch
from helpers.training_jobs import small_job, small_recipe
from mapt_bench.training.run import train
torch.set_num_threads(1)
train(small_job(Path(sys.argv[1]), small_recipe(**{changes!r})))
"""


def run_and_be_stopped(folder, changes, how):
    if how == "kill":
        command = [sys.executable, "-c", IN_A_PROCESS.format(changes=changes), str(folder)]
        environment = {**os.environ, "PYTHONPATH": str(TESTS)}
        assert subprocess.run(command, env=environment, check=False).returncode == -9
    else:
        with pytest.raises(KeyboardInterrupt):
            train(small_job(folder, small_recipe(**changes)))


def rows_without_time(folder):
    return [
        {key: value for key, value in row.items() if key not in ("seconds", "frames_per_hour")}
        for row in read_log(folder / "log.jsonl")
    ]


@pytest.mark.parametrize(("how", "optimizer"), [("kill", "sgd"), ("interrupt", "adamw")])
def test_a_stopped_training_goes_on_to_the_same_result(tmp_path, monkeypatch, how, optimizer):
    changes = {
        "model": "helpers.toy_model:build_killed",
        "optimizer": {"name": optimizer},
        "export": "float32",
        "average": 0.9,
        "checkpoint_every": 2,
    }
    straight, broken, marker = (tmp_path / name for name in ("straight", "broken", "marker"))
    monkeypatch.setenv("TOY_KILL_AFTER", "3")
    monkeypatch.setenv("TOY_KILL_HOW", how)
    monkeypatch.setenv("TOY_KILL_MARKER", str(marker))
    run_and_be_stopped(broken, changes, how)
    assert marker.exists()
    assert latest_checkpoint(broken / "checkpoints").stem == "step-00000002"
    assert [row["step"] for row in read_log(broken / "log.jsonl")] == [1, 2, 3]
    assert not (broken / "weights.safetensors").exists()
    for folder in (broken, straight):
        train(small_job(folder, small_recipe(**changes)))
    one, other = (load_file(folder / "weights.safetensors") for folder in (straight, broken))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert rows_without_time(straight) == rows_without_time(broken)
    last, again = (
        load_file(latest_checkpoint(folder / "checkpoints")) for folder in (straight, broken)
    )
    assert all(torch.equal(last[name], again[name]) for name in last)


def test_a_run_leaves_weights_with_their_record(tmp_path):
    recipe = small_recipe()
    scores = []

    def validate(model, step):
        scores.append(step)
        assert not model.semantic.weight.isnan().any()
        return {"PAT": step / 100}

    job = small_job(tmp_path / "run", recipe, videos=[moving_boxes()], validate=validate)
    advanced = []
    record = train(job, advance=advanced.append)
    assert sum(advanced) == 6
    assert scores == [3, 6]
    beside = json.loads((tmp_path / "run/weights.json").read_text())
    assert beside == record
    assert record["steps"] == 6
    assert record["validation"] == {"PAT": 0.06}
    assert record["recipe"] == recipe.to_dict()
    assert record["data"] == {"name": "boxes"}
    assert record["label_space"] == "kitti-step"
    assert record["provenance"]["packages"]["torch"]
    with safe_open(tmp_path / "run/weights.safetensors", framework="pt") as file:
        inside = json.loads(file.metadata()["record"])
        assert {**inside, "sha256": record["sha256"]} == record
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118
    log = read_log(tmp_path / "run/log.jsonl")
    assert [(row["kind"], row["step"]) for row in log] == [
        *(("train", step) for step in (1, 2, 3)),
        ("validation", 3),
        *(("train", step) for step in (4, 5, 6)),
        ("validation", 6),
    ]


def test_lines_of_the_log_are_means_over_their_steps(tmp_path):
    for every in (1, 3):
        train(small_job(tmp_path / str(every), small_recipe(log_every=every)))
    each, joined = (read_log(tmp_path / str(every) / "log.jsonl") for every in (1, 3))
    assert [row["step"] for row in joined] == [3, 6]
    assert joined[0]["total"] == pytest.approx(sum(row["total"] for row in each[:3]) / 3)
    assert joined[1]["lr"] == each[5]["lr"]
    assert joined[1]["epoch"] == each[5]["epoch"] == 1.2  # 12 of 10 clips


def test_only_the_latest_checkpoints_are_kept(tmp_path):
    train(small_job(tmp_path, small_recipe(checkpoint_every=1, keep_checkpoints=2)))
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["step-00000005.safetensors", "step-00000006.safetensors"]


def test_a_finished_training_is_not_done_again(tmp_path):
    first = train(small_job(tmp_path, small_recipe()))
    before = (tmp_path / "weights.safetensors").stat().st_mtime_ns
    advanced = []
    assert train(small_job(tmp_path, small_recipe()), advance=advanced.append) == first
    assert advanced == [6]
    assert (tmp_path / "weights.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recipe": {"optimizer": {"lr": 0.5}}}, "differs in optimizer.lr (there 0.01, now 0.5)"),
        ({"seed": 4}, "differs in seed (there 0, now 4)"),
    ],
)
def test_a_folder_of_another_training_is_refused(tmp_path, changes, words):
    train(small_job(tmp_path, small_recipe(steps=1)))
    recipe = small_recipe(steps=1, **changes.get("recipe", {}))
    with pytest.raises(ConfigError) as caught:
        train(small_job(tmp_path, recipe, seed=changes.get("seed", 0)))
    assert words in caught.value.message


def test_settings_without_effect_may_change(tmp_path):
    train(small_job(tmp_path, small_recipe(steps=1)))
    train(small_job(tmp_path, small_recipe(steps=1, cache_mb=1, keep_checkpoints=5, suite="val")))


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "letter.txt").touch()
    with pytest.raises(ConfigError, match="other things in it and no training"):
        train(small_job(tmp_path, small_recipe()))
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_damaged_setup_is_told(tmp_path):
    (tmp_path / "train.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        train(small_job(tmp_path, small_recipe()))


@pytest.mark.parametrize("name", ["train.json", "weights.json", "log.jsonl", "checkpoints"])
def test_named_pipes_in_a_training_are_not_waited_for(tmp_path, at_once, name):
    recipe = small_recipe(steps=3)
    train(small_job(tmp_path, recipe))
    path = tmp_path / name
    if name in ("log.jsonl", "checkpoints"):
        (tmp_path / "weights.json").unlink()  # the training goes on
    if name == "checkpoints":
        path = latest_checkpoint(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match="is a named pipe") as caught:
        train(small_job(tmp_path, recipe))
    assert caught.value.where == str(path)


def test_a_bad_loss_leaves_the_last_checkpoint_intact(tmp_path):
    recipe = small_recipe(model="helpers.toy_model:build_poisoned", checkpoint_every=2)
    with pytest.raises(DataError, match="non-finite at step 2"):
        train(small_job(tmp_path, recipe))
    kept = latest_checkpoint(tmp_path / "checkpoints")
    assert kept.stem == "step-00000002"
    assert all(value.isfinite().all() for value in load_file(kept).values())
    assert (tmp_path / "non_finite-00000002-0.json").exists()
    assert not (tmp_path / "weights.safetensors").exists()


def test_a_damaged_checkpoint_is_told(tmp_path):
    recipe = small_recipe(steps=3)
    train(small_job(tmp_path, recipe))
    (tmp_path / "weights.json").unlink()
    kept = latest_checkpoint(tmp_path / "checkpoints")
    kept.write_bytes(kept.read_bytes()[:100])
    with pytest.raises(DataError, match="remove it to resume from the previous one") as caught:
        train(small_job(tmp_path, recipe))
    assert caught.value.where == str(kept)


def test_a_checkpoint_of_another_model_is_told(tmp_path):
    train(small_job(tmp_path, small_recipe(steps=3)))
    kept = latest_checkpoint(tmp_path / "checkpoints")
    recipe = small_recipe(model_settings={"hidden": 4})
    other = Trainer(
        small_job(tmp_path, recipe).build(),
        recipe,
        seed=0,
        device=torch.device("cpu"),
        folder=tmp_path,
    )
    with pytest.raises(DataError, match="does not fit the model and optimizer") as caught:
        load_checkpoint(other, kept, other.recipe.all_stages)
    assert "features.weight" in caught.value.message


def test_files_that_are_no_checkpoints_are_told(tmp_path):
    train(small_job(tmp_path, small_recipe(steps=1)))
    job = small_job(tmp_path, small_recipe())
    trainer = Trainer(job.build(), job.recipe, seed=0, device=torch.device("cpu"), folder=tmp_path)
    with pytest.raises(DataError, match="has no schema"):
        load_checkpoint(trainer, tmp_path / "weights.safetensors", trainer.recipe.all_stages)


def test_weights_that_float16_cannot_hold_are_refused(tmp_path):
    job = small_job(tmp_path, small_recipe(steps=1, checkpoint_every=1))
    model = job.build()
    with torch.no_grad():
        model.semantic.weight[0, 0] = 1e5
    job.__dict__["build"] = lambda: model
    with pytest.raises(DataError, match=r"'semantic\.weight' does not fit .* export float32"):
        train(job)
