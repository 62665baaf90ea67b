import json
import shutil

import pytest
import torch
from helpers.mapt_clips import moving_clip, small_mapt
from helpers.training_jobs import small_job, small_recipe
from safetensors import safe_open
from safetensors.torch import load_file

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import label_space
from mapt_bench.training.checkpoint import (
    latest_checkpoint,
    save_checkpoint,
    save_snapshot,
    start_from,
)
from mapt_bench.training.log import read_log
from mapt_bench.training.model_builder import build_model
from mapt_bench.training.recipe import Recipe
from mapt_bench.training.recipe_files import read_recipe
from mapt_bench.training.run import train
from mapt_bench.training.trainer import Trainer

torch.set_num_threads(1)

STAGES = [
    {"name": "frames", "share": 0.5, "clips": {"length": 1}, "batch_size": 4},
    {"name": "clips", "share": 0.5, "optimizer": {"lr": 0.5, "name": "adamw"}},
]
PLAIN = {"model": "helpers.toy_model:build", "export": "float32", "average": 0.9}


def test_stages_share_the_steps_and_change_the_settings():
    recipe = small_recipe(steps=7, stages=STAGES, optimizer={"lr": 0.1, "momentum": 0.5})
    first, second = recipe.all_stages
    assert [(stage.name, stage.first, stage.end) for stage in (first, second)] == [
        ("frames", 0, 4),
        ("clips", 4, 7),
    ]
    assert (first.recipe.clips.length, second.recipe.clips.length) == (1, 2)
    assert (first.recipe.batch_size, second.recipe.batch_size) == (4, 2)
    assert (second.recipe.optimizer.lr, second.recipe.optimizer.momentum) == (0.5, 0.5)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_without_stages_there_is_one():
    recipe = small_recipe()
    (stage,) = recipe.all_stages
    assert (stage.name, stage.recipe) == ("joint", recipe)


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ([{"name": "a", "share": 0.5}], "add up to 0.5; expected 1"),
        ([{"name": "a", "share": 2}], "has the name 'a' and the share 2"),
        ([{"share": 1}], "has the name None"),
        ([{"name": "a", "share": 1, "steps": 3}], "no setting 'steps' of a stage"),
        (
            [{"name": "a", "share": 1, "clips": {"lenght": 3}}],
            "unknown key 'clips.lenght'; did you mean 'clips.length'?",
        ),
        (["a"], "stages is 'a'; expected a mapping"),
        ({"name": "a"}, "stages is {name: a}; expected a list"),
    ],
)
def test_wrong_stages_are_told(stages, words):
    with pytest.raises(ConfigError) as caught:
        small_recipe(stages=stages)
    assert words in caught.value.message


def test_a_stage_has_its_own_schedule_and_optimizer(tmp_path):
    train(small_job(tmp_path, small_recipe(**PLAIN, stages=STAGES)))
    rows = [row for row in read_log(tmp_path / "log.jsonl") if row["kind"] == "train"]
    assert [row["stage"] for row in rows] == ["frames"] * 3 + ["clips"] * 3
    # One of the two steps of warm-up, because a stage has three. It starts from a third. Then the
    # whole rate until three quarters are over.
    shares = [1 / 3, 1, 1]
    assert [row["lr"] for row in rows] == pytest.approx(
        [0.01 * share for share in shares] + [0.5 * share for share in shares]
    )


@pytest.mark.parametrize("stopped_after", [2, 3, 4])
def test_a_training_in_stages_goes_on_to_the_same_result(tmp_path, monkeypatch, stopped_after):
    recipe = small_recipe(**PLAIN, stages=STAGES, checkpoint_every=1)
    train(small_job(tmp_path / "straight", recipe))
    made = []

    def until(self, parts, train_step=Trainer.train_step):
        if len(made) == stopped_after:
            raise KeyboardInterrupt
        made.append(parts)
        return train_step(self, parts)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_step", until)
        with pytest.raises(KeyboardInterrupt):
            train(small_job(tmp_path / "broken", recipe))
    train(small_job(tmp_path / "broken", recipe))
    one, other = (
        load_file(tmp_path / name / "weights.safetensors") for name in ("straight", "broken")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_moments_keep_to_their_weights_where_channels_lie_innermost(tmp_path, optimizer):
    # In half precision, kernels of convolutions are laid out channels-last.
    recipe = small_recipe(
        **PLAIN,
        precision="bfloat16",
        checkpoint_every=1,
        keep_checkpoints=9,
        optimizer={"name": optimizer, "lr": 0.01},
    )
    train(small_job(tmp_path / "straight", recipe))
    checkpoints = sorted((tmp_path / "straight" / "checkpoints").iterdir())
    broken = tmp_path / "broken"
    shutil.copytree(tmp_path / "straight", broken)
    for path in (broken / "checkpoints").iterdir():
        if path.name > checkpoints[2].name:
            path.unlink()
    for name in ("weights.safetensors", "weights.json"):
        (broken / name).unlink()
    train(small_job(broken, recipe))
    one, other = (load_file(run / "weights.safetensors") for run in (tmp_path / "straight", broken))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_snapshot_is_gone_on_from_with_a_new_optimizer(tmp_path):
    recipe = small_recipe(**PLAIN, checkpoint_every=3, keep_checkpoints=5)
    train(small_job(tmp_path / "run", recipe))
    checkpoints = tmp_path / "run" / "checkpoints"
    latest_checkpoint(checkpoints).unlink()  # that of step 6
    snapshot = tmp_path / "snapshot.safetensors"
    assert save_snapshot(checkpoints, snapshot)["step"] == 3
    with safe_open(snapshot, framework="pt") as file:
        kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert {name.partition(".")[0] for name in kept} == {"model", "average"}
    assert {value.dtype for value in kept.values()} == {torch.float16}

    job = small_job(tmp_path / "more", recipe)
    job.__dict__.update(init=snapshot, resumes=True)
    train(job)
    steps = [r["step"] for r in read_log(tmp_path / "more" / "log.jsonl") if r["kind"] == "train"]
    assert steps == [4, 5, 6]
    again = small_job(tmp_path / "more", recipe)
    with pytest.raises(ConfigError, match="differs in init"):
        train(again)


@pytest.mark.parametrize("kind", ["snapshot", "weights"])
def test_first_weights_are_taken_from_a_file(tmp_path, kind):
    plain = {**PLAIN, "average": 0}  # it would follow the model at once
    train(small_job(tmp_path / "run", small_recipe(**plain)))
    weights = tmp_path / "run" / "weights.safetensors"
    path = tmp_path / "snapshot.safetensors"
    save_snapshot(tmp_path / "run" / "checkpoints", path)
    job = small_job(tmp_path / "more", small_recipe(**plain, steps=1, optimizer={"lr": 1e-9}))
    job.__dict__["init"] = path if kind == "snapshot" else weights
    train(job)
    found, wanted = load_file(tmp_path / "more" / "weights.safetensors"), load_file(weights)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=2e-3, atol=1e-3)


def test_a_file_of_another_model_and_a_run_without_checkpoints_are_told(tmp_path):
    train(small_job(tmp_path / "run", small_recipe(**PLAIN)))
    job = small_job(tmp_path / "more", small_recipe(**PLAIN))
    job.__dict__.update(
        init=tmp_path / "run" / "weights.safetensors", build=lambda: torch.nn.Linear(2, 3)
    )
    with pytest.raises(DataError, match="does not fit the model"):
        train(job)
    bad = tmp_path / "bad.txt"
    bad.write_text("hello world")
    job.__dict__.update(init=bad, folder=tmp_path / "third")
    with pytest.raises(DataError, match="expected the weights of a run or a snapshot"):
        train(job)
    with pytest.raises(DataError, match="holds no checkpoint"):
        save_snapshot(tmp_path, tmp_path / "snapshot.safetensors")


def trainer_of(model, tmp_path, **changes):
    recipe = small_recipe(**changes)
    return Trainer(model, recipe, seed=0, device=torch.device("cpu"), folder=tmp_path)


def test_single_frames_teach_the_detector_alone():
    model = small_mapt()
    losses = model([moving_clip(1), moving_clip(1, start=30)])
    assert {"loss_semantic", "loss_mask", "loss_class"} < set(losses)
    assert not {"loss_motion", "loss_appearance"} & set(losses)
    sum(losses.values()).backward()
    linking = [*model.motion.parameters(), *model.appearance.parameters()]
    assert all(each.grad is None for each in linking)
    assert all(each.grad is not None for each in model.detector_parameters())


@pytest.mark.parametrize(("share", "moves"), [(0.0, False), (0.1, True)])
def test_the_detector_may_learn_slowly_or_not_at_all(tmp_path, share, moves):
    model = small_mapt()
    trainer = trainer_of(model, tmp_path, optimizer={"detector_share": share, "name": "adamw"})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    report = trainer.train_step([[moving_clip(), moving_clip(start=30)]])
    assert ("loss_semantic" in report.values) is moves
    after = model.state_dict()
    moved = {name.partition(".")[0] for name in after if not torch.equal(after[name], before[name])}
    assert ("backbone" in moved) is moves
    assert {"motion", "appearance"} <= moved
    step = (after["semantic.classify.bias"] - before["semantic.classify.bias"]).abs().max()
    assert step <= 0.0101 / 3 * share


def test_a_model_without_detector_has_no_share(tmp_path):
    with pytest.raises(ConfigError, match="detector_share is for models"):
        train(small_job(tmp_path, small_recipe(**PLAIN, optimizer={"detector_share": 0.5})))


def test_losses_fall_in_half_precision(tmp_path):
    trainer = trainer_of(
        small_mapt(),
        tmp_path,
        steps=10,
        precision="bfloat16",
        optimizer={"name": "adamw", "lr": 0.003},
        schedule={"warmup_steps": 3, "decay": "constant"},
    )
    clips = [moving_clip(), moving_clip(start=30)]
    totals = [trainer.train_step([clips]).total for _ in range(10)]
    assert sum(totals[-3:]) < 0.6 * sum(totals[:3])
    assert all(each.dtype is torch.float32 for each in trainer.model.parameters())


def test_a_snapshot_of_the_compact_detector_begins_the_training_on_clips(tmp_path):
    first, second = read_recipe("mapt-compact"), read_recipe("mapt-compact-clips")
    assert first.model == second.model
    # The detector was trained before its appearance head read colours.
    older = {"appearance.colour_channels": None}

    def trainer_of(recipe, settings):
        torch.manual_seed(len(settings))
        model = build_model(recipe.model, settings, label_space("kitti-step"))
        stage = recipe.all_stages[0].recipe
        return Trainer(model, stage, seed=0, device=torch.device("cpu"), folder=tmp_path)

    begun, snapshot = trainer_of(first, older), tmp_path / "snapshot.safetensors"
    save_checkpoint(begun, tmp_path / "checkpoints", seconds=1.0, keep=1)
    save_snapshot(tmp_path / "checkpoints", snapshot)
    more = trainer_of(second, {})
    start = start_from(more, snapshot, new_heads=True)
    parts = {"appearance.colours.first", "appearance.colours.second", "appearance.hidden"}
    assert {name.rpartition(".")[0] for name in start.fresh} == parts
    old, new = begun.model.state_dict(), more.model.state_dict()
    for name in old.keys() - set(start.fresh):
        torch.testing.assert_close(new[name], old[name], rtol=2e-3, atol=1e-3)


def test_a_snapshot_with_a_motion_head_begins_the_training_without_one(tmp_path):
    first, second = read_recipe("mapt-compact"), read_recipe("mapt-compact-appearance")
    assert first.model == second.model

    def trainer_of(recipe):
        model = build_model(recipe.model, recipe.model_settings, label_space("kitti-step"))
        stage = recipe.all_stages[0].recipe
        return Trainer(model, stage, seed=0, device=torch.device("cpu"), folder=tmp_path)

    begun, snapshot = trainer_of(first), tmp_path / "snapshot.safetensors"
    save_checkpoint(begun, tmp_path / "checkpoints", seconds=1.0, keep=1)
    save_snapshot(tmp_path / "checkpoints", snapshot)
    more = trainer_of(second)
    start_from(more, snapshot, new_heads=True)
    old, new = begun.model.state_dict(), more.model.state_dict()
    left_out = {name.partition(".")[0] for name in old.keys() - new.keys()}
    assert left_out == {"motion", "appearance"}  # what propagates, and what reads the propagated
    for name in new:
        torch.testing.assert_close(new[name], old[name], rtol=2e-3, atol=1e-3)


def test_new_heads_begin_at_random_and_the_log_names_them(tmp_path):
    def job(folder, **settings):
        recipe = small_recipe(
            model="mapt-tiny",
            steps=1,
            log_every=1,
            checkpoint_every=1,
            average=0.9,
            export="float32",
            optimizer={"lr": 1e-9, "weight_decay": 0},
            clips={"length": 1},
            augment={},
            validate_every=0,
            model_settings=settings,
        )
        return small_job(folder, recipe)

    train(job(tmp_path / "one"))
    snapshot = tmp_path / "snapshot.safetensors"
    save_snapshot(tmp_path / "one" / "checkpoints", snapshot)
    changes = {"motion.design": "matched-s4", "appearance.embedding_channels": 24}
    more = job(tmp_path / "two", **changes)
    more.__dict__["init"] = snapshot
    train(more)
    first = read_log(tmp_path / "two" / "log.jsonl")[0]
    assert first["kind"] == "init"
    fresh = set(first["fresh"])
    assert {"appearance.embedding.weight", "motion.matcher.stem.weight"} <= fresh
    assert all(name.startswith(("motion.", "appearance.")) for name in fresh)
    assert "appearance.hidden.weight" not in fresh
    one, two = (load_file(tmp_path / name / "weights.safetensors") for name in ("one", "two"))
    for name in one.keys() & two.keys() - fresh:
        torch.testing.assert_close(two[name], one[name], rtol=2e-3, atol=1e-3)
    # A resumed training needs the very same model, and so does a detector.
    more = job(tmp_path / "three", **changes)
    more.__dict__.update(init=snapshot, resumes=True)
    with pytest.raises(DataError, match="does not fit"):
        train(more)
    other = job(tmp_path / "four", **{"fpn.channels": 32})
    other.__dict__["init"] = snapshot
    with pytest.raises(DataError, match="does not fit"):
        train(other)
