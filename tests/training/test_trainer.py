import json

import pytest
import torch
from helpers import toy_model
from helpers.scenes import KITTI
from helpers.training_jobs import empty_street, moving_boxes, small_recipe

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.training.clips import ClipDataset, ClipDraw
from mapt_bench.training.trainer import Trainer

torch.set_num_threads(1)


def clips_of(*videos, count=4):
    recipe = small_recipe()
    clips = ClipDataset(videos or (moving_boxes(),), recipe.clips, recipe.augment)
    return [clips[ClipDraw(at, (at,))] for at in range(count)]


def trainer_of(tmp_path, build=toy_model.build, **changes):
    torch.manual_seed(0)
    changes = {"model": "helpers.toy_model:build", **changes}
    recipe = small_recipe(**changes)
    return Trainer(build(KITTI), recipe, seed=0, device=torch.device("cpu"), folder=tmp_path)


def weights(trainer):
    return torch.cat([value.flatten() for value in trainer.model.state_dict().values()])


def test_losses_fall(tmp_path):
    trainer = trainer_of(tmp_path, steps=40, optimizer={"name": "adamw", "lr": 0.02})
    clips = clips_of()
    totals = [trainer.train_step([clips]).total for _ in range(40)]
    assert totals[-1] < 0.5 * totals[0]
    assert trainer.step == 40


def test_a_report_says_what_the_step_was(tmp_path):
    trainer = trainer_of(tmp_path, loss_weights={"loss_things": 0.5}, gradient_norms_every=2)
    first, second = (trainer.train_step([clips_of()]) for _ in range(2))
    values = first.values
    assert set(values) == {"loss_semantic", "loss_things", "things"}
    assert first.total == pytest.approx(values["loss_semantic"] + 0.5 * values["loss_things"])
    assert values["things"] == 4  # two things in each of two frames
    assert first.lr == pytest.approx(0.01 / 3)
    assert first.loss_gradient_norms == {}
    assert set(second.loss_gradient_norms) == {"loss_semantic", "loss_things"}
    # The norm of a sum is at most the sum of the norms.
    assert 0 < second.gradient_norm <= sum(second.loss_gradient_norms.values()) * 1.0001


def test_parts_give_the_gradient_of_the_whole(tmp_path):
    clips = clips_of()
    whole = trainer_of(tmp_path, batch_size=4, optimizer={"clip_norm": None})
    parted = trainer_of(tmp_path, batch_size=4, accumulate=2, optimizer={"clip_norm": None})
    one = whole.train_step([clips])
    other = parted.train_step([clips[:2], clips[2:]])
    assert one.values == pytest.approx(other.values)
    assert one.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-5)
    assert torch.allclose(weights(whole), weights(parted), atol=1e-7)


def test_gradients_are_clipped(tmp_path):
    trainer = trainer_of(tmp_path, optimizer={"clip_norm": 0.001, "momentum": 0.0, "lr": 1.0})
    before = weights(trainer)
    report = trainer.train_step([clips_of()])
    assert report.gradient_norm > 1
    moved = (weights(trainer) - before).norm().item()
    assert moved == pytest.approx(0.001 * report.lr, rel=0.05)


def test_what_the_model_draws_depends_on_the_step_alone(tmp_path):
    trainers = [trainer_of(tmp_path, toy_model.build_dropping) for _ in range(2)]
    clips = clips_of()
    first = trainers[0].train_step([clips]).total
    torch.rand(17)  # something else draws in between
    assert trainers[1].train_step([clips]).total == first


def test_a_batch_without_things_is_valid(tmp_path):
    trainer = trainer_of(tmp_path)
    report = trainer.train_step([clips_of(empty_street())])
    assert report.values["loss_things"] == 0
    assert report.gradient_norm > 0


def test_the_average_is_what_is_used(tmp_path):
    trainer = trainer_of(tmp_path, average=0.99)
    trainer.train_step([clips_of()])
    assert trainer.best_model is not trainer.model
    assert not torch.equal(trainer.best_model.semantic.weight, trainer.model.semantic.weight)
    assert trainer_of(tmp_path).best_model is not None


def test_a_loss_that_is_not_finite_stops_before_the_weights_change(tmp_path):
    trainer = trainer_of(tmp_path, toy_model.build_poisoned)
    clips = clips_of()
    for _ in range(2):
        trainer.train_step([clips])
    before = weights(trainer)
    with pytest.raises(DataError, match="loss_semantic became non-finite at step 2") as caught:
        trainer.train_step([clips])
    assert torch.equal(weights(trainer), before)
    written = json.loads((tmp_path / "non_finite-00000002-0.json").read_text())
    assert caught.value.where == str(tmp_path / "non_finite-00000002-0.json")
    assert written["not_finite"] == ["loss_semantic"]
    assert (written["step"], written["seed"], written["rank"]) == (2, 0, 0)
    assert [clip["name"] for clip in written["clips"]] == [clip.name for clip in clips]


def test_a_gradient_that_is_not_finite_stops_too(tmp_path):
    class Rooted(toy_model.ToyModel):
        def forward(self, clips):
            values = super().forward(clips)
            return {**values, "loss_root": torch.sqrt(0 * self.semantic.weight.sum())}

    trainer = trainer_of(tmp_path, Rooted)
    before = weights(trainer)
    with pytest.raises(DataError, match="gradient_norm became non-finite"):
        trainer.train_step([clips_of()])
    assert torch.equal(weights(trainer), before)


@pytest.mark.parametrize(
    "problem",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"
        ),
    ],
)
def test_exhausted_memory_says_what_to_lower(tmp_path, problem):
    class Hungry(toy_model.ToyModel):
        def forward(self, clips):
            raise problem

    with pytest.raises(
        ConfigError, match=r"raise accumulate .* lower batch_size, or lower augment"
    ):
        trainer_of(tmp_path, Hungry).train_step([clips_of()])


def test_other_failures_are_told_as_they_are(tmp_path):
    class Broken(toy_model.ToyModel):
        def forward(self, clips):
            raise RuntimeError("shapes do not fit")

    message = (
        r"Broken failed: RuntimeError: shapes do not fit \(\S+test_trainer.py:\d+ in forward\)"
    )
    with pytest.raises(ConfigError, match=message):
        trainer_of(tmp_path, Broken).train_step([clips_of()])


def test_losses_must_be_named_and_hang_on_the_model(tmp_path):
    class Nameless(toy_model.ToyModel):
        def forward(self, clips):
            return {"semantic": super().forward(clips)["loss_semantic"]}

    class Detached(toy_model.ToyModel):
        def forward(self, clips):
            return {"loss_a": torch.tensor(1.0)}

    with pytest.raises(ConfigError, match=r"returned semantic; expected losses .* 'loss_'"):
        trainer_of(tmp_path, Nameless).train_step([clips_of()])
    with pytest.raises(ConfigError, match="no loss of the model depends"):
        trainer_of(tmp_path, Detached).train_step([clips_of()])


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "the model returned None; expected a dictionary of losses"),
        ({"loss_a": 1.0}, "the model returned a float under 'loss_a'; expected a tensor"),
        ({"loss_a": torch.ones(2)}, r"tensor of shape \(2,\) under 'loss_a'; expected one number"),
        (ValueError("odd"), r"model .*Odd failed: ValueError: odd \(.*in forward\)"),
        (GeneratorExit("odd"), r"Odd failed: GeneratorExit: odd"),
        (SystemExit(3), r"Odd failed: it called sys.exit\(3\)"),
        (MemoryError(), "memory ran out with batch_size"),
    ],
)
def test_a_model_that_fails_or_returns_no_losses_is_named(tmp_path, returned, message):
    class Odd(toy_model.ToyModel):
        def forward(self, clips):
            if isinstance(returned, BaseException):
                raise returned
            return returned

    with pytest.raises(ConfigError, match=message):
        trainer_of(tmp_path, Odd).train_step([clips_of()])


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (ValueError("odd"), r"model .*Odd failed: ValueError: odd \(.*in backward\)"),
        (MemoryError(), "memory ran out with batch_size"),
    ],
)
def test_a_model_that_fails_on_the_way_back_is_named(tmp_path, problem, message):
    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(context, loss):
            return loss.clone()

        @staticmethod
        def backward(context, gradient):
            raise problem

    class Odd(toy_model.ToyModel):
        def forward(self, clips):
            return {name: Fails.apply(loss) for name, loss in super().forward(clips).items()}

    with pytest.raises(ConfigError, match=message):
        trainer_of(tmp_path, Odd).train_step([clips_of()])


def test_a_weight_of_no_loss_is_refused(tmp_path):
    trainer = trainer_of(tmp_path, loss_weights={"loss_thing": 2.0})
    with pytest.raises(ConfigError, match=r"'loss_thing'; did you mean 'loss_things'?"):
        trainer.train_step([clips_of()])


def test_bfloat16_is_used_where_it_is_asked_for(tmp_path):
    seen = []

    class Watching(toy_model.ToyModel):
        def forward(self, clips):
            seen.append(self.features(clips[0].images).dtype)
            return super().forward(clips)

    trainer_of(tmp_path, Watching, precision="bfloat16").train_step([clips_of()])
    trainer_of(tmp_path, Watching).train_step([clips_of()])
    assert seen == [torch.bfloat16, torch.float32]
